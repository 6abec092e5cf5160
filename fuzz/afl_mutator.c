/*
 * The mutator as a library for AFL++ (AFL_CUSTOM_MUTATOR_LIBRARY), which looks these functions up
 * by name; of what its headers declare, only the shape of the calls is needed, so none is included.
 */
#include <string.h>

#include "mutator.h"

/* What afl-fuzz keeps of itself: handed in, never looked at. */
struct afl_state;

struct afl_mutator {
	uint32_t seed; /* of the next call */
};

struct afl_mutator *afl_custom_init(struct afl_state *afl, unsigned int seed);
size_t afl_custom_fuzz(struct afl_mutator *mutator, uint8_t *data, size_t size, uint8_t **out,
		       uint8_t *add, size_t add_size, size_t size_max);
void afl_custom_deinit(struct afl_mutator *mutator);

/* What is mutated is at times mutated again, as libFuzzer does. */
enum {
	ROUNDS_MAX = 4,
	ROUND_SHIFT = 29, /* no round has the seed of another call before long */
	SPLICE_EACH = 8,
	RESULT_MAX = 4096 /* as libFuzzer's default: AFL++ would let runs grow to a megabyte */
};

static uint8_t result[RESULT_MAX];

struct afl_mutator *afl_custom_init(struct afl_state *afl, unsigned int seed)
{
	static struct afl_mutator mutator;

	(void)afl;
	mutator.seed = seed;
	return &mutator;
}

/* `add` is another input of the queue, or NULL. What it returns is of no more use at the next
 * call. */
size_t afl_custom_fuzz(struct afl_mutator *mutator, uint8_t *data, size_t size, uint8_t **out,
		       uint8_t *add, size_t add_size, size_t size_max)
{
	uint32_t seed = mutator->seed++;
	size_t room = size_max < sizeof(result) ? size_max : sizeof(result);

	*out = result;
	if (add != NULL && seed % SPLICE_EACH == 0) {
		size = splice_runs(data, size, add, add_size, result, room, seed);
	} else {
		size = size < room ? size : room;
		memcpy(result, data, size);
	}
	for (uint32_t round = 0; round <= seed / SPLICE_EACH % ROUNDS_MAX; round++)
		size = mutate_run(result, size, room, seed + (round << ROUND_SHIFT));
	return size;
}

void afl_custom_deinit(struct afl_mutator *mutator)
{
	(void)mutator;
}
