/*
 * Property: any bytes are read as a recording, step by step, or refused with an error that names a
 * byte of them; nothing outside of them is read, and work and memory are bounded. Each step that is
 * read is one that can be written and read again, and the engine takes it: it never traps on what
 * it is told, and holds its invariant. A run that is replayed to its end is the same in the smaller
 * configuration of a seed.
 *
 * Fuzzers cannot find checksums. So each input is read as it is, and once more with all of its
 * checksums put right.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "oracle.h"
#include "record/replay.h"
#include "record/seed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct replay replay;
static struct record_step step;

static void check_error(const struct recording *r, size_t size)
{
	CHECK(r->error != NULL && r->error[0] != '\0', "error-unnamed");
	CHECK(r->offset <= size, "error-outside");
}

static bool same(const struct record_step *a, const struct record_step *b)
{
	for (uint32_t i = 0; i < a->result.events_count; i++)
		if (a->events[i].token != b->events[i].token ||
		    a->events[i].readiness != b->events[i].readiness)
			return false;
	return a->action.op == b->action.op && a->action.token == b->action.token &&
	       a->action.length == b->action.length && a->action.reason == b->action.reason &&
	       a->action.timeout_ms == b->action.timeout_ms &&
	       a->action.events_max == b->action.events_max &&
	       a->result.outcome == b->result.outcome && a->result.count == b->result.count &&
	       a->result.requests == b->result.requests && a->result.now_ms == b->result.now_ms &&
	       a->result.events_count == b->result.events_count;
}

/* What was read is written, and read as the same. */
static void check_again(const struct record_step *read, uint64_t before_ms)
{
	static struct record_step second;
	uint8_t bytes[RECORD_STEP_MAX];
	uint64_t now_ms = before_ms;
	size_t size = record_put(bytes, sizeof(bytes), &read->action, &read->result, &now_ms);
	struct recording again = {
		.start = bytes, .record = bytes, .records_end = bytes + size, .now_ms = before_ms
	};

	CHECK(size > 0, "step-too-long");
	CHECK(recording_next(&again, &second) == RECORD_STEP, "step-unreadable");
	CHECK(again.record == again.records_end, "step-left-over");
	CHECK(same(read, &second), "step-changes");
}

/* All records, whatever an engine thinks of them. */
static void check_reading(const struct recording *opened, size_t size)
{
	struct recording r = *opened;
	enum record_outcome outcome;
	size_t steps = 0;
	uint64_t before_ms = r.now_ms;

	while ((outcome = recording_next(&r, &step)) == RECORD_STEP) {
		CHECK(++steps <= size, "steps-unbounded");
		check_again(&step, before_ms);
		before_ms = r.now_ms;
	}
	if (outcome == RECORD_WRONG)
		check_error(&r, size);
	else
		CHECK(r.how >= RECORD_STOPPED && r.how < RECORD_END_COUNT, "end-unknown");
}

/* Replays in this configuration; the outcome. */
static enum replay_outcome run(const struct recording *opened, const struct echo_config *config)
{
	size_t size = replay_memory_size(config);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	enum replay_outcome outcome = REPLAY_WRONG;
	const char *broken = NULL;

	if (memory == MAP_FAILED)
		return outcome;
	replay_start(&replay, opened, config, memory);
	while (broken == NULL && (outcome = replay_next(&replay)) == REPLAY_STEP) {
		replay_complete(&replay);
		broken = echo_invariant(replay.engine);
	}
	if (broken != NULL)
		oracle(broken, "step %lu", (unsigned long)replay.steps);
	munmap(memory, size);
	return outcome;
}

static void check_seed(const struct recording *opened)
{
	struct echo_config config;
	uint64_t steps = replay.steps;

	if (seed_config(&replay, &config) != NULL)
		return;
	CHECK(run(opened, &config) == REPLAY_SAME && replay.steps == steps, "seed-is-another-run");
}

static void check(const uint8_t *data, size_t size)
{
	struct recording opened;

	if (!recording_open(&opened, data, size)) {
		check_error(&opened, size);
		return;
	}
	CHECK(echo_memory_size(&opened.config) <= RECORD_MEMORY_MAX, "memory-unbounded");
	check_reading(&opened, size);
	if (run(&opened, &opened.config) == REPLAY_SAME)
		check_seed(&opened);
}

static void put_checksums_right(uint8_t *data, size_t size)
{
	uint32_t crc = record_crc(0, data, size < RECORD_MAGIC_SIZE ? size : RECORD_MAGIC_SIZE);
	size_t at = RECORD_MAGIC_SIZE;

	while (at + RECORD_LENGTH_SIZE <= size) {
		size_t length = RECORD_LENGTH_SIZE + data[at] + ((size_t)data[at + 1] << 8);

		if (at + length + RECORD_CRC_SIZE > size)
			break;
		crc = record_crc(crc, data + at, length);
		at += length;
		for (unsigned i = 0; i < RECORD_CRC_SIZE; i++)
			data[at++] = (uint8_t)(crc >> (8 * i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *right = malloc(size);

	check(data, size);
	if (right != NULL && size > 0) {
		memcpy(right, data, size);
		put_checksums_right(right, size);
		check(right, size);
	}
	free(right);
	return 0;
}
