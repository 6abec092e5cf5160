/* How memory and descriptors are divided among connections and buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "budget.h"

enum { RANDOM_PLANS = 20000, SLOT_STEP = 64 };

#define MIB     UINT64_C(1048576)
#define PLENTY  UINT64_C(1000000) /* descriptors */
#define MINIMUM (BUDGET_PROCESS + UINT64_C(128) * 1024)

/* The options of a bare command line, but for what these tests are about. */
static struct options options_of(uint64_t memory, uint32_t connections)
{
	return (struct options){
		.address = "0.0.0.0",
		.port = 3000,
		.backlog = 4096,
		.threads = 1,
		.memory = memory,
		.connections_max = connections,
		.drain_ms = 5000,
	};
}

static uint64_t total(const struct echo_config *config)
{
	size_t size = echo_memory_size(config);

	assert_int_not_equal(size, 0); /* the engine takes this configuration */
	return BUDGET_PROCESS + (uint64_t)config->pipes_max * config->buffer_size + size;
}

static struct echo_config plan_options(const struct options *options, uint64_t descriptors)
{
	struct echo_config config;
	char error[OPTIONS_ERROR_SIZE] = "";

	if (!budget_plan(options, descriptors, &config, error))
		fail_msg("refused: %s", error);
	return config;
}

static struct echo_config plan(uint64_t memory, uint32_t connections, uint64_t descriptors)
{
	struct options options = options_of(memory, connections);

	return plan_options(&options, descriptors);
}

