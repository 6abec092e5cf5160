/* Recordings: written, read, damaged, replayed; and the process that writes them. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/name.h"
#include "record/record.h"
#include "record/recorder.h"
#include "record/replay.h"
#include "record/seed.h"

enum { FILE_SIZE_MAX = 4 << 20, RUN_STEPS = 3000, RUNS = 40, SLOTS_MAX = 64 };

static uint8_t file[FILE_SIZE_MAX];
static size_t file_size;
static struct recording recording;
static struct record_step step;
static struct replay replay;

static uint32_t chance(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* A made-up run: any result may come of any action. */

struct run {
	uint64_t seed;
	uint64_t now_ms;
	struct echo_engine *engine;
	void *memory;
	uint64_t tokens[SLOTS_MAX]; /* of those that were seen, some closed since */
	uint32_t token_count;
	struct echo_event events[RECORD_EVENTS_MAX];
};

static const struct echo_config small = {
	.connections_max = SLOTS_MAX,
	.buffers_max = 12,
	.buffer_size = 300,
	.turn_bytes = 2000,
	.round_bytes = 9000,
	.backlog_max = 5,
	.events_max = 8,
	.generation_bits = 32,
	.idle_ms = 400,
	.drain_ms = 4000,
	.quiet_ms = 100,
	.retry_min_ms = 100,
	.retry_max_ms = 1000,
};

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	assert_non_null(memory);
	return memset(memory, 0, size);
}

static void begin(struct run *run, uint64_t seed)
{
	*run = (struct run){ .seed = seed, .now_ms = 77000 };
	run->memory = zeroed(echo_memory_size(&small));
	run->engine = echo_init(run->memory, &small, run->now_ms);
}

static void made_up_wait(struct run *run, const struct echo_action *action,
			 struct echo_result *result)
{
	static const uint32_t masks[] = {
		ECHO_IN,   ECHO_OUT, ECHO_IN | ECHO_OUT, ECHO_IN | ECHO_RDHUP, ECHO_ERR | ECHO_HUP,
		0x80000001
	};

	run->now_ms += chance(&run->seed, 90);
	result->now_ms = run->now_ms - chance(&run->seed, 3); /* it may be set back */
	result->events = run->events;
	if (chance(&run->seed, 400) == 0)
		result->requests = 1 + chance(&run->seed, 3);
	if (result->outcome != ECHO_DONE)
		result->outcome = ECHO_INTERRUPTED;
	else
		result->events_count = chance(&run->seed, action->events_max + 1);
	for (uint32_t i = 0; i < result->events_count; i++) {
		bool listener = run->token_count == 0 || chance(&run->seed, 4) == 0;

		run->events[i] = (struct echo_event){
			listener ? ECHO_TOKEN_LISTENER
				 : run->tokens[chance(&run->seed, run->token_count)],
			masks[chance(&run->seed, 6)]
		};
	}
}

static struct echo_result made_up(struct run *run, const struct echo_action *action)
{
	struct echo_result result = { .outcome = ECHO_DONE, .handle = 1000 };

	if (chance(&run->seed, 4) == 0)
		result.outcome = (enum echo_outcome)(ECHO_DONE + chance(&run->seed, ECHO_FAILED));
	if (result.outcome == ECHO_BROKEN)
		result.outcome = ECHO_WOULD_BLOCK; /* the run would be over */
	if (action->op == ECHO_OP_WAIT)
		made_up_wait(run, action, &result);
	if (action->op == ECHO_OP_WATCH && run->token_count < SLOTS_MAX)
		run->tokens[run->token_count++] = action->token;
	if (record_counts(action->op, result.outcome))
		result.count = action->op == ECHO_OP_UNACKED
				       ? chance(&run->seed, 2)
				       : 1 + chance(&run->seed, action->length);
	return result;
}

/* The file of such a run, made as the server and its helper make it, but without them. */

static uint8_t payload[RECORD_PAYLOAD_MAX];
static size_t payload_size;
static uint32_t file_crc;

static void put_bytes(const void *bytes, size_t size)
{
	assert_true(file_size + size <= sizeof(file));
	memcpy(file + file_size, bytes, size);
	file_size += size;
}

