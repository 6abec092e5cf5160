/*
 * epoll, and the descriptors that it watches, as a pure program: no system call, no clock, no heap,
 * no errno, no static state. It answers what Linux 6.18 answers, and its text says why. Names are
 * those of the kernel's source wherever that has one (fs/eventpoll.c unless said otherwise).
 *
 * The story
 *
 * Four kinds of things are told apart, and most surprises about epoll come from taking one for
 * another. A *number* is an index into a process's table of descriptors. It leads to an *open file*
 * (open(2): the open file description), which is shared by all numbers that dup(2), fork(2) and
 * SCM_RIGHTS made of it, and lives as long as one of them. An open file is a way to an *object*:
 * a socket, an eventfd, one end of a pipe. The interest list of an epoll instance holds *entries*,
 * and the key of an entry is an open file and a number, both: so a duplicate can be registered
 * again, and an entry survives the close of its number when the file lives on (epoll(7), Q6).
 *
 * An object has two ways to tell about itself. Asked, it computes its *readiness*, a mask, from its
 * state (poll(2), and f_op->poll in the kernel). Unasked, it *announces* that something happened,
 * to whoever listens to it; this is a wake-up, and carries a *key*, the mask of what it is about, or
 * 0 if it may be about anything. These two are independent. Readiness can change without a wake-up,
 * as when SO_RCVLOWAT is raised, and a wake-up can come without a change, as when data arrives while
 * older data is unread. So each operation on an object is two questions: what becomes of the state,
 * and what is announced to whom. Nothing else decides what epoll reports.
 *
 * An entry listens to its object. It *hears* a wake-up if the key is 0 or has a bit that the entry
 * asks for, and then does one thing: it puts itself at the end of its instance's *ready list*, if
 * it is not in it yet (ep_poll_callback). ADD and MOD ask the object for its readiness instead, and
 * put the entry there if anything it asks for is ready (ep_insert, ep_modify). That is why MOD
 * re-arms.
 *
 * epoll_wait takes the ready list, which is only a list of suspects, and asks each of them again
 * (ep_send_events). Who is not ready any more is dropped without a word. Who is ready is reported
 * with all that is true now, and then
 *
 *      level-triggered    goes to the end of the ready list again, to be asked by the next wait;
 *      EPOLLET            is forgotten, until a wake-up or a MOD puts it back;
 *      EPOLLONESHOT       is forgotten, and deaf until a MOD: its mask is now empty.
 *
 * Those for whom there was no room stay in front, in their order. So "edge-triggered" does not mean
 * that a change of readiness is reported: it means that *each heard wake-up puts the entry into the
 * list once*. All that an author of event loops has to know about edges is which operation
 * announces what; read the functions that call wake() and wake_all().
 *
 * An epoll instance is an object as well: it is readable while one of its suspects is ready, and
 * announces IN whenever an entry of its own is put into its ready list, or hears while it is there.
 *
 * A wake-up goes through the listeners in order: the one that was added last comes first, and
 * EPOLLEXCLUSIVE ones come after all others, the oldest of them first. It reaches all that are not
 * exclusive; of the exclusive ones it ends with the first that woke somebody who was blocked
 * (__wake_up_common in kernel/sched/wait.c). So exclusive entries of instances on which nobody is
 * blocked all hear it.
 *
 * A *waiter* is a thread that is blocked in epoll_wait. One wake-up of an instance takes one waiter
 * out of the queue, the one that came last. When it runs it collects as above; if it finds nothing it waits on,
 * and if it leaves something in the ready list it wakes the next one (ep_done_scan).
 *
 * Use
 *
 *      struct model *m = model_init(memory, size, &config);
 *      int fds[2], epfd = model_epoll_create1(m, 0);
 *
 *      model_unix(m, MODEL_STREAM, fds);
 *      model_epoll_ctl(m, epfd, MODEL_ADD, fds[0], &(struct model_event){ .events = MODEL_IN });
 *      model_write(m, fds[1], "hello", 5);
 *      count = model_epoll_wait(m, epfd, events, 8);
 *
 * Functions return what the system call returns, and an error as the negative number that is named
 * below. They check in the order in which the kernel checks. All descriptors are non-blocking; who
 * wants to block makes a waiter. The effect of an operation on TCP has arrived when it returns.
 *
 * Memory is the caller's, all of it, once; sizes are the configuration's. An operation costs as much
 * as it has listeners, a wait as much as there are suspects, ADD, MOD and DEL one look into a hash
 * table. Pages are not touched before what is in them is used.
 *
 * What is left out, and why
 *
 *   - Buffer memory as the kernel counts it (skb->truesize, SO_SNDBUF, tcp_rmem, window updates):
 *     it depends on the driver, the version and the load. The rings here are of bytes. Where that
 *     account decides a mask, it does so here at the same fraction of the ring (unix: a quarter
 *     used, TCP: two thirds); filled to would-block and drained to empty are the same in both.
 *   - Time on the wire: segments arrive at once, so there is no race between two ends. A SYN can be
 *     held back, since sockets that are connecting have a readiness of their own.
 *   - Which of several threads that were woken runs first: they run in the order of the wake-ups.
 *   - Busy polling, EPOLLWAKEUP beyond that it is dropped (no suspend here), epoll_pwait's signal
 *     masks (there are no signals; a waiter can be interrupted).
 *   - Fast open, keepalive, lingering closes that block, time-outs of TCP; MSG_OOB on unix sockets;
 *     unix sockets with names; sendmsg(2) of descriptors through sockets (they can be passed from
 *     process to process); kinds that add a source and no mechanism: signalfd, inotify, pidfd,
 *     terminals.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* errno(3), negated, with the numbers that it has on Linux. */
