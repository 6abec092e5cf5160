/*
 * Runs a shell command in the middle of a scenario, and shows what it prints as diagnostics.
 */
#ifndef SCENARIO_COMMAND_H
#define SCENARIO_COMMAND_H

#include "note.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COMMAND_MAX = 8192,     /* bytes, with the NUL */
	COMMAND_LINE_MAX = 512, /* longer lines of output are broken */
	COMMAND_TICK_MS = 5     /* between two looks at whether it has ended */
};

/*
 * Waits for the command itself, not for what it left running in the background. False: it did not
 * end with that status; seen says what it did instead.
 */
bool command_run(const uint8_t *command, size_t len, int status, int64_t timeout_ms,
		 struct note *seen);

#endif
