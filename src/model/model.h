/*
 * How epoll works, as pure C that answers what the kernel answers.
 *
 * An open file has a readiness mask, which follows from its state, and wake-ups: what an operation
 * announces, with a key that says what it may have changed. The two are not the same, and
 * edge-triggered delivery follows wake-ups: data that arrives where data was already changes no
 * mask, and is announced all the same.
 *
 * An interest entry of an epoll instance hears the wake-ups of one file. It is named by the open
 * file and the descriptor's number together. If the key of a wake-up and the entry's mask have a
 * bit in common the entry goes to the tail of the instance's ready list, unless it is there. So
 * the ready list holds what may be ready; a wait takes it from the front, asks each file for its
 * mask now, and reports what is left of the entry's mask. Level-triggered entries then go back to
 * the tail, edge-triggered ones do not, and one-shot ones lose their mask. An instance is a file
 * as well: it is readable while something in its ready list is, and passes wake-ups on.
 *
 * All of it is in fs/eventpoll.c: ep_poll_callback() is entry_hears(), ep_send_events() is
 * model_wait(), ep_item_poll() is entry_ready(), __ep_eventpoll_poll() is instance_ready().
 *
 * Objects so far: eventfds (fs/eventfd.c), pipes (fs/pipe.c), and epoll instances, nested ones
 * too. Left out, and for other worlds: sockets, timers, threads that wait, other processes, bad
 * addresses. Also left out: the limit on paths through nested instances, and those of a user.
 *
 * The memory is the caller's, one struct model. Calls return 0 or more, or an error, negative, by
 * Linux's numbers (errno(3)).
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MODEL_FDS_MAX = 128,
	MODEL_FILES_MAX = 96,
	MODEL_PIPES_MAX = 16,
	MODEL_ENTRIES_MAX = 192,
	MODEL_PAGE = 4096,
	MODEL_PAGES_MAX = 16, /* of a pipe */
	MODEL_NESTS_MAX = 4   /* instances below another one */
};

enum model_error {
	MODEL_EOK = 0,
	MODEL_ENOENT = -2,
	MODEL_EBADF = -9,
	MODEL_EAGAIN = -11,
	MODEL_EPERM = -1,
	MODEL_EEXIST = -17,
	MODEL_EINVAL = -22,
	MODEL_ENFILE = -23, /* a table of the model is full */
	MODEL_EPIPE = -32,
	MODEL_ELOOP = -40
};

/* Bits of masks, as in epoll_ctl(2). */
enum {
	MODEL_IN = 0x1,
	MODEL_PRI = 0x2,
	MODEL_OUT = 0x4,
	MODEL_ERR = 0x8,
	MODEL_HUP = 0x10,
	MODEL_RDNORM = 0x40,
	MODEL_WRNORM = 0x100
};
#define MODEL_EXCLUSIVE UINT32_C(0x10000000)
#define MODEL_WAKEUP    UINT32_C(0x20000000)
#define MODEL_ONESHOT   UINT32_C(0x40000000)
#define MODEL_ET        UINT32_C(0x80000000)

enum model_op { MODEL_ADD = 1, MODEL_DEL = 2, MODEL_MOD = 3 };

enum model_kind {
	MODEL_FREE = 0,
	MODEL_EVENTFD,
	MODEL_READER, /* the ends of a pipe */
	MODEL_WRITER,
	MODEL_EPOLL,
	MODEL_PLAIN /* a file that has no poll operation */
};

#define MODEL_NOBODY UINT16_MAX /* no entry, no file: the end of a list */

struct model_event {
	uint32_t mask;
	uint64_t data;
};

struct model_file {
	enum model_kind kind;
	uint32_t descriptors;
	uint16_t heard_by; /* the entries that listen, the newest first */

	uint64_t count; /* EVENTFD */
	bool semaphore;

	uint16_t pipe; /* READER, WRITER */

	uint16_t entries;                 /* EPOLL: its interest list */
	uint16_t ready_first, ready_last; /* and its ready list */
};

struct model_pipe {
	bool used, reading, writing; /* there is a reader, a writer */
	bool polled;                 /* somebody has asked for its mask: pipe->poll_usage */
	uint16_t pages, first, full; /* how many there are; the oldest; how many hold bytes */
	uint16_t start[MODEL_PAGES_MAX], length[MODEL_PAGES_MAX];
	uint8_t bytes[MODEL_PAGES_MAX][MODEL_PAGE];
};

struct model_entry {
	bool used, queued;
	uint16_t instance, file; /* whose it is, and what it listens to */
	int fd;
	uint32_t mask; /* with flags; ERR and HUP are always in it */
	uint64_t data;
	uint16_t next_heard, next_entry, next_ready;
};

struct model {
	uint16_t fds[MODEL_FDS_MAX]; /* open files, or MODEL_NOBODY */
	struct model_file files[MODEL_FILES_MAX];
	struct model_pipe pipes[MODEL_PIPES_MAX];
	struct model_entry entries[MODEL_ENTRIES_MAX];
};

void model_init(struct model *m);

/* Calls that make descriptors, with the numbers that they are to have: those are free. */
int model_eventfd(struct model *m, int fd, uint64_t count, bool semaphore);
int model_pipe(struct model *m, int reader, int writer, uint32_t bytes);
int model_epoll(struct model *m, int fd);
int model_plain(struct model *m, int fd);
int model_dup(struct model *m, int fd, int to); /* dup2(2): what `to` was is closed */
int model_close(struct model *m, int fd);

int model_ctl(struct model *m, int epoll, int op, int fd, struct model_event event);

/* Takes up to `most` events, without blocking; returns how many. */
int model_wait(struct model *m, int epoll, struct model_event *events, int64_t most);

/* poll(2) on one descriptor: what of `mask` is ready; ERR and HUP in any case. */
uint32_t model_poll(struct model *m, int fd, uint32_t mask);

/* What fdinfo shows of the entry with that number, if there is one. */
bool model_entry_of(const struct model *m, int epoll, int fd, struct model_event *event);

/* Of a pipe: how many bytes were moved; 0 from a read is the end. */
int model_write(struct model *m, int fd, const uint8_t *bytes, uint32_t size);
int model_read(struct model *m, int fd, uint8_t *bytes, uint32_t size);

/* Of an eventfd. */
int model_add_count(struct model *m, int fd, uint64_t number);
int model_take_count(struct model *m, int fd, uint64_t *number);

enum model_kind model_kind(const struct model *m, int fd); /* MODEL_FREE: it is not open */

/* For fuzzers: NULL, or the name of what does not hold. */
const char *model_invariant(const struct model *m);

/* What the parts of the model share: the wake-up of a file, its mask, its descriptor's file. */
void model_wake(struct model *m, uint16_t file, uint32_t key);
uint32_t model_mask(struct model *m, uint16_t file);
uint16_t model_file_of(const struct model *m, int fd);
void model_forget(struct model *m, uint16_t file); /* its last descriptor is closed */
bool model_instance_ready(struct model *m, uint16_t instance);

#endif
