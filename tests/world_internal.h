/*
 * The state of a world, and what its files do for each other. Only world*.c include this.
 *
 * Time in a world is told twice: now_ms is what its kernel and peers go by, told_ms what the engine
 * was told last. The engine is judged by what it was told.
 */
#ifndef EPOLL_ECHO_TESTS_WORLD_INTERNAL_H
#define EPOLL_ECHO_TESTS_WORLD_INTERNAL_H

#include "world.h"

#include "core/echo.h"

#define NEVER   UINT64_MAX
#define NO_MARK UINT64_MAX

enum {
	LISTENER = WORLD_PEERS_MAX, /* its id, where those of peers are their numbers */
	READY_MAX = WORLD_PEERS_MAX + 1,
	EVENTS_MAX = 16,
	STALE_MAX = 8, /* tokens of closed connections that are remembered */
	HANDLE_FIRST = 5,
	GUARD = 64, /* bytes on each side of the engine's memory */
	GUARD_BYTE = 0xa5,
	AMPLE_MS = 20000000 /* a drain timeout that no peer who reads and ends can miss */
};

enum ending { ENDING_HALF_CLOSE, ENDING_ABANDON, ENDING_NONE };

enum stage {
	STAGE_ABSENT,  /* will connect */
	STAGE_BACKLOG, /* connected, not accepted */
	STAGE_OPEN,    /* the server has its handle */
	STAGE_CLOSED,  /* had */
	STAGE_REFUSED  /* never had: the listener was closed, or the connection lost in accept */
};

struct peer {
	/* Its manners. */
	uint64_t total, reset_at_ms;
	uint32_t chunk_max, pace_ms;
	enum ending ending;
	uint32_t sip; /* bytes that it reads at a time, at most */
	bool silent, stubborn;

	/* Its connection: positions in the stream that it sends, and in the one that it gets. */
	enum stage stage;
	uint64_t sent, taken, written, got;
	uint64_t mark; /* of the urgent byte; NO_MARK: none is unread */
	uint64_t in_max, out_max, window;
	bool fin, departed; /* it ended its stream; and will not read either */
	bool shut, acked;   /* the server's FIN is sent; and acknowledged */
	bool reset, eof;
	bool signalled;   /* a read at this mark met a signal: once is enough */
	bool nospace;     /* a write met a full buffer: SOCK_NOSPACE */
	uint64_t wake_ms; /* announces room that a fault had denied */

	/* Its timetable. */
	uint64_t next_ms, read_from_ms;
	uint32_t tries;

	/* The server's side of it, as the kernel and the judge know it. */
	int32_t handle;
	uint64_t token;
	bool watched, queued;
	uint64_t shown;               /* end of what was peeked */
	bool told_end, told_empty;    /* by the last read */
	enum echo_outcome failure;    /* by which a call ended it */
	uint64_t opened_ms, moved_ms; /* when bytes moved last; */
	uint64_t armed_ms, shut_ms;   /* when anything did; when it sent FIN */
	uint64_t took_ms;             /* when the peer last acknowledged something */
	uint64_t lingers_ms;          /* when it sent FIN, or something came after that */
	bool parted;                  /* it sent FIN though the peer had not ended */
	bool idled;                   /* a wait found it idle, and without anything to do */
	bool yields;                  /* a wait found it lingering in the way of others */
	bool asked, inert;            /* how far the peer is was asked; and it had not moved */
	uint64_t left;                /* what was answered */
	uint64_t sent_at_stop;
	bool waits_at_stop;
	enum echo_reason reason;
	bool orderly;        /* closed without a reset */
	uint64_t starved;    /* what others were given while this one had work */
	uint64_t busy;       /* what it was given in a row, without running out of work */
	uint64_t given;      /* what it was given since it rested */
	uint32_t bulk;       /* rests, after it was given little, until it is sparse */
	uint64_t bulk_first; /* what bulk peers were given while it was due, */
	uint64_t rest_first; /* and what all the others were */
	enum { SPARSE_NOT, SPARSE_RESTED, SPARSE_DUE } sparse;
};

struct world {
	const struct world_family *family;
	struct world_verdict verdict;
	FILE *trace;
	uint64_t random, now_ms, told_ms;

	struct echo_config config;
	size_t size;
	uint8_t *block, *memory, *twin_memory;
	struct echo_engine *engine, *twin;

	struct peer peers[WORLD_PEERS_MAX];
	uint32_t peers_count, connections, descriptors;
	int32_t owners[WORLD_PEERS_MAX]; /* of handles; -1: free */
	int32_t backlog[WORLD_PEERS_MAX];
	uint32_t backlog_count, backlog_max;
	bool listening, listener_watched, listener_queued;
	uint32_t late; /* accepted after the request to stop */
	uint64_t paused_ms;

