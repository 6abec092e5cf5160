/*
 * Waiting: time passes and peers act until there is something to report. The engine is told of it,
 * at times of what no epoll would report, and of what the operator asks for.
 */
#include "world_internal.h"

enum { LONELY_MAX = 40 }; /* timeouts in a row in a world where no peer will ever act */

static bool wait_until(struct world *w, int32_t timeout_ms);
static void estrange(struct world *w, struct echo_event *event, uint32_t count);
static uint32_t requests(struct world *w, bool quiet);

struct echo_result wait_perform(struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);
	bool quiet;

	w->round = w->round_bulk = 0;
	if (action->events_max != w->config.events_max)
		broken(w, "events-unbounded", "%u", action->events_max);
	if (action->timeout_ms != 0)
		judge_rest(w, action->timeout_ms);
	w->waiting = true;
	quiet = wait_until(w, odds(w, w->family->interrupted) ? 0 : action->timeout_ms);
	w->waiting = false;
	if (quiet && asked_to_stop(w))
		broken(w, "stop-hangs", "%u connections", w->connections);
	else if (quiet)
		judge_quiet(w);
	result.requests = requests(w, quiet);
	result.now_ms = w->told_ms = w->now_ms;
	if (asked_to_stop(w) && w->expected == ECHO_STOPPED && odds(w, w->family->abort / 4)) {
		w->expected = ECHO_DEFUNCT;
		result.outcome = odds(w, 500) ? ECHO_BROKEN : ECHO_FAILED;
	} else if (odds(w, w->family->interrupted)) {
		result.outcome = ECHO_INTERRUPTED;
	} else {
		result.events = w->events;
		result.events_count = world_epoll_collect(w, action->events_max);
		while (result.events_count < action->events_max && odds(w, w->family->strange)) {
			estrange(w, &w->events[result.events_count], result.events_count);
			w->unheard |= w->events[result.events_count++].token == ECHO_TOKEN_LISTENER;
		}
	}
	judge_idled(w);
	return result;
}

/* True: no peer will ever act again. */
static bool wait_until(struct world *w, int32_t timeout_ms)
{
	uint64_t deadline_ms = timeout_ms < 0 ? NEVER : w->now_ms + (uint64_t)timeout_ms;

	for (;;) {
		uint64_t at;

		peers_act(w);
		if (timeout_ms == 0 || epoll_reportable(w) || w->stop_at_ms <= w->now_ms)
			return false;
		at = peers_next_ms(w);
		if (at == NEVER && deadline_ms == NEVER && w->stop_at_ms == NEVER)
			return true;
		if (w->stop_at_ms < at)
			at = w->stop_at_ms;
		w->fruitless = 0;
		if (at > deadline_ms) {
			w->now_ms = deadline_ms;
			if (at != NEVER || ++w->lonely <= LONELY_MAX)
				return false;
			w->now_ms += asked_to_stop(w) ? AMPLE_MS / 10 : 0; /* overslept */
			return !asked_to_stop(w);
		}
		w->lonely = 0;
		w->now_ms = at > w->now_ms ? at : w->now_ms;
	}
}

/* Or may: the token of a connection that is not registered yet is not known. */
static bool names_somebody(const struct world *w, uint64_t token)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		if (p->stage == STAGE_OPEN &&
		    (p->token == token || p->token == ECHO_TOKEN_LISTENER))
			return true;
	}
	return false;
}

/* No epoll would report these: a token that names nobody any more, or nobody yet, with anything;
 * one that names somebody, with all but ERR, which is the one readiness that is a statement. */
static void estrange(struct world *w, struct echo_event *event, uint32_t count)
{
	static const uint32_t groundless = ECHO_IN | ECHO_OUT | ECHO_PRI | ECHO_RDHUP | ECHO_HUP;
	const struct peer *p = &w->peers[below(w, w->peers_count)];
	uint64_t kind = below(w, 4), token = below(w, NEVER);

	*event = (struct echo_event){ ECHO_TOKEN_LISTENER, (uint32_t)below(w, UINT32_MAX) };
	if (kind == 0 && count > 0) {
		*event = event[-1];
	} else if (kind == 1 && p->watched) {
		event->token = p->token;
		w->peers[number(w, p)].sparse = SPARSE_NOT;
		event->readiness &= groundless | ~(uint32_t)0xffff;
	} else if (kind >= 2) {
		if (kind == 2 && w->stale_count > 0)
			token = w->stale[below(w, w->stale_count < STALE_MAX ? w->stale_count
									     : STALE_MAX)];
		else if (odds(w, 500))
			token = below(w, 4) << 32 | below(w, 2 * WORLD_PEERS_MAX);
		if (!names_somebody(w, token))
			event->token = token;
	}
}

static uint32_t ask_to_stop(struct world *w)
{
	w->stop_at_ms = NEVER;
	w->stopped_ms = w->now_ms;
	for (uint32_t i = 0; i < w->peers_count; i++) {
		w->peers[i].waits_at_stop = w->peers[i].stage == STAGE_BACKLOG;
		w->peers[i].sent_at_stop = peer_connected(&w->peers[i]) ? w->peers[i].sent : 0;
	}
	return ECHO_REQUEST_STOP;
}

static uint32_t requests(struct world *w, bool quiet)
{
	uint32_t asked = 0;

	if (odds(w, 5)) {
		w->report = true;
		asked |= ECHO_REQUEST_REPORT;
	}
	if (asked_to_stop(w) && odds(w, w->family->abort)) {
		w->expected = ECHO_ABORTED;
		return asked | (odds(w, 500) ? ECHO_REQUEST_ABORT : ECHO_REQUEST_STOP);
	}
	if (!asked_to_stop(w) && (quiet || w->stop_at_ms <= w->now_ms))
		asked |= ask_to_stop(w);
	return asked;
}
