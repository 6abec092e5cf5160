/* Runs as data: their bytes, their text, and what is said of a text that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "steps/text.h"

enum { STEPS_OF_RUN = 40, RUNS = 2000, STRINGS = 20000, RUN_MAX = 65536, PRINT_MAX = 262144 };

/* A run that is not in bytes. */
struct run {
	struct echo_config config;
	uint64_t start_ms;
	uint32_t steps_count;
	struct step steps[STEPS_OF_RUN];
};

/* Chance (xorshift64): the same for the same seed. */

static uint64_t chance_state;

static void set_chance(uint64_t seed)
{
	chance_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t any(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return chance_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t end)
{
	return any() % end;
}

/* Of any magnitude, and often at its end. */
static uint64_t any_number(uint64_t most)
{
	uint64_t number = any() >> below(64);

	if (below(8) == 0)
		return most;
	return most == UINT64_MAX ? number : number % (most + 1);
}

static uint32_t any_u32(void)
{
	return (uint32_t)any_number(UINT32_MAX);
}

static uint32_t any_readiness(void)
{
	static const uint32_t bits[] = { ECHO_IN,  ECHO_OUT, ECHO_RDHUP,   ECHO_PRI,
					 ECHO_ERR, ECHO_HUP, STEPS_STRANGE };
	uint32_t readiness = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		if (below(2) == 0)
			readiness |= bits[i];
	return readiness;
}

static void any_step(struct step *step)
{
	memset(step, 0, sizeof(*step));
	step->op = (enum echo_op)(1 + below(ECHO_OP_COUNT - 1));
	step->outcome = (enum echo_outcome)(1 + below(ECHO_FAILED));
	if (steps_counts(step->op, step->outcome))
		step->count = any_u32();
	if (step->op != ECHO_OP_WAIT)
		return;
	step->passed_ms = (int64_t)any_number(INT64_MAX);
	if (below(4) == 0)
		step->passed_ms = -step->passed_ms - 1;
	step->requests = (uint32_t)below(8);
	step->events_count = (uint32_t)(below(9) == 0 ? STEPS_EVENTS_MAX : below(4));
	for (uint32_t i = 0; i < step->events_count; i++) {
		step->events[i].whom = (uint32_t)below(256);
		if (step->events[i].whom == STEPS_WHOM_TOKEN)
			step->events[i].token = any_number(UINT64_MAX);
		step->events[i].readiness = any_readiness();
	}
}

static void any_config(struct echo_config *config)
{
	*config = (struct echo_config){
		.connections_max = any_u32(),
		.buffers_max = any_u32(),
		.buffer_size = any_u32(),
		.turn_bytes = any_u32(),
		.round_bytes = any_u32(),
		.backlog_max = any_u32(),
		.events_max = any_u32(),
		.generation_bits = any_u32(),
		.idle_ms = any_number(UINT64_MAX),
		.drain_ms = any_number(UINT64_MAX),
		.quiet_ms = any_number(UINT64_MAX),
		.retry_min_ms = any_number(UINT64_MAX),
		.retry_max_ms = any_number(UINT64_MAX),
		.report_ms = any_number(UINT64_MAX),
	};
}

static void any_run(struct run *run)
{
	any_config(&run->config);
	steps_limit(&run->config);
	run->start_ms = any_number(UINT64_MAX);
	run->steps_count = (uint32_t)below(STEPS_OF_RUN + 1);
	for (uint32_t i = 0; i < run->steps_count; i++)
		any_step(&run->steps[i]);
}

/* Bytes and text. */

static size_t write_run(const struct run *run, uint8_t *bytes)
{
	size_t size = steps_put_head(bytes, RUN_MAX, &run->config, run->start_ms), took;

	assert_in_range(size, 1, STEPS_HEAD_MAX);
	for (uint32_t i = 0; i < run->steps_count; i++) {
		took = steps_put(bytes + size, RUN_MAX - size, &run->steps[i]);
		assert_in_range(took, 1, STEPS_STEP_MAX);
		size += took;
	}
	return size;
}

static void read_run(const uint8_t *bytes, size_t size, struct run *run)
{
	struct steps steps;

	memset(run, 0, sizeof(*run));
	assert_true(steps_open(&steps, bytes, size, &run->config, &run->start_ms));
	while (run->steps_count < STEPS_OF_RUN && steps_next(&steps, &run->steps[run->steps_count]))
		run->steps_count++;
}

static size_t print_run(const struct run *run, char *text)
{
	size_t len = steps_print_head(text, PRINT_MAX, &run->config, run->start_ms), took;

	assert_in_range(len, 1, STEPS_TEXT_HEAD_MAX - 1);
	for (uint32_t i = 0; i < run->steps_count; i++) {
		took = steps_print(text + len, PRINT_MAX - len, &run->steps[i]);
		assert_in_range(took, 1, STEPS_TEXT_STEP_MAX - 1);
		len += took;
	}
	assert_int_equal(text[len], '\0');
	return len;
}

static size_t parse_text(const char *text, uint8_t *bytes)
{
	struct steps_error error;
	size_t size;

	if (!steps_parse(text, strlen(text), bytes, RUN_MAX, &size, &error))
		fail_msg("refused at %u:%u: expected %s", (unsigned)error.line,
			 (unsigned)error.column, error.expected);
	assert_in_range(size, 1, strlen(text) + STEPS_HEAD_MAX);
	return size;
}

static void check_step(const struct step *step, const struct step *expected)
{
	assert_int_equal(step->op, expected->op);
	assert_int_equal(step->outcome, expected->outcome);
	assert_int_equal(step->count, expected->count);
	assert_true(step->passed_ms == expected->passed_ms);
	assert_int_equal(step->requests, expected->requests);
	assert_int_equal(step->events_count, expected->events_count);
	for (uint32_t i = 0; i < step->events_count; i++) {
		assert_int_equal(step->events[i].whom, expected->events[i].whom);
		assert_true(step->events[i].token == expected->events[i].token);
		assert_int_equal(step->events[i].readiness, expected->events[i].readiness);
	}
}

static void check_run(const struct run *run, const struct run *expected)
{
	assert_memory_equal(&run->config, &expected->config, sizeof(run->config));
	assert_true(run->start_ms == expected->start_ms);
	assert_int_equal(run->steps_count, expected->steps_count);
	for (uint32_t i = 0; i < run->steps_count; i++)
		check_step(&run->steps[i], &expected->steps[i]);
}

/* ECHO-130: what is written in bytes, and as text, is read as the same run. */
static void runs_come_back(void **state)
{
	static uint8_t bytes[RUN_MAX], again[RUN_MAX];
	static char text[PRINT_MAX], second[PRINT_MAX];
	static struct run run, back;
	size_t size, len;

	(void)state;
	for (uint64_t seed = 0; seed < RUNS; seed++) {
		set_chance(seed);
		any_run(&run);
		size = write_run(&run, bytes);
		read_run(bytes, size, &back);
		check_run(&back, &run);

		len = print_run(&run, text);
		assert_int_equal(parse_text(text, again), size);
		assert_memory_equal(again, bytes, size);
		read_run(again, size, &back);
		assert_int_equal(print_run(&back, second), len);
		assert_string_equal(second, text);
	}
}

/* A text that has every kind of step, and every number at one of its limits. */
static const char everything[] =
	"run 1\n"
	"slots 64\n"
	"buffers 16\n"
	"buffer-size 65536\n"
	"pipes 64\n"
	"turn-bytes 1073741824\n"
	"round-bytes 1\n"
	"backlog 16777216\n"
	"events 64\n"
	"generation-bits 1\n"
	"idle 18446744073709551615\n"
	"drain 0\n"
	"quiet 1\n"
	"retry-min 4294967295\n"
	"retry-max 4294967295\n"
	"report 7\n"
	"start 18446744073709551615\n"
	"\n"
	"wait 9223372036854775807 -> nothing\n"
	"wait -9223372036854775808 -> interrupted\n"
	"wait 0 -> listener IN, c0 IN|OUT|RDHUP|PRI|ERR|HUP|STRANGE, c253 NONE, "
	"token 0xffffffffffffffff OUT, token 0x0 HUP, stop, report, abort\n"
	"wait 1 -> broken, c1 IN, stop\n"
	"accept -> done\n"
	"accept -> no-descriptors\n"
	"pause -> gone\n"
	"resume -> failed\n"
	"unlisten -> done\n"
	"watch -> no-memory\n"
	"read -> 4294967295\n"
	"read -> all\n"
	"peek -> 1\n"
	"write -> would-block\n"
	"consume -> end\n"
	"discard -> all\n"
	"unacked -> 0\n"
	"unacked -> 4294967295\n"
	"shutdown -> done\n"
	"close -> done\n"
	"report -> done\n"
	"fill -> 1\n"
	"fill -> end\n"
	"empty -> would-block\n"
	"empty -> all\n"
	"purge -> all\n"
	"purge -> failed\n";

/* ECHO-130: the text is the one that its header documents, and reading and printing it changes
 * nothing. */
static void text_is_as_documented(void **state)
{
	static uint8_t bytes[RUN_MAX];
	static char text[PRINT_MAX];
	static struct run run;
	size_t size;

	(void)state;
	size = parse_text(everything, bytes);
	read_run(bytes, size, &run);
	print_run(&run, text);
	assert_string_equal(text, everything);

	assert_int_equal(run.config.connections_max, 64);
	assert_int_equal(run.config.buffer_size, 65536);
	assert_true(run.config.idle_ms == UINT64_MAX);
	assert_true(run.start_ms == UINT64_MAX);
	assert_int_equal(run.steps_count, 27);
	assert_true(run.steps[0].passed_ms == INT64_MAX);
	assert_true(run.steps[1].passed_ms == INT64_MIN);
	assert_int_equal(run.steps[1].outcome, ECHO_INTERRUPTED);
	assert_int_equal(run.steps[2].events_count, 5);
	assert_int_equal(run.steps[2].events[0].whom, STEPS_WHOM_LISTENER);
	assert_int_equal(run.steps[2].events[2].readiness, 0);
	assert_true(run.steps[2].events[3].token == UINT64_MAX);
	assert_int_equal(run.steps[2].requests,
			 ECHO_REQUEST_STOP | ECHO_REQUEST_REPORT | ECHO_REQUEST_ABORT);
	assert_int_equal(run.steps[10].op, ECHO_OP_READ);
	assert_int_equal(run.steps[10].count, UINT32_MAX);
	assert_int_equal(run.steps[11].count, 0);
	assert_int_equal(run.steps[20].op, ECHO_OP_REPORT);
	assert_int_equal(run.steps[26].op, ECHO_OP_PURGE);
}

/* ECHO-130: lines of the configuration may be missing, and stand in any order. */
static void configuration_has_usual_values(void **state)
{
	static const char usual[] = "run 1\nslots 4\nbuffers 4\nbuffer-size 64\npipes 0\n"
				    "turn-bytes 16384\n"
				    "round-bytes 65536\nbacklog 8\nevents 16\ngeneration-bits 32\n"
				    "idle 0\ndrain 5000\nquiet 250\nretry-min 100\nretry-max 1000\n"
				    "report 0\nstart 0\n\n";
	static uint8_t bytes[RUN_MAX], reversed[RUN_MAX];
	static char text[PRINT_MAX];
	static struct run run;
	size_t size;

	(void)state;
	read_run(bytes, parse_text("run 1", bytes), &run);
	print_run(&run, text);
	assert_string_equal(text, usual);

	size = parse_text("run 1\nretry-max 7\nretry-min 6\nslots 5\nread -> all", bytes);
	assert_int_equal(parse_text("run 1\nslots 5\nretry-min 6\nretry-max 7\nread -> all",
				    reversed),
			 size);
	assert_memory_equal(bytes, reversed, size);
}

/* ECHO-130: blanks, comments and the ends of lines mean nothing. */
static void layout_means_nothing(void **state)
{
	static uint8_t bytes[RUN_MAX], plain[RUN_MAX];
	size_t size;

	(void)state;
	size = parse_text("run 1\nreport 5\nreport -> done\nwait 5 -> c0 IN, stop\nread -> 5\n",
			  plain);
	assert_int_equal(
		parse_text("# ECHO-26: a heading\r\n\r\n\trun  1 # first\r\n report 5\n#\n"
			   "\n report\t-> done #\nwait 5 ->  c0   IN ,stop\n\n\nread -> 5 # x",
			   bytes),
		size);
	assert_memory_equal(bytes, plain, size);
}

/* ECHO-130: there is room for the longest that can be printed, and less room is told, not
 * overrun. */
static void room_is_kept(void **state)
{
	static char text[STEPS_TEXT_STEP_MAX + 1];
	static uint8_t bytes[STEPS_STEP_MAX + 1];
	static struct run run;
	struct step *step = &run.steps[0];
	size_t len, size;

	(void)state;
	*step = (struct step){ .op = ECHO_OP_WAIT,
			       .outcome = ECHO_NO_DESCRIPTORS,
			       .passed_ms = INT64_MIN,
			       .requests = 7,
			       .events_count = STEPS_EVENTS_MAX };
	for (uint32_t i = 0; i < STEPS_EVENTS_MAX; i++)
		step->events[i] = (struct steps_event){ UINT64_MAX, STEPS_WHOM_TOKEN, UINT32_MAX };
	len = steps_print(text, STEPS_TEXT_STEP_MAX, step);
	assert_in_range(len, 1, STEPS_TEXT_STEP_MAX - 1);
	assert_int_equal(steps_print(text, len + 1, step), len);
	size = steps_put(bytes, STEPS_STEP_MAX, step);
	assert_in_range(size, 1, STEPS_STEP_MAX);
	for (size_t room = 0; room <= len; room++) {
		text[room] = 'x';
		assert_int_equal(steps_print(text, room, step), 0);
		assert_int_equal(text[room], 'x');
	}
	for (size_t room = 0; room < size; room++) {
		bytes[room] = 0xa5;
		assert_int_equal(steps_put(bytes, room, step), 0);
		assert_int_equal(bytes[room], 0xa5);
	}

	memset(&run.config, 0xff, sizeof(run.config));
	size = steps_put_head(bytes, STEPS_HEAD_MAX, &run.config, UINT64_MAX);
	assert_in_range(size, 1, STEPS_HEAD_MAX);
	assert_int_equal(steps_put_head(bytes, size - 1, &run.config, UINT64_MAX), 0);
	len = steps_print_head(text, STEPS_TEXT_HEAD_MAX, &run.config, UINT64_MAX);
	assert_in_range(len, 1, STEPS_TEXT_HEAD_MAX - 1);
	assert_int_equal(steps_print_head(text, len, &run.config, UINT64_MAX), 0);
}

static void check_limits(const struct echo_config *config)
{
	assert_in_range(config->connections_max, 1, STEPS_CONNECTIONS_MAX);
	assert_in_range(config->buffers_max, 0, STEPS_BUFFERS_MAX);
	assert_in_range(config->buffer_size, 1, STEPS_BUFFER_SIZE_MAX);
	assert_in_range((uint64_t)config->buffers_max * config->buffer_size, 0,
			STEPS_POOL_BYTES_MAX);
	assert_in_range(config->events_max, 1, STEPS_EVENTS_MAX);
	assert_true(echo_memory_size(config) > 0);
}

static void check_sane(const struct step *step)
{
	assert_in_range(step->op, ECHO_OP_WAIT, ECHO_OP_COUNT - 1);
	assert_in_range(step->outcome, ECHO_DONE, ECHO_FAILED);
	assert_in_range(step->requests, 0, 7);
	assert_in_range(step->events_count, 0, STEPS_EVENTS_MAX);
	if (step->op != ECHO_OP_WAIT) {
		assert_true(step->passed_ms == 0);
		assert_int_equal(step->requests, 0);
		assert_int_equal(step->events_count, 0);
	}
	if (!steps_counts(step->op, step->outcome))
		assert_int_equal(step->count, 0);
	for (uint32_t i = 0; i < step->events_count; i++) {
		assert_in_range(step->events[i].whom, 0, STEPS_WHOM_TOKEN);
		if (step->events[i].whom != STEPS_WHOM_TOKEN)
			assert_true(step->events[i].token == 0);
	}
}

/* ECHO-131: whatever follows the version and is long enough is a run, inside all limits, with an
 * end. */
static void any_bytes_are_a_run(void **state)
{
	uint8_t bytes[300];
	struct echo_config config;
	struct steps steps;
	struct step step;
	uint64_t start_ms;

	(void)state;
	for (uint64_t seed = 0; seed < STRINGS; seed++) {
		size_t size = sizeof(bytes), steps_count = 0;

		set_chance(seed);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(below(3) == 0 ? below(16) : any());
		bytes[0] = STEPS_VERSION;
		assert_true(steps_open(&steps, bytes, size, &config, &start_ms));
		check_limits(&config);
		for (; steps_next(&steps, &step); steps_count++)
			check_sane(&step);
		assert_in_range(steps_count, 0, size);
		assert_false(steps_next(&steps, &step));
	}
}

/* ECHO-131: what is shorter than a configuration, or of another version, is refused. */
static void other_bytes_are_refused(void **state)
{
	uint8_t head[STEPS_HEAD_MAX];
	struct echo_config config = { 0 };
	struct steps steps;
	uint64_t start_ms;
	size_t size;

	(void)state;
	steps_limit(&config);
	check_limits(&config);
	size = steps_put_head(head, sizeof(head), &config, UINT64_MAX);
	assert_true(steps_open(&steps, head, size, &config, &start_ms));
	assert_true(start_ms == UINT64_MAX);
	for (size_t cut = 0; cut < size; cut++)
		assert_false(steps_open(&steps, head, cut, &config, &start_ms));
	for (uint32_t version = 0; version < 256; version++) {
		head[0] = (uint8_t)version;
		assert_int_equal(steps_open(&steps, head, size, &config, &start_ms),
				 version == STEPS_VERSION);
	}
}

/* ECHO-131: of a run that is cut off, the steps that are whole are read. */
static void cut_runs_keep_their_whole_steps(void **state)
{
	static uint8_t bytes[RUN_MAX];
	static struct run run, back;
	size_t ends[STEPS_OF_RUN + 1], size;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		set_chance(seed);
		any_run(&run);
		size = write_run(&run, bytes);
		ends[0] = steps_put_head(bytes, RUN_MAX, &run.config, run.start_ms);
		for (uint32_t i = 0; i < run.steps_count; i++)
			ends[i + 1] = ends[i] + steps_put(bytes + ends[i], RUN_MAX, &run.steps[i]);
		assert_int_equal(ends[run.steps_count], size);
		for (size_t cut = ends[0]; cut <= size; cut++) {
			uint32_t whole = 0;

			while (whole < run.steps_count && ends[whole + 1] <= cut)
				whole++;
			read_run(bytes, cut, &back);
			assert_int_equal(back.steps_count, whole);
			for (uint32_t i = 0; i < whole; i++)
				check_step(&back.steps[i], &run.steps[i]);
		}
	}
}

