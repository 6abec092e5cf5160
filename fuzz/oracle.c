#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>

void (*oracle_explain)(void);

void oracle(const char *name, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "oracle: %s: ", name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	if (oracle_explain != NULL)
		oracle_explain();
	fflush(stderr);
	__builtin_trap();
}
