/*
 * Changes runs of the engine (src/steps/steps.h) as what they are: steps are inserted, deleted,
 * swapped, spliced and repeated, and fields change within their meaning. A byte that is flipped at
 * random mostly turns the rest of a run into other steps; this keeps what was found and asks what
 * comes next.
 *
 * For every fuzzing engine alike: nothing is called, nothing is allocated, and the same input with
 * the same seed gives the same bytes. Static buffers make it unfit for two threads.
 */
#ifndef EPOLL_ECHO_FUZZ_MUTATOR_H
#define EPOLL_ECHO_FUZZ_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

enum {
	MUTATOR_SIZE_MIN = 17,      /* bytes of the shortest run; with less room there is none */
	MUTATOR_SIZE_MAX = 1 << 16, /* longer runs are cut off behind the last step that fits */
	MUTATOR_STEPS_MAX = 1024    /* likewise */
};

/*
 * Changes the run in `data` in place, which holds `size` bytes and has room for `size_max`; bytes
 * that are no run are replaced by a small one. Returns its new size, at most `size_max`; 0: not
 * even the shortest run has room.
 */
size_t mutate_run(uint8_t *data, size_t size, size_t size_max, uint32_t seed);

/* Makes one run of two, into `out`; the return value is that of mutate_run(). What is no run counts
 * as a run without steps. */
size_t splice_runs(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
		   size_t size_max, uint32_t seed);

#endif
