/*
 * A connection as the kernel keeps it: what it reports of one, and what comes of the calls on it.
 * Modelled on net/ipv4/tcp.c, so far as a server can tell the difference.
 */
#include "world_internal.h"

static uint64_t room(const struct peer *p);
static struct echo_result moved(uint64_t count);
static struct echo_result receive(struct world *w, struct peer *p,
				  const struct echo_action *action);
static struct echo_result transmit(struct world *w, struct peer *p,
				   const struct echo_action *action);
static struct echo_result shut(struct world *w, struct peer *p);
static struct echo_result watch(struct world *w, struct peer *p);
static struct echo_result closed(struct world *w, struct peer *p, enum echo_reason why);
static enum echo_outcome any_failure(struct world *w, enum echo_op op);

uint64_t socket_acknowledged(const struct peer *p)
{
	return p->window < p->written - p->got ? p->got + p->window : p->written;
}

uint64_t socket_unacked(const struct peer *p)
{
	return p->written - socket_acknowledged(p) + (p->shut && !p->acked);
}

/* A third of the buffer is free: sk_stream_is_writeable(). */
bool socket_writable(const struct peer *p)
{
	uint64_t used = p->written - socket_acknowledged(p);

	return p->shut || p->reset || (room(p) > 0 && room(p) >= used / 2);
}

uint64_t socket_unread(const struct peer *p)
{
	return p->sent - p->taken;
}

/* tcp_poll(). To find no room is what asks for the edge that tells of it. */
uint32_t socket_readiness(struct peer *p)
{
	uint32_t mask = 0;

	if (p->reset || (p->shut && p->fin))
		mask |= ECHO_HUP;
	if (p->reset || p->fin)
		mask |= ECHO_IN | ECHO_RDHUP;
	if (socket_unread(p) > 0)
		mask |= ECHO_IN;
	if (p->mark != NO_MARK)
		mask |= ECHO_PRI;
	if (p->reset)
		mask |= ECHO_ERR;
	if (socket_writable(p))
		mask |= ECHO_OUT;
	else
		p->nospace = true;
	return mask;
}

bool socket_moves_bytes(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
	       op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD;
}

struct echo_result socket_perform(struct world *w, struct peer *p, const struct echo_action *action)
{
	uint16_t fails = action->op == ECHO_OP_WATCH ? w->family->unwatchable : w->family->fails;

	if (action->op == ECHO_OP_CLOSE)
		return closed(w, p, action->reason);
	if (odds(w, w->family->interrupted))
		return outcome(socket_moves_bytes(action->op) && odds(w, 200) ? ECHO_NO_MEMORY
									      : ECHO_INTERRUPTED);
	if (odds(w, fails))
		return outcome(p->failure = any_failure(w, action->op));
	if (action->op == ECHO_OP_WATCH)
		return watch(w, p);
	if (action->op == ECHO_OP_WRITE)
		return transmit(w, p, action);
	if (action->op == ECHO_OP_UNACKED) {
		judge_asked(w, p);
		return moved(socket_unacked(p));
	}
	return action->op == ECHO_OP_SHUTDOWN ? shut(w, p) : receive(w, p, action);
}

static uint64_t room(const struct peer *p)
{
	return p->out_max - (p->written - socket_acknowledged(p));
}

static struct echo_result moved(uint64_t count)
{
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = -1, .count = (uint32_t)count };
}

/* tcp_recvmsg() stops at the urgent mark. */
static uint64_t readable(const struct peer *p, uint64_t most)
{
	uint64_t count = socket_unread(p) < most ? socket_unread(p) : most;
	bool ahead = p->mark != NO_MARK && p->mark > p->taken;

	return ahead && p->mark - p->taken < count ? p->mark - p->taken : count;
}

static struct echo_result received_nothing(struct world *w, struct peer *p)
{
	p->told_end = p->fin;
	p->told_empty = !p->fin && !p->reset;
	p->armed_ms = w->told_ms;
	return outcome(p->fin ? ECHO_END : p->reset ? ECHO_GONE : ECHO_WOULD_BLOCK);
}

static void take(struct world *w, struct peer *p, uint64_t count)
{
	p->taken += count;
	if (p->mark != NO_MARK && p->mark < p->taken)
		p->mark = NO_MARK;
	peer_stir(w, p);
}

