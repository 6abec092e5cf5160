/* The judge: what must hold while the engine waits, after each of its steps, and at its end. */
#include "world.h"

#include <inttypes.h>
#include <string.h>

#include "core/base.h"
#include "oracle.h"

/* Waits in a row that come back at once although nobody has work: one may be left over from the end
 * of a round, since only after it the queues are looked through. */
enum { IDLE_WAITS_MAX = 1 };

void judge_found(const struct told *c, const char *name, const char *fact)
{
	oracle(name,
	       "c%" PRIu32 " taken %" PRIu64 " shown %" PRIu64 " written %" PRIu64 "%s%s%s%s%s: %s",
	       c->number, c->taken, c->shown, c->written, c->in ? " in" : "", c->out ? " out" : "",
	       c->ended ? " ended" : "", c->shut ? " shut" : "", c->failure != 0 ? " failed" : "",
	       fact);
}

/* It has been received and not sent back; after our FIN there is only discarding. */
bool judge_owes(const struct told *c)
{
	return !c->shut && c->written < c->taken;
}

const char *judge_undone(const struct told *c)
{
	if (c->failure != 0 || c->purging)
		return "dead-connection-kept";
	if (!c->watched)
		return "unwatched";
	if (!c->shut && c->written > c->taken)
		return "peeked-and-not-consumed";
	if (judge_owes(c))
		return c->out ? "owed-and-not-sent" : NULL;
	if (c->acked || c->abandoned)
		return "ended-and-not-closed";
	if (c->ended && !c->shut)
		return "end-not-answered";
	if (c->ended)
		return c->in ? "acknowledgement-not-asked" : NULL;
	if (c->shut)
		return c->in ? "unread-and-not-discarded" : NULL;
	return c->in && c->out ? "unread-and-not-read" : NULL;
}

bool judge_idle(const struct world *w, const struct told *c)
{
	return w->config.idle_ms > 0 && w->now_ms - c->moved_ms >= w->config.idle_ms;
}

/* The last quarter of the drain timeout. */
static uint64_t parts_ms(const struct world *w)
{
	return later(w->stopped_ms, w->config.drain_ms) - w->config.drain_ms / 4;
}

bool judge_parting(const struct world *w)
{
	return w->stopping && w->now_ms >= parts_ms(w);
}

bool judge_drain_over(const struct world *w)
{
	return w->stopping && w->now_ms >= later(w->stopped_ms, w->config.drain_ms);
}

/* The timeout does not sleep over `at_ms`, and that is not past. */
static bool wakes(const struct world *w, const struct echo_action *action, uint64_t at_ms)
{
	if (at_ms == NEVER)
		return true;
	return action->timeout_ms >= 0 && at_ms > w->now_ms &&
	       (uint64_t)action->timeout_ms <= at_ms - w->now_ms;
}

/* Draining, others wait for the slots of connections that have nothing to do but to linger. */
static bool in_the_way(const struct world *w)
{
	bool slots = w->conns_open < w->config.connections_max;
	bool resumes = slots && (w->closed_since || w->now_ms >= w->retry_at_ms);

	return w->paused && !w->heard && !resumes;
}

/* No deadline of a connection is slept over. That it was armed when we last saw something happen is
 * the latest that can be, so each deadline is the latest as well. */
static void judge_deadlines(const struct world *w, const struct told *c,
			    const struct echo_action *action)
{
	bool lingers = c->shut && !c->ended;
	bool rests = !c->shut && !c->ended && !judge_owes(c) && !c->in;

	if (!w->stopping && lingers)
		REQUIRE(c, wakes(w, action, later(c->shut_ms, w->config.drain_ms)), "linger-kept");
	if (!w->stopping && !lingers && w->config.idle_ms > 0)
		REQUIRE(c, wakes(w, action, later(c->armed_ms, w->config.idle_ms)), "idle-kept");
	if (w->stopping && rests)
		REQUIRE(c, wakes(w, action, later(c->armed_ms, w->config.quiet_ms)), "quiet-kept");
	if (w->stopping && lingers && in_the_way(w))
		REQUIRE(c, wakes(w, action, later(c->armed_ms, w->config.quiet_ms)),
			"lingers-in-the-way");
	if (judge_parting(w) && rests && (c->moved_ms < parts_ms(w) || c->written > 0))
		REQUIRE(c, c->shut, "not-parted");
}

