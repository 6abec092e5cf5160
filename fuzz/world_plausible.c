/*
 * A plausible world: what comes of an action is moved to what some kernel and some peer could have
 * done. Answers make the world: what is read arrived just before, and where a stream was told to
 * have ended, it has.
 */
#include "world.h"

static struct echo_result none(enum echo_outcome outcome)
{
	return (struct echo_result){ .outcome = outcome, .handle = -1 };
}

static struct echo_result some(uint64_t count, uint32_t most)
{
	return (struct echo_result){ .outcome = ECHO_DONE,
				     .count = count < most ? (uint32_t)count : most,
				     .handle = -1 };
}

/* READ, PEEK and DISCARD. */
static void receive(struct told *c, const struct echo_action *action, struct echo_result *result)
{
	uint64_t unread = c->arrived - c->taken;

	if (result->outcome == ECHO_DONE && !c->fin && result->count > unread)
		c->arrived = c->taken + result->count;
	else if (result->outcome == ECHO_DONE)
		*result = unread > 0 ? some(result->count < unread ? result->count : unread,
					    action->length)
				     : none(ECHO_END);
	else if (result->outcome == ECHO_END && unread > 0)
		*result = some(unread, action->length);
	else if (result->outcome == ECHO_END)
		c->fin = true;
	else if (result->outcome == ECHO_WOULD_BLOCK && (unread > 0 || c->fin))
		*result = none(ECHO_INTERRUPTED);
}

void world_plausible(struct told *c, const struct echo_action *action, struct echo_result *result)
{
	switch (action->op) {
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
	case ECHO_OP_DISCARD:
		receive(c, action, result);
		break;
	case ECHO_OP_FILL: /* that there is nothing to be moved is always plausible: a mark */
		if (result->outcome == ECHO_DONE)
			receive(c, action, result);
		break;
	case ECHO_OP_WRITE:
	case ECHO_OP_CONSUME:
	case ECHO_OP_EMPTY:
		if (result->outcome == ECHO_END)
			*result = none(ECHO_INTERRUPTED);
		break;
	default:
		break;
	}
}
