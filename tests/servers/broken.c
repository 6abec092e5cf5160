/*
 * An edge-triggered echo server that is correct, unless `--defect NAME` plants exactly one fault in
 * it. Each fault has to make the clause of spec/ECHO.md that it names fail, and without one all
 * clauses that a peer or /proc can judge have to hold.
 *
 * A connection takes turns. It writes what it owes, and reads only when it owes nothing; readiness
 * is latched until a call would block. After the end of its input it ends its output, and keeps the
 * descriptor until the peer has acknowledged everything.
 */
#define _GNU_SOURCE 1
#include "common.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define USAGE "[--list] [--defect NAME] [PORT]"

/* The name, the clause that is violated first, and why. */
#define DEFECTS(X) \
	X(TEXT_ONLY, "text-only", "ECHO-1", "takes bytes for a C string: a NUL ends it") \
	X(LINE_PER_READ, "line-per-read", "ECHO-2", \
	  "takes a read for a line: what follows its end is lost") \
	X(SHORT_WRITE_IGNORED, "short-write-ignored", "ECHO-3", \
	  "the rest of a short write is lost") \
	X(DROPS_URGENT, "drops-urgent", "ECHO-4", "without SO_OOBINLINE the urgent byte is lost") \
	X(SHARED_BUFFER, "shared-buffer", "ECHO-5", \
	  "one buffer for all: what is owed is overwritten") \
	X(KEEPS_HISTORY, "keeps-history", "ECHO-6", "remembers all that was ever echoed") \
	X(CLOSE_ON_RDHUP, "close-on-rdhup", "ECHO-10", \
	  "takes RDHUP for the end, with data unread") \
	X(NO_FIN, "no-fin", "ECHO-11", "waits for the peer, which waits for the end of file") \
	X(EOF_LATE, "eof-late", "ECHO-12", \
	  "an end of file without data is noticed at the next event") \
	X(ONE_READ_AT_END, "one-read-at-end", "ECHO-13", "at RDHUP one more read, then the end") \
	X(RESET_AT_END, "reset-at-end", "ECHO-14", "SO_LINGER 0 for a peer that is late to read") \
	X(EARLY_CLOSE, "early-close", "ECHO-15", \
	  "leaves what is unacknowledged to an orphaned socket") \
	X(LEAK_AT_END, "leak-at-end", "ECHO-16", "the descriptor of an ended connection is kept") \
	X(CLOSES_IDLE, "closes-idle", "ECHO-17", "one echo and good bye") \
	X(ONE_READ_PER_EDGE, "one-read-per-edge", "ECHO-20", "an edge is spent by the first read") \
	X(NO_OUT_EDGE, "no-out-edge", "ECHO-21", \
	  "not registered for OUT: a blocked echo never resumes") \
	X(BUFFERS_UNBOUNDED, "buffers-unbounded", "ECHO-30", \
	  "reads on for a peer that does not read") \
	X(BUFFERS_AHEAD, "buffers-ahead", "ECHO-31", \
	  "a bound for each peer, but not for all together") \
	X(DROPS_WHEN_BLOCKED, "drops-when-blocked", "ECHO-32", \
	  "what cannot be written now is lost") \
	X(BLOCKING_WRITE, "blocking-write", "ECHO-34", "all wait for the peer that does not read") \
	X(GREEDY, "greedy", "ECHO-40", "serves a flood until it ends") \
	X(ACCEPTS_LAST, "accepts-last", "ECHO-41", "accepts only when there is no traffic") \
	X(ACCEPT_STOPS, "accept-stops", "ECHO-41", "one accept for each edge of the listener") \
	X(ACCEPTS_FIRST, "accepts-first", "ECHO-42", "serves nobody as long as connections come") \
	X(EXITS_ON_RESET, "exits-on-reset", "ECHO-50", \
	  "takes the error of one connection for its own") \
	X(LEAK_ON_RESET, "leak-on-reset", "ECHO-51", \
	  "the descriptor of a reset connection is kept") \
	X(SLOTS_MIXED_UP, "slots-mixed-up", "ECHO-59", \
	  "a slot that is used again still owes bytes") \
	X(SPIN_ON_HALF_CLOSE, "spin-on-half-close", "ECHO-60", "level-triggered: RDHUP stays ready")

