/*
 * Random programs about descriptors, as scenarios. They are legal text, and say mostly what makes
 * sense; but they also close, overwrite and mix up what they have.
 */
#ifndef EPOLL_ECHO_FUZZ_PROGRAM_H
#define EPOLL_ECHO_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRAM_LINES_MAX = 100, PROGRAM_LINE_SIZE = 64 };

enum program_mode {
	PROGRAM_SYNC = 1, /* eventfds, pipes, unix sockets, instances: over when a call returns */
	PROGRAM_TCP,      /* and connections and listeners */
	PROGRAM_TIME,     /* and timers, and waits that end: time passes in milliseconds */
	PROGRAM_WAITERS,  /* threads that are blocked, and processes that have copies */
	PROGRAM_MODES
};

struct program {
	uint32_t lines;
	char line[PROGRAM_LINES_MAX][PROGRAM_LINE_SIZE];
};

/* The same seed and mode give the same program. */
void program_make(struct program *program, uint64_t seed, enum program_mode mode);

/* The first two bytes are a seed, and each other one is a choice, so that bytes that are changed a
 * little give a program that is; when they are used up, choices go by the seed. */
void program_of_bytes(struct program *program, const uint8_t *bytes, size_t size,
		      enum program_mode mode);

#endif
