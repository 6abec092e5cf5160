/*
 * What the specification promises to the peer of one connection, kept in the most naive way: a queue
 * without a bound, and no pool, no budget, no readiness, no time. What a peer sends comes back at once.
 */
#ifndef EPOLL_ECHO_FUZZ_NAIVE_H
#define EPOLL_ECHO_FUZZ_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a peer has seen of its server. */
struct seen {
	uint64_t bytes;
	uint32_t sum; /* over them, in their order */
	bool end;
};

/* The peer gets these bytes. */
void seen_bytes(struct seen *seen, const uint8_t *bytes, size_t size);

/* A naive server's connection, and what its peer sees of it. */
struct naive {
	const uint8_t *queue; /* sent by the peer; */
	size_t queued;        /* and not echoed yet */
	struct seen seen;
};

void naive_receive(struct naive *naive, const uint8_t *bytes, size_t size);
void naive_end(struct naive *naive); /* the peer half-closes */

#endif
