/*
 * How long a step may go on: as long as something moves, and sometimes no longer than a limit in
 * all.
 */
#ifndef SCENARIO_PATIENCE_H
#define SCENARIO_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { PATIENCE_TOTAL_FACTOR = 6 }; /* the limit in all, as a multiple of the timeout */

struct patience {
	int64_t quiet_ms;     /* without progress */
	int64_t total_ms;     /* in all; 0: no limit */
	int64_t begun, moved; /* when, on the monotonic clock */
};

int64_t patience_now(void);
struct patience patience_begin(int64_t quiet_ms);
struct patience patience_begin_total(int64_t quiet_ms); /* with a limit in all as well */
void patience_moved(struct patience *patience);
int patience_left(const struct patience *patience); /* ms, for poll(2); 0: it is over */
bool patience_total_over(const struct patience *patience);
void patience_sleep(int64_t ms);

#endif