#define NAME_IT(id, name, clause, why) id,
#define ROW(id, name, clause, why)     [id] = { name, clause },
enum defect { NONE, DEFECTS(NAME_IT) COUNT };
static const struct {
	const char *name, *clause;
} defects[] = { DEFECTS(ROW) };
static enum defect defect;

enum { BUFFER = 32 * 1024, STEPS = 8, ACCEPTS = 64, EVENTS = 64 };
/* Even without a bound, not so much that a test could take the machine with it. */
enum { AHEAD = 4 << 20, UNBOUNDED = 256 << 20 };

/* What a step of a connection came to: nothing to do until an event, more to do, all over. */
enum outcome { REST, MORE, END };

struct conn {
	int fd;
	uint32_t ready; /* events that were announced and not used up */
	bool queued, echoed, eof, fin;
	char *buffer;
	size_t size, head, tail; /* buffer[head..tail) is owed to the peer */
	struct conn *next;       /* in the queue of those with work, or in the free list */
};

static int epoll, listener;
static bool paused; /* accepting, for want of descriptors or memory */
static struct conn *queue, **queue_end = &queue, *unused;
static char one_for_all[BUFFER];
static int64_t last_traffic;

static bool watch(int op, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data = { .ptr = data } };

	return epoll_ctl(epoll, op, fd, &event) == 0;
}

static void enqueue(struct conn *c)
{
	if (c->queued)
		return;
	c->queued = true;
	c->next = NULL;
	*queue_end = c;
	queue_end = &c->next;
}

static struct conn *new_slot(void)
{
	struct conn *c = calloc(1, sizeof(*c));

	/* Of a smaller one the kernel takes all or nothing: it fits into one segment's pages. */
	size_t size = defect == SHORT_WRITE_IGNORED ? 16 * (size_t)BUFFER : BUFFER;

	if (!c || !(c->buffer = malloc(size))) {
		free(c);
		return NULL;
	}
	c->size = size;
	memset(c->buffer, 1, size); /* memory is taken here, and not later by what peers do */
	return c;
}

static bool open_conn(int fd)
{
	uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
	struct conn *c = unused ? unused : new_slot();

	if (!c)
		return false;
	unused = c == unused ? c->next : unused;
	if (defect != SLOTS_MIXED_UP)
		c->head = c->tail = 0;
	if (defect == SHARED_BUFFER)
		c->buffer = one_for_all;
	if (defect == NO_OUT_EDGE)
		events &= ~(uint32_t)EPOLLOUT;
	c->fd = fd;
	c->ready = EPOLLIN | EPOLLOUT;
	c->queued = c->echoed = c->eof = c->fin = false;
	if (watch(EPOLL_CTL_ADD, fd, events, c)) {
		enqueue(c);
		return true;
	}
	c->next = unused;
	unused = c;
	return false;
}

static void close_conn(struct conn *c)
{
	close(c->fd);
	c->next = unused;
	unused = c;
}

/* A call on this connection has failed. */
static enum outcome broken_off(struct conn *c)
{
	if (errno == EINTR)
		return MORE;
	if (defect == EXITS_ON_RESET)
		fail("connection");
	if (defect == LEAK_ON_RESET) {
		c->ready = 0;
		return REST;
	}
	return END;
}

