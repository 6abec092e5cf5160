/* A target in which nothing is to be found, for tests of the campaign. */
#include <stdint.h>
#include <stdlib.h>

#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	volatile uint64_t hash = planted_hash(data, size);

	(void)hash;
	return 0;
}