static void check_refused(uint64_t memory, uint32_t connections, uint64_t descriptors,
			  const char *first, const char *second)
{
	struct options options = options_of(memory, connections);
	struct echo_config config;
	char error[OPTIONS_ERROR_SIZE];

	memset(error, 'x', sizeof(error));
	assert_false(budget_plan(&options, descriptors, &config, error));
	assert_in_range(strnlen(error, sizeof(error)), 1, sizeof(error) - 1);
	assert_null(strchr(error, '\n'));
	if (strstr(error, first) == NULL || strstr(error, second) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", error, first, second);
}

/* The memory that one connection without a buffer takes: the least that is accepted. */
static uint64_t least_memory(void)
{
	uint64_t least = 0, most = 64 * MIB;

	while (most - least > 1) {
		uint64_t middle = least + (most - least) / 2;
		struct options options = options_of(middle, 0);
		struct echo_config config;
		char error[OPTIONS_ERROR_SIZE];

		if (budget_plan(&options, PLENTY, &config, error))
			most = middle;
		else
			least = middle;
	}
	return most;
}

/*
 * ECHO-74: Without --max-connections, as many connections MUST be allowed as descriptors, memory
 * and 65,536 allow, whichever is least: here the 65,536.
 */
static void the_default_is_65536_connections(void **state)
{
	struct echo_config config;

	(void)state;
	config = plan(64 * MIB, 0, PLENTY);
	assert_int_equal(config.connections_max, 65536);
	assert_int_equal(config.buffer_size, BUDGET_BUFFER_SIZE);
	assert_in_range(config.buffers_max, 800, 1024);
	assert_int_equal(plan(64 * MIB, 0, UINT64_MAX).connections_max, 65536);
	assert_int_equal(plan(64 * MIB, 0, 65536).connections_max, 65536);
}

/* ECHO-74: ... as descriptors, memory and 65,536 allow, whichever is least: here the
 * descriptors. */
static void few_descriptors_make_few_connections(void **state)
{
	(void)state;
	assert_int_equal(plan(64 * MIB, 0, 65535).connections_max, 65535);
	assert_int_equal(plan(64 * MIB, 0, 1016).connections_max, 1016);
	assert_int_equal(plan(64 * MIB, 0, 1).connections_max, 1);
	assert_int_equal(plan(64 * MIB, 0, 56).connections_max, 56);
	assert_int_equal(plan(64 * MIB, 0, 56).buffers_max, 56); /* more could not be used */
}

/* ECHO-74: ... as descriptors, memory and 65,536 allow, whichever is least: here the memory, of
 * which connections leave at least half to buffers. */
static void little_memory_makes_few_connections(void **state)
{
	struct echo_config config;

	(void)state;
	config = plan(4 * MIB, 0, PLENTY);
	assert_in_range(config.connections_max, 1000, 16384);
	assert_in_range(config.buffers_max, 1, 16);
	config.buffers_max = 0;
	assert_true(total(&config) <= least_memory() + (4 * MIB - least_memory()) / 2);
}

/* ECHO-37: The memory MUST be fixed before the first accept: the least serves one connection,
 * without a buffer. */
static void the_least_memory_serves_one_connection(void **state)
{
	uint64_t least = least_memory();
	struct echo_config config;

	(void)state;
	assert_true(least < MINIMUM);
	config = plan(least, 0, PLENTY);
	assert_int_equal(config.connections_max, 1);
	assert_int_equal(config.buffers_max, 0);
	assert_int_equal(total(&config), least);
	config = plan(least, 1, PLENTY);
	assert_int_equal(config.connections_max, 1);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value: memory that is too
 * small for one connection. */
static void too_little_memory_is_wrong_usage(void **state)
{
	char value[32];

	(void)state;
	check_refused(1, 0, PLENTY, "--memory", "'1'");
	check_refused(1, 1, PLENTY, "--memory", "'1'");
	check_refused(0, 0, PLENTY, "--memory", "'0'");
	check_refused(BUDGET_PROCESS, 0, PLENTY, "--memory", "one connection");
	snprintf(value, sizeof(value), "'%llu'", (unsigned long long)least_memory() - 1);
	check_refused(least_memory() - 1, 0, PLENTY, "--memory", value);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value: an explicit pair
 * that does not fit. */
static void a_pair_that_does_not_fit_is_wrong_usage(void **state)
{
	(void)state;
	check_refused(4 * MIB, 65536, PLENTY, "--max-connections '65536'", "--memory '4194304'");
	check_refused(64 * MIB, 2000, 1016, "--max-connections '2000'", "1016");
	check_refused(64 * MIB, 1, 0, "--max-connections '1'", "leaves 0");
	check_refused(UINT64_MAX, 65536, 65535, "--max-connections '65536'", "65535");
	check_refused(0, UINT32_MAX, 0, "--max-connections", "--memory '0'");
}

/* ECHO-37: The memory MUST be fixed before the first accept: a wish for connections is granted
 * whole or refused, to the byte. */
static void a_wish_is_granted_whole(void **state)
{
	struct echo_config config;
	uint64_t needed;

	(void)state;
	config = plan(64 * MIB, 5000, PLENTY);
	assert_int_equal(config.connections_max, 5000);
	assert_in_range(config.buffers_max, 1, 5000);
	config.buffers_max = 0;
	needed = total(&config);
	config = plan(needed, 5000, PLENTY);
	assert_int_equal(config.connections_max, 5000);
	assert_int_equal(config.buffers_max, 0);
	check_refused(needed - 1, 5000, PLENTY, "--max-connections '5000'", "--memory");
}

/* ECHO-37: The memory MUST be fixed before the first accept: no buffer is left out that would
 * fit, and none is made that no connection could use. */
static void buffers_take_what_is_left(void **state)
{
	struct echo_config config;

	(void)state;
	config = plan(64 * MIB, 5000, PLENTY);
	config.buffers_max++;
	assert_true(total(&config) > 64 * MIB);
	assert_int_equal(plan(1024 * MIB, 100, PLENTY).buffers_max, 100);
	assert_int_equal(plan(UINT64_MAX, 0, 20).buffers_max, 20);
}

/* ECHO-37: The memory MUST be fixed before the first accept: more of it never makes less of
 * anything, where the connections are given. */
static void more_memory_makes_no_fewer_buffers(void **state)
{
	uint32_t buffers = 0;

	(void)state;
	for (uint64_t memory = 4 * MIB; memory < 80 * MIB; memory += 32768 - 1) {
		struct echo_config config = plan(memory, 1000, PLENTY);

		assert_true(config.buffers_max >= buffers);
		buffers = config.buffers_max;
	}
}

/* ECHO-74: Without --max-connections, as many connections MUST be allowed as ... memory allows:
 * more memory makes neither fewer connections nor fewer buffers. */
static void more_memory_makes_no_less_of_the_default(void **state)
{
	struct echo_config last = plan(MINIMUM, 0, PLENTY);

	(void)state;
	for (uint64_t memory = MINIMUM; memory < 16 * MIB; memory += SLOT_STEP + 1) {
		struct echo_config config = plan(memory, 0, PLENTY);

		assert_true(config.connections_max >= last.connections_max);
		if (config.buffers_max < last.buffers_max)
			fail_msg("%llu bytes: %u buffers, and %u with less",
				 (unsigned long long)memory, config.buffers_max, last.buffers_max);
		last = config;
	}
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Numbers of every magnitude. */
static uint64_t random_magnitude(uint64_t *seed, unsigned bits)
{
	return next_random(seed) >> (63 - next_random(seed) % bits);
}

static void check_plan(const struct options *options, uint64_t descriptors,
		       const struct echo_config *config)
{
	assert_true(total(config) <= options->memory);
	assert_in_range(config->connections_max, 1, OPTIONS_CONNECTIONS_LIMIT);
	assert_true(config->connections_max <= descriptors);
	assert_true(config->buffers_max <= config->connections_max);
	if (options->connections_max != 0)
		assert_int_equal(config->connections_max, options->connections_max);
}

/* ECHO-37: The memory MUST be fixed before the first accept, and the resident set MUST stay within
 * --memory: process and engine together do, for whatever options. */
static void every_plan_stays_within_its_memory(void **state)
{
	uint64_t seed = 37;
	uint32_t planned = 0;

	(void)state;
	for (uint32_t i = 0; i < RANDOM_PLANS; i++) {
		uint32_t wish = (uint32_t)(next_random(&seed) % (OPTIONS_CONNECTIONS_LIMIT + 1));
		struct options options = options_of(random_magnitude(&seed, 40),
						    next_random(&seed) % 2 == 0 ? 0 : wish);
		uint64_t descriptors = random_magnitude(&seed, 24);
		struct echo_config config;
		char error[OPTIONS_ERROR_SIZE] = "";

		options.idle_ms = next_random(&seed) % 86400001;
		options.stats_ms = next_random(&seed) % 86400001;
		if (budget_plan(&options, descriptors, &config, error)) {
			check_plan(&options, descriptors, &config);
			planned++;
		} else {
			assert_in_range(strnlen(error, sizeof(error)), 1, sizeof(error) - 1);
			assert_null(strchr(error, '\n'));
		}
	}
	assert_in_range(planned, RANDOM_PLANS / 10, RANDOM_PLANS - RANDOM_PLANS / 10);
}

/* ECHO-37: The memory MUST be fixed before the first accept: nothing overflows. */
static void the_extremes_do_not_overflow(void **state)
{
	static const uint64_t extremes[] = { 1,
					     2,
					     UINT32_MAX,
					     UINT64_C(1) << 32,
					     INT64_MAX,
					     UINT64_C(1) << 63,
					     UINT64_MAX - 1,
					     UINT64_MAX };
	enum { COUNT = sizeof(extremes) / sizeof(extremes[0]) };

	(void)state;
	for (size_t i = 0; i < COUNT * COUNT; i++) {
		struct options options = options_of(extremes[i % COUNT], 0);
		struct echo_config config;
		char error[OPTIONS_ERROR_SIZE];

		options.idle_ms = UINT64_MAX;
		options.drain_ms = UINT64_MAX;
		options.stats_ms = UINT64_MAX;
		if (budget_plan(&options, extremes[i / COUNT], &config, error))
			check_plan(&options, extremes[i / COUNT], &config);
		else
			assert_true(extremes[i % COUNT] <= 2);
	}
	assert_int_equal(plan(UINT64_MAX, 0, UINT64_MAX).buffers_max, 65536);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic: the options' times arrive in
 * the engine's configuration. */
static void times_are_handed_on(void **state)
{
	struct options options = options_of(64 * MIB, 0);
	struct echo_config config;
	char error[OPTIONS_ERROR_SIZE];

	(void)state;
	options.idle_ms = 1;
	options.drain_ms = 2;
	options.stats_ms = 3;
	assert_true(budget_plan(&options, PLENTY, &config, error));
	assert_int_equal(config.idle_ms, 1);
	assert_int_equal(config.drain_ms, 2);
	assert_int_equal(config.report_ms, 3);
	assert_int_equal(config.retry_min_ms, 100);
	assert_int_equal(config.retry_max_ms, 1000);
}

/* What the process takes with several threads, and how many connections these have together. */
static uint64_t total_of_threads(const struct options *options, const struct echo_config *first,
				 uint64_t *connections)
{
	uint64_t sum = BUDGET_PROCESS;

	*connections = 0;
	for (uint32_t i = 0; i < options->threads; i++) {
		struct echo_config config = budget_share(options, first, i);
		size_t size = echo_memory_size(&config);

		assert_int_not_equal(size, 0);
		assert_in_range(first->connections_max - config.connections_max, 0, 1);
		sum += BUDGET_THREAD + (uint64_t)size;
		*connections += config.connections_max;
	}
	return sum;
}

/* ECHO-158: The limits MUST be those of the server: threads have together as many connections as
 * are wished for, within the memory. */
static void threads_share_a_wish(void **state)
{
	(void)state;
	for (uint32_t threads = 2; threads <= OPTIONS_THREADS_LIMIT; threads++) {
		for (uint32_t wish = threads; wish < 4 * threads; wish++) {
			struct options options = options_of(16 * MIB, wish);
			struct echo_config first;
			uint64_t connections;

			options.threads = threads;
			first = plan_options(&options, wish);
			assert_true(total_of_threads(&options, &first, &connections) <=
				    options.memory);
			assert_int_equal(connections, wish);
		}
	}
}

/* ECHO-158: ... and without a wish no more than descriptors, memory and 65,536 allow. */
static void threads_share_what_there_is(void **state)
{
	struct options options = options_of(64 * MIB, 0);
	struct echo_config first;
	uint64_t connections;

	(void)state;
	options.threads = 3;
	first = plan_options(&options, PLENTY);
	assert_in_range(total_of_threads(&options, &first, &connections), 60 * MIB, 64 * MIB);
	assert_in_range(connections, 65534, 65536);
	first = plan_options(&options, 1000);
	total_of_threads(&options, &first, &connections);
	assert_int_equal(connections, 999);
	options.memory = 5 * MIB;
	first = plan_options(&options, PLENTY);
	assert_true(total_of_threads(&options, &first, &connections) <= 5 * MIB);
}

/* ECHO-158: ... pairs that do not fit MUST be wrong usage: each thread needs a connection, a
 * descriptor and memory. */
static void threads_that_do_not_fit_are_wrong_usage(void **state)
{
	struct options options = options_of(64 * MIB, 7);
	struct echo_config config;
	char error[OPTIONS_ERROR_SIZE];

	(void)state;
	options.threads = 8;
	assert_false(budget_plan(&options, PLENTY, &config, error));
	assert_non_null(strstr(error, "--threads '8'"));
	assert_non_null(strstr(error, "--max-connections '7'"));
	options.connections_max = 0;
	assert_false(budget_plan(&options, 7, &config, error));
	assert_non_null(strstr(error, "descriptors"));
	assert_true(budget_plan(&options, 8, &config, error));
	options.memory = BUDGET_PROCESS + 8 * BUDGET_THREAD;
	assert_false(budget_plan(&options, 8, &config, error));
	assert_non_null(strstr(error, "one connection a thread"));
}

/* ECHO-165: Pipes MUST be opened before the first accept, at most `--pipes` of them: those of the
 * wish, together with the rest within the memory. */
static void pipes_are_those_of_the_wish(void **state)
{
	struct options options = options_of(64 * MIB, 0);
	struct echo_config config;

	(void)state;
	for (options.pipes = 0; options.pipes <= OPTIONS_PIPES_LIMIT; options.pipes++) {
		config = plan_options(&options, PLENTY);
		assert_int_equal(config.pipes_max, options.pipes < 60 ? options.pipes : 60);
		assert_true(total(&config) <= options.memory);
		assert_true(total(&config) > options.memory - BUDGET_BUFFER_SIZE - SLOT_STEP);
	}
}

/* ECHO-165: ... and fewer, down to none, where the kernel, the limit of descriptors or `--memory`
 * leaves no room; no connection that was promised MUST be lost to them. */
static void pipes_take_what_others_hardly_miss(void **state)
{
	struct options options = options_of(64 * MIB, 0);
	struct echo_config config;

	(void)state;
	options.pipes = 16;
	config = plan_options(&options, 1000); /* a sixteenth of them: 62 */
	assert_int_equal(config.pipes_max, 16);
	assert_int_equal(config.connections_max, 1000 - 16 * 2);
	config = plan_options(&options, 100); /* 6 */
	assert_int_equal(config.pipes_max, 3);
	assert_int_equal(config.connections_max, 94);
	assert_int_equal(plan_options(&options, 31).pipes_max, 0);
	assert_int_equal(plan_options(&options, 32).pipes_max, 1);
	options.connections_max = 995;
	assert_int_equal(plan_options(&options, 1000).pipes_max, 2);
	options.connections_max = 1000;
	assert_int_equal(plan_options(&options, 1000).pipes_max, 0);
	assert_int_equal(plan_options(&options, 1000).connections_max, 1000);
	options.connections_max = 0;
	options.memory = least_memory() + MIB - 1;
	assert_int_equal(plan_options(&options, PLENTY).pipes_max, 0);
	options.memory++;
	assert_int_equal(plan_options(&options, PLENTY).pipes_max, 1);
}

/* ECHO-165: ... at most `--pipes` of them, of all threads. */
static void threads_share_the_pipes(void **state)
{
	struct options options = options_of(64 * MIB, 0);

	(void)state;
	options.pipes = 16;
	options.threads = 3;
	assert_int_equal(plan_options(&options, PLENTY).pipes_max, 5);
	options.threads = 17;
	assert_int_equal(plan_options(&options, PLENTY).pipes_max, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_65536_connections),
		cmocka_unit_test(few_descriptors_make_few_connections),
		cmocka_unit_test(little_memory_makes_few_connections),
		cmocka_unit_test(the_least_memory_serves_one_connection),
		cmocka_unit_test(too_little_memory_is_wrong_usage),
		cmocka_unit_test(a_pair_that_does_not_fit_is_wrong_usage),
		cmocka_unit_test(a_wish_is_granted_whole),
		cmocka_unit_test(buffers_take_what_is_left),
		cmocka_unit_test(more_memory_makes_no_fewer_buffers),
		cmocka_unit_test(more_memory_makes_no_less_of_the_default),
		cmocka_unit_test(every_plan_stays_within_its_memory),
		cmocka_unit_test(the_extremes_do_not_overflow),
		cmocka_unit_test(times_are_handed_on),
		cmocka_unit_test(threads_share_a_wish),
		cmocka_unit_test(threads_share_what_there_is),
		cmocka_unit_test(threads_that_do_not_fit_are_wrong_usage),
		cmocka_unit_test(pipes_are_those_of_the_wish),
		cmocka_unit_test(pipes_take_what_others_hardly_miss),
		cmocka_unit_test(threads_share_the_pipes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
