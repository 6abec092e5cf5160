/*
 * What the engine knows of a connection, and of the listener, after what came of an action: the
 * rules of the specification, applied to everything that the engine was told, and to nothing else.
 */
#include "world.h"

#include "core/base.h"
#include "oracle.h"

enum {
	READ_READY = ECHO_IN | ECHO_RDHUP | ECHO_PRI | ECHO_ERR | ECHO_HUP,
	WRITE_READY = ECHO_OUT | ECHO_ERR | ECHO_HUP,
	CUTS_READ = ECHO_RDHUP | ECHO_PRI | ECHO_ERR | ECHO_HUP, /* ECHO-22 */
	CUTS_WRITE = ECHO_ERR | ECHO_HUP                         /* ECHO-23 */
};

bool world_moves_bytes(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
	       op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD || world_pipes(op);
}

bool world_pipes(enum echo_op op)
{
	return op == ECHO_OP_FILL || op == ECHO_OP_EMPTY || op == ECHO_OP_PURGE;
}

void world_told_event(struct told *c, uint32_t readiness)
{
	bool last_ack = c->ended && c->shut;

	c->announced |= readiness;
	c->in = c->in || last_ack || (readiness & READ_READY) != 0;
	c->out = c->out || (readiness & WRITE_READY) != 0;
}

static void moved(const struct world *w, struct told *c)
{
	c->moved_ms = w->now_ms;
	c->left = 0;
	c->asked = c->inert = c->idled = false;
}

/* Where nothing is unread, no urgent mark is left; while one was announced, would-block proves that
 * only (ECHO-22). */
static void would_block(struct told *c)
{
	if ((c->announced & ECHO_PRI) != 0)
		c->announced &= ~(uint32_t)ECHO_PRI;
	else
		c->in = false;
	c->empty = true;
}

static void short_read(struct told *c, const struct echo_action *action,
		       const struct echo_result *result)
{
	if (result->count < action->length && (c->announced & CUTS_READ) == 0)
		c->in = false;
}

/* ECHO-160: each large read or fill in a row makes a stream longer, a small one halves that. */
static void told_length(const struct world *w, struct told *c, const struct echo_result *result)
{
	bool large = result->count > w->config.buffer_size / 8;

	if (!large)
		c->streak /= 2;
	else if (c->streak < 8)
		c->streak++;
}

/* Of a fill, only bytes and the end of the connection mean anything (ECHO-161). */
static void told_filled(struct world *w, struct told *c, const struct echo_action *action,
			const struct echo_result *result)
{
	bool again = result->outcome == ECHO_INTERRUPTED || result->outcome == ECHO_DONE;

	c->empty = false;
	c->look = !again;
	c->unpipeable = c->unpipeable ||
			(!again && result->outcome != ECHO_WOULD_BLOCK &&
			 result->outcome != ECHO_END && result->outcome != ECHO_NO_MEMORY);
	if (result->outcome != ECHO_DONE)
		return;
	c->look = result->count < action->length;
	told_length(w, c, result);
	c->taken += result->count;
	c->piped = true;
	c->pipe = action->pipe;
	moved(w, c);
}

/* Sent out of a pipe: a short count proves nothing (ECHO-162). */
static void told_emptied(struct world *w, struct told *c, const struct echo_action *action,
			 const struct echo_result *result)
{
	if (result->outcome == ECHO_WOULD_BLOCK)
		c->out = false;
	if (result->outcome != ECHO_DONE)
		return;
	c->piped = result->count < action->length;
	c->written += result->count;
	moved(w, c);
}

static void told_purged(struct world *w, struct told *c, const struct echo_result *result)
{
	c->purging = true;
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome == ECHO_DONE) {
		c->purged += result->count;
		c->piped = c->purged < c->taken - c->written;
		return;
	}
	w->pipes_lost |= UINT64_C(1) << c->pipe;
	c->piped = false;
}

/* READ, PEEK and DISCARD. */
static void told_received(struct world *w, struct told *c, const struct echo_action *action,
			  const struct echo_result *result)
{
	c->in = true; /* to look is to think that there may be something */
	c->empty = c->may_look = false;
	if (result->outcome == ECHO_WOULD_BLOCK)
		would_block(c);
	if (result->outcome == ECHO_WOULD_BLOCK || result->outcome == ECHO_DONE)
		c->look = false;
	if (result->outcome == ECHO_END)
		c->ended = true;
	if (result->outcome != ECHO_DONE)
		return;
	if (action->op != ECHO_OP_DISCARD)
		told_length(w, c, result);
	short_read(c, action, result);
	if (action->op == ECHO_OP_PEEK)
		c->shown = c->taken + result->count;
	else
		c->taken += result->count;
	if (action->op == ECHO_OP_DISCARD) {
		c->linger_ms = w->now_ms;
		c->yields = false;
	} else {
		moved(w, c);
	}
}

