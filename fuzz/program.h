/*
 * Random programs about descriptors, as scenarios. They are legal text, and say mostly what makes
 * sense; but they also close, overwrite and mix up what they have.
 */
#ifndef EPOLL_ECHO_FUZZ_PROGRAM_H
#define EPOLL_ECHO_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRAM_LINES_MAX = 80, PROGRAM_LINE_SIZE = 64 };

enum program_mode {
	PROGRAM_SYNC = 1, /* eventfds, pipes, unix sockets, instances: over when a call returns */
	PROGRAM_TCP,      /* and connections and listeners */
	PROGRAM_TIME      /* and timers: time passes in steps of some milliseconds */
};

struct program {
	uint32_t lines;
	char line[PROGRAM_LINES_MAX][PROGRAM_LINE_SIZE];
};

/* The same seed and mode give the same program. */
void program_make(struct program *program, uint64_t seed, enum program_mode mode);

#endif
