/*
 * What a step expects, in words.
 */
#ifndef SCENARIO_EXPECTED_H
#define SCENARIO_EXPECTED_H

#include "note.h"
#include "parse.h"

void expected_describe(struct note *note, const struct step *step);

#endif
