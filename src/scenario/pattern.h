/*
 * The bytes that a test client sends so that it can tell, for any byte that comes back, whether it
 * is the right one: a stream that never ends, a different one for each connection.
 *
 * Byte i depends on i / 8, on the serial number of the connection and on the salt of the run,
 * through a bijection of 64-bit words. So the pattern has no period, any part of it is made without
 * what comes before, and a piece that turned up in the wrong place tells where it belongs.
 *
 * Pure: no system call, no heap, no state.
 */
#ifndef SCENARIO_PATTERN_H
#define SCENARIO_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PATTERN_WORD_BITS = 38, /* a connection's pattern: 2^38 words, 2 TiB */
	PATTERN_LOCATE_LEN = 32 /* bytes that are enough to say where they belong */
};

struct pattern {
	uint64_t first; /* what the first word is made of */
};

/*
 * salt tells runs apart, so that two clients of one server would see each other's bytes as foreign.
 */
struct pattern pattern_of(uint64_t salt, uint32_t serial);

void pattern_fill(struct pattern pattern, uint64_t offset, uint8_t *bytes, size_t len);

/* How many of the first bytes are those of the pattern from offset on; len when all are. */
size_t pattern_match(struct pattern pattern, uint64_t offset, const uint8_t *bytes, size_t len);

/*
 * Finds the connection among the first `serials` ones, and the offset, at which bytes[0] belongs.
 * The first bytes may be damaged as long as an undamaged word of eight follows. False: nowhere, or
 * too few.
 */
bool pattern_locate(uint64_t salt, uint32_t serials, const uint8_t *bytes, size_t len,
		    uint32_t *serial, uint64_t *offset);

#endif
