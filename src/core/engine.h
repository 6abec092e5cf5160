/*
 * The engine's own state. Only files of the core include this, and tests that look inside.
 */
#ifndef EPOLL_ECHO_CORE_ENGINE_H
#define EPOLL_ECHO_CORE_ENGINE_H

#include "base.h"
#include "echo.h"
#include "state.h"

/* What takes turns: a connection, whose id is its slot, or the listener, whose id is LISTENER. */
enum queue_name {
	QUEUE_NONE = 0,
	QUEUE_SPARSE, /* took little in its last turns, or never had one: served first */
	QUEUE_BULK
};

enum {
	BULK_PART = 3, /* of a turn: who takes more is bulk */
	BULK_TURNS = 4 /* in a row have to take less, from no work to no work, to end that */
};

struct flow {
	uint32_t next;  /* in its queue; NONE: last */
	int32_t credit; /* budget left in this turn */
	uint8_t queue;
	uint8_t bulk; /* turns that have to take little before it is sparse; 0: it is */
	bool first;   /* in its first turn since it has work */
};

struct queue {
	uint32_t head, tail;
};

/* Deadlines of one length each, so that each list is sorted by itself. */
enum timer {
	TIMER_NONE = 0,
	TIMER_IDLE,   /* no byte has moved for idle_ms */
	TIMER_QUIET,  /* draining, no byte has moved for quiet_ms */
	TIMER_LINGER, /* drain_ms since our FIN */
	TIMER_COUNT
};

struct timer_list {
	uint32_t head, tail;
};

/* How long streams are told from others: each large read or fill adds to the streak, which is at most
 * STREAK_MAX, and each other one halves it. Large is what costs more to copy than a pipe's calls do,
 * and streams that come in bursts still have it. */
enum {
	STREAK_LARGE = 8, /* more than the buffer's part */
	STREAK_LONG = 4,  /* from here on a pipe is worth its calls */
	STREAK_MAX = 8,
	STREAK_NEVER = UINT8_MAX /* it cannot be moved through a pipe */
};

struct conn {
	struct flow flow;
	uint32_t generation;
	int32_t handle;
	uint32_t buffer;     /* of the pool; PIPED, PURGING: the pipe; NONE: holds none */
	uint32_t start, end; /* SENDING, PIPED, PEEKED: owed. CONSUMING, PURGING: to be removed */
	uint32_t timer_prev, timer_next;
	uint64_t deadline_ms;
	uint32_t unacked; /* seen at the last check, and so ever since; 0: none was made */
	uint16_t latched; /* ECHO_*: readiness announced and not yet spent */
	uint16_t needs;   /* what has to be latched for what there is to do: it follows from */
	uint8_t op;       /* the state and the two flags below, as this does */
	uint8_t state;
	uint8_t timer;
	uint8_t reason;
	bool checking; /* idle as far as we can see: does the peer take what it is owed? */
	bool ending;   /* RECEIVING: look once more for unread bytes, and end the stream if none */
	bool look;     /* a fill has told all that it can: a read comes next */
	uint8_t streak;
};

/* A connection at rest is one cache line, and a message touches no other. */
#define CONN_SIZE 64u
_Static_assert(sizeof(struct conn) <= CONN_SIZE, "a slot is at most one cache line");

union slot {
	struct conn conn;
	uint8_t line[CONN_SIZE];
};

enum listener_state {
	LISTENER_WATCHED = 1,
	LISTENER_PAUSING, /* to be taken out of the interest list */
	LISTENER_PAUSED,
	LISTENER_RESUMING, /* to be put back */
	LISTENER_CLOSING,
	LISTENER_CLOSED
};

struct listener {
	struct flow flow;
	enum listener_state state;
	bool acceptable; /* announced, and not yet spent */
	bool room;       /* a connection closed since accepting paused */
	uint32_t failures;
	uint32_t backlog; /* draining: connections that may still be accepted */
	uint64_t retry_at_ms, retry_delay_ms;
};

/* Which of some numbered things are in use. Of those never used, none is touched. */
struct pool {
	uint32_t *free; /* stack of those that were used and given back */
	uint32_t max, fresh, free_count, used, lost;
};

struct echo_engine {
	struct echo_config config;

