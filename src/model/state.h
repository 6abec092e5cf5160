/* The state of the model, and what its files call of each other. */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base.h"
#include "model.h"

/* Masks that come together. */
#define READABLE (MODEL_IN | MODEL_RDNORM)
#define WRITABLE (MODEL_OUT | MODEL_WRNORM)

/* Keys of wake-ups that come from sock_def_readable(), sk_stream_write_space() and the like. */
#define KEY_ANY      0u
#define KEY_READABLE (MODEL_IN | MODEL_PRI | MODEL_RDNORM | MODEL_RDBAND)
#define KEY_WRITABLE (MODEL_OUT | MODEL_WRNORM | MODEL_WRBAND)
#define KEY_ERROR    MODEL_ERR

enum { MODE_READ = 1, MODE_WRITE = 2 };
enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, SHUT_BOTH = 3 }; /* sk->sk_shutdown */

struct ring {
	uint8_t *bytes; /* NULL: there is none */
	uint32_t head, used;
};

/* Something that happens at a time. */
struct alarm {
	struct link link; /* in m->alarms, by time */
	uint64_t at;
	struct object *timer; /* whose it is: one of these two */
	struct waiter *waiter;
};

struct counter { /* eventfd(2) */
	uint64_t count;
	bool semaphore;
};

struct timer { /* timerfd_create(2) */
	struct alarm alarm;
	uint64_t expires, interval, ticks;
	bool expired; /* and not read since */
};

struct pipe {
	uint32_t readers, writers;   /* open files, by what they are open for */
	uint32_t slots, first, used; /* how many there may be; the oldest; in use */
	bool polled;                 /* pipe->poll_usage */
};

struct local { /* unix(7), one end of a pair */
	enum model_type type;
	uint8_t shutdown;
	bool peer_gone; /* a datagram socket's, and it has not been told yet */
	int error;
	struct object *peer;
};

/* tcp(7), RFC 9293, with the kernel's numbers. A socket in TIME-WAIT is CLOSE for its owner
 * (tcp_time_wait), and a connection appears at the listener when its handshake is over. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11
};

enum urgent { URGENT_NONE = 0, URGENT_NOT_YET, URGENT_VALID, URGENT_READ };

/* What connect(2) has come to, which is not the state: sock->state, SS_CONNECTED and so on. */
enum attempt { ATTEMPT_NONE = 0, ATTEMPT_MADE, ATTEMPT_TOLD, ATTEMPT_SHUT };

struct tcp {
	enum tcp_state state;
	enum attempt attempt;
	uint8_t shutdown;
	bool done;        /* SOCK_DONE: the peer's FIN has come */
	bool no_space;    /* SOCK_NOSPACE: somebody was told that there is no room to write */
	bool in_line;     /* SO_OOBINLINE */
	bool abort;       /* SO_LINGER, 0 */
	bool fin_behind;  /* the peer's FIN waits behind the last byte of our ring */
	int error;        /* sk_err */
	uint32_t lowat;   /* SO_RCVLOWAT */
	uint32_t arrived; /* bytes of our ring; the others are in the peer's send buffer */
	uint64_t taken;   /* bytes read since the beginning: copied_seq */
	enum urgent urgent;
	uint8_t urgent_byte;
	uint64_t urgent_at;  /* its place, in the count of `taken` */
	struct object *peer; /* NULL: nobody is there any more. SYN_SENT: the listener */
	struct link line;    /* LISTEN: connections to accept. Those, and SYN_SENT: their place */
	struct link callers; /* LISTEN: sockets in SYN_SENT */
	uint32_t line_used, line_max;
};

struct epoll {
	struct link ready;     /* the suspects, in their order */
	struct link waiters;   /* blocked, in the order of waking */
	struct link entries;   /* the interest list */
	struct file *file;     /* the one that leads here */
	uint32_t check, depth; /* nesting.c: the check that was here last, and what it found */
};

enum kind {
	KIND_FREE = 0,
	KIND_FILE,
	KIND_EVENTFD,
	KIND_TIMERFD,
	KIND_PIPE,
	KIND_UNIX,
	KIND_TCP,
	KIND_EPOLL
};

/* What listens where: a pipe that is open for both is listened to in two places. */
enum { QUEUE_MAIN = 0, QUEUE_WRITERS = 1, QUEUES = 2 };

/* The first field of what lies in a store is lost when it is given back; one that tells so is not. */
struct object {
	struct link queues[QUEUES]; /* of struct ear: whom wake-ups reach */
	enum kind kind;             /* KIND_FREE: given back */
	uint32_t files;             /* open files that lead here */
	struct ring ring;
	union {
		struct counter counter;
		struct timer timer;
		struct pipe pipe;
		struct local local;
		struct tcp tcp;
		struct epoll epoll;
	};
};

struct file {
	struct object *object;
	uint32_t users;       /* numbers in tables; waiters. 0: given back */
	uint8_t mode;         /* MODE_READ, MODE_WRITE */
	struct link watchers; /* entries on this file */
	uint32_t check;       /* nesting.c: the check that was here last */
};

struct ear {
	struct link link; /* in a queue of an object */
	struct entry *entry;
};

struct entry {
	struct object *epoll;
	struct file *file; /* NULL: given back */
	int fd;
	uint32_t events;
	uint64_t data;
	struct ear ears[QUEUES];
	struct link ready; /* in the ready list of its instance */
	struct link of_epoll, of_file;
	struct entry *chain; /* the next one of the same hash */
};

