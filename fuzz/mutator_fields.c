/* Fields of steps and of the configuration: what they may become, so that it means something. */
#include "mutator_internal.h"

#define COUNT_OF(table) ((uint32_t)(sizeof(table) / sizeof(*(table))))

/* What may come of an operation; what stands twice is twice as likely. 0 ends a row. */
static const uint8_t outcomes[ECHO_OP_COUNT][8] = {
	[ECHO_OP_WAIT] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_DONE,
			   ECHO_INTERRUPTED },
	[ECHO_OP_ACCEPT] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_INTERRUPTED,
			     ECHO_GONE, ECHO_NO_DESCRIPTORS, ECHO_NO_MEMORY },
	[ECHO_OP_PAUSE] = { ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_FAILED },
	[ECHO_OP_RESUME] = { ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_NO_MEMORY, ECHO_FAILED },
	[ECHO_OP_UNLISTEN] = { ECHO_DONE, ECHO_INTERRUPTED },
	[ECHO_OP_WATCH] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_NO_MEMORY },
	[ECHO_OP_READ] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_END,
			   ECHO_INTERRUPTED, ECHO_NO_MEMORY, ECHO_GONE },
	[ECHO_OP_PEEK] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_END,
			   ECHO_INTERRUPTED, ECHO_NO_MEMORY, ECHO_GONE },
	[ECHO_OP_WRITE] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_WOULD_BLOCK,
			    ECHO_INTERRUPTED, ECHO_NO_MEMORY, ECHO_GONE },
	[ECHO_OP_CONSUME] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_INTERRUPTED,
			      ECHO_NO_MEMORY, ECHO_END, ECHO_GONE },
	[ECHO_OP_DISCARD] = { ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_END, ECHO_END,
			      ECHO_INTERRUPTED, ECHO_NO_MEMORY, ECHO_GONE },
	[ECHO_OP_UNACKED] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_FAILED },
	[ECHO_OP_SHUTDOWN] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_GONE },
	[ECHO_OP_CLOSE] = { ECHO_DONE, ECHO_DONE, ECHO_INTERRUPTED, ECHO_FAILED },
	[ECHO_OP_REPORT] = { ECHO_DONE, ECHO_FAILED },
	[ECHO_OP_FILL] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_END,
			   ECHO_INTERRUPTED, ECHO_FAILED, ECHO_GONE },
	[ECHO_OP_EMPTY] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_INTERRUPTED,
			    ECHO_NO_MEMORY, ECHO_GONE },
	[ECHO_OP_PURGE] = { ECHO_DONE, ECHO_DONE, ECHO_DONE, ECHO_WOULD_BLOCK, ECHO_INTERRUPTED,
			    ECHO_END },
};