	union slot *slots;
	uint32_t slots_fresh; /* slots from here on were never used, nor touched */
	uint32_t slots_free;  /* list through flow.next */
	uint32_t connections;

	uint8_t *scratch;
	uint8_t *buffer_bytes;
	struct pool buffers, pipes;

	struct listener listener;
	struct queue queues[QUEUE_BULK + 1];
	struct timer_list timers[TIMER_COUNT];
	int64_t round_left, sparse_left; /* until a wait has to come; a bulk turn */

	uint64_t now_ms;
	uint64_t report_at_ms;
	uint64_t part_at_ms;  /* draining: streams end even if the peer is not quiet; NEVER: no */
	uint64_t drain_at_ms; /* end of the drain timeout; NEVER: not draining */
	bool draining, parting;
	bool report;
	enum echo_ending ending;

	struct echo_action action; /* the next one, */
	uint32_t id;               /* and whose it is */
};

static inline struct conn *conn_at(const struct echo_engine *e, uint32_t id)
{
	return &e->slots[id].conn;
}

/* Whose turns they are: a connection's, or the listener's. */
static inline struct flow *flow_at(struct echo_engine *e, uint32_t id)
{
	return id == LISTENER ? &e->listener.flow : &conn_at(e, id)->flow;
}

/* Is there anything that it can do? */
static inline bool conn_works(const struct conn *conn)
{
	return (conn->latched & conn->needs) == conn->needs;
}

/* queue.c: who is served next. The front of a queue has its flow with it. */
void queue_init(struct echo_engine *e);
enum queue_name queue_next(
	const struct echo_engine *e);       /* whose front it is; NONE: nobody has work */
bool queue_spent(const struct flow *front); /* has it used up its turn? */

/* It has work; no change if it is queued. */
void queue_add(struct echo_engine *e, uint32_t id, struct flow *flow);

/* Of the front: what it did costs so much, of its turn and of the round; it has no work left; it goes
 * to the end of the line; it is gone. */
void queue_charge(struct echo_engine *e, struct flow *front, uint32_t cost);
void queue_drained(struct echo_engine *e, enum queue_name which, struct flow *front);
void queue_turn_over(struct echo_engine *e, enum queue_name which, struct flow *front);
void queue_drop(struct echo_engine *e, struct flow *front);

/* timer.c: deadlines of connections */
void timer_init(struct echo_engine *e);
void timer_set(struct echo_engine *e, uint32_t id, enum timer timer);  /* from now; NONE: stop */
uint32_t timer_expired(const struct echo_engine *e, enum timer timer); /* NONE: none */
uint64_t timer_next(const struct echo_engine *e);

/* pool.c: buffers, and pipes */
bool pool_empty(const struct pool *pool);
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t which);
void pool_lose(struct pool *pool); /* who has one will not give it back */
uint8_t *buffer_data(const struct echo_engine *e, uint32_t buffer); /* NONE: the scratch buffer's */

/* conn.c: what a connection can do now, and what comes of it */
void conn_plan(struct echo_engine *e, uint32_t id); /* what it can do is to be done next */
bool conn_decided(const struct conn *conn);         /* invariant: `op` and `needs` are right */
void conn_complete(struct echo_engine *e, uint32_t id, enum echo_op op,
		   const struct echo_result *result);
void conn_open(struct echo_engine *e, int32_t handle);
void conn_event(struct echo_engine *e, const struct echo_event *event);
void conn_expire(struct echo_engine *e, uint32_t id, enum timer timer);
void conn_drain(struct echo_engine *e, uint32_t id);
void conn_part(struct echo_engine *e, uint32_t id);
void conn_cut(struct echo_engine *e, uint32_t id, enum echo_reason reason);
bool conn_has_room(const struct echo_engine *e);

/* listener.c: accepting, and when not to */
void listener_init(struct echo_engine *e);
enum echo_op listener_op(const struct echo_engine *e);
void listener_announced(struct echo_engine *e);
void listener_tick(struct echo_engine *e);           /* the clock moved, or a connection closed */
uint64_t listener_next(const struct echo_engine *e); /* when to tick again; NEVER */
void listener_complete(struct echo_engine *e, enum echo_op op, const struct echo_result *result);
void listener_drain(struct echo_engine *e);
void listener_cut(struct echo_engine *e);

#endif
