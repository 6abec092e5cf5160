/*
 * The text form of a run (steps.h), in which runs are committed, read, and written by hand. It has
 * the lexical form of the scenario language: words, a line a step, what came of it right of "->",
 * and "# " ends a line early.
 *
 * run 1 first; the version of this form slots 3 then the configuration, each line at most once, in
 * any order
 *
 * wait 5 -> listener IN then the steps accept -> done watch -> done wait 7 -> c0 IN|RDHUP read -> 5
 * write -> all
 *
 * The configuration has these lines. One that is missing has the usual value, so that a run written
 * by hand is short; what is printed has them all.
 *
 * slots 4 buffers 4 buffer-size 64 turn-bytes 16384 round-bytes 65536 backlog 8 events 16
 * generation-bits 32 idle 0 drain 5000 quiet 250 retry-min 100 retry-max 1000 report 0 start 0 (the
 * clock)
 *
 * A step is the name of an operation (echo_op_name()), "->" and what came of it: "done" or another
 * outcome (echo_outcome_name()). Where bytes were moved their count stands in place of "done": 1
 * and up or "all" (that were asked for); of `unacked` 0 and up.
 *
 * wait MS -> [OUTCOME,] [EVENT,]... [stop,] [report,] [abort] wait MS -> nothing
 *
 * MS is what has passed since the last wait, below 0 where the clock was set back. An EVENT is whom
 * it is for and a mask: `listener IN`, `c0 IN|OUT` (c0 is the first connection that was accepted),
 * or `token 0x300000007 NONE`. A mask is made of IN, OUT, RDHUP, PRI, ERR, HUP and STRANGE (bits
 * that the engine does not know), or is NONE.
 */
#ifndef EPOLL_ECHO_STEPS_TEXT_H
#define EPOLL_ECHO_STEPS_TEXT_H

#include "steps.h"

enum {
	STEPS_TEXT_VERSION = 1,
	STEPS_TEXT_HEAD_MAX = 512, /* bytes of the head, at most, with the NUL that ends it */
	STEPS_TEXT_STEP_MAX = 4096 /* of a step */
};

/* Printing, into `room` bytes of the caller's; a NUL ends it. Each returns its length without the
 * NUL, or 0: no room. The head is the configuration, which steps_limit() leaves as it is, and a
 * blank line; a step is one line. */
size_t steps_print_head(char *text, size_t room, const struct echo_config *config,
			uint64_t start_ms);
size_t steps_print(char *text, size_t room, const struct step *step);

/* Why a text is none. */
struct steps_error {
	uint32_t line, column; /* counted from 1; the column in bytes */
	char expected[160];    /* what should have stood there */
};

/* Reads a text, and writes the run that it stands for into `room` bytes of the caller's, `size` of
 * which are used; len + STEPS_HEAD_MAX are always enough. False: the error is told. */
bool steps_parse(const char *text, size_t len, uint8_t *bytes, size_t room, size_t *size,
		 struct steps_error *error);

#endif