	int32_t ready[READY_MAX];
	uint32_t ready_count;
	struct echo_event events[EVENTS_MAX];
	uint64_t stale[STALE_MAX], last_token[WORLD_PEERS_MAX];
	bool slot_used[WORLD_PEERS_MAX];
	uint32_t stale_count;
	bool unheard; /* it is not to be believed that the listener is paused */
	uint32_t accept_fails;
	uint32_t lost; /* connections in a row that accept lost */

	uint64_t exhausted_until_ms, accept_from_ms, retry_ms;
	bool closed_since;
	uint64_t stop_at_ms, stopped_ms; /* when to ask it to stop; NEVER: not asked yet */
	bool report;
	enum echo_ending expected;
	bool waiting; /* the engine will be told the time once more before it acts */
	uint64_t round, fruitless;
	uint32_t round_bulk; /* calls of those that take much since the last wait */
	bool peeked;         /* by the last action */
	uint32_t lonely;
};

static inline int number(const struct world *w, const struct peer *p)
{
	return (int)(p - w->peers);
}

static inline bool asked_to_stop(const struct world *w)
{
	return w->stopped_ms != NEVER;
}

static inline bool idle_for(const struct world *w, uint64_t since_ms, uint64_t limit_ms)
{
	return w->told_ms - since_ms >= limit_ms;
}

static inline bool drain_over(const struct world *w)
{
	return asked_to_stop(w) && idle_for(w, w->stopped_ms, w->config.drain_ms);
}

static inline uint64_t parts_ms(const struct world *w)
{
	return w->stopped_ms + w->config.drain_ms - w->config.drain_ms / 4;
}

/* The last quarter of the drain timeout. */
static inline bool parting(const struct world *w)
{
	return asked_to_stop(w) && w->told_ms >= parts_ms(w);
}

static inline struct echo_result outcome(enum echo_outcome outcome)
{
	return (struct echo_result){ .outcome = outcome, .handle = -1 };
}

/* world_begin.c: the draw of a world */
bool world_begin(struct world *w); /* false: no memory */

/* world_chance.c: all that is random, and the bytes of the streams */
uint64_t mix(uint64_t x);
uint64_t below(struct world *w, uint64_t bound);
uint64_t between(struct world *w, uint64_t least, uint64_t most);
uint64_t spread(struct world *w, uint64_t least, uint64_t most); /* small as often as large */
bool odds(struct world *w, uint32_t per_thousand);
uint8_t byte_at(int peer, uint64_t position);

/* world_peers.c: what peers do, and when */
bool peer_connected(const struct peer *p);
void peer_stir(struct world *w, struct peer *p); /* the server did something to it */
void peers_act(struct world *w);                 /* those whose time has come */
uint64_t peers_next_ms(const struct world *w);   /* when something happens by itself; NEVER */

/* world_socket.c: connections as the kernel keeps them, and the calls on them */
uint64_t socket_unread(const struct peer *p);
uint64_t socket_acknowledged(const struct peer *p); /* position in the stream to the peer */
uint64_t socket_unacked(const struct peer *p);
bool socket_writable(const struct peer *p);
uint32_t socket_readiness(struct peer *p);
bool socket_moves_bytes(enum echo_op op);
struct echo_result socket_perform(struct world *w, struct peer *p,
				  const struct echo_action *action);

/* world_listener.c: the backlog, and the calls on the listener */
struct echo_result listener_perform(struct world *w, enum echo_op op);

/* world_epoll.c: the ready list */
void epoll_wake(struct world *w, struct peer *p);
void epoll_wake_writer(struct world *w, struct peer *p); /* if it found no room, and now there is */
void epoll_wake_listener(struct world *w);
void epoll_forget(struct world *w, int32_t id);
bool epoll_reportable(struct world *w);
uint32_t world_epoll_collect(struct world *w, uint32_t events_max); /* into w->events */

/* world_wait.c: waiting, and what the engine is told after it */
struct echo_result wait_perform(struct world *w, const struct echo_action *action);

/* world_judge.c: what must hold of the engine while it waits, after each step, and at the end */
__attribute__((format(printf, 3, 4))) void broken(struct world *w, const char *oracle,
						  const char *format, ...); /* the first counts */
void require(struct world *w, const struct peer *p, bool fact, const char *oracle);
bool judge_spoiled(const struct peer *p);
bool judge_polite(const struct peer *p);
bool judge_owes(const struct peer *p);
const char *judge_undone(const struct peer *p);
void judge_rest(struct world *w, int32_t timeout_ms);
void judge_idled(struct world *w);
void judge_asked(struct world *w, struct peer *p);
void judge_engine(struct world *w);
void judge_quiet(struct world *w);
void judge_end(struct world *w);

/* world_judge_action.c: is it an action that the connection is in a state for? */
void judge_action(struct world *w, struct peer *p, const struct echo_action *action);

/* world_judge_turns.c: is everybody served in turn, and no turn too long? */
void judge_rested(const struct world *w, struct peer *p);
void judge_spent(struct world *w, struct peer *served, const struct echo_action *action,
		 const struct echo_result *result); /* `served`: NULL for the listener */

#endif