/* What the engine asks for next, once a call was done (conn.c, listener.c). */
static const uint8_t ops_after_done[ECHO_OP_COUNT][8] = {
	[ECHO_OP_WAIT] = { ECHO_OP_READ, ECHO_OP_READ, ECHO_OP_PEEK, ECHO_OP_WRITE, ECHO_OP_ACCEPT,
			   ECHO_OP_UNACKED, ECHO_OP_DISCARD, ECHO_OP_REPORT },
	[ECHO_OP_ACCEPT] = { ECHO_OP_WATCH, ECHO_OP_WATCH, ECHO_OP_ACCEPT, ECHO_OP_PAUSE },
	[ECHO_OP_PAUSE] = { ECHO_OP_WAIT, ECHO_OP_RESUME, ECHO_OP_READ },
	[ECHO_OP_RESUME] = { ECHO_OP_WAIT, ECHO_OP_ACCEPT },
	[ECHO_OP_UNLISTEN] = { ECHO_OP_WAIT, ECHO_OP_READ },
	[ECHO_OP_WATCH] = { ECHO_OP_WAIT, ECHO_OP_ACCEPT, ECHO_OP_READ },
	[ECHO_OP_READ] = { ECHO_OP_WRITE },
	[ECHO_OP_PEEK] = { ECHO_OP_WRITE },
	[ECHO_OP_WRITE] = { ECHO_OP_READ, ECHO_OP_READ, ECHO_OP_WRITE, ECHO_OP_CONSUME,
			    ECHO_OP_CONSUME, ECHO_OP_SHUTDOWN, ECHO_OP_WAIT, ECHO_OP_FILL },
	[ECHO_OP_CONSUME] = { ECHO_OP_PEEK, ECHO_OP_READ, ECHO_OP_CONSUME, ECHO_OP_SHUTDOWN },
	[ECHO_OP_DISCARD] = { ECHO_OP_DISCARD, ECHO_OP_DISCARD, ECHO_OP_WAIT },
	[ECHO_OP_UNACKED] = { ECHO_OP_SHUTDOWN, ECHO_OP_CLOSE, ECHO_OP_WAIT, ECHO_OP_READ },
	[ECHO_OP_SHUTDOWN] = { ECHO_OP_WAIT, ECHO_OP_UNACKED, ECHO_OP_DISCARD },
	[ECHO_OP_CLOSE] = { ECHO_OP_WAIT, ECHO_OP_RESUME, ECHO_OP_ACCEPT },
	[ECHO_OP_REPORT] = { ECHO_OP_WAIT, ECHO_OP_READ, ECHO_OP_ACCEPT },
	[ECHO_OP_FILL] = { ECHO_OP_EMPTY },
	[ECHO_OP_EMPTY] = { ECHO_OP_FILL, ECHO_OP_FILL, ECHO_OP_READ, ECHO_OP_EMPTY,
			    ECHO_OP_SHUTDOWN, ECHO_OP_WAIT },
	[ECHO_OP_PURGE] = { ECHO_OP_CLOSE, ECHO_OP_PURGE },
};

/* And once it was not: it is made again, waited for, given up. */
static const uint8_t ops_after_failure[ECHO_OP_COUNT][8] = {
	[ECHO_OP_ACCEPT] = { ECHO_OP_PAUSE, ECHO_OP_ACCEPT, ECHO_OP_WAIT, ECHO_OP_UNLISTEN },
	[ECHO_OP_PAUSE] = { ECHO_OP_PAUSE, ECHO_OP_WAIT },
	[ECHO_OP_RESUME] = { ECHO_OP_RESUME, ECHO_OP_WAIT },
	[ECHO_OP_WATCH] = { ECHO_OP_CLOSE, ECHO_OP_WATCH },
	[ECHO_OP_READ] = { ECHO_OP_WAIT, ECHO_OP_UNACKED, ECHO_OP_UNACKED, ECHO_OP_READ,
			   ECHO_OP_SHUTDOWN, ECHO_OP_CLOSE },
	[ECHO_OP_PEEK] = { ECHO_OP_WAIT, ECHO_OP_UNACKED, ECHO_OP_UNACKED, ECHO_OP_PEEK,
			   ECHO_OP_READ, ECHO_OP_CLOSE },
	[ECHO_OP_WRITE] = { ECHO_OP_WAIT, ECHO_OP_WAIT, ECHO_OP_WRITE, ECHO_OP_PEEK,
			    ECHO_OP_CLOSE },
	[ECHO_OP_CONSUME] = { ECHO_OP_CONSUME, ECHO_OP_CLOSE },
	[ECHO_OP_DISCARD] = { ECHO_OP_UNACKED, ECHO_OP_WAIT, ECHO_OP_DISCARD, ECHO_OP_CLOSE },
	[ECHO_OP_UNACKED] = { ECHO_OP_UNACKED, ECHO_OP_CLOSE },
	[ECHO_OP_SHUTDOWN] = { ECHO_OP_SHUTDOWN, ECHO_OP_CLOSE },
	[ECHO_OP_FILL] = { ECHO_OP_READ, ECHO_OP_READ, ECHO_OP_FILL, ECHO_OP_CLOSE },
	[ECHO_OP_EMPTY] = { ECHO_OP_WAIT, ECHO_OP_EMPTY, ECHO_OP_PURGE, ECHO_OP_PURGE },
	[ECHO_OP_PURGE] = { ECHO_OP_PURGE, ECHO_OP_CLOSE },
};

