/*
 * Deadlines of connections. Each kind has one length, so its list is in order when entries go in at
 * the tail, and setting, moving and expiring take constant time.
 */
#include "engine.h"

void timer_init(struct echo_engine *e)
{
	for (uint32_t timer = TIMER_NONE; timer < TIMER_COUNT; timer++)
		e->timers[timer] = (struct timer_list){ NONE, NONE };
}

static uint64_t length_ms(const struct echo_engine *e, enum timer timer)
{
	switch (timer) {
	case TIMER_IDLE:
		return e->config.idle_ms;
	case TIMER_QUIET:
		return e->config.quiet_ms;
	case TIMER_LINGER:
		return e->config.drain_ms;
	case TIMER_NONE:
	case TIMER_COUNT:
		break;
	}
	return NEVER;
}

static void unlink_conn(struct echo_engine *e, struct conn *conn)
{
	struct timer_list *list = &e->timers[conn->timer];

	if (conn->timer_prev == NONE)
		list->head = conn->timer_next;
	else
		conn_at(e, conn->timer_prev)->timer_next = conn->timer_next;
	if (conn->timer_next == NONE)
		list->tail = conn->timer_prev;
	else
		conn_at(e, conn->timer_next)->timer_prev = conn->timer_prev;
	conn->timer = TIMER_NONE;
	conn->timer_prev = NONE;
	conn->timer_next = NONE;
	conn->deadline_ms = NEVER;
}

void timer_set(struct echo_engine *e, uint32_t id, enum timer timer)
{
	struct conn *conn = conn_at(e, id);
	struct timer_list *list = &e->timers[timer];
	uint64_t deadline_ms = later(e->now_ms, length_ms(e, timer));

	if (conn->timer == timer && conn->deadline_ms == deadline_ms)
		return;
	if (conn->timer != TIMER_NONE)
		unlink_conn(e, conn);
	if (timer == TIMER_NONE)
		return;
	conn->timer = (uint8_t)timer;
	conn->deadline_ms = deadline_ms;
	conn->timer_prev = list->tail;
	if (list->tail == NONE)
		list->head = id;
	else
		conn_at(e, list->tail)->timer_next = id;
	list->tail = id;
}

uint32_t timer_expired(const struct echo_engine *e, enum timer timer)
{
	uint32_t id = e->timers[timer].head;

	return id != NONE && conn_at(e, id)->deadline_ms <= e->now_ms ? id : NONE;
}

uint64_t timer_next(const struct echo_engine *e)
{
	uint64_t next_ms = NEVER;

	for (uint32_t timer = TIMER_IDLE; timer < TIMER_COUNT; timer++) {
		uint32_t id = e->timers[timer].head;

		if (id != NONE && conn_at(e, id)->deadline_ms < next_ms)
			next_ms = conn_at(e, id)->deadline_ms;
	}
	return next_ms;
}
