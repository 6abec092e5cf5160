/*
 * Everything that holds between two steps. Each function states the facts about one thing, and
 * gives the name of the one that fails: fuzzers tell findings apart by it.
 */
#include "engine.h"

#define HOLDS(fact, name) \
	do { \
		if (!(fact)) \
			return name; \
	} while (0)

/* How many of the slots that were used are open, hold a buffer, a pipe, wait for a turn, have a
 * deadline. */
struct census {
	uint32_t open, holding, piping, queued, timed;
};

static bool is_open(const struct conn *conn)
{
	return conn->state != CONN_FREE;
}

/* Its buffer is a pipe, or would be. */
static bool pipes(const struct echo_engine *e, uint32_t id)
{
	const struct conn *conn = conn_at(e, id);

	return conn->state == CONN_PIPED || conn->state == CONN_PURGING ||
	       (e->id == id && e->action.op == ECHO_OP_FILL);
}

static const char *free_invariant(const struct conn *conn)
{
	HOLDS(conn->start == conn->end, "owed-while-sending");
	HOLDS(conn->buffer == NONE, "buffer-while-sending");
	HOLDS(conn->flow.queue == QUEUE_NONE, "free-is-not-queued");
	HOLDS(conn->timer == TIMER_NONE, "timer-while-open");
	HOLDS(!conn->ending, "ending-while-receiving");
	HOLDS(!conn->checking, "checking-while-open");
	return NULL;
}

static const char *conn_invariant(const struct echo_engine *e, uint32_t id)
{
	const struct conn *conn = conn_at(e, id);
	bool reading = e->id == id && e->action.op == ECHO_OP_READ;

	if (!is_open(conn))
		return free_invariant(conn);
	HOLDS(conn->state > CONN_NONE && conn->state < CONN_STATE_COUNT, "state-exists");
	HOLDS(conn->start <= conn->end && conn->end <= e->config.buffer_size, "owed-in-buffer");

	/* Bytes are owed exactly while they are to be sent or removed: none is lost or sent
	 * twice. */
	HOLDS((conn->start < conn->end) ==
		      (conn->state == CONN_SENDING || conn->state == CONN_PIPED ||
		       conn->state == CONN_PEEKED || conn->state == CONN_CONSUMING ||
		       conn->state == CONN_PURGING),
	      "owed-while-sending");
	HOLDS((conn->buffer != NONE) == (conn->state == CONN_SENDING || reading || pipes(e, id)),
	      "buffer-while-sending");
	HOLDS(conn->buffer == NONE ||
		      conn->buffer < (pipes(e, id) ? &e->pipes : &e->buffers)->fresh,
	      "buffer-exists");
	HOLDS(conn->streak <= STREAK_MAX || conn->streak == STREAK_NEVER, "streak-bounded");
	HOLDS(conn->state != CONN_PEEKED || (e->id == id && e->action.op == ECHO_OP_WRITE),
	      "peeked-is-sent-at-once");
	HOLDS(!conn->ending || conn->state == CONN_RECEIVING, "ending-while-receiving");
	HOLDS(conn->flow.queue != QUEUE_NONE || !conn_works(conn), "work-is-queued");
	HOLDS(conn->timer < TIMER_COUNT, "timer-exists");
	HOLDS(conn->timer == TIMER_NONE ||
		      (conn->state != CONN_CLOSING && conn->state != CONN_PURGING),
	      "timer-while-open");
	HOLDS(conn->timer != TIMER_IDLE || e->config.idle_ms > 0, "timer-configured");
	HOLDS(conn->state != CONN_LINGERING || conn->timer == TIMER_LINGER || e->draining,
	      "lingering-ends");
	HOLDS(!conn->checking || conn->state == CONN_RECEIVING || conn->state == CONN_SENDING ||
		      conn->state == CONN_PIPED || conn->state == CONN_LAST_ACK,
	      "checking-while-open");
	HOLDS(conn_decided(conn), "decided");
	return NULL;
}

/* Each pipe and each buffer has one owner, or waits in its pool. */
static const char *pool_invariant(const struct pool *pool, uint32_t owned)
{
	HOLDS(owned == pool->used, "buffers-counted");
	HOLDS(pool->used + pool->free_count + pool->lost == pool->fresh, "buffers-accounted");
	HOLDS(pool->fresh <= pool->max, "buffers-bounded");
	return NULL;
}