/* What a socket announces, from the ordinary to the odd. */
static const uint32_t masks[] = {
	ECHO_IN,
	ECHO_OUT,
	ECHO_IN | ECHO_OUT,
	ECHO_IN | ECHO_OUT,
	ECHO_IN | ECHO_RDHUP,
	ECHO_IN | ECHO_OUT | ECHO_RDHUP,
	ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_HUP,
	ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_HUP | ECHO_ERR,
	ECHO_IN | ECHO_PRI,
	ECHO_IN | ECHO_OUT | ECHO_PRI,
	ECHO_HUP,
	ECHO_ERR,
};

static const uint32_t mask_bits[] = { ECHO_IN,  ECHO_OUT, ECHO_RDHUP,   ECHO_PRI,
				      ECHO_ERR, ECHO_HUP, STEPS_STRANGE };

static uint32_t from_row(struct chance *chance, const uint8_t row[8])
{
	uint32_t length = 0;

	while (length < 8 && row[length] != 0)
		length++;
	return length == 0 ? 0 : row[any(chance, length)];
}

/* Nothing of the array of events is touched: it is large, and counted. */
static void clear(struct step *step, enum echo_op op, enum echo_outcome outcome)
{
	step->op = op;
	step->outcome = outcome;
	step->count = 0;
	step->passed_ms = 0;
	step->requests = 0;
	step->events_count = 0;
}

/* Bytes: all, one, few, or what makes a difference to a buffer or a budget. */
void change_count(const struct place *place, struct step *step)
{
	const struct echo_config *c = place->config;
	const uint32_t telling[] = {
		c->buffer_size,
		c->buffer_size / 2,
		c->turn_bytes,
		c->round_bytes,
		c->turn_bytes - ECHO_CALL_COST,
		ECHO_CALL_COST,
		UINT32_MAX,
	};

	switch (any(place->chance, 8)) {
	case 0:
	case 1:
		step->count = 0;
		break;
	case 2:
		step->count = 1;
		break;
	case 3:
	case 4:
		step->count = 1 + any(place->chance, 16);
		break;
	case 5:
		step->count += one_in(place->chance, 2) ? 1 : UINT32_MAX;
		break;
	case 6:
		step->count = 1 + any(place->chance, c->buffer_size);
		break;
	default:
		step->count =
			telling[any(place->chance, COUNT_OF(telling))] - 1 + any(place->chance, 3);
		break;
	}
}

/* Near a number: exactly it, more often than not. */
static int64_t near(struct chance *chance, uint64_t ms)
{
	if (ms > INT64_MAX - 1)
		ms = INT64_MAX - 1;
	return (int64_t)ms + (one_in(chance, 2) ? 0 : (int64_t)any(chance, 3) - 1);
}

/* Time that passes: none, little, or what a timer waits for, and one more or less. */
void change_clock(const struct place *place, struct step *step)
{
	static const int64_t odd[] = { -1, -1000, INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MIN };
	const struct echo_config *c = place->config;
	const uint64_t telling[] = {
		c->idle_ms,  c->drain_ms,     c->drain_ms / 4, c->drain_ms - c->drain_ms / 4,
		c->quiet_ms, c->retry_min_ms, c->retry_max_ms, c->report_ms,
	};

	switch (any(place->chance, 8)) {
	case 0:
	case 1:
		step->passed_ms = any(place->chance, 2);
		break;
	case 2:
		step->passed_ms = any(place->chance, 1000);
		break;
	case 3:
		step->passed_ms = odd[any(place->chance, COUNT_OF(odd))];
		break;
	default:
		step->passed_ms =
			near(place->chance, telling[any(place->chance, COUNT_OF(telling))]);
		break;
	}
}

void change_requests(const struct place *place, struct step *step)
{
	static const uint32_t requests[] = { ECHO_REQUEST_STOP, ECHO_REQUEST_STOP,
					     ECHO_REQUEST_REPORT, ECHO_REQUEST_ABORT };

	step->requests ^= requests[any(place->chance, COUNT_OF(requests))];
}

