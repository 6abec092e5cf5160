/* Opening and closing: what happens once, before the first action and after the last. */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/*
 * Accepted sockets inherit all of these from their listener, which saves a call each for every
 * connection; tests/test_linux.c checks that they do (tcp(7), socket(7); net/core/sock.c,
 * sk_clone_lock).
 */
static bool set_options(int fd, int family)
{
	return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       (family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
	       set(fd, SOL_SOCKET, SO_OOBINLINE, 1) && set(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
	       set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPIDLE, LINUX_KEEPALIVE_IDLE_S) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPINTVL, LINUX_KEEPALIVE_INTERVAL_S) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPCNT, LINUX_KEEPALIVE_PROBES);
}

static const char *open_listener(struct linux_system *sys, const struct sockaddr_storage *address,
				 socklen_t length, int backlog)
{
	socklen_t size = sizeof(sys->address);

	sys->listener = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sys->listener < 0)
		return "make a socket";
	if (!set_options(sys->listener, address->ss_family))
		return "set the options of a socket";
	if (bind(sys->listener, (const struct sockaddr *)address, length) != 0)
		return "listen";
	if (listen(sys->listener, backlog) != 0)
		return "listen";
	if (getsockname(sys->listener, (struct sockaddr *)&sys->address, &size) != 0)
		return "find the port";
	return NULL;
}

static bool watch(const struct linux_system *sys, int fd, uint64_t token)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = token };

	return epoll_ctl(sys->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static const char *open_signals(struct linux_system *sys)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return "block signals";
	/* A log that is a broken pipe, or a file at its limit, is an error of write(2), no more;
	 * and a terminal that stops its background jobs when they write (stty tostop) may not do
	 * so. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    signal(SIGTTOU, SIG_IGN) == SIG_ERR)
		return "ignore signals";
	sys->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return sys->signals < 0 ? "receive signals" : NULL;
}

static const char *open_epoll(struct linux_system *sys)
{
	sys->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sys->epoll < 0)
		return "make an epoll instance";
	if (!watch(sys, sys->listener, ECHO_TOKEN_LISTENER) ||
	    !watch(sys, sys->signals, LINUX_TOKEN_SIGNALS))
		return "watch the listener";
	return NULL;
}

/* Leaves nothing open if something failed, and errno as it was. */
static const char *outcome(struct linux_system *sys, const char *failed)
{
	int error = errno;

	if (failed != NULL)
		linux_close(sys);
	errno = error;
	return failed;
}

const char *linux_listen(struct linux_system *sys, const struct sockaddr_storage *address,
			 socklen_t length, int backlog)
{
	const char *failed;

	sys->epoll = -1;
	sys->listener = -1;
	sys->signals = -1;
	sys->other = -1;
	sys->shared = false;
	sys->pipes_count = 0;
	failed = open_listener(sys, address, length, backlog);
	if (failed == NULL)
		failed = open_signals(sys);
	return outcome(sys, failed);
}

const char *linux_open(struct linux_system *sys, const struct sockaddr_storage *address,
		       socklen_t length, int backlog)
{
	const char *failed = linux_listen(sys, address, length, backlog);

	return failed != NULL ? failed : outcome(sys, open_epoll(sys));
}

/* close(2) releases the descriptor whatever it returns, and there is nobody left to tell. */
static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool open_pipe(int ends[LINUX_PIPE_DESCRIPTORS], uint32_t size)
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	if (fcntl(ends[1], F_GETPIPE_SZ) == (int)size ||
	    fcntl(ends[1], F_SETPIPE_SZ, size) == (int)size)
		return true;
	close_one(&ends[0]);
	close_one(&ends[1]);
	return false;
}

uint32_t linux_open_pipes(struct linux_system *sys, uint32_t count, uint32_t size)
{
	while (sys->pipes_count < count && sys->pipes_count < LINUX_PIPES_MAX &&
	       open_pipe(sys->pipes[sys->pipes_count], size))
		sys->pipes_count++;
	return sys->pipes_count;
}

void linux_close(struct linux_system *sys)
{
	for (; sys->pipes_count > 0; sys->pipes_count--) {
		close_one(&sys->pipes[sys->pipes_count - 1][0]);
		close_one(&sys->pipes[sys->pipes_count - 1][1]);
	}
	close_one(&sys->listener);
	close_one(&sys->other);
	close_one(&sys->signals);
	close_one(&sys->epoll);
}

void linux_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close_one(&fd);
}

uint64_t linux_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024; /* the customary one; accept will tell if there are fewer */
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t soft = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = soft;
	}
	return limit.rlim_cur;
}

void *linux_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}
