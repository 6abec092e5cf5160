/*
 * The load generator: one process with an epoll loop of its own, level-triggered and simple, that
 * shares no code with any server. Every byte that comes back is compared with what was sent.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"

enum {
	LOAD_CONNECTIONS_MAX = 20000,
	LOAD_SIZE_MAX = 64 * 1024, /* of a message, and of one call of send or recv */
	LOAD_EVENTS_MAX = 256
};

struct load {
	struct sockaddr_in address;
	uint32_t connections, size;
	uint32_t floods;       /* tail: connections beside the one that is timed */
	uint64_t count, bytes; /* messages or connections in all; bytes of each stream */
	uint64_t window;       /* bytes of a stream that may be under way */
	int most_ms;           /* tail: ends after so long, whatever the count */
	int timeout_ms;        /* without any progress for so long, it has stalled */
	pid_t server;          /* whose CPU time is told; 0: nobody's */
	int epoll;
};

/* What a mode came to. What it does not measure stays 0. */
struct outcome {
	uint64_t messages, bytes, wall_ns, cpu_ns;
	uint64_t started_ns, started_cpu_ns;
	struct histogram latency;
	struct histogram others; /* tail: bytes that came back to the others meanwhile */
};

/* A connection, and how far it has come in its stream. */
struct stream {
	uint64_t sent, due, received; /* due: bytes that are to be sent by now */
	uint64_t started_ns;          /* of the message that is under way */
	uint32_t number;              /* tells its bytes from those of all others */
	int fd;
	bool blocked; /* EPOLLOUT is being waited for */
	bool lends;   /* sends the pages of its bytes, and no copy of them */
};

/* What stream_receive() gives at the end of the stream. */
#define STREAM_END SIZE_MAX

/* Prints the reason. The server is at fault: exit status 1. We cannot run: 2. */
_Noreturn __attribute__((format(printf, 1, 2))) void load_failed(const char *format, ...);
_Noreturn __attribute__((format(printf, 1, 2))) void load_unable(const char *format, ...);

uint64_t load_now_ns(void);

/* Around what is measured: the wall's clock and the server's CPU time. */
void load_begin(const struct load *load, struct outcome *outcome);
void load_end(const struct load *load, struct outcome *outcome);

struct epoll_event;

/* Waits for events; fails where none comes for too long. */
int load_wait(const struct load *load, struct epoll_event *events);

/* stream.c: connects, and starts the stream anew with this number. Each source address of loopback
 * has ports of its own, so that closed connections that wait out their time use up none of ours. */
void stream_open(const struct load *load, struct stream *stream, uint32_t number);

/* Has the loop told of it, `stream` being what comes with the event. */
void stream_watch(const struct load *load, struct stream *stream);

/* Sends what is due and fits; what does not has to wait for EPOLLOUT. */
void stream_push(const struct load *load, struct stream *stream);

/* Receives up to `most` bytes and compares them; 0 for none, or STREAM_END. */
size_t stream_receive(struct stream *stream, size_t most);

/* One message there and back, before anything is measured. */
void stream_warm_up(const struct load *load, struct stream *stream);

/* Ends our direction. */
void stream_finish(const struct stream *stream);

/* The server has ended the stream: was that all? */
void stream_ended(const struct stream *stream);

/* A number of streams, opened, warmed up and watched. */
struct stream *streams_open(const struct load *load, uint32_t count);

/* Ends all, waits for the server to end them as well, and closes them: all that was sent has come
 * back, and nothing after it. */
void streams_end(const struct load *load, struct stream *streams, uint32_t count);
void streams_close(struct stream *streams, uint32_t count);

/* The modes. */
void load_rtt(const struct load *load, struct outcome *outcome);
void load_bulk(const struct load *load, struct outcome *outcome);
void load_churn(const struct load *load, struct outcome *outcome);
void load_idle(const struct load *load, struct outcome *outcome);
void load_tail(const struct load *load, struct outcome *outcome);

#endif
