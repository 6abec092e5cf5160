/*
 * Where a random run takes its choices from: the bytes of a fuzzer's input while there are any, and
 * then a generator that they seed; or the generator alone. The same input gives the same choices.
 */
#ifndef EPOLL_ECHO_FUZZ_CHOICES_H
#define EPOLL_ECHO_FUZZ_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choices {
	const uint8_t *bytes;
	size_t left;
	uint64_t state;
};

static inline struct choices choices_of_seed(uint64_t seed)
{
	return (struct choices){ .state = seed };
}

static inline struct choices choices_of_bytes(const uint8_t *bytes, size_t size)
{
	struct choices choices = { .bytes = bytes, .left = size, .state = size };

	for (size_t i = 0; i < size; i++)
		choices.state = (choices.state ^ bytes[i]) * UINT64_C(0x100000001b3);
	return choices;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t choices_number(struct choices *c)
{
	uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Only where bytes are left. */
static inline uint8_t choices_byte(struct choices *c)
{
	c->left--;
	return *c->bytes++;
}

/* From 0 on, and less than `limit`, which is not 0; of as many bytes as that takes. */
static inline uint32_t choose(struct choices *c, uint32_t limit)
{
	uint32_t number = 0;

	if (c->left == 0)
		return (uint32_t)((choices_number(c) >> 32) * limit >> 32);
	for (uint32_t range = 1; range < limit && range < 1u << 24 && c->left > 0; range <<= 8)
		number = number << 8 | choices_byte(c);
	return number % limit;
}

/* The same of one byte, whatever the limit, which is at most 256: so a choice that has only one way
 * to go, since others were made differently, does not shift those behind it. */
static inline uint32_t choose_by_byte(struct choices *c, uint32_t limit)
{
	return (uint32_t)((c->left > 0 ? choices_byte(c) : choices_number(c)) % limit);
}

/* Once in so many times; 0: never, and nothing is drawn. */
static inline bool one_in(struct choices *c, uint32_t times)
{
	return times > 0 && choose(c, times) == 0;
}

/* From `least` to `most`, each power of two as likely as another. */
static inline uint32_t choose_size(struct choices *c, uint32_t least, uint32_t most)
{
	uint32_t high = 31 - (uint32_t)__builtin_clz(most),
		 low = 31 - (uint32_t)__builtin_clz(least | 1);
	uint32_t top = UINT32_C(2) << (low + choose(c, high - low + 1));
	uint32_t size = top / 2 + choose(c, top / 2);

	return size < least ? least : size > most ? most : size;
}

#endif