static void judge_listener_rest(const struct world *w, const struct echo_action *action)
{
	bool slots = w->conns_open < w->config.connections_max;

	CHECK(!w->listening || !w->acceptable || w->paused, "accept-forgotten");
	CHECK(!w->listening || !(w->emptied || w->late == w->config.backlog_max), "listener-kept");
	CHECK(!w->heard && !w->backing_off, "pause-forgotten");
	if (!w->paused || !slots)
		return;
	CHECK(!w->closed_since, "paused-with-room");
	CHECK(wakes(w, action, w->retry_at_ms), "paused-for-ever");
}

static const char *anybody_undone(const struct world *w, const struct told **who)
{
	for (uint32_t i = 0; i < w->conns_used; i++) {
		const char *name = w->conns[i].open ? judge_undone(&w->conns[i]) : NULL;

		*who = &w->conns[i];
		if (name != NULL)
			return name;
	}
	return NULL;
}

/* The engine sleeps: nobody has work that it could do (ECHO-103), and it will wake in time. */
static void judge_rest(struct world *w, const struct echo_action *action)
{
	const struct told *c;
	const char *name = anybody_undone(w, &c);

	if (name != NULL)
		judge_found(c, name, "the engine waits");
	for (uint32_t i = 0; i < w->conns_used; i++)
		if (w->conns[i].open)
			judge_deadlines(w, &w->conns[i], action);
	judge_listener_rest(w, action);
	if (w->stopping) {
		CHECK(w->conns_open > 0 || w->listening, "stopped-late");
		CHECK(judge_parting(w) || wakes(w, action, parts_ms(w)), "part-overslept");
		CHECK(wakes(w, action, later(w->stopped_ms, w->config.drain_ms)),
		      "drain-overslept");
	}
	CHECK(wakes(w, action, w->report_at_ms), "report-overslept");
	judge_rested(w);
}

/* A timeout that has come without anything to be done was no deadline; but a drain looks at its
 * connections each time that they have been quiet for so long. */
static void judge_woken(struct world *w, const struct echo_action *action)
{
	bool came = w->wakes_at_ms != NEVER && w->now_ms >= w->wakes_at_ms && !w->stopping;

	CHECK(!came || w->acted, "woken-for-nothing");
	w->acted = false;
	w->wakes_at_ms = NEVER;
	if (action->timeout_ms > 0 && action->timeout_ms < INT32_MAX)
		w->wakes_at_ms = later(w->now_ms, (uint64_t)action->timeout_ms);
}

void judge_wait(struct world *w, const struct echo_action *action)
{
	const struct told *c;
	const char *name;
	bool work;

	CHECK(action->events_max == w->config.events_max, "events-unbounded");
	CHECK(!w->report_due, "report-forgotten");
	CHECK(w->expected == ECHO_STOPPED, "goes-on");
	judge_woken(w, action);
	if (action->timeout_ms != 0) {
		judge_rest(w, action);
		w->idle_waits = 0;
		return;
	}
	name = anybody_undone(w, &c);
	if (name != NULL && !judge_round_over(w))
		judge_found(c, "waits-too-early", name);
	work = name != NULL || (w->listening && (w->acceptable || w->heard));
	w->idle_waits = work ? 0 : w->idle_waits + 1;
	CHECK(w->idle_waits <= IDLE_WAITS_MAX, "spins");
}

