/* The engine alone, driven by the same loop as in src/epoll-echo.c, in a pretended world. */
#include <stdlib.h>

#include "pretended.h"

static struct echo_result perform(struct pretended *world, const struct echo_action *action)
{
	struct echo_result result = { .outcome = ECHO_DONE, .handle = -1, .events = world->events };

	switch (action->op) {
	case ECHO_OP_WAIT:
		result.events_count = pretended_wait(world, &result.now_ms);
		break;
	case ECHO_OP_ACCEPT:
		result.handle = pretended_accept(world);
		if (result.handle < 0)
			result.outcome = ECHO_WOULD_BLOCK;
		break;
	case ECHO_OP_WATCH:
		pretended_watch(world, action->handle, action->token);
		break;
	case ECHO_OP_READ:
		result.count = pretended_read(world, action->handle, action->data, action->length);
		break;
	case ECHO_OP_WRITE:
		result.count = pretended_write(world, action->handle, action->data, action->length);
		break;
	case ECHO_OP_PAUSE: /* all slots are taken */
		break;
	default:
		abort(); /* nothing else is on a message's path */
	}
	return result;
}

static void run(struct echo_engine *engine, struct pretended *world, struct echo_stats *stats,
		uint64_t messages)
{
	struct echo_action action;

	while (world->messages < messages && echo_next(engine, &action)) {
		struct echo_result result = perform(world, &action);

		echo_observe(stats, &action, &result);
		echo_complete(engine, &action, &result);
	}
}

int main(int argc, char *argv[])
{
	uint64_t messages, before, started;
	struct pretended world = pretended_open(argv, &messages);
	struct echo_config config = pretended_config(world.connections), bare = config;
	struct echo_stats stats = { 0 };
	struct echo_engine *engine;

	(void)argc;
	bare.buffers_max = 0;
	before = pretended_resident();
	engine = echo_init(pretended_memory(echo_memory_size(&config)), &config, 0);
	run(engine, &world, &stats, 1); /* all are accepted before the first message */
	started = pretended_now_ns();
	run(engine, &world, &stats, messages);
	pretended_tell(&world, pretended_now_ns() - started, stats.bytes_sent,
		       echo_memory_size(&bare), pretended_resident() - before);
	pretended_close(&world);
	return 0;
}
