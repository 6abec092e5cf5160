/*
 * Connections in the background: a thread writes the pattern on them and reads it back, as fast as
 * it can, while the steps go on in theirs. The thread owns its streams and pollers until it is
 * stopped.
 */
#ifndef SCENARIO_FLOOD_H
#define SCENARIO_FLOOD_H

#include "fault.h"
#include "stream.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FLOOD_TICK_MS = 20 }; /* how late a thread with nothing to do sees that it is to stop */

struct flood {
	struct stream *streams; /* NULL: this flood is not in use */
	struct pollfd *pollers; /* as many */
	uint32_t count;
	int64_t timeout_ms; /* for which no connection may stand still */
	pthread_t thread;
	atomic_bool stopping, cancelled;
	struct fault fault; /* to be read after the end; NONE: all was well */
	uint32_t fault_at;  /* the stream that it happened on */
};

/* The streams are connected. False, and errno: there is no thread. */
bool flood_start(struct flood *flood, struct stream *streams, struct pollfd *pollers,
		 uint32_t count, int64_t timeout_ms);

/* Ends the writing, waits until everything is read back, or failed, and releases the flood. */
void flood_stop(struct flood *flood);

/* Ends it at once. */
void flood_cancel(struct flood *flood);

#endif
