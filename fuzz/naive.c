#include "naive.h"

void seen_bytes(struct seen *seen, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		seen->sum = (seen->sum ^ bytes[i]) * UINT32_C(16777619);
	seen->bytes += size;
}

void naive_receive(struct seen *seen, const uint8_t *bytes, size_t size)
{
	seen_bytes(seen, bytes, size);
}

void naive_end(struct seen *seen)
{
	seen->end = true;
}
