/*
 * Connections that come and go: connect, one message there and back, half-close, end of stream,
 * close. The latency is that of all of it.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

static void begin(const struct load *load, struct stream *stream, uint32_t number)
{
	stream_open(load, stream, number);
	stream_watch(load, stream);
	stream->due = load->size;
	stream_push(load, stream);
}

/* True: the connection is over. */
static bool advance(const struct load *load, struct stream *stream, struct outcome *outcome)
{
	size_t count;

	if (stream->sent < stream->due)
		stream_push(load, stream);
	count = stream_receive(stream, LOAD_SIZE_MAX);
	if (count == STREAM_END) {
		stream_ended(stream);
		close(stream->fd);
		histogram_add(&outcome->latency, load_now_ns() - stream->started_ns);
		return true;
	}
	if (count > 0 && stream->received == load->size)
		stream_finish(stream);
	return false;
}

void load_churn(const struct load *load, struct outcome *outcome)
{
	struct stream *streams = calloc(load->connections, sizeof(*streams));
	struct epoll_event events[LOAD_EVENTS_MAX];
	uint32_t started = 0;

	if (streams == NULL)
		load_unable("no memory for %u connections", load->connections);
	load_begin(load, outcome);
	for (; started < load->connections && started < load->count; started++)
		begin(load, &streams[started], started);
	while (outcome->messages < load->count) {
		int count = load_wait(load, events);

		for (int i = 0; i < count; i++) {
			struct stream *stream = events[i].data.ptr;

			if (!advance(load, stream, outcome))
				continue;
			outcome->messages++;
			if (started < load->count)
				begin(load, stream, started++);
		}
	}
	load_end(load, outcome);
	outcome->bytes = outcome->messages * load->size;
	free(streams);
}
