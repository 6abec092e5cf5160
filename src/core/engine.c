/*
 * The loop turned inside out: echo_complete() takes in what came of an action and settles on the
 * next one, which echo_next() then only shows.
 */
#include "engine.h"

static size_t rounded(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

static bool within(uint32_t value, uint32_t least, uint32_t most)
{
	return value >= least && value <= most;
}

static bool valid(const struct echo_config *config)
{
	return within(config->connections_max, 1, ECHO_CONNECTIONS_LIMIT) &&
	       within(config->buffers_max, 0, ECHO_BUFFERS_LIMIT) &&
	       within(config->buffer_size, 1, ECHO_BUFFER_SIZE_LIMIT) &&
	       within(config->pipes_max, 0, ECHO_PIPES_LIMIT) &&
	       within(config->turn_bytes, 1, ECHO_BUDGET_LIMIT) &&
	       within(config->round_bytes, 1, ECHO_BUDGET_LIMIT) &&
	       within(config->backlog_max, 1, ECHO_BACKLOG_LIMIT) &&
	       within(config->events_max, 1, ECHO_EVENTS_LIMIT) &&
	       within(config->generation_bits, 1, 32) && config->retry_min_ms >= 1 &&
	       config->retry_max_ms >= config->retry_min_ms &&
	       config->retry_max_ms <= ECHO_RETRY_LIMIT_MS && config->quiet_ms >= 1;
}

/* The parts of the caller's memory, in order. */
struct layout {
	size_t slots, buffers_free, pipes_free, scratch, buffers, size;
};

static bool lay_out(const struct echo_config *config, struct layout *layout)
{
	uint64_t slots = (uint64_t)config->connections_max * sizeof(union slot);
	uint64_t buffers = (uint64_t)config->buffers_max * config->buffer_size;

	if (slots + buffers > SIZE_MAX / 2)
		return false;
	layout->slots = rounded(sizeof(struct echo_engine));
	layout->buffers_free = layout->slots + (size_t)slots;
	layout->pipes_free = layout->buffers_free + rounded(config->buffers_max * sizeof(uint32_t));
	layout->scratch = layout->pipes_free + rounded(config->pipes_max * sizeof(uint32_t));
	layout->buffers = layout->scratch + rounded(config->buffer_size);
	layout->size = layout->buffers + rounded((size_t)buffers);
	return true;
}

size_t echo_memory_size(const struct echo_config *config)
{
	struct layout layout;

	return valid(config) && lay_out(config, &layout) ? layout.size : 0;
}

static uint64_t clamped(uint64_t now_ms)
{
	return now_ms < CLOCK_END ? now_ms : CLOCK_END;
}

static void settle(struct echo_engine *e);

struct echo_engine *echo_init(void *memory, const struct echo_config *config, uint64_t now_ms)
{
	struct echo_engine *e = memory;
	struct layout layout = { 0 };

	ASSERT(valid(config) && lay_out(config, &layout));
	now_ms = clamped(now_ms);
	*e = (struct echo_engine){
		.config = *config,
		.slots = (void *)((uint8_t *)memory + layout.slots),
		.slots_free = NONE,
		.scratch = (uint8_t *)memory + layout.scratch,
		.buffer_bytes = (uint8_t *)memory + layout.buffers,
		.buffers = { .free = (void *)((uint8_t *)memory + layout.buffers_free),
			     .max = config->buffers_max },
		.pipes = { .free = (void *)((uint8_t *)memory + layout.pipes_free),
			   .max = config->pipes_max },
		.round_left = config->round_bytes,
		.now_ms = now_ms,
		.report_at_ms = config->report_ms > 0 ? later(now_ms, config->report_ms) : NEVER,
		.part_at_ms = NEVER,
		.drain_at_ms = NEVER,
	};
	queue_init(e);
	timer_init(e);
	listener_init(e);
	settle(e);
	return e;
}

static bool works(const struct echo_engine *e, uint32_t id)
{
	return id == LISTENER ? listener_op(e) != ECHO_OP_NONE : conn_works(conn_at(e, id));
}

/* Nobody's, or the listener's; what it takes is filled in. */
static void plan_plain(struct echo_engine *e, enum echo_op op, uint32_t id)
{
	e->action = (struct echo_action){ .op = op, .handle = -1, .pipe = -1, .timeout_ms = -1 };
	e->id = id;
}

static void plan(struct echo_engine *e, uint32_t id)
{
	if (id == LISTENER) {
		plan_plain(e, listener_op(e), id);
		e->action.token = ECHO_TOKEN_LISTENER;
		return;
	}
	e->id = id;
	conn_plan(e, id);
}

static int32_t timeout_ms(const struct echo_engine *e)
{
	uint64_t next_ms = timer_next(e);

	if (queue_next(e) != QUEUE_NONE)
		return 0;
	if (listener_next(e) < next_ms)
		next_ms = listener_next(e);
	if (e->part_at_ms < next_ms)
		next_ms = e->part_at_ms;
	if (e->drain_at_ms < next_ms)
		next_ms = e->drain_at_ms;
	if (e->report_at_ms < next_ms)
		next_ms = e->report_at_ms;
	if (next_ms == NEVER)
		return -1;
	if (next_ms <= e->now_ms)
		return 0;
	return next_ms - e->now_ms > INT32_MAX ? INT32_MAX : (int32_t)(next_ms - e->now_ms);
}

static void plan_wait(struct echo_engine *e)
{
	plan_plain(e, ECHO_OP_WAIT, NONE);
	e->action.timeout_ms = timeout_ms(e);
	e->action.events_max = e->config.events_max;
}

/* What the scratch buffer shows has to be sent before anything else overwrites it. */
static bool peeked(const struct echo_engine *e, uint32_t id)
{
	return id < LISTENER && conn_at(e, id)->state == CONN_PEEKED;
}

/* Until a wait comes; a report that is due comes first. */
static bool round_over(const struct echo_engine *e)
{
	return e->report || e->round_left <= 0;
}

/* The front has something to do, and may do it now. */
static bool goes_on(const struct echo_engine *e, uint32_t id, const struct flow *front)
{
	return works(e, id) && ((!queue_spent(front) && !round_over(e)) || peeked(e, id));
}

static bool stopped(struct echo_engine *e)
{
	if (e->draining && e->connections == 0 && e->listener.state == LISTENER_CLOSED)
		e->ending = ECHO_STOPPED;
	return e->ending != ECHO_RUNNING;
}

/*
 * Decides on the next action. Each pass takes somebody without work out of a queue, or gives
 * somebody whose turn is over a new one at the end of the bulk queue, so it ends.
 */
static void settle(struct echo_engine *e)
{
	enum queue_name which;

	if (stopped(e)) {
		plan_plain(e, ECHO_OP_NONE, NONE);
		return;
	}
	while ((which = queue_next(e)) != QUEUE_NONE) {
		uint32_t id = e->queues[which].head;
		struct flow *front = flow_at(e, id);

		if (goes_on(e, id, front)) {
			plan(e, id);
			return;
		}
		if (!works(e, id))
			queue_drained(e, which, front);
		else if (round_over(e))
			break;
		else
			queue_turn_over(e, which, front);
	}
	if (e->report)
		plan_plain(e, ECHO_OP_REPORT, NONE);
	else
		plan_wait(e);
}

bool echo_next(const struct echo_engine *e, struct echo_action *action)
{
	*action = e->action;
	return e->action.op != ECHO_OP_NONE;
}

static void drain(struct echo_engine *e)
{
	e->draining = true;
	e->drain_at_ms = later(e->now_ms, e->config.drain_ms);
	e->part_at_ms = e->drain_at_ms - e->config.drain_ms / 4;
	for (uint32_t id = 0; id < e->slots_fresh; id++)
		if (conn_at(e, id)->state != CONN_FREE)
			conn_drain(e, id);
	listener_drain(e);
}

/* The last quarter of the drain timeout is for the ends of streams that never pause. */
static void part(struct echo_engine *e)
{
	e->part_at_ms = NEVER;
	e->parting = true;
	for (uint32_t id = 0; id < e->slots_fresh; id++)
		conn_part(e, id);
}

static void cut(struct echo_engine *e)
{
	e->drain_at_ms = NEVER;
	for (uint32_t id = 0; id < e->slots_fresh; id++)
		conn_cut(e, id, ECHO_REASON_CUT);
	listener_cut(e);
}

static void requested(struct echo_engine *e, uint32_t requests)
{
	if ((requests & ECHO_REQUEST_REPORT) != 0)
		e->report = true;
	if (e->ending != ECHO_RUNNING)
		return;
	if ((requests & ECHO_REQUEST_ABORT) != 0)
		e->ending = ECHO_ABORTED;
	if ((requests & ECHO_REQUEST_STOP) == 0)
		return;
	if (e->draining)
		e->ending = ECHO_ABORTED;
	else
		drain(e);
}

static void expire(struct echo_engine *e)
{
	for (uint32_t timer = TIMER_IDLE; timer < TIMER_COUNT; timer++) {
		uint32_t id;

		while ((id = timer_expired(e, (enum timer)timer)) != NONE)
			conn_expire(e, id, (enum timer)timer);
	}
	if (e->report_at_ms <= e->now_ms) {
		e->report = true;
		e->report_at_ms = later(e->now_ms, e->config.report_ms);
	}
	if (e->part_at_ms <= e->now_ms)
		part(e);
	if (e->drain_at_ms <= e->now_ms)
		cut(e);
	listener_tick(e);
}

static void waited(struct echo_engine *e, const struct echo_result *result)
{
	if (result->now_ms > e->now_ms)
		e->now_ms = clamped(result->now_ms);
	e->round_left = e->config.round_bytes;
	if (result->outcome == ECHO_DONE) {
		ASSERT(result->events_count <= e->config.events_max);
		for (uint32_t i = 0; i < result->events_count; i++) {
			if (result->events[i].token == ECHO_TOKEN_LISTENER)
				listener_announced(e);
			else
				conn_event(e, &result->events[i]);
		}
	} else if (result->outcome == ECHO_BROKEN || result->outcome == ECHO_FAILED) {
		e->ending = ECHO_DEFUNCT;
	}
	requested(e, result->requests);
	expire(e);
}

static bool moves_bytes(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
	       op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD || op == ECHO_OP_FILL ||
	       op == ECHO_OP_EMPTY || op == ECHO_OP_PURGE;
}

static uint32_t cost(const struct echo_engine *e, const struct echo_result *result)
{
	enum echo_op op = e->action.op;

	/* Draining, the listener is to be closed before others come: its turn lasts until then, and
	 * is bounded by the backlog. */
	if (e->id == LISTENER && e->draining && result->outcome == ECHO_DONE)
		return 0;
	if (op == ECHO_OP_ACCEPT)
		return ECHO_ACCEPT_COST;
	if (moves_bytes(op) && result->outcome == ECHO_DONE)
		return ECHO_CALL_COST + result->count;
	return ECHO_CALL_COST;
}

void echo_complete(struct echo_engine *e, const struct echo_action *action,
		   const struct echo_result *result)
{
	enum echo_op op = e->action.op;

	ASSERT(action->op == op);
	if (op == ECHO_OP_WAIT) {
		waited(e, result);
	} else if (op == ECHO_OP_REPORT) {
		e->report = false;
	} else {
		queue_charge(e, flow_at(e, e->id), cost(e, result));
		if (e->id == LISTENER)
			listener_complete(e, op, result);
		else
			conn_complete(e, e->id, op, result);
	}
	settle(e);
}

enum echo_ending echo_ending(const struct echo_engine *e)
{
	return e->ending;
}

uint32_t echo_connections(const struct echo_engine *e)
{
	return e->connections;
}

uint32_t echo_buffers_used(const struct echo_engine *e)
{
	return e->buffers.used;
}

uint32_t echo_pipes_used(const struct echo_engine *e)
{
	return e->pipes.used;
}

uint32_t echo_pipes_lost(const struct echo_engine *e)
{
	return e->pipes.lost;
}
