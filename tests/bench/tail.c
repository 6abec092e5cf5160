/*
 * One honest client beside connections that never stop sending. All are of one process, so the
 * honest one is looked after between any two calls for the others: what its latency has of our own
 * is one call that moves at most CHUNK bytes. What came back to the others while an honest message
 * was under way tells how many were served before it, and does not depend on the machine's speed.
 *
 * A flood is one only if the server has less time for each byte than we do: else it waits for us,
 * nothing queues, and whoever has no order at all looks fair. So the floods lend their pages instead
 * of having them copied, and move much in each call.
 */
#include <inttypes.h>
#include <sys/epoll.h>

#include "load.h"

enum { CHUNK = 64 * 1024 };

static void send_next(const struct load *load, struct stream *honest)
{
	honest->due += load->size;
	honest->started_ns = load_now_ns();
	stream_push(load, honest);
}

static bool goes_on(const struct load *load, const struct outcome *outcome)
{
	uint64_t ms = (load_now_ns() - outcome->started_ns) / 1000000;

	return outcome->messages < load->count && ms < (uint64_t)load->most_ms;
}

static void look_after(const struct load *load, struct stream *honest, struct outcome *outcome,
		       uint64_t *before)
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
	histogram_add(&outcome->others, outcome->bytes - *before);
	*before = outcome->bytes;
	outcome->messages++;
	if (goes_on(load, outcome))
		send_next(load, honest);
}

/* One call to receive, and one to send. */
static void flood(const struct load *load, struct stream *stream, struct outcome *outcome)
{
	size_t count = stream_receive(stream, CHUNK);
	uint64_t room;

	if (count == STREAM_END)
		load_failed("connection %" PRIu32 ": the server ended the stream", stream->number);
	outcome->bytes += count;
	room = stream->received + load->window - stream->sent;
	stream->due = stream->sent + (room < CHUNK ? room : CHUNK);
	stream_push(load, stream);
}

static void measure(const struct load *load, struct stream *streams, struct outcome *outcome)
{
	struct epoll_event events[LOAD_EVENTS_MAX];
	struct stream *honest = &streams[0];
	uint64_t before = 0;

	send_next(load, honest);
	while (honest->received < honest->due) {
		int count = load_wait(load, events);

		for (int i = 0; i < count && honest->received < honest->due; i++) {
			if (events[i].data.ptr != honest)
				flood(load, events[i].data.ptr, outcome);
			look_after(load, honest, outcome, &before);
		}
	}
}

void load_tail(const struct load *load, struct outcome *outcome)
{
	struct stream *streams = streams_open(load, load->floods + 1);

	for (uint32_t i = 1; i <= load->floods; i++) {
		streams[i].lends = true;
		streams[i].due = load->window;
		stream_push(load, &streams[i]);
	}
	load_begin(load, outcome);
	measure(load, streams, outcome);
	load_end(load, outcome);
	/* The floods have to get back all that they sent, too. */
	for (uint32_t i = 1; i <= load->floods; i++) {
		streams[i].due = streams[i].sent;
		stream_push(load, &streams[i]);
	}
	streams_end(load, streams, load->floods + 1);
}
