/*
 * One connection: what it can do now, given its state and the readiness latched for it, and what
 * comes of it. The states are joined in state.c, and only happened() writes one.
 */
#include "engine.h"

enum {
	READ_READY = ECHO_IN | ECHO_RDHUP | ECHO_PRI | ECHO_ERR | ECHO_HUP,
	WRITE_READY = ECHO_OUT | ECHO_ERR | ECHO_HUP,

	/* Announced, these end a read before the socket is empty: a short count proves nothing
	 * until would-block does (ECHO-22). The same of a write (ECHO-23). */
	CUTS_READ = ECHO_RDHUP | ECHO_PRI | ECHO_ERR | ECHO_HUP,
	CUTS_WRITE = ECHO_ERR | ECHO_HUP,

	READINESS = ECHO_IN | ECHO_PRI | ECHO_OUT | ECHO_ERR | ECHO_HUP | ECHO_RDHUP,
	NEVER_LATCHED = 0x8000
};

static bool readable(const struct conn *conn)
{
	return (conn->latched & ECHO_IN) != 0;
}

static void spend(struct conn *conn, unsigned readiness)
{
	conn->latched = (uint16_t)(conn->latched & ~readiness);
}

static void latch(struct conn *conn, unsigned readiness)
{
	conn->latched = (uint16_t)(conn->latched | readiness);
}

/* What there is to do in a state, once all that it needs is latched. Nothing is received that cannot
 * be sent on. */
static const struct {
	uint16_t op, needs;
} to_do[CONN_STATE_COUNT] = {
	[CONN_FREE] = { ECHO_OP_NONE, NEVER_LATCHED },
	[CONN_OPENING] = { ECHO_OP_WATCH, 0 },
	[CONN_RECEIVING] = { ECHO_OP_READ, ECHO_IN | ECHO_OUT },
	[CONN_SENDING] = { ECHO_OP_WRITE, ECHO_OUT },
	[CONN_PIPED] = { ECHO_OP_EMPTY, ECHO_OUT },
	[CONN_PEEKED] = { ECHO_OP_WRITE, 0 },
	[CONN_CONSUMING] = { ECHO_OP_CONSUME, 0 },
	[CONN_ENDED] = { ECHO_OP_UNACKED, 0 },
	[CONN_FINISHING] = { ECHO_OP_SHUTDOWN, 0 },
	[CONN_LAST_ACK] = { ECHO_OP_UNACKED, ECHO_IN },
	[CONN_PARTING] = { ECHO_OP_SHUTDOWN, 0 },
	[CONN_LINGERING] = { ECHO_OP_DISCARD, ECHO_IN },
	[CONN_PURGING] = { ECHO_OP_PURGE, 0 },
	[CONN_CLOSING] = { ECHO_OP_CLOSE, 0 },
};

static enum echo_op op_now(const struct conn *conn)
{
	return conn->checking ? ECHO_OP_UNACKED : (enum echo_op)to_do[conn->state].op;
}

static unsigned needs_now(const struct conn *conn)
{
	if (conn->checking)
		return 0;
	if (conn->ending)
		return ECHO_IN; /* before we end a stream, we look whether something is unread */
	return to_do[conn->state].needs;
}

static void decide(struct conn *conn)
{
	conn->op = (uint8_t)op_now(conn);
	conn->needs = (uint16_t)needs_now(conn);
}

bool conn_decided(const struct conn *conn)
{
	return conn->op == op_now(conn) && conn->needs == needs_now(conn);
}

static void happened(struct conn *conn, enum conn_event event)
{
	enum conn_state next = state_next((enum conn_state)conn->state, event);

	ASSERT(next != CONN_NONE);
	conn->state = (uint8_t)next;
	decide(conn);
}

