/* How a fuzz target says what it found. */
#ifndef EPOLL_ECHO_FUZZ_ORACLE_H
#define EPOLL_ECHO_FUZZ_ORACLE_H

#include <stdbool.h>

/*
 * Ends the run. One line on standard error, "oracle: NAME: detail", then a trap: findings are told
 * apart by that name, since the place of the trap is the same for all.
 */
__attribute__((noreturn, format(printf, 2, 3))) void oracle(const char *name, const char *format,
							    ...);

/* `fact` holds, or `name` is what was found. */
#define CHECK(fact, name) ((fact) ? (void)0 : oracle(name, "%s", #fact))

/* Called before the trap, to show what led there; NULL: nobody. */
extern void (*oracle_explain)(void);

#endif
