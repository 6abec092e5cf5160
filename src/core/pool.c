/*
 * What is taken from a pool and given back: buffers, and pipes. The one given back last is taken
 * first, since it is likely still in the cache; those that were never used are not touched until
 * they are needed.
 */
#include "engine.h"

bool pool_empty(const struct pool *pool)
{
	return pool->used + pool->lost == pool->max;
}

uint32_t pool_take(struct pool *pool)
{
	ASSERT(!pool_empty(pool));
	pool->used++;
	if (pool->free_count > 0)
		return pool->free[--pool->free_count];
	return pool->fresh++;
}

void pool_give(struct pool *pool, uint32_t which)
{
	ASSERT(pool->used > 0);
	pool->used--;
	pool->free[pool->free_count++] = which;
}

void pool_lose(struct pool *pool)
{
	ASSERT(pool->used > 0);
	pool->used--;
	pool->lost++;
}

uint8_t *buffer_data(const struct echo_engine *e, uint32_t buffer)
{
	if (buffer == NONE)
		return e->scratch;
	return e->buffer_bytes + (size_t)buffer * e->config.buffer_size;
}
