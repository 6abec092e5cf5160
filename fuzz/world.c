/* The loop of the hostile world: an engine asks, the input answers, and the judge looks on. */
#include "world.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "oracle.h"

enum { MEMORY_MAX = STEPS_POOL_BYTES_MAX + STEPS_BUFFER_SIZE_MAX + 64 * 1024 };

static struct world the_world;
static alignas(64) uint8_t memory[MEMORY_MAX + WORLD_MARGIN];
static bool trace;

uint64_t fuzz_steps;

bool world_open(struct world **world, const uint8_t *data, size_t size)
{
	struct world *w = &the_world;
	uint64_t start_ms;

	*world = w;
	memset(w, 0, offsetof(struct world, conns));
	memset(&w->listening, 0, sizeof(*w) - offsetof(struct world, listening));
	if (!steps_open(&w->input, data, size, &w->config, &start_ms))
		return false;
	w->conns_used = w->conns_open = 0;
	memset(w->slot_used, 0, sizeof(w->slot_used));
	w->size = echo_memory_size(&w->config);
	CHECK(w->size > 0 && w->size <= MEMORY_MAX, "memory-unbounded");
	w->actions_most = WORLD_ACTIONS_MAX + size; /* each byte may answer one */
	w->clock_ms = start_ms;
	w->now_ms = start_ms < CLOCK_END ? start_ms : CLOCK_END;
	w->listening = true;
	w->retry_at_ms = NEVER;
	w->retry_delay_ms = w->config.retry_min_ms;
	w->report_at_ms = w->config.report_ms > 0 ? later(w->now_ms, w->config.report_ms) : NEVER;
	w->expected = ECHO_STOPPED;
	memset(memory, 0, w->size + WORLD_MARGIN);
	w->wakes_at_ms = NEVER;
	w->engine = echo_init(memory, &w->config, start_ms);
	trace = getenv("ECHO_TRACE") != NULL;
	return true;
}

enum { PERIOD = 65521 };
static uint8_t bytes[PERIOD + STEPS_BUFFER_SIZE_MAX];

/* Before any run, so that all runs are alike. */
__attribute__((constructor)) static void fill_bytes(void)
{
	for (uint32_t i = 0; i < sizeof(bytes); i++) {
		uint32_t x = (i % PERIOD + 1) * UINT32_C(2654435769);

		bytes[i] = (uint8_t)(x >> 24 ^ x >> 13);
	}
}

const uint8_t *world_bytes(uint32_t number, uint64_t position)
{
	return &bytes[(position + (uint64_t)number * 7919) % PERIOD];
}

/* Where the next stamp begins and ends that is not over at `at`. All is one in buffers that are not
 * large, and where somebody observes, who gets to see the bytes. */
static uint64_t stamp(const struct world *w, uint64_t *at, uint64_t end)
{
	uint64_t begin = *at / WORLD_STAMP_EVERY * WORLD_STAMP_EVERY;
	uint64_t stop = begin + WORLD_STAMP_SIZE;

	if (w->config.buffer_size < WORLD_STAMPED_MIN || w->observe != NULL)
		return end;
	if (*at >= stop) {
		*at = begin + WORLD_STAMP_EVERY;
		stop = *at + WORLD_STAMP_SIZE;
	}
	return stop < end ? stop : end;
}

void world_fill(const struct world *w, const struct told *c, uint8_t *data, uint32_t length)
{
	uint64_t first = c->taken, end = first + length;

	for (uint64_t at = first, stop; stop = stamp(w, &at, end), at < end; at = stop)
		memcpy(data + (at - first), world_bytes(c->number, at), stop - at);
}

bool world_same(const struct world *w, const struct told *c, const uint8_t *data, uint32_t length)
{
	uint64_t first = c->written, end = first + length;

	for (uint64_t at = first, stop; stop = stamp(w, &at, end), at < end; at = stop)
		if (memcmp(data + (at - first), world_bytes(c->number, at), stop - at) != 0)
			return false;
	return true;
}

static struct told *told_of(struct world *w, const struct echo_action *action)
{
	int64_t handle = (int64_t)action->handle - WORLD_HANDLE_FIRST;

	if (handle < 0 || handle >= w->conns_used || !w->conns[handle].open)
		oracle("handle-closed", "%s of %d", echo_op_name(action->op), action->handle);
	return &w->conns[handle];
}

