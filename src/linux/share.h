/*
 * One listener for several threads, each with a system and an engine of its own.
 *
 * Each has its own descriptor of the listener in its own epoll instance, with EPOLLEXCLUSIVE: a
 * connection wakes one thread that sleeps, and is in the list of each that does not. Such an entry
 * cannot be modified, so it is removed to pause and added to resume, which announces what waits
 * (EPOLL-EXC-1, EPOLL-EXC-6, EPOLL-CTL-25). A thread that is full has no entry, and takes no
 * wake-up away from those that are not.
 *
 * The kernel wakes the sleeper whose entry is the oldest. So a thread that has accepted adds its
 * entry anew, behind those of the others, or the first one would get all there is as long as it
 * sleeps in between.
 *
 * Signals reach one thread only, which passes on what they ask for by an eventfd(2) for each.
 */
#ifndef EPOLL_ECHO_LINUX_SHARE_H
#define EPOLL_ECHO_LINUX_SHARE_H

#include "system.h"

enum { SHARE_DESCRIPTORS = 3 }; /* of one system: the epoll instance, the listener, the eventfd */

/* Makes a system that shares the listener of `main`, which linux_listen() has opened. NULL, or what
 * could not be done, with errno set, and nothing is left open. */
const char *share_open(struct linux_system *sys, const struct linux_system *main);

/* Watches the listener, or does not; it may do so already. False: errno tells. */
bool share_watch(struct linux_system *sys, bool watched);

/* Nothing waits to be accepted: lets others have the next one, if this system has accepted since
 * the last time. False: the listener is not watched any more, and errno tells. */
bool share_next(struct linux_system *sys);

/* Passes ECHO_REQUEST_* on to a system, whose thread gets them with a wait. Any thread may. */
void share_request(const struct linux_system *sys, uint32_t requests);

/* What was passed on: ECHO_REQUEST_*, 0 if nothing was. */
uint32_t share_requests(int fd);

#endif
