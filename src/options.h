/* The command line, as values: no I/O, nothing is printed. */
#ifndef EPOLL_ECHO_OPTIONS_H
#define EPOLL_ECHO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OPTIONS_ERROR_SIZE = 200, /* of a message, with its NUL */
	OPTIONS_NAME_SIZE = 4096, /* of a file name, with its NUL */
	OPTIONS_CONNECTIONS_LIMIT = 65536,
	OPTIONS_BACKLOG_LIMIT = 65535,
	OPTIONS_THREADS_LIMIT = 64,
	OPTIONS_PIPES_LIMIT = 64,
};

/* A day; longer timeouts are mistakes. */
#define OPTIONS_SECONDS_LIMIT 86400u

struct options {
	const char *address; /* points into argv */
	uint16_t port;       /* 0: any that is free */
	int backlog;
	uint32_t connections_max; /* 0: as many as fit */
	uint32_t threads;
	uint32_t pipes;   /* at most */
	uint64_t memory;  /* bytes */
	uint64_t idle_ms; /* 0: no idle timeout */
	uint64_t drain_ms;
	uint64_t stats_ms;  /* 0: on SIGUSR1 only */
	const char *record; /* points into argv; a name as of record_name(); NULL: none */
	bool verbose;
	bool json;
};

enum options_outcome {
	OPTIONS_RUN = 1,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_WRONG /* `error` names the option and the value, in one line without newline */
};

/* Reads the command line into `options`; what is not given has its default. */
enum options_outcome options_parse(int argc, char *argv[], struct options *options,
				   char error[OPTIONS_ERROR_SIZE]);

/* A size in bytes, such as 65536, 64K, 64KiB, 1M, 2G; it is not 0. False: it is none. */
bool options_size(const char *text, uint64_t *size);

/* Seconds, such as 5 or 0.25, up to OPTIONS_SECONDS_LIMIT; parts of a millisecond are refused. */
bool options_seconds(const char *text, uint64_t *ms);

/* What --help prints. */
extern const char options_help[];

#endif
