#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "signals.h"

/* An eventfd adds up what is written to it: the low half counts requests to stop, of which the
 * second one counts as ECHO_REQUEST_ABORT, the high half requests to report. */
#define STOP   UINT64_C(1)
#define REPORT (UINT64_C(1) << 32)

static bool add(const struct linux_system *sys, int listener)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE,
				     .data.u64 = ECHO_TOKEN_LISTENER };

	return epoll_ctl(sys->epoll, EPOLL_CTL_ADD, listener, &event) == 0;
}

static bool drop(const struct linux_system *sys, int listener)
{
	return epoll_ctl(sys->epoll, EPOLL_CTL_DEL, listener, NULL) == 0;
}

static const char *open_all(struct linux_system *sys, int listener)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = LINUX_TOKEN_SIGNALS };

	sys->listener = fcntl(listener, F_DUPFD_CLOEXEC, 0);
	if (sys->listener >= 0)
		sys->other = fcntl(listener, F_DUPFD_CLOEXEC, 0);
	if (sys->other < 0)
		return "share a listener";
	sys->signals = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sys->signals < 0)
		return "pass signals on";
	sys->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sys->epoll < 0)
		return "make an epoll instance";
	if (!share_watch(sys, true) ||
	    epoll_ctl(sys->epoll, EPOLL_CTL_ADD, sys->signals, &event) != 0)
		return "watch the listener";
	return NULL;
}

const char *share_open(struct linux_system *sys, const struct linux_system *main)
{
	const char *failed;
	int error;

	sys->epoll = -1;
	sys->listener = -1;
	sys->other = -1;
	sys->signals = -1;
	sys->address = main->address;
	sys->shared = true;
	sys->watched = false;
	sys->pipes_count = 0;
	failed = open_all(sys, main->listener);
	error = errno;
	if (failed != NULL)
		linux_close(sys);
	errno = error;
	return failed;
}

bool share_watch(struct linux_system *sys, bool watched)
{
	if (sys->watched == watched)
		return true;
	if (!(watched ? add : drop)(sys, sys->listener))
		return false;
	sys->watched = watched;
	return true;
}

void share_next(struct linux_system *sys)
{
	int former = sys->listener;

	if (!add(sys, sys->other))
		return;
	drop(sys, former); /* an entry that is there can be removed */
	sys->listener = sys->other;
	sys->other = former;
}

void share_request(const struct linux_system *sys, uint32_t requests)
{
	uint64_t sum = 0;

	if ((requests & ECHO_REQUEST_ABORT) != 0)
		sum += 2 * STOP;
	else if ((requests & ECHO_REQUEST_STOP) != 0)
		sum += STOP;
	if ((requests & ECHO_REQUEST_REPORT) != 0)
		sum += REPORT;
	/* It fails only where four thousand million requests have not been read. */
	if (sum > 0 && write(sys->signals, &sum, sizeof(sum)) < 0)
		return;
}

uint32_t share_requests(int fd)
{
	uint64_t sum = 0;
	uint32_t requests = 0;

	if (read(fd, &sum, sizeof(sum)) != (ssize_t)sizeof(sum))
		return 0;
	if (sum >= REPORT)
		requests |= ECHO_REQUEST_REPORT;
	if (sum % REPORT >= STOP)
		requests |= ECHO_REQUEST_STOP;
	if (sum % REPORT > STOP)
		requests |= ECHO_REQUEST_ABORT;
	return requests;
}
