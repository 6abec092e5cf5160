/*
 * Property: any bytes as text are taken, or refused at a place inside them; what is taken prints,
 * and the print stands for the same bytes. Any bytes as a run print, and the print stands for the
 * same steps, and prints as the same text.
 */
#include <string.h>

#include "oracle.h"
#include "steps/text.h"

enum { INPUT_MAX = 32768, TEXT_MAX = STEPS_TEXT_HEAD_MAX + 28 * INPUT_MAX };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct steps steps;
	struct echo_config config;
	uint64_t start_ms;
};

static bool open_run(struct run *run, const uint8_t *bytes, size_t size)
{
	memset(run, 0, sizeof(*run));
	return steps_open(&run->steps, bytes, size, &run->config, &run->start_ms);
}

static size_t print(struct run run, char *text)
{
	size_t size = steps_print_head(text, TEXT_MAX, &run.config, run.start_ms), took;
	struct step step;

	CHECK(size > 0 && size < STEPS_TEXT_HEAD_MAX, "text-head-room");
	while (steps_next(&run.steps, &step)) {
		took = steps_print(text + size, TEXT_MAX - size, &step);
		CHECK(took > 0 && took < STEPS_TEXT_STEP_MAX, "text-step-room");
		size += took;
	}
	return size;
}

/* The same, whatever lies in what a step does not use. */
static bool equal_steps(const struct step *a, const struct step *b)
{
	bool equal = a->op == b->op && a->outcome == b->outcome && a->count == b->count &&
		     a->passed_ms == b->passed_ms && a->requests == b->requests &&
		     a->events_count == b->events_count;

	for (uint32_t i = 0; equal && i < a->events_count; i++)
		equal = a->events[i].whom == b->events[i].whom &&
			a->events[i].token == b->events[i].token &&
			a->events[i].readiness == b->events[i].readiness;
	return equal;
}

static void check_equal(struct run a, struct run b)
{
	struct step ours, theirs;

	CHECK(memcmp(&a.config, &b.config, sizeof(a.config)) == 0, "text-configuration");
	CHECK(a.start_ms == b.start_ms, "text-start");
	while (steps_next(&a.steps, &ours)) {
		CHECK(steps_next(&b.steps, &theirs), "text-step-lost");
		CHECK(equal_steps(&ours, &theirs), "text-step-changed");
	}
	CHECK(!steps_next(&b.steps, &theirs), "text-step-added");
}

static void check_place(const char *text, size_t size, const struct steps_error *error)
{
	const char *line = text, *end = text + size, *newline;

	CHECK(error->line > 0 && error->column > 0, "error-place");
	for (uint32_t i = 1; i < error->line; i++) {
		newline = memchr(line, '\n', (size_t)(end - line));
		CHECK(newline != NULL, "error-line");
		line = newline + 1;
	}
	newline = memchr(line, '\n', (size_t)(end - line));
	CHECK(error->column <= (newline != NULL ? newline : end) - line + 1, "error-column");
	CHECK(error->expected[0] != '\0', "error-empty");
	CHECK(memchr(error->expected, '\0', sizeof(error->expected)) != NULL, "error-unended");
	CHECK(strncmp(error->expected, "no more", 7) != 0 ||
		      strstr(error->expected, "bytes") == NULL,
	      "text-room");
}

/* Prints a run, and reads it again: the bytes of `again`, of which there are `size`. */
static void there_and_back(struct run run, uint8_t *again, size_t *size)
{
	static char text[TEXT_MAX], second[TEXT_MAX];
	struct steps_error error;
	struct run back;
	size_t len = print(run, text);

	if (!steps_parse(text, len, again, len + STEPS_HEAD_MAX, size, &error))
		oracle("print-refused", "line %u, column %u: expected %s", (unsigned)error.line,
		       (unsigned)error.column, error.expected);
	CHECK(open_run(&back, again, *size), "run-unread");
	check_equal(run, back);
	CHECK(print(back, second) == len && memcmp(text, second, len) == 0, "print-changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[INPUT_MAX + STEPS_HEAD_MAX], again[TEXT_MAX + STEPS_HEAD_MAX];
	struct steps_error error;
	size_t taken, len;
	struct run run;

	if (size > INPUT_MAX)
		return 0;
	memset(&error, 0xa5, sizeof(error));
	if (steps_parse((const char *)data, size, bytes, size + STEPS_HEAD_MAX, &taken, &error)) {
		CHECK(open_run(&run, bytes, taken), "text-unread");
		there_and_back(run, again, &len);
		CHECK(len == taken && memcmp(bytes, again, len) == 0, "text-bytes");
	} else {
		check_place((const char *)data, size, &error);
	}
	if (open_run(&run, data, size))
		there_and_back(run, again, &len);
	return 0;
}
