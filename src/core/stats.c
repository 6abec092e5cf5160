/* Statistics, and names: what watches the engine and is no part of it. */
#include "base.h"
#include "echo.h"

void echo_observe(struct echo_stats *stats, const struct echo_action *action,
		  const struct echo_result *result)
{
	stats->calls[action->op]++;
	if (action->op == ECHO_OP_CLOSE)
		stats->closed[action->reason]++;
	if (result->outcome != ECHO_DONE) {
		if (action->op == ECHO_OP_ACCEPT && result->outcome != ECHO_WOULD_BLOCK &&
		    result->outcome != ECHO_INTERRUPTED)
			stats->accept_failures++;
		return;
	}
	switch (action->op) {
	case ECHO_OP_WAIT:
		stats->events += result->events_count;
		break;
	case ECHO_OP_ACCEPT:
		stats->accepted++;
		break;
	case ECHO_OP_READ:
	case ECHO_OP_CONSUME:
	case ECHO_OP_FILL:
		stats->bytes_received += result->count;
		break;
	case ECHO_OP_WRITE:
	case ECHO_OP_EMPTY:
		stats->bytes_sent += result->count;
		break;
	case ECHO_OP_DISCARD:
		stats->bytes_discarded += result->count;
		break;
	default:
		break;
	}
}

static const char *const op_names[ECHO_OP_COUNT] = {
	"none",  "wait",   "accept", "pause",   "resume",  "unlisten", "watch",
	"read",  "peek",   "write",  "consume", "discard", "unacked",  "shutdown",
	"close", "report", "fill",   "empty",   "purge",
};

static const char *const outcome_names[] = {
	"?",    "done",           "end",       "would-block", "interrupted",
	"gone", "no-descriptors", "no-memory", "broken",      "failed",
};

static const char *const reason_names[ECHO_REASON_COUNT] = {
	"none", "ended", "reset", "failed", "unwatched", "idle", "drained", "cut",
};

const char *echo_op_name(enum echo_op op)
{
	return op < ECHO_OP_COUNT ? op_names[op] : "?";
}

const char *echo_outcome_name(enum echo_outcome outcome)
{
	return outcome <= ECHO_FAILED ? outcome_names[outcome] : "?";
}

const char *echo_reason_name(enum echo_reason reason)
{
	return reason < ECHO_REASON_COUNT ? reason_names[reason] : "?";
}
