/*
 * What clients do. One acts when it is due: it calls, sends a chunk, reads what is there, or ends.
 * When it can do nothing more it waits for news of what the server has done. It knows what it is
 * to get back, byte by byte, and holds the server to it.
 */
#include "simulation_state.h"

#include <inttypes.h>
#include <string.h>

/* The first retransmission comes after a second, each other one after twice the time (RFC 6298), and
 * the last of them is the sixth (tcp_syn_retries in tcp(7)). */
enum { SYN_RETRY_MS = 1000, SYN_RETRIES = 6 };

static void acts_in(struct simulation *s, uint32_t place, uint32_t ns_most)
{
	due_set(s, place, s->now + 1 + choose(&s->choices, ns_most));
}

void client_born(struct simulation *s, uint32_t place, uint64_t due)
{
	struct client *client = &s->clients[place];
	struct choices *c = &s->choices;
	const struct plan *plan = &s->plan;
	bool silent = one_in(c, plan->silent);

	*client = (struct client){
		.place = SIM_NOWHERE,
		.number = s->born++,
		.fd = -1,
		.farewell = one_in(c, plan->resetting) ? FAREWELL_RESET
			    : one_in(c, plan->abrupt)  ? FAREWELL_ABRUPT
			    : one_in(c, plan->staying) ? FAREWELL_STAY
						       : FAREWELL_HALF_CLOSE,
		.writes = true,
		.to_send = silent ? 0 : choose_size(c, 1, plan->bytes_most),
		.chunk = choose_size(c, 1, plan->chunk_most),
		.read_most = one_in(c, 4) ? choose_size(c, 1, SIM_READ_MAX) : SIM_READ_MAX,
		.mute_at = SIM_NEVER,
	};
	if (one_in(c, plan->mute)) {
		client->mute_at = choose(c, (uint32_t)client->to_send + 1);
		client->mute_ns = one_in(c, 4) ? SIM_NEVER : 1 + choose(c, 1u << 31);
	}
	s->figures.clients++;
	due_set(s, place, due);
}

/* Another one takes its place, if any is left. */
static void go(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];

	s->gone++;
	client->phase = PHASE_GONE;
	due_set(s, place, SIM_NEVER);
	if (s->born < s->plan.clients)
		client_born(s, place, s->now + 1 + choose(&s->choices, s->plan.gap_ns));
}

static void hang_up(struct simulation *s, uint32_t place, bool reset)
{
	struct client *client = &s->clients[place];

	sim_trace(s, "c%" PRIu32 " %s", client->number, reset ? "resets" : "closes");
	if (reset)
		model_set_option(s->model, client->fd, MODEL_LINGER, 0);
	model_close(s->model, client->fd);
	s->figures.client_calls += 1u + reset;
	go(s, place);
}

static void stand_in_line(struct simulation *s, uint32_t place)
{
	uint32_t last = (s->line_first + s->line_count++) % SIM_LINE_MAX;

	s->clients[place].phase = PHASE_OPEN;
	s->line[last] = (struct caller){ .place = place, .number = s->clients[place].number };
}

static void called(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	int state = model_tcp_state(s->model, client->fd);

	sim_trace(s, "c%" PRIu32 " calls: %s", client->number,
		  state == 1   ? "connected"
		  : state == 7 ? "refused"
			       : "no answer");
	if (state == 1) {
		stand_in_line(s, place);
		acts_in(s, place, s->plan.think_ns);
	} else if (state == 7) {
		if (s->listening)
			sim_found(s, "refused", "c%" PRIu32 ", though the server listens",
				  client->number);
		hang_up(s, place, false);
	} else if (client->retries > SYN_RETRIES) {
		hang_up(s, place, false);
	} else {
		due_set(s, place,
			s->now + ((uint64_t)SYN_RETRY_MS << client->retries++) * SIM_NS_PER_MS);
	}
}

static void calls(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	bool held = one_in(&s->choices, s->plan.slow_syn);

	client->fd = model_socket(s->model);
	client->phase = PHASE_CALLING;
	model_connect(s->model, client->fd, s->listening ? s->listener : -1, held);
	s->figures.client_calls += 2;
	if (held)
		acts_in(s, place, s->plan.latency_ns);
	else
		called(s, place);
}

/* The server has no reason to refuse what is sent, unless it was stopped or failed. */
static void sends(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	uint64_t left = client->to_send - client->sent;
	uint32_t size = left < client->chunk ? (uint32_t)left : client->chunk;
	const uint8_t *bytes = sim_bytes(client->number, client->sent);
	bool urgent = one_in(&s->choices, s->plan.urgent);
	int64_t count = urgent ? model_send_urgent(s->model, client->fd, bytes, size)
			       : model_write(s->model, client->fd, bytes, size);

	s->figures.client_calls++;
	sim_trace(s, "c%" PRIu32 " writes %" PRIu32 "%s -> %" PRId64, client->number, size,
		  urgent ? " urgent" : "", count);
	if (count > 0)
		client->sent += (uint64_t)count;
	else if (count == MODEL_EAGAIN)
		client->writes = false;
	else
		client->to_send = client->sent; /* what ended it, a read will tell */
}

