#include "steps.h"

#include "tag.h"

/* Readiness in one byte, lowest bit first. */
static const uint32_t readiness_bits[8] = { ECHO_IN,  ECHO_OUT, ECHO_RDHUP,    ECHO_PRI,
					    ECHO_ERR, ECHO_HUP, STEPS_STRANGE, 0 };

static bool take_byte(struct steps *s, uint8_t *byte)
{
	if (s->at == s->end)
		return false;
	*byte = *s->at++;
	return true;
}

static bool take(struct steps *s, uint64_t *number)
{
	uint8_t byte;
	unsigned shift = 0;

	*number = 0;
	do {
		if (!take_byte(s, &byte))
			return false;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && shift < 64);
	return true;
}

static bool take_most(struct steps *s, uint64_t most, uint64_t *number)
{
	if (!take(s, number))
		return false;
	if (*number > most)
		*number = most;
	return true;
}

static bool take_u32(struct steps *s, uint32_t *number)
{
	uint64_t wide;

	if (!take_most(s, UINT32_MAX, &wide))
		return false;
	*number = (uint32_t)wide;
	return true;
}

static bool take_folded(struct steps *s, int64_t *number)
{
	uint64_t folded;

	if (!take(s, &folded))
		return false;
	*number = (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);
	return true;
}

static void limit(uint32_t *value, uint32_t least, uint32_t most)
{
	if (*value < least)
		*value = least;
	if (*value > most)
		*value = most;
}

static void limit_ms(uint64_t *value, uint64_t least, uint64_t most)
{
	if (*value < least)
		*value = least;
	if (*value > most)
		*value = most;
}

void steps_limit(struct echo_config *c)
{
	limit(&c->connections_max, 1, STEPS_CONNECTIONS_MAX);
	limit(&c->buffers_max, 0, STEPS_BUFFERS_MAX);
	limit(&c->buffer_size, 1, STEPS_BUFFER_SIZE_MAX);
	limit(&c->buffers_max, 0, STEPS_POOL_BYTES_MAX / c->buffer_size);
	limit(&c->pipes_max, 0, STEPS_PIPES_MAX);
	limit(&c->turn_bytes, 1, ECHO_BUDGET_LIMIT);
	limit(&c->round_bytes, 1, ECHO_BUDGET_LIMIT);
	limit(&c->backlog_max, 1, ECHO_BACKLOG_LIMIT);
	limit(&c->events_max, 1, STEPS_EVENTS_MAX);
	limit(&c->generation_bits, 1, 32);
	limit_ms(&c->quiet_ms, 1, UINT64_MAX);
	limit_ms(&c->retry_min_ms, 1, ECHO_RETRY_LIMIT_MS);
	limit_ms(&c->retry_max_ms, c->retry_min_ms, ECHO_RETRY_LIMIT_MS);
}

bool steps_open(struct steps *s, const uint8_t *bytes, size_t size, struct echo_config *c,
		uint64_t *start_ms)
{
	uint8_t version;

	*s = (struct steps){ bytes, bytes + size };
	*c = (struct echo_config){ 0 };
	if (!take_byte(s, &version) || version != STEPS_VERSION)
		return false;
	if (!take_u32(s, &c->connections_max) || !take_u32(s, &c->buffers_max) ||
	    !take_u32(s, &c->buffer_size) || !take_u32(s, &c->pipes_max) ||
	    !take_u32(s, &c->turn_bytes) || !take_u32(s, &c->round_bytes) ||
	    !take_u32(s, &c->backlog_max) || !take_u32(s, &c->events_max) ||
	    !take_u32(s, &c->generation_bits) || !take(s, &c->idle_ms) || !take(s, &c->drain_ms) ||
	    !take(s, &c->quiet_ms) || !take(s, &c->retry_min_ms) || !take(s, &c->retry_max_ms) ||
	    !take(s, &c->report_ms) || !take(s, start_ms))
		return false;
	steps_limit(c);
	return true;
}