/* A token that the engine may have given, or nearly: slots and generations start low. */
static uint64_t any_token(const struct place *place)
{
	uint32_t mask = UINT32_MAX >> (32 - place->config->generation_bits);
	uint64_t slot = any(place->chance, place->config->connections_max + 1);
	uint64_t generation = any(place->chance, 5) - 1;

	if (one_in(place->chance, 8))
		slot = ECHO_TOKEN_LISTENER - any(place->chance, 3);
	return (generation & (one_in(place->chance, 8) ? UINT32_MAX : mask)) << 32 | slot;
}

/* Mostly a recent connection: it is the likeliest to be open. */
static void any_whom(const struct place *place, struct steps_event *event)
{
	uint32_t back = any(place->chance, one_in(place->chance, 2) ? 4 : STEPS_WHOM_LISTENER);

	event->token = 0;
	if (one_in(place->chance, 8)) {
		event->whom = STEPS_WHOM_TOKEN;
		event->token = any_token(place);
	} else if (place->accepted == 0 || one_in(place->chance, 6)) {
		event->whom = STEPS_WHOM_LISTENER;
	} else {
		event->whom = (place->accepted - 1 - back % place->accepted) % STEPS_WHOM_LISTENER;
	}
}

static uint32_t any_mask(const struct place *place)
{
	return masks[any(place->chance, COUNT_OF(masks))];
}

static void any_event(const struct place *place, struct steps_event *event)
{
	any_whom(place, event);
	event->readiness = event->whom == STEPS_WHOM_LISTENER ? (uint32_t)ECHO_IN : any_mask(place);
}

static void add_event(const struct place *place, struct step *step)
{
	uint32_t at = any(place->chance, step->events_count + 1);

	step->events[step->events_count] = step->events[at];
	any_event(place, &step->events[at]);
	step->events_count++;
}

static void change_event(const struct place *place, struct steps_event *event)
{
	switch (any(place->chance, 4)) {
	case 0:
		any_whom(place, event);
		break;
	case 1:
		event->readiness ^= mask_bits[any(place->chance, COUNT_OF(mask_bits))];
		break;
	case 2:
		event->readiness = any_mask(place);
		break;
	default:
		any_event(place, event);
		break;
	}
}

void change_events(const struct place *place, struct step *step)
{
	uint32_t *count = &step->events_count;
	uint32_t most = place->config->events_max;

	if (*count == 0 || (*count < most && one_in(place->chance, 2))) {
		if (*count < STEPS_EVENTS_MAX)
			add_event(place, step);
	} else if (one_in(place->chance, 4)) {
		step->events[any(place->chance, *count)] = step->events[*count - 1];
		(*count)--;
	} else {
		change_event(place, &step->events[any(place->chance, *count)]);
	}
}

/* What suits the operation; at times anything at all. */
void change_outcome(const struct place *place, struct step *step)
{
	if (one_in(place->chance, 8))
		step->outcome = (enum echo_outcome)(ECHO_DONE + any(place->chance, ECHO_FAILED));
	else
		step->outcome = (enum echo_outcome)from_row(place->chance, outcomes[step->op]);
	if (!steps_counts(step->op, step->outcome))
		step->count = 0;
}

void step_make(const struct place *place, enum echo_op op, struct step *step)
{
	clear(step, op, ECHO_DONE);
	change_outcome(place, step);
	if (steps_counts(op, step->outcome))
		change_count(place, step);
	if (op != ECHO_OP_WAIT)
		return;
	change_clock(place, step);
	if (one_in(place->chance, 16))
		change_requests(place, step);
	for (uint32_t events = any(place->chance, 4); events > 0; events--)
		change_events(place, step);
}

/* The outcome stays, and the count where there still is one; a wait is made anew. */
void change_op(const struct place *place, struct step *step)
{
	enum echo_outcome outcome = step->outcome;
	uint32_t count = step->count;

	step_make(place, (enum echo_op)(1 + any(place->chance, ECHO_OP_COUNT - 1)), step);
	step->outcome = outcome;
	step->count = steps_counts(step->op, outcome) ? count : 0;
}

enum echo_op op_after(struct chance *chance, enum echo_op op, enum echo_outcome outcome)
{
	uint32_t next =
		from_row(chance, outcome == ECHO_DONE ? ops_after_done[op] : ops_after_failure[op]);

	return next == 0 ? ECHO_OP_WAIT : (enum echo_op)next;
}
