/*
 * On libevent, with what its users write: a bufferevent, whose input moves to its output without a
 * copy, and a watermark above which nothing more is read.
 */
#include "../../servers/common.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

enum { OWED_MAX = 256 * 1024 };

static void on_readable(struct bufferevent *conn, void *context)
{
	(void)context;
	bufferevent_write_buffer(conn, bufferevent_get_input(conn));
	if (evbuffer_get_length(bufferevent_get_output(conn)) > OWED_MAX)
		bufferevent_disable(conn, EV_READ);
}

static void on_event(struct bufferevent *conn, short what, void *context);

/* All that was owed is sent. */
static void on_written(struct bufferevent *conn, void *context)
{
	(void)context;
	bufferevent_enable(conn, EV_READ);
}

static void on_last_written(struct bufferevent *conn, void *context)
{
	(void)context;
	bufferevent_free(conn);
}

static void on_event(struct bufferevent *conn, short what, void *context)
{
	(void)context;
	if ((what & BEV_EVENT_EOF) != 0 && evbuffer_get_length(bufferevent_get_output(conn)) > 0)
		bufferevent_setcb(conn, NULL, on_last_written, on_event, NULL);
	else
		bufferevent_free(conn);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int length, void *context)
{
	struct bufferevent *conn = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
							  BEV_OPT_CLOSE_ON_FREE);

	(void)address;
	(void)length;
	(void)context;
	if (conn == NULL) {
		evutil_closesocket(fd);
		return;
	}
	bufferevent_setcb(conn, on_readable, on_written, on_event, NULL);
	bufferevent_enable(conn, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	int fd = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), SOCK_NONBLOCK);
	struct event_base *base = event_base_new();

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (base == NULL ||
	    evconnlistener_new(base, on_connection, NULL,
			       LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, fd) == NULL)
		fail("evconnlistener_new");
	announce(fd);
	return event_base_dispatch(base);
}
