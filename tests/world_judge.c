/*
 * The judge: what must hold while the engine waits, after each of its steps, when nothing moves any
 * more, and at its end. Each fact has a name, which a finding carries.
 */
#include "world_internal.h"

#include <inttypes.h>
#include <stdarg.h>

enum { FRUITLESS_MAX = 20000 }; /* actions in a row that move nothing and let no time pass */

static void judge_rest_of(struct world *w, const struct peer *p);
static uint32_t owing(const struct world *w);
static void judge_peer(struct world *w, const struct peer *p);

void broken(struct world *w, const char *oracle, const char *format, ...)
{
	va_list arguments;

	if (w->verdict.broken != NULL)
		return;
	w->verdict.broken = oracle;
	va_start(arguments, format);
	vsnprintf(w->verdict.detail, sizeof(w->verdict.detail), format, arguments);
	va_end(arguments);
}

void require(struct world *w, const struct peer *p, bool fact, const char *oracle)
{
	if (!fact)
		broken(w, oracle,
		       "peer %d: sent %" PRIu64 " taken %" PRIu64 " written %" PRIu64
		       " got %" PRIu64 "%s%s%s%s",
		       number(w, p), p->sent, p->taken, p->written, p->got, p->fin ? " fin" : "",
		       p->shut ? " shut" : "", p->reset ? " reset" : "",
		       p->queued ? " queued" : "");
}

/* Nothing can be promised about the echo to such a peer. */
bool judge_spoiled(const struct peer *p)
{
	return p->reset || p->departed || p->failure != 0;
}

/* It reads, and ends its stream, at the latest when the server has. */
bool judge_polite(const struct peer *p)
{
	return !judge_spoiled(p) && !p->silent && (p->ending == ENDING_HALF_CLOSE || !p->stubborn);
}

/* It has been read and not sent back; after its FIN the server only discards. */
bool judge_owes(const struct peer *p)
{
	return p->written < p->taken && !p->shut;
}

/* What the server could do for a connection, given all that it was told; NULL: nothing. */
const char *judge_undone(const struct peer *p)
{
	bool announced = socket_writable(p) && !(p->nospace && p->wake_ms != NEVER);

	if (!p->watched)
		return "unwatched";
	if (p->failure != 0 || p->reset)
		return "dead-connection-kept";
	if (p->written > p->taken)
		return "peeked-and-not-consumed";
	if (judge_owes(p) && announced)
		return "owed-and-not-sent";
	if (judge_owes(p))
		return NULL;
	if (socket_unread(p) > 0)
		return p->shut || announced ? "unread-and-not-read" : NULL;
	if (p->fin && !p->shut)
		return "end-not-answered";
	return p->fin && socket_unacked(p) == 0 ? "ended-and-not-closed" : NULL;
}

/* The server waits, and not just to look. */
void judge_rest(struct world *w, int32_t timeout_ms)
{
	bool slots = w->connections < w->config.connections_max;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		judge_rest_of(w, &w->peers[i]);
		judge_rested(w, &w->peers[i]);
	}
	if (!w->listening || w->listener_watched || !slots)
		return;
	if (timeout_ms < 0 || (uint64_t)timeout_ms > w->config.retry_max_ms)
		broken(w, "paused-for-ever", "timeout %d ms", timeout_ms);
	if (w->closed_since)
		broken(w, "paused-with-room", "%u connections", w->connections);
}

/* It has ended its stream, and waits for the end of the peer's. */
static bool lingers(const struct peer *p)
{
	return p->stage == STAGE_OPEN && p->shut && !p->told_end;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Peers that a wait found idle: without traffic, and without work that the server knows of. And
 * those that it found lingering, while others wait for their slots. */
void judge_idled(struct world *w)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[i];
		bool known = !p->queued && judge_undone(p) != NULL;

		if (!known && idle_for(w, p->moved_ms, w->config.idle_ms))
			p->idled = true;
		if (lingers(p) && asked_to_stop(w) && w->listening &&
		    (!w->listener_watched || w->unheard) &&
		    idle_for(w, latest(p->lingers_ms, w->stopped_ms), w->config.quiet_ms))
			p->yields = true;
	}
}

