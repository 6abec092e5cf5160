/* The judge of fairness: who is served, before whom, and how much between two waits. */
#include "world.h"

#include <inttypes.h>

#include "oracle.h"

/* What was at rest is served before what has used up a turn; but what was peeked is written. */
void judge_order(struct world *w, struct told *served, enum echo_op op)
{
	bool peeked = op == ECHO_OP_WRITE && served->shown > 0;

	if (!peeked && served->busy >= w->config.turn_bytes)
		for (uint32_t i = 0; i < w->conns_used; i++) {
			const struct told *c = &w->conns[i];

			REQUIRE(c,
				c == served || !c->open || c->sparse != SPARSE_DUE ||
					judge_undone(c) == NULL,
				"bulk-before-sparse");
		}
	served->sparse = SPARSE_NOT;
}

static uint64_t cost(const struct world *w, const struct echo_action *action,
		     const struct echo_result *result)
{
	bool late = w->stopping && (action->op == ECHO_OP_ACCEPT || action->op == ECHO_OP_PAUSE ||
				    action->op == ECHO_OP_RESUME || action->op == ECHO_OP_UNLISTEN);

	if (late && result->outcome == ECHO_DONE)
		return 0; /* bounded by the backlog */
	if (action->op == ECHO_OP_ACCEPT)
		return ECHO_ACCEPT_COST;
	return ECHO_CALL_COST + (world_moves_bytes(action->op) ? result->count : 0);
}

/* Between two waits: the budget of the round, overdrawn by one call and by a write of what was
 * peeked, which has to follow at once (ECHO-44). */
static void judge_round(const struct world *w)
{
	uint64_t moved = ECHO_CALL_COST + w->config.buffer_size;
	uint64_t most = w->config.round_bytes + 2 * moved + ECHO_ACCEPT_COST;

	if (w->round > most)
		oracle("round-unbounded", "%" PRIu64 " spent, %" PRIu64 " at most", w->round, most);
}

/* Before somebody with work gets a turn, each other may have one in the new queue and one in the
 * old, and so may those that are accepted in the two turns of the listener (ECHO-43). */
static uint64_t most_of_others(const struct world *w)
{
	const struct echo_config *config = &w->config;
	uint64_t turn = config->turn_bytes + 2 * ((uint64_t)ECHO_CALL_COST + config->buffer_size);
	uint64_t listener = config->turn_bytes + ECHO_ACCEPT_COST;
	uint64_t accepts = w->stopping ? config->connections_max : listener / ECHO_ACCEPT_COST + 1;

	return 2 * (config->connections_max + accepts) * turn + 2 * listener;
}

void judge_spent(struct world *w, const struct told *served, const struct echo_action *action,
		 const struct echo_result *result)
{
	uint64_t spent = cost(w, action, result), most = most_of_others(w);

	w->round += spent;
	judge_round(w);
	for (uint32_t i = 0; i < w->conns_used; i++) {
		struct told *c = &w->conns[i];
		bool works = c->open && judge_undone(c) != NULL;

		c->starved = works && c != served ? c->starved + spent : 0;
		c->busy = !works ? 0 : c == served ? c->busy + spent : c->busy;
		REQUIRE(c, c->starved <= most, "starved");
	}
}

/* The engine had nothing left to do, for anybody. */
void judge_rested(struct world *w)
{
	for (uint32_t i = 0; i < w->conns_used; i++) {
		w->conns[i].sparse = SPARSE_RESTED;
		w->conns[i].busy = 0;
	}
}
