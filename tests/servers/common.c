#define _GNU_SOURCE 1
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

void usage(const char *arguments)
{
	fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, arguments);
	exit(2);
}

unsigned short port_argument(char *const *rest, unsigned short standard, const char *arguments)
{
	char *end;
	unsigned long port;

	if (!rest[0])
		return standard;
	port = strtoul(rest[0], &end, 10);
	if (rest[0][0] < '0' || rest[0][0] > '9' || *end || port > 65535 || rest[1])
		usage(arguments);
	return (unsigned short)port;
}

void switch_on(int fd, int level, int option)
{
	if (setsockopt(fd, level, option, &(int){ 1 }, sizeof(int)) < 0)
		fail("setsockopt");
}

int listen_loopback(unsigned short port, int flags)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		fail("socket");
	switch_on(fd, SOL_SOCKET, SO_REUSEADDR);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("bind");
	if (listen(fd, SOMAXCONN) < 0)
		fail("listen");
	return fd;
}

void announce(int listener)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		fail("getsockname");
	fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
}

void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("setrlimit");
}

/*
 * The state rather than SIOCOUTQ: a reset leaves that count as it was, and only the state tells the
 * acknowledged FIN (LAST-ACK to CLOSED) and the reset alike.
 */
bool connection_over(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
	       info.tcpi_state == TCP_CLOSE;
}

bool out_of_resources(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
}

bool happens(int fd, short events, int timeout)
{
	struct pollfd one = { .fd = fd, .events = events };

	return poll(&one, 1, timeout) > 0;
}

int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Written to, or it would not count; reachable, or the compiler could leave it out. */
void hoard(size_t size)
{
	static void **hoarded;
	void **more = malloc(size + sizeof(*more));

	if (!more)
		return;
	memset(more, 1, size + sizeof(*more));
	*more = hoarded;
	hoarded = more;
}
