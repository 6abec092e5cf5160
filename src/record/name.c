#include "name.h"

#include <stdio.h>

bool record_name(char *name, size_t size, const char *pattern, long process)
{
	size_t used = 0;

	for (const char *p = pattern; *p != '\0'; p++) {
		bool escaped = *p == '%';
		int length;

		if (escaped && *++p != '%' && *p != 'p')
			return false;
		if (escaped && *p == 'p')
			length = snprintf(name + used, size - used, "%ld", process);
		else
			length = snprintf(name + used, size - used, "%c", *p);
		if (length < 0 || (size_t)length >= size - used)
			return false;
		used += (size_t)length;
	}
	return used > 0;
}