enum model_error {
	MODEL_EPERM = -1,          /* the file cannot be polled */
	MODEL_ENOENT = -2,         /* not in the interest list */
	MODEL_EINTR = -4,          /* a waiter was interrupted */
	MODEL_EBADF = -9,          /* no open descriptor, or not open for this */
	MODEL_EAGAIN = -11,        /* it would block */
	MODEL_ENOMEM = -12,        /* no ring, no waiter left */
	MODEL_EFAULT = -14,        /* no room for an event, no event given */
	MODEL_EBUSY = -16,         /* a pipe holds more than it should shrink to */
	MODEL_EEXIST = -17,        /* in the interest list already */
	MODEL_EINVAL = -22,        /* invalid argument */
	MODEL_ENFILE = -23,        /* no open file left */
	MODEL_EMFILE = -24,        /* no number left in this process */
	MODEL_ENOTTY = -25,        /* nothing is counted for this kind */
	MODEL_ENOSPC = -28,        /* no entry left: max_user_watches */
	MODEL_EPIPE = -32,         /* nobody can read it any more */
	MODEL_ELOOP = -40,         /* instances would watch each other in a circle, or too deep */
	MODEL_ENOTSOCK = -88,      /* not a socket */
	MODEL_EMSGSIZE = -90,      /* a datagram that would never fit */
	MODEL_ENOPROTOOPT = -92,   /* not an option of such sockets */
	MODEL_EOPNOTSUPP = -95,    /* not for this kind of socket */
	MODEL_ECONNABORTED = -103, /* a connection attempt has failed, and it was told why before */
	MODEL_ECONNRESET = -104,   /* connection reset by peer */
	MODEL_EISCONN = -106,      /* connected already */
	MODEL_ENOTCONN = -107,     /* not connected */
	MODEL_ECONNREFUSED = -111, /* nobody listens */
	MODEL_EALREADY = -114,     /* connecting already */
	MODEL_EINPROGRESS = -115   /* connecting */
};

/* Masks and flags, with the values of <sys/epoll.h>. */
#define MODEL_IN        0x001u
#define MODEL_PRI       0x002u
#define MODEL_OUT       0x004u
#define MODEL_ERR       0x008u
#define MODEL_HUP       0x010u
#define MODEL_NVAL      0x020u /* poll(2) only */
#define MODEL_RDNORM    0x040u
#define MODEL_RDBAND    0x080u
#define MODEL_WRNORM    0x100u
#define MODEL_WRBAND    0x200u
#define MODEL_RDHUP     0x2000u
#define MODEL_EXCLUSIVE (1u << 28)
#define MODEL_WAKEUP    (1u << 29)
#define MODEL_ONESHOT   (1u << 30)
#define MODEL_ET        (1u << 31)