/* The deadline that the state calls for, from now. */
static void rearm(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);
	enum timer timer = e->draining             ? TIMER_QUIET
			   : e->config.idle_ms > 0 ? TIMER_IDLE
						   : TIMER_NONE;

	switch ((enum conn_state)conn->state) {
	case CONN_LINGERING:
		timer = e->draining ? TIMER_QUIET : TIMER_LINGER;
		break;
	case CONN_LAST_ACK:
		if (e->draining)
			timer = TIMER_NONE;
		break;
	case CONN_FREE:
	case CONN_OPENING:
	case CONN_PURGING:
	case CONN_CLOSING:
		timer = TIMER_NONE;
		break;
	default:
		break;
	}
	timer_set(e, id, timer);
}

static void release(struct pool *pool, struct conn *conn)
{
	if (conn->buffer != NONE)
		pool_give(pool, conn->buffer);
	conn->buffer = NONE;
	conn->start = 0;
	conn->end = 0;
}

static void release_buffer(struct echo_engine *e, struct conn *conn)
{
	release(&e->buffers, conn);
}

static void release_pipe(struct echo_engine *e, struct conn *conn)
{
	release(&e->pipes, conn);
}

static void work(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	if (conn_works(conn))
		queue_add(e, id, &conn->flow);
}

/* A byte has moved: what was seen at the last check says nothing any more. */
static void moved(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	conn->unacked = 0;
	if (e->draining || e->config.idle_ms > 0)
		rearm(e, id);
}

/* Only the close is left, once its pipe is empty. The first reason is kept: later ones are echoes of
 * it. */
static void give_up(struct echo_engine *e, uint32_t id, enum echo_reason reason)
{
	struct conn *conn = conn_at(e, id);

	if (conn->state == CONN_CLOSING || conn->state == CONN_PURGING)
		return;
	conn->checking = false;
	conn->ending = false;
	conn->reason = (uint8_t)reason;
	happened(conn, EV_GIVEN_UP);
	if (conn->state != CONN_PURGING)
		release_buffer(e, conn);
	rearm(e, id);
	work(e, id);
}

bool conn_has_room(const struct echo_engine *e)
{
	return e->connections < e->config.connections_max;
}

static uint32_t next_generation(const struct echo_engine *e, uint32_t generation)
{
	uint32_t mask = UINT32_MAX >> (32 - e->config.generation_bits);

	return (generation + 1) & mask;
}

void conn_open(struct echo_engine *e, int32_t handle)
{
	uint32_t id = e->slots_free;
	struct conn *conn;

	ASSERT(conn_has_room(e));
	if (id != NONE) {
		conn = conn_at(e, id);
		e->slots_free = conn->flow.next;
	} else {
		id = e->slots_fresh++;
		conn = conn_at(e, id);
		conn->state = CONN_FREE;
	}
	e->connections++;
	*conn = (struct conn){
		.flow = { .next = NONE, .queue = QUEUE_NONE },
		.generation = next_generation(e, conn->generation),
		.handle = handle,
		.buffer = NONE,
		.timer_prev = NONE,
		.timer_next = NONE,
		.deadline_ms = NEVER,
		.state = conn->state,
	};
	happened(conn, EV_ACCEPTED);
	work(e, id);
}

static void closed(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	happened(conn, EV_CLOSED);
	conn->latched = 0;
	queue_drop(e, &conn->flow);
	conn->flow.next = e->slots_free;
	e->slots_free = id;
	e->connections--;
	e->listener.room = true;
	listener_tick(e);
}

void conn_event(struct echo_engine *e, const struct echo_event *event)
{
	uint32_t id = (uint32_t)event->token;
	uint32_t generation = (uint32_t)(event->token >> 32);
	struct conn *conn;

	if (id >= e->slots_fresh)
		return;
	conn = conn_at(e, id);
	if (conn->state == CONN_FREE || conn->generation != generation)
		return;
	latch(conn, event->readiness & READINESS);
	if ((event->readiness & READ_READY) != 0 || conn->state == CONN_LAST_ACK)
		latch(conn, ECHO_IN); /* to LAST_ACK, any edge may be the acknowledgement */
	if ((event->readiness & WRITE_READY) != 0)
		latch(conn, ECHO_OUT);
	work(e, id);
}

