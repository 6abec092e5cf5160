#include "replay.h"

/* No engine of a recording has as many connections as handles can count. */
_Static_assert(RECORD_SIZE_MAX < INT32_MAX, "an accept takes a byte of the recording");

static size_t engine_size(const struct echo_config *config)
{
	return (echo_memory_size(config) + 63) & ~(size_t)63;
}

size_t replay_memory_size(const struct echo_config *config)
{
	return engine_size(config) + config->connections_max * sizeof(struct replay_whom);
}

static void note_peaks(struct replay *p)
{
	uint32_t connections = echo_connections(p->engine), buffers = echo_buffers_used(p->engine);

	if (connections > p->connections_peak)
		p->connections_peak = connections;
	if (buffers > p->buffers_peak)
		p->buffers_peak = buffers;
}

void replay_start(struct replay *p, const struct recording *recording,
		  const struct echo_config *config, void *memory)
{
	*p = (struct replay){ .recording = *recording, .slots = config->connections_max };
	p->engine = echo_init(memory, config, recording->start_ms);
	p->whom = (void *)((uint8_t *)memory + engine_size(config));
	note_peaks(p);
}

/* In what two actions differ; NULL: in nothing that was recorded. */
static const char *difference(const struct echo_action *seen, const struct echo_action *recorded)
{
	if (seen->op != recorded->op)
		return "operation";
	if (record_names(seen->op) && seen->token != recorded->token)
		return "connection";
	if (record_measures(seen->op) && seen->length != recorded->length)
		return "length";
	if (seen->op == ECHO_OP_WAIT && seen->timeout_ms != recorded->timeout_ms)
		return "timeout";
	if (seen->op == ECHO_OP_WAIT && seen->events_max != recorded->events_max)
		return "most events";
	if (seen->op == ECHO_OP_CLOSE && seen->reason != recorded->reason)
		return "reason";
	return NULL;
}

static enum replay_outcome differs(struct replay *p, const char *what)
{
	p->difference = what;
	return REPLAY_DIFFERS;
}

/* A run that is complete ends where its engine stops, and as it did. */
static enum replay_outcome ended(struct replay *p)
{
	if (p->recording.how != RECORD_STOPPED)
		return REPLAY_SAME;
	if (p->more)
		return differs(p, "end");
	return echo_ending(p->engine) == p->recording.ending ? REPLAY_SAME : differs(p, "ending");
}

/* The first action on a connection is to watch it. */
static void note_whom(struct replay *p)
{
	uint32_t slot = (uint32_t)p->action.token;

	if (p->action.op == ECHO_OP_WATCH)
		p->whom[slot] = (struct replay_whom){ (uint32_t)(p->action.token >> 32),
						      (uint32_t)p->action.handle + 1 };
}

enum replay_outcome replay_next(struct replay *p)
{
	p->more = echo_next(p->engine, &p->action);
	p->recorded = false;
	switch (recording_next(&p->recording, &p->step)) {
	case RECORD_WRONG:
		return REPLAY_WRONG;
	case RECORD_END:
		return ended(p);
	case RECORD_STEP:
		break;
	}
	p->recorded = true;
	if (!p->more)
		return differs(p, "end");
	p->difference = difference(&p->action, &p->step.action);
	if (p->difference != NULL)
		return REPLAY_DIFFERS;
	note_whom(p);
	return REPLAY_STEP;
}

void replay_complete(struct replay *p)
{
	if (p->action.op == ECHO_OP_ACCEPT && p->step.result.outcome == ECHO_DONE)
		p->step.result.handle = (int32_t)p->accepted++;
	echo_complete(p->engine, &p->action, &p->step.result);
	p->steps++;
	note_peaks(p);
}

bool replay_number(const struct replay *p, uint64_t token, uint32_t *number)
{
	uint32_t slot = (uint32_t)token;
	const struct replay_whom *whom;

	if (slot >= p->slots)
		return false;
	whom = &p->whom[slot];
	*number = whom->number - 1;
	return whom->number != 0 && whom->generation == (uint32_t)(token >> 32);
}
