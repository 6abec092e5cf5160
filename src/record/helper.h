/* The process that writes a recording, and what it shares with the server. */
#ifndef EPOLL_ECHO_RECORD_HELPER_H
#define EPOLL_ECHO_RECORD_HELPER_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "record.h"

_Static_assert(RECORD_LENGTH_SIZE + RECORD_PAYLOAD_MAX <= PIPE_BUF, "a pipe takes a frame whole");

/* The recording has its mark at the end. */
#define RECORD_MARKED (UINT32_C(1) << 31)

/*
 * The server gathers a frame here. How many bytes it has, whether the mark is among what was
 * gathered, and how many frames have gone through the pipe before, are one number: a server that
 * dies at any moment leaves them in agreement.
 */
struct record_shared {
	_Atomic uint64_t gathered; /* frames sent << 32 | RECORD_MARKED | bytes of the payload */
	_Atomic int error;         /* errno of the helper that could not write */
	_Atomic bool done;         /* it has written everything */
	uint8_t frame[RECORD_LENGTH_SIZE + RECORD_PAYLOAD_MAX];
};

/* Writes what comes out of `pipe` to `file`, until the pipe ends; does not return. Everything else
 * that the process has inherited is closed. */
_Noreturn void helper_run(int pipe, int file, struct record_shared *shared);

#endif
