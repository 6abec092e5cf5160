#include "versus.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "scenario/kernel.h"
#include "scenario/on_model.h"

enum { TRIES = 3 };

static const double SLOW_SECONDS = 1;
static const uint64_t MARGIN_NS = 500000;

uint64_t versus_steps;

static struct script script;

double versus_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool versus_open(void)
{
	/* Otherwise waits end 50 microseconds late. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	return kernel_open();
}

/* A step whose effect cannot arrive costs seconds: such programs are not worth it. */
static void tell_slow(const struct call *call, double seconds)
{
	if (seconds > SLOW_SECONDS)
		fprintf(stderr, "%.1f s for '%.*s'\n", seconds, (int)call->source.len,
			call->source.at);
}

/* The heading is line 1, so line N of the program is line N + 2 of the text. */
static bool parsed(const struct program *program, const bool *left_out, struct versus *versus)
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
	versus->line = error.line > 2 ? error.line - 2 : 0;
	note_clear(&versus->kernel);
	note_add(&versus->kernel, "expected %s", error.expected);
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

/* False: the worlds part here, or time decides. */
static bool play_step(const struct world *worlds[2], const struct call *call,
		      const struct text *names, double begun, struct versus *versus)
{
	struct seen seen[2] = { { .kind = SEEN_DONE }, { .kind = SEEN_DONE } };
	enum world_answer answers[2];
	struct note whys[2];
	double start = versus_now();

	for (int i = 0; i < 2; i++) {
		note_clear(&whys[i]);
		answers[i] = worlds[i]->perform(worlds[i]->state, call, &seen[i], &whys[i]);
	}
	tell_slow(call, versus_now() - start);
	versus_steps++;
	versus->how = VERSUS_AGREE;
	if (begun > 0 && !on_model_catch_up((uint64_t)((versus_now() - begun) * 1e9), MARGIN_NS)) {
		versus->how = VERSUS_LATE;
		return false;
	}
	if (on_model_order_matters()) {
		versus->how = VERSUS_RACE;
		return false;
	}
	versus->contradicts = !on_model_holds();
	if (versus->contradicts)
		versus->why = "the model's invariant does not hold";
	else if (answers[0] != WORLD_DONE && answers[1] != WORLD_DONE)
		return true; /* neither can do it */
	else if (answers[0] == answers[1] && seen_same(&seen[0], &seen[1]))
		return true;
	else
		versus->why = "they differ";
	versus->how = VERSUS_DIFFER;
	if (!versus->contradicts && answers[0] == WORLD_NOT_COVERED) {
		versus->how = VERSUS_REFUSED;
		versus->why = "this kernel cannot be asked here";
	}
	tell(&versus->kernel, answers[0], &seen[0], &whys[0], names);
	tell(&versus->model, answers[1], &seen[1], &whys[1], names);
	return false;
}

void versus_play(const struct program *program, const bool *left_out, bool timed,
		 struct versus *versus)
{
	const struct world *worlds[2] = { kernel_new(), on_model_new() };
	const struct scenario *scenario = &script.scenarios[0];
	double begun;

	versus->how = VERSUS_REFUSED;
	versus->why = "it is no scenario";
	if (!parsed(program, left_out, versus))
		return;
	versus->how = VERSUS_AGREE;
	begun = timed ? versus_now() : 0;
	for (uint32_t i = 0; i < scenario->calls_count; i++) {
		const struct call *call = &script.calls[scenario->calls_first + i];

		versus->line = call->line - 2;
		if (!play_step(worlds, call, &script.names[scenario->names_first], begun, versus))
			break;
	}
	kernel_new(); /* nothing is left open */
}

bool versus_again(const struct program *program, const bool *left_out, bool timed,
		  struct versus *versus)
{
	struct versus found = *versus;

	for (int i = 0; i < TRIES; i++) {
		versus_play(program, left_out, timed, versus);
		if (versus->how != VERSUS_DIFFER || versus->line != found.line)
			return false;
	}
	return true;
}

/* What is left out may not lead to another difference, which could be one that is excluded. */
void versus_shorten(const struct program *program, bool *left_out, bool timed, double seconds,
		    struct versus *versus)
{
	double begun = versus_now();
	struct versus last = *versus, found = *versus;
	bool shorter = true;

	for (uint32_t i = found.line + 1; i < program->lines; i++)
		left_out[i] = true;
	while (shorter) {
		shorter = false;
		for (uint32_t i = found.line; i-- > 0;) {
			if (left_out[i] || versus_now() - begun > seconds)
				continue;
			left_out[i] = true;
			last = found;
			if (versus_again(program, left_out, timed, &last)) {
				shorter = true;
				*versus = last;
			} else {
				left_out[i] = false;
			}
		}
	}
}

void versus_print(FILE *file, const struct program *program, const bool *left_out,
		  const struct versus *versus)
{
	for (uint32_t i = 0; i < program->lines; i++)
		if (!left_out[i])
			fprintf(file, "%s\n", program->line[i]);
	if (versus == NULL)
		return;
	if (versus->how == VERSUS_REFUSED)
		fprintf(file, "#   '%s': %s\n", program->line[versus->line], versus->kernel.text);
	else
		fprintf(file, "#   kernel: %s\n#   model:  %s\n", versus->kernel.text,
			versus->model.text);
	fflush(file);
}
