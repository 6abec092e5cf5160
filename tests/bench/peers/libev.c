/*
 * On libev, with what its users write: a watcher for each direction of a connection, of which one is
 * started; a buffer for all as long as writes go through, and one of its own for what is left over.
 */
#include "../../servers/common.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

struct conn {
	ev_io readable, writable;
	char *owed;
	size_t owed_count, owed_sent;
};

static void end(struct ev_loop *loop, struct conn *conn)
{
	ev_io_stop(loop, &conn->readable);
	ev_io_stop(loop, &conn->writable);
	close(conn->readable.fd);
	free(conn->owed);
	free(conn);
}

static bool owe(struct ev_loop *loop, struct conn *conn, const char *bytes, size_t count)
{
	conn->owed = malloc(count);
	if (conn->owed == NULL)
		return false;
	memcpy(conn->owed, bytes, count);
	conn->owed_count = count;
	conn->owed_sent = 0;
	ev_io_stop(loop, &conn->readable);
	ev_io_start(loop, &conn->writable);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	static char buffer[BUFFER];
	struct conn *conn = watcher->data;
	ssize_t got = recv(watcher->fd, buffer, sizeof(buffer), 0), sent;

	(void)events;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		end(loop, conn);
		return;
	}
	sent = send(watcher->fd, buffer, (size_t)got, MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		sent = 0;
	if (sent == got)
		return;
	if (sent < 0 || !owe(loop, conn, buffer + sent, (size_t)(got - sent)))
		end(loop, conn);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct conn *conn = watcher->data;
	ssize_t sent = send(watcher->fd, conn->owed + conn->owed_sent,
			    conn->owed_count - conn->owed_sent, MSG_NOSIGNAL);

	(void)events;
	if (sent < 0 && errno == EAGAIN)
		return;
	if (sent < 0) {
		end(loop, conn);
		return;
	}
	conn->owed_sent += (size_t)sent;
	if (conn->owed_sent < conn->owed_count)
		return;
	free(conn->owed);
	conn->owed = NULL;
	ev_io_stop(loop, &conn->writable);
	ev_io_start(loop, &conn->readable);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *conn = fd < 0 ? NULL : calloc(1, sizeof(*conn));

	(void)events;
	if (conn == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	ev_io_init(&conn->readable, on_readable, fd, EV_READ);
	ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
	conn->readable.data = conn;
	conn->writable.data = conn;
	ev_io_start(loop, &conn->readable);
}

int main(int argc, char **argv)
{
	int listener = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), SOCK_NONBLOCK);
	struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
	ev_io acceptable;

	(void)argc;
	if (loop == NULL)
		fail("ev_default_loop");
	raise_descriptors();
	switch_on(listener, IPPROTO_TCP, TCP_NODELAY);
	ev_io_init(&acceptable, on_connection, listener, EV_READ);
	ev_io_start(loop, &acceptable);
	announce(listener);
	ev_run(loop, 0);
	return 1;
}
