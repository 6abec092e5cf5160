/*
 * The judge of single actions: each call on a connection must be one that what the engine was told
 * allows, and what ends a connection must be a reason to.
 */
#include "world.h"

#include "core/base.h"
#include "oracle.h"

/* A run has not enough connections to use up that many generations. */
enum { GENERATIONS_MANY_BITS = 9 };
_Static_assert(WORLD_ACCEPTS_MAX < 1 << GENERATIONS_MANY_BITS,
	       "all of a run have one of their own");

static bool used_before(const struct world *w, uint64_t token)
{
	for (uint32_t i = 0; i < w->accepted; i++)
		if (w->tokens[i] == token)
			return true;
	return false;
}

/* A slot that is used again has another generation, whatever became of its former user. */
static void judge_name(const struct world *w, const struct told *c, uint64_t token)
{
	uint32_t slot = (uint32_t)token, generation = (uint32_t)(token >> 32);

	REQUIRE(c, slot < w->config.connections_max, "slot-unknown");
	REQUIRE(c, generation <= UINT32_MAX >> (32 - w->config.generation_bits), "generation");
	REQUIRE(c, !w->slot_used[slot] || w->slot_tokens[slot] != token, "token-used-again");
	REQUIRE(c, w->config.generation_bits < GENERATIONS_MANY_BITS || !used_before(w, token),
		"generation-used-again");
	for (uint32_t i = 0; i < w->conns_used; i++)
		REQUIRE(c,
			!w->conns[i].open || !w->conns[i].named ||
				(uint32_t)w->conns[i].token != slot,
			"slot-shared");
}

static void judge_standing(const struct world *w, const struct told *c,
			   const struct echo_action *action)
{
	bool watch = action->op == ECHO_OP_WATCH;
	bool close = action->op == ECHO_OP_CLOSE || action->op == ECHO_OP_PURGE;

	REQUIRE(c, (c->failure == 0 && !c->purging) || close, "call-after-failure");
	if (!c->named)
		judge_name(w, c, action->token);
	REQUIRE(c, !c->named || action->token == c->token, "token");
	REQUIRE(c, c->watched != watch || close, "watch-once");
}

/* Nothing is received that cannot be sent on; but before the engine ends a stream first, it looks
 * whether something is unread. */
static void judge_read(const struct world *w, const struct told *c,
		       const struct echo_action *action)
{
	bool looks = w->stopping || (judge_idle(w, c) && c->asked);

	REQUIRE(c, c->taken == c->written && c->shown == 0 && !c->shut && !c->ended,
		"read-while-owing");
	REQUIRE(c, action->length == w->config.buffer_size, "read-length");
	REQUIRE(c, (c->in && c->out) || looks, "read-unannounced");
	REQUIRE(c, action->pipe == -1, "pipe-needless");
	if (action->op == ECHO_OP_PEEK)
		REQUIRE(c, echo_buffers_used(w->engine) == w->config.buffers_max, "needless-peek");
}

/* Whether a pipe is in use, by others or for good. */
static bool taken(const struct world *w, int32_t pipe)
{
	for (uint32_t i = 0; i < w->conns_used; i++)
		if (w->conns[i].open && w->conns[i].piped && w->conns[i].pipe == pipe)
			return true;
	return (w->pipes_lost >> pipe & 1) != 0;
}

/* Only long streams, into an empty pipe; and never twice where it is not known why it stopped. */
static void judge_fill(const struct world *w, const struct told *c,
		       const struct echo_action *action)
{
	REQUIRE(c, c->taken == c->written && c->shown == 0 && !c->shut && !c->ended,
		"fill-while-owing");
	REQUIRE(c, action->length == w->config.buffer_size, "fill-length");
	REQUIRE(c, c->in && c->out, "fill-unannounced");
	REQUIRE(c, c->streak >= 4, "fill-of-short-stream");
	REQUIRE(c, !c->look && !c->unpipeable, "fill-instead-of-look");
	REQUIRE(c, action->pipe >= 0 && (uint32_t)action->pipe < w->config.pipes_max,
		"pipe-unknown");
	REQUIRE(c, !taken(w, action->pipe), "pipe-not-empty");
}

static void judge_empty(const struct told *c, const struct echo_action *action)
{
	REQUIRE(c, c->piped && action->pipe == c->pipe, "empty-wrong-pipe");
	REQUIRE(c, action->length == c->taken - c->written, "empty-length");
	REQUIRE(c, c->out, "empty-unannounced");
}

/* What a connection leaves that is given up for a reason. */
static void judge_purge(const struct world *w, const struct told *c,
			const struct echo_action *action)
{
	REQUIRE(c, c->piped && action->pipe == c->pipe, "purge-wrong-pipe");
	REQUIRE(c, action->length == c->taken - c->written - c->purged, "purge-length");
	REQUIRE(c, c->failure != 0 || judge_idle(w, c) || judge_drain_over(w) || c->purging,
		"purged-alive");
}

