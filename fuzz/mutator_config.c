/* Configurations: the small ones in which every limit is near, and some at which numbers might
 * overflow. */
#include "mutator_internal.h"

#define COUNT_OF(table) ((uint32_t)(sizeof(table) / sizeof(*(table))))

/* Fields in their order; the first WIDE_FROM are 32 bits wide, the others 64. */
enum {
	CONNECTIONS,
	BUFFERS,
	BUFFER_SIZE,
	PIPES,
	TURN,
	ROUND,
	BACKLOG,
	EVENTS,
	GENERATION,
	WIDE_FROM,
	IDLE = WIDE_FROM,
	DRAIN,
	QUIET,
	RETRY_MIN,
	RETRY_MAX,
	REPORT,
	FIELDS
};

static uint64_t get(const struct echo_config *c, uint32_t field)
{
	const uint32_t narrow[WIDE_FROM] = {
		c->connections_max, c->buffers_max, c->buffer_size,
		c->pipes_max,       c->turn_bytes,  c->round_bytes,
		c->backlog_max,     c->events_max,  c->generation_bits
	};
	const uint64_t wide[] = { c->idle_ms,      c->drain_ms,     c->quiet_ms,
				  c->retry_min_ms, c->retry_max_ms, c->report_ms };

	return field < WIDE_FROM ? narrow[field] : wide[field - WIDE_FROM];
}

static void set(struct echo_config *c, uint32_t field, uint64_t value)
{
	uint32_t *const narrow[WIDE_FROM] = { &c->connections_max, &c->buffers_max,
					      &c->buffer_size,     &c->pipes_max,
					      &c->turn_bytes,      &c->round_bytes,
					      &c->backlog_max,     &c->events_max,
					      &c->generation_bits };
	uint64_t *const wide[] = { &c->idle_ms,      &c->drain_ms,     &c->quiet_ms,
				   &c->retry_min_ms, &c->retry_max_ms, &c->report_ms };

	if (field >= WIDE_FROM)
		*wide[field - WIDE_FROM] = value;
	else
		*narrow[field] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* The values in which a field is usual. */
static const uint32_t usual[FIELDS][6] = {
	[CONNECTIONS] = { 1, 2, 3, 4, 8, 16 },
	[BUFFERS] = { 3, 16, 0, 1, 2, 0 },
	[BUFFER_SIZE] = { 1, 2, 4, 16, 64, 4096 },
	[PIPES] = { 3, 16, 0, 1, 2, 0 },
	[TURN] = { 1000, ECHO_CALL_COST, 1, 1100, 4000, 1 << 17 },
	[ROUND] = { 1000, ECHO_CALL_COST, 1, 4000, 1 << 19, ECHO_ACCEPT_COST },
	[BACKLOG] = { 1, 2, 3, 4, 8, 4096 },
	[EVENTS] = { 1, 2, 3, 4, 8, 64 },
	[GENERATION] = { 1, 2, 3, 8, 31, 32 },
	[IDLE] = { 0, 1, 2, 100, 1000, 60000 },
	[DRAIN] = { 1, 4, 0, 1000, 5000, 5001 },
	[QUIET] = { 1, 2, 100, 250, 250, 1000 },
	[RETRY_MIN] = { 1, 2, 3, 100, 100, 1000 },
	[RETRY_MAX] = { 1, 2, 4, 1000, 1000, 5000 },
	[REPORT] = { 0, 0, 1, 2, 1000, 60000 },
};

struct echo_config config_make(struct chance *chance)
{
	struct echo_config config = { 0 };

	for (uint32_t field = 0; field < FIELDS; field++)
		set(&config, field, usual[field][2 + any(chance, 3)]);
	steps_limit(&config);
	return config;
}

void change_config(struct chance *chance, struct echo_config *config)
{
	static const uint64_t odd[] = { 0, 1, UINT32_MAX, UINT64_C(1) << 53, UINT64_MAX };
	uint32_t field = any(chance, FIELDS);
	uint64_t value;

	switch (any(chance, 8)) {
	case 0:
		value = get(config, any(chance, FIELDS)); /* two that are equal */
		break;
	case 1:
		value = get(config, field) + 1;
		break;
	case 2:
		value = get(config, field) - 1;
		break;
	case 3:
		value = odd[any(chance, COUNT_OF(odd))];
		break;
	case 4:
		value = get(config, field) / 2;
		break;
	default:
		value = usual[field][any(chance, COUNT_OF(usual[0]))];
		break;
	}
	set(config, field, value);
	steps_limit(config);
}
