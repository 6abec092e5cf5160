#include "seed.h"

_Static_assert((int)RECORD_EVENTS_MAX <= (int)STEPS_EVENTS_MAX, "the events of a wait fit a step");

/* One more than was used keeps the run from meeting the limit, as it never did. */
static uint32_t enough(uint32_t peak, uint32_t most)
{
	return peak < most ? peak + 1 : most;
}

const char *seed_config(const struct replay *replay, struct echo_config *config)
{
	struct echo_config limited;

	*config = replay->recording.config;
	config->connections_max = enough(replay->connections_peak, config->connections_max);
	config->buffers_max = enough(replay->buffers_peak, config->buffers_max);
	limited = *config;
	steps_limit(&limited);
	if (limited.connections_max != config->connections_max)
		return "it had too many connections at once";
	if (limited.buffer_size != config->buffer_size)
		return "its buffers are too large";
	if (limited.buffers_max != config->buffers_max)
		return "it used too many buffers at once";
	if (replay->accepted > STEPS_ACCEPTS_MAX)
		return "it has more connections than a run; take its beginning (--first)";
	return NULL;
}

static uint32_t known_readiness(uint32_t readiness)
{
	static const uint32_t known = ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_PRI | ECHO_ERR |
				      ECHO_HUP;

	return (readiness & known) | ((readiness & ~known) != 0 ? STEPS_STRANGE : 0);
}

static struct steps_event seed_event(const struct replay *replay, const struct echo_event *event)
{
	struct steps_event made = { .readiness = known_readiness(event->readiness) };
	uint32_t number;

	if (event->token == ECHO_TOKEN_LISTENER) {
		made.whom = STEPS_WHOM_LISTENER;
	} else if (replay_number(replay, event->token, &number) && number < STEPS_WHOM_LISTENER) {
		made.whom = number;
	} else {
		made.whom = STEPS_WHOM_TOKEN;
		made.token = event->token;
	}
	return made;
}

/* A count that is all there was to do is written as such: it means the same in another run, too. */
static uint32_t seed_count(const struct record_step *from)
{
	return record_measures(from->action.op) && from->result.count == from->action.length
		       ? 0
		       : from->result.count;
}

void seed_step(const struct replay *replay, uint64_t now_ms, struct step *step)
{
	const struct record_step *from = &replay->step;

	step->op = from->action.op;
	step->outcome = from->result.outcome;
	step->count = seed_count(from);
	step->passed_ms = 0;
	step->requests = from->result.requests;
	step->events_count = from->result.events_count;
	if (step->op == ECHO_OP_WAIT)
		step->passed_ms = (int64_t)(from->result.now_ms - now_ms);
	for (uint32_t i = 0; i < step->events_count; i++)
		step->events[i] = seed_event(replay, &from->result.events[i]);
}