static void judge_write(const struct world *w, const struct told *c,
			const struct echo_action *action)
{
	uint64_t end = c->shown > 0 ? c->shown : c->taken;

	REQUIRE(c, !c->piped, "write-of-piped");
	REQUIRE(c, !c->shut, "write-after-fin");
	REQUIRE(c, c->written < end, "write-of-nothing");
	REQUIRE(c, action->length == end - c->written, "write-length");
	REQUIRE(c, c->out || c->shown > 0, "write-unannounced");
	REQUIRE(c, world_same(w, c, action->data, action->length), "wrong-bytes");
}

static void judge_unacked(const struct world *w, const struct told *c)
{
	bool idle = judge_idle(w, c) && (!c->shut || c->ended);

	REQUIRE(c, c->ended || idle, "asked-before-end");
	REQUIRE(c, !c->shut || c->in || idle, "asked-unannounced");
	REQUIRE(c, !c->acked && !c->abandoned, "asked-again");
}

/* Of a peer that the server ends its stream to: not before it has all, or took nothing. */
static void judge_shutdown(const struct world *w, const struct told *c)
{
	bool idle = judge_idle(w, c) && c->asked && (c->inert || c->left == 0);
	bool quiet = w->stopping && w->now_ms - c->moved_ms >= w->config.quiet_ms &&
		     w->now_ms - w->stopped_ms >= w->config.quiet_ms;

	REQUIRE(c, !c->shut, "second-fin");
	REQUIRE(c, !c->acked && !c->abandoned, "needless-fin");
	REQUIRE(c, c->taken == c->written, "fin-before-echo");
	REQUIRE(c, c->ended || c->empty || judge_parting(w), "fin-unlooked");
	REQUIRE(c, c->ended || idle || quiet || judge_parting(w), "ended-by-server");
}

static void judge_close(const struct world *w, const struct told *c, enum echo_reason reason)
{
	bool echoed = c->shut || c->taken == c->written; /* a FIN was judged when it was sent */
	bool lingered = c->parted && !c->ended && w->now_ms - c->shut_ms >= w->config.drain_ms;
	bool parted = c->parted && (c->acked || c->yields);
	bool failure = reason == ECHO_REASON_RESET || reason == ECHO_REASON_FAILED ||
		       reason == ECHO_REASON_UNWATCHED;

	REQUIRE(c, c->failure == 0 || failure, "reason-overwritten");
	REQUIRE(c, !c->piped, "closed-before-purge");
	switch (reason) {
	case ECHO_REASON_ENDED:
		REQUIRE(c, c->ended, "closed-before-end");
		REQUIRE(c, echoed, "closed-before-echo");
		REQUIRE(c, c->acked, "closed-unacknowledged");
		return;
	case ECHO_REASON_RESET:
		REQUIRE(c, c->failure == ECHO_GONE || c->abandoned, "reason-reset");
		return;
	case ECHO_REASON_FAILED:
		REQUIRE(c, c->failure != 0 && c->failure != ECHO_GONE && c->watched,
			"reason-failed");
		return;
	case ECHO_REASON_UNWATCHED:
		REQUIRE(c, c->failure != 0 && !c->watched, "reason-unwatched");
		return;
	case ECHO_REASON_IDLE:
		REQUIRE(c, judge_idle(w, c), "reason-idle");
		REQUIRE(c, c->inert || lingered || parted, "idle-too-soon");
		REQUIRE(c, c->idled || c->shut, "idle-with-work");
		return;
	case ECHO_REASON_DRAINED:
		REQUIRE(c, w->stopping && c->shut && echoed, "reason-drained");
		REQUIRE(c, parted, "drained-too-soon");
		return;
	case ECHO_REASON_CUT:
		REQUIRE(c, judge_drain_over(w), "cut-too-soon");
		return;
	case ECHO_REASON_NONE:
	case ECHO_REASON_COUNT:
		break;
	}
	REQUIRE(c, false, "reason-unknown");
}

void judge_action(const struct world *w, const struct told *c, const struct echo_action *action)
{
	judge_standing(w, c, action);
	switch (action->op) {
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
		judge_read(w, c, action);
		return;
	case ECHO_OP_WRITE:
		judge_write(w, c, action);
		return;
	case ECHO_OP_CONSUME:
		REQUIRE(c, c->taken < c->written, "consumed-before-echo");
		REQUIRE(c, action->length == c->written - c->taken, "consume-length");
		return;
	case ECHO_OP_FILL:
		judge_fill(w, c, action);
		return;
	case ECHO_OP_EMPTY:
		judge_empty(c, action);
		return;
	case ECHO_OP_PURGE:
		judge_purge(w, c, action);
		return;
	case ECHO_OP_DISCARD:
		REQUIRE(c, c->shut && !c->ended, "discarded");
		REQUIRE(c, c->in || c->may_look, "discard-unannounced");
		return;
	case ECHO_OP_UNACKED:
		judge_unacked(w, c);
		return;
	case ECHO_OP_SHUTDOWN:
		judge_shutdown(w, c);
		return;
	case ECHO_OP_CLOSE:
		judge_close(w, c, action->reason);
		return;
	default:
		return;
	}
}
