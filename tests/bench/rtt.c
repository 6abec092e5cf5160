/*
 * Round trips in a closed loop: a connection sends its next message when it has the whole echo of
 * the last one, so that as many messages are under way as there are connections.
 */
#include <sys/epoll.h>

#include "load.h"

static void send_next(const struct load *load, struct stream *stream)
{
	stream->due += load->size;
	stream->started_ns = load_now_ns();
	stream_push(load, stream);
}

/* How many messages this event has brought to their end: none or one. */
static unsigned advance(const struct load *load, struct stream *stream, struct outcome *outcome)
{
	size_t count;

	if (stream->sent < stream->due)
		stream_push(load, stream);
	count = stream_receive(stream, LOAD_SIZE_MAX);
	if (count == STREAM_END)
		load_failed("connection %u: the server ended the stream", stream->number);
	if (count == 0 || stream->received < stream->due)
		return 0;
	histogram_add(&outcome->latency, load_now_ns() - stream->started_ns);
	return 1;
}

void load_rtt(const struct load *load, struct outcome *outcome)
{
	struct stream *streams = streams_open(load, load->connections);
	struct epoll_event events[LOAD_EVENTS_MAX];
	uint64_t started = 0;

	load_begin(load, outcome);
	for (; started < load->connections && started < load->count; started++)
		send_next(load, &streams[started]);
	while (outcome->messages < load->count) {
		int count = load_wait(load, events);

		for (int i = 0; i < count; i++) {
			struct stream *stream = events[i].data.ptr;

			if (advance(load, stream, outcome) == 0)
				continue;
			outcome->messages++;
			if (started++ < load->count)
				send_next(load, stream);
		}
	}
	load_end(load, outcome);
	outcome->bytes = outcome->messages * load->size;
	streams_end(load, streams, load->connections);
}