static bool take_event(struct steps *s, struct steps_event *event)
{
	uint8_t whom, mask;

	event->token = 0;
	if (!take_byte(s, &whom) || (whom == STEPS_WHOM_TOKEN && !take(s, &event->token)) ||
	    !take_byte(s, &mask))
		return false;
	event->whom = whom;
	event->readiness = 0;
	for (unsigned bit = 0; bit < 8; bit++)
		if ((mask >> bit & 1) != 0)
			event->readiness |= readiness_bits[bit];
	return true;
}

static bool take_wait(struct steps *s, struct step *step)
{
	uint64_t number;

	if (!take_folded(s, &step->passed_ms) || !take(s, &number))
		return false;
	step->requests = number & 7;
	number >>= 3;
	step->events_count = number > STEPS_EVENTS_MAX ? STEPS_EVENTS_MAX : (uint32_t)number;
	for (uint32_t i = 0; i < step->events_count; i++)
		if (!take_event(s, &step->events[i]))
			return false;
	return true;
}

bool steps_counts(enum echo_op op, enum echo_outcome outcome)
{
	return outcome == ECHO_DONE &&
	       (op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
		op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD || op == ECHO_OP_UNACKED ||
		op == ECHO_OP_FILL || op == ECHO_OP_EMPTY || op == ECHO_OP_PURGE);
}

bool steps_next(struct steps *s, struct step *step)
{
	unsigned op, outcome;
	uint8_t byte;

	if (!take_byte(s, &byte))
		return false;
	tag_get(byte, &op, &outcome);
	step->op = (enum echo_op)op;
	step->outcome = (enum echo_outcome)outcome;
	if (step->op == ECHO_OP_NONE)
		step->op = ECHO_OP_WAIT;
	if (step->outcome < ECHO_DONE || step->outcome > ECHO_FAILED)
		step->outcome = ECHO_DONE;
	step->count = 0;
	step->passed_ms = 0;
	step->requests = 0;
	step->events_count = 0;
	if (step->op == ECHO_OP_WAIT)
		return take_wait(s, step);
	return !steps_counts(step->op, step->outcome) || take_u32(s, &step->count);
}

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

static void put_folded(struct room *r, int64_t number)
{
	put(r, (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0));
}

static void put_event(struct room *r, const struct steps_event *event)
{
	uint8_t mask = 0;

	for (unsigned bit = 0; bit < 8; bit++)
		if ((event->readiness & readiness_bits[bit]) != 0)
			mask |= (uint8_t)(1u << bit);
	put_byte(r, (uint8_t)event->whom);
	if (event->whom == STEPS_WHOM_TOKEN)
		put(r, event->token);
	put_byte(r, mask);
}

size_t steps_put_head(uint8_t *bytes, size_t room, const struct echo_config *c, uint64_t start_ms)
{
	struct room r = { bytes, bytes + room, false };

	put_byte(&r, STEPS_VERSION);
	put(&r, c->connections_max);
	put(&r, c->buffers_max);
	put(&r, c->buffer_size);
	put(&r, c->pipes_max);
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
	return r.full ? 0 : (size_t)(r.at - bytes);
}

size_t steps_put(uint8_t *bytes, size_t room, const struct step *step)
{
	struct room r = { bytes, bytes + room, false };

	put_byte(&r, tag_put((unsigned)step->op, (unsigned)step->outcome));
	if (step->op == ECHO_OP_WAIT) {
		put_folded(&r, step->passed_ms);
		put(&r, (uint64_t)step->events_count << 3 | step->requests);
		for (uint32_t i = 0; i < step->events_count; i++)
			put_event(&r, &step->events[i]);
	} else if (steps_counts(step->op, step->outcome)) {
		put(&r, step->count);
	}
	return r.full ? 0 : (size_t)(r.at - bytes);
}
