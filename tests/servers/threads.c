/*
 * A correct echo server that is not ours: a thread for each connection, and calls that block. It
 * shows that the suite in spec/ judges by what is promised, and not by how it is done.
 */
#define _GNU_SOURCE 1
#include "common.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2000, STACK = 64 * 1024, BUFFER = 16 * 1024 };

static sem_t room;

static bool send_all(int fd, const char *bytes, size_t left)
{
	while (left > 0) {
		ssize_t sent = send(fd, bytes, left, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			bytes += sent;
			left -= (size_t)sent;
		}
	}
	return true;
}

/* Echoes until the peer half-closes; false where a reset ended the connection. */
static bool echo(int fd)
{
	char buffer[BUFFER];

	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0 && !send_all(fd, buffer, (size_t)got))
			return false;
	}
}

/*
 * No call blocks until the peer has acknowledged all, so ask, less and less often: a peer that does
 * not read may take for ever, and must cost next to nothing meanwhile.
 */
static void await_acknowledgement(int fd)
{
	const long longest = 512 * 1000 * 1000;
	struct timespec pause = { .tv_nsec = 500 * 1000 };

	while (!connection_over(fd)) {
		nanosleep(&pause, NULL);
		pause.tv_nsec = pause.tv_nsec * 2 < longest ? pause.tv_nsec * 2 : longest;
	}
}

static void *connection(void *argument)
{
	int fd = (int)(intptr_t)argument;

	if (echo(fd)) {
		shutdown(fd, SHUT_WR);
		await_acknowledgement(fd);
	}
	close(fd);
	sem_post(&room);
	return NULL;
}

static void accept_one(int listener, const pthread_attr_t *attributes)
{
	pthread_t thread;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && pthread_create(&thread, attributes, connection, (void *)(intptr_t)fd) == 0)
		return;
	if (fd >= 0)
		close(fd);
	else if (out_of_resources())
		nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
	sem_post(&room);
}

int main(int argc, char **argv)
{
	pthread_attr_t attributes;
	int listener;

	(void)argc;
	listener = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), 0);
	switch_on(listener, SOL_SOCKET, SO_OOBINLINE);
	switch_on(listener, IPPROTO_TCP, TCP_NODELAY);
	raise_descriptors();
	sem_init(&room, 0, THREADS);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	announce(listener);
	for (;;) {
		while (sem_wait(&room) < 0)
			;
		accept_one(listener, &attributes);
	}
}