static const char *conns_invariant(const struct echo_engine *e, struct census *census)
{
	uint32_t free = 0;
	const char *wrong;

	HOLDS(e->slots_fresh <= e->config.connections_max, "slots-bounded");
	for (uint32_t id = 0; id < e->slots_fresh; id++) {
		const struct conn *conn = conn_at(e, id);
		const char *broken = conn_invariant(e, id);

		if (broken != NULL)
			return broken;
		census->open += is_open(conn);
		if (conn->buffer != NONE && pipes(e, id))
			census->piping++;
		else if (conn->buffer != NONE)
			census->holding++;
		census->queued += conn->flow.queue != QUEUE_NONE;
		census->timed += conn->timer != TIMER_NONE;
	}
	for (uint32_t id = e->slots_free; id != NONE; id = conn_at(e, id)->flow.next) {
		HOLDS(id < e->slots_fresh && !is_open(conn_at(e, id)), "free-list-is-free");
		HOLDS(++free <= e->slots_fresh, "free-list-ends");
	}
	HOLDS(census->open == e->connections, "connections-counted");
	HOLDS(census->open + free == e->slots_fresh, "slots-accounted");
	wrong = pool_invariant(&e->buffers, census->holding);
	return wrong != NULL ? wrong : pool_invariant(&e->pipes, census->piping);
}

static const struct flow *flow_of(const struct echo_engine *e, uint32_t id)
{
	return id == LISTENER ? &e->listener.flow : &conn_at(e, id)->flow;
}

static const char *queue_invariant(const struct echo_engine *e, const struct census *census)
{
	uint32_t tagged = census->queued + (e->listener.flow.queue != QUEUE_NONE), linked = 0;

	for (uint32_t which = QUEUE_SPARSE; which <= QUEUE_BULK; which++) {
		uint32_t last = NONE;

		for (uint32_t id = e->queues[which].head; id != NONE; id = flow_of(e, id)->next) {
			HOLDS(id == LISTENER || id < e->slots_fresh, "queued-exists");
			HOLDS(flow_of(e, id)->queue == which, "queued-where-tagged");
			HOLDS(++linked <= tagged, "queue-ends");
			last = id;
		}
		HOLDS(last == e->queues[which].tail, "queue-tail-is-last");
	}
	HOLDS(linked == tagged, "tagged-is-queued");
	return NULL;
}

static const char *timer_invariant(const struct echo_engine *e, const struct census *census)
{
	uint32_t linked = 0;

	for (uint32_t timer = TIMER_IDLE; timer < TIMER_COUNT; timer++) {
		uint32_t last = NONE;
		uint64_t deadline_ms = 0;

		for (uint32_t id = e->timers[timer].head; id != NONE;
		     id = conn_at(e, id)->timer_next) {
			const struct conn *conn = conn_at(e, id);

			HOLDS(conn->timer == timer, "timed-where-tagged");
			HOLDS(conn->timer_prev == last, "timer-links-agree");
			HOLDS(conn->deadline_ms >= deadline_ms, "timers-in-order");
			HOLDS(++linked <= census->timed, "timers-end");
			deadline_ms = conn->deadline_ms;
			last = id;
		}
		HOLDS(last == e->timers[timer].tail, "timer-tail-is-last");
	}
	HOLDS(linked == census->timed, "tagged-is-timed");
	return NULL;
}

static const char *engine_invariant(const struct echo_engine *e)
{
	const struct listener *listener = &e->listener;

	HOLDS(listener->state >= LISTENER_WATCHED && listener->state <= LISTENER_CLOSED,
	      "listener-state-exists");
	HOLDS(listener_op(e) == ECHO_OP_NONE || listener->flow.queue != QUEUE_NONE,
	      "listener-work-is-queued");
	HOLDS(listener->state != LISTENER_PAUSED || !conn_has_room(e) ||
		      listener->retry_at_ms != NEVER,
	      "paused-ends");
	HOLDS(listener->retry_delay_ms >= e->config.retry_min_ms &&
		      listener->retry_delay_ms <= e->config.retry_max_ms,
	      "retry-delay-bounded");
	HOLDS((e->action.op == ECHO_OP_NONE) == (e->ending != ECHO_RUNNING), "asks-until-the-end");
	HOLDS(e->id == NONE || e->id == e->queues[queue_next(e)].head, "serves-the-front");
	if (e->ending == ECHO_STOPPED) {
		HOLDS(e->connections == 0 && e->buffers.used == 0 && e->pipes.used == 0,
		      "stopped-is-released");
		HOLDS(listener->state == LISTENER_CLOSED, "stopped-is-closed");
	}
	return NULL;
}

const char *echo_invariant(const struct echo_engine *e)
{
	struct census census = { 0 };
	const char *broken = conns_invariant(e, &census);

	if (broken == NULL)
		broken = queue_invariant(e, &census);
	if (broken == NULL)
		broken = timer_invariant(e, &census);
	if (broken == NULL)
		broken = engine_invariant(e);
	return broken;
}