/* Is it to be moved through a pipe? But whether something is unread, only a read tells. */
static bool fills(const struct echo_engine *e, const struct conn *conn)
{
	return conn->streak >= STREAK_LONG && conn->streak != STREAK_NEVER && !conn->look &&
	       !conn->ending && !pool_empty(&e->pipes);
}

static enum echo_op op_to_receive(const struct echo_engine *e, const struct conn *conn)
{
	if (fills(e, conn))
		return ECHO_OP_FILL;
	return pool_empty(&e->buffers) ? ECHO_OP_PEEK : ECHO_OP_READ;
}

void conn_plan(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);
	struct echo_action *action = &e->action;
	enum echo_op op = (enum echo_op)conn->op;

	if (op == ECHO_OP_READ)
		op = op_to_receive(e, conn);

	*action = (struct echo_action){
		.token = (uint64_t)conn->generation << 32 | id,
		.handle = conn->handle,
		.pipe = -1,
		.timeout_ms = -1,
		.op = op,
		.reason = (enum echo_reason)conn->reason,
	};
	switch (op) {
	case ECHO_OP_READ:
		conn->buffer = pool_take(&e->buffers);
		action->data = buffer_data(e, conn->buffer);
		action->length = e->config.buffer_size;
		break;
	case ECHO_OP_WRITE:
		action->data = buffer_data(e, conn->buffer) + conn->start;
		action->length = conn->end - conn->start;
		break;
	case ECHO_OP_CONSUME:
		action->data = e->scratch;
		action->length = conn->end - conn->start;
		break;
	case ECHO_OP_PEEK:
	case ECHO_OP_DISCARD:
		action->data = e->scratch;
		action->length = e->config.buffer_size;
		break;
	case ECHO_OP_FILL:
		conn->buffer = pool_take(&e->pipes);
		action->pipe = (int32_t)conn->buffer;
		action->length = e->config.buffer_size;
		break;
	case ECHO_OP_EMPTY:
		action->pipe = (int32_t)conn->buffer;
		action->length = conn->end - conn->start;
		break;
	case ECHO_OP_PURGE:
		action->pipe = (int32_t)conn->buffer;
		action->data = e->scratch;
		action->length = conn->end - conn->start;
		break;
	default:
		break;
	}
}

/* A read or a write proves its edge spent when it stopped short and nothing else can have stopped
 * it; would-block proves it always. */
static void short_read(struct conn *conn, bool is_short)
{
	if (is_short && (conn->latched & CUTS_READ) == 0)
		spend(conn, ECHO_IN);
}

static void short_write(struct conn *conn, bool is_short)
{
	if (is_short && (conn->latched & CUTS_WRITE) == 0)
		spend(conn, ECHO_OUT);
}

/*
 * Where nothing is unread, no urgent mark is left. But while one was announced, would-block proves
 * nothing yet: a read that begins at the mark while a signal is pending, such as SIGCONT, fails
 * with EAGAIN although there is data (net/ipv4/tcp.c, tcp_recvmsg_locked). So it is tried once
 * more.
 */
static void read_would_block(struct conn *conn)
{
	spend(conn, (conn->latched & ECHO_PRI) != 0 ? ECHO_PRI : ECHO_IN);
}

static enum echo_reason reason_for(const struct echo_result *result)
{
	return result->outcome == ECHO_GONE ? ECHO_REASON_RESET : ECHO_REASON_FAILED;
}

/* The last quarter of the drain timeout has begun: what owes nothing ends now. */
static void part_if_due(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	if (!e->parting || conn->state != CONN_RECEIVING)
		return;
	conn->checking = false;
	conn->ending = false;
	conn->reason = ECHO_REASON_DRAINED;
	happened(conn, EV_QUIET);
	work(e, id);
}

static void watched(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome != ECHO_DONE) {
		give_up(e, id, ECHO_REASON_UNWATCHED);
		return;
	}
	happened(conn_at(e, id), EV_WATCHED);
	rearm(e, id);
}

