/* Divides the memory and the descriptors that there are among threads, connections and buffers. */
#ifndef EPOLL_ECHO_BUDGET_H
#define EPOLL_ECHO_BUDGET_H

#include "core/echo.h"
#include "options.h"

enum {
	BUDGET_BUFFER_SIZE = 64 * 1024,

	/* What the process takes besides the engine's memory: program, libc, stack, log. Measured
	 * as the resident set of an idle server, rounded up; tests/limits.bats checks the sum. */
	BUDGET_PROCESS = 3 * 1024 * 1024,

	/* Of what is left of memory and of descriptors, pipes take no more than this part. */
	BUDGET_PIPES_PART = 16,

	/* What each of several threads takes: its stack, its system, its log. */
	BUDGET_THREAD = 64 * 1024,

	BUDGET_TURN = 2 * (BUDGET_BUFFER_SIZE + ECHO_CALL_COST), /* one full buffer, echoed */
	BUDGET_ROUND = 4 * BUDGET_TURN,

	BUDGET_QUIET_MS = 250,
	BUDGET_RETRY_MIN_MS = 100,
	BUDGET_RETRY_MAX_MS = 1000
};

/* The configuration of the engine, or of the first of several, for these options in a process that
 * may have `descriptors` for connections. False: they do not fit, and `error` says in one line
 * which. */
bool budget_plan(const struct options *options, uint64_t descriptors, struct echo_config *config,
		 char error[OPTIONS_ERROR_SIZE]);

/* The configuration of the engine of `thread`, counted from 0, where budget_plan() has made that
 * of the `first`: together they serve as many connections as the options say. */
struct echo_config budget_share(const struct options *options, const struct echo_config *first,
				uint32_t thread);

#endif
