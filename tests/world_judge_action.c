/*
 * The judge of single actions: each call on a connection must be one that its state allows, and
 * what ends a connection must be a reason to.
 */
#include "world_internal.h"

static void judge_standing(struct world *w, struct peer *p, const struct echo_action *action);
static void judge_read(struct world *w, const struct peer *p, const struct echo_action *action);
static void judge_write(struct world *w, const struct peer *p, const struct echo_action *action);
static void judge_shutdown(struct world *w, const struct peer *p);
static void judge_close(struct world *w, const struct peer *p, enum echo_reason reason);
static void judge_data(struct world *w, const struct peer *p, const struct echo_action *action);

/* As far as calls tell. */
static bool is_idle(const struct world *w, const struct peer *p)
{
	return w->config.idle_ms > 0 && idle_for(w, p->moved_ms, w->config.idle_ms);
}

void judge_action(struct world *w, struct peer *p, const struct echo_action *action)
{
	judge_standing(w, p, action);
	switch (action->op) {
	case ECHO_OP_PEEK:
		require(w, p, echo_buffers_used(w->engine) == w->config.buffers_max,
			"needless-peek");
		judge_read(w, p, action);
		return;
	case ECHO_OP_READ:
		judge_read(w, p, action);
		return;
	case ECHO_OP_WRITE:
		judge_write(w, p, action);
		return;
	case ECHO_OP_CONSUME:
		judge_data(w, p, action);
		require(w, p, p->taken + action->length <= p->written, "consumed-before-echo");
		return;
	case ECHO_OP_DISCARD:
		judge_data(w, p, action);
		require(w, p, p->shut, "discarded");
		return;
	case ECHO_OP_UNACKED:
		require(w, p, p->told_end || (!p->shut && is_idle(w, p)), "asked-before-end");
		return;
	case ECHO_OP_SHUTDOWN:
		require(w, p, !p->shut, "second-fin");
		judge_shutdown(w, p);
		return;
	case ECHO_OP_CLOSE:
		judge_close(w, p, action->reason);
		return;
	default:
		return;
	}
}

/* A slot that is used again has another generation, whatever became of its former user. */
static void name(struct world *w, struct peer *p, uint64_t token)
{
	uint32_t slot = (uint32_t)token, generation = (uint32_t)(token >> 32);

	require(w, p, slot < w->config.connections_max, "slot-unknown");
	if (w->verdict.broken != NULL)
		return;
	require(w, p, generation <= UINT32_MAX >> (32 - w->config.generation_bits), "generation");
	require(w, p, !w->slot_used[slot] || w->last_token[slot] != token, "token-used-again");
	w->slot_used[slot] = true;
	w->last_token[slot] = token;
	p->token = token;
}

static void judge_standing(struct world *w, struct peer *p, const struct echo_action *action)
{
	require(w, p, p->failure == 0 || action->op == ECHO_OP_CLOSE, "call-after-failure");
	if (p->token == ECHO_TOKEN_LISTENER)
		name(w, p, action->token);
	require(w, p, action->token == p->token, "token");
	require(w, p, p->watched != (action->op == ECHO_OP_WATCH) || action->op == ECHO_OP_CLOSE,
		"watch-once");
}

static void judge_data(struct world *w, const struct peer *p, const struct echo_action *action)
{
	bool inside = action->data >= w->memory &&
		      (size_t)(action->data - w->memory) <= w->size - action->length;

	require(w, p, action->length >= 1 && action->length <= w->config.buffer_size, "length");
	require(w, p, inside, "data-outside");
}

static void judge_read(struct world *w, const struct peer *p, const struct echo_action *action)
{
	require(w, p, p->taken == p->written && !p->shut && !p->told_end, "read-while-owing");
	judge_data(w, p, action);
}

static void judge_write(struct world *w, const struct peer *p, const struct echo_action *action)
{
	judge_data(w, p, action);
	require(w, p, !p->shut, "write-after-fin");
	require(w, p, p->written + action->length <= p->shown, "write-of-nothing");
	for (uint32_t i = 0; i < action->length && w->verdict.broken == NULL; i++)
		require(w, p, action->data[i] == byte_at(number(w, p), p->written + i),
			"wrong-bytes");
}

/* The time for it was ample, so it cannot have run out. */
static bool had_time(const struct world *w, const struct peer *p)
{
	return judge_polite(p) && w->config.drain_ms >= AMPLE_MS &&
	       p->opened_ms <= w->stopped_ms + AMPLE_MS / 2;
}

/* Of a peer that the server has ended its stream to: not before it has all, or took nothing. */
static void judge_shutdown(struct world *w, const struct peer *p)
{
	bool idle = is_idle(w, p) && p->asked && (p->inert || p->left == 0);
	bool quiet = asked_to_stop(w) && idle_for(w, p->moved_ms, w->config.quiet_ms) &&
		     idle_for(w, w->stopped_ms, w->config.quiet_ms);
	bool parted = parting(w) && !had_time(w, p);

	require(w, p, p->taken == p->written, "fin-before-echo");
	require(w, p, p->told_end || p->told_empty || parted, "fin-unlooked");
	require(w, p, p->told_end || idle || quiet || parted, "ended-by-server");
}

static void judge_close(struct world *w, const struct peer *p, enum echo_reason reason)
{
	bool echoed = p->shut || p->taken == p->written; /* a FIN was judged when it was sent */
	bool lingered = p->parted && !p->told_end && idle_for(w, p->shut_ms, w->config.drain_ms);
	bool late = p->parted && p->shut_ms >= parts_ms(w); /* judged when it was sent, too */
	bool parted = p->parted && ((p->told_end && socket_unacked(p) == 0) || p->yields);

	switch (reason) {
	case ECHO_REASON_ENDED:
		require(w, p, p->told_end, "closed-before-end");
		require(w, p, echoed, "closed-before-echo");
		require(w, p, socket_unacked(p) == 0 || p->failure != 0, "closed-unacknowledged");
		return;
	case ECHO_REASON_RESET:
		require(w, p, p->reset || p->failure == ECHO_GONE, "reason-reset");
		return;
	case ECHO_REASON_FAILED:
		require(w, p, p->failure != 0 && p->failure != ECHO_GONE, "reason-failed");
		return;
	case ECHO_REASON_UNWATCHED:
		require(w, p, p->failure != 0 && !p->watched, "reason-unwatched");
		return;
	case ECHO_REASON_IDLE:
		require(w, p, is_idle(w, p), "reason-idle");
		require(w, p, p->inert || lingered || parted, "idle-too-soon");
		require(w, p, p->idled || p->shut, "idle-with-work");
		return;
	case ECHO_REASON_DRAINED:
		require(w, p, asked_to_stop(w) && p->shut, "reason-drained");
		require(w, p, echoed && (p->written >= p->sent_at_stop || late),
			"drained-before-echo");
		require(w, p, parted, "drained-too-soon");
		return;
	case ECHO_REASON_CUT:
		require(w, p, drain_over(w), "cut-too-soon");
		require(w, p, !had_time(w, p), "cut-though-polite");
		return;
	case ECHO_REASON_NONE:
	case ECHO_REASON_COUNT:
		break;
	}
	require(w, p, false, "reason-unknown");
}
