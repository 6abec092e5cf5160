/* A piece of somebody's text. */
#ifndef SCENARIO_TEXT_H
#define SCENARIO_TEXT_H

#include <stddef.h>

struct text {
	const char *at; /* not ended by NUL */
	size_t len;
};

#endif