/* epoll_ctl(2); other numbers are EINVAL where the kernel says so. */
enum { MODEL_ADD = 1, MODEL_DEL = 2, MODEL_MOD = 3 };

struct model_event {
	uint32_t events;
	uint64_t data;
};

struct model_interest {
	int fd;
	uint32_t events;
	uint64_t data;
};

/* Limits of a configuration. */
#define MODEL_COUNT_LIMIT (1u << 24)
#define MODEL_RING_LIMIT  (1u << 30)

/* All counts are maxima, and at least 1 unless said otherwise. */
struct model_config {
	uint32_t processes;   /* tables of descriptors */
	uint32_t descriptors; /* numbers of each (RLIMIT_NOFILE) */
	uint32_t files;       /* open files, and connections that are not accepted yet */
	uint32_t entries;     /* of all interest lists together (max_user_watches) */
	uint32_t waiters;     /* may be 0 */
	uint32_t rings;       /* each pipe takes one, and each end of a connection; may be 0 */
	uint32_t ring_size;   /* bytes; at least MODEL_RING_MIN */
	uint32_t window;      /* TCP: bytes of a ring that the receiver holds, 1 to ring_size - 1;
	                         the others are the sender's send buffer */
};
#define MODEL_RING_MIN   64u
#define MODEL_PAGE       4096u             /* bytes of a pipe's slot */
#define MODEL_PIPE_SLOT  (MODEL_PAGE + 8u) /* and what it takes of a ring */
#define MODEL_PIPE_SLOTS 16u               /* of a new pipe, if the ring has as many */

struct model;

/* Bytes that model_init() needs. 0: the configuration is outside the limits. */
size_t model_memory_size(const struct model_config *config);

/* `memory` is aligned as malloc(3) aligns, and its size at least what that function said. The
 * process in charge is number 0, time is 0, no descriptor is open. */
struct model *model_init(void *memory, size_t size, const struct model_config *config);

/* True unless the model's own state contradicts itself. Costs all there is: for tests and fuzzers. */
bool model_invariant(const struct model *m);

/* Processes and descriptors. Calls are made by the process in charge. A new descriptor has the
 * lowest free number; without any it is EMFILE, and ENFILE or ENOMEM without an open file or ring. */

void model_switch(struct model *m, uint32_t process);      /* puts another one in charge */
void model_fork(struct model *m, uint32_t process);        /* an empty one becomes a copy */
void model_exit(struct model *m);                          /* closes all of this one's */
void model_limit(struct model *m, uint32_t descriptors);   /* RLIMIT_NOFILE, for all processes */
int model_pass(struct model *m, int fd, uint32_t process); /* SCM_RIGHTS: the number over there */
int model_dup(struct model *m, int fd);
int model_dup2(struct model *m, int from, int to);
int model_close(struct model *m, int fd);

int model_file(struct model *m); /* a regular file: cannot be watched, holds nothing */
int model_eventfd(struct model *m, uint64_t count, bool semaphore);
int model_timerfd(struct model *m);
int model_pipe(struct model *m, int fds[2]); /* the reading end, the writing end */
int model_fifo(struct model *m);             /* opened for both */
int model_epoll_create(struct model *m, int size);
int model_epoll_create1(struct model *m, uint32_t flags); /* 0, or EPOLL_CLOEXEC: 02000000 */

enum model_type { MODEL_STREAM = 1, MODEL_DATAGRAM, MODEL_SEQPACKET };
int model_unix(struct model *m, enum model_type type, int fds[2]); /* socketpair(2) */

/* epoll. EFAULT stands for a pointer that is NULL. */
int model_epoll_ctl(struct model *m, int epfd, int op, int fd, const struct model_event *event);