static void tell(const struct world *w, const struct told *c, const struct echo_action *action,
		 const struct echo_result *result)
{
	fprintf(stderr, "# %6" PRIu64 " ms  ", w->now_ms);
	if (c != NULL)
		fprintf(stderr, "c%-3" PRIu32, c->number);
	else
		fprintf(stderr, "    ");
	fprintf(stderr, " %-8s", echo_op_name(action->op));
	if (action->op == ECHO_OP_WAIT)
		fprintf(stderr, " %" PRId32 " ms", action->timeout_ms);
	if (action->length > 0)
		fprintf(stderr, " %" PRIu32, action->length);
	if (action->op == ECHO_OP_CLOSE)
		fprintf(stderr, " %s", echo_reason_name(action->reason));
	fprintf(stderr, " -> %s", echo_outcome_name(result->outcome));
	if (world_moves_bytes(action->op) || action->op == ECHO_OP_UNACKED)
		fprintf(stderr, " %" PRIu32, result->count);
	if (action->op == ECHO_OP_WAIT)
		fprintf(stderr, " at %" PRIu64, result->now_ms);
	if (result->requests != 0)
		fprintf(stderr, " requests %" PRIu32, result->requests);
	for (uint32_t i = 0; i < result->events_count; i++)
		fprintf(stderr, " %" PRIx64 ":%" PRIx32, result->events[i].token,
			result->events[i].readiness);
	fputc('\n', stderr);
}

static bool same(const struct echo_action *a, const struct echo_action *b)
{
	return a->op == b->op && a->token == b->token && a->data == b->data &&
	       a->length == b->length && a->events_max == b->events_max && a->handle == b->handle &&
	       a->pipe == b->pipe && a->timeout_ms == b->timeout_ms && a->reason == b->reason;
}

static bool of_connection(enum echo_op op)
{
	return (op >= ECHO_OP_WATCH && op <= ECHO_OP_CLOSE) || world_pipes(op);
}

/* Before: is it legal, and its turn? */
static void judge_before(struct world *w, struct told *c, const struct echo_action *action)
{
	if (action->op == ECHO_OP_WAIT) {
		judge_wait(w, action);
	} else if (action->op == ECHO_OP_REPORT) {
		CHECK(w->report_due, "report-unasked");
	} else if (c != NULL) {
		judge_action(w, c, action);
	} else {
		judge_listener(w, action);
	}
}

/* After: what it has cost, and what holds now. */
static void judge_after(struct world *w, struct told *c, const struct echo_action *action,
			const struct echo_result *result)
{
	if (action->op == ECHO_OP_WAIT) {
		judge_waited(w);
		w->acted = w->acted || result->events_count > 0 || result->requests != 0;
	} else {
		w->idle_waits = 0;
		w->acted = true;
		if (action->op != ECHO_OP_REPORT)
			judge_spent(w, c, action, result);
	}
	judge_step(w);
	judge_memory(&memory[w->size]);
}

/* The first action on a connection tells the token that its events will carry. */
static void name(struct world *w, struct told *c, uint64_t token)
{
	uint32_t slot = (uint32_t)token % STEPS_CONNECTIONS_MAX;

	w->slot_used[slot] = true;
	w->slot_tokens[slot] = token;
	w->tokens[c->number] = token;
	c->token = token;
	c->named = true;
}

static void judge_data(const struct world *w, const struct echo_action *action)
{
	CHECK(action->length >= 1 && action->length <= w->config.buffer_size, "length");
	if (action->op == ECHO_OP_FILL || action->op == ECHO_OP_EMPTY)
		return; /* the bytes stay in the kernel */
	CHECK(action->data >= memory && action->data < memory + w->size &&
		      w->size - (size_t)(action->data - memory) >= action->length,
	      "data-outside");
}

bool world_step(struct world *w)
{
	struct echo_action action, again;
	struct echo_result result;
	struct told *c = NULL;
	bool more = echo_next(w->engine, &action);

	if (more != echo_next(w->engine, &again) || !same(&action, &again))
		oracle("next-changes", "%s", echo_op_name(action.op));
	if (!more)
		return false;
	CHECK(action.op > ECHO_OP_NONE && action.op < ECHO_OP_COUNT, "op-unknown");
	if (of_connection(action.op))
		c = told_of(w, &action);
	if (!w->unjudged)
		judge_before(w, c, &action);
	if (c != NULL && !c->named)
		name(w, c, action.token);
	if (world_moves_bytes(action.op))
		judge_data(w, &action);
	result = world_answer(w, c, &action);
	if (trace)
		tell(w, c, &action, &result);
	world_told(w, c, &action, &result);
	if (c != NULL && w->observe != NULL)
		w->observe(c, &action, &result);
	echo_observe(&w->stats, &action, &result);
	echo_complete(w->engine, &action, &result);
	if (!w->unjudged)
		judge_after(w, c, &action, &result);
	w->actions++;
	fuzz_steps++;
	return true;
}

void world_run(struct world *w)
{
	while (world_step(w))
		if (w->over && ++w->winding > WORLD_WINDING_MAX)
			oracle("stop-hangs", "%" PRIu32 " connections", w->conns_open);
	if (!w->unjudged)
		judge_end(w);
}