/* ECHO-131: numbers that are longer than they need, or than fits, and counts that exceed their
 * limit. */
static void strange_numbers_are_read(void **state)
{
	static const uint8_t padded[] = { ECHO_OP_READ | ECHO_DONE << 4, 0x85, 0x80, 0x80, 0x00 };
	static const uint8_t huge[] = { ECHO_OP_READ | ECHO_DONE << 4,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff,
					0xff };
	static const uint8_t wide[] = {
		ECHO_OP_READ | ECHO_DONE << 4, 0x85, 0x80, 0x80, 0x80, 0x10
	};
	uint8_t many[4 + 2 * (STEPS_EVENTS_MAX + 1)] = { ECHO_OP_WAIT | ECHO_DONE << 4, 0, 0x8f,
							 0x04 };
	struct steps steps = { padded, padded + sizeof(padded) };
	struct step step;

	(void)state;
	assert_true(steps_next(&steps, &step));
	assert_int_equal(step.count, 5);
	assert_false(steps_next(&steps, &step));

	steps = (struct steps){ huge, huge + sizeof(huge) };
	assert_true(steps_next(&steps, &step));
	assert_int_equal(step.count, UINT32_MAX);
	assert_false(steps_next(&steps, &step));

	/* Not 5, though that is what its low bits are. */
	steps = (struct steps){ wide, wide + sizeof(wide) };
	assert_true(steps_next(&steps, &step));
	assert_int_equal(step.count, UINT32_MAX);

	/* 65 events were announced: the last one is none, and its bytes are a step. */
	steps = (struct steps){ many, many + sizeof(many) };
	assert_true(steps_next(&steps, &step));
	assert_int_equal(step.requests, 7);
	assert_int_equal(step.events_count, STEPS_EVENTS_MAX);
	assert_int_equal(steps.end - steps.at, 2);
}

