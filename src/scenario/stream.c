#include "stream.h"

#include "parse.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct stream_result moved(size_t len)
{
	return (struct stream_result){ .status = STREAM_MOVED, .len = len };
}

static struct stream_result failed(int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK || error == EINPROGRESS)
		return (struct stream_result){ .status = STREAM_BLOCKED };
	return (struct stream_result){ .status = STREAM_FAILED, .error = error };
}

/* Open and close. */

static bool set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/*
 * Urgent data is read in line, so that it does not matter here whether a server sends it back as
 * such.
 */
static bool set_options(int fd, const struct stream_options *options)
{
	if (!set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
	    !set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1))
		return false;
	if (options->rcvbuf > 0 && !set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)options->rcvbuf))
		return false;
	if (options->mss != 0 && !set_option(fd, IPPROTO_TCP, TCP_MAXSEG, (int)options->mss))
		return false;
	return options->sndbuf == 0 || set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)options->sndbuf);
}

/*
 * Where nobody listens on a port of the ephemeral range, a socket may be given just this port and
 * connect to itself: the perfect echo server, and a false witness.
 */
static bool is_connected_to_itself(int fd)
{
	struct sockaddr_storage own, peer;
	socklen_t own_len = sizeof own, peer_len = sizeof peer;

	memset(&own, 0, sizeof own);
	memset(&peer, 0, sizeof peer);
	if (getsockname(fd, (struct sockaddr *)&own, &own_len) != 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0)
		return false;
	return own_len == peer_len && memcmp(&own, &peer, own_len) == 0;
}

static struct stream_result give_up(struct stream *stream, int error)
{
	stream_close(stream);
	return failed(error);
}

static struct stream_result accept_peer(struct stream *stream)
{
	stream->connecting = false;
	if (is_connected_to_itself(stream->fd)) {
		stream_reset(stream);
		return failed(ECONNREFUSED);
	}
	return moved(0);
}

struct stream_result stream_open(struct stream *stream, const struct address *server,
				 const struct stream_options *options)
{
	const struct sockaddr *name = (const struct sockaddr *)&server->storage;

	stream->fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		return failed(errno);
	if (!set_options(stream->fd, options))
		return give_up(stream, errno);
	if (connect(stream->fd, name, server->len) == 0)
		return accept_peer(stream);
	/* EINTR leaves the connection under way, as EINPROGRESS does (connect(2)). */
	if (errno == EINPROGRESS || errno == EINTR) {
		stream->connecting = true;
		return failed(EINPROGRESS);
	}
	/* EAGAIN here means that there is no local port, which is no reason to wait for the
	 * socket. */
	return give_up(stream, errno == EAGAIN ? EADDRNOTAVAIL : errno);
}

struct stream_result stream_connected(struct stream *stream)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	return error ? give_up(stream, error) : accept_peer(stream);
}

void stream_close(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	stream->connecting = false;
}

void stream_reset(struct stream *stream)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (stream->fd >= 0)
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	stream_close(stream);
}

/* Bytes. */

struct stream_result stream_send(struct stream *stream, const uint8_t *bytes, size_t len, int flags)
{
	ssize_t n;

	do
		n = send(stream->fd, bytes, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? failed(errno) : moved((size_t)n);
}

struct stream_result stream_recv(struct stream *stream, uint8_t *bytes, size_t len_max)
{
	ssize_t n;

	do
		n = recv(stream->fd, bytes, len_max, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return (struct stream_result){ .status = STREAM_EOF };
	return n < 0 ? failed(errno) : moved((size_t)n);
}

struct stream_result stream_send_pattern(struct stream *stream, size_t len_max, int flags)
{
	uint8_t bytes[CALL_MAX];
	size_t len = len_max < sizeof bytes ? len_max : sizeof bytes;
	struct stream_result result;

	pattern_fill(stream->pattern, stream->written, bytes, len);
	result = stream_send(stream, bytes, len, flags);
	stream->written += result.len;
	return result;
}

/*
 * Keeps what is there instead of the right bytes, and what has arrived behind it, as far as it
 * fits.
 */
static struct stream_result wrong(struct stream *stream, const uint8_t *bytes, size_t good,
				  size_t len)
{
	struct stream_result result = { .status = STREAM_WRONG, .len = good };
	size_t seen_len = len - good < sizeof result.seen ? len - good : sizeof result.seen;
	struct stream_result more;

	pattern_fill(stream->pattern, stream->read, &result.expected, 1);
	memcpy(result.seen, bytes + good, seen_len);
	while (seen_len < sizeof result.seen) {
		more = stream_recv(stream, result.seen + seen_len, sizeof result.seen - seen_len);
		if (more.status != STREAM_MOVED)
			break;
		seen_len += more.len;
	}
	result.seen_len = (uint8_t)seen_len;
	return result;
}

struct stream_result stream_recv_pattern(struct stream *stream, size_t len_max)
{
	uint8_t bytes[CALL_MAX];
	struct stream_result result;
	size_t good;

	result = stream_recv(stream, bytes, len_max < sizeof bytes ? len_max : sizeof bytes);
	if (result.status != STREAM_MOVED)
		return result;
	good = pattern_match(stream->pattern, stream->read, bytes, result.len);
	stream->read += good;
	return good == result.len ? result : wrong(stream, bytes, good, result.len);
}

struct stream_result stream_settled(const struct stream *stream, uint64_t *unacknowledged)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	int queued = 0;

	if (ioctl(stream->fd, SIOCOUTQ, &queued) != 0 ||
	    getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return failed(errno);
	*unacknowledged = (uint64_t)queued;
	if (queued == 0)
		return moved(0);
	return info.tcpi_state == TCP_CLOSE ? failed(ECONNRESET) : failed(EAGAIN);
}

bool stream_wait(const struct stream *stream, short events, const struct patience *patience)
{
	struct pollfd poller = { .fd = stream->fd, .events = events };
	int left;

	while ((left = patience_left(patience)) > 0)
		if (poll(&poller, 1, left) > 0)
			return true;
	return false;
}
