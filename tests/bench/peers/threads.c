/* A thread for each connection, and calls that block. */
#include "../../servers/common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK = 64 * 1024, BUFFER = 32 * 1024 };

static bool send_all(int fd, const char *bytes, size_t left)
{
	while (left > 0) {
		ssize_t sent = send(fd, bytes, left, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		bytes += sent;
		left -= (size_t)sent;
	}
	return true;
}

static void *connection(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char buffer[BUFFER];
	ssize_t got;

	do
		got = recv(fd, buffer, sizeof(buffer), 0);
	while (got > 0 && send_all(fd, buffer, (size_t)got));
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), 0);
	pthread_attr_t attributes;
	pthread_t thread;

	(void)argc;
	raise_descriptors();
	switch_on(listener, IPPROTO_TCP, TCP_NODELAY);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	announce(listener);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 &&
		    pthread_create(&thread, &attributes, connection, (void *)(intptr_t)fd) != 0)
			close(fd);
	}
}
