/*
 * The draw of a world: the configuration of its server, the peers, and what will befall them.
 */
#include "world_internal.h"

#include <stdlib.h>
#include <string.h>

static void configure(struct world *w);
static bool furnish(struct world *w);
static void raise_peer(struct world *w, struct peer *p, uint32_t haste_ms);

bool world_begin(struct world *w)
{
	uint32_t haste_ms;

	w->now_ms = w->told_ms = odds(w, 500) ? 0 : below(w, UINT32_MAX);
	configure(w);
	if (!furnish(w))
		return false;
	memset(w->owners, -1, sizeof(w->owners));
	w->peers_count = (uint32_t)spread(w, 1, w->family->peers_max);
	haste_ms = (uint32_t)spread(w, 1, 400);
	for (uint32_t i = 0; i < w->peers_count; i++)
		raise_peer(w, &w->peers[i], haste_ms);
	w->backlog_max = (uint32_t)spread(w, 1, WORLD_PEERS_MAX);
	w->listening = w->listener_watched = true;
	w->retry_ms = w->config.retry_min_ms;
	w->accept_fails = w->family->accept_fails;
	if (w->accept_fails > 0 && odds(w, 50))
		w->accept_fails = 980; /* enough in a row for accepting to pause */
	w->stop_at_ms = w->family->stop ? w->now_ms + spread(w, 0, 1000) : NEVER;
	w->stopped_ms = NEVER;
	w->expected = ECHO_STOPPED;
	return true;
}

static void configure(struct world *w)
{
	const struct world_family *f = w->family;
	struct echo_config *c = &w->config;
	bool tiny = f->tiny || odds(w, 200);

	c->connections_max = (uint32_t)spread(w, 1, f->connections_max);
	c->buffers_max = (uint32_t)between(w, 0, f->buffers_max);
	c->buffer_size = (uint32_t)spread(w, 1, 4096);
	c->turn_bytes = (uint32_t)spread(w, 1, tiny ? 2000 : 200000);
	c->round_bytes = (uint32_t)spread(w, 1, tiny ? 20000 : 1000000);
	c->backlog_max = odds(w, 200) ? (uint32_t)spread(w, 1, 16) : ECHO_BACKLOG_LIMIT;
	c->events_max = (uint32_t)spread(w, 1, EVENTS_MAX);
	c->generation_bits = (uint32_t)spread(w, 1, 32);
	c->idle_ms = f->idle ? spread(w, 1, 2000) : 0;
	c->drain_ms = odds(w, 600) ? AMPLE_MS + below(w, 1000) : spread(w, 0, 3000);
	c->quiet_ms = spread(w, 1, 300);
	c->retry_min_ms = spread(w, 1, 200);
	c->retry_max_ms = c->retry_min_ms + spread(w, 0, 1000);
	c->report_ms = odds(w, 100) ? spread(w, 20, 5000) : 0;
	w->descriptors = f->few_descriptors ? (uint32_t)between(w, 1, c->connections_max)
					    : c->connections_max;
}

/* Memory, with guards around that of the engine, and none around that of its twin. */
static bool furnish(struct world *w)
{
	w->size = echo_memory_size(&w->config);
	w->block = aligned_alloc(GUARD, w->size + 2 * GUARD);
	w->twin_memory = aligned_alloc(GUARD, w->size);
	if (w->size == 0 || w->block == NULL || w->twin_memory == NULL)
		return false;
	w->memory = w->block + GUARD;
	memset(w->block, GUARD_BYTE, w->size + 2 * GUARD);
	memset(w->memory, 0, w->size);
	memset(w->twin_memory, 0, w->size);
	w->engine = echo_init(w->memory, &w->config, w->now_ms);
	w->twin = echo_init(w->twin_memory, &w->config, w->now_ms);
	return true;
}

static void raise_peer(struct world *w, struct peer *p, uint32_t haste_ms)
{
	const struct world_family *f = w->family;
	uint64_t most = 200 * (uint64_t)w->config.buffer_size;

	*p = (struct peer){ .mark = NO_MARK,
			    .wake_ms = NEVER,
			    .reset_at_ms = NEVER,
			    .handle = -1,
			    .token = ECHO_TOKEN_LISTENER };
	p->total = f->greedy ? f->bytes_max
			     : spread(w, 0, f->bytes_max < most ? f->bytes_max : most);
	p->chunk_max = (uint32_t)spread(w, 1, f->greedy ? 8192 : 2048);
	p->pace_ms = (uint32_t)spread(w, 0, f->greedy ? 1 : 40);
	p->silent = odds(w, f->silent);
	p->ending = odds(w, f->stays)      ? ENDING_NONE
		    : odds(w, f->abandons) ? ENDING_ABANDON
					   : ENDING_HALF_CLOSE;
	p->stubborn = odds(w, f->stubborn);
	p->in_max = spread(w, 1, 4096);
	p->out_max = spread(w, 1, 4096);
	p->window = odds(w, 300) ? 0 : spread(w, 0, 4096);
	p->next_ms = w->now_ms + below(w, haste_ms);
	p->sip = p->chunk_max;
	if (odds(w, f->slow)) {
		p->sip = (uint32_t)spread(w, 1, 64);
		p->pace_ms = (uint32_t)(w->config.idle_ms - w->config.idle_ms / 4);
	}
	if (odds(w, f->resets))
		p->reset_at_ms = p->next_ms + below(w, 100);
}
