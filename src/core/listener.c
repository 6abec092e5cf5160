/*
 * Accepting, and when not to. The listener is level-triggered: the next wait tells of it again, so
 * one connection is accepted each time, and no call is spent on finding that there is no other. And
 * while nothing can be accepted it has to leave the interest list, or every wait would return at
 * once; where the last slot was taken it leaves at once, since of those that share a listener one
 * only is woken for each connection (EPOLL-EXC-1), and it must not be one without room.
 */
#include "engine.h"

void listener_init(struct echo_engine *e)
{
	e->listener = (struct listener){
		.flow = { .next = NONE, .queue = QUEUE_NONE },
		.state = LISTENER_WATCHED,
		.retry_at_ms = NEVER,
		.retry_delay_ms = e->config.retry_min_ms,
	};
}

enum echo_op listener_op(const struct echo_engine *e)
{
	const struct listener *listener = &e->listener;

	switch (listener->state) {
	case LISTENER_WATCHED:
		if (!listener->acceptable)
			return ECHO_OP_NONE;
		return conn_has_room(e) ? ECHO_OP_ACCEPT : ECHO_OP_PAUSE;
	case LISTENER_PAUSING:
		return ECHO_OP_PAUSE;
	case LISTENER_RESUMING:
		return ECHO_OP_RESUME;
	case LISTENER_CLOSING:
		return ECHO_OP_UNLISTEN;
	case LISTENER_PAUSED:
	case LISTENER_CLOSED:
		break;
	}
	return ECHO_OP_NONE;
}

static void work(struct echo_engine *e)
{
	if (listener_op(e) != ECHO_OP_NONE)
		queue_add(e, LISTENER, &e->listener.flow);
}

void listener_announced(struct echo_engine *e)
{
	if (e->listener.state == LISTENER_PAUSED)
		e->listener.state = LISTENER_PAUSING; /* it is still watched: pausing had failed */
	else
		e->listener.acceptable = true;
	work(e);
}

void listener_tick(struct echo_engine *e)
{
	struct listener *listener = &e->listener;

	if (listener->state != LISTENER_PAUSED || !conn_has_room(e))
		return;
	if (!listener->room && listener->retry_at_ms > e->now_ms)
		return;
	listener->state = LISTENER_RESUMING;
	work(e);
}

uint64_t listener_next(const struct echo_engine *e)
{
	const struct listener *listener = &e->listener;

	return listener->state == LISTENER_PAUSED && conn_has_room(e) ? listener->retry_at_ms
								      : NEVER;
}

/* Descriptors or memory ran out, or the failures of new connections do not end. */
static void back_off(struct echo_engine *e)
{
	struct listener *listener = &e->listener;

	listener->state = LISTENER_PAUSING;
	listener->acceptable = false;
	listener->room = false;
	listener->failures = 0;
	listener->retry_at_ms = later(e->now_ms, listener->retry_delay_ms);
	listener->retry_delay_ms = later(listener->retry_delay_ms, listener->retry_delay_ms);
	if (listener->retry_delay_ms > e->config.retry_max_ms)
		listener->retry_delay_ms = e->config.retry_max_ms;
}

static void accepted(struct echo_engine *e, const struct echo_result *result)
{
	struct listener *listener = &e->listener;

	switch (result->outcome) {
	case ECHO_DONE:
		listener->failures = 0;
		listener->retry_delay_ms = e->config.retry_min_ms;
		conn_open(e, result->handle);
		listener->acceptable = e->draining || !conn_has_room(e);
		if (e->draining && --listener->backlog == 0)
			listener->state = LISTENER_CLOSING;
		return;
	case ECHO_END:
	case ECHO_WOULD_BLOCK:
		listener->acceptable = false;
		listener->failures = 0;
		if (e->draining)
			listener->state = LISTENER_CLOSING;
		return;
	case ECHO_INTERRUPTED:
		return;
	case ECHO_GONE:
	case ECHO_FAILED:
		if (++listener->failures >= ECHO_ACCEPT_FAILURES_MAX)
			back_off(e);
		return;
	case ECHO_NO_DESCRIPTORS:
	case ECHO_NO_MEMORY:
		back_off(e);
		return;
	case ECHO_BROKEN:
		e->ending = ECHO_DEFUNCT;
		return;
	}
}

static void paused(struct echo_engine *e, const struct echo_result *result)
{
	struct listener *listener = &e->listener;

	if (result->outcome == ECHO_INTERRUPTED)
		return;
	listener->acceptable = false;
	if (result->outcome == ECHO_BROKEN) {
		e->ending = ECHO_DEFUNCT;
		return;
	}
	if (listener->state == LISTENER_WATCHED) { /* all slots are taken */
		listener->room = false;
		listener->retry_at_ms = NEVER;
	}
	listener->state = LISTENER_PAUSED; /* or the next event says that it failed */
	listener_tick(e);
}

static void resumed(struct echo_engine *e, const struct echo_result *result)
{
	struct listener *listener = &e->listener;

	if (result->outcome == ECHO_INTERRUPTED)
		return;
	if (result->outcome == ECHO_BROKEN) {
		e->ending = ECHO_DEFUNCT;
	} else if (result->outcome != ECHO_DONE) {
		back_off(e);
		listener->state = LISTENER_PAUSED;
	} else {
		listener->state = LISTENER_WATCHED;
		listener->retry_at_ms = NEVER;
		listener->acceptable = e->draining; /* only a would-block ends the backlog */
	}
}

void listener_complete(struct echo_engine *e, enum echo_op op, const struct echo_result *result)
{
	switch (op) {
	case ECHO_OP_ACCEPT:
		accepted(e, result);
		break;
	case ECHO_OP_PAUSE:
		paused(e, result);
		break;
	case ECHO_OP_RESUME:
		resumed(e, result);
		break;
	default:
		ASSERT(op == ECHO_OP_UNLISTEN);
		e->listener.state = LISTENER_CLOSED;
		break;
	}
}

void listener_drain(struct echo_engine *e)
{
	e->listener.backlog = e->config.backlog_max;
	e->listener.acceptable = true;
	work(e);
}

void listener_cut(struct echo_engine *e)
{
	if (e->listener.state != LISTENER_CLOSED)
		e->listener.state = LISTENER_CLOSING;
	work(e);
}
