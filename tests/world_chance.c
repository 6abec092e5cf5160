/*
 * All that is random in a world: splitmix64 from one seed, so that the order of the draws is part
 * of what a seed means.
 */
#include "world_internal.h"

uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t below(struct world *w, uint64_t bound)
{
	w->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix(w->random) % bound;
}

uint64_t between(struct world *w, uint64_t least, uint64_t most)
{
	return most <= least ? least : least + below(w, most - least + 1);
}

uint64_t spread(struct world *w, uint64_t least, uint64_t most)
{
	uint64_t width = most - least;

	while (width > 0 && below(w, 3) != 0)
		width /= 2;
	return between(w, least, least + width);
}

bool odds(struct world *w, uint32_t per_thousand)
{
	return below(w, 1000) < per_thousand;
}

uint8_t byte_at(int peer, uint64_t position)
{
	uint64_t x = (position + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)peer << 40;

	return (uint8_t)((x ^ x >> 29 ^ x >> 47) >> 3);
}
