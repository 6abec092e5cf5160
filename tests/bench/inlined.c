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

#define INLINE inline __attribute__((always_inline))

/* What a connection has to be ready for is the state that it is in. */
enum { TO_READ = ECHO_IN | ECHO_OUT, TO_WRITE = ECHO_OUT };
enum queue_name { UNQUEUED, SPARSE, BULK };

enum { BULK_PART = 3, BULK_TURNS = 4, STREAK_LARGE = 8, STREAK_LONG = 4 };

struct conn {
	_Alignas(64) uint64_t token; /* a slot that is free or used again has another */
	int32_t next;
	int32_t credit, handle, buffer;
	uint32_t start, end, unacked;
	uint16_t latched, wants;
	uint8_t queue, bulk, streak;
	bool first;
};

struct queue {
	int32_t head, tail;
};

struct server {
	struct echo_config config;
	struct echo_stats stats;
	struct pretended *world;
	struct conn *conns;
	uint8_t *buffers;
	int32_t *buffers_free;
	uint32_t buffers_free_count, buffers_fresh, conns_fresh;
	struct queue queues[BULK + 1];
	int32_t round_left, sparse_left;
	uint64_t now_ms, deadline_ms; /* the earliest of all */
	bool timed;                   /* there is an idle timeout, or it drains */
};

static INLINE void push(struct server *s, enum queue_name which, int32_t id)
{
	struct queue *queue = &s->queues[which];
	struct conn *conn = &s->conns[id];

	conn->next = NONE;
	conn->queue = (uint8_t)which;
	if (queue->tail == NONE)
		queue->head = id;
	else
		s->conns[queue->tail].next = id;
	queue->tail = id;
}

static INLINE void pop(struct queue *queue, struct conn *conn)
{
	queue->head = conn->next;
	if (conn->next == NONE)
		queue->tail = NONE;
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
				       .token = (conn->token | UINT32_MAX) + 1 + id,
				       .wants = TO_READ };
		s->stats.calls[ECHO_OP_WATCH]++;
		pretended_watch(s->world, handle, conn->token);
	}
}

static uint32_t implied(uint32_t readiness)
{
	if ((readiness & READ_READY) != 0)
		readiness |= ECHO_IN;
	if ((readiness & WRITE_READY) != 0)
		readiness |= ECHO_OUT;
	return readiness & READINESS;
}

static INLINE void announced(struct server *s, const struct echo_event *event)
{
	uint32_t id = (uint32_t)event->token, readiness = event->readiness;
	struct conn *conn;

	if (id >= s->conns_fresh) {
		if (event->token == ECHO_TOKEN_LISTENER)
			accept_all(s);
		return;
	}
	conn = &s->conns[id];
	if (conn->token != event->token)
		return; /* it was for the slot's former owner */
	if ((readiness & ~(unsigned)(ECHO_IN | ECHO_OUT)) != 0)
		readiness = implied(readiness);
	conn->latched |= (uint16_t)readiness;
	if (conn->queue != UNQUEUED || (conn->latched & conn->wants) != conn->wants)
		return;
	conn->credit = (int32_t)s->config.turn_bytes;
	conn->first = true;
	push(s, conn->bulk > 0 ? BULK : SPARSE, (int32_t)id);
}

/* A byte has moved: the idle timeout, and the quiet one of a server that drains, begin anew. */
static INLINE void moved(struct server *s, struct conn *conn)
{
	conn->unacked = 0;
	if (s->timed)
		__builtin_trap();
}

static INLINE int32_t take_buffer(struct server *s)
{
	if (s->buffers_free_count > 0)
		return s->buffers_free[--s->buffers_free_count];
	if (s->buffers_fresh == s->config.buffers_max)
		__builtin_trap(); /* it would peek */
	return (int32_t)s->buffers_fresh++;
}

static INLINE uint8_t *buffer_at(const struct server *s, int32_t buffer)
{
	return s->buffers + (size_t)buffer * s->config.buffer_size;
}

