#include "budget.h"

#include <inttypes.h>
#include <stdio.h>

#include "linux/system.h"

static struct echo_config base_config(const struct options *options)
{
	return (struct echo_config){
		.connections_max = 1,
		.buffers_max = 0,
		.buffer_size = BUDGET_BUFFER_SIZE,
		.turn_bytes = BUDGET_TURN,
		.round_bytes = BUDGET_ROUND,
		.backlog_max = (uint32_t)options->backlog,
		.events_max = LINUX_EVENTS_MAX,
		.generation_bits = 32,
		.idle_ms = options->idle_ms,
		.drain_ms = options->drain_ms,
		.quiet_ms = BUDGET_QUIET_MS,
		.retry_min_ms = BUDGET_RETRY_MIN_MS,
		.retry_max_ms = BUDGET_RETRY_MAX_MS,
		.report_ms = options->stats_ms,
	};
}

static uint64_t memory_for(struct echo_config config, uint32_t connections, uint32_t buffers)
{
	size_t size;

	config.connections_max = connections;
	config.buffers_max = buffers;
	size = echo_memory_size(&config);
	return size == 0 ? UINT64_MAX : (uint64_t)BUDGET_PROCESS + size;
}

/* The most of something, up to `most`, for which `memory_for` stays within `memory`. */
static uint32_t most_connections(const struct echo_config *config, uint64_t memory, uint32_t most)
{
	uint32_t least = 0;

	while (least < most) {
		uint32_t middle = least + (most - least + 1) / 2;

		if (memory_for(*config, middle, 0) <= memory)
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

static uint32_t most_buffers(const struct echo_config *config, uint64_t memory, uint32_t most)
{
	uint32_t least = 0;

	while (least < most) {
		uint32_t middle = least + (most - least + 1) / 2;

		if (memory_for(*config, config->connections_max, middle) <= memory)
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

/* Without a wish, slots take at most half of what is left: the rest is for buffers. */
static uint32_t default_connections(const struct echo_config *config, uint64_t memory,
				    uint64_t descriptors)
{
	uint64_t one = memory_for(*config, 1, 0);
	uint32_t most = OPTIONS_CONNECTIONS_LIMIT;

	if (descriptors < most)
		most = (uint32_t)descriptors;
	most = most_connections(config, one + (memory - one) / 2, most);
	return most > 0 ? most : 1;
}

static bool fits(const struct options *options, uint64_t descriptors,
		 const struct echo_config *config, char *error)
{
	uint32_t connections = options->connections_max > 0 ? options->connections_max : 1;
	uint64_t needed = memory_for(*config, connections, 0);

	if (needed > options->memory && options->connections_max > 0) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--max-connections '%" PRIu32 "' does not fit --memory '%" PRIu64
			 "': it needs %" PRIu64 " bytes",
			 connections, options->memory, needed);
		return false;
	}
	if (needed > options->memory) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--memory '%" PRIu64 "' is too small for one connection: it needs %" PRIu64
			 " bytes",
			 options->memory, needed);
		return false;
	}
	if (descriptors == 0 && options->connections_max == 0) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "the limit of descriptors (ulimit -n) leaves none for a connection");
		return false;
	}
	if (connections > descriptors) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--max-connections '%" PRIu32 "' does not fit the limit of descriptors: "
			 "it leaves %" PRIu64,
			 connections, descriptors);
		return false;
	}
	return true;
}

bool budget_plan(const struct options *options, uint64_t descriptors, struct echo_config *config,
		 char error[OPTIONS_ERROR_SIZE])
{
	*config = base_config(options);
	if (!fits(options, descriptors, config, error))
		return false;
	config->connections_max = options->connections_max;
	if (config->connections_max == 0)
		config->connections_max = default_connections(config, options->memory, descriptors);
	config->buffers_max = most_buffers(config, options->memory, config->connections_max);
	return true;
}
