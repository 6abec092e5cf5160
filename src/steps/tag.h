/*
 * An operation and its outcome in one byte: the operation in the low four bits and the outcome in the
 * high ones, which leaves the bytes from 0xa0 on, for operations of larger numbers.
 */
#ifndef EPOLL_ECHO_STEPS_TAG_H
#define EPOLL_ECHO_STEPS_TAG_H

#include "../core/echo.h"

enum { TAG_OPS = 16, TAG_OUTCOMES = 10, TAG_LARGER = TAG_OPS * TAG_OUTCOMES };

_Static_assert((int)ECHO_FAILED < (int)TAG_OUTCOMES, "every outcome has a number");
_Static_assert(TAG_LARGER + ((int)ECHO_OP_COUNT - TAG_OPS) * TAG_OUTCOMES <= UINT8_MAX + 1,
	       "every operation has a byte for each outcome");

static inline uint8_t tag_put(unsigned op, unsigned outcome)
{
	if (op < TAG_OPS)
		return (uint8_t)(op | outcome << 4);
	return (uint8_t)(TAG_LARGER + (op - TAG_OPS) * TAG_OUTCOMES + outcome);
}

/* Of a byte that stands for nothing, the outcome is none. */
static inline void tag_get(uint8_t tag, unsigned *op, unsigned *outcome)
{
	unsigned larger = (unsigned)tag - TAG_LARGER;

	if (tag >= TAG_LARGER && larger < (ECHO_OP_COUNT - TAG_OPS) * TAG_OUTCOMES) {
		*op = TAG_OPS + larger / TAG_OUTCOMES;
		*outcome = larger % TAG_OUTCOMES;
	} else {
		*op = tag % TAG_OPS;
		*outcome = tag / TAG_OPS;
	}
}

#endif
