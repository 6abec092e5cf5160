/*
 * Results on standard output, in the Test Anything Protocol. Every line is flushed, so that whoever
 * reads along knows how far things are.
 */
#ifndef SCENARIO_TAP_H
#define SCENARIO_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void tap_plan(uint32_t count);
void tap_point(bool ok, uint32_t number, const char *name, size_t len);

void tap_skip(uint32_t number, const char *name, size_t len, const char *reason);

/* A line of diagnostics. */
void tap_comment(const char *text);

/* Why one of these could not be written: the errno of the first; 0: all were. */
int tap_error(void);

#endif
