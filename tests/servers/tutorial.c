/*
 * The server that a tutorial on the epoll API arrives at, with each of its faults, marked (1) to
 * (10), kept on purpose: the suite in spec/ has to fail on it. Only the argument, the loopback
 * address and the line that says when it is ready are additions.
 *
 * (10) is what is not there: one accept for each event of the listener, no limit on connections, no
 * orderly end, no choice of the address.
 */
#define _GNU_SOURCE 1
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 32, READ_SIZE = 32 * 1024 };

/* (7) Closes that are put off until main returns, when their numbers may be another's. */
static int *deferred;
static size_t deferred_count;

static void defer_close(int fd)
{
	int *longer = realloc(deferred, (deferred_count + 1) * sizeof(*deferred));

	if (!longer)
		fail("realloc");
	deferred = longer;
	deferred[deferred_count++] = fd;
}

static void add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .fd = fd } };

	printf("epoll add: %d\n", fd);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

static void echo(int fd)
{
	char buffer[READ_SIZE] = { 0 };
	ssize_t got = read(fd, buffer, sizeof(buffer)); /* (2) once for each edge */

	if (got < 0)
		return;
	fputs(">>> ", stdout);
	fwrite(buffer, 1, sizeof(buffer), stdout); /* (9) all of it, whatever was read */
	putchar('\n');
	if (write(fd, buffer, (size_t)got) < 0) /* (3) waits for the peer, (4) may be short */
		perror("write");
}

/* (8) An event that is left over in the batch reaches whoever has the number by now. */
static void handle(const struct epoll_event *event)
{
	printf("event: fd %d, mask %#x\n", event->data.fd, event->events);
	switch (event->events) { /* (5) whole masks: with ERR or HUP, none matches */
	case EPOLLIN:
		echo(event->data.fd);
		break;
	case EPOLLIN | EPOLLRDHUP: /* (1) and what was to be read? */
		printf("connection close: %d\n", event->data.fd);
		close(event->data.fd);
		break;
	}
}

/* (6) No failure of accept or of the wait is survived. */
static bool serve_batch(int epoll, int listener)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(epoll, events, EVENTS, -1);

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == listener) {
			int fd = accept(listener, NULL, NULL);

			if (fd < 0)
				return false;
			defer_close(fd);
			add(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
		} else {
			handle(&events[i]);
		}
	}
	return count >= 0;
}

static void nothing(int number)
{
	(void)number;
}

/*
 * The tutorial's language installs handlers of its own, so that signals interrupt waits, and makes
 * a broken pipe an error; here that takes two calls.
 */
static void signals_as_there(void)
{
	signal(SIGURG, nothing);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	int listener, epoll;

	(void)argc;
	listener = listen_loopback(port_argument(argv + 1, 3000, "[PORT]"), 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	signals_as_there();
	epoll = epoll_create1(0);
	if (epoll < 0)
		fail("epoll_create1");
	add(epoll, listener, EPOLLIN);
	announce(listener);
	while (serve_batch(epoll, listener))
		;
	perror("accept or epoll_wait");
	for (size_t i = 0; i < deferred_count; i++)
		close(deferred[i]);
	return 1;
}
