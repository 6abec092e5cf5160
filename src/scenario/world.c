#include "world.h"

#include <stdio.h>
#include <string.h>

/* The step as it was written, up to what it expects. */
static size_t without_expectation(const struct text *source)
{
	size_t len = source->len;

	for (size_t i = 0; i + 1 < source->len; i++) {
		if (source->at[i] == '"')
			for (i++; i + 1 < source->len && source->at[i] != '"'; i++)
				i += source->at[i] == '\\';
		else if (source->at[i] == '-' && source->at[i + 1] == '>')
			len = i;
		if (len == i)
			break;
	}
	while (len > 0 && source->at[len - 1] == ' ')
		len--;
	return len;
}

static void print_step(const struct call *call, const struct seen *seen, const struct text *names)
{
	struct note note;

	note_clear(&note);
	note_add(&note, "%.*s", (int)without_expectation(&call->source), call->source.at);
	if (seen->kind != SEEN_DONE) {
		note_add(&note, " -> ");
		seen_describe(&note, seen, names);
	}
	printf("#   %s\n", note.text);
	fflush(stdout);
}

static void condemn(const struct call *call, const struct seen *seen, const struct text *names,
		    struct outcome *outcome)
{
	outcome->how = OUTCOME_FAILED;
	note_clear(&outcome->expected);
	seen_describe(&outcome->expected, &call->expected, names);
	note_clear(&outcome->seen);
	seen_describe(&outcome->seen, seen, names);
}

void world_play(const struct world *world, const struct script *script,
		const struct scenario *scenario, bool show, struct outcome *outcome)
{
	const struct text *names = &script->names[scenario->names_first];

	outcome->how = OUTCOME_PASSED;
	outcome->call = NULL;
	for (uint32_t i = 0; i < scenario->calls_count; i++) {
		const struct call *call = &script->calls[scenario->calls_first + i];
		struct seen seen = { .kind = SEEN_DONE };
		enum world_answer answer;

		outcome->call = call;
		note_clear(&outcome->why);
		answer = world->perform(world->state, call, &seen, &outcome->why);
		if (answer != WORLD_DONE) {
			outcome->how = answer == WORLD_BROKEN ? OUTCOME_BROKEN : OUTCOME_SKIPPED;
			return;
		}
		if (show) {
			print_step(call, &seen, names);
		} else if (call->judged && !seen_same(&call->expected, &seen)) {
			condemn(call, &seen, names, outcome);
			return;
		}
	}
	outcome->call = NULL;
}
