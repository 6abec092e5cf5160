/*
 * The judge of fairness: who is served, before whom, and how much between two waits.
 */
#include "world_internal.h"

#include <inttypes.h>

static uint64_t cost(const struct world *w, const struct echo_action *action,
		     const struct echo_result *result);
static void judge_round(struct world *w);
static void judge_turns(struct world *w, const struct peer *served, uint64_t spent);

/* What was at rest is served before what has used up a turn; but what was peeked is written. */
void judge_order(struct world *w, struct peer *served, enum echo_op op)
{
	bool peeked = op == ECHO_OP_WRITE && served->written == served->taken;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];
		bool due = p != served && p->stage == STAGE_OPEN && p->sparse == SPARSE_DUE &&
			   judge_undone(p) != NULL;

		require(w, p, !due || peeked || served->busy < w->config.turn_bytes,
			"bulk-before-sparse");
	}
	served->sparse = SPARSE_NOT;
}

void judge_spent(struct world *w, const struct peer *served, const struct echo_action *action,
		 const struct echo_result *result)
{
	uint64_t spent = cost(w, action, result);

	w->round += spent;
	judge_round(w);
	judge_turns(w, served, spent);
}

static uint64_t cost(const struct world *w, const struct echo_action *action,
		     const struct echo_result *result)
{
	if (action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE && asked_to_stop(w))
		return 0; /* bounded by the backlog */
	if (action->op == ECHO_OP_ACCEPT)
		return ECHO_ACCEPT_COST;
	return ECHO_CALL_COST + (socket_moves_bytes(action->op) ? result->count : 0);
}

/* Between two waits: the budget of the round, overdrawn by one call and by a write of what was
 * peeked, which has to follow at once. */
static void judge_round(struct world *w)
{
	uint64_t moved = ECHO_CALL_COST + w->config.buffer_size;
	uint64_t most = w->config.round_bytes + 2 * moved + ECHO_ACCEPT_COST;

	if (w->round > most)
		broken(w, "round-unbounded", "%" PRIu64 " spent, %" PRIu64 " at most", w->round,
		       most);
}

/* Before somebody with work gets a turn, each other may have one in the new queue and one in the
 * old, and so may those that are accepted in the two turns of the listener. */
static void judge_turns(struct world *w, const struct peer *served, uint64_t spent)
{
	const struct echo_config *c = &w->config;
	uint64_t turn = c->turn_bytes + 2 * ((uint64_t)ECHO_CALL_COST + c->buffer_size);
	uint64_t listener = c->turn_bytes + ECHO_ACCEPT_COST;
	uint64_t accepts = asked_to_stop(w) ? c->connections_max : listener / ECHO_ACCEPT_COST + 1;
	uint64_t flows = c->connections_max + accepts;
	uint64_t most = 2 * flows * turn + 2 * listener;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[i];
		bool works = p->stage == STAGE_OPEN && judge_undone(p) != NULL;

		if (p == served || !works)
			p->starved = 0;
		else if (!p->queued || p->starved > 0)
			p->starved += spent;
		if (!works)
			p->busy = 0;
		else if (p == served)
			p->busy += spent;
		require(w, p, p->starved <= most, "starved");
	}
}
