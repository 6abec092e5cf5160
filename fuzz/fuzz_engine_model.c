/*
 * Property: in a plausible world, with results that some kernel and some peers could have brought
 * about, each peer sees of the engine what it would have seen of a naive echo server: the same
 * bytes, and the end of the stream after the end of its own. A peer whose connection was given up
 * for a reason, which is then there, sees no more bytes than that.
 */
#include "core/echo.h"
#include "mutator.h"
#include "naive.h"
#include "oracle.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size, unsigned int seed);

static struct world *world;
static struct seen seen[WORLD_ACCEPTS_MAX], naive[WORLD_ACCEPTS_MAX];
static uint64_t fed[WORLD_ACCEPTS_MAX];

/* The naive server is told of what arrives; after our FIN, that is discarded. */
static void feed(const struct told *c)
{
	if (c->arrived > fed[c->number] && !c->shut)
		naive_receive(&naive[c->number], world_bytes(c->number, fed[c->number]),
			      c->arrived - fed[c->number]);
	fed[c->number] = c->arrived;
	if (c->fin)
		naive_end(&naive[c->number]);
}

static void compare(const struct told *c, enum echo_reason reason)
{
	const struct seen *ours = &seen[c->number], *theirs = &naive[c->number];
	bool given_up = reason == ECHO_REASON_RESET || reason == ECHO_REASON_FAILED ||
			reason == ECHO_REASON_UNWATCHED;

	REQUIRE(c, ours->bytes <= theirs->bytes, "model-bytes-too-many");
	REQUIRE(c, !given_up || c->failure != 0 || c->abandoned, "model-given-up");
	if (reason != ECHO_REASON_ENDED)
		return;
	REQUIRE(c, ours->bytes == theirs->bytes, "model-bytes-missing");
	REQUIRE(c, ours->sum == theirs->sum, "model-bytes-wrong");
	REQUIRE(c, theirs->end, "model-ended-without-end");
}

/* Its peer sees the end: after its own, or because the server is stopping, or it was idle. */
static void compare_end(const struct told *c)
{
	const struct seen *ours = &seen[c->number], *theirs = &naive[c->number];

	REQUIRE(c, theirs->end || world->stopping || judge_idle(world, c), "model-end-too-soon");
	REQUIRE(c, !c->ended || ours->bytes == theirs->bytes, "model-end-before-echo");
}

static void observe(const struct told *c, const struct echo_action *action,
		    const struct echo_result *result)
{
	feed(c);
	if (action->op == ECHO_OP_WRITE && result->outcome == ECHO_DONE)
		seen_bytes(&seen[c->number], action->data, result->count);
	if (action->op == ECHO_OP_EMPTY && result->outcome == ECHO_DONE)
		seen_bytes(&seen[c->number], world_bytes(c->number, c->written - result->count),
			   result->count);
	if (action->op == ECHO_OP_SHUTDOWN && result->outcome == ECHO_DONE)
		compare_end(c);
	if (action->op == ECHO_OP_CLOSE)
		compare(c, action->reason);
}

static void begin(const struct told *c)
{
	seen[c->number] = (struct seen){ 0 };
	naive[c->number] = (struct seen){ 0 };
	fed[c->number] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!world_open(&world, data, size))
		return -1;
	world->plausible = true;
	world->unjudged = true;
	world->accepted_one = begin;
	world->observe = observe;
	world_run(world);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
	return mutate_run(data, size, size_max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size, unsigned int seed)
{
	return splice_runs(a, a_size, b, b_size, out, out_size, seed);
}