/* How many bytes has the peer still to take? */
void judge_asked(struct world *w, struct peer *p)
{
	p->asked = true;
	p->left = socket_unacked(p);
	p->inert = idle_for(w, p->moved_ms, w->config.idle_ms) &&
		   idle_for(w, p->took_ms, w->config.idle_ms);
}

/* After every step. */
void judge_engine(struct world *w)
{
	const char *name = echo_invariant(w->engine);
	struct echo_action next;
	uint32_t used = echo_buffers_used(w->engine);
	bool reading = echo_next(w->engine, &next) && next.op == ECHO_OP_READ;

	if (name != NULL)
		broken(w, "invariant", "%s", name);
	if (used > w->config.buffers_max || used > owing(w) + reading)
		broken(w, "buffer-held", "%u buffers, %u owing", used, owing(w));
	if (echo_connections(w->engine) != w->connections)
		broken(w, "connections", "%u, and %u are open", echo_connections(w->engine),
		       w->connections);
	if (w->fruitless > FRUITLESS_MAX)
		broken(w, "spins", "%" PRIu64 " actions moved nothing", w->fruitless);
}

/* No peer will act any more, and the server waits for them. */
void judge_quiet(struct world *w)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		judge_peer(w, p);
		if (p->stage != STAGE_OPEN || judge_spoiled(p) || p->silent)
			continue;
		require(w, p, p->shut || p->got == p->sent, "echo-incomplete");
		require(w, p, !p->fin, "half-close-unanswered");
	}
	if (w->backlog_count > 0 && w->listener_watched && w->connections < w->descriptors &&
	    w->connections < w->config.connections_max)
		broken(w, "backlog-forgotten", "%u wait", w->backlog_count);
}

void judge_end(struct world *w)
{
	enum echo_ending ending = echo_ending(w->engine);

	if (ending != w->expected)
		broken(w, "ending", "%d instead of %d", (int)ending, (int)w->expected);
	for (uint32_t i = 0; i < GUARD; i++)
		if (w->block[i] != GUARD_BYTE || w->memory[w->size + i] != GUARD_BYTE)
			broken(w, "guard", "byte %u", i);
	if (ending != ECHO_STOPPED)
		return;
	if (w->connections > 0 || echo_buffers_used(w->engine) > 0 || w->listening)
		broken(w, "not-released", "%u connections", w->connections);
	for (uint64_t at = peers_next_ms(w); at != NEVER; at = peers_next_ms(w)) {
		w->now_ms = at > w->now_ms ? at : w->now_ms;
		peers_act(w);
	}
	for (uint32_t i = 0; i < w->peers_count; i++)
		judge_peer(w, &w->peers[i]);
}

static void judge_rest_of(struct world *w, const struct peer *p)
{
	bool received = p->moved_ms < parts_ms(w) || p->written > 0; /* and may again */
	const char *name;

	if (p->stage == STAGE_OPEN && parting(w) && received && !judge_owes(p))
		require(w, p, p->shut, "not-parted");
	if (p->stage != STAGE_OPEN || p->queued)
		return;
	name = judge_undone(p);
	require(w, p, name == NULL, name == NULL ? "" : name);
	if (w->config.idle_ms > 0 && !asked_to_stop(w) && !p->shut)
		require(w, p,
			!idle_for(w, latest(p->armed_ms, p->took_ms), 2 * w->config.idle_ms + 2),
			"idle-kept");
	if (lingers(p) && asked_to_stop(w) && w->listening && !w->listener_watched)
		require(w, p,
			!idle_for(w, latest(latest(p->armed_ms, w->stopped_ms), w->paused_ms),
				  w->config.quiet_ms + 2),
			"lingers-in-the-way");
}

static uint32_t owing(const struct world *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->peers_count; i++)
		count += w->peers[i].stage == STAGE_OPEN && judge_owes(&w->peers[i]);
	return count;
}

/* What was promised to a peer whose connection is over. */
static void judge_peer(struct world *w, const struct peer *p)
{
	if (p->stage != STAGE_CLOSED || judge_spoiled(p) || p->reason == ECHO_REASON_CUT)
		return;
	if (p->reason == ECHO_REASON_ENDED)
		require(w, p, p->orderly && p->fin && p->written == p->sent, "ended-short");
	if (p->orderly && !p->silent)
		require(w, p, p->got == p->written && p->eof, "end-not-seen");
}