static void told_written(struct world *w, struct told *c, const struct echo_action *action,
			 const struct echo_result *result)
{
	bool peeked = c->shown > c->taken;
	bool all = result->outcome == ECHO_DONE && result->count == action->length;

	if (result->outcome == ECHO_WOULD_BLOCK ||
	    (result->outcome == ECHO_DONE && !all && (c->announced & CUTS_WRITE) == 0))
		c->out = false;
	if (peeked && !all)
		c->in = true; /* the rest is in the socket, and known to be */
	c->shown = 0;
	if (result->outcome != ECHO_DONE)
		return;
	c->written += result->count;
	moved(w, c);
}

static void told_unacked(struct told *c, const struct echo_result *result)
{
	if (result->outcome != ECHO_DONE)
		return;
	if (!c->ended && judge_undone(c) != NULL)
		c->idled = false; /* work came while the check waited for its turn */
	if (c->ended && result->count == 0)
		c->acked = true;
	else if (c->ended && (c->announced & ECHO_ERR) != 0)
		c->abandoned = true;
	if (!c->ended && result->count == 0 && (c->in || judge_owes(c)))
		c->out = true; /* there is room, so the event is under way (ECHO-86) */
	if (c->ended)
		c->in = false;
	c->inert = c->asked && result->count == c->left;
	c->asked = true;
	c->left = result->count;
}

static void told_shut(struct world *w, struct told *c, const struct echo_result *result)
{
	if (result->outcome != ECHO_DONE)
		return;
	c->shut = true;
	c->parted = !c->ended;
	c->may_look = w->stopping;
	c->shut_ms = c->linger_ms = w->now_ms;
}

static bool ends_it(enum echo_op op, enum echo_outcome outcome)
{
	if (op == ECHO_OP_PURGE)
		return false;
	if (op == ECHO_OP_FILL)
		return outcome == ECHO_GONE;
	switch (outcome) {
	case ECHO_DONE:
	case ECHO_INTERRUPTED:
		return false;
	case ECHO_NO_MEMORY:
		return !world_moves_bytes(op);
	case ECHO_WOULD_BLOCK:
		return !world_moves_bytes(op);
	case ECHO_END:
		return op != ECHO_OP_READ && op != ECHO_OP_PEEK && op != ECHO_OP_DISCARD;
	default:
		return true;
	}
}

static void told_closed(struct world *w, struct told *c)
{
	c->open = false;
	w->conns_open--;
	w->closed++;
	w->closed_since = true;
}

static void told_connection(struct world *w, struct told *c, const struct echo_action *action,
			    const struct echo_result *result)
{
	if (action->op == ECHO_OP_CLOSE) {
		told_closed(w, c);
		return;
	}
	c->armed_ms = w->now_ms;
	if (ends_it(action->op, result->outcome))
		c->failure = result->outcome;
	switch (action->op) {
	case ECHO_OP_WATCH:
		c->watched = result->outcome == ECHO_DONE;
		c->moved_ms = w->now_ms;
		break;
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
	case ECHO_OP_DISCARD:
		told_received(w, c, action, result);
		break;
	case ECHO_OP_WRITE:
		told_written(w, c, action, result);
		break;
	case ECHO_OP_CONSUME:
		if (result->outcome == ECHO_DONE)
			c->taken += result->count;
		break;
	case ECHO_OP_FILL:
		told_filled(w, c, action, result);
		break;
	case ECHO_OP_EMPTY:
		told_emptied(w, c, action, result);
		break;
	case ECHO_OP_PURGE:
		told_purged(w, c, result);
		break;
	case ECHO_OP_UNACKED:
		told_unacked(c, result);
		break;
	default:
		told_shut(w, c, result);
		break;
	}
}