static enum outcome put(struct conn *c)
{
	ssize_t sent = send(c->fd, c->buffer + c->head, c->tail - c->head, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		return broken_off(c);
	if (sent < 0) {
		c->ready &= ~(uint32_t)EPOLLOUT;
		if (defect == DROPS_WHEN_BLOCKED)
			c->head = c->tail;
		if (defect == BLOCKING_WRITE && happens(c->fd, POLLOUT, -1))
			c->ready |= EPOLLOUT;
		return MORE;
	}
	c->head += (size_t)sent;
	if (defect == SHORT_WRITE_IGNORED)
		c->head = c->tail;
	if (defect == CLOSES_IDLE && c->head == c->tail)
		return END;
	return MORE;
}

/* How many of the bytes that were just read are kept. */
static size_t worth_keeping(const char *bytes, size_t count)
{
	const char *newline = memchr(bytes, '\n', count);

	if (defect == TEXT_ONLY)
		return strnlen(bytes, count);
	if (defect == LINE_PER_READ && newline)
		return (size_t)(newline - bytes) + 1;
	if (defect == KEEPS_HISTORY)
		hoard(count);
	return count;
}

static enum outcome end_of_input(struct conn *c)
{
	if (defect == EOF_LATE && !c->echoed) {
		c->echoed = true;
		c->ready &= ~(uint32_t)EPOLLIN;
		return REST;
	}
	c->eof = true;
	return MORE;
}

/* Room after what is owed; without a defect nothing is owed here, and all of the buffer is room. */
static size_t make_room(struct conn *c)
{
	char *larger;

	if (c->head == c->tail)
		c->head = c->tail = 0;
	if (c->size - c->tail >= BUFFER || c->size >= UNBOUNDED)
		return c->size - c->tail;
	larger = realloc(c->buffer, c->size * 2);
	if (!larger)
		fail("realloc");
	c->buffer = larger;
	c->size *= 2;
	return c->size - c->tail;
}

static enum outcome get(struct conn *c)
{
	size_t room = make_room(c);
	ssize_t got;

	if (defect == ONE_READ_AT_END)
		room = 4096; /* slower than any peer, so that much is unread when the FIN comes */
	got = recv(c->fd, c->buffer + c->tail, room, 0);
	if (got < 0 && errno != EAGAIN)
		return broken_off(c);
	if (got == 0)
		return end_of_input(c);
	if (got < 0 || defect == ONE_READ_PER_EDGE)
		c->ready &= ~(uint32_t)EPOLLIN;
	if (got < 0)
		return MORE;
	c->tail += worth_keeping(c->buffer + c->tail, (size_t)got);
	c->echoed = true;
	if (defect == ONE_READ_AT_END && c->ready & EPOLLRDHUP)
		c->eof = true;
	return MORE;
}

/* All is read and echoed: end the stream, and from here on wait for the peer to acknowledge it. */
static enum outcome end_of_output(struct conn *c)
{
	if (defect == NO_FIN && c->echoed)
		return REST;
	if (defect == EARLY_CLOSE)
		return END;
	shutdown(c->fd, SHUT_WR);
	c->fin = true;
	return MORE;
}

static enum outcome await_acknowledgement(struct conn *c)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	if (connection_over(c->fd))
		return defect == LEAK_AT_END ? REST : END;
	if (defect == RESET_AT_END &&
	    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0)
		return END;
	return REST;
}

static enum outcome step(struct conn *c)
{
	bool readable = c->ready & EPOLLIN && !c->eof;

	if (defect == CLOSE_ON_RDHUP && c->ready & EPOLLRDHUP)
		return END;
	if (defect == BUFFERS_UNBOUNDED && readable && c->tail < UNBOUNDED)
		return get(c);
	if (defect == BUFFERS_AHEAD && readable && c->tail < AHEAD)
		return get(c);
	if (c->head < c->tail)
		return c->ready & EPOLLOUT ? put(c) : REST;
	if (c->fin)
		return await_acknowledgement(c);
	if (c->eof)
		return end_of_output(c);
	return readable ? get(c) : REST;
}

static enum outcome take_turn(struct conn *c)
{
	enum outcome outcome = MORE;
	int steps = 0;