/* READ, PEEK, CONSUME and DISCARD, of which the last two get to see no bytes. */
static void deliver(struct world *w, struct peer *p, const struct echo_action *action,
		    uint64_t count)
{
	bool seen = action->op == ECHO_OP_READ || action->op == ECHO_OP_PEEK;

	for (uint64_t i = 0; i < count; i++)
		action->data[i] = seen ? byte_at(number(w, p), p->taken + i) : GUARD_BYTE;
	if (seen)
		p->shown = p->taken + count;
	if (action->op == ECHO_OP_READ) {
		p->moved_ms = w->told_ms;
		p->idled = p->asked = p->inert = false;
	}
	if (action->op == ECHO_OP_DISCARD) {
		p->lingers_ms = w->told_ms;
		p->yields = false;
	}
	p->armed_ms = w->told_ms;
	if (action->op != ECHO_OP_PEEK)
		take(w, p, count);
}

static struct echo_result receive(struct world *w, struct peer *p, const struct echo_action *action)
{
	uint64_t count = readable(p, action->length);

	p->told_empty = false;
	if (count > 0 && p->mark == p->taken && !p->signalled && odds(w, w->family->mark_blocks)) {
		p->signalled = true;
		p->told_empty = true; /* for all that the server can know */
		return outcome(ECHO_WOULD_BLOCK);
	}
	if (count == 0)
		return received_nothing(w, p);
	if (odds(w, w->family->shortened)) {
		count = between(w, 1, count);
		epoll_wake(w, p); /* as if the rest had come a moment later */
	}
	deliver(w, p, action, count);
	return moved(count);
}

static struct echo_result denied(struct world *w, struct peer *p)
{
	p->nospace = true;
	p->wake_ms = w->now_ms + below(w, 20);
	return outcome(ECHO_WOULD_BLOCK);
}

static struct echo_result transmit(struct world *w, struct peer *p,
				   const struct echo_action *action)
{
	uint64_t count = room(p) < action->length ? room(p) : action->length;

	if (p->reset)
		return outcome(ECHO_GONE);
	if (count > 0 && odds(w, w->family->would_block))
		return denied(w, p);
	p->nospace = p->nospace || count < action->length;
	if (count == 0)
		return outcome(ECHO_WOULD_BLOCK);
	if (count > 1 && odds(w, w->family->shortened)) {
		count = between(w, 1, count - 1);
		denied(w, p);
	}
	p->written += count;
	p->moved_ms = w->told_ms;
	p->idled = p->asked = p->inert = false;
	p->armed_ms = w->told_ms;
	if (p->wake_ms == NEVER)
		epoll_wake_writer(w, p);
	if (p->departed)
		p->reset_at_ms = w->now_ms; /* to data for nobody TCP answers with a reset */
	peer_stir(w, p);
	return moved(count);
}

static struct echo_result shut(struct world *w, struct peer *p)
{
	if (p->reset)
		return outcome(ECHO_GONE);
	p->shut = true;
	p->parted = !p->told_end;
	p->shut_ms = p->lingers_ms = w->told_ms;
	p->armed_ms = w->told_ms;
	p->acked = socket_acknowledged(p) == p->written && odds(w, 500);
	epoll_wake(w, p); /* inet_shutdown() wakes whoever polls */
	peer_stir(w, p);
	return outcome(ECHO_DONE);
}

static struct echo_result watch(struct world *w, struct peer *p)
{
	p->watched = true;
	p->moved_ms = p->armed_ms = w->told_ms;
	p->idled = false;
	if (socket_readiness(p) != 0)
		epoll_wake(w, p);
	return outcome(ECHO_DONE);
}

/* With unread input it is a reset, and with unacknowledged bytes it may become one. */
static struct echo_result closed(struct world *w, struct peer *p, enum echo_reason why)
{
	p->orderly = !p->reset && socket_unread(p) == 0 && p->written == socket_acknowledged(p);
	p->stage = STAGE_CLOSED;
	p->reason = why;
	if (p->watched)
		w->stale[w->stale_count++ % STALE_MAX] = p->token;
	epoll_forget(w, number(w, p));
	p->watched = p->queued = false;
	w->owners[p->handle - HANDLE_FIRST] = -1;
	w->connections--;
	w->closed_since = true;
	p->next_ms = NEVER;
	peer_stir(w, p);
	return outcome(odds(w, w->family->fails) ? ECHO_FAILED : ECHO_DONE);
}

static enum echo_outcome any_failure(struct world *w, enum echo_op op)
{
	static const enum echo_outcome always[] = { ECHO_GONE, ECHO_FAILED, ECHO_NO_DESCRIPTORS,
						    ECHO_BROKEN };
	static const enum echo_outcome others[] = { ECHO_NO_MEMORY, ECHO_WOULD_BLOCK, ECHO_END };

	if ((op == ECHO_OP_WATCH || op == ECHO_OP_SHUTDOWN || op == ECHO_OP_UNACKED) &&
	    odds(w, 500))
		return others[below(w, 3)];
	return always[below(w, 4)];
}
