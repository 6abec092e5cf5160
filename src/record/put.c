/* Records, as they are written. */
#include "record.h"

#include "../steps/tag.h"

struct room {
	uint8_t *at, *end;
	bool full;
};

static void put_byte(struct room *r, uint8_t byte)
{
	if (r->at == r->end)
		r->full = true;
	else
		*r->at++ = byte;
}

static void put(struct room *r, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		put_byte(r, (uint8_t)(number | 0x80));
	put_byte(r, (uint8_t)number);
}

/* The clock may be set back: the difference is folded, so that small ones are short either way. */
static void put_passed(struct room *r, uint64_t from_ms, uint64_t to_ms)
{
	uint64_t passed = to_ms - from_ms;

	put(r, passed << 1 ^ (passed >> 63 != 0 ? UINT64_MAX : 0));
}

static void put_token(struct room *r, uint64_t token)
{
	put(r, (uint32_t)token);
	put(r, token >> 32);
}

static size_t taken(const struct room *r, const uint8_t *bytes)
{
	return r->full ? 0 : (size_t)(r->at - bytes);
}

size_t record_put_head(uint8_t *bytes, size_t room, const struct echo_config *c, uint64_t start_ms)
{
	struct room r = { bytes, bytes + room, false };

	put(&r, c->connections_max);
	put(&r, c->buffers_max);
	put(&r, c->buffer_size);
	put(&r, c->turn_bytes);
	put(&r, c->round_bytes);
	put(&r, c->backlog_max);
	put(&r, c->events_max);
	put(&r, c->generation_bits);
	put(&r, c->idle_ms);
	put(&r, c->drain_ms);
	put(&r, c->quiet_ms);
	put(&r, c->retry_min_ms);
	put(&r, c->retry_max_ms);
	put(&r, c->report_ms);
	put(&r, start_ms);
	put(&r, c->pipes_max);
	return taken(&r, bytes);
}

static void put_event(struct room *r, const struct echo_event *event)
{
	if (event->token == ECHO_TOKEN_LISTENER) {
		put(r, 0);
	} else {
		put(r, (event->token & UINT32_MAX) + 1);
		put(r, event->token >> 32);
	}
	put(r, event->readiness);
}

static void put_wait(struct room *r, const struct echo_action *action,
		     const struct echo_result *result, uint64_t now_ms)
{
	put(r, (uint64_t)((int64_t)action->timeout_ms + 1));
	put(r, action->events_max);
	put(r, result->requests);
	put_passed(r, now_ms, result->now_ms);
	put(r, result->events_count);
	for (uint32_t i = 0; i < result->events_count; i++)
		put_event(r, &result->events[i]);
}

bool record_names(enum echo_op op)
{
	return (op >= ECHO_OP_WATCH && op <= ECHO_OP_CLOSE) || op >= ECHO_OP_FILL;
}

bool record_measures(enum echo_op op)
{
	return (op >= ECHO_OP_READ && op <= ECHO_OP_DISCARD) || op >= ECHO_OP_FILL;
}

_Static_assert(ECHO_OP_WATCH + 1 == ECHO_OP_READ && ECHO_OP_READ + 4 == ECHO_OP_DISCARD &&
		       ECHO_OP_DISCARD + 1 == ECHO_OP_UNACKED &&
		       ECHO_OP_UNACKED + 2 == ECHO_OP_CLOSE &&
		       ECHO_OP_CLOSE + 1 == ECHO_OP_REPORT && ECHO_OP_REPORT + 1 == ECHO_OP_FILL &&
		       ECHO_OP_FILL + 3 == ECHO_OP_COUNT,
	       "actions on connections stand together");

bool record_counts(enum echo_op op, enum echo_outcome outcome)
{
	return outcome == ECHO_DONE && (record_measures(op) || op == ECHO_OP_UNACKED);
}

static void put_tag(struct room *r, unsigned op, unsigned outcome)
{
	put_byte(r, tag_put(op, outcome));
}

size_t record_put(uint8_t *bytes, size_t room, const struct echo_action *action,
		  const struct echo_result *result, uint64_t *now_ms)
{
	struct room r = { bytes, bytes + room, false };

	put_tag(&r, (unsigned)action->op, (unsigned)result->outcome);
	if (action->op == ECHO_OP_WAIT)
		put_wait(&r, action, result, *now_ms);
	if (record_names(action->op))
		put_token(&r, action->token);
	if (record_measures(action->op))
		put(&r, action->length);
	if (record_counts(action->op, result->outcome))
		put(&r, result->count);
	if (action->op == ECHO_OP_CLOSE)
		put(&r, (uint64_t)action->reason);
	if (action->op == ECHO_OP_WAIT && !r.full)
		*now_ms = result->now_ms;
	return taken(&r, bytes);
}

size_t record_put_end(uint8_t *bytes, size_t room, enum record_end how, enum echo_ending ending)
{
	struct room r = { bytes, bytes + room, false };

	put_tag(&r, 0, (unsigned)how);
	if (how == RECORD_STOPPED)
		put(&r, (uint64_t)ending);
	return taken(&r, bytes);
}
