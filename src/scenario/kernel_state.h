/*
 * What the parts of the kernel's world share: the descriptors of a scenario, and what is known of
 * them.
 */
#ifndef SCENARIO_KERNEL_STATE_H
#define SCENARIO_KERNEL_STATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "kernel.h"

/* States of tcp(7), as TCP_INFO tells them (include/net/tcp_states.h). */
enum tcp_state {
	STATE_ESTABLISHED = 1,
	STATE_SYN_SENT = 2,
	STATE_SYN_RECV = 3,
	STATE_FIN_WAIT1 = 4,
	STATE_FIN_WAIT2 = 5,
	STATE_CLOSE = 7,
	STATE_CLOSE_WAIT = 8,
	STATE_LISTEN = 10
};

enum thing_kind {
	THING_NONE = 0,
	THING_OTHER,   /* what it does is done when the call returns */
	THING_COUNTER, /* the same, of an eventfd or timerfd, where a number is read */
	THING_TCP,     /* connected, or connecting */
	THING_LISTENER,
	THING_UDP,
	THING_WAITER,
	THING_CHILD
};

enum { THING_NOBODY = -1 };

struct thing {
	enum thing_kind kind;
	bool open;
	int file; /* the open file description: duplicates have the same */
	int peer; /* TCP: the other end's index, or THING_NOBODY */
	uint16_t port, peer_port;
	pid_t child;
	struct waiter *waiter;
};

/* For who asks for more events than can be told. */
enum { KERNEL_EVENTS_MAX = 1024 };

/* A thread that waits. */
struct waiter {
	pthread_t thread;
	int epoll, max, timeout_ms;
	atomic_int tid;
	atomic_bool done;
	bool joined;
	int count, error; /* of events, or -1 and errno */
	struct epoll_event events[KERNEL_EVENTS_MAX];
};

struct kernel {
	struct thing things[CALL_NAMES_MAX];
	struct waiter waiters[CALL_NAMES_MAX];
	struct waiter *started[CALL_NAMES_MAX]; /* of these */
	uint32_t waiters_count, forked_count;
	pid_t forked[CALL_NAMES_MAX]; /* 0: it was ended */
	int files;                    /* used so far */
	uint32_t children;            /* alive, with copies of descriptors */
};

/* NULL: it is a plain number. */
struct thing *kernel_thing(struct kernel *k, int fd);

/* A call that needs to know more of its descriptor than a plain number tells. */
enum world_answer kernel_unnamed(struct note *why);

/* errno as what was seen. */
enum world_answer kernel_failed(struct seen *seen);

/* Something of the system that is not there, such as proc(5) in an empty root. */
enum world_answer kernel_missing(struct note *why, const char *what);
bool kernel_has_proc(void);

/* Gives a descriptor the number of its name. False: errno, and it is closed. */
bool kernel_place(struct kernel *k, int fd, int number, enum thing_kind kind);

/* kernel_make.c: calls that make descriptors */
enum world_answer kernel_make(struct kernel *k, const struct call *call, struct seen *seen,
			      struct note *why);

/* kernel_epoll.c: epoll_ctl(2), epoll_wait(2), poll(2), and the interest list */
enum world_answer kernel_epoll(struct kernel *k, const struct call *call, struct seen *seen,
			       struct note *why);
enum world_answer kernel_seen_events(struct seen *seen, const struct epoll_event *events, int count,
				     struct note *why);

/* What "max" gives to a wait; never more than there is room for, if it could be that. */
int kernel_most(const struct call *call);

/* kernel_data.c: bytes and ends of streams */
enum world_answer kernel_data(struct kernel *k, const struct call *call, struct seen *seen,
			      struct note *why);

/* kernel_process.c: threads, processes, signals */
enum world_answer kernel_process(struct kernel *k, const struct call *call, struct seen *seen,
				 struct note *why);

/* Until each waiter that was woken has returned, or is blocked again. */
void kernel_quiet(struct kernel *k);
/* Ends all waiters and children. */
void kernel_end_all(struct kernel *k);

/* kernel_tcp.c: waits until what was done to a TCP socket has arrived. False: `why` it has not. */
bool kernel_settle(struct kernel *k, struct thing *thing, struct note *why);
bool kernel_settle_drained(struct kernel *k, struct thing *thing, struct note *why);
bool kernel_settle_connect(struct kernel *k, int fd, const struct thing *listener,
			   struct note *why);
int kernel_tcp_state(int fd); /* enum tcp_state */
void kernel_ports(int fd, struct thing *thing);

/* What is known before a socket is closed, and the wait for what comes of it. */
struct farewell {
	bool last, resets, finishes;
};
struct farewell kernel_farewell(struct kernel *k, const struct thing *thing);
bool kernel_settle_close(struct kernel *k, struct thing *thing, struct farewell farewell,
			 struct note *why);

#endif
