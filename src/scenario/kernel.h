/*
 * The world of the live kernel. A scenario runs in a process of its own, so its descriptors,
 * limits and signals are private, and nothing of it is left whatever becomes of it.
 */
#ifndef SCENARIO_KERNEL_H
#define SCENARIO_KERNEL_H

#include "world.h"

enum {
	KERNEL_SCENARIO_MS = 20000, /* for one scenario, at most */
	KERNEL_SETTLE_MS = 5000     /* until the effect of a call has arrived, at most */
};

/* False: no memory. */
bool kernel_open(void);

/* This kernel as a world in the caller's own process, as new: whatever a scenario has left there is
 * closed. For who plays many short ones; SIGPIPE is ignored from then on. */
const struct world *kernel_new(void);

void kernel_play(const struct script *script, const struct scenario *scenario, bool show,
		 struct outcome *outcome);

#endif
