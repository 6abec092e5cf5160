/*
 * Property: whatever comes of the engine's actions, in whatever order, at whatever time and for
 * whatever configuration, its invariant holds after every step; bytes return complete, in order,
 * and to whom they belong; no action is made on what is closed, and none without a reason; the
 * engine waits only when nobody has work that it could do, and not for too long; what it does
 * between two waits is bounded; and when it is asked to stop, it comes to an end with everything
 * released.
 */
#include "mutator.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size, unsigned int seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *world;

	if (!world_open(&world, data, size))
		return -1;
	world_run(world);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
	return mutate_run(data, size, size_max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size, unsigned int seed)
{
	return splice_runs(a, a_size, b, b_size, out, out_size, seed);
}
