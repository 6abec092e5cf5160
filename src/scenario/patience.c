#include "patience.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

int64_t patience_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct patience patience_begin(int64_t quiet_ms)
{
	int64_t now = patience_now();

	return (struct patience){ .quiet_ms = quiet_ms, .begun = now, .moved = now };
}

struct patience patience_begin_total(int64_t quiet_ms)
{
	struct patience patience = patience_begin(quiet_ms);

	patience.total_ms = quiet_ms * PATIENCE_TOTAL_FACTOR;
	return patience;
}

void patience_moved(struct patience *patience)
{
	patience->moved = patience_now();
}

int patience_left(const struct patience *patience)
{
	int64_t now = patience_now();
	int64_t left = patience->moved + patience->quiet_ms - now;

	if (patience->total_ms > 0 && patience->begun + patience->total_ms - now < left)
		left = patience->begun + patience->total_ms - now;
	if (left > INT_MAX)
		left = INT_MAX;
	return left > 0 ? (int)left : 0;
}

bool patience_total_over(const struct patience *patience)
{
	return patience->total_ms > 0 && patience_now() - patience->begun >= patience->total_ms;
}

void patience_sleep(int64_t ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}
