/* What the log says of actions and results; it watches, and is no part of what happens. */
#ifndef EPOLL_ECHO_NARRATE_H
#define EPOLL_ECHO_NARRATE_H

#include "core/echo.h"
#include "log.h"

enum { NARRATE_EXCERPT = 64 }; /* bytes of an echo that are shown */

/* The lines of --verbose. `result` is what came of `action`, whose data is still in place. */
void narrate(struct log *log, const struct echo_action *action, const struct echo_result *result);

/* The statistics of an engine and its log at one moment, or the sums of several. */
struct narrate_stats {
	struct echo_stats stats;
	uint32_t live, buffers;
	uint64_t dropped;
};

struct narrate_stats narrate_take(const struct log *log, const struct echo_stats *stats,
				  const struct echo_engine *engine);

void narrate_sum(struct narrate_stats *sum, const struct narrate_stats *more);

/* The statistics, in one line: those of the server, or of one of its threads, from 1 on. */
void narrate_stats(struct log *log, uint32_t thread, const struct narrate_stats *stats);

#endif
