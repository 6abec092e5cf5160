#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/*
 * All streams send the same endless sequence, each from a place of its own in it: to take one for
 * the other, or a byte for its neighbour, shows in the first bytes. The period is prime, and no
 * server moves bytes by that.
 */
enum { PERIOD = 262139, PLACE = 7919, SOURCES = 250 };

static uint8_t *sequence;
static int sequence_file;

static void make_sequence(void)
{
	const size_t size = PERIOD + LOAD_SIZE_MAX;
	uint64_t state = 1;

	sequence_file = memfd_create("sequence", MFD_CLOEXEC);
	if (sequence_file < 0 || ftruncate(sequence_file, (off_t)size) < 0)
		load_unable("cannot have a file in memory: %s", strerror(errno));
	sequence = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, sequence_file, 0);
	if (sequence == MAP_FAILED)
		load_unable("cannot map a file in memory: %s", strerror(errno));
	for (size_t i = 0; i < PERIOD; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		sequence[i] = (uint8_t)(state >> 56);
	}
	memcpy(sequence + PERIOD, sequence, LOAD_SIZE_MAX);
}

static const uint8_t *bytes_at(const struct stream *stream, uint64_t offset)
{
	return sequence + (offset + (uint64_t)stream->number * PLACE) % PERIOD;
}

static _Noreturn void broken(const struct stream *stream, const char *what)
{
	load_failed("connection %" PRIu32 ": %s after %" PRIu64 " of %" PRIu64 " bytes: %s",
		    stream->number, what, stream->received, stream->sent, strerror(errno));
}

static bool on_loopback(const struct sockaddr_in *address)
{
	return ntohl(address->sin_addr.s_addr) >> 24 == 127;
}

static void choose_source(int fd, uint32_t number)
{
	struct sockaddr_in source = { .sin_family = AF_INET };

	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % SOURCES);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0)
		load_unable("cannot have a source address: %s", strerror(errno));
}

static void set_patience(const struct load *load, int fd)
{
	struct timeval patience = { .tv_sec = load->timeout_ms / 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) < 0)
		load_unable("cannot set up a socket: %s", strerror(errno));
}

void stream_open(const struct load *load, struct stream *stream, uint32_t number)
{
	if (sequence == NULL)
		make_sequence();
	*stream = (struct stream){ .number = number, .started_ns = load_now_ns() };
	stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		load_unable("cannot have socket %" PRIu32 ": %s", number, strerror(errno));
	set_patience(load, stream->fd);
	if (on_loopback(&load->address))
		choose_source(stream->fd, number);
	if (connect(stream->fd, (const struct sockaddr *)&load->address, sizeof(load->address)) < 0)
		load_unable("connection %" PRIu32 ": cannot connect: %s", number, strerror(errno));
}

void stream_watch(const struct load *load, struct stream *stream)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };

	if (fcntl(stream->fd, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(load->epoll, EPOLL_CTL_ADD, stream->fd, &event) < 0)
		load_unable("cannot watch a connection: %s", strerror(errno));
}

static void wait_for_room(const struct load *load, struct stream *stream, bool wait)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };

	if (wait == stream->blocked)
		return;
	if (wait)
		event.events |= EPOLLOUT;
	if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, stream->fd, &event) < 0)
		load_unable("cannot watch a connection: %s", strerror(errno));
	stream->blocked = wait;
}

static ssize_t send_some(const struct stream *stream, size_t most)
{
	const uint8_t *bytes = bytes_at(stream, stream->sent);
	off_t offset = bytes - sequence;

	if (stream->lends)
		return sendfile(stream->fd, sequence_file, &offset, most);
	return send(stream->fd, bytes, most, MSG_NOSIGNAL);
}

