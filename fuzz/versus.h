/*
 * One program on both worlds, the kernel and the model, step by step: where do they part? What
 * they part at is made as short as it can be.
 */
#ifndef EPOLL_ECHO_FUZZ_VERSUS_H
#define EPOLL_ECHO_FUZZ_VERSUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "program.h"
#include "scenario/note.h"

enum versus_how {
	VERSUS_AGREE = 1,
	VERSUS_DIFFER,
	VERSUS_LATE,   /* time went on so far that it decides; they agree until there */
	VERSUS_RACE,   /* several threads were woken, and which runs first decides */
	VERSUS_REFUSED /* it is no scenario, so the generator is wrong; or something is not there that
			  the kernel's world needs */
};

struct versus {
	enum versus_how how;
	uint32_t line; /* of the program, counted from 0 */
	struct note kernel, model;
	const char *why;
	bool contradicts; /* the model's own state does not hold together */
};

extern uint64_t versus_steps; /* played so far */

/* Before the first one. False: no memory. */
bool versus_open(void);

/* The lines that are not left out. Time passes on the model as it does here if `timed`; what differs
 * only where two things happen within half a millisecond is not compared. */
void versus_play(const struct program *program, const bool *left_out, bool timed,
		 struct versus *versus);

/* Does it differ each time, and not by chance? */
bool versus_again(const struct program *program, const bool *left_out, bool timed,
		  struct versus *versus);

/* Leaves out whatever it can, for so many seconds at most, without ending the difference. */
void versus_shorten(const struct program *program, bool *left_out, bool timed, double seconds,
		    struct versus *versus);

void versus_print(FILE *file, const struct program *program, const bool *left_out,
		  const struct versus *versus);

/* Seconds of a clock that only goes on. */
double versus_now(void);

#endif
