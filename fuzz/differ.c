/*
 * Property: whatever is done to descriptors, in whatever order, the model answers as the kernel
 * does: every result, mask, order and errno. Random programs are played on both, step by step; the
 * first one that they differ about is made as short as it can be, and printed as a scenario.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program.h"
#include "scenario/kernel.h"
#include "scenario/on_model.h"

enum { EXIT_DIFFERENT = 1, EXIT_CANNOT_RUN = 2, TRIES = 3, NONE = -1 };

static const double SLOW_SECONDS = 1;

static struct script script;

/* Of the step at which both worlds parted. */
static struct difference {
	int line; /* NONE: they agree */
	struct note kernel, model;
	const char *why;
} difference;

static uint64_t steps_played, refused, seed_now;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A step whose effect cannot arrive costs seconds: such programs are not worth it. */
static void tell_slow(const struct call *call, double seconds)
{
	if (seconds > SLOW_SECONDS)
		fprintf(stderr, "differ: %.1f s for '%.*s' of seed %" PRIu64 "\n", seconds,
			(int)call->source.len, call->source.at, seed_now);
}

static bool parsed(const struct program *program, const bool *left_out)
{
	static char text[PROGRAM_LINES_MAX * PROGRAM_LINE_SIZE + 32];
	struct parse_error error;
	int len = sprintf(text, "# program\n");

	for (uint32_t i = 0; i < program->lines; i++)
		len += sprintf(text + len, "%s\n", left_out[i] ? "" : program->line[i]);
	memset(&script, 0, offsetof(struct script, scenarios));
	script.lenient = true;
	if (parse(&script, "program", text, (size_t)len, &error))
		return true;
	if (getenv("DIFFER_PARSE") != NULL)
		printf("%u: %s: %s\n", error.line, program->line[error.line - 2], error.expected);
	return false;
}

static void tell(struct note *note, enum world_answer answer, const struct seen *seen,
		 const struct note *why, const struct text *names)
{
	note_clear(note);
	if (answer != WORLD_DONE)
		note_add(note, "(%s)", why->text);
	else if (seen->kind == SEEN_DONE)
		note_add(note, "it succeeds");
	else
		seen_describe(note, seen, names);
}

/* False: the worlds part here. */
static bool play_step(const struct world *worlds[2], const struct call *call,
		      const struct text *names)
{
	struct seen seen[2] = { { .kind = SEEN_DONE }, { .kind = SEEN_DONE } };
	enum world_answer answers[2];
	struct note whys[2];
	double start = now();

	for (int i = 0; i < 2; i++) {
		note_clear(&whys[i]);
		answers[i] = worlds[i]->perform(worlds[i]->state, call, &seen[i], &whys[i]);
	}
	tell_slow(call, now() - start);
	steps_played++;
	if (!on_model_holds())
		difference.why = "the model's invariant does not hold";
	else if (answers[0] != WORLD_DONE && answers[1] != WORLD_DONE)
		return true; /* neither can do it */
	else if (answers[0] == answers[1] && seen_same(&seen[0], &seen[1]))
		return true;
	else
		difference.why = "they differ";
	tell(&difference.kernel, answers[0], &seen[0], &whys[0], names);
	tell(&difference.model, answers[1], &seen[1], &whys[1], names);
	return false;
}

/* Where the two part; NONE: nowhere, or it is no program. */
static int play(const struct program *program, const bool *left_out)
{
	const struct world *worlds[2] = { kernel_new(), on_model_new() };
	const struct scenario *scenario = &script.scenarios[0];

	difference.line = NONE;
	if (!parsed(program, left_out)) {
		refused++;
		return NONE;
	}
	for (uint32_t i = 0; i < scenario->calls_count; i++) {
		const struct call *call = &script.calls[scenario->calls_first + i];

		if (play_step(worlds, call, &script.names[scenario->names_first]))
			continue;
		difference.line = (int)call->line - 2;
		break;
	}
	return difference.line;
}

static bool differs(const struct program *program, const bool *left_out)
{
	for (int i = 0; i < TRIES; i++)
		if (play(program, left_out) == NONE)
			return false;
	return true;
}

