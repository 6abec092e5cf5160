/*
 * The judge of fairness: who is served, before whom, and how much between two waits.
 */
#include "world_internal.h"

#include <inttypes.h>

enum { BULK_PART = 3, BULK_RESTS = 4 }; /* as the engine has them: who counts as sparse */

static uint64_t cost(const struct world *w, const struct echo_action *action,
		     const struct echo_result *result);
static void judge_round(struct world *w);
static void judge_bulk(struct world *w, bool bulk, const struct echo_action *action,
		       const struct echo_result *result);
static void judge_turns(struct world *w, struct peer *served, bool bulk, uint64_t spent);

void judge_rested(const struct world *w, struct peer *p)
{
	if (p->given > w->config.turn_bytes / BULK_PART)
		p->bulk = BULK_RESTS;
	else if (p->given > 0 && p->bulk > 0)
		p->bulk--;
	p->given = p->busy = 0;
	p->sparse = SPARSE_RESTED;
}

void judge_spent(struct world *w, struct peer *served, const struct echo_action *action,
		 const struct echo_result *result)
{
	bool bulk = served != NULL && served->busy >= w->config.turn_bytes;
	uint64_t spent = cost(w, action, result);

	w->round += spent;
	judge_round(w);
	judge_bulk(w, bulk, action, result);
	judge_turns(w, served, bulk, spent);
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

static uint64_t turn_most(const struct world *w)
{
	return w->config.turn_bytes + 2 * ((uint64_t)ECHO_CALL_COST + w->config.buffer_size);
}

/* Who took little in its last turns waits for a turn of a bulk one, and for one more for each that
 * the others have taken. Bulk is, in any case, who has used up a turn and still has work. */
static void judge_sparse(struct world *w, struct peer *p, bool bulk, uint64_t spent)
{
	if (p->sparse != SPARSE_DUE || p->bulk > 0)
		return;
	if (bulk)
		p->bulk_first += spent;
	else
		p->rest_first += spent;
	require(w, p, p->bulk_first <= (1 + p->rest_first / w->config.turn_bytes) * turn_most(w),
		"bulk-before-sparse");
}

/* Of those that took much, one makes one call between two waits; but a write of what was peeked has to
 * follow at once. */
static void judge_bulk(struct world *w, bool bulk, const struct echo_action *action,
		       const struct echo_result *result)
{
	bool at_once = action->op == ECHO_OP_WRITE && w->peeked;

	w->peeked = action->op == ECHO_OP_PEEK && result->outcome == ECHO_DONE;
	w->round_bulk += bulk && !at_once;
	if (w->round_bulk > 1)
		broken(w, "bulk-call-after-call", "%s", echo_op_name(action->op));
}

/* Before somebody with work gets a turn, each other may have one as a sparse one, or one as bulk,
 * before which the sparse have one together; and so may those that are accepted in the turns of the
 * listener. */
static void judge_turns(struct world *w, struct peer *served, bool bulk, uint64_t spent)
{
	const struct echo_config *c = &w->config;
	uint64_t listener = c->turn_bytes + ECHO_ACCEPT_COST;
	uint64_t accepts = asked_to_stop(w) ? c->connections_max : listener / ECHO_ACCEPT_COST + 1;
	uint64_t flows = c->connections_max + accepts;
	uint64_t most = 3 * flows * turn_most(w) + 3 * listener;

	if (served != NULL) {
		served->given += spent;
		served->sparse = SPARSE_NOT;
		served->bulk_first = served->rest_first = 0;
	}
	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[i];
		bool works = p->stage == STAGE_OPEN && judge_undone(p) != NULL;

		if (p == served || !works)
			p->starved = 0;
		else if (!p->queued || p->starved > 0)
			p->starved += spent;
		if (works && p != served)
			judge_sparse(w, p, bulk, spent);
		if (!works)
			p->busy = 0;
		else if (p == served)
			p->busy += spent;
		require(w, p, p->starved <= most, "starved");
	}
}
