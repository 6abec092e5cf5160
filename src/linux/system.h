/*
 * The engine's hands: one system call for each action, and what came of it. It decides nothing and
 * remembers nothing about connections; every action carries what its call takes.
 */
#ifndef EPOLL_ECHO_LINUX_SYSTEM_H
#define EPOLL_ECHO_LINUX_SYSTEM_H

#include "../core/echo.h"
#include "address.h"

#include <sys/epoll.h>

enum {
	LINUX_EVENTS_MAX = 64, /* of one wait (ECHO-25) */
	LINUX_PIPES_MAX = 64,
	LINUX_PIPE_DESCRIPTORS = 2, /* of each pipe */

	/* Descriptors that are no connection: standard input, output and error, the log's own,
	 * the epoll instance, the listener, the signals, and one to spare. */
	LINUX_DESCRIPTORS = 8,

	/* tcp(7): a peer that vanished is noticed after 300 s + 5 * 30 s of silence. */
	LINUX_KEEPALIVE_IDLE_S = 300,
	LINUX_KEEPALIVE_INTERVAL_S = 30,
	LINUX_KEEPALIVE_PROBES = 5
};

struct linux_system {
	int epoll, listener, signals;    /* descriptors; -1: closed */
	bool shared;                     /* others watch the listener too; see share.h, also for */
	bool watched;                    /* whether we do, and for */
	int other;                       /* a second descriptor of it; -1: none */
	struct sockaddr_storage address; /* the listener's, with its real port */
	uint32_t pipes_count;
	int pipes[LINUX_PIPES_MAX][LINUX_PIPE_DESCRIPTORS]; /* as pipe(2) gives them */
	struct epoll_event raw[LINUX_EVENTS_MAX];
	struct echo_event events[LINUX_EVENTS_MAX];
};

/*
 * Opens the listener on `address` and everything else that the engine's actions need, and blocks
 * SIGTERM, SIGINT (requests to stop) and SIGUSR1 (to report), which arrive by a signalfd from then
 * on. SIGPIPE, SIGXFSZ and SIGTTOU are ignored. NULL: it listens. Otherwise what could not be done,
 * with errno set, and nothing is left open.
 */
const char *linux_open(struct linux_system *sys, const struct sockaddr_storage *address,
		       socklen_t length, int backlog);

/* The same without an epoll instance: for several systems that share_open() makes of this one. */
const char *linux_listen(struct linux_system *sys, const struct sockaddr_storage *address,
			 socklen_t length, int backlog);

/* Opens up to `count` pipes that take `size` bytes each, into a system that is open, for the actions
 * on pipes. How many there are: fewer, down to none, where the kernel refuses more, for want of
 * descriptors or because of its limit of what a user's pipes may hold (pipe(7), "/proc files"). */
uint32_t linux_open_pipes(struct linux_system *sys, uint32_t count, uint32_t size);

void linux_close(struct linux_system *sys);

/* Makes the system call that `action` stands for. ECHO_OP_REPORT is the caller's. */
struct echo_result linux_perform(struct linux_system *sys, const struct echo_action *action);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t linux_now_ms(void);

/* Opens /dev/null for those of standard input, output and error that are closed: a socket that got
 * one of their numbers would be taken for it. */
void linux_standard_descriptors(void);

/* Raises the soft limit of descriptors to the hard one; how many the process may have. */
uint64_t linux_raise_descriptors(void);

/* Anonymous memory for the engine, zeroed, touched only when used (mmap(2)). NULL: errno tells. */
void *linux_memory(size_t size);

#endif
