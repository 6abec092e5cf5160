/* Runs an engine on a recording, and holds each of its actions to the recorded one. Pure. */
#ifndef EPOLL_ECHO_RECORD_REPLAY_H
#define EPOLL_ECHO_RECORD_REPLAY_H

#include "record.h"

/* The connection that was last seen in a slot. */
struct replay_whom {
	uint32_t generation;
	uint32_t number; /* in the order of acceptance, from 1; 0: none was seen */
};

enum replay_outcome {
	REPLAY_STEP = 1, /* `step` is what happened: replay_complete() tells the engine */
	REPLAY_SAME,     /* the recording has ended, and every action was the recorded one */
	REPLAY_DIFFERS,  /* the engine's `action` is not the recorded one of `step` */
	REPLAY_WRONG     /* the recording is damaged: `recording.error` */
};

struct replay {
	struct recording recording;
	struct echo_engine *engine;
	struct replay_whom *whom; /* by slot, */
	uint32_t slots;           /* of which there are so many */

	struct echo_action action; /* the engine's */
	struct record_step step; /* the recorded one; its handle is the number of the connection */
	bool more;               /* the engine has an action; if not, it has stopped */
	bool recorded;           /* the recording has a step; if not, it has ended */
	const char *difference;  /* of REPLAY_DIFFERS: in what */

	uint64_t steps;                          /* that are over */
	uint64_t accepted;                       /* connections */
	uint32_t connections_peak, buffers_peak; /* at once */
};

/* Bytes that replay_start() needs for this configuration, and for connections to be known by. */
size_t replay_memory_size(const struct echo_config *config);

/*
 * Starts an engine on a recording that recording_open() has opened, with the configuration of the
 * recording or another one. `memory` is zeroed, aligned to 64 bytes, and stays the caller's.
 */
void replay_start(struct replay *replay, const struct recording *recording,
		  const struct echo_config *config, void *memory);

/* The next step. After anything but REPLAY_STEP, nothing follows. */
enum replay_outcome replay_next(struct replay *replay);

/* Tells the engine what came of the step. It traps if it was recorded by one that did. */
void replay_complete(struct replay *replay);

/* The number of the connection that a token names, from 0 in the order of acceptance. False: none
 * that is or was the last in its slot. */
bool replay_number(const struct replay *replay, uint64_t token, uint32_t *number);

#endif
