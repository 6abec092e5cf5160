/*
 * Property: a configuration is taken exactly when each of its fields is inside the limits that
 * echo.h names; an engine that is made of one that is taken holds its invariant and asks to wait;
 * and operations, outcomes and reasons have names, whatever numbers they are.
 */
#include <stdalign.h>
#include <string.h>

#include "core/echo.h"
#include "core/state.h"
#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX = 1 << 20 };

static bool within(uint32_t value, uint32_t least, uint32_t most)
{
	return least <= value && value <= most;
}

static bool taken(const struct echo_config *c)
{
	if (!within(c->connections_max, 1, ECHO_CONNECTIONS_LIMIT))
		return false;
	if (c->buffers_max > ECHO_BUFFERS_LIMIT)
		return false;
	if (!within(c->buffer_size, 1, ECHO_BUFFER_SIZE_LIMIT))
		return false;
	if (c->pipes_max > ECHO_PIPES_LIMIT)
		return false;
	if (!within(c->turn_bytes, 1, ECHO_BUDGET_LIMIT))
		return false;
	if (!within(c->round_bytes, 1, ECHO_BUDGET_LIMIT))
		return false;
	if (!within(c->backlog_max, 1, ECHO_BACKLOG_LIMIT))
		return false;
	if (!within(c->events_max, 1, ECHO_EVENTS_LIMIT))
		return false;
	if (!within(c->generation_bits, 1, 32))
		return false;
	if (c->quiet_ms == 0 || c->retry_min_ms == 0)
		return false;
	return c->retry_min_ms <= c->retry_max_ms && c->retry_max_ms <= ECHO_RETRY_LIMIT_MS;
}

static void try_engine(const struct echo_config *config, size_t size)
{
	static alignas(64) uint8_t memory[MEMORY_MAX];
	struct echo_action action;
	struct echo_engine *engine;

	memset(memory, 0, size);
	engine = echo_init(memory, config, config->idle_ms);
	CHECK(echo_invariant(engine) == NULL, "config-invariant");
	CHECK(echo_next(engine, &action) && action.op == ECHO_OP_WAIT, "config-first-action");
	CHECK(echo_ending(engine) == ECHO_RUNNING, "config-running");
}

static void try_names(uint32_t number)
{
	CHECK(*echo_op_name((enum echo_op)number) != '\0', "name-of-op");
	CHECK(*echo_outcome_name((enum echo_outcome)number) != '\0', "name-of-outcome");
	CHECK(*echo_reason_name((enum echo_reason)number) != '\0', "name-of-reason");
	CHECK(*state_name((enum conn_state)number) != '\0', "name-of-state");
	CHECK(*event_name((enum conn_event)number) != '\0', "name-of-event");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct echo_config config;
	size_t needed;

	if (size < sizeof(config))
		return -1;
	memcpy(&config, data, sizeof(config));
	needed = echo_memory_size(&config);
	CHECK((needed > 0) == taken(&config), "config-limits");
	if (needed > 0 && needed <= MEMORY_MAX)
		try_engine(&config, needed);
	try_names(config.connections_max);
	return 0;
}