/* Is it a long stream? So much came at once, of a read or a fill. */
static void came(const struct echo_engine *e, struct conn *conn, uint32_t count)
{
	if (conn->streak == STREAK_NEVER)
		return;
	if (count <= e->config.buffer_size / STREAK_LARGE)
		conn->streak /= 2;
	else if (conn->streak < STREAK_MAX)
		conn->streak++;
}

/* READ and PEEK differ in where the bytes are: the edge is spent in the same way. */
static void received(struct echo_engine *e, uint32_t id, enum conn_event event,
		     const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);

	if (result->outcome == ECHO_DONE) {
		ASSERT(result->count >= 1);
		ASSERT(result->count <= e->config.buffer_size);
		conn->start = 0;
		conn->end = result->count;
		conn->ending = false;
		conn->look = false;
		came(e, conn, result->count);
		short_read(conn, result->count < e->config.buffer_size);
		happened(conn, event);
		moved(e, id);
		return;
	}
	switch (result->outcome) {
	case ECHO_END:
		release_buffer(e, conn);
		conn->ending = false;
		conn->reason = ECHO_REASON_ENDED;
		happened(conn, EV_END);
		rearm(e, id);
		return;
	case ECHO_WOULD_BLOCK:
		release_buffer(e, conn);
		conn->look = false;
		read_would_block(conn);
		if (conn->ending && !readable(conn)) {
			conn->ending = false;
			happened(conn, EV_QUIET);
		}
		return;
	case ECHO_INTERRUPTED:
	case ECHO_NO_MEMORY:
		release_buffer(e, conn);
		return;
	default:
		give_up(e, id, reason_for(result));
	}
}

/*
 * Moved into a pipe: a segment a slot, so small ones fill the pipe before its bytes are many, and an
 * urgent mark stops it for ever (splice(2); net/ipv4/tcp.c, tcp_splice_read). What stops it looks
 * like an empty socket, or like the end, and is told by a read only, which therefore comes next.
 * But an error of the socket is told once, and is gone with that.
 */
static void filled(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);

	if (result->outcome == ECHO_DONE) {
		ASSERT(result->count >= 1);
		ASSERT(result->count <= e->config.buffer_size);
		conn->start = 0;
		conn->end = result->count;
		conn->look = result->count < e->config.buffer_size;
		came(e, conn, result->count);
		happened(conn, EV_FILLED);
		moved(e, id);
		return;
	}
	release_pipe(e, conn);
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome == ECHO_GONE) {
		give_up(e, id, ECHO_REASON_RESET);
		return;
	}
	conn->look = true;
	if (result->outcome != ECHO_WOULD_BLOCK && result->outcome != ECHO_END &&
	    result->outcome != ECHO_NO_MEMORY)
		conn->streak = STREAK_NEVER;
}

/* Out of a buffer, or a pipe. A short count of a pipe's may be that of one of its slots. */
static void sent(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);
	bool piped = conn->state == CONN_PIPED;
	uint32_t owed = conn->end - conn->start;

	if (result->outcome == ECHO_DONE) {
		ASSERT(result->count >= 1);
		ASSERT(result->count <= owed);
		conn->start += result->count;
		short_write(conn, !piped && result->count < owed);
		happened(conn, result->count < owed ? EV_SENT_PART : EV_SENT_ALL);
		if (conn->state == CONN_RECEIVING)
			release(piped ? &e->pipes : &e->buffers, conn);
		moved(e, id);
		part_if_due(e, id);
		return;
	}
	switch (result->outcome) {
	case ECHO_WOULD_BLOCK:
		spend(conn, ECHO_OUT);
		return;
	case ECHO_INTERRUPTED:
	case ECHO_NO_MEMORY:
		return;
	default:
		give_up(e, id, reason_for(result));
	}
}

/* The peeked bytes that were not sent stay unread: they are in the socket, and known to be. The
 * scratch buffer is for the next one, so nothing of it is kept, whatever came of the write. */
