/*
 * The listener: its backlog, and what comes of the calls on it. When accepting may pause, and for
 * how long, is judged here, where the reason to is drawn.
 */
#include "world_internal.h"

#include <inttypes.h>
#include <string.h>

static struct echo_result accept_one(struct world *w);
static struct echo_result unlisten(struct world *w);
static struct echo_result pause(struct world *w);
static struct echo_result resume(struct world *w);

struct echo_result listener_perform(struct world *w, enum echo_op op)
{
	if (op == ECHO_OP_UNLISTEN)
		return unlisten(w);
	if (odds(w, w->family->interrupted))
		return outcome(ECHO_INTERRUPTED);
	if (odds(w, w->family->abort / 2)) {
		w->expected = ECHO_DEFUNCT;
		return outcome(ECHO_BROKEN);
	}
	if (op == ECHO_OP_ACCEPT)
		return accept_one(w);
	return op == ECHO_OP_PAUSE ? pause(w) : resume(w);
}

static struct peer *next_in_backlog(struct world *w)
{
	struct peer *p = &w->peers[w->backlog[0]];

	w->backlog_count--;
	memmove(w->backlog, w->backlog + 1, w->backlog_count * sizeof(w->backlog[0]));
	return p;
}

static struct echo_result refused(struct world *w)
{
	w->accept_from_ms = w->told_ms + w->retry_ms;
	w->retry_ms = 2 * w->retry_ms < w->config.retry_max_ms ? 2 * w->retry_ms
							       : w->config.retry_max_ms;
	w->closed_since = false;
	return outcome(odds(w, 500) ? ECHO_NO_DESCRIPTORS : ECHO_NO_MEMORY);
}

static struct echo_result opened(struct world *w, struct peer *p)
{
	int32_t number_of_handle = 0;

	while (w->owners[number_of_handle] >= 0)
		number_of_handle++;
	w->owners[number_of_handle] = number(w, p);
	w->connections++;
	w->retry_ms = w->config.retry_min_ms;
	p->stage = STAGE_OPEN;
	p->handle = HANDLE_FIRST + number_of_handle;
	p->opened_ms = w->told_ms;
	if (asked_to_stop(w) && ++w->late > w->config.backlog_max)
		broken(w, "backlog-unbounded", "%u accepted", w->late);
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = p->handle };
}

static struct echo_result accept_one(struct world *w)
{
	if (!w->listening || !w->listener_watched || w->connections >= w->config.connections_max)
		broken(w, "accept-illegal", "%u connections", w->connections);
	if (w->told_ms < w->accept_from_ms)
		broken(w, "accept-too-soon", "%" PRIu64 " ms", w->accept_from_ms - w->told_ms);
	w->closed_since = false;
	if (odds(w, w->family->exhausted))
		w->exhausted_until_ms = w->now_ms + below(w, 3000);
	if (w->now_ms < w->exhausted_until_ms || w->connections >= w->descriptors)
		return refused(w);
	if (w->backlog_count == 0) {
		w->lost = 0;
		return outcome(ECHO_WOULD_BLOCK);
	}
	if (odds(w, w->accept_fails)) {
		if (odds(w, w->accept_fails > w->family->accept_fails ? 5 : 300))
			next_in_backlog(w)->stage = STAGE_REFUSED;
		w->lost++;
		return outcome(odds(w, 700) ? ECHO_GONE : ECHO_FAILED);
	}
	w->lost = 0;
	return opened(w, next_in_backlog(w));
}

static struct echo_result unlisten(struct world *w)
{
	if (!w->listening || !asked_to_stop(w))
		broken(w, "unlisten-illegal", "%u connections", w->connections);
	w->listening = w->listener_watched = w->listener_queued = false;
	epoll_forget(w, LISTENER);
	while (w->backlog_count > 0) {
		struct peer *p = next_in_backlog(w);

		require(w, p,
			!p->waits_at_stop || drain_over(w) || w->late == w->config.backlog_max,
			"backlog-lost");
		p->stage = STAGE_REFUSED;
		p->next_ms = NEVER;
	}
	return outcome(ECHO_DONE);
}

/* PAUSE, which may fail and is repeated when the listener is heard of all the same. */
static struct echo_result pause(struct world *w)
{
	bool full = w->connections >= w->config.connections_max;

	if (!w->listener_watched && !w->unheard)
		broken(w, "paused-twice", "%u connections", w->connections);
	if (!full && !w->unheard && w->accept_from_ms == 0 && w->lost < ECHO_ACCEPT_FAILURES_MAX)
		broken(w, "paused-needlessly", "%u failures", w->lost);
	w->lost = 0;
	if (odds(w, w->family->exhausted)) {
		w->unheard = true;
		return outcome(odds(w, 500) ? ECHO_NO_MEMORY : ECHO_FAILED);
	}
	w->listener_watched = w->listener_queued = false;
	w->paused_ms = w->told_ms;
	epoll_forget(w, LISTENER);
	return outcome(ECHO_DONE);
}

static struct echo_result resume(struct world *w)
{
	if (w->listener_watched && !w->unheard)
		broken(w, "resumed-twice", "%u connections", w->connections);
	if (w->told_ms < w->accept_from_ms && !w->closed_since)
		broken(w, "resumed-too-soon", "%" PRIu64 " ms", w->accept_from_ms - w->told_ms);
	if (odds(w, w->family->exhausted))
		return refused(w);
	w->accept_from_ms = 0;
	w->unheard = false;
	w->listener_watched = true;
	epoll_wake_listener(w);
	return outcome(ECHO_DONE);
}
