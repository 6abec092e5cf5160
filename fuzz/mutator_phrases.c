/* Steps that only mean something together, in the words of the engine: what a single insertion
 * would need several lucky ones for. */
#include "mutator_internal.h"

#define COUNT_OF(table) ((uint32_t)(sizeof(table) / sizeof(*(table))))

enum { PHRASE_STEPS_MAX = 12 };

enum clock {
	AT_ONCE = 0,
	AFTER_IDLE,
	AFTER_DRAIN,
	AFTER_PART,
	AFTER_QUIET,
	AFTER_RETRY,
	AFTER_REPORT
};
enum who { NOBODY = 0, LISTENER, SOMEBODY, ANOTHER };
enum amount { ALL = 0, SOME };

/* A step with what is known beforehand. */
struct line {
	uint8_t op;                   /* 0: the phrase is over */
	uint8_t outcome;              /* 0: done */
	uint8_t amount;               /* of bytes, where they are counted */
	uint8_t clock, who, requests; /* of a wait */
	uint16_t mask;
};

struct phrase {
	struct line lines[PHRASE_STEPS_MAX];
};

/* clang-format off */
#define WAIT_FOR(...)       { ECHO_OP_WAIT, ECHO_DONE, ALL, __VA_ARGS__ }
#define ANNOUNCED(who, ...) WAIT_FOR(AT_ONCE, who, 0, __VA_ARGS__)
#define REQUEST(what)       WAIT_FOR(AT_ONCE, NOBODY, what, 0)
#define TIME(clock)         WAIT_FOR(clock, NOBODY, 0, 0)
#define DONE(op)            { ECHO_OP_##op, ECHO_DONE, ALL, AT_ONCE, NOBODY, 0, 0 }
#define SOME_OF(op)         { ECHO_OP_##op, ECHO_DONE, SOME, AT_ONCE, NOBODY, 0, 0 }
#define FAILS(op, outcome)  { ECHO_OP_##op, ECHO_##outcome, ALL, AT_ONCE, NOBODY, 0, 0 }

#define LISTENER_IN ANNOUNCED(LISTENER, ECHO_IN)
#define READABLE    ANNOUNCED(SOMEBODY, ECHO_IN | ECHO_OUT)
#define READABLE_2  ANNOUNCED(ANOTHER, ECHO_IN | ECHO_OUT)
#define WRITABLE    ANNOUNCED(SOMEBODY, ECHO_OUT)
#define URGENT      ANNOUNCED(SOMEBODY, ECHO_IN | ECHO_OUT | ECHO_PRI)
#define HALF_CLOSED ANNOUNCED(SOMEBODY, ECHO_IN | ECHO_OUT | ECHO_RDHUP)
#define HUNG_UP     ANNOUNCED(SOMEBODY, ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_HUP)
#define BROKEN_OFF  ANNOUNCED(SOMEBODY, ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_HUP | ECHO_ERR)

