/*
 * The yardstick: the loop that everybody writes first. Level-triggered epoll, one buffer for all, one
 * read and one blocking write for each event. It promises nothing: who does not read stops everybody,
 * and an error is taken for the end.
 */
#include "../../servers/common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, BUFFER = 64 * 1024 };

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

static void take(int epoll, int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		watch(epoll, fd);
}

static void echo(int fd)
{
	static char buffer[BUFFER];
	ssize_t got = read(fd, buffer, sizeof(buffer));

	if (got <= 0 || send(fd, buffer, (size_t)got, MSG_NOSIGNAL) < 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listener = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), 0);
	int epoll = epoll_create1(0);

	(void)argc;
	if (epoll < 0)
		fail("epoll_create1");
	raise_descriptors();
	switch_on(listener, IPPROTO_TCP, TCP_NODELAY);
	watch(epoll, listener);
	announce(listener);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				take(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
