#include "text_words.h"

#include <string.h>

#define NARROW(name, member, least, most, usual) \
	{ \
		name, offsetof(struct steps_head, config.member), false, least, most, usual \
	}
#define WIDE(name, member, least, most, usual) \
	{ \
		name, offsetof(struct steps_head, member), true, least, most, usual \
	}

const struct steps_field steps_fields[STEPS_FIELDS_COUNT] = {
	NARROW("slots", connections_max, 1, STEPS_CONNECTIONS_MAX, 4),
	[STEPS_FIELD_BUFFERS] = NARROW("buffers", buffers_max, 0, STEPS_BUFFERS_MAX, 4),
	[STEPS_FIELD_BUFFER_SIZE] =
		NARROW("buffer-size", buffer_size, 1, STEPS_BUFFER_SIZE_MAX, 64),
	NARROW("pipes", pipes_max, 0, STEPS_PIPES_MAX, 0),
	NARROW("turn-bytes", turn_bytes, 1, ECHO_BUDGET_LIMIT, 16384),
	NARROW("round-bytes", round_bytes, 1, ECHO_BUDGET_LIMIT, 65536),
	NARROW("backlog", backlog_max, 1, ECHO_BACKLOG_LIMIT, 8),
	NARROW("events", events_max, 1, STEPS_EVENTS_MAX, 16),
	NARROW("generation-bits", generation_bits, 1, 32, 32),
	WIDE("idle", config.idle_ms, 0, UINT64_MAX, 0),
	WIDE("drain", config.drain_ms, 0, UINT64_MAX, 5000),
	WIDE("quiet", config.quiet_ms, 1, UINT64_MAX, 250),
	[STEPS_FIELD_RETRY_MIN] =
		WIDE("retry-min", config.retry_min_ms, 1, ECHO_RETRY_LIMIT_MS, 100),
	[STEPS_FIELD_RETRY_MAX] =
		WIDE("retry-max", config.retry_max_ms, 1, ECHO_RETRY_LIMIT_MS, 1000),
	WIDE("report", config.report_ms, 0, UINT64_MAX, 0),
	WIDE("start", start_ms, 0, UINT64_MAX, 0),
};

const struct steps_flag steps_readiness[STEPS_READINESS_COUNT] = {
	{ ECHO_IN, "IN" },   { ECHO_OUT, "OUT" }, { ECHO_RDHUP, "RDHUP" },      { ECHO_PRI, "PRI" },
	{ ECHO_ERR, "ERR" }, { ECHO_HUP, "HUP" }, { STEPS_STRANGE, "STRANGE" },
};

const struct steps_flag steps_requests[STEPS_REQUESTS_COUNT] = {
	{ ECHO_REQUEST_STOP, "stop" },
	{ ECHO_REQUEST_REPORT, "report" },
	{ ECHO_REQUEST_ABORT, "abort" },
};

uint64_t steps_field_get(const struct steps_head *head, const struct steps_field *field)
{
	const char *at = (const char *)head + field->offset;
	uint64_t wide;
	uint32_t narrow;

	if (field->wide) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

void steps_field_set(struct steps_head *head, const struct steps_field *field, uint64_t value)
{
	char *at = (char *)head + field->offset;
	uint32_t narrow = (uint32_t)value;

	if (field->wide)
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &narrow, sizeof(narrow));
}
