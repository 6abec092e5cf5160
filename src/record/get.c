/* Recordings, as they are read: any bytes are input. */
#include "record.h"

#include "../steps/tag.h"

/* What is wrong is told once: what follows from it is an echo. */
static bool wrong(struct recording *r, const uint8_t *where, const char *error)
{
	if (r->error == NULL) {
		r->error = error;
		r->offset = (size_t)(where - r->start);
	}
	return false;
}

/* Reads a number that is at most `most`. A frame whose checksum is right ends in the middle of a
 * record, or holds what no engine says, only if it was made up. */
static bool take(struct recording *r, uint64_t most, uint64_t *number)
{
	const uint8_t *first = r->record;
	uint8_t byte;
	unsigned shift = 0;

	*number = 0;
	do {
		if (r->record == r->records_end)
			return wrong(r, first, "a record that its frame does not end");
		byte = *r->record++;
		if (shift == 63 && byte > 1)
			return wrong(r, first, "a number beyond its limit");
		*number |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0);
	return *number <= most || wrong(r, first, "a number beyond its limit");
}

static bool take_u32(struct recording *r, uint64_t most, uint32_t *number)
{
	uint64_t wide;

	if (!take(r, most, &wide))
		return false;
	*number = (uint32_t)wide;
	return true;
}

static uint32_t little_endian(const uint8_t *bytes, unsigned count)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < count; i++)
		number |= (uint32_t)bytes[i] << (8 * i);
	return number;
}

/* Goes on to the next frame, if the file holds it whole and undamaged. */
static bool open_frame(struct recording *r)
{
	const uint8_t *frame = r->at;
	size_t rest = (size_t)(r->end - frame), whole;
	uint32_t length;

	if (rest == 0)
		return wrong(r, frame, "it ends here without a mark");
	if (rest < RECORD_LENGTH_SIZE)
		return wrong(r, frame, "it is cut off within this frame");
	length = little_endian(frame, RECORD_LENGTH_SIZE);
	if (length < 1 || length > RECORD_PAYLOAD_MAX)
		return wrong(r, frame, "a frame of a length that none has");
	whole = RECORD_LENGTH_SIZE + length + RECORD_CRC_SIZE;
	if (rest < whole)
		return wrong(r, frame, "it is cut off within this frame");
	r->record = frame + RECORD_LENGTH_SIZE;
	r->records_end = r->record + length;
	r->crc = record_crc(r->crc, frame, RECORD_LENGTH_SIZE + length);
	if (r->crc != little_endian(r->records_end, RECORD_CRC_SIZE))
		return wrong(r, frame, "the checksum of this frame is wrong");
	r->at = frame + whole;
	return true;
}

static bool open_magic(struct recording *r, size_t size)
{
	static const char magic[] = RECORD_MAGIC;
	static const size_t version = RECORD_MAGIC_SIZE - 2;

	if (size == 0)
		return wrong(r, r->start, "it is empty: nothing was recorded");
	for (size_t i = 0; i < RECORD_MAGIC_SIZE; i++) {
		if (i == size)
			return wrong(r, r->start + i, "it is cut off within its first line");
		if (r->start[i] != (uint8_t)magic[i])
			return wrong(r, r->start + i,
				     i < version ? "it is no recording"
						 : "it is a recording of another version");
	}
	r->at += RECORD_MAGIC_SIZE;
	r->crc = record_crc(0, r->start, RECORD_MAGIC_SIZE);
	return true;
}

static bool take_config(struct recording *r, struct echo_config *c)
{
	return take_u32(r, ECHO_CONNECTIONS_LIMIT, &c->connections_max) &&
	       take_u32(r, ECHO_BUFFERS_LIMIT, &c->buffers_max) &&
	       take_u32(r, ECHO_BUFFER_SIZE_LIMIT, &c->buffer_size) &&
	       take_u32(r, ECHO_BUDGET_LIMIT, &c->turn_bytes) &&
	       take_u32(r, ECHO_BUDGET_LIMIT, &c->round_bytes) &&
	       take_u32(r, ECHO_BACKLOG_LIMIT, &c->backlog_max) &&
	       take_u32(r, RECORD_EVENTS_MAX, &c->events_max) &&
	       take_u32(r, 32, &c->generation_bits) && take(r, UINT64_MAX, &c->idle_ms) &&
	       take(r, UINT64_MAX, &c->drain_ms) && take(r, UINT64_MAX, &c->quiet_ms) &&
	       take(r, ECHO_RETRY_LIMIT_MS, &c->retry_min_ms) &&
	       take(r, ECHO_RETRY_LIMIT_MS, &c->retry_max_ms) &&
	       take(r, UINT64_MAX, &c->report_ms) && take(r, UINT64_MAX, &r->start_ms);
}

bool recording_open(struct recording *r, const uint8_t *bytes, size_t size)
{
	const uint8_t *head;
	size_t memory;

	*r = (struct recording){ .start = bytes, .at = bytes, .end = bytes + size };
	if (!open_magic(r, size))
		return false;
	head = r->at;
	if (!open_frame(r) || !take_config(r, &r->config))
		return false;
	if (r->record != r->records_end && !take_u32(r, ECHO_PIPES_LIMIT, &r->config.pipes_max))
		return false;
	if (r->record != r->records_end)
		return wrong(r, r->record, "a configuration that is longer than one");
	memory = echo_memory_size(&r->config);
	if (memory == 0 || memory > RECORD_MEMORY_MAX)
		return wrong(r, head, "a configuration that no server has");
	r->now_ms = r->start_ms;
	return true;
}

