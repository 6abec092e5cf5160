/* What a run is like: sizes, rates of failure, and what its clients tend to do. */
#include "simulation_state.h"

static uint32_t sometimes(struct choices *c, uint32_t rate)
{
	return one_in(c, 2) ? 0 : choose_size(c, rate / 4, rate * 16);
}

/* Most runs are small, so that there are many; a few have thousands of clients. */
static void plan_clients(struct choices *c, enum simulation_scale scale, struct plan *plan)
{
	bool is_short = scale == SIMULATION_SHORT, many = !is_short && one_in(c, 64);

	plan->clients_at_once = many ? choose_size(c, 256, SIM_CLIENTS_MAX)
				     : choose_size(c, 1, is_short ? 8 : 32);
	plan->clients = plan->clients_at_once + choose(c, 2 * plan->clients_at_once);
	plan->bytes_most = choose_size(c, 1, is_short ? 1 << 8 : many ? 1 << 12 : 1 << 17);
	plan->chunk_most = choose_size(c, 1, SIM_READ_MAX);
	plan->think_ns = choose_size(c, 1, 1 << 28);
	plan->latency_ns = choose_size(c, 1, 1 << 24);
	plan->gap_ns = choose_size(c, 1, 1 << 28);
	plan->call_ns = choose_size(c, 1, 1 << 14);
	plan->silent = sometimes(c, 16);
	plan->mute = sometimes(c, 4);
	plan->resetting = sometimes(c, 8);
	plan->abrupt = sometimes(c, 8);
	plan->staying = sometimes(c, 8);
	plan->urgent = sometimes(c, 16);
	plan->slow_syn = sometimes(c, 8);
}

static void plan_failures(struct choices *c, struct plan *plan)
{
	plan->interrupted = sometimes(c, 16);
	plan->cut_short = sometimes(c, 8);
	plan->for_nothing = sometimes(c, 16);
	plan->no_memory = sometimes(c, 64);
	plan->failing = sometimes(c, 256);
	plan->descriptors = one_in(c, 4) ? 1 + choose(c, plan->clients_at_once) : SIM_FDS_MAX;
	plan->stop_ns = one_in(c, 4) ? (uint64_t)choose_size(c, 1, 1 << 24) * 1000 : SIM_NEVER;
	plan->stop_twice = one_in(c, 8);
}

static void plan_model(struct choices *c, struct plan *plan)
{
	uint32_t at_once = plan->clients_at_once;
	uint32_t ring = choose_size(c, MODEL_RING_MIN,
				    at_once > 32 || plan->bytes_most <= 1 << 8 ? 1 << 12 : 1 << 16);

	plan->backlog = choose_size(c, 1, 128);
	plan->model = (struct model_config){
		.processes = 1,
		.descriptors = 4 * at_once + 16,
		.files = 4 * at_once + 16,
		.entries = 4 * at_once + 16,
		.rings = 4 * at_once + 16,
		.ring_size = ring,
		.window = 1 + choose(c, ring - 1),
	};
}

static void plan_engine(struct choices *c, struct plan *plan)
{
	plan->echo = (struct echo_config){
		.connections_max = one_in(c, 2) ? 2 * plan->clients_at_once
						: choose_size(c, 1, plan->clients_at_once),
		.buffers_max = one_in(c, 4) ? 0 : choose_size(c, 1, 64),
		.buffer_size = choose_size(c, 1, SIM_BUFFER_MAX),
		.pipes_max = choose(c, SIM_PIPES_MAX + 1),
		.turn_bytes = choose_size(c, 1, 1 << 16),
		.round_bytes = choose_size(c, 1, 1 << 20),
		.backlog_max = choose_size(c, 1, 256),
		.events_max = choose_size(c, 1, SIM_EVENTS_MAX),
		.generation_bits = 1 + choose(c, 32),
		.idle_ms = one_in(c, 4) ? choose_size(c, 1, 1 << 16) : 0,
		.drain_ms = choose_size(c, 1, 1 << 15),
		.quiet_ms = choose_size(c, 1, 1 << 10),
		.retry_min_ms = 100,
		.retry_max_ms = 1000,
		.report_ms = one_in(c, 8) ? choose_size(c, 100, 1 << 16) : 0,
	};
}

void sim_plan(struct choices *c, enum simulation_scale scale, struct plan *plan)
{
	*plan = (struct plan){ 0 };
	plan_clients(c, scale, plan);
	plan_failures(c, plan);
	plan_model(c, plan);
	plan_engine(c, plan);
}