static void put_magic(void)
{
	file_size = 0;
	payload_size = 0;
	put_bytes(RECORD_MAGIC, RECORD_MAGIC_SIZE);
	file_crc = record_crc(0, file, file_size);
}

static void put_frame(void)
{
	uint8_t number[4] = { (uint8_t)payload_size, (uint8_t)(payload_size >> 8) };

	put_bytes(number, RECORD_LENGTH_SIZE);
	put_bytes(payload, payload_size);
	file_crc = record_crc(file_crc, number, RECORD_LENGTH_SIZE);
	file_crc = record_crc(file_crc, payload, payload_size);
	for (unsigned i = 0; i < RECORD_CRC_SIZE; i++)
		number[i] = (uint8_t)(file_crc >> (8 * i));
	put_bytes(number, RECORD_CRC_SIZE);
	payload_size = 0;
}

static void put_head(const struct echo_config *config, uint64_t start_ms)
{
	put_magic();
	payload_size = record_put_head(payload, sizeof(payload), config, start_ms);
	assert_true(payload_size > 0);
	put_frame();
}

/* Frames of different lengths, so that any place in them is met. */
static void put_step(const struct echo_action *action, const struct echo_result *result,
		     uint64_t *now_ms)
{
	size_t room = sizeof(payload) - payload_size;
	size_t size = record_put(payload + payload_size, room, action, result, now_ms);

	if (size == 0) {
		put_frame();
		size = record_put(payload, sizeof(payload), action, result, now_ms);
	}
	assert_in_range(size, 1, RECORD_STEP_MAX);
	payload_size += size;
}

static void put_end(enum record_end how, enum echo_ending ending)
{
	if (sizeof(payload) - payload_size < RECORD_END_SIZE)
		put_frame();
	payload_size += record_put_end(payload + payload_size, RECORD_END_SIZE, how, ending);
	put_frame();
}

/* Records a run of so many steps at most. True: it came to its end. */
static bool record_run(uint64_t seed, uint32_t steps)
{
	struct run run;
	struct echo_action action;
	uint64_t now_ms;
	bool more;

	begin(&run, seed);
	now_ms = run.now_ms;
	put_head(&small, now_ms);
	while ((more = echo_next(run.engine, &action)) && steps-- > 0) {
		struct echo_result result = made_up(&run, &action);

		put_step(&action, &result, &now_ms);
		echo_complete(run.engine, &action, &result);
	}
	put_end(more ? RECORD_CUT : RECORD_STOPPED, echo_ending(run.engine));
	free(run.memory);
	return !more;
}

static void open_file(void)
{
	if (!recording_open(&recording, file, file_size))
		fail_msg("byte %zu: %s", recording.offset, recording.error);
}

/* Replays the file in this configuration; NULL: in its own. */
static enum replay_outcome replay_file(const struct echo_config *config)
{
	enum replay_outcome outcome;
	void *memory;

	open_file();
	if (config == NULL)
		config = &recording.config;
	memory = zeroed(replay_memory_size(config));
	replay_start(&replay, &recording, config, memory);
	while ((outcome = replay_next(&replay)) == REPLAY_STEP)
		replay_complete(&replay);
	free(memory);
	return outcome;
}

/* ECHO-120: A recording MUST lead to the same actions: of any run, whatever came of its actions. */
static void any_run_replays(void **state)
{
	uint32_t stopped = 0, accepted = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		stopped += record_run(seed, RUN_STEPS);
		if (replay_file(NULL) != REPLAY_SAME)
			fail_msg("run %d, step %d: another %s", (int)seed, (int)replay.steps,
				 replay.difference != NULL ? replay.difference : recording.error);
		accepted += (uint32_t)replay.accepted;
	}
	assert_in_range(stopped, 1, RUNS - 1); /* not all are of one kind */
	assert_true(accepted > RUNS * 10);
}

/* ECHO-127: A seed MUST be the same run: with no more slots and buffers than were used. */
static void a_seed_is_the_same_run(void **state)
{
	struct echo_config config;
	uint32_t smaller = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		uint64_t steps;

		record_run(seed, 30 + (uint32_t)seed * 10);
		assert_int_equal(replay_file(NULL), REPLAY_SAME);
		steps = replay.steps;
		assert_null(seed_config(&replay, &config));
		smaller += config.connections_max < small.connections_max &&
			   config.buffers_max < small.buffers_max;
		assert_int_equal(replay_file(&config), REPLAY_SAME);
		assert_int_equal(replay.steps, steps);
	}
	assert_true(smaller > RUNS / 2);
}

