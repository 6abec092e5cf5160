/* Property: that of fuzz_epoll, for connections and listeners as well. */
#include "versus_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	versus_fuzz(data, size, PROGRAM_TCP);
	return 0;
}
