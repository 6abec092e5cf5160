/*
 * One honest client beside connections that never stop sending. All are of one process, so the
 * honest one is looked after between any two calls for the others: what its latency has of our own
 * is one call that moves at most CHUNK bytes.
 */
#include <inttypes.h>
#include <sys/epoll.h>

#include "load.h"

enum { CHUNK = 16 * 1024 };

static void send_next(const struct load *load, struct stream *honest)
{
	honest->due += load->size;
	honest->started_ns = load_now_ns();
	stream_push(load, honest);
}

static void look_after(const struct load *load, struct stream *honest, struct outcome *outcome)
{
	uint64_t waited_ns;
	size_t count = stream_receive(honest, LOAD_SIZE_MAX);

	if (count == STREAM_END)
		load_failed("the server ended the honest connection");
	waited_ns = load_now_ns() - honest->started_ns;
	if (waited_ns / 1000000 > (uint64_t)load->timeout_ms)
		load_failed("starved: no echo in %d ms, after %" PRIu64 " that came",
			    load->timeout_ms, outcome->messages);
	if (honest->received < honest->due)
		return;
	histogram_add(&outcome->latency, waited_ns);
	if (++outcome->messages < load->count)
		send_next(load, honest);
}

/* One call to receive, and one to send. */
static bool flood(const struct load *load, struct stream *stream, bool ending)
{
	uint64_t room;

	if (stream_receive(stream, CHUNK) == STREAM_END) {
		stream_ended(stream);
		epoll_ctl(load->epoll, EPOLL_CTL_DEL, stream->fd, NULL);
		return false;
	}
	if (ending)
		return true;
	room = stream->received + load->window - stream->sent;
	stream->due = stream->sent + (room < CHUNK ? room : CHUNK);
	stream_push(load, stream);
	return true;
}

static void measure(const struct load *load, struct stream *streams, struct outcome *outcome)
{
	struct epoll_event events[LOAD_EVENTS_MAX];
	struct stream *honest = &streams[0];

	send_next(load, honest);
	while (outcome->messages < load->count) {
		int count = load_wait(load, events);

		for (int i = 0; i < count && outcome->messages < load->count; i++) {
			if (events[i].data.ptr != honest)
				flood(load, events[i].data.ptr, false);
			look_after(load, honest, outcome);
		}
	}
}

/* The floods have to get back all that they sent, too. */
static void end_floods(const struct load *load, struct stream *streams)
{
	struct epoll_event events[LOAD_EVENTS_MAX];
	uint32_t open = load->floods;

	for (uint32_t i = 1; i <= load->floods; i++) {
		streams[i].due = streams[i].sent;
		stream_push(load, &streams[i]);
		stream_finish(&streams[i]);
	}
	while (open > 0) {
		int count = load_wait(load, events);

		for (int i = 0; i < count; i++)
			if (!flood(load, events[i].data.ptr, true))
				open--;
	}
}

void load_tail(const struct load *load, struct outcome *outcome)
{
	struct stream *streams = streams_open(load, load->floods + 1);

	for (uint32_t i = 1; i <= load->floods; i++) {
		streams[i].due = load->window;
		stream_push(load, &streams[i]);
	}
	load_begin(load, outcome);
	measure(load, streams, outcome);
	load_end(load, outcome);
	for (uint32_t i = 1; i <= load->floods; i++)
		outcome->bytes += streams[i].received;
	end_floods(load, streams);
	streams_close(streams, load->floods + 1);
}
