/* The judge of fairness: who is served, before whom, and how much between two waits. */
#include "world.h"

#include <inttypes.h>

#include "oracle.h"

enum { BULK_PART = 3, BULK_RESTS = 4 }; /* as the engine has them: who counts as sparse (ECHO-43) */

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

/* Of those that took much, one makes one call between two waits; but a write of what was peeked has to
 * follow at once (ECHO-44). */
static void judge_bulk(struct world *w, bool bulk, const struct echo_action *action,
		       const struct echo_result *result)
{
	bool at_once = action->op == ECHO_OP_WRITE && w->peeked;

	w->peeked = action->op == ECHO_OP_PEEK && result->outcome == ECHO_DONE;
	w->round_bulk += bulk && !at_once;
	if (w->round_bulk > 1)
		oracle("bulk-call-after-call", "%s", echo_op_name(action->op));
}

/* Before somebody with work gets a turn, each other may have one as a sparse one, or one as bulk
 * before which the sparse have one together, and one more: a turn that is used up just as the round
 * ends is over only when it comes to the front again, which then goes to the end of the line
 * (ECHO-43). */
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

/* Who took little in its last turns waits for a turn of a bulk one, and for one more for each that
 * the others have taken. Bulk is, in any case, who has used up a turn and still has work. */
static void judge_sparse(const struct world *w, struct told *c, bool bulk, uint64_t spent)
{
	if (c->sparse != SPARSE_DUE || c->bulk > 0)
		return;
	if (bulk)
		c->bulk_first += spent;
	else
		c->rest_first += spent;
	REQUIRE(c, c->bulk_first <= (1 + c->rest_first / w->config.turn_bytes) * turn_most(w),
		"bulk-before-sparse");
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

static void rested(const struct world *w, struct told *c)
{
	if (c->given > w->config.turn_bytes / BULK_PART)
		c->bulk = BULK_RESTS;
	else if (c->given > 0 && c->bulk > 0)
		c->bulk--;
	c->given = 0;
	c->sparse = SPARSE_RESTED;
}

/* Who has no work has left the queues at the latest when another has had three turns. */
static void judge_resting(const struct world *w, struct told *c, const struct told *served,
			  uint64_t spent)
{
	c->rival_spent = served == c->rival ? c->rival_spent + spent : spent;
	c->rival = served;
	if (served != NULL && c->rival_spent > 3 * turn_most(w))
		rested(w, c);
}

static void judge_served(const struct world *w, struct told *c, uint64_t spent)
{
	c->given += spent;
	c->much = c->much || c->given > w->config.turn_bytes / BULK_PART;
	c->sparse = SPARSE_NOT;
	c->bulk_first = c->rest_first = 0;
}

void judge_spent(struct world *w, struct told *served, const struct echo_action *action,
		 const struct echo_result *result)
{
	bool accepted = action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE;
	bool bulk = served != NULL && served->busy >= w->config.turn_bytes;
	uint64_t spent = cost(w, action, result);

	w->round_ends = w->round_ends || served == NULL || served->much;
	if (served != NULL)
		judge_served(w, served, spent);
	w->round += spent;
	judge_round(w);
	judge_bulk(w, bulk, action, result);
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
			judge_sparse(w, c, bulk, spent);
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
		rested(w, &w->conns[i]);
		w->conns[i].busy = 0;
	}
}

/* A wait is due, though somebody has work (ECHO-44). */
bool judge_round_over(const struct world *w)
{
	return w->round >= w->config.round_bytes || w->round_ends;
}
