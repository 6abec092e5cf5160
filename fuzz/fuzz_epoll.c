/*
 * Property: the model of epoll answers as this kernel does. The bytes are the choices that make a
 * program (program.h), which is played on both, step by step: results, masks, order and errno are
 * the same, and the model's state holds together. What coverage guides is the model: its branches
 * are what programs have to reach.
 */
#include "versus_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	versus_fuzz(data, size, PROGRAM_SYNC);
	return 0;
}