static void sent_peeked(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);
	uint32_t peeked = conn->end;

	if (result->outcome == ECHO_WOULD_BLOCK || result->outcome == ECHO_INTERRUPTED ||
	    result->outcome == ECHO_NO_MEMORY) {
		if (result->outcome == ECHO_WOULD_BLOCK)
			spend(conn, ECHO_OUT);
		latch(conn, ECHO_IN);
		conn->end = 0;
		happened(conn, EV_SENT_NONE);
		return;
	}
	sent(e, id, result);
	if (conn->state != CONN_CONSUMING)
		return;
	if (conn->start < peeked)
		latch(conn, ECHO_IN);
	conn->end = conn->start;
	conn->start = 0;
}

/* A pipe that may not be empty is nobody's any more: its bytes would be another's. */
static void purged(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);

	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome == ECHO_DONE) {
		ASSERT(result->count >= 1);
		ASSERT(result->count <= conn->end - conn->start);
		conn->start += result->count;
		if (conn->start < conn->end)
			return;
	} else {
		pool_lose(&e->pipes);
		conn->buffer = NONE;
	}
	release_pipe(e, conn);
	happened(conn, EV_PURGED);
}

static void consumed(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);

	switch (result->outcome) {
	case ECHO_DONE:
		ASSERT(result->count >= 1);
		ASSERT(result->count <= conn->end - conn->start);
		conn->start += result->count;
		if (conn->start == conn->end) {
			conn->start = 0;
			conn->end = 0;
			happened(conn, EV_CONSUMED);
			part_if_due(e, id);
		}
		return;
	case ECHO_WOULD_BLOCK: /* they were peeked: only a signal at the urgent mark says so */
	case ECHO_INTERRUPTED:
	case ECHO_NO_MEMORY:
		return;
	default:
		give_up(e, id, reason_for(result));
	}
}

static void lingered(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);

	switch (result->outcome) {
	case ECHO_DONE:
		short_read(conn, result->count < e->config.buffer_size);
		if (e->draining)
			rearm(e, id);
		return;
	case ECHO_END:
		latch(conn, ECHO_IN); /* our FIN may be acknowledged already */
		happened(conn, EV_END);
		rearm(e, id);
		return;
	case ECHO_WOULD_BLOCK:
		read_would_block(conn);
		return;
	case ECHO_INTERRUPTED:
	case ECHO_NO_MEMORY:
		return;
	default:
		give_up(e, id, reason_for(result));
	}
}

/* The stream is ended, unless the read that comes first finds something. */
static void look_and_end(struct echo_engine *e, uint32_t id, enum echo_reason reason)
{
	struct conn *conn = conn_at(e, id);

	conn->ending = true;
	decide(conn);
	conn->reason = (uint8_t)reason;
	latch(conn, ECHO_IN);
	timer_set(e, id, TIMER_NONE);
}

/* No byte has moved, as far as our own calls tell: nothing comes, or the peer takes nothing. */
static void idle(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	if (conn->state != CONN_RECEIVING || readable(conn)) {
		give_up(e, id, ECHO_REASON_IDLE);
		return;
	}
	look_and_end(e, id, ECHO_REASON_IDLE);
}

static bool waits_for_room(const struct conn *conn)
{
	return conn->state == CONN_SENDING || conn->state == CONN_PIPED || readable(conn);
}

/*
 * Bytes move that we do not see: EPOLLOUT comes back only when a good part of the send buffer is
 * free (net/core/stream.c, sk_stream_write_space), and an event may wait in the ready list. So a
 * connection is idle only if the peer has acknowledged nothing either.
 */
static void checked(struct echo_engine *e, uint32_t id, uint32_t count)
{
	struct conn *conn = conn_at(e, id);
	uint32_t before = conn->unacked;

	conn->unacked = count;
	if (conn_works(conn) || (count != 0 && count != before)) {
		rearm(e, id);
	} else if (count == 0 && waits_for_room(conn)) {
		latch(conn, ECHO_OUT); /* there is room: the event is under way */
		rearm(e, id);
	} else {
		idle(e, id);
	}
}

