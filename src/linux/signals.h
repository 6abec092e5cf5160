/* Signals that arrive as events: the token of their descriptor, and what they ask for. */
#ifndef EPOLL_ECHO_LINUX_SIGNALS_H
#define EPOLL_ECHO_LINUX_SIGNALS_H

#include <stdint.h>

/* Names no connection, and not the listener either (ECHO_TOKEN_LISTENER). */
#define LINUX_TOKEN_SIGNALS UINT64_C(0xfffffffe)

/* Reads what has arrived at the signalfd(2): ECHO_REQUEST_*, 0 if nothing has. */
uint32_t signals_requests(int fd);

#endif
