/*
 * What purity costs is the difference between engine.c and this: the engine's logic without an
 * engine, inlined by hand into one loop that calls the world itself. It decides all that the engine
 * decides on the path of a message, and keeps the same figures; what leaves that path traps.
 */
#include "pretended.h"

enum {
	NONE = -1,
	SLOW_READ = ECHO_RDHUP | ECHO_PRI | ECHO_ERR | ECHO_HUP, /* may cut a read short */
	SLOW_WRITE = ECHO_ERR | ECHO_HUP,
	READ_READY = ECHO_IN | SLOW_READ,
	WRITE_READY = ECHO_OUT | SLOW_WRITE,
	READINESS = READ_READY | WRITE_READY
};

enum state { FREE = 1, RECEIVING, SENDING };
enum queue_name { UNQUEUED, NEW, OLD };

struct conn {
	_Alignas(64) int32_t next;
	int32_t credit, handle, buffer;
	uint32_t generation, start, end, unacked;
	uint64_t deadline_ms;
	uint16_t latched;
	uint8_t state, queue;
};

struct server {
	struct echo_config config;
	struct echo_stats stats;
	struct pretended *world;
	struct conn *conns;
	uint8_t *buffers;
	int32_t *buffers_free;
	uint32_t buffers_free_count, buffers_fresh, buffers_used, conns_fresh;
	int32_t head[OLD + 1], tail[OLD + 1];
	int64_t round_left;
	uint64_t now_ms, deadline_ms; /* the earliest of all */
	bool draining;
};

static inline __attribute__((always_inline)) void push(struct server *s, enum queue_name queue,
						       int32_t id)
{
	struct conn *conn = &s->conns[id];

	conn->next = NONE;
	conn->queue = (uint8_t)queue;
	if (s->tail[queue] == NONE)
		s->head[queue] = id;
	else
		s->conns[s->tail[queue]].next = id;
	s->tail[queue] = id;
}

static inline __attribute__((always_inline)) void pop(struct server *s, enum queue_name queue)
{
	struct conn *conn = &s->conns[s->head[queue]];

	s->head[queue] = conn->next;
	if (conn->next == NONE)
		s->tail[queue] = NONE;
	conn->next = NONE;
	conn->queue = UNQUEUED;
}

static void accept_all(struct server *s)
{
	int32_t handle;

	while ((handle = pretended_accept(s->world)) >= 0) {
		uint32_t id = s->conns_fresh++;
		struct conn *conn = &s->conns[id];

		s->stats.calls[ECHO_OP_ACCEPT]++;
		s->stats.accepted++;
		*conn = (struct conn){ .next = NONE,
				       .handle = handle,
				       .buffer = NONE,
				       .generation = conn->generation + 1,
				       .deadline_ms = UINT64_MAX,
				       .state = RECEIVING };
		s->stats.calls[ECHO_OP_WATCH]++;
		pretended_watch(s->world, handle, (uint64_t)conn->generation << 32 | id);
	}
}

static inline __attribute__((always_inline)) void announced(struct server *s,
							    const struct echo_event *event)
{
	uint32_t id = (uint32_t)event->token, latched;
	struct conn *conn;

	if (event->token == ECHO_TOKEN_LISTENER) {
		accept_all(s);
		return;
	}
	if (id >= s->conns_fresh)
		return;
	conn = &s->conns[id];
	if (conn->state == FREE || conn->generation != (uint32_t)(event->token >> 32))
		return;
	latched = conn->latched | (event->readiness & READINESS);
	if ((event->readiness & READ_READY) != 0)
		latched |= ECHO_IN;
	if ((event->readiness & WRITE_READY) != 0)
		latched |= ECHO_OUT;
	conn->latched = (uint16_t)latched;
	if (conn->queue != UNQUEUED || (latched & ECHO_OUT) == 0 ||
	    (conn->state == RECEIVING && (latched & ECHO_IN) == 0))
		return;
	conn->credit = (int32_t)s->config.turn_bytes;
	push(s, NEW, (int32_t)id);
}

/* A byte has moved: the idle timeout, and the quiet one of a server that drains, begin anew. */
static inline __attribute__((always_inline)) void moved(struct server *s, struct conn *conn)
{
	conn->unacked = 0;
	if (s->draining || s->config.idle_ms > 0 || conn->deadline_ms != UINT64_MAX)
		__builtin_trap();
}

static inline __attribute__((always_inline)) void charge(struct server *s, struct conn *conn,
							 uint32_t count)
{
	conn->credit -= (int32_t)(ECHO_CALL_COST + count);
	s->round_left -= ECHO_CALL_COST + count;
}

