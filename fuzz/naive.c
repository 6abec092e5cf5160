#include "naive.h"

void seen_bytes(struct seen *seen, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		seen->sum = (seen->sum ^ bytes[i]) * UINT32_C(16777619);
	seen->bytes += size;
}

static void echo(struct naive *naive)
{
	seen_bytes(&naive->seen, naive->queue, naive->queued);
	naive->queued = 0;
}

void naive_receive(struct naive *naive, const uint8_t *bytes, size_t size)
{
	naive->queue = bytes;
	naive->queued = size;
	echo(naive);
}

void naive_end(struct naive *naive)
{
	naive->seen.end = true;
}
