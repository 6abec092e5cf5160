/*
 * Who is served next: two queues, after fq_codel (RFC 8290, section 4.2). What becomes ready enters
 * the new queue with a full turn, and the new queue is served before the old one. What uses up its
 * turn goes to the tail of the old one. What drains in the new queue passes once through the old
 * one before it counts as new again, so that the old queue is always reached.
 */
#include "engine.h"

static struct flow *flow_of(const struct echo_engine *e, uint32_t id)
{
	if (id == LISTENER)
		return &((struct echo_engine *)(uintptr_t)e)->listener.flow;
	return &conn_at(e, id)->flow;
}

static void push(struct echo_engine *e, enum queue_name which, uint32_t id)
{
	struct queue *queue = &e->queues[which];
	struct flow *flow = flow_of(e, id);

	flow->next = NONE;
	flow->queue = (uint8_t)which;
	if (queue->tail == NONE)
		queue->head = id;
	else
		flow_of(e, queue->tail)->next = id;
	queue->tail = id;
}

static enum queue_name front_queue(const struct echo_engine *e)
{
	if (e->queues[QUEUE_NEW].head != NONE)
		return QUEUE_NEW;
	return e->queues[QUEUE_OLD].head != NONE ? QUEUE_OLD : QUEUE_NONE;
}

static uint32_t pop(struct echo_engine *e, enum queue_name which)
{
	struct queue *queue = &e->queues[which];
	uint32_t id = queue->head;
	struct flow *flow = flow_of(e, id);

	queue->head = flow->next;
	if (queue->head == NONE)
		queue->tail = NONE;
	flow->next = NONE;
	flow->queue = QUEUE_NONE;
	return id;
}

void queue_init(struct echo_engine *e)
{
	for (uint32_t which = QUEUE_NONE; which <= QUEUE_OLD; which++)
		e->queues[which] = (struct queue){ NONE, NONE };
}

void queue_add(struct echo_engine *e, uint32_t id)
{
	struct flow *flow = flow_of(e, id);

	if (flow->queue != QUEUE_NONE)
		return;
	flow->credit = (int32_t)e->config.turn_bytes;
	push(e, QUEUE_NEW, id);
}

uint32_t queue_front(const struct echo_engine *e)
{
	uint32_t id = e->queues[QUEUE_NEW].head;

	return id != NONE ? id : e->queues[QUEUE_OLD].head;
}

bool queue_spent(const struct echo_engine *e, uint32_t front)
{
	return flow_of(e, front)->credit <= 0;
}

void queue_charge(struct echo_engine *e, uint32_t front, uint32_t cost)
{
	flow_of(e, front)->credit -= (int32_t)cost;
	e->round_left -= cost;
}

void queue_drained(struct echo_engine *e)
{
	enum queue_name which = front_queue(e);
	uint32_t id = pop(e, which);

	if (which == QUEUE_NEW && e->queues[QUEUE_OLD].head != NONE)
		push(e, QUEUE_OLD, id);
}

void queue_turn_over(struct echo_engine *e)
{
	uint32_t id = pop(e, front_queue(e));

	flow_of(e, id)->credit = (int32_t)e->config.turn_bytes;
	push(e, QUEUE_OLD, id);
}

void queue_drop(struct echo_engine *e)
{
	pop(e, front_queue(e));
}
