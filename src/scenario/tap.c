#include "tap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int error; /* the first one; later ones are echoes of it */

int tap_error(void)
{
	return error;
}

/* Line by line, so that who watches sees how far it is. */
static void flush(void)
{
	if (fflush(stdout) != 0 && error == 0)
		error = errno;
}

void tap_plan(uint32_t count)
{
	printf("1..%" PRIu32 "\n", count);
	flush();
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
	flush();
}

void tap_skip(uint32_t number, const char *name, size_t len, const char *reason)
{
	put_point(true, number, name, len);
	printf(" # SKIP %s\n", reason);
	flush();
}

void tap_comment(const char *text)
{
	printf("# %s\n", text);
	flush();
}