static bool take_end(struct recording *r, const uint8_t *record, unsigned how)
{
	uint64_t ending = ECHO_RUNNING;

	if (how < RECORD_STOPPED || how >= RECORD_END_COUNT)
		return wrong(r, record, "a mark at the end that there is not");
	if (how == RECORD_STOPPED && !take(r, ECHO_DEFUNCT, &ending))
		return false;
	r->how = (enum record_end)how;
	r->ending = (enum echo_ending)ending;
	if (r->record != r->records_end || r->at != r->end)
		return wrong(r, r->record, "more after the mark at the end");
	return true;
}

static bool take_token(struct recording *r, uint64_t *token)
{
	uint64_t slot, generation;

	if (!take(r, UINT32_MAX, &slot) || !take(r, UINT32_MAX, &generation))
		return false;
	*token = generation << 32 | slot;
	return true;
}

static bool take_event(struct recording *r, struct echo_event *event)
{
	uint64_t slot, generation = 0;

	if (!take(r, UINT64_C(1) << 32, &slot))
		return false;
	if (slot == 0)
		event->token = ECHO_TOKEN_LISTENER;
	else if (!take(r, UINT32_MAX, &generation))
		return false;
	else
		event->token = generation << 32 | (slot - 1);
	return take_u32(r, UINT32_MAX, &event->readiness);
}

static bool take_wait(struct recording *r, struct record_step *step)
{
	static const uint64_t requests = ECHO_REQUEST_STOP | ECHO_REQUEST_REPORT |
					 ECHO_REQUEST_ABORT;
	struct echo_result *result = &step->result;
	uint64_t timeout, passed;

	if (!take(r, (uint64_t)INT32_MAX + 1, &timeout) ||
	    !take_u32(r, RECORD_EVENTS_MAX, &step->action.events_max) ||
	    !take_u32(r, requests, &result->requests) || !take(r, UINT64_MAX, &passed) ||
	    !take_u32(r, step->action.events_max, &result->events_count))
		return false;
	step->action.timeout_ms = (int32_t)((int64_t)timeout - 1);
	r->now_ms += passed >> 1 ^ ((passed & 1) != 0 ? UINT64_MAX : 0);
	result->now_ms = r->now_ms;
	result->events = step->events;
	for (uint32_t i = 0; i < result->events_count; i++)
		if (!take_event(r, &step->events[i]))
			return false;
	return true;
}

static bool take_conn(struct recording *r, struct record_step *step)
{
	struct echo_action *action = &step->action;
	struct echo_result *result = &step->result;
	const uint8_t *count;
	uint64_t reason;

	if (!take_token(r, &action->token))
		return false;
	if (record_measures(action->op) && !take_u32(r, ECHO_BUFFER_SIZE_LIMIT, &action->length))
		return false;
	count = r->record;
	if (record_counts(action->op, result->outcome) &&
	    !take_u32(r, action->op == ECHO_OP_UNACKED ? UINT32_MAX : action->length,
		      &result->count))
		return false;
	if (record_measures(action->op) && result->outcome == ECHO_DONE && result->count == 0)
		return wrong(r, count, "a transfer of no bytes");
	if (action->op != ECHO_OP_CLOSE)
		return true;
	if (!take(r, ECHO_REASON_COUNT - 1, &reason))
		return false;
	action->reason = (enum echo_reason)reason;
	return true;
}

static bool of_listener(enum echo_op op)
{
	return op == ECHO_OP_ACCEPT || op == ECHO_OP_PAUSE || op == ECHO_OP_RESUME ||
	       op == ECHO_OP_UNLISTEN;
}

static bool take_step(struct recording *r, const uint8_t *record, unsigned op, unsigned outcome,
		      struct record_step *step)
{
	struct echo_action *action = &step->action;

	*action = (struct echo_action){
		.op = (enum echo_op)op, .handle = -1, .pipe = -1, .timeout_ms = -1
	};
	step->result = (struct echo_result){ .outcome = (enum echo_outcome)outcome, .handle = -1 };
	if (step->result.outcome < ECHO_DONE || step->result.outcome > ECHO_FAILED)
		return wrong(r, record, "an outcome that there is not");
	if (action->op == ECHO_OP_WAIT)
		return take_wait(r, step);
	if (of_listener(action->op))
		action->token = ECHO_TOKEN_LISTENER;
	return !record_names(action->op) || take_conn(r, step);
}

enum record_outcome recording_next(struct recording *r, struct record_step *step)
{
	const uint8_t *record;
	unsigned op, outcome;

	if (r->error != NULL || (r->record == r->records_end && !open_frame(r)))
		return RECORD_WRONG;
	record = r->record;
	tag_get(*r->record++, &op, &outcome);
	if (op == 0)
		return take_end(r, record, outcome) ? RECORD_END : RECORD_WRONG;
	return take_step(r, record, op, outcome, step) ? RECORD_STEP : RECORD_WRONG;
}
