/* What the log says of actions and results; it watches, and is no part of what happens. */
#ifndef EPOLL_ECHO_NARRATE_H
#define EPOLL_ECHO_NARRATE_H

#include "core/echo.h"
#include "log.h"

enum { NARRATE_EXCERPT = 64 }; /* bytes of an echo that are shown */

/* The lines of --verbose. `result` is what came of `action`, whose data is still in place. */
void narrate(struct log *log, const struct echo_action *action, const struct echo_result *result);

/* The statistics, in one line. */
void narrate_stats(struct log *log, const struct echo_stats *stats,
		   const struct echo_engine *engine);

#endif
