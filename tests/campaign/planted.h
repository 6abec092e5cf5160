/* What the planted targets drive: the sources whose coverage a campaign measures. */
#ifndef EPOLL_ECHO_TESTS_PLANTED_H
#define EPOLL_ECHO_TESTS_PLANTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether it begins with "bug". */
bool planted_bug(const uint8_t *data, size_t size);

uint64_t planted_hash(const uint8_t *data, size_t size);

#endif
