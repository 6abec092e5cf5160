/* Property: that of fuzz_epoll, with threads that are blocked, and processes that share descriptors. */
#include "versus_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	versus_fuzz(data, size, PROGRAM_WAITERS);
	return 0;
}
