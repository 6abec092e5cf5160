/*
 * On libuv, with what its users write first: a buffer from the heap for each read, and a request that
 * owns it until it is written. It reads on while the peer does not.
 */
#include "../../servers/common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

struct echo {
	uv_write_t request;
	uv_buf_t bytes;
};

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *given)
{
	(void)handle;
	*given = uv_buf_init(malloc(suggested), (unsigned)suggested);
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

static void on_written(uv_write_t *request, int status)
{
	struct echo *echo = (struct echo *)request;

	if (status < 0)
		end(request->handle);
	free(echo->bytes.base);
	free(echo);
}

static void on_ended(uv_shutdown_t *request, int status)
{
	(void)status;
	end(request->handle);
	free(request);
}

/* What is still to be written comes before the end. */
static void half_close(uv_stream_t *stream)
{
	uv_shutdown_t *request = malloc(sizeof(*request));

	if (request == NULL || uv_shutdown(request, stream, on_ended) < 0) {
		free(request);
		end(stream);
	}
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *given)
{
	struct echo *echo;

	if (got <= 0) {
		free(given->base);
		if (got == UV_EOF)
			half_close(stream);
		else if (got < 0)
			end(stream);
		return;
	}
	echo = malloc(sizeof(*echo));
	if (echo == NULL)
		abort();
	echo->bytes = uv_buf_init(given->base, (unsigned)got);
	if (uv_write(&echo->request, stream, &echo->bytes, 1, on_written) < 0) {
		end(stream);
		free(echo->bytes.base);
		free(echo);
	}
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
