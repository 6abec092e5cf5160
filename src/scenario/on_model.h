/*
 * The world of the model (src/model): the calls that it knows, on the same descriptors as on the
 * kernel. What it does not know, or what would take signals, other processes or the kernel's
 * account of memory, it is said not to cover.
 */
#ifndef SCENARIO_ON_MODEL_H
#define SCENARIO_ON_MODEL_H

#include "world.h"

/* One world, as new; it is the same one each time. */
const struct world *on_model_new(void);

void on_model_play(const struct script *script, const struct scenario *scenario, bool show,
		   struct outcome *outcome);

/* Lets the model's time go on to `ns` after its beginning. False: that is far from where it is, or
 * something is due within `margin` of it, so that the kernel may have seen it earlier or later. */
bool on_model_catch_up(uint64_t ns, uint64_t margin);

/* Did the last call wake several waiters, so that it may matter which of them runs first? */
bool on_model_order_matters(void);

/* Does the model's state hold together (model_invariant)? */
bool on_model_holds(void);

#endif
