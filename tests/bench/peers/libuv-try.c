/*
 * On libuv, as who has measured it writes: a buffer for all reads, uv_try_write, and a request that
 * owns a copy where that does not take everything; reading stops until it is written.
 */
#include "../../servers/common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum { BUFFER = 64 * 1024 };

struct owed {
	uv_write_t request;
	char bytes[];
};

static char buffer[BUFFER];

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *given)
{
	(void)handle;
	(void)suggested;
	*given = uv_buf_init(buffer, sizeof(buffer));
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void end(uv_stream_t *stream)
{
	if (!uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *given);

static void on_written(uv_write_t *request, int status)
{
	uv_stream_t *stream = request->handle;

	free(request);
	if (status < 0 || uv_read_start(stream, give_buffer, on_read) < 0)
		end(stream);
}

static void owe(uv_stream_t *stream, const char *bytes, size_t count)
{
	struct owed *owed = malloc(sizeof(*owed) + count);
	uv_buf_t rest;

	if (owed == NULL) {
		end(stream);
		return;
	}
	memcpy(owed->bytes, bytes, count);
	rest = uv_buf_init(owed->bytes, (unsigned)count);
	uv_read_stop(stream);
	if (uv_write(&owed->request, stream, &rest, 1, on_written) < 0) {
		free(owed);
		end(stream);
	}
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *given)
{
	uv_buf_t echo = uv_buf_init(given->base, got > 0 ? (unsigned)got : 0);
	int sent;

	if (got == 0)
		return;
	if (got < 0) {
		end(stream);
		return;
	}
	sent = uv_try_write(stream, &echo, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		end(stream);
	else if (sent < got)
		owe(stream, given->base + sent, (size_t)(got - sent));
}

static void on_connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *conn = status < 0 ? NULL : malloc(sizeof(*conn));

	if (conn == NULL)
		return;
	uv_tcp_init(listener->loop, conn);
	if (uv_accept(listener, (uv_stream_t *)conn) < 0 ||
	    uv_read_start((uv_stream_t *)conn, give_buffer, on_read) < 0)
		end((uv_stream_t *)conn);
}

int main(int argc, char **argv)
{
	int fd = listen_loopback(port_argument(argv + 1, 0, "[PORT]"), SOCK_NONBLOCK);
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;

	(void)argc;
	raise_descriptors();
	switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (uv_tcp_init(loop, &listener) < 0 || uv_tcp_open(&listener, fd) < 0 ||
	    uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection) < 0)
		fail("uv_listen");
	announce(fd);
	return uv_run(loop, UV_RUN_DEFAULT);
}