static inline __attribute__((always_inline)) void read_some(struct server *s, struct conn *conn)
{
	uint32_t count;

	if (s->buffers_used == s->config.buffers_max)
		__builtin_trap(); /* it would peek */
	s->buffers_used++;
	conn->buffer = s->buffers_free_count > 0 ? s->buffers_free[--s->buffers_free_count]
						 : (int32_t)s->buffers_fresh++;
	count = pretended_read(s->world, conn->handle,
			       s->buffers + (size_t)conn->buffer * s->config.buffer_size,
			       s->config.buffer_size);
	if (count == 0 || count > s->config.buffer_size)
		__builtin_trap(); /* the end, or an error */
	s->stats.calls[ECHO_OP_READ]++;
	s->stats.bytes_received += count;
	charge(s, conn, count);
	conn->start = 0;
	conn->end = count;
	if (count < s->config.buffer_size && (conn->latched & SLOW_READ) == 0)
		conn->latched = (uint16_t)(conn->latched & ~(unsigned)ECHO_IN);
	conn->state = SENDING;
	moved(s, conn);
}

static inline __attribute__((always_inline)) void write_some(struct server *s, struct conn *conn)
{
	uint32_t owed = conn->end - conn->start;
	uint32_t count = pretended_write(
		s->world, conn->handle,
		s->buffers + (size_t)conn->buffer * s->config.buffer_size + conn->start, owed);

	if (count == 0 || count > owed)
		__builtin_trap();
	s->stats.calls[ECHO_OP_WRITE]++;
	s->stats.bytes_sent += count;
	charge(s, conn, count);
	conn->start += count;
	if (count < owed) {
		if ((conn->latched & SLOW_WRITE) == 0)
			conn->latched = (uint16_t)(conn->latched & ~(unsigned)ECHO_OUT);
	} else {
		conn->state = RECEIVING;
		s->buffers_used--;
		s->buffers_free[s->buffers_free_count++] = conn->buffer;
		conn->buffer = NONE;
		conn->start = 0;
		conn->end = 0;
	}
	moved(s, conn);
}

/* Turns, until nobody has work or the round is over. */
static inline __attribute__((always_inline)) void serve(struct server *s)
{
	while (s->round_left > 0) {
		enum queue_name queue = s->head[NEW] != NONE ? NEW : OLD;
		int32_t id = s->head[queue];
		struct conn *conn;
		bool ready;

		if (id == NONE)
			return;
		conn = &s->conns[id];
		ready = (conn->latched & ECHO_OUT) != 0 &&
			(conn->state == SENDING || (conn->latched & ECHO_IN) != 0);
		if (!ready) {
			bool pass = queue == NEW && s->head[OLD] != NONE;

			pop(s, queue);
			if (pass)
				push(s, OLD, id);
		} else if (conn->credit <= 0) {
			pop(s, queue);
			conn->credit = (int32_t)s->config.turn_bytes;
			push(s, OLD, id);
		} else if (conn->state == SENDING) {
			write_some(s, conn);
		} else {
			read_some(s, conn);
		}
	}
}

static void run(struct server *s, uint64_t messages)
{
	while (s->world->messages < messages) {
		uint64_t now_ms;
		uint32_t count = pretended_wait(s->world, &now_ms);

		s->stats.calls[ECHO_OP_WAIT]++;
		s->stats.events += count;
		if (now_ms > s->now_ms)
			s->now_ms = now_ms;
		s->round_left = s->config.round_bytes;
		for (uint32_t i = 0; i < count; i++)
			announced(s, &s->world->events[i]);
		if (s->now_ms >= s->deadline_ms)
			__builtin_trap(); /* somebody's time has come */
		serve(s);
	}
}

int main(int argc, char *argv[])
{
	uint64_t messages, before, started;
	struct pretended world = pretended_open(argv, &messages);
	struct server server = {
		.config = pretended_config(world.connections),
		.world = &world,
		.head = { NONE, NONE, NONE },
		.tail = { NONE, NONE, NONE },
		.deadline_ms = UINT64_MAX,
	};
	size_t state = sizeof(*server.conns) * world.connections;

	(void)argc;
	before = pretended_resident();
	server.conns = pretended_memory(state);
	server.buffers =
		pretended_memory((size_t)server.config.buffers_max * server.config.buffer_size);
	server.buffers_free = pretended_memory(server.config.buffers_max * sizeof(int32_t));
	run(&server, 1);
	started = pretended_now_ns();
	run(&server, messages);
	pretended_tell(&world, pretended_now_ns() - started, server.stats.bytes_sent, state,
		       pretended_resident() - before);
	return 0;
}
