#include "histogram.h"

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < SUB)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift + 1) * SUB + (unsigned)(value >> shift) - SUB;
}

static uint64_t largest_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < SUB)
		return bucket;
	shift = bucket / SUB - 1;
	return (((uint64_t)(bucket % SUB) + SUB + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->count++;
	histogram->buckets[bucket_of(value)]++;
	if (value > histogram->max)
		histogram->max = value;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
	uint64_t rank = (uint64_t)(share * (double)histogram->count), below = 0;

	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		below += histogram->buckets[bucket];
		if (below > rank) {
			uint64_t largest = largest_of(bucket);

			return largest < histogram->max ? largest : histogram->max;
		}
	}
	return histogram->max;
}
