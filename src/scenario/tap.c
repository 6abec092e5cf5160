#include "tap.h"

#include <inttypes.h>
#include <stdio.h>

void tap_plan(uint32_t count)
{
	printf("1..%" PRIu32 "\n", count);
	fflush(stdout);
}

/* A "#" in a description would begin a directive, such as TODO. */
static void put_point(bool ok, uint32_t number, const char *name, size_t len)
{
	printf("%s %" PRIu32 " - ", ok ? "ok" : "not ok", number);
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '#' || name[i] == '\\')
			putchar('\\');
		putchar(name[i]);
	}
}

void tap_point(bool ok, uint32_t number, const char *name, size_t len)
{
	put_point(ok, number, name, len);
	putchar('\n');
	fflush(stdout);
}

void tap_skip(uint32_t number, const char *name, size_t len, const char *reason)
{
	put_point(true, number, name, len);
	printf(" # SKIP %s\n", reason);
	fflush(stdout);
}

void tap_comment(const char *text)
{
	printf("# %s\n", text);
	fflush(stdout);
}
