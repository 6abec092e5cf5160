/* What the files of the core share: the mem functions, which no freestanding header declares, and
 * an assertion that needs no library. */
#ifndef EPOLL_ECHO_CORE_BASE_H
#define EPOLL_ECHO_CORE_BASE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memset(void *destination, int byte, size_t size);

/* Holds our own code, and the caller's side of the bargain in echo.h, to account; never input.
 * Where coverage is measured it has no side that cannot be reached. */
#ifdef ECHO_MEASURED
#define ASSERT(condition) ((void)(condition))
#else
#define ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#endif

/* No slot, no buffer, end of a list. */
#define NONE UINT32_MAX

/* The listener's id, where those of connections are their slots. */
#define LISTENER (UINT32_MAX - 1)

/* A time that never comes, and the last one that the clock may show: no delay of the configuration
 * leads from there to NEVER. */
#define NEVER     UINT64_MAX
#define CLOCK_END (NEVER / 2)

static inline uint64_t later(uint64_t now_ms, uint64_t delay_ms)
{
	return delay_ms > NEVER - now_ms ? NEVER : now_ms + delay_ms;
}

#endif
