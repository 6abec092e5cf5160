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

static uint64_t turn_most(const struct world *w)
{
	return w->config.turn_bytes + 2 * ((uint64_t)ECHO_CALL_COST + w->config.buffer_size);
}

/* Before somebody with work gets a turn, each other may have one in the new queue and one in the
 * old, and one more: a turn that is used up just as the round ends is over only when it comes to
 * the front again, which then goes to the end of the line (ECHO-43). */
static uint64_t most_of_others(const struct world *w, const struct told *c)
{
	const struct echo_config *config = &w->config;
	uint64_t listener = config->turn_bytes + ECHO_ACCEPT_COST;
	uint64_t others = (uint64_t)__builtin_popcountll(c->ahead) + c->newcomers;

	return 3 * others * turn_most(w) + (c->listener_ahead ? 3 * listener : 0);
}

_Static_assert(STEPS_CONNECTIONS_MAX <= 64, "a mask has a bit for each handle");

static void judge_starved(const struct world *w, struct told *c, const struct told *served,
			  bool accepted, uint64_t spent)
{
	c->starved += spent;
	c->newcomers += accepted;
	if (served == NULL)
		c->listener_ahead = true;
	else
		c->ahead |= UINT64_C(1) << (served - w->conns);
	REQUIRE(c, c->starved <= most_of_others(w, c), "starved");
}

/* The same of the listener, while somebody could be accepted; all who are open may be ahead of
 * it. */
static void judge_listener_starved(struct world *w, const struct told *served, uint64_t spent)
{
	bool could = w->listening && w->acceptable && !w->paused && !w->backing_off &&
		     w->conns_open < w->config.connections_max;

	w->listener_starved = could && served != NULL ? w->listener_starved + spent : 0;
	CHECK(w->listener_starved <= 3 * (uint64_t)w->config.connections_max * turn_most(w),
	      "listener-starved");
}

/* Who has no work has left the queues at the latest when another has had three turns. */
static void judge_resting(const struct world *w, struct told *c, const struct told *served,
			  uint64_t spent)
{
	c->rival_spent = served == c->rival ? c->rival_spent + spent : spent;
	c->rival = served;
	if (served != NULL && c->rival_spent > 3 * turn_most(w))
		c->sparse = SPARSE_RESTED;
}

void judge_spent(struct world *w, const struct told *served, const struct echo_action *action,
		 const struct echo_result *result)
{
	bool accepted = action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE;
	uint64_t spent = cost(w, action, result);

	w->round += spent;
	judge_round(w);
	judge_listener_starved(w, served, spent);
	for (uint32_t i = 0; i < w->conns_used; i++) {
		struct told *c = &w->conns[i];
		bool works;

		if (!c->open)
			continue;
		works = judge_undone(c) != NULL;
		c->busy = !works ? 0 : c == served ? c->busy + spent : c->busy;
		if (works || c == served)
			c->rival = NULL;
		else
			judge_resting(w, c, served, spent);
		if (works && c != served) {
			judge_starved(w, c, served, accepted, spent);
		} else {
			c->starved = c->ahead = c->newcomers = 0;
			c->listener_ahead = false;
		}
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
