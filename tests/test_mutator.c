/* The mutator: what it makes of runs, of other bytes, and of too little room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../fuzz/mutator.h"
#include "steps/steps.h"

enum { ROUNDS = 20000, ROOM = 4096, SHORT_ROOM = 300, FIELDS = 16 };

/* What is known of a run that could be read. */
struct run {
	struct echo_config config;
	uint64_t start_ms;
	uint32_t count;
};

static struct run read_run(const uint8_t *bytes, size_t size)
{
	static struct step step; /* events beyond its count stay what they were */
	struct run run = { 0 };
	struct steps steps;

	assert_in_range(size, MUTATOR_SIZE_MIN, MUTATOR_SIZE_MAX);
	assert_true(steps_open(&steps, bytes, size, &run.config, &run.start_ms));
	assert_int_not_equal(echo_memory_size(&run.config), 0);
	while (steps_next(&steps, &step))
		run.count++;
	assert_ptr_equal(steps.at, steps.end); /* no step is cut off */
	assert_in_range(run.count, 0, MUTATOR_STEPS_MAX);
	return run;
}

/* A mutation where there is not a byte more than promised: sanitizers and Valgrind see who writes
 * one. */
static size_t mutate_within(uint8_t *bytes, size_t size, size_t room, uint32_t seed)
{
	uint8_t *exact = malloc(room > 0 ? room : 1);

	assert_non_null(exact);
	if (size > room)
		size = room;
	memcpy(exact, bytes, size);
	size = mutate_run(exact, size, room, seed);
	assert_in_range(size, 0, room);
	memcpy(bytes, exact, size);
	free(exact);
	return size;
}

static void fill_any(uint8_t *bytes, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/* ECHO-138: the same run, for the same seed, whatever was made before; and another one for another
 * seed. */
static void same_seed_same_run(void **state)
{
	static uint8_t once[ROOM], again[ROOM], between[ROOM], spliced[ROOM], respliced[ROOM];
	size_t size = 0, differing = 0, size_again, splice, resplice;

	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		memcpy(again, once, size);
		splice = splice_runs(once, size, between, SHORT_ROOM, spliced, ROOM, seed);
		resplice = splice_runs(again, size, between, SHORT_ROOM, respliced, ROOM, seed);
		assert_int_equal(splice, resplice);
		assert_memory_equal(spliced, respliced, splice);
		size_again = mutate_run(again, size, ROOM, seed);
		fill_any(between, SHORT_ROOM, seed);
		mutate_run(between, SHORT_ROOM, ROOM, seed + 1);
		memcpy(between, once, size);
		mutate_run(between, size, ROOM, seed + ROUNDS);
		size = mutate_run(once, size, ROOM, seed);
		assert_int_equal(size, size_again);
		assert_memory_equal(once, again, size);
		differing += memcmp(once, between, size) != 0;
	}
	assert_in_range(differing, ROUNDS * 9 / 10, ROUNDS);
}

/* ECHO-138: a run is mutated into a run, which has room, however little there is. */
static void a_run_stays_one(void **state)
{
	static uint8_t bytes[MUTATOR_SIZE_MAX + ROOM];
	size_t size = 0;

	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		size_t room = seed % 5 == 0   ? MUTATOR_SIZE_MIN + seed / 5 % SHORT_ROOM
			      : seed % 7 == 0 ? sizeof(bytes)
					      : ROOM;

		size = mutate_within(bytes, size, room, seed);
		read_run(bytes, size);
	}
}

/* ECHO-138: bytes that are no run become one, and those of a run that is cut off too. */
static void any_bytes_become_a_run(void **state)
{
	static uint8_t bytes[ROOM], other[ROOM], out[ROOM];

	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		size_t size = seed % SHORT_ROOM, spliced;

		fill_any(bytes, size, seed);
		fill_any(other, SHORT_ROOM, ~seed);
		if (seed % 2 == 0) /* the head of a run, and then anything */
			bytes[0] = STEPS_VERSION;
		spliced = splice_runs(bytes, size, other, SHORT_ROOM, out, ROOM, seed);
		read_run(out, spliced);
		read_run(bytes, mutate_within(bytes, size, ROOM, seed));
	}
}

/* ECHO-138: where not even the shortest run has room, nothing is written. */
static void no_room_no_run(void **state)
{
	uint8_t bytes[MUTATOR_SIZE_MIN + 1], before[sizeof(bytes)];

	(void)state;
	for (size_t room = 0; room <= sizeof(bytes); room++) {
		fill_any(bytes, sizeof(bytes), 1);
		memcpy(before, bytes, sizeof(bytes));
		if (room >= MUTATOR_SIZE_MIN) {
			read_run(bytes, mutate_run(bytes, room, room, 7));
			continue;
		}
		assert_int_equal(mutate_run(bytes, room, room, 7), 0);
		assert_int_equal(splice_runs(before, room, before, room, bytes, room, 7), 0);
		assert_memory_equal(bytes, before, sizeof(bytes));
	}
}

