/*
 * What comes of an action: the next step of the input that answers such an action, or the dull
 * result where this piece of the input, up to its next wait, has none. When the input is over, a
 * kind one.
 */
#include "world.h"

#include <string.h>

#include "core/base.h"
#include "oracle.h"

/* What a receiving call leaves whose bytes nobody wants. */
enum { SCRIBBLE = 0xa5 };

/* Is w->step the answer to `op`? Those before it fit nothing that was asked, and are passed
 * over. */
static bool find(struct world *w, enum echo_op op)
{
	struct steps piece = w->input;

	if (w->over || w->actions >= w->actions_most) {
		w->over = true;
		return false;
	}
	while (steps_next(&w->input, &w->step)) {
		if (w->step.op == op)
			return true;
		if (w->step.op == ECHO_OP_WAIT)
			break;
	}
	w->input = piece;
	w->over = op == ECHO_OP_WAIT;
	return false;
}

static struct echo_result outcome(enum echo_outcome outcome)
{
	return (struct echo_result){ .outcome = outcome, .handle = -1 };
}

static uint32_t at_most(uint32_t count, uint32_t most)
{
	return count == 0 || count > most ? most : count;
}

/* What comes of a call on a connection that no step answers. */
static struct echo_result dull(const struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);

	switch (action->op) {
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
	case ECHO_OP_DISCARD:
		result.outcome = w->over ? ECHO_END : ECHO_WOULD_BLOCK;
		break;
	case ECHO_OP_FILL:
		result.outcome = ECHO_WOULD_BLOCK;
		break;
	case ECHO_OP_WRITE:
	case ECHO_OP_CONSUME:
	case ECHO_OP_EMPTY:
	case ECHO_OP_PURGE:
		result.count = action->length;
		break;
	default:
		break;
	}
	return result;
}

static struct echo_result answered(const struct step *step, const struct echo_action *action)
{
	struct echo_result result = outcome(step->outcome);

	if (world_moves_bytes(action->op) && step->outcome == ECHO_DONE)
		result.count = at_most(step->count, action->length);
	else if (action->op == ECHO_OP_UNACKED)
		result.count = step->count;
	return result;
}

static struct echo_result accept_one(struct world *w)
{
	struct echo_result result = outcome(ECHO_WOULD_BLOCK);
	uint32_t handle = 0;

	if (find(w, ECHO_OP_ACCEPT))
		result.outcome = w->step.outcome;
	if (result.outcome != ECHO_DONE)
		return result;
	if (w->accepted == WORLD_ACCEPTS_MAX)
		return outcome(ECHO_NO_DESCRIPTORS);
	while (handle < w->conns_used && w->conns[handle].open)
		handle++;
	CHECK(handle < STEPS_CONNECTIONS_MAX, "connections-unbounded");
	if (handle == w->conns_used)
		w->conns_used++;
	w->conns[handle] = (struct told){ .open = true, .number = (uint32_t)w->accepted };
	w->tokens[w->accepted++] = ECHO_TOKEN_LISTENER;
	w->conns_open++;
	if (w->accepted_one != NULL)
		w->accepted_one(&w->conns[handle]);
	result.handle = WORLD_HANDLE_FIRST + (int32_t)handle;
	return result;
}

static bool all_named(const struct world *w)
{
	for (uint32_t i = 0; i < w->conns_used; i++)
		if (w->conns[i].open && !w->conns[i].named)
			return false;
	return true;
}

/* A crafted token may be somebody's, and with few generations one of old is somebody's again. */
static struct told *holder(struct world *w, uint64_t token)
{
	for (uint32_t i = 0; i < w->conns_used; i++)
		if (w->conns[i].open && w->conns[i].named && w->conns[i].token == token)
			return &w->conns[i];
	return NULL;
}

static void announce(struct world *w, struct echo_result *result, uint64_t token,
		     uint32_t readiness, struct told *c)
{
	w->events[result->events_count++] = (struct echo_event){ token, readiness };
	if (token == ECHO_TOKEN_LISTENER) {
		w->heard = w->heard || w->paused;
		w->acceptable = w->acceptable || (w->listening && !w->paused);
	} else if (c != NULL) {
		world_told_event(c, readiness);
	}
}

static void announce_step(struct world *w, struct echo_result *result,
			  const struct steps_event *event)
{
	uint64_t token = event->token;
	struct told *c;

	if (event->whom < STEPS_WHOM_LISTENER && w->accepted == 0)
		return;
	if (event->whom == STEPS_WHOM_LISTENER)
		token = ECHO_TOKEN_LISTENER;
	else if (event->whom < STEPS_WHOM_LISTENER)
		token = w->tokens[event->whom % w->accepted];
	c = holder(w, token);
	if (c == NULL && event->whom != STEPS_WHOM_LISTENER && !all_named(w))
		return; /* it may be that of a connection that has not told its own yet */
	announce(w, result, token, event->readiness, c);
}

