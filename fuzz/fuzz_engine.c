/*
 * Property: whatever comes of the engine's actions, in whatever order, at whatever time and for
 * whatever configuration, its invariant holds after every step; bytes return complete, in order, and
 * to whom they belong; no action is made on what is closed, and none without a reason; the engine
 * waits only when nobody has work that it could do, and not for too long; what it does between two
 * waits is bounded; and when it is asked to stop, it comes to an end with everything released.
 */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *world;

	if (!world_open(&world, data, size, false))
		return -1;
	world_run(world);
	return 0;
}
