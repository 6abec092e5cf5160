#include "pattern.h"

#include <endian.h>
#include <string.h>

enum {
	WORD = 8,
	BLOCK = 4096,       /* compared at a time: large enough for memcmp, small enough for L1 */
	LOCATE_CONFIRM = 12 /* bytes that must agree before a place is believed */
};

#define MIX_A   UINT64_C(0xbf58476d1ce4e5b9)
#define MIX_B   UINT64_C(0x94d049bb133111eb)
#define UNMIX_A UINT64_C(0x96de1b173f119089) /* MIX_A * UNMIX_A == 1 (mod 2^64) */
#define UNMIX_B UINT64_C(0x319642b2d24d8ec3)

/* The finalizer of splitmix64: neighbouring numbers give words that share nothing. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * MIX_A;
	x = (x ^ (x >> 27)) * MIX_B;
	return x ^ (x >> 31);
}

static uint64_t unmix(uint64_t x)
{
	x = (x ^ (x >> 31) ^ (x >> 62)) * UNMIX_B;
	x = (x ^ (x >> 27) ^ (x >> 54)) * UNMIX_A;
	return x ^ (x >> 30) ^ (x >> 60);
}

struct pattern pattern_of(uint64_t salt, uint32_t serial)
{
	return (struct pattern){ salt + ((uint64_t)serial << PATTERN_WORD_BITS) };
}

static void put_word(struct pattern pattern, uint64_t index, uint8_t *bytes)
{
	uint64_t word = htole64(mix(pattern.first + index));

	memcpy(bytes, &word, WORD);
}

/* Less than a word: what an offset or a length that is no multiple of eight leaves over. */
static void put_part(struct pattern pattern, uint64_t offset, uint8_t *bytes, size_t len)
{
	uint8_t word[WORD];

	put_word(pattern, offset / WORD, word);
	memcpy(bytes, word + offset % WORD, len);
}

void pattern_fill(struct pattern pattern, uint64_t offset, uint8_t *bytes, size_t len)
{
	size_t head = (WORD - offset % WORD) % WORD;
	uint64_t index;

	if (head > len)
		head = len;
	if (head > 0)
		put_part(pattern, offset, bytes, head);
	bytes += head;
	len -= head;
	index = (offset + head) / WORD;
	for (; len >= WORD; len -= WORD, bytes += WORD)
		put_word(pattern, index++, bytes);
	if (len > 0)
		put_part(pattern, index * WORD, bytes, len);
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i;
}

size_t pattern_match(struct pattern pattern, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint8_t block[BLOCK];

	for (size_t done = 0; done < len;) {
		size_t part = len - done < BLOCK ? len - done : BLOCK;

		pattern_fill(pattern, offset + done, block, part);
		if (memcmp(block, bytes + done, part) != 0)
			return done + first_difference(block, bytes + done, part);
		done += part;
	}
	return len;
}

/* Undoes the mixing of the word at bytes[at], and asks whether the bytes after it agree. */
static bool locate_word(uint64_t salt, uint32_t serials, const uint8_t *bytes, size_t at,
			size_t len, uint32_t *serial, uint64_t *offset)
{
	size_t confirm = len - at < LOCATE_CONFIRM ? len - at : LOCATE_CONFIRM;
	uint64_t word, place, index;

	memcpy(&word, bytes + at, WORD);
	place = unmix(le64toh(word)) - salt;
	index = place & ((UINT64_C(1) << PATTERN_WORD_BITS) - 1);
	if (place >> PATTERN_WORD_BITS >= serials || index * WORD < at)
		return false;
	*serial = (uint32_t)(place >> PATTERN_WORD_BITS);
	*offset = index * WORD - at;
	return pattern_match(pattern_of(salt, *serial), index * WORD, bytes + at, confirm) ==
	       confirm;
}

bool pattern_locate(uint64_t salt, uint32_t serials, const uint8_t *bytes, size_t len,
		    uint32_t *serial, uint64_t *offset)
{
	/* A word at the very start is believed alone, for the sake of short messages. */
	for (size_t at = 0; at + (at == 0 ? WORD : LOCATE_CONFIRM) <= len; at++)
		if (locate_word(salt, serials, bytes, at, len, serial, offset))
			return true;
	return false;
}