/* ECHO-138: no run has more steps than are decoded, and what is too long is cut off between two. */
static void long_runs_are_cut(void **state)
{
	static uint8_t bytes[MUTATOR_SIZE_MAX], big[MUTATOR_SIZE_MAX];
	struct echo_config config = { 0 };
	struct step step = { .op = ECHO_OP_WAIT, .outcome = ECHO_DONE };
	size_t head, size = 0;
	uint32_t most = 0, whole = 0;

	(void)state;
	steps_limit(&config);
	head = size = steps_put_head(bytes, sizeof(bytes), &config, 0);
	for (size_t put; (put = steps_put(bytes + size, sizeof(bytes) - size, &step)) > 0;
	     size += put)
		step.op = step.op == ECHO_OP_WAIT ? ECHO_OP_WATCH : ECHO_OP_WAIT;
	assert_in_range(size - head, MUTATOR_STEPS_MAX + 1, sizeof(bytes));
	for (uint32_t seed = 0; seed < 200; seed++) {
		struct run run;

		read_run(big, splice_runs(bytes, size, bytes, size, big, sizeof(big), seed));
		memcpy(big, bytes, size);
		run = read_run(big, mutate_run(big, size, sizeof(big), seed));
		most = run.count > most ? run.count : most;
		whole += run.count > MUTATOR_STEPS_MAX * 3 / 4;
	}
	assert_in_range(whole, 100, 200); /* most are as long as before, or nearly */
	assert_int_equal(most, MUTATOR_STEPS_MAX);
}

/* One run after the other, each mutated a few times from nothing. */
static size_t mutated(uint8_t bytes[ROOM], uint32_t seed)
{
	size_t size = 0;

	for (uint32_t i = 0; i < 4; i++)
		size = mutate_run(bytes, size, ROOM, seed * 4 + i);
	return size;
}

/* ECHO-138: a mutation may make any step: each operation, with each outcome. */
static void every_step_is_reached(void **state)
{
	static uint8_t bytes[ROOM];
	static struct step step;
	bool seen[ECHO_OP_COUNT][ECHO_FAILED + 1] = { 0 };
	struct echo_config config;
	struct steps steps;
	uint64_t start_ms;

	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		assert_true(steps_open(&steps, bytes, mutated(bytes, seed), &config, &start_ms));
		while (steps_next(&steps, &step))
			seen[step.op][step.outcome] = true;
	}
	for (int op = ECHO_OP_WAIT; op < ECHO_OP_COUNT; op++)
		for (int outcome = ECHO_DONE; outcome <= ECHO_FAILED; outcome++)
			if (!seen[op][outcome])
				fail_msg("no %s -> %s", echo_op_name((enum echo_op)op),
					 echo_outcome_name((enum echo_outcome)outcome));
}

static void spread(const struct echo_config *c, uint64_t start_ms, uint64_t fields[FIELDS])
{
	const uint64_t values[FIELDS] = {
		c->connections_max, c->buffers_max,  c->buffer_size, c->pipes_max,
		c->turn_bytes,      c->round_bytes,  c->backlog_max, c->events_max,
		c->generation_bits, c->idle_ms,      c->drain_ms,    c->quiet_ms,
		c->retry_min_ms,    c->retry_max_ms, c->report_ms,   start_ms
	};

	memcpy(fields, values, sizeof(values));
}

/* ECHO-138: a mutation may change each field of the configuration, and the clock, and leave the
 * others. */
static void every_field_is_reached(void **state)
{
	static uint8_t bytes[ROOM];
	uint64_t before[FIELDS], after[FIELDS];
	struct echo_config config = { 16, 16,   64,   4,   4000, 16000, 8,    8,
				      8,  1000, 5000, 250, 100,  1000,  60000 };
	uint32_t alone[FIELDS] = { 0 };
	size_t head = steps_put_head(bytes, sizeof(bytes), &config, 5);

	(void)state;
	spread(&config, 5, before);
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		static uint8_t copy[ROOM];
		uint32_t changed = 0, which = 0;
		struct run run;

		memcpy(copy, bytes, head);
		run = read_run(copy, mutate_run(copy, head, sizeof(copy), seed));
		spread(&run.config, run.start_ms, after);
		for (uint32_t i = 0; i < FIELDS; i++) {
			if (before[i] != after[i])
				changed++, which = i;
		}
		alone[which] += changed == 1;
	}
	for (uint32_t i = 0; i < FIELDS; i++)
		if (alone[i] == 0)
			fail_msg("field %u was never changed by itself", i);
}

/* What is in waits: whom they name, and what is announced. */
struct kinds {
	bool listener, first, second, token, near_listener, strange, nothing, many;
	bool stop, report, abort, back, at_once, idle_exactly, idle_almost, idle_over, huge;
};

