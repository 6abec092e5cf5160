/*
 * Truly short transfers. Linked with -Wl,--wrap, the server's recv(), send() and splice() come here,
 * and ask the kernel for less: some of the bytes, in a sequence that ECHO_SHORT_SEED settles. With
 * ECHO_SHORT_ONLY=splice the others are left alone, since only long reads lead to a splice().
 *
 * To an edge-triggered reader a short count says more than "there were so many": it says that the
 * edge is spent and that another one will follow (epoll(7), question 9; ECHO-22, ECHO-23). A count
 * that is short for our sake would be a lie, as the kernel has seen no reason to announce anything.
 * So the promise is kept here: EPOLL_CTL_MOD with the same mask and data makes epoll look at the
 * descriptor again, and report at the next wait what it finds, as it would a new edge
 * (fs/eventpoll.c, ep_modify). It does so only where something is to be had: after a short recv
 * when bytes, or the end, are left, and after a short send when there is room. That is what a
 * kernel does whose segments arrive, and whose acknowledgements come, one by one.
 *
 * A short splice says nothing: it may have stopped at a slot of the pipe, so no promise is to be kept.
 * A count that is shorter than what was passed on is the kernel's own, and is left to it. So is an
 * error. The MOD bypasses the server, which registers once and never modifies (ECHO-24).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { DESCRIPTORS = 1 << 17 };

struct registration {
	struct epoll_event event;
	int epoll; /* 0: none; descriptor 0 is no epoll instance of the server's */
};

static struct registration registrations[DESCRIPTORS];

ssize_t __real_recv(int fd, void *data, size_t length, int flags);
ssize_t __real_send(int fd, const void *data, size_t length, int flags);
ssize_t __real_splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t length,
		      unsigned flags);
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

ssize_t __wrap_recv(int fd, void *data, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t length, int flags);
ssize_t __wrap_splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t length,
		      unsigned flags);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

static _Noreturn void give_up(const char *why)
{
	perror(why);
	abort();
}

static uint64_t seed(void)
{
	const char *text = getenv("ECHO_SHORT_SEED");

	return text != NULL ? strtoull(text, NULL, 10) : 1;
}

/* splitmix64: equidistributed, and any seed will do. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 1 to `length`, and of every magnitude: the draw is of a number of bits first. Seed 0 is for the
 * shortest there is, one byte at a time. */
static size_t shorter(size_t length)
{
	static uint64_t state;
	static bool drawn, single;
	uint64_t bits, count;

	if (!drawn) {
		state = seed();
		single = state == 0;
		drawn = true;
	}
	if (single)
		return length > 0 ? 1 : 0;
	bits = draw(&state) % 18;
	count = 1 + draw(&state) % (UINT64_C(1) << bits);
	return count < length ? (size_t)count : length;
}

static struct registration *registration(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? &registrations[fd] : NULL;
}

static bool is_registered(int fd)
{
	const struct registration *known = registration(fd);

	return known != NULL && known->epoll != 0;
}

static size_t shorter_of(const char *call, int fd, size_t length)
{
	const char *only = getenv("ECHO_SHORT_ONLY");

	if (!is_registered(fd) || (only != NULL && strcmp(only, call) != 0))
		return length;
	return shorter(length);
}

static void announce_again(int fd)
{
	struct registration *known = registration(fd);

	if (__real_epoll_ctl(known->epoll, EPOLL_CTL_MOD, fd, &known->event) != 0)
		give_up("short: epoll_ctl");
}

/* Descriptors that are closed stay in the table until they are registered anew; nobody transfers
 * by them in between. */
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	int returned = __real_epoll_ctl(epoll, operation, fd, event);
	struct registration *known = registration(fd);

	if (returned == 0 && known == NULL)
		give_up("short: a descriptor that is out of range");
	if (returned == 0 && operation != EPOLL_CTL_DEL)
		*known = (struct registration){ .event = *event, .epoll = epoll };
	return returned;
}

ssize_t __wrap_recv(int fd, void *data, size_t length, int flags)
{
	size_t asked = shorter_of("recv", fd, length);
	ssize_t count = __real_recv(fd, data, asked, flags);

	if (asked < length && count == (ssize_t)asked)
		announce_again(fd);
	return count;
}

ssize_t __wrap_send(int fd, const void *data, size_t length, int flags)
{
	size_t asked = shorter_of("send", fd, length);
	ssize_t count = __real_send(fd, data, asked, flags);

	if (asked < length && count == (ssize_t)asked)
		announce_again(fd);
	return count;
}

ssize_t __wrap_splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t length,
		      unsigned flags)
{
	int fd = is_registered(from) ? from : to;

	return __real_splice(from, from_offset, to, to_offset, shorter_of("splice", fd, length),
			     flags);
}
