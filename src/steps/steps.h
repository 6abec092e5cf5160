/*
 * A run of the engine as data: its configuration, then what came of one action after the other.
 * Fuzzers make such runs up, recordings of live servers are turned into them, and steps have a text
 * form (text.h) in which they are committed and read.
 *
 * A step answers an action of its own kind. Waits cut a run into pieces: whoever performs a run
 * (fuzz/world.c) passes over answers that fit no action of their piece, and where an answer is
 * missing takes the dull one: nothing to read, everything written. So a run that was cut, spliced
 * or written for another version of the engine still means nearly what it meant.
 *
 * The bytes: STEPS_VERSION, the fields of the configuration in the order of struct echo_config, the
 * clock at the start, then the steps. Numbers are LEB128 (7 bits a byte, the low ones first, 0x80:
 * more follow), those with a sign are folded (0, -1, 1, -2 are 0, 1, 2, 3). A step is
 *
 *	byte     the operation and the outcome (tag.h)
 *	WAIT:    folded number    milliseconds since the last wait
 *	         number           requests in the low three bits, above them the count of events
 *	         each event:      STEPS_WHOM_* or the number of a connection, then a byte for the
 *	                          readiness; STEPS_WHOM_TOKEN is followed by a number, the token,
 *	                          first
 *	READ, PEEK, WRITE, CONSUME, DISCARD, FILL, EMPTY, PURGE and UNACKED that are DONE:
 *	         number           bytes; 0: all that were asked for (UNACKED: none)
 *
 * Every string of bytes that opens with STEPS_VERSION and is as long as a configuration is a run:
 * what is outside the limits is moved inside them, and a step that is cut off at the end is left
 * out.
 */
#ifndef EPOLL_ECHO_STEPS_STEPS_H
#define EPOLL_ECHO_STEPS_STEPS_H

#include "../core/echo.h"

enum {
	STEPS_VERSION = 2,
	STEPS_EVENTS_MAX = 64,   /* of a wait */
	STEPS_ACCEPTS_MAX = 256, /* connections in one run */

	/* What a run may ask for; together they bound its memory. */
	STEPS_CONNECTIONS_MAX = 64, /* slots */
	STEPS_BUFFERS_MAX = 64,
	STEPS_PIPES_MAX = 64,
	STEPS_BUFFER_SIZE_MAX = 65536,
	STEPS_POOL_BYTES_MAX = 1 << 20 /* fewer buffers, where they would exceed it */
};

/* Whom an event names; numbers below are connections in the order in which they were accepted,
 * modulo how many were accepted. */
enum { STEPS_WHOM_LISTENER = 254, STEPS_WHOM_TOKEN = 255 };

struct steps_event {
	uint64_t token;     /* of STEPS_WHOM_TOKEN, as it is */
	uint32_t whom;      /* STEPS_WHOM_* or a connection, below STEPS_WHOM_LISTENER */
	uint32_t readiness; /* any of ECHO_IN ... ECHO_RDHUP, and perhaps STEPS_STRANGE */
};

/* Stands for the bits of a mask that the engine does not know. */
#define STEPS_STRANGE UINT32_C(0x80000000)

struct step {
	enum echo_op op; /* what it answers: ECHO_OP_WAIT ... ECHO_OP_REPORT */
	enum echo_outcome outcome;
	uint32_t count;    /* steps_counts(): bytes; 0: all, or (UNACKED) none */
	int64_t passed_ms; /* WAIT: since the last one; a clock may stand, and be set back */
	uint32_t requests; /* WAIT: any of ECHO_REQUEST_* */
	uint32_t events_count;
	struct steps_event events[STEPS_EVENTS_MAX];
};

/* Reading. The bytes stay the caller's, and have to stay while steps are read. */
struct steps {
	const uint8_t *at, *end;
};

/* Reads what stands before the steps. False: no run, or of another version. The configuration is
 * one that echo_memory_size() takes, and within the limits above. */
bool steps_open(struct steps *steps, const uint8_t *bytes, size_t size, struct echo_config *config,
		uint64_t *start_ms);

/* Reads the next step. False: there is none. Of events, only the first events_count are written. */
bool steps_next(struct steps *steps, struct step *step);

/* Does such a step carry a count? */
bool steps_counts(enum echo_op op, enum echo_outcome outcome);

/* Writing, into `room` bytes of the caller's. Each returns how many bytes it took, or 0: no room.
 * What was read can be written again; only then it is in the form that the reader gives it. */
size_t steps_put_head(uint8_t *bytes, size_t room, const struct echo_config *config,
		      uint64_t start_ms);
size_t steps_put(uint8_t *bytes, size_t room, const struct step *step);

/* Moves a configuration inside the limits. */
void steps_limit(struct echo_config *config);

enum {
	STEPS_HEAD_MAX = 1 + 16 * 10,
	STEPS_STEP_MAX = 1 + 10 + 10 + STEPS_EVENTS_MAX * 12 /* bytes of one step, at most */
};

#endif