static void pass_time(struct world *w, int64_t passed_ms)
{
	uint64_t before_ms = w->clock_ms;

	w->clock_ms += (uint64_t)passed_ms;
	if (passed_ms >= 0 && w->clock_ms < before_ms)
		w->clock_ms = UINT64_MAX;
	if (passed_ms < 0 && w->clock_ms > before_ms)
		w->clock_ms = 0;
}

static void request(struct world *w, uint32_t requests)
{
	if ((requests & ECHO_REQUEST_REPORT) != 0)
		w->report_due = true;
	if ((requests & ECHO_REQUEST_ABORT) != 0 ||
	    ((requests & ECHO_REQUEST_STOP) != 0 && w->stopping))
		w->expected = ECHO_ABORTED;
	if ((requests & ECHO_REQUEST_STOP) != 0 && !w->stopping) {
		w->stopping = true;
		w->stopped_ms = w->now_ms;
		w->emptied = false;
		w->acceptable = w->listening;
		for (uint32_t i = 0; i < w->conns_used; i++)
			w->conns[i].armed_ms = w->now_ms;
	}
}

/* An edge that was announced and is not spent is announced no second time: to remember it is the
 * engine's part. */
static uint32_t kind_readiness(const struct told *c)
{
	return (c->in ? 0 : ECHO_IN | ECHO_RDHUP) | (c->out ? 0 : ECHO_OUT);
}

/* Somebody's events, and then others': no wait brings more than events_max. */
static void kind_events(struct world *w, const struct echo_action *action,
			struct echo_result *result)
{
	for (uint32_t i = 0; i < w->conns_used; i++) {
		struct told *c = &w->conns[w->next_kind++ % w->conns_used];

		if (result->events_count == action->events_max)
			return;
		if (c->open && c->watched && kind_readiness(c) != 0)
			announce(w, result, c->token, kind_readiness(c), c);
	}
}

/* A clock that stands at its end can bring no retry of accepting any more. */
static uint32_t kind_request(const struct world *w)
{
	if (!w->stopping)
		return w->plausible && w->conns_open > 0 ? 0 : ECHO_REQUEST_STOP;
	return w->now_ms == CLOCK_END && w->winding > WORLD_WINDING_MAX / 2 ? ECHO_REQUEST_ABORT
									    : 0;
}

/* A kind world sleeps as long as it is told to, and longer and longer where that leads nowhere: a
 * delay of days ends as well. */
static int64_t kind_sleep(const struct world *w, const struct echo_action *action)
{
	uint64_t doublings = w->winding / 32 < 40 ? w->winding / 32 : 40;

	return (action->timeout_ms > 0 ? action->timeout_ms : 1) + ((INT64_C(1) << doublings) - 1);
}

static struct echo_result wait(struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);
	bool found = find(w, ECHO_OP_WAIT);

	if (found)
		result.outcome = w->step.outcome;
	else if (w->clock_ms < w->now_ms)
		w->clock_ms = w->now_ms; /* it had been set back */
	pass_time(w, found ? w->step.passed_ms : kind_sleep(w, action));
	result.now_ms = w->clock_ms;
	if (w->clock_ms > w->now_ms)
		w->now_ms = w->clock_ms < CLOCK_END ? w->clock_ms : CLOCK_END;
	result.requests = found ? w->step.requests : kind_request(w);
	result.events = w->events;
	if (found && result.outcome == ECHO_DONE)
		for (uint32_t i = 0; i < w->step.events_count; i++)
			if (result.events_count < action->events_max)
				announce_step(w, &result, &w->step.events[i]);
	if (!found)
		kind_events(w, action, &result);
	if (result.outcome == ECHO_BROKEN || result.outcome == ECHO_FAILED)
		w->expected = ECHO_DEFUNCT;
	else
		request(w, result.requests);
	return result;
}

static struct echo_result of_connection(struct world *w, struct told *c,
					const struct echo_action *action)
{
	struct echo_result result = find(w, action->op) ? answered(&w->step, action)
							: dull(w, action);

	if (w->plausible)
		world_plausible(c, action, &result);
	if (result.outcome == ECHO_DONE &&
	    (action->op == ECHO_OP_READ || action->op == ECHO_OP_PEEK))
		world_fill(w, c, action->data, result.count);
	if (result.outcome == ECHO_DONE &&
	    (action->op == ECHO_OP_CONSUME || action->op == ECHO_OP_DISCARD ||
	     action->op == ECHO_OP_PURGE))
		memset(action->data, SCRIBBLE, result.count);
	return result;
}

struct echo_result world_answer(struct world *w, struct told *c, const struct echo_action *action)
{
	if (action->op == ECHO_OP_WAIT)
		return wait(w, action);
	if (action->op == ECHO_OP_ACCEPT)
		return accept_one(w);
	if (c != NULL)
		return of_connection(w, c, action);
	return outcome(find(w, action->op) ? w->step.outcome : ECHO_DONE);
}
