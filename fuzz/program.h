/*
 * Random programs about descriptors, as scenarios. They are legal text, and say mostly what makes
 * sense; but they also close, overwrite and mix up what they have.
 *
 * What is not said, since there the model is not meant to be the kernel, or the kernel's world could
 * not tell when a step is over:
 *
 *   - between far from full and filled, how full a socket is; and with threads that wait, filling
 *     one at all, since draining makes as many wake-ups as the kernel has buffers in it;
 *   - shutting down the reading of a connection that is filled: its window opens no more;
 *   - a connection to a backlog that is full, or to a number that is closed while a duplicate
 *     listens on: the model goes by numbers, the kernel by ports;
 *   - a limit of descriptors together with TCP, or with passing them;
 *   - urgent data on unix sockets, bytes of directories and /dev/null, pipes of more than 128 KiB.
 *
 * And versus.h leaves out what threads and the clock decide.
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