struct mistake {
	const char *text;
	uint32_t line, column;
	const char *expected; /* part of it */
};

static const struct mistake mistakes[] = {
	/* The head. */
	{ "", 1, 1, "'run 1'" },
	{ "# only a comment\n\n", 3, 1, "'run 1'" },
	{ "slots 4\nrun 1\n", 1, 1, "'run 1'" },
	{ "run 2\n", 1, 5, "a version from 1 to 1" },
	{ "run\n", 1, 4, "a version" },
	{ "run 1 2\n", 1, 7, "the end of the line" },
	{ "run 1\nrun 1\n", 2, 1, "a line of the configuration such as 'slots 4', or a step" },
	{ "run 1\nslot 4\n", 2, 1, "a line of the configuration" },
	{ "run 1\nslots\n", 2, 6, "a number from 1 to 64" },
	{ "run 1\nslots 0\n", 2, 7, "a number from 1 to 64" },
	{ "run 1\nslots 65\n", 2, 7, "a number from 1 to 64" },
	{ "run 1\nslots 4K\n", 2, 7, "a number from 1 to 64" },
	{ "run 1\nslots -4\n", 2, 1, "a line of the configuration" },
	{ "run 1\nslots 4 4\n", 2, 9, "the end of the line" },
	{ "run 1\nslots 4\n\nslots 4\n", 4, 1, "slots once; it stands in line 2" },
	{ "run 1\nbuffers 65\n", 2, 9, "a number from 0 to 64" },
	{ "run 1\nbuffer-size 65537\n", 2, 13, "from 1 to 65536" },
	{ "run 1\nturn-bytes 1073741825\n", 2, 12, "from 1 to 1073741824" },
	{ "run 1\nround-bytes 0\n", 2, 13, "from 1 to 1073741824" },
	{ "run 1\nbacklog 16777217\n", 2, 9, "from 1 to 16777216" },
	{ "run 1\nevents 65\n", 2, 8, "from 1 to 64" },
	{ "run 1\ngeneration-bits 33\n", 2, 17, "from 1 to 32" },
	{ "run 1\nidle 18446744073709551616\n", 2, 6, "from 0 to 18446744073709551615" },
	{ "run 1\nidle 99999999999999999999\n", 2, 6, "from 0 to 18446744073709551615" },
	{ "run 1\nquiet 0\n", 2, 7, "from 1 to 18446744073709551615" },
	{ "run 1\nretry-min 4294967296\n", 2, 11, "from 1 to 4294967295" },
	{ "run 1\nretry-min 20\nretry-max 10\n", 3, 11, "a retry-min that does not exceed" },
	{ "run 1\nretry-max 10\nretry-min 20\nread -> 1\n", 3, 11, "a retry-min that does not" },
	{ "run 1\nretry-min 1001\nread -> 1\n", 2, 11, "a retry-min that does not exceed" },
	{ "run 1\nbuffers 17\nbuffer-size 65536\n", 3, 13, "no more than 1048576 bytes" },
	{ "run 1\nbuffer-size 65536\n  buffers  17\n\n", 3, 12, "no more than 1048576 bytes" },

	/* Steps. */
	{ "run 1\nread -> 5\nslots 4\n", 3, 1, "a step such as 'read -> 5'" },
	{ "run 1\nreed -> 5\n", 2, 1, "a step such as" },
	{ "run 1\nnone -> done\n", 2, 1, "a step such as" },
	{ "run 1\nREAD -> 5\n", 2, 1, "a step such as" },
	{ "run 1\nread->5\n", 2, 1, "a step such as" },
	{ "run 1\nread 5\n", 2, 6, "'->' and what came of it" },
	{ "run 1\nread ->5\n", 2, 6, "'->' and what came of it" },
	{ "run 1\nread\n", 2, 5, "'->' and what came of it" },
	{ "run 1\nread -> 0\n", 2, 9, "a count from 1 to 4294967295, 'all'" },
	{ "run 1\nread -> 4294967296\n", 2, 9, "a count from 1 to 4294967295" },
	{ "run 1\nread -> done\n", 2, 9, "or an outcome such as 'would-block'" },
	{ "run 1\nread ->\n", 2, 8, "a count from" },
	{ "run 1\nread -> # 5\n", 2, 9, "a count from" },
	{ "run 1\nread -> 5 6\n", 2, 11, "the end of the line" },
	{ "run 1\nread -> 5#6\n", 2, 9, "a count from" },
	{ "run 1\nread -> 5# 6\n", 2, 9, "a count from" },
	{ "run 1\nread -> 5 #6\n", 2, 11, "the end of the line" },
	{ "run 1\nunacked -> all\n", 2, 12, "a count from 0 to 4294967295 or an outcome" },
	{ "run 1\naccept -> 5\n", 2, 11, "'done', or an outcome such as" },
	{ "run 1\nclose -> closed\n", 2, 10, "'done', or an outcome such as" },
	{ "run 1\nclose -> done,\n", 2, 14, "the end of the line" },

	/* Waits. */
	{ "run 1\nwait -> nothing\n", 2, 7, "milliseconds from 0 to" },
	{ "run 1\nwait x -> nothing\n", 2, 6, "milliseconds from 0 to 9223372036854775807" },
	{ "run 1\nwait 9223372036854775808 -> nothing\n", 2, 6, "to 9223372036854775807" },
	{ "run 1\nwait -9223372036854775809 -> nothing\n", 2, 7, "to 9223372036854775808" },
	{ "run 1\nwait 5 nothing\n", 2, 8, "'->' and what came of it" },
	{ "run 1\nwait 5 -> \n", 2, 11, "'nothing', an outcome, an event" },
	{ "run 1\nwait 5 -> done\n", 2, 11, "'nothing', an outcome, an event" },
	{ "run 1\nwait 5 -> nothing, stop\n", 2, 18, "the end of the line" },
	{ "run 1\nwait 5 -> stop,\n", 2, 16, "an event (of listener, c0 to c253, token)" },
	{ "run 1\nwait 5 -> stop, stop\n", 2, 17, "each request once" },
	{ "run 1\nwait 5 -> stop report\n", 2, 16, "',' or the end of the line" },
	{ "run 1\nwait 5 -> stop, broken\n", 2, 17, "an event (of listener" },
	{ "run 1\nwait 5 -> c254 IN\n", 2, 11, "c0 to c253" },
	{ "run 1\nwait 5 -> c IN\n", 2, 11, "c0 to c253" },
	{ "run 1\nwait 5 -> c0\n", 2, 13, "IN, OUT, RDHUP, PRI, ERR, HUP or STRANGE" },
	{ "run 1\nwait 5 -> c0 in\n", 2, 14, "IN, OUT, RDHUP" },
	{ "run 1\nwait 5 -> c0 IN|\n", 2, 17, "IN, OUT, RDHUP" },
	{ "run 1\nwait 5 -> c0 IN|NONE\n", 2, 17, "IN, OUT, RDHUP" },
	{ "run 1\nwait 5 -> c0 NONE|IN\n", 2, 18, "',' or the end of the line" },
	{ "run 1\nwait 5 -> c0 INOUT\n", 2, 14, "IN, OUT, RDHUP" },
	{ "run 1\nwait 5 -> token 5 IN\n", 2, 17, "a token of 1 to 16 hexadecimal digits" },
	{ "run 1\nwait 5 -> token 0x IN\n", 2, 17, "a token of 1 to 16" },
	{ "run 1\nwait 5 -> token 0x10000000000000000 IN\n", 2, 17, "a token of 1 to 16" },
	{ "run 1\nwait 5 -> token 0xg IN\n", 2, 17, "a token of 1 to 16" },
};

