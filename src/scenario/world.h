/*
 * A world is what performs the calls of a scenario: the kernel, or the model. One judge compares
 * what comes of them with what the scenario expects.
 */
#ifndef SCENARIO_WORLD_H
#define SCENARIO_WORLD_H

#include "call.h"
#include "note.h"
#include "parse.h"
#include "seen.h"

#include <stdbool.h>

enum world_answer {
	WORLD_DONE,        /* `seen` tells what came of it */
	WORLD_NOT_COVERED, /* such a call is not known here: `why` says what is missing */
	WORLD_BROKEN       /* the call could not be made, or did not settle: `why` says so */
};

struct world {
	const char *name;
	void *state;
	enum world_answer (*perform)(void *state, const struct call *call, struct seen *seen,
				     struct note *why);
};

enum outcome_how { OUTCOME_PASSED = 1, OUTCOME_FAILED, OUTCOME_SKIPPED, OUTCOME_BROKEN };

struct outcome {
	enum outcome_how how;
	const struct call *call;    /* the step that it ended at; NULL: none is to blame */
	struct note expected, seen; /* FAILED */
	struct note why;            /* SKIPPED, BROKEN */
};

/*
 * Plays a scenario to its first call that fails, or, if it is only to be shown, to its end. Then
 * each step is printed with what came of it, on standard output, as a scenario would say it.
 */
void world_play(const struct world *world, const struct script *script,
		const struct scenario *scenario, bool show, struct outcome *outcome);

#endif
