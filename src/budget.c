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

/* What the process takes whose threads have an engine each, with so much in each of them. */
static uint64_t memory_for(struct echo_config config, uint32_t threads, uint32_t connections,
			   uint32_t buffers)
{
	uint64_t process = BUDGET_PROCESS;
	size_t size;

	config.connections_max = connections;
	config.buffers_max = buffers;
	size = echo_memory_size(&config);
	if (threads > 1)
		process += (uint64_t)threads * BUDGET_THREAD;
	process += (uint64_t)threads * config.pipes_max * config.buffer_size;
	return size == 0 ? UINT64_MAX : process + threads * (uint64_t)size;
}

/* The most of something, up to `most`, for which `memory_for` stays within `memory`. */
static uint32_t most_connections(const struct echo_config *config, uint32_t threads,
				 uint64_t memory, uint32_t most)
{
	uint32_t least = 0;

	while (least < most) {
		uint32_t middle = least + (most - least + 1) / 2;

		if (memory_for(*config, threads, middle, 0) <= memory)
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

static uint32_t most_buffers(const struct echo_config *config, uint32_t threads, uint64_t memory,
			     uint32_t most)
{
	uint32_t least = 0;

	while (least < most) {
		uint32_t middle = least + (most - least + 1) / 2;

		if (memory_for(*config, threads, config->connections_max, middle) <= memory)
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

/* Of one thread. Without a wish, slots take at most half of what is left: the rest is for
 * buffers. */
static uint32_t default_connections(const struct echo_config *config, uint32_t threads,
				    uint64_t memory, uint64_t descriptors)
{
	uint64_t one = memory_for(*config, threads, 1, 0);
	uint64_t most = OPTIONS_CONNECTIONS_LIMIT;

	if (descriptors < most)
		most = descriptors;
	most = most_connections(config, threads, one + (memory - one) / 2,
				(uint32_t)most / threads);
	return most > 0 ? (uint32_t)most : 1;
}

/* The share of this thread in a wish; the first ones have one more where it does not divide. */
static uint32_t share(const struct options *options, uint32_t thread)
{
	uint32_t rest = options->connections_max % options->threads;

	return options->connections_max / options->threads + (thread < rest ? 1 : 0);
}

static bool memory_fits(const struct options *options, const struct echo_config *config,
			char *error)
{
	uint32_t connections = options->connections_max > 0 ? share(options, 0) : 1;
	uint64_t needed = memory_for(*config, options->threads, connections, 0);

	if (needed <= options->memory)
		return true;
	if (options->connections_max > 0)
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--max-connections '%" PRIu32 "' does not fit --memory '%" PRIu64
			 "': it needs %" PRIu64 " bytes",
			 options->connections_max, options->memory, needed);
	else
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--memory '%" PRIu64
			 "' is too small for one connection%s: it needs %" PRIu64 " bytes",
			 options->memory, options->threads > 1 ? " a thread" : "", needed);
	return false;
}

static bool descriptors_fit(const struct options *options, uint64_t descriptors, char *error)
{
	if (options->connections_max == 0 && descriptors < options->threads) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "the limit of descriptors (ulimit -n) leaves none for a connection%s",
			 options->threads > 1 ? " a thread" : "");
		return false;
	}
	if (options->connections_max > descriptors) {
		snprintf(error, OPTIONS_ERROR_SIZE,
			 "--max-connections '%" PRIu32 "' does not fit the limit of descriptors: "
			 "it leaves %" PRIu64,
			 options->connections_max, descriptors);
		return false;
	}
	return true;
}

static bool threads_fit(const struct options *options, char *error)
{
	if (options->connections_max == 0 || options->connections_max >= options->threads)
		return true;
	snprintf(error, OPTIONS_ERROR_SIZE,
		 "--threads '%" PRIu32 "' does not fit --max-connections '%" PRIu32
		 "': each thread serves at least one",
		 options->threads, options->connections_max);
	return false;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Of one thread. They are for speed only, so they get what others hardly miss: no descriptor that a
 * connection was promised, and a small part of what is left. */
static uint32_t pipes(const struct options *options, const struct echo_config *config,
		      uint64_t descriptors)
{
	uint32_t threads = options->threads;
	uint32_t connections = options->connections_max > 0 ? share(options, 0) : 1;
	uint64_t needed = memory_for(*config, threads, connections, 0);
	uint64_t memory = (options->memory - needed) / BUDGET_PIPES_PART / config->buffer_size;
	uint64_t spare = (descriptors - options->connections_max) / LINUX_PIPE_DESCRIPTORS;
	uint64_t part = descriptors / BUDGET_PIPES_PART / LINUX_PIPE_DESCRIPTORS;

	return (uint32_t)(smaller(smaller(options->pipes, memory), smaller(spare, part)) / threads);
}

bool budget_plan(const struct options *options, uint64_t descriptors, struct echo_config *config,
		 char error[OPTIONS_ERROR_SIZE])
{
	uint32_t threads = options->threads;

	*config = base_config(options);
	if (!threads_fit(options, error) || !memory_fits(options, config, error) ||
	    !descriptors_fit(options, descriptors, error))
		return false;
	config->pipes_max = pipes(options, config, descriptors);
	descriptors -= (uint64_t)LINUX_PIPE_DESCRIPTORS * config->pipes_max * threads;
	if (options->connections_max > 0)
		config->connections_max = share(options, 0);
	else
		config->connections_max =
			default_connections(config, threads, options->memory, descriptors);
	config->buffers_max =
		most_buffers(config, threads, options->memory, config->connections_max);
	return true;
}

struct echo_config budget_share(const struct options *options, const struct echo_config *first,
				uint32_t thread)
{
	struct echo_config config = *first;

	if (options->connections_max > 0)
		config.connections_max = share(options, thread);
	if (config.buffers_max > config.connections_max)
		config.buffers_max = config.connections_max;
	return config;
}
