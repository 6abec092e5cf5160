/* Bytes in a ring, which is as large as the configuration says. */
#include "state.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Where a place is, counted from the oldest byte, which may lie beyond the newest. */
static uint32_t index_of(const struct model *m, const struct ring *ring, uint32_t place)
{
	uint32_t size = m->config.ring_size, until_wrap = size - ring->head;

	ASSERT(place <= size);
	return place < until_wrap ? ring->head + place : place - until_wrap;
}

void ring_change(const struct model *m, struct ring *ring, uint32_t place, const void *bytes,
		 uint32_t size)
{
	uint32_t at = index_of(m, ring, place), first = smaller(size, m->config.ring_size - at);

	ASSERT(size <= m->config.ring_size - place);
	memcpy(ring->bytes + at, bytes, first);
	memcpy(ring->bytes, (const uint8_t *)bytes + first, size - first);
}

void ring_put(const struct model *m, struct ring *ring, const void *bytes, uint32_t size)
{
	ring_change(m, ring, ring->used, bytes, size);
	ring->used += size;
}

void ring_look(const struct model *m, const struct ring *ring, uint32_t place, void *bytes,
	       uint32_t size)
{
	uint32_t at = index_of(m, ring, place), first = smaller(size, m->config.ring_size - at);

	ASSERT(size <= ring->used && place <= ring->used - size);
	if (bytes == NULL)
		return;
	memcpy(bytes, ring->bytes + at, first);
	memcpy((uint8_t *)bytes + first, ring->bytes, size - first);
}

void ring_drop(const struct model *m, struct ring *ring, uint32_t size)
{
	ASSERT(size <= ring->used);
	ring->head = index_of(m, ring, size);
	ring->used -= size;
}
