/*
 * Records the run of a live server into a file, and never holds the server up: a helper process
 * writes the file, behind a pipe that does not block.
 *
 * Records are gathered in memory that both processes share, and go through the pipe in frames that
 * it takes as a whole or not at all (pipe(7), PIPE_BUF). When it does not take one, the file is
 * written too slowly: the recording ends with a mark, and has no gap. Where the pipe ends the
 * helper goes on with what is left in the shared memory. So the mark needs no room in the pipe, and
 * when the server dies, whatever of, nothing is lost: even the step that the engine did not survive
 * is in the file.
 */
#ifndef EPOLL_ECHO_RECORD_RECORDER_H
#define EPOLL_ECHO_RECORD_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/echo.h"

enum {
	RECORDER_PIPE_SIZE =
		1 << 20,       /* bytes that may wait for the helper, if the kernel allows it */
	RECORDER_END_MS = 2000 /* how long the end of the server may wait for the helper's */
};

struct record_shared;

struct recorder {
	bool on; /* records are to be added */
	int pipe;
	pid_t helper; /* 0: there is none */
	struct record_shared *shared;
	uint64_t now_ms;
	uint64_t size, size_max; /* of the file: so far, and at most */
};

/*
 * Opens the file, whose name record_name() makes of `pattern`, with mode 0600 if it is new, and
 * starts the helper. What a file held gives way to the recording's first bytes. The file is locked
 * (flock(2)) as long as the helper has it open. NULL, or why not; then a new one may be left,
 * empty.
 */
const char *recorder_open(struct recorder *r, const char *pattern, uint64_t size_max);

/* The beginning, before the first step. */
void recorder_start(struct recorder *r, const struct echo_config *config, uint64_t start_ms);

/* A step, while it is `on`. NULL, or why the recording has ended with this. */
const char *recorder_add(struct recorder *r, const struct echo_action *action,
			 const struct echo_result *result);

/* The end of the run, and of the helper, for which it waits RECORDER_END_MS at most: a script that
 * looks into the file next shall find it whole. NULL, or why it is not. Does nothing if there is no
 * helper. */
const char *recorder_close(struct recorder *r, enum echo_ending ending);

#endif