static const struct phrase phrases[] = {
	/* A connection comes. */
	{ { LISTENER_IN, DONE(ACCEPT), DONE(WATCH) } },
	{ { LISTENER_IN, DONE(ACCEPT), DONE(WATCH), DONE(ACCEPT), DONE(WATCH),
	    FAILS(ACCEPT, WOULD_BLOCK) } },
	{ { LISTENER_IN, DONE(ACCEPT), DONE(WATCH), READABLE, SOME_OF(READ), DONE(WRITE) } },
	{ { LISTENER_IN, DONE(ACCEPT), FAILS(WATCH, NO_MEMORY), DONE(CLOSE) } },
	/* An echo: whole, in parts, of a peer that does not read. */
	{ { READABLE, SOME_OF(READ), DONE(WRITE) } },
	{ { READABLE, DONE(READ), DONE(WRITE), FAILS(READ, WOULD_BLOCK) } },
	{ { READABLE, DONE(READ), SOME_OF(WRITE), WRITABLE, DONE(WRITE) } },
	{ { READABLE, SOME_OF(READ), FAILS(WRITE, WOULD_BLOCK) } },
	{ { READABLE, DONE(READ), DONE(WRITE), DONE(READ), DONE(WRITE), DONE(READ), DONE(WRITE),
	    DONE(READ), DONE(WRITE), DONE(READ), DONE(WRITE) } },
	{ { URGENT, SOME_OF(READ), DONE(WRITE), FAILS(READ, WOULD_BLOCK), SOME_OF(READ),
	    DONE(WRITE) } },
	/* One drains after the other: who has used up a turn waits for both. */
	{ { READABLE, FAILS(READ, WOULD_BLOCK), READABLE_2, FAILS(READ, WOULD_BLOCK) } },
	/* An echo without a buffer. */
	{ { READABLE, SOME_OF(PEEK), DONE(WRITE), DONE(CONSUME) } },
	{ { READABLE, DONE(PEEK), SOME_OF(WRITE), SOME_OF(CONSUME), DONE(CONSUME) } },
	{ { READABLE, SOME_OF(PEEK), DONE(WRITE), FAILS(CONSUME, INTERRUPTED), DONE(CONSUME),
	    FAILS(PEEK, WOULD_BLOCK) } },
	{ { READABLE, SOME_OF(PEEK), FAILS(WRITE, WOULD_BLOCK), WRITABLE, SOME_OF(PEEK),
	    DONE(WRITE), DONE(CONSUME) } },
	/* A stream that is long, and goes through a pipe. */
	{ { READABLE, DONE(READ), DONE(WRITE), DONE(READ), DONE(WRITE), DONE(READ), DONE(WRITE),
	    DONE(READ), DONE(WRITE), DONE(FILL), DONE(EMPTY) } },
	{ { READABLE, DONE(FILL), DONE(EMPTY), SOME_OF(FILL), DONE(EMPTY), DONE(READ),
	    DONE(WRITE) } },
	{ { READABLE, DONE(FILL), SOME_OF(EMPTY), FAILS(EMPTY, WOULD_BLOCK), WRITABLE,
	    DONE(EMPTY) } },
	{ { URGENT, FAILS(FILL, WOULD_BLOCK), SOME_OF(READ), DONE(WRITE), DONE(FILL),
	    DONE(EMPTY) } },
	{ { HALF_CLOSED, FAILS(FILL, END), FAILS(READ, END), DONE(UNACKED), DONE(CLOSE) } },
	{ { BROKEN_OFF, DONE(FILL), FAILS(EMPTY, GONE), DONE(PURGE), DONE(CLOSE) } },
	{ { BROKEN_OFF, DONE(FILL), FAILS(EMPTY, GONE), SOME_OF(PURGE),
	    FAILS(PURGE, WOULD_BLOCK), DONE(CLOSE) } },
	/* The peer ends its stream, or goes. */
	{ { HALF_CLOSED, FAILS(READ, END), FAILS(PEEK, END), DONE(UNACKED), DONE(CLOSE) } },
	{ { HALF_CLOSED, SOME_OF(READ), DONE(WRITE), FAILS(READ, END), SOME_OF(UNACKED),
	    DONE(SHUTDOWN), HUNG_UP, DONE(UNACKED), DONE(CLOSE) } },
	{ { BROKEN_OFF, FAILS(READ, GONE), FAILS(WRITE, GONE), DONE(CLOSE) } },
	/* The server stops, and drains. */
	{ { REQUEST(ECHO_REQUEST_STOP), FAILS(ACCEPT, WOULD_BLOCK), DONE(UNLISTEN) } },
	{ { REQUEST(ECHO_REQUEST_STOP), DONE(ACCEPT), DONE(WATCH), FAILS(ACCEPT, WOULD_BLOCK),
	    DONE(UNLISTEN) } },
	{ { TIME(AFTER_QUIET), FAILS(READ, WOULD_BLOCK), DONE(SHUTDOWN), HALF_CLOSED,
	    SOME_OF(DISCARD), FAILS(DISCARD, END), DONE(UNACKED), DONE(CLOSE) } },
	{ { TIME(AFTER_PART), DONE(SHUTDOWN), TIME(AFTER_DRAIN), DONE(CLOSE) } },
	{ { TIME(AFTER_DRAIN), DONE(CLOSE) } },
	/* Nobody sends, or nobody takes. */
	{ { TIME(AFTER_IDLE), DONE(UNACKED), FAILS(READ, WOULD_BLOCK), DONE(SHUTDOWN),
	    TIME(AFTER_DRAIN), DONE(CLOSE) } },
	{ { TIME(AFTER_IDLE), SOME_OF(UNACKED), TIME(AFTER_IDLE), SOME_OF(UNACKED) } },
	/* Accepting pauses. */
	{ { LISTENER_IN, FAILS(ACCEPT, NO_DESCRIPTORS), DONE(PAUSE), TIME(AFTER_RETRY),
	    DONE(RESUME) } },
	{ { LISTENER_IN, DONE(PAUSE), HUNG_UP, FAILS(READ, END), DONE(UNACKED), DONE(CLOSE),
	    DONE(RESUME) } },
	/* A report. */
	{ { REQUEST(ECHO_REQUEST_REPORT), DONE(REPORT) } },
	{ { TIME(AFTER_REPORT), DONE(REPORT) } },
};
/* clang-format on */

const struct phrase *phrase_any(struct chance *chance)
{
	return &phrases[any(chance, COUNT_OF(phrases))];
}

static uint64_t duration_ms(const struct echo_config *c, enum clock clock)
{
	switch (clock) {
	case AFTER_IDLE:
		return c->idle_ms;
	case AFTER_DRAIN:
		return c->drain_ms;
	case AFTER_PART:
		return c->drain_ms - c->drain_ms / 4;
	case AFTER_QUIET:
		return c->quiet_ms;
	case AFTER_RETRY:
		return c->retry_max_ms;
	case AFTER_REPORT:
		return c->report_ms;
	case AT_ONCE:
		break;
	}
	return 0;
}

static void fill_wait(const struct place *place, const struct line *line, struct step *step)
{
	uint64_t ms = duration_ms(place->config, (enum clock)line->clock);

	step->passed_ms = ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
	step->requests = line->requests;
	step->events_count = 0;
	if (line->who == NOBODY)
		return;
	step->events_count = 1;
	step->events[0] = (struct steps_event){ .readiness = line->mask };
	step->events[0].whom = line->who == LISTENER ? (uint32_t)STEPS_WHOM_LISTENER : place->whom;
	if (line->who == ANOTHER && place->accepted > 1)
		step->events[0].whom = (place->whom + 1) % place->accepted % STEPS_WHOM_LISTENER;
}

bool phrase_step(const struct place *place, const struct phrase *phrase, uint32_t i,
		 struct step *step)
{
	const struct line *line = &phrase->lines[i];

	if (i >= PHRASE_STEPS_MAX || line->op == ECHO_OP_NONE)
		return false;
	step_make(place, (enum echo_op)line->op, step);
	step->outcome = (enum echo_outcome)line->outcome;
	if (line->op == ECHO_OP_WAIT)
		fill_wait(place, line, step);
	step->count = line->amount == SOME && steps_counts(step->op, step->outcome)
			      ? 1 + any(place->chance, place->config->buffer_size)
			      : 0;
	return true;
}