static void asked_unacked(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	struct conn *conn = conn_at(e, id);
	bool checking = conn->checking;

	if (result->outcome == ECHO_INTERRUPTED)
		return;
	conn->checking = false;
	decide(conn);
	if (!checking && result->count != conn->unacked)
		conn->unacked = 0; /* it has changed since the last check */
	if (result->outcome != ECHO_DONE) {
		give_up(e, id, reason_for(result));
	} else if (checking && conn->state != CONN_LAST_ACK) {
		checked(e, id, result->count);
	} else if (result->count == 0) {
		happened(conn, EV_ACKED);
		rearm(e, id);
	} else if ((conn->latched & ECHO_ERR) != 0) {
		give_up(e, id, ECHO_REASON_RESET); /* nobody will acknowledge it any more */
	} else {
		spend(conn, ECHO_IN);
		happened(conn, EV_UNACKED);
		if (checking)
			checked(e, id, result->count);
	}
}

static void shut(struct echo_engine *e, uint32_t id, const struct echo_result *result)
{
	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome != ECHO_DONE) {
		give_up(e, id, reason_for(result));
		return;
	}
	happened(conn_at(e, id), EV_SHUT);
	rearm(e, id);
}

void conn_complete(struct echo_engine *e, uint32_t id, enum echo_op op,
		   const struct echo_result *result)
{
	switch (op) {
	case ECHO_OP_WATCH:
		watched(e, id, result);
		break;
	case ECHO_OP_READ:
		received(e, id, EV_RECEIVED, result);
		break;
	case ECHO_OP_PEEK:
		received(e, id, EV_PEEKED, result);
		break;
	case ECHO_OP_WRITE:
		if (conn_at(e, id)->state == CONN_PEEKED)
			sent_peeked(e, id, result);
		else
			sent(e, id, result);
		break;
	case ECHO_OP_CONSUME:
		consumed(e, id, result);
		break;
	case ECHO_OP_FILL:
		filled(e, id, result);
		break;
	case ECHO_OP_EMPTY:
		sent(e, id, result);
		break;
	case ECHO_OP_PURGE:
		purged(e, id, result);
		break;
	case ECHO_OP_DISCARD:
		lingered(e, id, result);
		break;
	case ECHO_OP_UNACKED:
		asked_unacked(e, id, result);
		break;
	case ECHO_OP_SHUTDOWN:
		shut(e, id, result);
		break;
	default:
		ASSERT(op == ECHO_OP_CLOSE);
		closed(e, id);
		break;
	}
}

/* Draining, no byte has moved for a while. */
static void quiet(struct echo_engine *e, uint32_t id)
{
	struct conn *conn = conn_at(e, id);

	if (conn->state == CONN_LINGERING && e->listener.state == LISTENER_PAUSED) {
		give_up(e, id, (enum echo_reason)conn->reason); /* others wait for its slot */
	} else if (conn->state == CONN_RECEIVING && !readable(conn)) {
		look_and_end(e, id, ECHO_REASON_DRAINED);
		work(e, id);
	} else {
		rearm(e, id); /* it waits for its peer */
	}
}

void conn_expire(struct echo_engine *e, uint32_t id, enum timer timer)
{
	struct conn *conn = conn_at(e, id);

	if (timer == TIMER_LINGER) {
		give_up(e, id, (enum echo_reason)conn->reason);
		return;
	}
	if (conn_works(conn)) {
		rearm(e, id); /* it waits for its turn */
	} else if (timer == TIMER_IDLE) {
		conn->checking = true;
		decide(conn);
		timer_set(e, id, TIMER_NONE);
		work(e, id);
	} else {
		quiet(e, id);
	}
}

void conn_part(struct echo_engine *e, uint32_t id)
{
	part_if_due(e, id);
}

void conn_drain(struct echo_engine *e, uint32_t id)
{
	rearm(e, id);
}

void conn_cut(struct echo_engine *e, uint32_t id, enum echo_reason reason)
{
	if (conn_at(e, id)->state != CONN_FREE)
		give_up(e, id, reason);
}