/* With a timeout of 0. How many events, up to `maxevents`. */
int model_epoll_wait(struct model *m, int epfd, struct model_event *events, int maxevents);

/* What poll(2) returns in revents, for a timeout of 0. */
uint32_t model_poll(struct model *m, int fd, uint32_t events);

/* The interest list as /proc/PID/fdinfo shows it, in the order of ADD (the kernel's is that of
 * addresses). Up to `max`; how many there are. */
int model_interest(struct model *m, int epfd, struct model_interest *list, int max);

/* Bytes. An eventfd and a timerfd move 8 of them, a number in the machine's byte order. */

int64_t model_read(struct model *m, int fd, void *bytes, size_t size); /* NULL: thrown away */
int64_t model_peek(struct model *m, int fd, void *bytes, size_t size); /* recv(2), MSG_PEEK */
int64_t model_write(struct model *m, int fd, const void *bytes, size_t size);
int64_t model_send_urgent(struct model *m, int fd, const void *bytes, size_t size); /* MSG_OOB */
int64_t model_receive_urgent(struct model *m, int fd, uint8_t *byte);
bool model_counts(struct model *m, int fd);                    /* is it one of these? */
int64_t model_queued(struct model *m, int fd);                 /* FIONREAD */
int64_t model_unsent(struct model *m, int fd);                 /* SIOCOUTQ, of TCP */
int model_pipe_resize(struct model *m, int fd, uint32_t size); /* F_SETPIPE_SZ; the new size */

/* Sockets. */

enum model_how { MODEL_RD = 1, MODEL_WR = 2, MODEL_RDWR = 3 };
enum model_option { MODEL_RCVLOWAT = 1, MODEL_OOBINLINE, MODEL_LINGER };

int model_socket(struct model *m); /* TCP, not bound */
int model_listen(struct model *m, int fd, uint32_t backlog);
/* `to` is a listener, instead of an address; anything else refuses. EINPROGRESS, and with `held`
 * the SYN has not arrived before model_settle(); nor has it while the backlog is full. */
int model_connect(struct model *m, int fd, int to, bool held);
int model_settle(struct model *m, int fd); /* lets the SYN of this socket arrive, if one is held */
int model_accept(struct model *m, int fd);
int model_shutdown(struct model *m, int fd, enum model_how how);
int model_dissolve(struct model *m, int fd); /* connect(2) to AF_UNSPEC */
/* LINGER is for a time of 0 alone: then close(2) resets. */
int model_set_option(struct model *m, int fd, enum model_option option, int value);
int model_socket_error(struct model *m, int fd, int *error); /* SO_ERROR, taken: 0 or negative */

int model_tcp_state(struct model *m, int fd); /* TCP_INFO, tcpi_state: 1 is ESTABLISHED */

/* Virtual time, in nanoseconds. */

uint64_t model_now(const struct model *m);
uint64_t model_next(const struct model *m); /* when the next of them is due; UINT64_MAX: none */
/* Timers expire and waiters time out in their order, and woken waiters run in between. */
void model_advance(struct model *m, uint64_t ns);
/* timerfd_settime(2), relative. `first` 0 disarms; `interval` 0: it expires once. */
int model_timer_set(struct model *m, int fd, uint64_t first, uint64_t interval);

/*
 * Waiters. model_block() is an epoll_wait that may block: it returns a waiter's number (from 0), or
 * an error. `events` has room for `maxevents` and stays the caller's until the waiter is done;
 * timeout -1 is for ever. A waiter that was woken runs when model_run() or time lets it.
 */
enum model_waiting {
	MODEL_ASLEEP = 1, /* blocked */
	MODEL_WOKEN,      /* woken, and has not run yet */
	MODEL_DONE        /* it has returned `result` */
};
int model_block(struct model *m, int epfd, struct model_event *events, int maxevents,
		int64_t timeout_ns);
void model_run(struct model *m);
void model_interrupt(struct model *m, int waiter); /* a signal handler ran */
enum model_waiting model_waiter(const struct model *m, int waiter, int *result);
void model_waiter_free(struct model *m, int waiter); /* it must be DONE */

#endif
