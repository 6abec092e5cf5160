/*
 * What the servers of this directory share: arguments, a loopback listener, descriptors.
 * Servers to be judged by spec/, not parts of epoll-echo.
 */
#ifndef SERVERS_COMMON_H
#define SERVERS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints "NAME: WHAT: reason of errno" and exits with status 1. */
_Noreturn void fail(const char *what);

/* Prints "usage: NAME ARGUMENTS" and exits with status 2. */
_Noreturn void usage(const char *arguments);

/* The port that is the only argument left, or the standard one where none is; else usage. */
unsigned short port_argument(char *const *rest, unsigned short standard, const char *arguments);

/* A listening socket on 127.0.0.1, `flags` being SOCK_NONBLOCK or 0; port 0 picks a free one. */
int listen_loopback(unsigned short port, int flags);

/* Sets an option of the TCP or the socket level; what a listener has set, its connections
 * inherit. */
void switch_on(int fd, int level, int option);

/* Tells whoever started the server that it can be connected to. */
void announce(int listener);

/* As many descriptors as the hard limit allows. */
void raise_descriptors(void);

/*
 * True once the kernel has nothing more to do for this connection, which its peer and we have both
 * ended: all that was sent, our FIN included, is acknowledged, or a reset has made it pointless.
 */
bool connection_over(int fd);

/* True where errno tells that accept failed for want of descriptors or memory. */
bool out_of_resources(void);

/* Waits for poll events on one descriptor, a number of milliseconds or (-1) for ever. */
bool happens(int fd, short events, int timeout);

int64_t milliseconds(void);

/* Takes memory and never gives it back. */
void hoard(size_t size);

#endif
