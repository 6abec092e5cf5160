/* What a replay shows of its steps, for people. */
#ifndef EPOLL_ECHO_RECORD_SHOW_H
#define EPOLL_ECHO_RECORD_SHOW_H

#include <stdio.h>

#include "replay.h"

/* The step that `replay` is at, in one line: "   12 ms  c0 read 65536 -> 5". */
void show_step(FILE *out, const struct replay *replay);

/* An action without what came of it: "c0 read 65536". A connection that is not known is shown by
 * its token. */
void show_action(FILE *out, const struct replay *replay, const struct echo_action *action);

#endif
