/*
 * A world without sockets for the engine, and for the same logic without an engine: connections that
 * are all there from the start, and of which up to 64, in turn, are ready at each wait. Its calls
 * cost next to nothing, so that what is measured is what calls them.
 */
#ifndef BENCH_PRETENDED_H
#define BENCH_PRETENDED_H

#include "core/echo.h"

enum { PRETENDED_READY = 64, PRETENDED_MESSAGE = 64 };

struct pretended {
	uint32_t connections, accepted, next;
	uint64_t messages, waits;
	uint64_t *tokens; /* by handle */
	struct echo_event events[PRETENDED_READY];
};

/* The command line: CONNECTIONS MESSAGES. Exits with status 2 where it is wrong. */
struct pretended pretended_open(char *argv[], uint64_t *messages);

/* What the server is configured with, for so many connections. */
struct echo_config pretended_config(uint32_t connections);

/* Zeroed memory, touched only when used. */
void *pretended_memory(size_t size);

/* As the calls of their names; the listener is ready until all are accepted. */
uint32_t pretended_wait(struct pretended *world, uint64_t *now_ms);
int32_t pretended_accept(struct pretended *world); /* -1: would block */
void pretended_watch(struct pretended *world, int32_t handle, uint64_t token);
uint32_t pretended_read(struct pretended *world, int32_t handle, uint8_t *data, uint32_t length);
uint32_t pretended_write(struct pretended *world, int32_t handle, const uint8_t *data,
			 uint32_t length);

/* The clock, and memory that is the process's own. */
uint64_t pretended_now_ns(void);
uint64_t pretended_resident(void);

void pretended_close(struct pretended *world);

/* One line of JSON, of a run whose messages took so long; `bytes` came back of them. */
void pretended_tell(const struct pretended *world, uint64_t ns, uint64_t bytes,
		    uint64_t state_bytes, uint64_t resident_bytes);

#endif
