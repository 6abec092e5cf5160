/* The loop of the simulated world: the engine asks, the model answers, and clients act meanwhile. */
#include "simulation_state.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdarg.h>
#include <string.h>

enum {
	MODEL_MEMORY = 256 << 20, /* of which a run touches what it uses */
	ENGINE_MEMORY = 4 << 20,
	CALLS_MOST = 20000000 /* of a run */
};

static struct simulation the_simulation;
static alignas(64) uint8_t model_memory[MODEL_MEMORY], engine_memory[ENGINE_MEMORY];

enum { PERIOD = 65521 };
static uint8_t bytes[PERIOD + SIM_READ_MAX];

const uint8_t *sim_bytes(uint32_t number, uint64_t position)
{
	return &bytes[(position + (uint64_t)number * 7919) % PERIOD];
}

/* Before any run, so that all runs are alike. */
__attribute__((constructor)) static void fill_bytes(void)
{
	for (uint32_t i = 0; i < sizeof(bytes); i++) {
		uint32_t x = (i % PERIOD + 1) * UINT32_C(2654435769);

		bytes[i] = (uint8_t)(x >> 24 ^ x >> 13);
	}
}

void sim_found(struct simulation *s, const char *name, const char *format, ...)
{
	va_list arguments;

	if (s->finding->name != NULL)
		return;
	s->finding->name = name;
	va_start(arguments, format);
	vsnprintf(s->finding->detail, sizeof(s->finding->detail), format, arguments);
	va_end(arguments);
	sim_trace(s, "found: %s: %s", name, s->finding->detail);
}

void sim_trace(struct simulation *s, const char *format, ...)
{
	va_list arguments;

	if (s->trace == NULL)
		return;
	fprintf(s->trace, "%14.6f ms  ", (double)s->now / 1e6);
	va_start(arguments, format);
	vfprintf(s->trace, format, arguments);
	va_end(arguments);
	fputc('\n', s->trace);
}

static void open_model(struct simulation *s)
{
	struct model_event event = { .events = MODEL_IN, .data = ECHO_TOKEN_LISTENER };
	struct model *m = model_init(model_memory, sizeof(model_memory), &s->plan.model);

	s->model = m;
	s->epoll = model_epoll_create1(m, 0);
	s->listener = model_socket(m);
	model_set_option(m, s->listener, MODEL_OOBINLINE, 1);
	model_listen(m, s->listener, s->plan.backlog);
	model_epoll_ctl(m, s->epoll, MODEL_ADD, s->listener, &event);
	s->listening = true;
}

static void open_engine(struct simulation *s)
{
	size_t size = echo_memory_size(&s->plan.echo);

	memset(engine_memory, 0, size);
	s->engine = echo_init(engine_memory, &s->plan.echo, s->now / SIM_NS_PER_MS);
}

static void open_clients(struct simulation *s)
{
	for (uint32_t i = 0; i < s->plan.clients_at_once; i++)
		client_born(s, i, s->now + choose(&s->choices, s->plan.gap_ns));
}

/* All but the large tables, of which a run reads nothing that it has not written. */
static struct simulation *open_simulation(struct choices choices, enum simulation_scale scale,
					  FILE *trace, struct simulation_finding *finding)
{
	struct simulation *s = &the_simulation;

	memset(s, 0, offsetof(struct simulation, fd_of_slot));
	s->choices = choices;
	s->trace = trace;
	s->finding = finding;
	s->quiet_until = SIM_NEVER;
	*finding = (struct simulation_finding){ 0 };
	sim_plan(&s->choices, scale, &s->plan);
	for (uint32_t fd = 0; fd < s->plan.model.descriptors; fd++)
		s->peers[fd].open = false;
	for (uint32_t i = 0; i < SIM_PIPES_MAX; i++)
		s->pipes[i].start = s->pipes[i].end = 0;
	open_model(s);
	open_engine(s);
	open_clients(s);
	return s;
}

static bool step(struct simulation *s)
{
	struct echo_action action;
	struct echo_result result;

	while (due_next(s) <= s->now)
		client_acts(s, due_first(s));
	if (!echo_next(s->engine, &action))
		return false;
	result = server_perform(s, &action);
	if (s->figures.server_calls > CALLS_MOST)
		sim_found(s, "endless", "%" PRIu64 " calls", s->figures.server_calls);
	if (s->finding->name != NULL)
		return false;
	echo_complete(s->engine, &action, &result);
	return true;
}

/* Whoever is left sees how it ends, as when a process ends. */
static void end_server(struct simulation *s)
{
	sim_judge_over(s);
	for (uint32_t fd = 0; fd < s->plan.model.descriptors; fd++)
		if (s->peers[fd].open)
			model_close(s->model, (int)fd);
	if (s->listening)
		model_close(s->model, s->listener);
	s->listening = false;
	for (uint32_t i = 0; i < s->plan.clients_at_once; i++)
		client_ends(s, i);
}

static void add(struct simulation_figures *to, const struct simulation *s)
{
	to->server_calls += s->figures.server_calls;
	to->client_calls += s->figures.client_calls;
	to->clients += s->figures.clients;
	to->bytes_echoed += s->figures.bytes_echoed;
	to->virtual_ns += s->now;
}

bool simulate(struct choices choices, enum simulation_scale scale, FILE *trace,
	      struct simulation_figures *figures, struct simulation_finding *finding)
{
	struct simulation *s = open_simulation(choices, scale, trace, finding);

	while (step(s))
		;
	if (finding->name == NULL)
		end_server(s);
	add(figures, s);
	return finding->name == NULL;
}
