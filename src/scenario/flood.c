#include "flood.h"

#include "parse.h"

#include <errno.h>

static bool give_up(struct flood *flood, uint32_t at)
{
	flood->fault_at = at;
	flood->fault.read = flood->streams[at].read;
	flood->fault.read_want = flood->streams[at].written;
	return false;
}

static bool take_result(struct flood *flood, uint32_t at, const struct stream_result *result,
			int64_t now)
{
	struct stream *stream = &flood->streams[at];

	if (result->status == STREAM_MOVED)
		stream->moved_ms = now;
	else if (result->status != STREAM_BLOCKED)
		fault_of_result(&flood->fault, result, stream->read);
	return flood->fault.kind == FAULT_NONE || give_up(flood, at);
}

/* One call each way at most, so that no connection of the flood keeps another waiting. */
static bool serve(struct flood *flood, uint32_t at, bool stopping, int64_t now)
{
	struct stream *stream = &flood->streams[at];
	short events = flood->pollers[at].revents;
	struct stream_result result;

	if ((events & POLLOUT) && !stopping) {
		result = stream_send_pattern(stream, CALL_MAX, 0);
		if (!take_result(flood, at, &result, now))
			return false;
	}
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		result = stream_recv_pattern(stream, CALL_MAX);
		if (!take_result(flood, at, &result, now))
			return false;
	}
	if (now - stream->moved_ms < flood->timeout_ms)
		return true;
	flood->fault.kind = FAULT_QUIET;
	flood->fault.waited_ms = flood->timeout_ms;
	return give_up(flood, at);
}

/*
 * When the writing has ended, a stream is done once it has read everything back. Tells how many are
 * not.
 */
static uint32_t retire(struct flood *flood)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < flood->count; i++) {
		flood->pollers[i].events = POLLIN;
		if (flood->streams[i].read == flood->streams[i].written)
			flood->pollers[i].fd = -1;
		if (flood->pollers[i].fd >= 0)
			left++;
	}
	return left;
}

static bool serve_all(struct flood *flood, bool stopping)
{
	int64_t now;

	if (poll(flood->pollers, flood->count, FLOOD_TICK_MS) < 0 && errno != EINTR) {
		flood->fault.kind = FAULT_ERROR;
		flood->fault.error = errno;
		return give_up(flood, 0);
	}
	now = patience_now();
	for (uint32_t i = 0; i < flood->count; i++)
		if (flood->pollers[i].fd >= 0 && !serve(flood, i, stopping, now))
			return false;
	return true;
}

/* Which of the streams is late does not matter: all have had the same time. */
static bool in_time(struct flood *flood, const struct patience *patience)
{
	uint32_t at = 0;

	if (!patience_total_over(patience))
		return true;
	while (at + 1 < flood->count && flood->pollers[at].fd < 0)
		at++;
	fault_of_patience(&flood->fault, patience);
	return give_up(flood, at);
}

static void *run(void *argument)
{
	struct flood *flood = argument;
	struct patience patience;

	while (!atomic_load(&flood->stopping) && !atomic_load(&flood->cancelled))
		if (!serve_all(flood, false))
			return NULL;
	patience = patience_begin_total(flood->timeout_ms);
	while (!atomic_load(&flood->cancelled) && retire(flood) > 0)
		if (!serve_all(flood, true) || !in_time(flood, &patience))
			return NULL;
	return NULL;
}

bool flood_start(struct flood *flood, struct stream *streams, struct pollfd *pollers,
		 uint32_t count, int64_t timeout_ms)
{
	int64_t now = patience_now();

	for (uint32_t i = 0; i < count; i++) {
		pollers[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN | POLLOUT };
		streams[i].moved_ms = now;
	}
	flood->streams = streams;
	flood->pollers = pollers;
	flood->count = count;
	flood->timeout_ms = timeout_ms;
	flood->fault = (struct fault){ .kind = FAULT_NONE };
	atomic_store(&flood->stopping, false);
	atomic_store(&flood->cancelled, false);
	errno = pthread_create(&flood->thread, NULL, run, flood);
	if (errno == 0)
		return true;
	flood->streams = NULL;
	return false;
}

void flood_stop(struct flood *flood)
{
	atomic_store(&flood->stopping, true);
	pthread_join(flood->thread, NULL);
	flood->streams = NULL;
}

void flood_cancel(struct flood *flood)
{
	atomic_store(&flood->cancelled, true);
	flood_stop(flood);
}
