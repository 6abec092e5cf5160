/*
 * One TCP connection of the test client: a non-blocking socket, and how far its pattern was written
 * and read back. Each function makes one attempt and says what came of it; nothing here waits but
 * stream_wait().
 */
#ifndef SCENARIO_STREAM_H
#define SCENARIO_STREAM_H

#include "patience.h"
#include "pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage storage;
	socklen_t len;
};

struct stream {
	int fd;          /* -1: not open */
	bool connecting; /* connect(2) has not been answered yet */
	uint32_t serial; /* counts all connections of a run */
	struct pattern pattern;
	uint64_t written, read; /* offsets in the pattern */
	int64_t moved_ms;       /* when it last moved, while flooding */
};

enum stream_status {
	STREAM_NONE = 0,
	STREAM_MOVED,   /* len bytes */
	STREAM_BLOCKED, /* not now */
	STREAM_EOF,
	STREAM_FAILED, /* error says why */
	STREAM_WRONG   /* the byte at `read + len` is not the pattern's */
};

struct stream_result {
	enum stream_status status;
	int error;
	size_t len;
	uint8_t expected; /* WRONG: what the byte should have been, */
	uint8_t seen_len; /* and what came instead and after it */
	uint8_t seen[PATTERN_LOCATE_LEN];
};

struct stream_options {
	uint32_t rcvbuf, mss, sndbuf; /* 0: the system's */
};

/*
 * Starts to connect. STREAM_MOVED: connected; STREAM_BLOCKED: under way. On failure nothing stays
 * open.
 */
struct stream_result stream_open(struct stream *stream, const struct address *server,
				 const struct stream_options *options);

/* How connecting ended, once the socket is writable. */
struct stream_result stream_connected(struct stream *stream);

void stream_close(struct stream *stream);
void stream_reset(struct stream *stream);

struct stream_result stream_send(struct stream *stream, const uint8_t *bytes, size_t len,
				 int flags);
struct stream_result stream_recv(struct stream *stream, uint8_t *bytes, size_t len_max);

/* The next bytes of the pattern, at most CALL_MAX of them. */
struct stream_result stream_send_pattern(struct stream *stream, size_t len_max, int flags);
struct stream_result stream_recv_pattern(struct stream *stream, size_t len_max);

/* Has the peer acknowledged all that was sent, FIN included? FAILED: it never will. */
struct stream_result stream_settled(const struct stream *stream, uint64_t *unacknowledged);

/* False: patience is over before any of the events (poll(2)) came. */
bool stream_wait(const struct stream *stream, short events, const struct patience *patience);

#endif
