/*
 * What a failed system call means to the engine. This is the only place that tells one errno from
 * another; outcome.c holds one row for each errno that a manual page documents for a call that we
 * make (ECHO-105).
 */
#ifndef EPOLL_ECHO_LINUX_OUTCOME_H
#define EPOLL_ECHO_LINUX_OUTCOME_H

#include "../core/echo.h"

/* The outcome of `op`, whose system call failed with errno `error`. */
enum echo_outcome linux_outcome(enum echo_op op, int error);

/* One row, for tests that go through all of them: false past the last. */
bool linux_outcome_row(size_t index, enum echo_op *op, int *error, enum echo_outcome *outcome);

#endif