static void says_farewell(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];

	switch (client->farewell) {
	case FAREWELL_HALF_CLOSE:
		sim_trace(s, "c%" PRIu32 " half-closes", client->number);
		model_shutdown(s->model, client->fd, MODEL_WR);
		s->figures.client_calls++;
		client->fin = true;
		return;
	case FAREWELL_ABRUPT:
	case FAREWELL_RESET:
		hang_up(s, place, client->farewell == FAREWELL_RESET);
		return;
	case FAREWELL_STAY:
		client->writes = false;
		return;
	}
}

/* It has seen the end of the stream, or a reset, and was it right to come? Of a server that has
 * closed the connection judge_closed() has asked the rest. */
static void sees_end(struct simulation *s, uint32_t place, int64_t error)
{
	struct client *client = &s->clients[place];
	bool may_part = client->excused || s->stopping || s->plan.echo.idle_ms > 0;

	sim_trace(s, "c%" PRIu32 " reads %s after %" PRIu64 " of %" PRIu64, client->number,
		  error == 0 ? "the end" : "a reset", client->received, client->sent);
	if (error == 0 && !client->fin && !may_part)
		sim_found(s, "end-too-soon", "c%" PRIu32 " has not ended its stream",
			  client->number);
	if (error != 0 && !may_part)
		sim_found(s, "reset", "c%" PRIu32 " has given no reason", client->number);
	if (error == 0 && client->fin && client->received < client->sent && !may_part)
		sim_found(s, "end-before-echo", "c%" PRIu32 " got %" PRIu64 " of %" PRIu64 " bytes",
			  client->number, client->received, client->sent);
	hang_up(s, place, false);
}

/* True: it was all that there is. */
static bool reads(struct simulation *s, uint32_t place)
{
	static uint8_t room[SIM_READ_MAX];
	struct client *client = &s->clients[place];
	uint32_t size = 1 + choose(&s->choices, client->read_most);
	int64_t count = model_read(s->model, client->fd, room, size);

	s->figures.client_calls++;
	if (count == MODEL_EAGAIN)
		return true;
	if (count <= 0) {
		sees_end(s, place, count);
		return true;
	}
	sim_trace(s, "c%" PRIu32 " reads %" PRIu32 " -> %" PRId64, client->number, size, count);
	if (client->received + (uint64_t)count > client->sent)
		sim_found(s, "more-than-sent", "c%" PRIu32 " got %" PRIu64 " bytes of %" PRIu64,
			  client->number, client->received + (uint64_t)count, client->sent);
	else if (memcmp(room, sim_bytes(client->number, client->received), (size_t)count) != 0)
		sim_found(s, "other-bytes", "c%" PRIu32 " after %" PRIu64, client->number,
			  client->received);
	client->received += (uint64_t)count;
	return false;
}

/* It does not read for a time, or never again. */
static void falls_mute(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];

	sim_trace(s, "c%" PRIu32 " stops reading", client->number);
	client->mute_at = SIM_NEVER;
	client->mute_until = client->mute_ns == SIM_NEVER ? SIM_NEVER : s->now + client->mute_ns;
}

static bool is_mute(const struct simulation *s, const struct client *client)
{
	return s->now < client->mute_until;
}

static bool has_to_send(const struct client *client)
{
	return client->writes && client->sent < client->to_send;
}

static bool is_to_part(const struct client *client)
{
	return client->writes && client->sent == client->to_send && !client->fin;
}

void client_acts(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	uint32_t number = client->number;
	bool all_read = is_mute(s, client);

	if (client->phase == PHASE_FREE) {
		calls(s, place);
		return;
	}
	if (client->phase == PHASE_CALLING) {
		model_settle(s->model, client->fd);
		called(s, place);
		return;
	}
	if (!is_mute(s, client) && client->received >= client->mute_at)
		falls_mute(s, place);
	if (has_to_send(client))
		sends(s, place);
	else if (is_to_part(client))
		says_farewell(s, place);
	if (client->number == number && client->phase == PHASE_OPEN && !is_mute(s, client))
		all_read = reads(s, place);
	if (client->number != number || client->phase != PHASE_OPEN)
		return;
	if (has_to_send(client) || is_to_part(client))
		acts_in(s, place, s->plan.think_ns);
	else if (!all_read)
		acts_in(s, place, s->plan.latency_ns);
	else
		due_set(s, place, is_mute(s, client) ? client->mute_until : SIM_NEVER);
}

void client_news(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	uint64_t due = s->now + 1 + choose(&s->choices, s->plan.latency_ns);

	if (client->phase != PHASE_OPEN)
		return;
	if (client->sent < client->to_send)
		client->writes = true;
	if (due < client->due && (!is_mute(s, client) || has_to_send(client)))
		due_set(s, place, due);
}

void client_ends(struct simulation *s, uint32_t place)
{
	struct client *client = &s->clients[place];
	uint32_t number = client->number;

	if (client->phase == PHASE_CALLING)
		hang_up(s, place, false);
	while (client->number == number && client->phase == PHASE_OPEN && !reads(s, place))
		;
	if (client->number == number && client->phase == PHASE_OPEN)
		sim_found(s, "neither-end-nor-reset", "c%" PRIu32 " of a server that has stopped",
			  client->number);
}
