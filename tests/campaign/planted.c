#include "planted.h"

bool planted_bug(const uint8_t *data, size_t size)
{
	if (size < 3 || data[0] != 'b')
		return false;
	if (data[1] != 'u')
		return false;
	return data[2] == 'g';
}

uint64_t planted_hash(const uint8_t *data, size_t size)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * UINT64_C(1099511628211);
	return hash;
}