/* What a wait has made of time: who had work is not idle, and who had none may be. */
void judge_waited(struct world *w)
{
	for (uint32_t i = 0; i < w->conns_used; i++) {
		struct told *c = &w->conns[i];
		uint64_t since_ms = c->linger_ms > w->stopped_ms ? c->linger_ms : w->stopped_ms;

		if (!c->open)
			continue;
		if (c->sparse == SPARSE_RESTED && judge_undone(c) != NULL)
			c->sparse = SPARSE_DUE;
		if (judge_undone(c) != NULL || (c->shut && !c->ended && !in_the_way(w)))
			c->armed_ms = w->now_ms;
		else if (judge_idle(w, c))
			c->idled = true;
		if (w->stopping && w->paused && c->shut && !c->ended &&
		    w->now_ms - since_ms >= w->config.quiet_ms)
			c->yields = true;
	}
}

void judge_memory(const uint8_t *margin)
{
	static const uint8_t untouched[WORLD_MARGIN];

	CHECK(memcmp(margin, untouched, sizeof(untouched)) == 0, "memory-overrun");
}

static uint32_t owing(const struct world *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->conns_used; i++)
		count += w->conns[i].open && w->conns[i].failure == 0 && judge_owes(&w->conns[i]) &&
			 !w->conns[i].piped;
	return count;
}

static uint32_t piping(const struct world *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->conns_used; i++)
		count += w->conns[i].open && w->conns[i].piped;
	return count;
}

static void judge_pipes(const struct world *w)
{
	uint32_t used = echo_pipes_used(w->engine), held = piping(w);
	uint32_t lost = (uint32_t)__builtin_popcountll(w->pipes_lost);

	CHECK(used == held || used == held + 1, "pipe-held");
	CHECK(echo_pipes_lost(w->engine) == lost, "pipe-lost");
	CHECK(used + lost <= w->config.pipes_max, "pipes-bounded");
}

/* A buffer is for bytes on their way; one more is taken for the read that comes next (ECHO-35). */
void judge_step(struct world *w)
{
	const char *name = echo_invariant(w->engine);
	uint32_t used = echo_buffers_used(w->engine);

	if (name != NULL)
		oracle(name, "invariant");
	CHECK(used <= w->config.buffers_max, "buffers-bounded");
	CHECK(used <= 1 || used <= owing(w) + 1, "buffer-held");
	judge_pipes(w);
	CHECK(echo_connections(w->engine) == w->conns_open, "connections-counted");
}

static void judge_stats(const struct world *w)
{
	const struct echo_stats *theirs = &w->stats, *ours = &w->counted;

	CHECK(theirs->accepted == w->accepted, "stats-accepted");
	CHECK(theirs->accept_failures == ours->accept_failures, "stats-accept-failures");
	CHECK(theirs->bytes_received == ours->bytes_received, "stats-received");
	CHECK(theirs->bytes_sent == ours->bytes_sent, "stats-sent");
	CHECK(theirs->bytes_discarded == ours->bytes_discarded, "stats-discarded");
	CHECK(theirs->events == ours->events, "stats-events");
	for (uint32_t op = 0; op < ECHO_OP_COUNT; op++)
		CHECK(theirs->calls[op] == ours->calls[op], "stats-calls");
	for (uint32_t reason = 0; reason < ECHO_REASON_COUNT; reason++)
		CHECK(theirs->closed[reason] == ours->closed[reason], "stats-closed");
}

void judge_end(struct world *w)
{
	CHECK(echo_ending(w->engine) == w->expected, "ending");
	judge_stats(w);
	if (w->expected != ECHO_STOPPED)
		return;
	CHECK(w->closed == w->accepted && w->conns_open == 0, "not-released");
	CHECK(echo_buffers_used(w->engine) == 0, "buffers-not-released");
	CHECK(echo_pipes_used(w->engine) == 0, "pipes-not-released");
	CHECK(!w->listening, "listener-not-released");
}