static void check_mistake(const struct mistake *mistake)
{
	static uint8_t bytes[RUN_MAX];
	struct steps_error error;
	size_t size;

	memset(&error, 0xa5, sizeof(error));
	if (steps_parse(mistake->text, strlen(mistake->text), bytes, sizeof(bytes), &size, &error))
		fail_msg("taken: %s", mistake->text);
	if (error.line != mistake->line || error.column != mistake->column ||
	    strstr(error.expected, mistake->expected) == NULL)
		fail_msg("%u:%u: expected %s, instead of %u:%u: expected %s, for: %s",
			 (unsigned)error.line, (unsigned)error.column, error.expected,
			 (unsigned)mistake->line, (unsigned)mistake->column, mistake->expected,
			 mistake->text);
}

/* ECHO-132: each mistake is told with its line, its column, and what should have stood there. */
static void mistakes_are_told_where_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++)
		check_mistake(&mistakes[i]);
}

/* ECHO-132: a wait with one event too many, a text with NUL in it, and a run for which there is no
 * room. */
static void limits_are_told_where_they_are(void **state)
{
	static const char nul[] = "run 1\nread -> 5\0\n";
	static char text[2048] = "run 1\nwait 0 -> c0 IN";
	uint8_t bytes[64];
	struct steps_error error;
	size_t size;

	(void)state;
	for (int i = 1; i <= STEPS_EVENTS_MAX; i++)
		strcat(text, ", c0 IN");
	check_mistake(
		&(struct mistake){ text, 2, 11 + 7 * STEPS_EVENTS_MAX, "no more than 64 events" });

	assert_false(steps_parse(nul, sizeof(nul) - 1, bytes, sizeof(bytes), &size, &error));
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, 9);

	assert_true(steps_parse("run 1\n", 6, bytes, sizeof(bytes), &size, &error));
	for (size_t room = 0; room < size + 2; room++) {
		size_t used;

		assert_false(steps_parse("run 1\nread -> 5", 15, bytes, room, &used, &error));
		assert_int_equal(error.line, 2);
		assert_int_equal(error.column, 1);
		assert_non_null(strstr(error.expected, "no more than fits"));
		assert_int_equal(used, 0);
	}
	assert_true(steps_parse("run 1\nread -> 5", 15, bytes, size + 2, &size, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_come_back),
		cmocka_unit_test(text_is_as_documented),
		cmocka_unit_test(configuration_has_usual_values),
		cmocka_unit_test(layout_means_nothing),
		cmocka_unit_test(room_is_kept),
		cmocka_unit_test(any_bytes_are_a_run),
		cmocka_unit_test(other_bytes_are_refused),
		cmocka_unit_test(cut_runs_keep_their_whole_steps),
		cmocka_unit_test(strange_numbers_are_read),
		cmocka_unit_test(mistakes_are_told_where_they_are),
		cmocka_unit_test(limits_are_told_where_they_are),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
