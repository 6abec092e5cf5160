/*
 * Who is served next. Who took little in its last turns is sparse, and who took much is bulk, as in
 * fq_codel (RFC 8290, section 4.2); each kind has a queue. Sparse ones go first, so that they do not
 * wait for floods; but when they have taken a turn's worth, a bulk one has its turn. After each call
 * of a bulk one a wait comes, so that who has become ready meanwhile is seen before the next, even in
 * the middle of a turn. Other than in fq_codel, what a connection was is remembered while it has no
 * work: a flood may drain in each of its turns, and would be new each time.
 */
#include "engine.h"

static void push(struct echo_engine *e, enum queue_name which, uint32_t id, struct flow *flow)
{
	struct queue *queue = &e->queues[which];

	flow->next = NONE;
	flow->queue = (uint8_t)which;
	if (queue->tail == NONE)
		queue->head = id;
	else
		flow_at(e, queue->tail)->next = id;
	queue->tail = id;
}

static void pop(struct echo_engine *e, enum queue_name which, struct flow *flow)
{
	struct queue *queue = &e->queues[which];

	queue->head = flow->next;
	if (queue->head == NONE)
		queue->tail = NONE;
	flow->queue = QUEUE_NONE;
}

/* The front's turn ends: did it take much? Each sparse one does so but once, and is not counted for
 * that. */
static bool end_turn(struct echo_engine *e, enum queue_name which, struct flow *flow)
{
	uint32_t used = e->config.turn_bytes - (uint32_t)flow->credit;
	bool much = used > e->config.turn_bytes / BULK_PART;

	pop(e, which, flow);
	if (which == QUEUE_BULK && used > 0)
		e->sparse_left = e->config.turn_bytes;
	if (which == QUEUE_SPARSE && !much && e->queues[QUEUE_BULK].head != NONE)
		e->sparse_left -= used;
	return much;
}

void queue_init(struct echo_engine *e)
{
	for (uint32_t which = QUEUE_NONE; which <= QUEUE_BULK; which++)
		e->queues[which] = (struct queue){ NONE, NONE };
	e->sparse_left = e->config.turn_bytes;
}

void queue_add(struct echo_engine *e, uint32_t id, struct flow *flow)
{
	if (flow->queue != QUEUE_NONE)
		return;
	flow->credit = (int32_t)e->config.turn_bytes;
	flow->first = true;
	push(e, flow->bulk > 0 ? QUEUE_BULK : QUEUE_SPARSE, id, flow);
}

enum queue_name queue_next(const struct echo_engine *e)
{
	bool sparse = e->queues[QUEUE_SPARSE].head != NONE;
	bool bulk = e->queues[QUEUE_BULK].head != NONE;

	if (sparse && (!bulk || e->sparse_left > 0))
		return QUEUE_SPARSE;
	return bulk ? QUEUE_BULK : QUEUE_NONE;
}

bool queue_spent(const struct flow *front)
{
	return front->credit <= 0;
}

void queue_charge(struct echo_engine *e, struct flow *front, uint32_t cost)
{
	front->credit -= (int32_t)cost;
	if (front->queue == QUEUE_BULK)
		e->round_left = 0;
	else
		e->round_left -= cost;
}

void queue_drained(struct echo_engine *e, enum queue_name which, struct flow *front)
{
	bool much = end_turn(e, which, front);

	if (!front->first)
		return;
	if (much)
		front->bulk = BULK_TURNS;
	else if (front->bulk > 0)
		front->bulk--;
}

void queue_turn_over(struct echo_engine *e, enum queue_name which, struct flow *front)
{
	uint32_t id = e->queues[which].head;

	end_turn(e, which, front);
	front->credit = (int32_t)e->config.turn_bytes;
	front->first = false;
	front->bulk = BULK_TURNS;
	push(e, QUEUE_BULK, id, front);
}

void queue_drop(struct echo_engine *e, struct flow *front)
{
	end_turn(e, (enum queue_name)front->queue, front);
}