/* How many bytes it was. */
static INLINE uint32_t read_some(struct server *s, struct conn *conn)
{
	int32_t buffer = take_buffer(s);
	uint32_t most = s->config.buffer_size;
	uint32_t count = pretended_read(s->world, conn->handle, buffer_at(s, buffer), most);

	if (count - 1 >= most)
		__builtin_trap(); /* the end, or an error */
	s->stats.calls[ECHO_OP_READ]++;
	s->stats.bytes_received += count;
	conn->buffer = buffer;
	conn->start = 0;
	conn->end = count;
	conn->wants = TO_WRITE;
	if (count <= most / STREAK_LARGE)
		conn->streak /= 2;
	else if (++conn->streak == STREAK_LONG)
		__builtin_trap(); /* it would take a pipe */
	if (count < most && (conn->latched & SLOW_READ) == 0)
		conn->latched &= (uint16_t)~ECHO_IN;
	moved(s, conn);
	return count;
}

static INLINE uint32_t write_some(struct server *s, struct conn *conn)
{
	uint32_t owed = conn->end - conn->start;
	uint32_t count = pretended_write(s->world, conn->handle,
					 buffer_at(s, conn->buffer) + conn->start, owed);

	if (count - 1 >= owed)
		__builtin_trap();
	s->stats.calls[ECHO_OP_WRITE]++;
	s->stats.bytes_sent += count;
	moved(s, conn);
	if (count == owed) {
		s->buffers_free[s->buffers_free_count++] = conn->buffer;
		conn->wants = TO_READ;
		return count;
	}
	conn->start += count;
	if ((conn->latched & SLOW_WRITE) == 0)
		conn->latched &= (uint16_t)~ECHO_OUT;
	return count;
}

/* Did it take much? */
static INLINE bool end_turn(struct server *s, enum queue_name which, struct conn *conn)
{
	uint32_t used = s->config.turn_bytes - (uint32_t)conn->credit;
	bool much = used > s->config.turn_bytes / BULK_PART;

	pop(&s->queues[which], conn);
	if (which == BULK && used > 0)
		s->sparse_left = (int32_t)s->config.turn_bytes;
	if (which == SPARSE && !much && s->queues[BULK].head != NONE)
		s->sparse_left -= (int32_t)used;
	return much;
}

/* The turn of the front; false when the round is over before it. */
static INLINE bool take_turn(struct server *s, enum queue_name which, int32_t id)
{
	struct conn *conn = &s->conns[id];

	while ((conn->latched & conn->wants) == conn->wants) {
		uint32_t cost = ECHO_CALL_COST;

		if (s->round_left <= 0)
			return false;
		if (conn->credit <= 0) {
			end_turn(s, which, conn);
			conn->credit = (int32_t)s->config.turn_bytes;
			conn->first = false;
			conn->bulk = BULK_TURNS;
			push(s, BULK, id);
			return s->round_left > 0;
		}
		cost += conn->wants == TO_WRITE ? write_some(s, conn) : read_some(s, conn);
		conn->credit -= (int32_t)cost;
		s->round_left = which == BULK ? 0 : s->round_left - (int32_t)cost;
	}
	if (end_turn(s, which, conn) && conn->first)
		conn->bulk = BULK_TURNS;
	else if (conn->first && conn->bulk > 0)
		conn->bulk--;
	return s->round_left > 0;
}

/* Turns, until nobody has work or the round is over. */
static INLINE void serve(struct server *s)
{
	enum queue_name which;
	int32_t id;

	do {
		which = SPARSE;
		id = s->queues[SPARSE].head;
		if (s->queues[BULK].head != NONE && (id == NONE || s->sparse_left <= 0)) {
			which = BULK;
			id = s->queues[BULK].head;
		}
	} while (id != NONE && take_turn(s, which, id));
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
		s->round_left = (int32_t)s->config.round_bytes;
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
		.queues = { { NONE, NONE }, { NONE, NONE }, { NONE, NONE } },
		.deadline_ms = UINT64_MAX,
	};
	size_t state = sizeof(*server.conns) * world.connections;

	(void)argc;
	server.sparse_left = (int32_t)server.config.turn_bytes;
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
	pretended_close(&world);
	return 0;
}
