/*
 * Moves bytes over one connection and waits for what is to come of it. Every function returns false
 * with the fault when something else came, or nothing within the patience that it is given.
 */
#ifndef SCENARIO_TRANSFER_H
#define SCENARIO_TRANSFER_H

#include "fault.h"
#include "stream.h"

enum {
	READ_PAUSE_MS = 10, /* "slowly": before each recv */
	NOTHING_MS = 200,   /* "nothing": how long none may come */
	SETTLE_POLL_MS = 1  /* between two looks at the send queue, which nothing announces */
};

struct transfer {
	uint64_t write, read; /* bytes of the pattern to write, and to read; at the same time */
	size_t by;            /* bytes of one call; 0: as many as fit */
	bool slowly;
	bool then_wr; /* shut down the sending side with the last byte */
};

/* Waits until a connection that is under way is connected. */
bool transfer_connected(struct stream *stream, struct patience *patience, struct fault *fault);

bool transfer_pattern(struct stream *stream, const struct transfer *transfer,
		      struct patience *patience, struct fault *fault);

struct transfer_text {
	const uint8_t *bytes;
	size_t len, by;
	int flags; /* MSG_OOB */
	bool slowly, then_wr;
};

bool transfer_write(struct stream *stream, const struct transfer_text *text,
		    struct patience *patience, struct fault *fault);
bool transfer_read(struct stream *stream, const struct transfer_text *text,
		   struct patience *patience, struct fault *fault);

bool transfer_settle(struct stream *stream, struct patience *patience, struct fault *fault);
bool transfer_eof(struct stream *stream, const struct patience *patience, struct fault *fault);
bool transfer_reset(struct stream *stream, const struct patience *patience, struct fault *fault);

/* until_ms is on the clock of patience_now(), so that the members of a group can share it. */
bool transfer_nothing(struct stream *stream, int64_t until_ms, struct fault *fault);

#endif
