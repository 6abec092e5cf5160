/*
 * Property: the model of epoll answers as this kernel does. The bytes are the choices that make a
 * program (program.h), which is played on both, step by step: results, masks, order and errno are
 * the same, and the model's state holds together. What coverage guides is the model: its branches
 * are what programs have to reach.
 */
#include "oracle.h"
#include "versus.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const double SHORTEN_SECONDS = 4; /* below what an input may take */

static struct program program;
static bool left_out[PROGRAM_LINES_MAX];
static struct versus versus;

static void explain(void)
{
	versus_print(stderr, &program, left_out, &versus);
}

/* Time is for differ alone: it would have to pass. */
static enum program_mode mode_of(uint8_t byte)
{
	switch (byte % 8) {
	case 6:
		return PROGRAM_TCP;
	case 7:
		return PROGRAM_WAITERS;
	default:
		return PROGRAM_SYNC;
	}
}

static void judge(void)
{
	oracle_explain = explain;
	CHECK(versus.how != VERSUS_REFUSED, "epoll-program");
	if (versus.how != VERSUS_DIFFER || !versus_again(&program, left_out, false, &versus))
		return;
	versus_shorten(&program, left_out, false, SHORTEN_SECONDS, &versus);
	CHECK(versus.how != VERSUS_DIFFER || !versus.contradicts, "epoll-invariant");
	CHECK(versus.how != VERSUS_DIFFER, "epoll-differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool opened;

	if (!opened && !versus_open())
		abort();
	opened = true;
	if (size == 0)
		return 0;
	for (uint32_t i = 0; i < PROGRAM_LINES_MAX; i++)
		left_out[i] = false;
	program_of_bytes(&program, data + 1, size - 1, mode_of(data[0]));
	versus_play(&program, left_out, false, &versus);
	judge();
	return 0;
}
