/*
 * Latencies in buckets that grow with them: 64 to each power of two, so that a percentile is off by
 * less than 1.6 percent, whatever its size.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << 6 };

struct histogram {
	uint64_t count, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The largest value of the bucket that holds the one below which `share` (0 to 1) of all lie, and
 * never more than the maximum; 0 where nothing was added. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
