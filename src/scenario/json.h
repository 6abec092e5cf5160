/* Strings as JSON (RFC 8259) wants them, whatever bytes they have. */
#ifndef SCENARIO_JSON_H
#define SCENARIO_JSON_H

#include <stddef.h>

/*
 * Prints it to standard output, in quotes. JSON is UTF-8 (section 8.1), and names of scenarios and
 * files may be any bytes: each that is no part of a character becomes U+FFFD.
 */
void json_put(const char *at, size_t len);

#endif
