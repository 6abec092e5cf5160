/* Makes of a recording a run for the fuzz target of the engine (src/steps/steps.h). Pure. */
#ifndef EPOLL_ECHO_RECORD_SEED_H
#define EPOLL_ECHO_RECORD_SEED_H

#include "../steps/steps.h"
#include "replay.h"

/* A larger input is of no use to a fuzzer. */
#define SEED_SIZE_MAX (UINT32_C(1) << 20)

/*
 * The configuration of the seed, of a run that has been replayed: a server has far more slots and
 * buffers than a seed may have, and where the run never used all of them, fewer lead to the same
 * actions. NULL: it fits. Otherwise what of it does not fit a seed.
 */
const char *seed_config(const struct replay *replay, struct echo_config *config);

/* The step that `replay` shows, as a step of a seed, which follows on a wait at `now_ms`. */
void seed_step(const struct replay *replay, uint64_t now_ms, struct step *step);

#endif
