/*
 * --threads: an engine in each of several threads, with a system, statistics and a log of its own.
 * They have nothing in common but the listener (linux/share.h): no lock, and no memory that one
 * writes while another uses it.
 *
 * The thread that starts them serves nobody. It passes signals on to them, writes the lines that
 * they log, which come by a pipe so that none is torn, adds up their statistics, and awaits their
 * end.
 */
#ifndef EPOLL_ECHO_THREADS_H
#define EPOLL_ECHO_THREADS_H

#include "core/echo.h"
#include "linux/share.h"
#include "log.h"
#include "options.h"

enum {
	THREADS_DESCRIPTORS = 3, /* of all: the eventfd of the main thread, and the pipe of lines */
	THREADS_STACK = 256 * 1024,
	THREADS_LINES = 64 * 1024,  /* bytes of lines that are read at once */
	THREADS_PIPE_SIZE = 1 << 20 /* bytes of lines that may wait, if the kernel allows it */
};

struct threads_worker;

struct threads {
	struct linux_system *main;
	struct threads_worker *workers[OPTIONS_THREADS_LIMIT];
	uint32_t count, started;
	int woken;     /* eventfd: a thread has reported or ended */
	int lines[2];  /* pipe: what the threads log */
	bool wanted;   /* the statistics, when those that were asked for before are printed */
	bool asked;    /* for statistics, and not all threads have answered */
	bool stopping; /* a request to stop was passed on */
	uint64_t stats_ms, stats_at_ms;
	size_t held; /* bytes of a line whose rest is in the pipe */
	char line[THREADS_LINES];
};

/* Starts the threads, in `threads` that is zeroed. Their engines are configured by budget_share() of `first`, on the listener
 * that linux_listen() has opened in `main`, and closes that. NULL: they serve. Otherwise what could
 * not be done, with errno set, and no thread is left. */
const char *threads_start(struct threads *threads, const struct options *options,
			  const struct echo_config *first, struct linux_system *main);

/* Serves until the last thread has ended. How: in order if all did, broken if one was. */
enum echo_ending threads_serve(struct threads *threads, struct log *log);

#endif
