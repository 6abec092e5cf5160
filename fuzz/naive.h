/*
 * What the specification promises to the peer of one connection, kept in the most naive way: no
 * pool, no budget, no readiness, no time. What a peer sends comes back at once, however much it is.
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

/* The peer gets these bytes, from whatever server. */
void seen_bytes(struct seen *seen, const uint8_t *bytes, size_t size);

/* What it sees of the naive server when it sends these bytes, and when it half-closes. */
void naive_receive(struct seen *seen, const uint8_t *bytes, size_t size);
void naive_end(struct seen *seen);

#endif