/* ECHO-127: A seed MUST be the same run: what does not fit one is told. */
static void what_fits_no_seed_is_told(void **state)
{
	struct echo_config config;

	(void)state;
	replay = (struct replay){ .recording.config = small, .connections_peak = 64 };
	assert_null(seed_config(&replay, &config));
	assert_int_equal(config.connections_max, 64);
	assert_int_equal(config.buffers_max, 1);
	replay.recording.config.connections_max = 65;
	assert_string_equal(seed_config(&replay, &config), "it had too many connections at once");
	replay.connections_peak = 63;
	replay.recording.config.buffer_size = STEPS_BUFFER_SIZE_MAX;
	assert_null(seed_config(&replay, &config));
	replay.buffers_peak = 12;
	replay.recording.config.buffers_max = 1000;
	assert_null(seed_config(&replay, &config));
	replay.buffers_peak = 16;
	assert_string_equal(seed_config(&replay, &config), "it used too many buffers at once");
	replay.recording.config.buffer_size++;
	assert_string_equal(seed_config(&replay, &config), "its buffers are too large");
}

/* ECHO-127: The first action that is not the recorded one MUST be told: in each of the fields that
 * are recorded. */
static void another_action_is_told(void **state)
{
	static const struct {
		struct echo_action recorded;
		const char *difference;
	} others[] = {
		{ { .op = ECHO_OP_ACCEPT }, "operation" },
		{ { .op = ECHO_OP_WAIT, .timeout_ms = 5, .events_max = 8 }, "timeout" },
		{ { .op = ECHO_OP_WAIT, .timeout_ms = -1, .events_max = 9 }, "most events" },
		{ { .op = ECHO_OP_WATCH, .token = UINT64_C(2) << 32 }, "connection" },
		{ { .op = ECHO_OP_WATCH, .token = UINT64_C(1) << 32 | 1 }, "connection" },
		{ { .op = ECHO_OP_READ, .token = UINT64_C(1) << 32, .length = 299 }, "length" },
		{ { .op = ECHO_OP_CLOSE, .token = UINT64_C(1) << 32, .reason = ECHO_REASON_RESET },
		  "reason" },
	};
	struct echo_event event = { ECHO_TOKEN_LISTENER, ECHO_IN };
	struct echo_event both = { UINT64_C(1) << 32, ECHO_IN | ECHO_OUT };
	struct echo_action wait = { .op = ECHO_OP_WAIT, .timeout_ms = -1, .events_max = 8 };
	struct echo_action timed = { .op = ECHO_OP_WAIT, .timeout_ms = 400, .events_max = 8 };
	struct echo_action accept = { .op = ECHO_OP_ACCEPT };
	struct echo_action watch = { .op = ECHO_OP_WATCH, .token = UINT64_C(1) << 32 };
	struct echo_result waited = { .outcome = ECHO_DONE, .now_ms = 1, .events_count = 1 };
	struct echo_result done = { .outcome = ECHO_DONE };
	struct echo_config config = small;
	struct echo_result unwatched = { .outcome = ECHO_NO_MEMORY };

	(void)state;
	config.turn_bytes = config.round_bytes = 100000;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		enum echo_op op = others[i].recorded.op;
		uint64_t now_ms = 1;

		put_head(&config, 1);
		waited.events = &event;
		if (op != ECHO_OP_ACCEPT && op != ECHO_OP_WAIT) {
			put_step(&wait, &waited, &now_ms);
			put_step(&accept, &done, &now_ms);
		}
		if (op == ECHO_OP_CLOSE)
			put_step(&watch, &unwatched, &now_ms);
		if (op == ECHO_OP_READ) {
			put_step(&watch, &done, &now_ms);
			waited.events = &both;
			put_step(&timed, &waited, &now_ms);
		}
		put_step(&others[i].recorded, &(struct echo_result){ .outcome = ECHO_GONE },
			 &now_ms);
		put_end(RECORD_CUT, ECHO_RUNNING);
		assert_int_equal(replay_file(NULL), REPLAY_DIFFERS);
		assert_string_equal(replay.difference, others[i].difference);
	}
}