/* Accepting is to pause: for how long, ECHO-52 says. */
static void back_off(struct world *w)
{
	w->retry_at_ms = later(w->now_ms, w->retry_delay_ms);
	w->retry_delay_ms = later(w->retry_delay_ms, w->retry_delay_ms);
	if (w->retry_delay_ms > w->config.retry_max_ms)
		w->retry_delay_ms = w->config.retry_max_ms;
	w->closed_since = false;
	w->acceptable = false;
	w->lost = 0;
}

static void told_accept(struct world *w, const struct echo_result *result)
{
	switch (result->outcome) {
	case ECHO_DONE:
		/* The listener is level-triggered: the next wait tells of it again, where there may be
		 * room by then. */
		w->acceptable = w->stopping || w->conns_open == w->config.connections_max;
		w->lost = 0;
		w->retry_delay_ms = w->config.retry_min_ms;
		w->late += w->stopping;
		break;
	case ECHO_END:
	case ECHO_WOULD_BLOCK:
		w->lost = 0;
		w->acceptable = false;
		w->emptied = w->stopping;
		break;
	case ECHO_INTERRUPTED:
		break;
	case ECHO_GONE:
	case ECHO_FAILED:
		w->backing_off = ++w->lost >= ECHO_ACCEPT_FAILURES_MAX;
		break;
	case ECHO_NO_DESCRIPTORS:
	case ECHO_NO_MEMORY:
		w->backing_off = true;
		break;
	case ECHO_BROKEN:
		w->expected = ECHO_DEFUNCT;
		break;
	}
	if (w->backing_off)
		back_off(w);
}

static void told_pause(struct world *w, const struct echo_result *result)
{
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome == ECHO_BROKEN)
		w->expected = ECHO_DEFUNCT;
	if (!w->backing_off && !w->paused) { /* all slots are taken */
		w->closed_since = false;
		w->retry_at_ms = NEVER;
	}
	w->paused = true;
	w->heard = w->backing_off = w->acceptable = false;
}

static void told_resume(struct world *w, const struct echo_result *result)
{
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	w->heard = false; /* if that was true, it will be heard of again */
	if (result->outcome == ECHO_BROKEN) {
		w->expected = ECHO_DEFUNCT;
	} else if (result->outcome == ECHO_DONE) {
		w->paused = false;
		w->retry_at_ms = NEVER;
		w->acceptable = w->stopping; /* only a would-block ends the backlog */
	} else {
		back_off(w);
	}
}

static void told_wait(struct world *w)
{
	if (w->report_at_ms <= w->now_ms) {
		w->report_due = true;
		w->report_at_ms = later(w->now_ms, w->config.report_ms);
	}
	w->round = 0;
	w->round_bulk = 0;
	w->round_ends = false;
}

/* Statistics (ECHO-85): what was received is what left the socket to be echoed. */
static void count(struct echo_stats *counted, const struct echo_action *action,
		  const struct echo_result *result)
{
	bool done = result->outcome == ECHO_DONE;
	bool taken = action->op == ECHO_OP_READ || action->op == ECHO_OP_CONSUME ||
		     action->op == ECHO_OP_FILL;
	bool sent = action->op == ECHO_OP_WRITE || action->op == ECHO_OP_EMPTY;

	counted->calls[action->op]++;
	counted->closed[action->reason] += action->op == ECHO_OP_CLOSE;
	counted->events += result->events_count;
	counted->bytes_received += done && taken ? result->count : 0;
	counted->bytes_sent += done && sent ? result->count : 0;
	counted->bytes_discarded += done && action->op == ECHO_OP_DISCARD ? result->count : 0;
	if (action->op == ECHO_OP_ACCEPT)
		counted->accept_failures += !done && result->outcome != ECHO_WOULD_BLOCK &&
					    result->outcome != ECHO_INTERRUPTED;
}

void world_told(struct world *w, struct told *c, const struct echo_action *action,
		const struct echo_result *result)
{
	count(&w->counted, action, result);
	if (c != NULL) {
		told_connection(w, c, action, result);
		return;
	}
	switch (action->op) {
	case ECHO_OP_WAIT:
		told_wait(w);
		break;
	case ECHO_OP_ACCEPT:
		told_accept(w, result);
		break;
	case ECHO_OP_PAUSE:
		told_pause(w, result);
		break;
	case ECHO_OP_RESUME:
		told_resume(w, result);
		break;
	case ECHO_OP_UNLISTEN:
		w->listening = w->acceptable = w->paused = w->heard = w->backing_off = false;
		break;
	default:
		w->report_due = false;
		break;
	}
}
