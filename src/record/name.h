/* The name of a recording, in which %p stands for the process, as in core(5). */
#ifndef EPOLL_ECHO_RECORD_NAME_H
#define EPOLL_ECHO_RECORD_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `pattern` with %p replaced by the number, and %% by %. False: it has another %, is empty,
 * or does not fit `size` bytes with its NUL. */
bool record_name(char *name, size_t size, const char *pattern, long process);

#endif
