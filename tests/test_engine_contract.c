/* The bargain of echo.h: limits, memory, determinism, and what watches the engine. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script.h"

/* ECHO-102: … whatever …: a configuration outside its limits is refused, and one at them is not. */
static void each_field_has_its_limits(void **state)
{
	const struct {
		size_t field;
		uint32_t least, most;
	} limits[] = {
		{ offsetof(struct echo_config, connections_max), 1, ECHO_CONNECTIONS_LIMIT },
		{ offsetof(struct echo_config, buffers_max), 0, ECHO_BUFFERS_LIMIT },
		{ offsetof(struct echo_config, buffer_size), 1, ECHO_BUFFER_SIZE_LIMIT },
		{ offsetof(struct echo_config, turn_bytes), 1, ECHO_BUDGET_LIMIT },
		{ offsetof(struct echo_config, round_bytes), 1, ECHO_BUDGET_LIMIT },
		{ offsetof(struct echo_config, backlog_max), 1, ECHO_BACKLOG_LIMIT },
		{ offsetof(struct echo_config, events_max), 1, ECHO_EVENTS_LIMIT },
		{ offsetof(struct echo_config, generation_bits), 1, 32 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct echo_config config = usual();
		uint32_t *field = (void *)((char *)&config + limits[i].field);

		*field = limits[i].least;
		assert_true(echo_memory_size(&config) > 0);
		*field = limits[i].most;
		assert_true(echo_memory_size(&config) > 0);
		*field = limits[i].most + 1;
		assert_int_equal(echo_memory_size(&config), 0);
		*field = UINT32_MAX;
		assert_int_equal(echo_memory_size(&config), 0);
		if (limits[i].least == 0)
			continue;
		*field = limits[i].least - 1;
		assert_int_equal(echo_memory_size(&config), 0);
	}
}

/* ECHO-102: as above: a delay of nothing would spin, and one that shrinks is a mistake. */
static void the_times_have_their_limits(void **state)
{
	struct echo_config config = usual();

	(void)state;
	config.retry_min_ms = config.retry_max_ms = 1;
	assert_true(echo_memory_size(&config) > 0);
	config.retry_min_ms = 2;
	assert_int_equal(echo_memory_size(&config), 0);
	config.retry_min_ms = 0;
	assert_int_equal(echo_memory_size(&config), 0);
	config = usual();
	config.quiet_ms = 0;
	assert_int_equal(echo_memory_size(&config), 0);
	config = usual();
	config.idle_ms = config.drain_ms = config.quiet_ms = config.report_ms = UINT64_MAX;
	assert_true(echo_memory_size(&config) > 0);
}

/* ECHO-37: The memory MUST be fixed before the first accept …: it grows with what is configured,
 * and a sum that does not fit is refused. */
static void the_memory_is_what_was_configured(void **state)
{
	struct echo_config config = usual();
	size_t before = echo_memory_size(&config);

	(void)state;
	config.connections_max += 1000;
	assert_true(echo_memory_size(&config) >= before + 1000 * 64);
	config = usual();
	config.buffers_max += 1000;
	assert_true(echo_memory_size(&config) >= before + 1000 * 8);
	config = usual();
	config.buffer_size += 1024; /* four buffers, and the scratch buffer */
	assert_true(echo_memory_size(&config) >= before + 5 * 1024);
	config.connections_max = ECHO_CONNECTIONS_LIMIT;
	config.buffers_max = ECHO_BUFFERS_LIMIT;
	config.buffer_size = ECHO_BUFFER_SIZE_LIMIT;
	if (SIZE_MAX > UINT32_MAX)
		assert_true(echo_memory_size(&config) > (UINT64_C(1) << 48));
	else
		assert_int_equal(echo_memory_size(&config), 0);
}

static struct echo_config large(void)
{
	struct echo_config config = usual();

	config.connections_max = 1000;
	config.buffers_max = 1000;
	config.buffer_size = 4096;
	return config;
}

/* Lines of 64 bytes that are not as they were. */
static size_t lines_touched(const uint8_t *memory, size_t size, uint8_t fill)
{
	size_t touched = 0;

	for (size_t line = 0; line < size / 64; line++) {
		size_t same = 0;

		while (same < 64 && memory[line * 64 + same] == fill)
			same++;
		touched += same < 64;
	}
	return touched;
}

/* ECHO-37: … the resident set MUST stay within `--memory`: the start touches the engine alone,
 * which is smaller than the smallest memory there is. */
static void the_start_touches_no_slot_and_no_buffer(void **state)
{
	struct echo_config config = usual();
	size_t engine, size;
	uint8_t *memory;

	(void)state;
	config.connections_max = config.buffer_size = 1;
	config.buffers_max = 0;
	engine = echo_memory_size(&config);
	config = large();
	size = echo_memory_size(&config);
	memory = aligned_alloc(64, size);
	assert_non_null(memory);
	memset(memory, 0xa5, size);
	echo_init(memory, &config, 0);
	assert_int_equal(lines_touched(memory + engine, size - engine, 0xa5), 0);
	free(memory);
}

/* ECHO-37: as above: a connection touches its slot and the buffer that it uses, and those that
 * follow one another use the same again. */
static void use_touches_what_it_uses(void **state)
{
	struct echo_config config = large();
	struct script s;
	size_t size = echo_memory_size(&config), before;

	(void)state;
	begin(&s, config);
	before = lines_touched(s.memory, size, 0);
	for (int i = 0; i < 10; i++) {
		int peer = connect_one(&s);

		ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
		echoes(&s, peer, "hello");
		expect_read(&s, peer, fails(ECHO_GONE));
		expect_closed(&s, peer, ECHO_REASON_RESET);
	}
	assert_true(lines_touched(s.memory, size, 0) <= before + 1 + 4096 / 64 + 2);
	end(&s);
}

/* A world without sense: the same numbers give the same results. */
static uint32_t chance(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % below;
}

static struct echo_result any_result(uint64_t *seed, const struct echo_action *action,
				     struct echo_event *events, uint64_t *now_ms)
{
	struct echo_result result = { .outcome = ECHO_DONE };

	if (chance(seed, 3) == 0)
		result.outcome = (enum echo_outcome)(1 + chance(seed, ECHO_FAILED));
	if (result.outcome == ECHO_BROKEN || action->op == ECHO_OP_WAIT)
		result.outcome = ECHO_DONE;
	result.count = action->length > 0 ? 1 + chance(seed, action->length) : chance(seed, 2);
	result.handle = (int32_t)chance(seed, 100);
	*now_ms += chance(seed, 40);
	result.now_ms = *now_ms;
	result.requests = chance(seed, 20) == 0 ? ECHO_REQUEST_REPORT : 0;
	result.events = events;
	result.events_count = action->op == ECHO_OP_WAIT ? chance(seed, 5) : 0;
	for (uint32_t i = 0; i < result.events_count; i++) {
		events[i].token = chance(seed, 4) == 0
					  ? ECHO_TOKEN_LISTENER
					  : (uint64_t)chance(seed, 8) << 32 | chance(seed, 4);
		events[i].readiness = chance(seed, 0x20) | chance(seed, 2) * ECHO_RDHUP;
	}
	return result;
}

static bool equal_beside_memory(const struct script *a, const struct echo_action *one,
				const struct script *b, const struct echo_action *other)
{
	size_t at = one->data ? (size_t)(one->data - (uint8_t *)a->memory) : 0;
	size_t there = other->data ? (size_t)(other->data - (uint8_t *)b->memory) : 0;

	return one->op == other->op && one->token == other->token && one->handle == other->handle &&
	       one->pipe == other->pipe && one->length == other->length && at == there &&
	       one->timeout_ms == other->timeout_ms && one->events_max == other->events_max &&
	       one->reason == other->reason;
}

/* ECHO-101: The engine MUST give the same action when asked twice, and the same actions for the
 * same configuration and results. */
static void the_same_results_give_the_same_actions(void **state)
{
	struct echo_config config = usual();
	uint64_t seed = 1, now_ms = 0;
	unsigned ops = 0;
	struct script a, b;

	(void)state;
	config.buffers_max = 1;
	config.pipes_max = 2;
	config.idle_ms = 400;
	config.generation_bits = 3;
	config.turn_bytes = 1500;
	config.round_bytes = 20000;
	begin(&a, config);
	begin(&b, config);
	for (int step = 0; step < 20000; step++) {
		struct echo_event events[5];
		struct echo_action one, again, other;
		struct echo_result result;

		assert_true(echo_next(a.engine, &one));
		assert_true(echo_next(a.engine, &again));
		assert_true(echo_next(b.engine, &other));
		assert_true(equal_beside_memory(&a, &one, &a, &again));
		assert_true(equal_beside_memory(&a, &one, &b, &other));
		ops |= 1u << one.op;
		result = any_result(&seed, &one, events, &now_ms);
		echo_complete(a.engine, &one, &result);
		echo_complete(b.engine, &other, &result);
	}
	/* The walk was worth it: it met every action but the end of the listener. */
	assert_int_equal(ops, (1u << ECHO_OP_COUNT) - 1 - (1u << ECHO_OP_NONE) -
				      (1u << ECHO_OP_UNLISTEN));
	free(a.memory);
	free(b.memory);
}

static void observe(struct echo_stats *stats, enum echo_op op, enum echo_outcome outcome,
		    uint32_t count)
{
	struct echo_action action = { .op = op, .reason = ECHO_REASON_IDLE, .length = 100 };
	struct echo_result result = { .outcome = outcome, .count = count, .events_count = count };

	echo_observe(stats, &action, &result);
}

/* ECHO-85: SIGUSR1 and `--stats` MUST print the statistics: what the bytes did. */
static void bytes_are_counted_once(void **state)
{
	struct echo_stats stats = { 0 };

	(void)state;
	observe(&stats, ECHO_OP_READ, ECHO_DONE, 10);
	observe(&stats, ECHO_OP_READ, ECHO_WOULD_BLOCK, 99);
	observe(&stats, ECHO_OP_PEEK, ECHO_DONE, 99);
	observe(&stats, ECHO_OP_CONSUME, ECHO_DONE, 5);
	observe(&stats, ECHO_OP_CONSUME, ECHO_END, 99);
	assert_int_equal(stats.bytes_received, 15);
	observe(&stats, ECHO_OP_WRITE, ECHO_DONE, 7);
	observe(&stats, ECHO_OP_WRITE, ECHO_DONE, 8);
	observe(&stats, ECHO_OP_WRITE, ECHO_GONE, 99);
	assert_int_equal(stats.bytes_sent, 15);
	observe(&stats, ECHO_OP_DISCARD, ECHO_DONE, 3);
	observe(&stats, ECHO_OP_DISCARD, ECHO_END, 99);
	observe(&stats, ECHO_OP_UNACKED, ECHO_DONE, 99);
	assert_int_equal(stats.bytes_discarded, 3);
	assert_int_equal(stats.bytes_received, 15);
	assert_int_equal(stats.calls[ECHO_OP_READ], 2);
	assert_int_equal(stats.calls[ECHO_OP_WRITE], 3);
	assert_int_equal(stats.calls[ECHO_OP_CLOSE], 0);
}

/* ECHO-85: as above: what became of connections. */
static void connections_are_counted_once(void **state)
{
	struct echo_stats stats = { 0 };

	(void)state;
	observe(&stats, ECHO_OP_WAIT, ECHO_DONE, 4);
	observe(&stats, ECHO_OP_WAIT, ECHO_INTERRUPTED, 99);
	assert_int_equal(stats.events, 4);
	observe(&stats, ECHO_OP_ACCEPT, ECHO_DONE, 0);
	observe(&stats, ECHO_OP_ACCEPT, ECHO_WOULD_BLOCK, 0);
	observe(&stats, ECHO_OP_ACCEPT, ECHO_INTERRUPTED, 0);
	assert_int_equal(stats.accept_failures, 0);
	observe(&stats, ECHO_OP_ACCEPT, ECHO_GONE, 0);
	observe(&stats, ECHO_OP_ACCEPT, ECHO_NO_DESCRIPTORS, 0);
	observe(&stats, ECHO_OP_WATCH, ECHO_NO_MEMORY, 0);
	assert_int_equal(stats.accept_failures, 2);
	assert_int_equal(stats.accepted, 1);
	assert_int_equal(stats.calls[ECHO_OP_ACCEPT], 5);
	observe(&stats, ECHO_OP_CLOSE, ECHO_DONE, 0);
	observe(&stats, ECHO_OP_CLOSE, ECHO_FAILED, 0);
	assert_int_equal(stats.closed[ECHO_REASON_IDLE], 2);
	assert_int_equal(stats.closed[ECHO_REASON_ENDED], 0);
}

/* ECHO-90: `--verbose` MUST tell each registration, event, echo and close: by these names. */
static void everything_has_a_name(void **state)
{
	static const char *const ops[] = { "none",     "wait",    "accept",  "pause",    "resume",
					   "unlisten", "watch",   "read",    "peek",     "write",
					   "consume",  "discard", "unacked", "shutdown", "close",
					   "report",   "fill",    "empty",   "purge",    "?",
					   "?" };
	static const char *const outcomes[] = { "?",
						"done",
						"end",
						"would-block",
						"interrupted",
						"gone",
						"no-descriptors",
						"no-memory",
						"broken",
						"failed",
						"?",
						"?" };
	static const char *const reasons[] = { "none", "ended",   "reset", "failed", "unwatched",
					       "idle", "drained", "cut",   "?",      "?" };

	(void)state;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		assert_string_equal(echo_op_name((enum echo_op)i), ops[i]);
	for (unsigned i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		assert_string_equal(echo_outcome_name((enum echo_outcome)i), outcomes[i]);
	for (unsigned i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		assert_string_equal(echo_reason_name((enum echo_reason)i), reasons[i]);
	assert_string_equal(echo_op_name((enum echo_op)UINT32_MAX), "?");
	assert_string_equal(echo_outcome_name((enum echo_outcome)UINT32_MAX), "?");
	assert_string_equal(echo_reason_name((enum echo_reason)UINT32_MAX), "?");
}

#define TRAPPED 42

static void on_trap(int number)
{
	(void)number;
	_exit(TRAPPED);
}

/* In a process of its own, so that the trap is the end of that one only. */
static bool traps(struct script *s, const struct echo_action *action,
		  const struct echo_result *result)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGILL, on_trap);
		signal(SIGTRAP, on_trap);
		echo_complete(s->engine, action, result);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == TRAPPED;
}

static bool traps_on_count(struct script *s, uint32_t count)
{
	struct echo_action action = script_next(s);
	struct echo_result result = { .outcome = ECHO_DONE, .count = count };

	return traps(s, &action, &result);
}

/* ECHO-102: … whatever results it is given: the bargain's other side: a count that is not between 1
 * and what was asked for would be bytes that do not exist, so the engine traps. */
static void a_count_beyond_what_was_asked_for_traps(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	assert_true(traps_on_count(&s, 0));
	assert_true(traps_on_count(&s, 9));
	assert_false(traps_on_count(&s, 8));
	expect_read(&s, peer, returns("hello"));
	assert_true(traps_on_count(&s, 0));
	assert_true(traps_on_count(&s, 6));
	assert_false(traps_on_count(&s, 5));
	end(&s);

	config.buffers_max = 0;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(2));
	assert_true(traps_on_count(&s, 0));
	assert_true(traps_on_count(&s, 3));
	assert_false(traps_on_count(&s, 2));
	end(&s);
}

