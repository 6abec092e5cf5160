/* The world of the model: the calls that it knows, with the same descriptors as on the kernel. */
#ifndef SCENARIO_ON_MODEL_H
#define SCENARIO_ON_MODEL_H

#include "world.h"

void on_model_play(const struct script *script, const struct scenario *scenario, bool show,
		   struct outcome *outcome);

#endif
