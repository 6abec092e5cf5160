/*
 * The loop: an engine asks, the world performs, and the judge looks on. A twin of the engine, which
 * lives elsewhere in memory, is given the same results and must ask for the same.
 */
#include "world_internal.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ACTIONS_MAX = 3000000 };

static void live(struct world *w);

struct world_verdict world_run(const struct world_family *family, uint64_t seed, FILE *trace)
{
	struct world *w = calloc(1, sizeof(*w));
	struct world_verdict verdict = { .broken = "memory", .detail = "the test ran out of it" };

	if (w == NULL)
		return verdict;
	w->family = family;
	w->trace = trace;
	w->random = mix(seed);
	if (world_begin(w)) {
		live(w);
		if (w->verdict.broken == NULL)
			judge_end(w);
		for (uint32_t i = 0; i < w->peers_count; i++)
			w->verdict.echoed += w->peers[i].got;
		verdict = w->verdict;
	}
	free(w->block);
	free(w->twin_memory);
	free(w);
	return verdict;
}

static struct peer *owner_of(struct world *w, const struct echo_action *action)
{
	int32_t handle = action->handle - HANDLE_FIRST;

	if (handle < 0 || handle >= WORLD_PEERS_MAX || w->owners[handle] < 0) {
		broken(w, "handle-unknown", "%s of %d", echo_op_name(action->op), action->handle);
		return NULL;
	}
	return &w->peers[w->owners[handle]];
}

static struct echo_result perform(struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);
	struct peer *p = NULL;

	switch (action->op) {
	case ECHO_OP_WAIT:
		return wait_perform(w, action);
	case ECHO_OP_REPORT:
		if (!w->report && w->config.report_ms == 0)
			broken(w, "report-unasked", "at %" PRIu64 " ms", w->told_ms);
		w->report = false;
		return result;
	case ECHO_OP_ACCEPT:
	case ECHO_OP_PAUSE:
	case ECHO_OP_RESUME:
	case ECHO_OP_UNLISTEN:
		result = listener_perform(w, action->op);
		break;
	default:
		p = owner_of(w, action);
		if (p == NULL)
			return result;
		judge_action(w, p, action);
		if (w->verdict.broken == NULL)
			result = socket_perform(w, p, action);
		break;
	}
	judge_spent(w, p, action, &result);
	return result;
}

static void blend(struct world *w, uint64_t value)
{
	w->verdict.hash = mix(w->verdict.hash ^ value) + 32; /* mix() keeps 0 */
}

static bool same(const struct world *w, const struct echo_action *a, const struct echo_action *b,
		 const uint8_t *b_memory)
{
	bool same_data = (a->data == NULL) == (b->data == NULL) &&
			 (a->data == NULL || a->data - w->memory == b->data - b_memory);

	return same_data && a->op == b->op && a->token == b->token && a->length == b->length &&
	       a->events_max == b->events_max && a->handle == b->handle &&
	       a->timeout_ms == b->timeout_ms && a->reason == b->reason;
}

/* Asks twice, and asks an engine elsewhere in memory that was given the same results. */
static bool next(struct world *w, struct echo_action *action, struct echo_action *twin)
{
	struct echo_action again;
	bool more = echo_next(w->engine, action);

	if (more != echo_next(w->engine, &again) || !same(w, action, &again, w->memory))
		broken(w, "asked-twice", "%s, then %s", echo_op_name(action->op),
		       echo_op_name(again.op));
	if (more != echo_next(w->twin, twin) || !same(w, action, twin, w->twin_memory))
		broken(w, "not-determined", "%s, and %s", echo_op_name(action->op),
		       echo_op_name(twin->op));
	blend(w, (uint64_t)action->op << 32 | action->length);
	blend(w, action->token);
	blend(w, (uint64_t)(uint32_t)action->handle << 32 | (uint32_t)action->timeout_ms);
	blend(w, (uint64_t)action->reason);
	return more;
}

static void tell(struct world *w, const struct echo_action *action,
		 const struct echo_result *result)
{
	if (w->trace == NULL)
		return;
	fprintf(w->trace, "# %8" PRIu64 " ms  %-8s", w->now_ms, echo_op_name(action->op));
	if (action->handle >= 0)
		fprintf(w->trace, " handle %d length %u", action->handle, action->length);
	if (action->op == ECHO_OP_WAIT)
		fprintf(w->trace, " %d ms", action->timeout_ms);
	if (action->op == ECHO_OP_CLOSE)
		fprintf(w->trace, " %s", echo_reason_name(action->reason));
	fprintf(w->trace, " -> %s %u", echo_outcome_name(result->outcome), result->count);
	if (action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE)
		fprintf(w->trace, " handle %d peer %d", result->handle,
			w->owners[result->handle - HANDLE_FIRST]);
	if (result->requests != 0)
		fprintf(w->trace, " requests %u", result->requests);
	for (uint32_t i = 0; i < result->events_count; i++)
		fprintf(w->trace, " %" PRIx64 ":%x", result->events[i].token,
			result->events[i].readiness);
	fputc('\n', w->trace);
}

static bool fruitful(const struct echo_action *action, const struct echo_result *result)
{
	bool moves = action->op == ECHO_OP_READ || action->op == ECHO_OP_WRITE ||
		     action->op == ECHO_OP_CONSUME || action->op == ECHO_OP_DISCARD ||
		     action->op == ECHO_OP_ACCEPT || action->op == ECHO_OP_CLOSE;

	return moves && result->outcome == ECHO_DONE;
}

static void live(struct world *w)
{
	struct echo_action action, twin_action;

	while (next(w, &action, &twin_action) && w->verdict.broken == NULL) {
		struct echo_result result;

		if (odds(w, 150))
			peers_act(w);
		if (odds(w, 10))
			w->now_ms++;
		result = perform(w, &action);
		tell(w, &action, &result);
		if (w->verdict.broken != NULL)
			return;
		w->fruitless = fruitful(&action, &result) ? 0 : w->fruitless + 1;
		echo_complete(w->engine, &action, &result);
		echo_complete(w->twin, &twin_action, &result);
		judge_engine(w);
		if (++w->verdict.actions == ACTIONS_MAX)
			broken(w, "endless", "%d actions", ACTIONS_MAX);
	}
}