/* Leaves out whatever it can without ending the difference. */
static void shorten(const struct program *program, bool *left_out)
{
	bool shorter = true;

	for (uint32_t i = (uint32_t)difference.line + 1; i < program->lines; i++)
		left_out[i] = true;
	while (shorter) {
		shorter = false;
		for (uint32_t i = program->lines; i-- > 0;) {
			if (left_out[i])
				continue;
			left_out[i] = true;
			if (differs(program, left_out))
				shorter = true;
			else
				left_out[i] = false;
		}
	}
	play(program, left_out);
}

static void print(const struct program *program, const bool *left_out, uint64_t seed)
{
	printf("\n# seed %" PRIu64 ": %s\n", seed, difference.why);
	for (uint32_t i = 0; i < program->lines; i++)
		if (!left_out[i])
			printf("%s\n", program->line[i]);
	printf("#   kernel: %s\n#   model:  %s\n", difference.kernel.text, difference.model.text);
	fflush(stdout);
}

struct options {
	uint64_t seed, programs;
	double seconds;
	enum program_mode mode;
	uint32_t differences;
	bool print;
};

static const char usage[] =
	"Usage: differ [OPTION]...\n"
	"Plays random programs on the model of epoll and on this kernel, and compares.\n"
	"\n"
	"  --mode sync|tcp|time  what the programs are about (sync)\n"
	"  --seconds SECONDS     how long (10)\n"
	"  --seed NUMBER         of the first program (1); the others follow\n"
	"  --programs COUNT      so many of them\n"
	"  --differences COUNT   ends after so many (1)\n"
	"  --print               prints the program of the seed\n"
	"\n"
	"Exit status: 0 they agree; 1 they do not, and it says where; 2 it cannot run.\n";

static _Noreturn void refuse(const char *what)
{
	fprintf(stderr, "differ: %s\n%s", what, usage);
	exit(EXIT_CANNOT_RUN);
}

static enum program_mode mode_of(const char *text)
{
	static const char *const names[] = { "sync", "tcp", "time" };

	for (int i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0)
			return (enum program_mode)(PROGRAM_SYNC + i);
	refuse("--mode is sync, tcp or time");
}

static struct options take_options(int argc, char **argv)
{
	struct options options = { .seed = 1,
				   .programs = UINT64_MAX,
				   .seconds = 10,
				   .mode = PROGRAM_SYNC,
				   .differences = 1 };

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		if (strcmp(argv[i], "--print") == 0) {
			options.print = true;
			continue;
		}
		if (strcmp(argv[i], "--mode") == 0)
			options.mode = mode_of(value);
		else if (strcmp(argv[i], "--seconds") == 0)
			options.seconds = atof(value);
		else if (strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--programs") == 0)
			options.programs = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--differences") == 0)
			options.differences = (uint32_t)strtoul(value, NULL, 10);
		else
			refuse(argv[i]);
		i++;
	}
	return options;
}

int main(int argc, char **argv)
{
	static struct program program;
	static bool left_out[PROGRAM_LINES_MAX];
	struct options options = take_options(argc, argv);
	double start = now();
	uint64_t seed = options.seed, count = 0;
	uint32_t found = 0;

	while (count < options.programs && found < options.differences &&
	       now() - start < options.seconds) {
		seed_now = seed;
		program_make(&program, seed, options.mode);
		memset(left_out, 0, sizeof(left_out));
		if (options.print) {
			print(&program, left_out, seed);
			break;
		}
		refused = 0;
		if (play(&program, left_out) != NONE && differs(&program, left_out)) {
			found++;
			shorten(&program, left_out);
			print(&program, left_out, seed);
		} else if (refused > 0)
			print(&program, left_out, seed);
		seed++;
		count++;
	}
	printf("%" PRIu64 " programs, %" PRIu64 " steps, %" PRIu32 " differences, %.1f s\n", count,
	       steps_played, found, now() - start);
	return found > 0 ? EXIT_DIFFERENT : EXIT_SUCCESS;
}
