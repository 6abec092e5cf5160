#include "versus_fuzz.h"

#include <stdlib.h>

#include "oracle.h"
#include "versus.h"

static const double SHORTEN_SECONDS = 4; /* below what an input may take */

static struct program program;
static bool left_out[PROGRAM_LINES_MAX];
static struct versus versus;

static void explain(void)
{
	versus_print(stderr, &program, left_out, &versus);
}

static void judge(void)
{
	oracle_explain = explain;
	CHECK(versus.how != VERSUS_REFUSED, "epoll-program");
	if (versus.how != VERSUS_DIFFER || !versus_again(&program, left_out, false, &versus))
		return;
	versus_shorten(&program, left_out, false, SHORTEN_SECONDS, &versus);
	CHECK(!versus.contradicts, "epoll-invariant");
	CHECK(versus.how != VERSUS_DIFFER, "epoll-differs");
}

void versus_fuzz(const uint8_t *bytes, size_t size, enum program_mode mode)
{
	static bool opened;

	if (!opened && !versus_open())
		abort();
	opened = true;
	for (uint32_t i = 0; i < PROGRAM_LINES_MAX; i++)
		left_out[i] = false;
	program_of_bytes(&program, bytes, size, mode);
	versus_play(&program, left_out, false, &versus);
	judge();
}