/* ECHO-102: as above: so is another action than the one that was given, and more events than were
 * asked for. */
static void what_was_not_asked_for_traps(void **state)
{
	struct echo_event events[17] = { { 0, 0 } };
	struct echo_result result = { .outcome = ECHO_DONE, .events = events };
	struct echo_action action;
	struct script s;

	(void)state;
	begin(&s, usual());
	action = script_next(&s);
	result.events_count = 16;
	assert_false(traps(&s, &action, &result));
	result.events_count = 17;
	assert_true(traps(&s, &action, &result));
	result.events_count = 0;
	action.op = ECHO_OP_ACCEPT;
	assert_true(traps(&s, &action, &result));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_has_its_limits),
		cmocka_unit_test(the_times_have_their_limits),
		cmocka_unit_test(the_memory_is_what_was_configured),
		cmocka_unit_test(the_start_touches_no_slot_and_no_buffer),
		cmocka_unit_test(use_touches_what_it_uses),
		cmocka_unit_test(the_same_results_give_the_same_actions),
		cmocka_unit_test(bytes_are_counted_once),
		cmocka_unit_test(connections_are_counted_once),
		cmocka_unit_test(everything_has_a_name),
		cmocka_unit_test(a_count_beyond_what_was_asked_for_traps),
		cmocka_unit_test(what_was_not_asked_for_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