static void look(struct kinds *kinds, const struct step *step, const struct echo_config *config)
{
	int64_t idle_ms = (int64_t)config->idle_ms;

	for (uint32_t i = 0; i < step->events_count; i++) {
		const struct steps_event *event = &step->events[i];

		kinds->listener |= event->whom == STEPS_WHOM_LISTENER;
		kinds->first |= event->whom == 0;
		kinds->second |= event->whom == 1;
		kinds->token |= event->whom == STEPS_WHOM_TOKEN && event->token >> 32 == 1;
		kinds->near_listener |= event->token == ECHO_TOKEN_LISTENER - 1;
		kinds->strange |= (event->readiness & STEPS_STRANGE) != 0;
		kinds->nothing |= event->readiness == 0;
	}
	kinds->many |= step->events_count >= 4;
	kinds->stop |= (step->requests & ECHO_REQUEST_STOP) != 0;
	kinds->report |= (step->requests & ECHO_REQUEST_REPORT) != 0;
	kinds->abort |= (step->requests & ECHO_REQUEST_ABORT) != 0;
	kinds->back |= step->passed_ms < 0;
	kinds->at_once |= step->passed_ms == 0;
	kinds->huge |= step->passed_ms == INT64_MAX;
	if (config->idle_ms < 1000)
		return; /* a small number is no sign that it was meant */
	kinds->idle_exactly |= step->passed_ms == idle_ms;
	kinds->idle_almost |= step->passed_ms == idle_ms - 1;
	kinds->idle_over |= step->passed_ms == idle_ms + 1;
}

/* ECHO-138: events, requests and the clock take the values that make a difference. */
static void waits_mean_something(void **state)
{
	static uint8_t bytes[ROOM];
	static struct step step;
	struct kinds kinds = { 0 };
	struct echo_config config;
	struct steps steps;
	uint64_t start_ms;

	(void)state;
	for (uint32_t seed = 0; seed < ROUNDS; seed++) {
		assert_true(steps_open(&steps, bytes, mutated(bytes, seed), &config, &start_ms));
		while (steps_next(&steps, &step))
			look(&kinds, &step, &config);
	}
	assert_true(kinds.listener && kinds.first && kinds.second);
	assert_true(kinds.token && kinds.near_listener);
	assert_true(kinds.strange && kinds.nothing && kinds.many);
	assert_true(kinds.stop && kinds.report && kinds.abort);
	assert_true(kinds.back && kinds.at_once && kinds.huge);
	assert_true(kinds.idle_exactly && kinds.idle_almost && kinds.idle_over);
}

/* A run of one connection that tells the two apart by the count of its read. */
static size_t put_connection(uint8_t bytes[ROOM], uint32_t count)
{
	struct echo_config config = { 0 };
	struct step step = { .op = ECHO_OP_WAIT, .outcome = ECHO_DONE };
	size_t size;

	steps_limit(&config);
	size = steps_put_head(bytes, ROOM, &config, 0);
	step.events_count = 1;
	step.events[0] = (struct steps_event){ .whom = STEPS_WHOM_LISTENER, .readiness = ECHO_IN };
	size += steps_put(bytes + size, ROOM - size, &step);
	size += steps_put(bytes + size, ROOM - size,
			  &(struct step){ .op = ECHO_OP_ACCEPT, .outcome = ECHO_DONE });
	step.events[0].whom = 0;
	size += steps_put(bytes + size, ROOM - size, &step);
	step = (struct step){ .op = ECHO_OP_READ, .outcome = ECHO_DONE, .count = count };
	return size + steps_put(bytes + size, ROOM - size, &step);
}

/* ECHO-138: a splice has steps of both runs; connections of the second may follow those of the
 * first. */
static void a_splice_has_both(void **state)
{
	static uint8_t a[ROOM], b[ROOM], out[ROOM];
	static struct step step;
	size_t a_size = put_connection(a, 1001), b_size = put_connection(b, 2002);
	bool both = false, renumbered = false;
	struct echo_config config;
	struct steps steps;
	uint64_t start_ms;

	(void)state;
	for (uint32_t seed = 0; seed < 1000; seed++) {
		bool first = false, second = false, next = false;
		size_t size = splice_runs(a, a_size, b, b_size, out, ROOM, seed);

		read_run(out, size);
		assert_true(steps_open(&steps, out, size, &config, &start_ms));
		while (steps_next(&steps, &step)) {
			first |= step.count == 1001;
			second |= step.count == 2002;
			next |= step.events_count == 1 && step.events[0].whom == 1;
		}
		both |= first && second;
		renumbered |= next && second;
	}
	assert_true(both);
	assert_true(renumbered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_run),     cmocka_unit_test(a_run_stays_one),
		cmocka_unit_test(any_bytes_become_a_run), cmocka_unit_test(no_room_no_run),
		cmocka_unit_test(long_runs_are_cut),      cmocka_unit_test(every_step_is_reached),
		cmocka_unit_test(every_field_is_reached), cmocka_unit_test(waits_mean_something),
		cmocka_unit_test(a_splice_has_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
