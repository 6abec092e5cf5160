/*
 * A recording: the run of a live server as its engine saw it. Pure: bytes in the caller's memory.
 *
 * It holds the configuration, and for each action what identifies it and what came of it. It never
 * holds what peers sent, nor who they are: the engine knows neither. A connection is named as the
 * engine names it, by slot and generation; a handle is not recorded, since the engine only carries
 * it. From the same start the same results lead to the same actions (ECHO-101), so whoever reads a
 * recording can hold an engine to it, action by action.
 *
 * The file: the line RECORD_MAGIC, then frames. A frame is
 *
 *	2 bytes    length of the payload, 1 to RECORD_PAYLOAD_MAX, the low byte first
 *	payload    the first one a configuration, all others records, of which none is split
 *	4 bytes    CRC-32 of the file up to here but for such checksums, the low byte first: no
 *	           frame can be damaged, lost, doubled or moved without being noticed. (With the
 *	           checksums, each would start from the same remainder, and vouch for its own frame
 *	           only.)
 *
 * Numbers are LEB128 (7 bits a byte, the low ones first, 0x80: more follow). A configuration is the
 * fields of struct echo_config in their order, but for pipes_max, then the clock at the start, and
 * then pipes_max, which may be missing: 0. A record is
 *
 *	byte       the operation and the outcome (steps/tag.h)
 *	WAIT:      timeout plus one; most events; requests; milliseconds since the last wait, folded
 *	           (0, -1, 1, -2 are 0, 1, 2, 3); count of events; each event: slot plus one (the
 *	           listener: 0); of a connection its generation; readiness
 *	WATCH, READ, PEEK, WRITE, CONSUME, DISCARD, UNACKED, SHUTDOWN, CLOSE, FILL, EMPTY, PURGE:
 *	           slot, generation, then
 *	READ, PEEK, WRITE, CONSUME, DISCARD, FILL, EMPTY, PURGE: length; if DONE, count
 *	UNACKED:   if DONE, count
 *	CLOSE:     reason
 *
 * and where the operation is 0, the mark at the end: enum record_end as its outcome, and
 * after RECORD_STOPPED how the engine ended (enum echo_ending).
 */
#ifndef EPOLL_ECHO_RECORD_RECORD_H
#define EPOLL_ECHO_RECORD_RECORD_H

#include "../core/echo.h"

#define RECORD_MAGIC "epoll-echo recording 1\n"

/* How large a recording gets, with its mark at the end. */
#define RECORD_SIZE_MAX (UINT32_C(64) << 20)

/* Address space that the engine of a recording may take, most of it never touched: twice what 65536
 * connections take that have a buffer of 64 KiB each. */
#define RECORD_MEMORY_MAX (UINT64_C(8) << 30)

enum {
	RECORD_MAGIC_SIZE = sizeof(RECORD_MAGIC) - 1,
	RECORD_PAYLOAD_MAX = 4094, /* with its length, what a pipe takes as a whole */
	RECORD_LENGTH_SIZE = 2,
	RECORD_CRC_SIZE = 4,
	RECORD_EVENTS_MAX = 64, /* of one wait */
	RECORD_HEAD_MAX = 8 * 5 + 7 * 10,
	RECORD_END_SIZE = 2,
	RECORD_STEP_MAX = 1 + 5 + 1 + 1 + 10 + 1 + RECORD_EVENTS_MAX * 15
};

/* How a recording ends. */
enum record_end {
	RECORD_STOPPED = 1, /* the engine stopped: the run is complete */
	RECORD_OVERFLOW,    /* whoever writes the file did not keep up */
	RECORD_FULL,        /* it reached RECORD_SIZE_MAX */
	RECORD_CUT,         /* the server died */
	RECORD_UNWRITTEN,   /* the file could not be written further: a full disk, a limit */
	RECORD_END_COUNT
};

/* Writing, into `room` bytes of the caller's. Each returns how many bytes it took, or 0: no room.
 * `now_ms` is the clock of the last wait, at first that of the start, and is kept up to date. */
size_t record_put_head(uint8_t *bytes, size_t room, const struct echo_config *config,
		       uint64_t start_ms);
size_t record_put(uint8_t *bytes, size_t room, const struct echo_action *action,
		  const struct echo_result *result, uint64_t *now_ms);
size_t record_put_end(uint8_t *bytes, size_t room, enum record_end how, enum echo_ending ending);

/* The CRC-32 of IEEE 802.3, from the one of what stands before; 0: nothing does. */
uint32_t record_crc(uint32_t crc, const uint8_t *bytes, size_t size);

/* What a record of this action holds. */
bool record_names(enum echo_op op);    /* the connection */
bool record_measures(enum echo_op op); /* a length */
bool record_counts(enum echo_op op, enum echo_outcome outcome);

/* Reading. The bytes stay the caller's, and have to stay while records are read. */
struct recording {
	const uint8_t *start, *at, *end;     /* the file */
	const uint8_t *record, *records_end; /* of the frame that is being read */
	uint32_t crc;
	uint64_t now_ms;

	struct echo_config config;
	uint64_t start_ms;

	enum record_end how; /* once it has ended */
	enum echo_ending ending;

	const char *error; /* what is wrong with it, and at which byte of the file */
	size_t offset;
};

/* What was recorded of one action. The action has no handle and no data, and of fields that it does
 * not use the value that echo_next() gives them. */
struct record_step {
	struct echo_action action;
	struct echo_result result;
	struct echo_event events[RECORD_EVENTS_MAX];
};

enum record_outcome {
	RECORD_STEP = 1,
	RECORD_END,  /* `how` it ended */
	RECORD_WRONG /* `error`: it is damaged, or no recording */
};

/* Reads the beginning. False: `error`. The configuration is one that echo_memory_size() takes, and
 * is within the limits above. */
bool recording_open(struct recording *r, const uint8_t *bytes, size_t size);

/* Reads the next record. Its result is one that the engine takes for its action. */
enum record_outcome recording_next(struct recording *r, struct record_step *step);

#endif
