/*
 * Long streams, sent and received at once: a stream sends on as long as no more than a window of it
 * is under way, then half-closes, and the end has to come back after exactly its bytes.
 */
#include <sys/epoll.h>

#include "load.h"

static void push(const struct load *load, struct stream *stream)
{
	uint64_t due = stream->received + load->window;

	if (stream->due == load->bytes && stream->sent == load->bytes)
		return;
	stream->due = due < load->bytes ? due : load->bytes;
	stream_push(load, stream);
	if (stream->sent == load->bytes)
		stream_finish(stream);
}

/* False: the stream has ended. */
static bool advance(const struct load *load, struct stream *stream, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 &&
	    stream_receive(stream, LOAD_SIZE_MAX) == STREAM_END) {
		stream->due = load->bytes;
		stream_ended(stream);
		epoll_ctl(load->epoll, EPOLL_CTL_DEL, stream->fd, NULL);
		return false;
	}
	push(load, stream);
	return true;
}

void load_bulk(const struct load *load, struct outcome *outcome)
{
	struct stream *streams = streams_open(load, load->connections);
	struct epoll_event events[LOAD_EVENTS_MAX];
	uint32_t open = load->connections;

	if (load->bytes <= load->size)
		load_unable("--bytes: more than the first message (--size) is wanted");
	load_begin(load, outcome);
	for (uint32_t i = 0; i < load->connections; i++)
		push(load, &streams[i]);
	while (open > 0) {
		int count = load_wait(load, events);

		for (int i = 0; i < count; i++)
			if (!advance(load, events[i].data.ptr, events[i].events))
				open--;
	}
	load_end(load, outcome);
	outcome->messages = load->connections;
	outcome->bytes = (load->bytes - load->size) * load->connections;
	streams_close(streams, load->connections);
}