/* ECHO-127: The first action that is not the recorded one MUST be told: the end is one. */
static void another_end_is_told(void **state)
{
	struct echo_action wait = { .op = ECHO_OP_WAIT, .timeout_ms = -1, .events_max = 8 };
	struct echo_result broken = { .outcome = ECHO_BROKEN };
	uint64_t now_ms = 0;

	(void)state;
	put_head(&small, 0);
	put_end(RECORD_STOPPED, ECHO_STOPPED);
	assert_int_equal(replay_file(NULL), REPLAY_DIFFERS);
	assert_string_equal(replay.difference, "end");

	put_head(&small, 0);
	put_step(&wait, &broken, &now_ms);
	put_end(RECORD_STOPPED, ECHO_STOPPED);
	assert_int_equal(replay_file(NULL), REPLAY_DIFFERS);
	assert_string_equal(replay.difference, "ending");

	put_head(&small, 0);
	put_step(&wait, &broken, &now_ms);
	put_step(&wait, &broken, &now_ms);
	put_end(RECORD_STOPPED, ECHO_DEFUNCT);
	assert_int_equal(replay_file(NULL), REPLAY_DIFFERS);
	assert_string_equal(replay.difference, "end");

	put_head(&small, 0);
	put_step(&wait, &broken, &now_ms);
	put_end(RECORD_STOPPED, ECHO_DEFUNCT);
	assert_int_equal(replay_file(NULL), REPLAY_SAME);
}

/* All records of these bytes, until they end or are wrong. */
static enum record_outcome read_all(const uint8_t *bytes, size_t size)
{
	enum record_outcome outcome;

	if (!recording_open(&recording, bytes, size))
		return RECORD_WRONG;
	while ((outcome = recording_next(&recording, &step)) == RECORD_STEP)
		;
	return outcome;
}

static void check_refused(const uint8_t *bytes, size_t size, const char *what, size_t where)
{
	if (read_all(bytes, size) != RECORD_WRONG)
		fail_msg("taken: %s %zu", what, where);
	assert_non_null(recording.error);
	assert_in_range(recording.offset, 0, size);
}

/* ECHO-126: A truncated recording MUST be refused: at every byte. In memory that ends where it
 * does. */
static void a_truncated_recording_is_refused(void **state)
{
	(void)state;
	record_run(3, 800);
	for (size_t size = 0; size < file_size; size++) {
		uint8_t *bytes = malloc(size > 0 ? size : 1);

		assert_non_null(bytes);
		memcpy(bytes, file, size);
		check_refused(bytes, size, "cut off at", size);
		free(bytes);
	}
	assert_int_equal(read_all(file, file_size), RECORD_END);
}

