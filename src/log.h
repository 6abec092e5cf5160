/*
 * Lines on standard error that never stall their writer (ECHO-91): what the reader does not take at
 * once is dropped and counted, and the count is told when it reads again. The flags of standard
 * error stay as they are (ECHO-92), since they belong to everybody who shares it: pipes, terminals
 * and devices are opened anew, sockets are sent to with MSG_DONTWAIT. A file has no reader that
 * could stall, and is written to directly.
 */
#ifndef EPOLL_ECHO_LOG_H
#define EPOLL_ECHO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_LINE_MAX = 2048 }; /* of one line with its newline; longer ones are cut */

struct log {
	int fd;
	bool owned;   /* fd is our own, and to be closed */
	bool socket;  /* fd is a socket, which cannot be opened anew */
	bool poll;    /* it could not be opened anew, and may block: ask before each write, */
	size_t chunk; /* and write at most so much then */
	bool json;
	uint32_t thread; /* whose lines these are, from 1 on; 0: there is one only */
	size_t length;   /* of the line being made */
	size_t sent;     /* of a line of which a part is out; the rest has to follow first */
	size_t rest;
	uint64_t dropped; /* and not yet told */
	uint64_t dropped_total;
	char line[LOG_LINE_MAX];
	char pending[LOG_LINE_MAX];
};

void log_open(struct log *log, int fd, bool json);
void log_close(struct log *log);

/* For the lines of one of several threads, which the one with the log itself gets by log_pass(). A
 * pipe takes a line as a whole or not at all if it does not block (pipe(7)), as this one. */
void log_open_pipe(struct log *log, int pipe, bool json, uint32_t thread);

/* Adds to the line that is being made, as printf(3) does. */
void log_add(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds at most `most` of these bytes in printable form, quoted, and marks what was cut. */
void log_add_bytes(struct log *log, const uint8_t *bytes, size_t length, size_t most);

/* Ends the line, and writes it if that can be done now. */
void log_end(struct log *log);

/* Writes whole lines that another log has made, if that can be done now. `length` of them ends
 * with a newline. */
void log_pass(struct log *log, const char *lines, size_t length);

/* Lines that were dropped, all of them. */
uint64_t log_dropped(const struct log *log);

#endif
