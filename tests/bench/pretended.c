#include "pretended.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "budget.h"

enum { EXIT_WRONG = 1, EXIT_UNABLE = 2, BUFFERS = 64 };

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || text[0] == '-' || value < 1 || value > most) {
		fprintf(stderr, "'%s': a number from 1 to %" PRIu64 " is wanted\n", text, most);
		exit(EXIT_UNABLE);
	}
	return value;
}

struct pretended pretended_open(char *argv[], uint64_t *messages)
{
	struct pretended world = { 0 };

	if (argv[0] == NULL || argv[1] == NULL || argv[2] == NULL || argv[3] != NULL) {
		fprintf(stderr, "usage: %s CONNECTIONS MESSAGES\n", program_invocation_short_name);
		exit(EXIT_UNABLE);
	}
	world.connections = (uint32_t)number(argv[1], ECHO_CONNECTIONS_LIMIT);
	*messages = number(argv[2], UINT64_MAX / 2);
	world.tokens = malloc(world.connections * sizeof(*world.tokens));
	if (world.tokens == NULL) {
		fprintf(stderr, "no memory for %" PRIu32 " connections\n", world.connections);
		exit(EXIT_UNABLE);
	}
	/* Touched now, so that it is not taken for the engine's. */
	memset(world.tokens, 0xff, world.connections * sizeof(*world.tokens));
	return world;
}

void pretended_close(struct pretended *world)
{
	free(world->tokens);
}

struct echo_config pretended_config(uint32_t connections)
{
	return (struct echo_config){
		.connections_max = connections,
		.buffers_max = BUFFERS,
		.buffer_size = BUDGET_BUFFER_SIZE,
		.turn_bytes = BUDGET_TURN,
		.round_bytes = BUDGET_ROUND,
		.backlog_max = 4096,
		.events_max = PRETENDED_READY,
		.generation_bits = 32,
		.drain_ms = 5000,
		.quiet_ms = BUDGET_QUIET_MS,
		.retry_min_ms = BUDGET_RETRY_MIN_MS,
		.retry_max_ms = BUDGET_RETRY_MAX_MS,
	};
}

void *pretended_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED)
		return memory;
	perror("mmap");
	exit(EXIT_UNABLE);
}

/* A hundred waits a millisecond, as a busy server has. */
uint32_t pretended_wait(struct pretended *world, uint64_t *now_ms)
{
	uint32_t count = world->connections < PRETENDED_READY ? world->connections
							      : PRETENDED_READY;

	*now_ms = ++world->waits / 100;
	if (world->accepted < world->connections) {
		world->events[0] = (struct echo_event){ ECHO_TOKEN_LISTENER, ECHO_IN };
		return 1;
	}
	for (uint32_t i = 0; i < count; i++) {
		world->events[i] =
			(struct echo_event){ world->tokens[world->next], ECHO_IN | ECHO_OUT };
		world->next = world->next + 1 == world->connections ? 0 : world->next + 1;
	}
	return count;
}

int32_t pretended_accept(struct pretended *world)
{
	return world->accepted < world->connections ? (int32_t)world->accepted++ : -1;
}

void pretended_watch(struct pretended *world, int32_t handle, uint64_t token)
{
	world->tokens[handle] = token;
}

/* The first byte tells whose message it is: an echo that goes to another does not pass. */
uint32_t pretended_read(struct pretended *world, int32_t handle, uint8_t *data, uint32_t length)
{
	(void)world;
	data[0] = (uint8_t)handle;
	return length < PRETENDED_MESSAGE ? length : PRETENDED_MESSAGE;
}

uint32_t pretended_write(struct pretended *world, int32_t handle, const uint8_t *data,
			 uint32_t length)
{
	world->messages++;
	if (data[0] == (uint8_t)handle && length == PRETENDED_MESSAGE)
		return length;
	fprintf(stderr, "connection %" PRId32 " was sent what is not its own\n", handle);
	exit(EXIT_WRONG);
}

uint64_t pretended_now_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t pretended_resident(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	uint64_t kilobytes = 0;
	char line[256];

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "RssAnon: %" SCNu64, &kilobytes) == 1)
			break;
	if (status != NULL)
		fclose(status);
	return kilobytes * 1024;
}

void pretended_tell(const struct pretended *world, uint64_t ns, uint64_t bytes,
		    uint64_t state_bytes, uint64_t resident_bytes)
{
	if (bytes != world->messages * PRETENDED_MESSAGE) {
		fprintf(stderr, "%" PRIu64 " bytes were sent in %" PRIu64 " messages\n", bytes,
			world->messages);
		exit(EXIT_WRONG);
	}
	printf("{\"connections\": %" PRIu32 ", \"messages\": %" PRIu64 ", \"ns\": %" PRIu64
	       ", \"state_bytes\": %" PRIu64 ", \"resident_bytes\": %" PRIu64 "}\n",
	       world->connections, world->messages, ns, state_bytes, resident_bytes);
}