void stream_push(const struct load *load, struct stream *stream)
{
	bool full = false;

	while (stream->sent < stream->due && !full) {
		uint64_t left = stream->due - stream->sent;
		size_t most = left < LOAD_SIZE_MAX ? (size_t)left : LOAD_SIZE_MAX;
		ssize_t sent = send_some(stream, most);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			broken(stream, "send failed");
		full = sent < 0 && errno == EAGAIN;
		stream->sent += sent > 0 ? (uint64_t)sent : 0;
	}
	wait_for_room(load, stream, full);
}

static void compare(const struct stream *stream, const uint8_t *bytes, size_t count)
{
	const uint8_t *expected = bytes_at(stream, stream->received);
	size_t at = 0;

	if (stream->received + count > stream->sent)
		load_failed("connection %" PRIu32 ": %" PRIu64 " bytes came back of %" PRIu64,
			    stream->number, stream->received + count, stream->sent);
	if (memcmp(bytes, expected, count) == 0)
		return;
	while (bytes[at] == expected[at])
		at++;
	load_failed("connection %" PRIu32 ": byte %" PRIu64 " is %#x, and %#x was sent",
		    stream->number, stream->received + at, bytes[at], expected[at]);
}

size_t stream_receive(struct stream *stream, size_t most)
{
	static uint8_t buffer[LOAD_SIZE_MAX];
	ssize_t count = recv(stream->fd, buffer, most < sizeof(buffer) ? most : sizeof(buffer), 0);

	if (count == 0)
		return STREAM_END;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (count < 0)
		broken(stream, "receive failed");
	compare(stream, buffer, (size_t)count);
	stream->received += (uint64_t)count;
	return (size_t)count;
}

void stream_warm_up(const struct load *load, struct stream *stream)
{
	stream->due = load->size;
	stream_push(load, stream);
	while (stream->received < stream->due) {
		size_t count = stream_receive(stream, load->size);

		if (count == STREAM_END)
			stream_ended(stream);
		if (count == 0 || count == STREAM_END)
			load_failed("connection %" PRIu32 ": %" PRIu64 " of %" PRIu64
				    " bytes came back in %d ms",
				    stream->number, stream->received, stream->sent,
				    load->timeout_ms);
	}
}

void stream_finish(const struct stream *stream)
{
	if (shutdown(stream->fd, SHUT_WR) < 0)
		broken(stream, "half-close failed");
}

void stream_ended(const struct stream *stream)
{
	if (stream->received != stream->sent || stream->sent != stream->due)
		load_failed("connection %" PRIu32 ": the stream ended after %" PRIu64 " of %" PRIu64
			    " bytes",
			    stream->number, stream->received, stream->due);
}

struct stream *streams_open(const struct load *load, uint32_t count)
{
	struct stream *streams = calloc(count, sizeof(*streams));

	if (streams == NULL)
		load_unable("no memory for %" PRIu32 " connections", count);
	for (uint32_t i = 0; i < count; i++) {
		stream_open(load, &streams[i], i);
		stream_warm_up(load, &streams[i]);
		stream_watch(load, &streams[i]);
	}
	return streams;
}

static bool has_ended(const struct load *load, struct stream *stream)
{
	if (stream_receive(stream, LOAD_SIZE_MAX) != STREAM_END)
		return false;
	stream_ended(stream);
	if (epoll_ctl(load->epoll, EPOLL_CTL_DEL, stream->fd, NULL) < 0)
		load_unable("cannot unwatch a connection: %s", strerror(errno));
	return true;
}

void streams_end(const struct load *load, struct stream *streams, uint32_t count)
{
	struct epoll_event events[LOAD_EVENTS_MAX];
	uint32_t open = count;

	for (uint32_t i = 0; i < count; i++)
		stream_finish(&streams[i]);
	while (open > 0) {
		int ready = load_wait(load, events);

		for (int i = 0; i < ready; i++)
			if (has_ended(load, events[i].data.ptr))
				open--;
	}
	streams_close(streams, count);
}

void streams_close(struct stream *streams, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		close(streams[i].fd);
	free(streams);
}
