/*
 * A world without sockets for the engine to live in: peers with manners of their own, their
 * connections as the kernel keeps them, a listener, an epoll instance and a clock, all drawn from
 * one seed. The world performs what the engine asks for, and judges every step: each way to be
 * wrong has a name, which a finding carries.
 *
 * Streams are positions, not bytes: what a peer sends at a position follows from both, so nothing
 * is stored and any byte that is lost, doubled, or another's shows where it is written.
 */
#ifndef EPOLL_ECHO_TESTS_WORLD_H
#define EPOLL_ECHO_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a family of worlds is made of. Odds are per thousand: of calls, or of peers. */
struct world_family {
	const char *name;
	uint32_t peers_max;       /* at most WORLD_PEERS_MAX */
	uint32_t connections_max; /* slots, at most; WORLD_PEERS_MAX or fewer */
	uint32_t buffers_max;     /* in the pool, at most */
	uint64_t bytes_max;       /* that a peer sends, at most */

	/* What the kernel does. */
	uint16_t interrupted;  /* INTERRUPTED, or NO_MEMORY where bytes move */
	uint16_t shortened;    /* less than could be moved; an edge follows */
	uint16_t would_block;  /* a write for which there is room; an edge follows */
	uint16_t fails;        /* a call on a connection ends it */
	uint16_t unwatchable;  /* WATCH fails */
	uint16_t accept_fails; /* ACCEPT fails because of the connection */
	uint16_t exhausted;    /* ACCEPT begins a time without descriptors */
	uint16_t strange;      /* a wait brings stale, doubled and groundless events */
	uint16_t mark_blocks;  /* a read at the urgent mark would block, though bytes are there */
	bool few_descriptors;  /* fewer than slots */

	/* What peers do. */
	uint16_t silent;   /* never read */
	uint16_t resets;   /* reset at some time */
	uint16_t abandons; /* close while the echo is on its way */
	uint16_t stays;    /* do not end their stream */
	uint16_t stubborn; /* nor when the server has ended its own */
	uint16_t slow;     /* read little at a time, but some in every idle timeout */
	uint16_t pauses;   /* stop reading for a while, of their reads */
	uint16_t urgent;   /* of their writes */
	bool greedy;       /* send as fast as they can, in large pieces */

	/* What the server is told. */
	bool idle;      /* an idle timeout */
	bool tiny;      /* budgets of next to nothing */
	bool stop;      /* asked to stop in the middle, else when nothing moves any more */
	uint16_t abort; /* of those that stop: asked twice, or the epoll instance breaks */
};

enum { WORLD_PEERS_MAX = 48 };

struct world_verdict {
	const char *broken; /* the name of what does not hold; NULL: all does */
	char detail[240];   /* what was seen */
	uint64_t actions;   /* how many were performed, */
	uint64_t hash;      /* and which */
	uint64_t echoed;    /* bytes that came back to peers */
};

/* Runs one world from its beginning to the end of its server. `trace` may be NULL. */
struct world_verdict world_run(const struct world_family *family, uint64_t seed, FILE *trace);

#endif
