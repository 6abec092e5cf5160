#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "outcome.h"
#include "share.h"
#include "signals.h"
#include "system.h"

_Static_assert((int)ECHO_IN == (int)EPOLLIN, "readiness has the kernel's values");
_Static_assert((int)ECHO_PRI == (int)EPOLLPRI, "readiness has the kernel's values");
_Static_assert((int)ECHO_OUT == (int)EPOLLOUT, "readiness has the kernel's values");
_Static_assert((int)ECHO_ERR == (int)EPOLLERR, "readiness has the kernel's values");
_Static_assert((int)ECHO_HUP == (int)EPOLLHUP, "readiness has the kernel's values");
_Static_assert((int)ECHO_RDHUP == (int)EPOLLRDHUP, "readiness has the kernel's values");

uint64_t linux_now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now); /* fails for no clock that exists */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct echo_result failed(const struct echo_action *action)
{
	return (struct echo_result){ .outcome = linux_outcome(action->op, errno), .handle = -1 };
}

/* For calls that return 0 or fail. */
static struct echo_result done(const struct echo_action *action, int returned)
{
	if (returned < 0)
		return failed(action);
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = -1 };
}

/* `none` is what it means that no bytes moved. */
static struct echo_result moved(const struct echo_action *action, ssize_t count,
				enum echo_outcome none)
{
	if (count < 0)
		return failed(action);
	return (struct echo_result){
		.outcome = count == 0 ? none : ECHO_DONE,
		.count = (uint32_t)count,
		.handle = -1,
	};
}

static struct echo_result received(const struct echo_action *action, int flags)
{
	return moved(action, recv(action->handle, action->data, action->length, flags), ECHO_END);
}

static struct echo_result sent(const struct echo_action *action)
{
	return moved(action, send(action->handle, action->data, action->length, MSG_NOSIGNAL),
		     ECHO_INTERRUPTED);
}

/* Without a look at the bytes. The socket does not block, so neither does the call (splice(2)). */
static struct echo_result spliced(const struct echo_action *action, int from, int to,
				  enum echo_outcome none)
{
	const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

	return moved(action, splice(from, NULL, to, NULL, action->length, flags), none);
}

static struct echo_result filled(const struct linux_system *sys, const struct echo_action *action)
{
	return spliced(action, action->handle, sys->pipes[action->pipe][1], ECHO_END);
}

/* Its end is no end of a pipe's: we have its other end. */
static struct echo_result emptied(const struct linux_system *sys, const struct echo_action *action)
{
	return spliced(action, sys->pipes[action->pipe][0], action->handle, ECHO_FAILED);
}

static struct echo_result purged(const struct linux_system *sys, const struct echo_action *action)
{
	int pipe = sys->pipes[action->pipe][0];

	return moved(action, read(pipe, action->data, action->length), ECHO_END);
}

static struct echo_result unacked(const struct echo_action *action)
{
	int bytes = 0;

	if (ioctl(action->handle, SIOCOUTQ, &bytes) != 0)
		return failed(action);
	return (struct echo_result){ .outcome = ECHO_DONE, .count = (uint32_t)bytes, .handle = -1 };
}

static struct echo_result accepted(struct linux_system *sys, const struct echo_action *action)
{
	int fd = accept4(sys->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return failed(action);
	if (sys->shared)
		share_next(sys);
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = fd };
}

static struct echo_result watched(const struct linux_system *sys, const struct echo_action *action)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
		.data.u64 = action->token,
	};

	return done(action, epoll_ctl(sys->epoll, EPOLL_CTL_ADD, action->handle, &event));
}

static struct echo_result listener_watched(struct linux_system *sys,
					   const struct echo_action *action, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = ECHO_TOKEN_LISTENER };

	if (sys->shared)
		return done(action, share_watch(sys, events != 0) ? 0 : -1);
	return done(action, epoll_ctl(sys->epoll, EPOLL_CTL_MOD, sys->listener, &event));
}

static struct echo_result unlistened(struct linux_system *sys, const struct echo_action *action)
{
	int fd = sys->listener;

	/* Others have the listener open, so close(2) does not take it off the interest list. */
	if (sys->shared) {
		share_watch(sys, false);
		close(sys->other);
	}
	sys->listener = -1;
	sys->other = -1;
	return done(action, close(fd));
}

static struct echo_result waited(struct linux_system *sys, const struct echo_action *action)
{
	struct echo_result result = { .outcome = ECHO_DONE, .handle = -1, .events = sys->events };
	uint32_t room = action->events_max < LINUX_EVENTS_MAX ? action->events_max
							      : LINUX_EVENTS_MAX;
	int count = epoll_wait(sys->epoll, sys->raw, (int)room, action->timeout_ms);

	if (count < 0)
		result = failed(action);
	result.now_ms = linux_now_ms();
	for (int i = 0; i < count; i++) {
		if (sys->raw[i].data.u64 == LINUX_TOKEN_SIGNALS) {
			result.requests |= sys->shared ? share_requests(sys->signals)
						       : signals_requests(sys->signals);
			continue;
		}
		sys->events[result.events_count++] =
			(struct echo_event){ .token = sys->raw[i].data.u64,
					     .readiness = sys->raw[i].events };
	}
	return result;
}

__attribute__((noinline)) static struct echo_result perform_other(struct linux_system *sys,
								  const struct echo_action *action)
{
	switch (action->op) {
	case ECHO_OP_WAIT:
		return waited(sys, action);
	case ECHO_OP_ACCEPT:
		return accepted(sys, action);
	case ECHO_OP_PAUSE:
		return listener_watched(sys, action, 0);
	case ECHO_OP_RESUME:
		return listener_watched(sys, action, EPOLLIN);
	case ECHO_OP_UNLISTEN:
		return unlistened(sys, action);
	case ECHO_OP_WATCH:
		return watched(sys, action);
	case ECHO_OP_PEEK:
		return received(action, MSG_PEEK);
	case ECHO_OP_CONSUME:
	case ECHO_OP_DISCARD:
		return received(action, MSG_TRUNC); /* tcp(7): removed, and copied nowhere */
	case ECHO_OP_FILL:
		return filled(sys, action);
	case ECHO_OP_EMPTY:
		return emptied(sys, action);
	case ECHO_OP_PURGE:
		return purged(sys, action);
	case ECHO_OP_UNACKED:
		return unacked(action);
	case ECHO_OP_SHUTDOWN:
		return done(action, shutdown(action->handle, SHUT_WR));
	case ECHO_OP_CLOSE:
		return done(action, close(action->handle));
	case ECHO_OP_READ:
	case ECHO_OP_WRITE:
	case ECHO_OP_REPORT:
	case ECHO_OP_NONE:
	case ECHO_OP_COUNT:
		break;
	}
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = -1 };
}

/* What a message takes needs no stack to speak of; where all are one function, each pays for all. */
struct echo_result linux_perform(struct linux_system *sys, const struct echo_action *action)
{
	if (action->op == ECHO_OP_READ)
		return received(action, 0);
	if (action->op == ECHO_OP_WRITE)
		return sent(action);
	return perform_other(sys, action);
}
