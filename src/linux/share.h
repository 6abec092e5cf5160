/*
 * One listener for several threads, each with a system and an engine of its own.
 *
 * Each has its own descriptor of the listener in its own epoll instance, with EPOLLEXCLUSIVE: a
 * connection wakes one thread that sleeps, and is in the list of each that does not. Such an entry
 * cannot be modified, so it is removed to pause and added to resume, which announces what waits
 * (EPOLL-EXC-1, EPOLL-EXC-6, EPOLL-CTL-25). A thread that is full has no entry, and takes no
 * wake-up away from those that are not.
 *
 * The kernel wakes the sleeper whose entry is the oldest. So a thread that has accepted adds an
 * entry behind those of the others and removes the old one, or the first thread would get all there
 * is as long as it sleeps in between. An entry belongs to a descriptor, so this takes two.
 *
 * Signals reach one thread only, which passes on what they ask for by an eventfd(2) for each.
 */
#ifndef EPOLL_ECHO_LINUX_SHARE_H
#define EPOLL_ECHO_LINUX_SHARE_H

#include "system.h"

/* Of one system: the epoll instance, two of the listener, the eventfd. */
enum { SHARE_DESCRIPTORS = 4 };

/* Makes a system that shares the listener of `main`, which linux_listen() has opened. NULL, or what
 * could not be done, with errno set, and nothing is left open. */
const char *share_open(struct linux_system *sys, const struct linux_system *main);

/* Watches the listener, or does not; it may do so already. False: errno tells. */
bool share_watch(struct linux_system *sys, bool watched);

/* Lets others have the next connection. Where the new entry is refused, for want of memory or of
 * watches, the old one stands: nobody is stranded, and the next accept tries again. */
void share_next(struct linux_system *sys);

/* Passes ECHO_REQUEST_* on to a system, whose thread gets them with a wait. Any thread may. */
void share_request(const struct linux_system *sys, uint32_t requests);

/* What was passed on: ECHO_REQUEST_*, 0 if nothing was. */
uint32_t share_requests(int fd);

#endif
