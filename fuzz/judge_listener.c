/* The judge of accepting: when it may go on, when it has to pause, and for how long (ECHO-52). */
#include "world.h"

#include "oracle.h"

static bool may_resume(const struct world *w)
{
	return w->closed_since || w->now_ms >= w->retry_at_ms;
}

static void judge_accept(const struct world *w)
{
	CHECK(w->listening && !w->paused && !w->backing_off, "accept-while-paused");
	CHECK(w->acceptable, "accept-unannounced");
	CHECK(w->conns_open < w->config.connections_max, "accept-without-slot");
	CHECK(w->late < w->config.backlog_max, "backlog-unbounded");
}

static void judge_pause(const struct world *w)
{
	bool full = w->conns_open >= w->config.connections_max;

	CHECK(w->listening, "pause-without-listener");
	CHECK(!w->paused || w->heard, "paused-twice");
	CHECK(w->backing_off || w->heard || (w->acceptable && full), "paused-needlessly");
}

static void judge_unlisten(const struct world *w)
{
	CHECK(w->listening && w->stopping, "unlisten-illegal");
	CHECK(w->emptied || w->late == w->config.backlog_max || judge_drain_over(w),
	      "backlog-lost");
}

void judge_listener(struct world *w, const struct echo_action *action)
{
	CHECK(action->token == ECHO_TOKEN_LISTENER, "token-of-listener");
	switch (action->op) {
	case ECHO_OP_ACCEPT:
		judge_accept(w);
		break;
	case ECHO_OP_PAUSE:
		judge_pause(w);
		break;
	case ECHO_OP_RESUME:
		CHECK(w->listening && w->paused, "resumed-twice");
		CHECK(may_resume(w), "resumed-too-soon");
		break;
	default:
		judge_unlisten(w);
		break;
	}
}
