/* What some functions of the project compute, written again without their code, for targets to
 * compare. */
#ifndef EPOLL_ECHO_FUZZ_REREAD_H
#define EPOLL_ECHO_FUZZ_REREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits and nothing else. */
bool reread_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);

/* A size, as options_size() promises. */
bool reread_size(const char *text, uint64_t *size);

/* Seconds in milliseconds, as options_seconds() promises. */
bool reread_seconds(const char *text, uint64_t *ms);

/* A name of a recording, as record_name() promises, of less than `size` bytes where %p is the
 * number of `digits` digits. */
bool reread_is_name(const char *text, size_t size, size_t digits);

/* One line that moves no cursor, not empty, and ended by NUL within `size` bytes. */
bool reread_is_line(const char *text, size_t size);

/* Is "text" what `source` spells, from its first quotation mark on? */
bool reread_spells(const char *source, size_t source_len, const uint8_t *text, size_t text_len);

#endif