/* ECHO-126: A damaged recording MUST be refused: in every bit, and with a byte too many. */
static void a_damaged_recording_is_refused(void **state)
{
	(void)state;
	record_run(4, 300);
	for (size_t i = 0; i < file_size * 8; i++) {
		file[i / 8] ^= (uint8_t)(1u << i % 8);
		check_refused(file, file_size, "bit", i);
		file[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	check_refused(file, file_size + 1, "and a byte more than", file_size);
	assert_int_equal(read_all(file, file_size), RECORD_END);
}

/* ECHO-126: A damaged recording MUST be refused: each frame is whole, but not all are there, in
 * order. */
static void lost_and_moved_frames_are_noticed(void **state)
{
	static uint8_t other[sizeof(file)];
	static const char *const kinds[] = { "lost", "doubled", "swapped" };
	size_t head, frame = RECORD_LENGTH_SIZE + 1 + RECORD_CRC_SIZE;
	uint64_t now_ms = 0;

	(void)state;
	put_head(&small, 0);
	head = file_size;
	for (unsigned i = 0; i < 2; i++) { /* two frames of one record, of one length */
		put_step(&(struct echo_action){ .op = ECHO_OP_REPORT },
			 &(struct echo_result){ .outcome = i == 0 ? ECHO_DONE : ECHO_FAILED },
			 &now_ms);
		put_frame();
	}
	put_end(RECORD_CUT, ECHO_RUNNING);
	assert_int_equal(read_all(file, file_size), RECORD_END);
	for (unsigned kind = 0; kind < 3; kind++) {
		const uint8_t *first = file + head, *second = first + frame, *rest = second + frame;
		size_t size = head;

		memcpy(other, file, head);
		memcpy(other + size, kind == 0 || kind == 2 ? second : first, frame);
		size += frame;
		if (kind != 0) {
			memcpy(other + size, first, frame);
			size += frame;
		}
		if (kind == 1) {
			memcpy(other + size, second, frame);
			size += frame;
		}
		memcpy(other + size, rest, (size_t)(file + file_size - rest));
		size += (size_t)(file + file_size - rest);
		check_refused(other, size, kinds[kind], size);
		assert_string_equal(recording.error, "the checksum of this frame is wrong");
		assert_int_equal(recording.offset, kind == 1 ? head + frame : head);
	}
}

/* A file whose only records are these bytes, with the right checksums. */
static void check_made_up(const char *error, const uint8_t *bytes, size_t size)
{
	put_head(&small, 0);
	memcpy(payload, bytes, size);
	payload_size = size;
	put_frame();
	check_refused(file, file_size, error, size);
	assert_string_equal(recording.error, error);
}

#define CHECK_MADE_UP(error, ...) \
	check_made_up(error, (const uint8_t[]){ __VA_ARGS__ }, \
		      sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* ECHO-126: A damaged recording MUST be refused: and what the engine would trap on never reaches
 * it. */
static void what_no_engine_takes_is_refused(void **state)
{
	enum { WAIT = ECHO_OP_WAIT, READ = ECHO_OP_READ, DONE = ECHO_DONE << 4 };

	(void)state;
	CHECK_MADE_UP("an outcome that there is not", ECHO_OP_ACCEPT);
	CHECK_MADE_UP("an outcome that there is not", 0xff);
	CHECK_MADE_UP("an outcome that there is not", 0xa0);                 /* of a fill */
	CHECK_MADE_UP("a number beyond its limit", READ | DONE, 0, 1, 5, 6); /* 6 of 5 bytes */
	CHECK_MADE_UP("a transfer of no bytes", READ | DONE, 0, 1, 5, 0);
	CHECK_MADE_UP("a transfer of no bytes", ECHO_OP_DISCARD | DONE, 0, 1, 5, 0);
	CHECK_MADE_UP("a number beyond its limit", WAIT | DONE, 0, 1, 0, 0, 2, 0, 1, 0,
		      1); /* 2 of 1 */
	CHECK_MADE_UP("a number beyond its limit", WAIT | DONE, 0, 65, 0, 0, 0);
	CHECK_MADE_UP("a number beyond its limit", WAIT | DONE, 0, 8, 8, 0, 0);
	CHECK_MADE_UP("a number beyond its limit", ECHO_OP_CLOSE | DONE, 0, 1, ECHO_REASON_COUNT);
	CHECK_MADE_UP("a number beyond its limit", ECHO_OP_WATCH | DONE, 0x80, 0x80, 0x80, 0x80,
		      0x10);
	CHECK_MADE_UP("a number beyond its limit", WAIT | DONE, 0, 8, 0, 0xff, 0xff, 0xff, 0xff,
		      0xff, 0xff, 0xff, 0xff, 0xff, 2);
	CHECK_MADE_UP("a record that its frame does not end", WAIT | DONE, 0, 8, 0);
	CHECK_MADE_UP("a record that its frame does not end", ECHO_OP_WATCH | DONE, 0, 0x81);
	CHECK_MADE_UP("a mark at the end that there is not", 0);
	CHECK_MADE_UP("a mark at the end that there is not", RECORD_END_COUNT << 4);
	CHECK_MADE_UP("a number beyond its limit", RECORD_STOPPED << 4, ECHO_DEFUNCT + 1);
	CHECK_MADE_UP("more after the mark at the end", RECORD_CUT << 4, 0);
	CHECK_MADE_UP("it ends here without a mark", ECHO_OP_REPORT | DONE);
}

/* ECHO-126: A damaged recording MUST be refused: the memory of its engine is bounded. */
static void a_configuration_that_no_server_has_is_refused(void **state)
{
	struct echo_config config = small;

	(void)state;
	config.connections_max = 0;
	put_head(&config, 0);
	check_refused(file, file_size, "slots", 0);
	assert_string_equal(recording.error, "a configuration that no server has");
	config.connections_max = ECHO_CONNECTIONS_LIMIT;
	config.buffers_max = ECHO_BUFFERS_LIMIT;
	config.buffer_size = ECHO_BUFFER_SIZE_LIMIT;
	put_head(&config, 0);
	check_refused(file, file_size, "memory", 0);
	assert_string_equal(recording.error, "a configuration that no server has");
	config = small;
	config.events_max = RECORD_EVENTS_MAX + 1;
	put_head(&config, 0);
	check_refused(file, file_size, "events", 0);
	assert_string_equal(recording.error, "a number beyond its limit");
}

/* ECHO-126: A damaged recording MUST be refused: one of another version is told from other
 * files. */
static void other_files_are_told_apart(void **state)
{
	(void)state;
	check_refused((const uint8_t *)"", 0, "nothing", 0);
	assert_string_equal(recording.error, "it is empty: nothing was recorded");
	check_refused((const uint8_t *)"#!/bin/sh\n", 10, "script", 0);
	assert_string_equal(recording.error, "it is no recording");
	check_refused((const uint8_t *)"epoll-echo recording 2\n", 23, "version", 0);
	assert_string_equal(recording.error, "it is a recording of another version");
}

/* ECHO-126: A damaged recording MUST be refused: the checksum is the known one, of known bytes. */
static void the_checksum_is_crc_32(void **state)
{
	(void)state;
	assert_int_equal(record_crc(0, (const uint8_t *)"123456789", 9), 0xcbf43926);
	assert_int_equal(record_crc(record_crc(0, (const uint8_t *)"1234", 4),
				    (const uint8_t *)"56789", 5),
			 0xcbf43926);
}

/* ECHO-120: A recording MUST lead to the same actions: where there is no room, nothing is
 * written. */
static void without_room_nothing_is_written(void **state)
{
	struct echo_event events[RECORD_EVENTS_MAX];
	struct echo_action action = { .op = ECHO_OP_WAIT,
				      .timeout_ms = INT32_MAX,
				      .events_max = 64 };
	struct echo_result result = { .outcome = ECHO_DONE,
				      .requests = 7,
				      .now_ms = UINT64_MAX / 2,
				      .events_count = RECORD_EVENTS_MAX,
				      .events = events };
	uint8_t bytes[RECORD_STEP_MAX + 1];
	uint64_t now_ms = 0;

	(void)state;
	for (size_t i = 0; i < RECORD_EVENTS_MAX; i++)
		events[i] = (struct echo_event){ UINT64_MAX, UINT32_MAX };
	for (size_t room = 0; room < RECORD_STEP_MAX; room++) {
		memset(bytes, 0xa5, sizeof(bytes));
		assert_int_equal(record_put(bytes, room, &action, &result, &now_ms), 0);
		assert_int_equal(bytes[room], 0xa5);
		assert_int_equal(now_ms, 0);
	}
	assert_int_equal(record_put(bytes, RECORD_STEP_MAX, &action, &result, &now_ms),
			 RECORD_STEP_MAX);
	assert_int_equal(now_ms, UINT64_MAX / 2);
}

static void check_name(const char *pattern, const char *name)
{
	char made[32];

	assert_true(record_name(made, sizeof(made), pattern, 4711));
	assert_string_equal(made, name);
}

/* ECHO-125: A file that cannot be opened MUST be named: and %p in its name is the process. */
static void names_hold_the_process(void **state)
{
	char made[8];

	(void)state;
	check_name("run", "run");
	check_name("%p", "4711");
	check_name("run.%p-%p", "run.4711-4711");
	check_name("100%%", "100%");
	check_name("%%p%p%%x", "%p4711%x");
	assert_false(record_name(made, sizeof(made), "", 1));
	assert_false(record_name(made, sizeof(made), "%", 1));
	assert_false(record_name(made, sizeof(made), "a%", 1));
	assert_false(record_name(made, sizeof(made), "%q", 1));
	assert_false(record_name(made, sizeof(made), "%%%", 1));
	assert_true(record_name(made, sizeof(made), "1234567", 1));
	assert_false(record_name(made, sizeof(made), "12345678", 1));
	assert_false(record_name(made, sizeof(made), "12345%p", 4711));
}

/* The helper process. */

static char folder[64], path[128];

static int make_folder(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the server does */
	snprintf(folder, sizeof(folder), "%s/test_record.XXXXXX",
		 access("/tmp", W_OK) == 0 ? "/tmp" : ".");
	snprintf(path, sizeof(path), "%s/run", mkdtemp(folder) != NULL ? folder : ".");
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void read_file(void)
{
	FILE *in = fopen(path, "rb");

	assert_non_null(in);
	file_size = fread(file, 1, sizeof(file), in);
	fclose(in);
}

static struct recorder recorder;

/* Records a run of so many steps at most; why the recording ended early, or NULL. The run goes
 * on. */
static const char *record_live(struct run *run, uint32_t steps)
{
	struct echo_action action;
	const char *ended = NULL;

	while (steps-- > 0 && ended == NULL && echo_next(run->engine, &action)) {
		struct echo_result result = made_up(run, &action);

		result.requests = 0;
		ended = recorder_add(&recorder, &action, &result);
		echo_complete(run->engine, &action, &result);
	}
	return ended;
}

static void begin_live(struct run *run, uint64_t size_max)
{
	begin(run, 5);
	assert_null(recorder_open(&recorder, path, size_max));
	recorder_start(&recorder, &small, run->now_ms);
}

static void check_file(enum record_end how)
{
	read_file();
	assert_int_equal(replay_file(NULL), REPLAY_SAME);
	assert_int_equal(replay.recording.how, how);
}

/* ECHO-123: A recording MUST tell how it ended: here it did in order, and holds every step. */
static void a_recording_is_written(void **state)
{
	struct run run;

	(void)state;
	begin_live(&run, RECORD_SIZE_MAX);
	assert_null(record_live(&run, RUN_STEPS));
	assert_true(recorder.on);
	free(run.memory);
	assert_null(recorder_close(&recorder, ECHO_ABORTED));
	read_file();
	assert_int_equal(replay_file(NULL), REPLAY_DIFFERS); /* this engine has not stopped */
	assert_string_equal(replay.difference, "end");
	assert_int_equal(replay.steps, RUN_STEPS);
	assert_int_equal(replay.recording.how, RECORD_STOPPED);
	assert_int_equal(replay.recording.ending, ECHO_ABORTED);
}

/* ECHO-124: A recording MUST NOT be larger than its largest size: it ends there with a mark. */
static void a_recording_has_a_largest_size(void **state)
{
	struct run run;

	(void)state;
	begin_live(&run, 20000);
	assert_string_equal(record_live(&run, UINT32_MAX), "it has reached its largest size");
	assert_false(recorder.on);
	free(run.memory);
	assert_null(recorder_close(&recorder, ECHO_RUNNING));
	check_file(RECORD_FULL);
	assert_in_range(file_size, 10000, 20000);
}

/* ECHO-122: A stalled disk MUST NOT stall the echo: the recording ends before a gap, with a mark
 * that is written when the disk goes on, and holds every step up to there. */
static void a_stalled_helper_ends_the_recording(void **state)
{
	struct run run;

	(void)state;
	begin_live(&run, RECORD_SIZE_MAX);
	assert_int_equal(kill(recorder.helper, SIGSTOP), 0);
	assert_string_equal(record_live(&run, UINT32_MAX), "the file is written too slowly");
	assert_false(recorder.on);
	assert_int_equal(kill(recorder.helper, SIGCONT), 0);
	free(run.memory);
	assert_null(recorder_close(&recorder, ECHO_RUNNING));
	check_file(RECORD_OVERFLOW);
	assert_true(replay.steps > 1000);
}

/* ECHO-122: A stalled disk MUST NOT stall the echo: nor its end, for more than a while; and what
 * was recorded by then is written when the disk goes on. */
static void a_stalled_helper_does_not_hold_up_the_end(void **state)
{
	struct run run;
	const char *ended;

	(void)state;
	begin_live(&run, RECORD_SIZE_MAX);
	assert_int_equal(kill(recorder.helper, SIGSTOP), 0);
	assert_string_equal(record_live(&run, UINT32_MAX), "the file is written too slowly");
	free(run.memory);
	ended = recorder_close(&recorder, ECHO_RUNNING);
	assert_int_equal(kill(recorder.helper, SIGCONT), 0);
	assert_string_equal(ended, "it was not complete yet when the server ended");
	assert_int_equal(waitpid(recorder.helper, NULL, 0),
			 -1); /* it is gone, and leaves no zombie */
	check_file(RECORD_OVERFLOW);
}

/* ECHO-123: A recording MUST tell how it ended: a server that dies leaves every step, also those
 * that were only gathered, and the mark that says so. */
static void a_server_that_dies_leaves_every_step(void **state)
{
	struct run run;
	pid_t server;
	int status;

	(void)state;
	signal(SIGCHLD, SIG_DFL);
	for (uint32_t steps = 1; steps < 3000; steps += 733) {
		assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
		server = fork();
		assert_true(server >= 0);
		if (server == 0) {
			begin_live(&run, RECORD_SIZE_MAX);
			record_live(&run, steps);
			raise(SIGKILL);
		}
		assert_int_equal(waitpid(server, &status, 0), server);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		/* Its helper is a child of ours now, if it has not ended before. */
		while (waitpid(-1, NULL, 0) > 0)
			;
		assert_int_equal(errno, ECHILD);
		check_file(RECORD_CUT);
		assert_int_equal(replay.steps, steps);
	}
}

/* ECHO-122: A disk that is full MUST NOT stall the echo: the reason is told. */
static void a_full_disk_ends_the_recording(void **state)
{
	struct run run;

	(void)state;
	begin(&run, 5);
	assert_null(recorder_open(&recorder, "/dev/full", RECORD_SIZE_MAX));
	recorder_start(&recorder, &small, run.now_ms);
	assert_string_equal(record_live(&run, UINT32_MAX), strerror(ENOSPC));
	assert_false(recorder.on);
	free(run.memory);
	assert_null(recorder_close(&recorder, ECHO_RUNNING));
}

/* ECHO-122: A disk that is full MUST NOT stall the echo: a helper that was killed is told as
 * well. */
static void a_helper_that_is_gone_ends_the_recording(void **state)
{
	struct run run;

	(void)state;
	begin_live(&run, RECORD_SIZE_MAX);
	assert_int_equal(kill(recorder.helper, SIGKILL), 0);
	assert_string_equal(record_live(&run, UINT32_MAX), "the process that writes it is gone");
	assert_false(recorder.on);
	free(run.memory);
	assert_null(recorder_close(&recorder, ECHO_RUNNING));
}

/* ECHO-125: A file that cannot be opened MUST be told, with the reason; nobody waits for a FIFO. */
static void a_file_that_cannot_be_opened_is_told(void **state)
{
	(void)state;
	assert_string_equal(recorder_open(&recorder, "/nonexistent/run", RECORD_SIZE_MAX),
			    strerror(ENOENT));
	assert_string_equal(recorder_open(&recorder, "/", RECORD_SIZE_MAX), strerror(EISDIR));
	assert_null(recorder_close(&recorder, ECHO_RUNNING));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_run_replays),
		cmocka_unit_test(a_seed_is_the_same_run),
		cmocka_unit_test(what_fits_no_seed_is_told),
		cmocka_unit_test(another_action_is_told),
		cmocka_unit_test(another_end_is_told),
		cmocka_unit_test(a_truncated_recording_is_refused),
		cmocka_unit_test(a_damaged_recording_is_refused),
		cmocka_unit_test(lost_and_moved_frames_are_noticed),
		cmocka_unit_test(what_no_engine_takes_is_refused),
		cmocka_unit_test(a_configuration_that_no_server_has_is_refused),
		cmocka_unit_test(other_files_are_told_apart),
		cmocka_unit_test(the_checksum_is_crc_32),
		cmocka_unit_test(without_room_nothing_is_written),
		cmocka_unit_test(names_hold_the_process),
		cmocka_unit_test(a_recording_is_written),
		cmocka_unit_test(a_recording_has_a_largest_size),
		cmocka_unit_test(a_stalled_helper_ends_the_recording),
		cmocka_unit_test(a_stalled_helper_does_not_hold_up_the_end),
		cmocka_unit_test(a_server_that_dies_leaves_every_step),
		cmocka_unit_test(a_full_disk_ends_the_recording),
		cmocka_unit_test(a_helper_that_is_gone_ends_the_recording),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests_name("record", tests, make_folder, remove_folder);
}