	while (outcome == MORE && steps++ < STEPS) {
		outcome = step(c);
		if (defect == GREEDY && steps >= STEPS && outcome != END && !c->eof &&
		    happens(c->fd, c->head < c->tail ? POLLOUT : POLLIN, 100)) {
			c->ready |= EPOLLIN | EPOLLOUT;
			outcome = MORE;
			steps = STEPS - 1;
		}
	}
	return outcome;
}

/* One turn for each connection that has work now; who is not done goes to the end of the queue. */
static void serve_queue(void)
{
	struct conn *c = queue, *next;

	if (c)
		last_traffic = milliseconds();
	queue = NULL;
	queue_end = &queue;
	for (; c; c = next) {
		enum outcome outcome;

		next = c->next;
		c->queued = false;
		outcome = take_turn(c);
		if (outcome == MORE)
			enqueue(c);
		if (outcome == END)
			close_conn(c);
	}
}

static void latch(struct conn *c, uint32_t events)
{
	c->ready |= events;
	enqueue(c);
	if (defect == SPIN_ON_HALF_CLOSE && events & EPOLLRDHUP)
		watch(EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, c);
}

static void pause_accepting(bool pausing)
{
	uint32_t events = EPOLLIN;

	if (defect == ACCEPT_STOPS)
		events |= EPOLLET;
	paused = pausing;
	if (!watch(EPOLL_CTL_MOD, listener, paused ? 0 : events, NULL))
		fail("epoll_ctl");
}

/* Short writes are left to no chance: with a send buffer of its choice the kernel may take all of every
 * write. A message of 64 KiB still goes whole. */
static void narrow(int fd)
{
	static const int bytes = 4 * BUFFER; /* socket(7): doubled */

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		fail("SO_SNDBUF");
}

static void accept_some(void)
{
	if (defect == ACCEPTS_LAST && milliseconds() - last_traffic < 100)
		return;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0 && defect == SHORT_WRITE_IGNORED)
			narrow(fd);
		if (fd >= 0 && !open_conn(fd))
			close(fd);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && out_of_resources()) {
			pause_accepting(true);
			return;
		}
		if (defect == ACCEPT_STOPS)
			return;
		if (defect == ACCEPTS_FIRST && !happens(-1, 0, 1) && happens(listener, POLLIN, 50))
			i = 0; /* slowed, as by looking up names, so that a storm keeps it here */
	}
}

static void serve_events(void)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(epoll, events, EVENTS, queue ? 0 : paused ? 100 : -1);
	bool knocks = false;

	if (count < 0 && errno != EINTR)
		fail("epoll_wait");
	if (paused)
		pause_accepting(false);
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			latch(events[i].data.ptr, events[i].events);
		else
			knocks = true;
	}
	/* All events of the batch are latched: none is left over for who comes next. */
	serve_queue();
	if (knocks)
		accept_some();
}

static enum defect named(const char *name)
{
	enum defect d = COUNT;

	while (--d > NONE && strcmp(defects[d].name, name) != 0)
		;
	if (d == NONE)
		usage(USAGE);
	return d;
}

static void list(void)
{
	for (enum defect d = NONE + 1; d < COUNT; d++)
		printf("%s %s\n", defects[d].name, defects[d].clause);
	exit(0);
}

int main(int argc, char **argv)
{
	char **rest = argv + 1;

	if (argc == 2 && strcmp(rest[0], "--list") == 0)
		list();
	if (argc > 2 && strcmp(rest[0], "--defect") == 0) {
		defect = named(rest[1]);
		rest += 2;
	}
	listener = listen_loopback(port_argument(rest, 0, USAGE), SOCK_NONBLOCK);
	if (defect != DROPS_URGENT)
		switch_on(listener, SOL_SOCKET, SO_OOBINLINE);
	switch_on(listener, IPPROTO_TCP, TCP_NODELAY);
	raise_descriptors();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || !watch(EPOLL_CTL_ADD, listener, 0, NULL))
		fail("epoll");
	pause_accepting(false);
	announce(listener);
	for (;;)
		serve_events();
}
