/*
 * The pool of buffers. The one given back last is taken first, since it is likely still in the
 * cache; those that were never used are not touched until they are needed.
 */
#include "engine.h"

bool pool_empty(const struct echo_engine *e)
{
	return e->buffers_used == e->config.buffers_max;
}

uint32_t pool_take(struct echo_engine *e)
{
	ASSERT(!pool_empty(e));
	e->buffers_used++;
	if (e->buffers_free_count > 0)
		return e->buffers_free[--e->buffers_free_count];
	return e->buffers_fresh++;
}

void pool_give(struct echo_engine *e, uint32_t buffer)
{
	ASSERT(e->buffers_used > 0);
	e->buffers_used--;
	e->buffers_free[e->buffers_free_count++] = buffer;
}

uint8_t *pool_data(const struct echo_engine *e, uint32_t buffer)
{
	if (buffer == NONE)
		return e->scratch;
	return e->buffers + (size_t)buffer * e->config.buffer_size;
}