struct waiter {
	enum model_waiting state; /* 0: free */
	struct link link;         /* in the queue of the instance, or in m->woken */
	struct alarm alarm;
	struct file *file; /* of the instance: it lives as long as somebody waits on it */
	struct model_event *events;
	int maxevents, result;
};

/* Things of one size. Freed ones are used first, so memory that was never used stays untouched. */
struct store {
	uint8_t *items;
	uint32_t size, max, fresh;
	void *free;
};

struct process {
	struct file **files;
	uint64_t *used;  /* a bit for each number */
	uint32_t lowest; /* no word of `used` before this one has a bit that is 0 */
};

struct model {
	struct model_config config;
	struct store files, objects, entries, rings;
	struct waiter *waiters;
	struct process *processes, *current;
	struct entry **hash;
	uint32_t hash_mask, limit, check;
	struct link woken;  /* waiters that will run */
	struct link alarms; /* the next one first */
	uint64_t now;
};

/* tables.c */
void *store_take(struct store *store); /* zeroed; NULL: none is left */
void store_give(struct store *store, void *item);
struct object *object_new(struct model *m, enum kind kind, bool with_ring);
void object_free(struct model *m, struct object *object);
struct file *file_at(const struct model *m, int fd);                     /* NULL: EBADF */
struct object *object_at(const struct model *m, int fd, enum kind kind); /* NULL: none of these */
int refused(const struct model *m, int fd, int error); /* EBADF, or that error if it is open */
int number_left(const struct model *m);                /* 0 or EMFILE */
int file_open(struct model *m, struct object *object, uint8_t mode);
int files_open(struct model *m, struct object *const objects[2], const uint8_t modes[2],
	       int fds[2]);
void file_put(struct model *m, struct file *file);

/* readiness.c: what an object says when it is asked, and to whom it announces unasked */
uint32_t readiness(struct model *m, const struct file *file);
void wake(struct model *m, struct object *object, int queue, uint32_t key);
void wake_all(struct model *m, struct object *object, int queue, uint32_t key);
void listen_to(struct entry *entry);

/* epoll.c */
struct entry *entry_find(const struct model *m, const struct object *epoll, const struct file *file,
			 int fd);
bool entry_hears(struct model *m, struct entry *entry, uint32_t key);
bool epoll_readable(struct model *m, struct object *epoll);
int epoll_check(const struct model *m, int epfd, int maxevents); /* may one wait? 0 or an error */
int epoll_collect(struct model *m, struct object *epoll, struct model_event *events, int maxevents);
void entry_remove(struct model *m, struct entry *entry);
void epoll_release(struct model *m, struct object *epoll);

/* nesting.c: 0, ELOOP or EINVAL for an entry that is to be added, or just was */
int nesting_loops(struct model *m, struct object *epoll, struct object *target);
int nesting_paths(struct model *m, struct file *file);

/* waiting.c */
void waiter_wake(struct model *m, struct object *epoll);
void alarm_set(struct model *m, struct alarm *alarm, uint64_t at);
void alarm_clear(struct alarm *alarm);

/* ring.c: places are counted from the oldest byte */
void ring_put(const struct model *m, struct ring *ring, const void *bytes, uint32_t size);
void ring_look(const struct model *m, const struct ring *ring, uint32_t place, void *bytes,
	       uint32_t size);
void ring_change(const struct model *m, struct ring *ring, uint32_t place, const void *bytes,
		 uint32_t size);
void ring_drop(const struct model *m, struct ring *ring, uint32_t size);

/* The kinds: readiness, reading, writing, and the end. `peek` leaves what it reads. */
uint32_t counter_readiness(const struct object *object);
int64_t counter_read(struct model *m, struct object *object, void *bytes, size_t size);
int64_t counter_write(struct model *m, struct object *object, const void *bytes, size_t size);
uint32_t timer_readiness(const struct object *object);
int64_t timer_read(struct model *m, struct object *object, void *bytes, size_t size);
void timer_expires(struct model *m, struct object *object);

uint32_t pipe_readiness(struct object *object, uint8_t mode);
int64_t pipe_read(struct model *m, struct object *object, void *bytes, size_t size);
int64_t pipe_write(struct model *m, struct object *object, const void *bytes, size_t size);
int64_t pipe_queued(const struct model *m, const struct object *object);
void pipe_release(struct model *m, struct object *object, uint8_t mode);

uint32_t local_readiness(const struct model *m, const struct object *object);
int64_t local_read(struct model *m, struct object *object, void *bytes, size_t size, bool peek);
int64_t local_write(struct model *m, struct object *object, const void *bytes, size_t size);
int64_t local_queued(const struct model *m, const struct object *object);
int local_shutdown(struct model *m, struct object *object, uint8_t how);
void local_release(struct model *m, struct object *object);

struct object *tcp_new(struct model *m, bool with_ring);
void tcp_reset_arrives(struct model *m, struct object *object);
void tcp_abort(struct model *m, struct object *object);
void tcp_disconnect(struct model *m, struct object *object);
void tcp_send_fin(struct model *m, struct object *object);
void tcp_data_ready(struct model *m, struct object *object);
void tcp_hang_up(struct model *m, struct object *listener);

uint32_t tcp_readiness(const struct model *m, struct object *object);
int64_t tcp_read(struct model *m, struct object *object, void *bytes, size_t size, bool peek);
int64_t tcp_write(struct model *m, struct object *object, const void *bytes, size_t size,
		  bool urgent);
int64_t tcp_queued(const struct object *object);
int64_t tcp_unsent(const struct object *object);
int tcp_shutdown(struct model *m, struct object *object, uint8_t how);
void tcp_release(struct model *m, struct object *object);

#endif
