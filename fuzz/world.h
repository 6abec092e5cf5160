/*
 * The hostile world: an input (src/steps/steps.h) says what comes of each action, and any result
 * may come of any action. What the engine was told is kept for each connection, and the judge holds
 * the engine to it: to what it promises of the bytes, to what it may do and when, and to doing it.
 *
 * When the input is over the world turns kind: peers take everything and end their streams, and the
 * engine, asked to stop, has to come to its end.
 *
 * Streams are positions, not bytes: what a peer sends at a position follows from both, so any byte
 * that is lost, doubled, or another's shows where it is written; in buffers of WORLD_STAMPED_MIN
 * bytes and more, where it is one of the WORLD_STAMP_SIZE that are looked at in every
 * WORLD_STAMP_EVERY, or has moved one.
 */
#ifndef EPOLL_ECHO_FUZZ_WORLD_H
#define EPOLL_ECHO_FUZZ_WORLD_H

#include "core/echo.h"
#include "steps/steps.h"

enum {
	WORLD_ACCEPTS_MAX = STEPS_ACCEPTS_MAX,
	WORLD_ACTIONS_MAX = 8192, /* of an input, and one for each of its bytes */
	WORLD_HANDLE_FIRST = 5,
	WORLD_STAMPED_MIN = 4096, /* bytes of a buffer that is large */
	WORLD_STAMP_EVERY = 1024,
	WORLD_STAMP_SIZE = 64,
	WORLD_MARGIN = 64,        /* bytes after the engine's memory that stay zero */
	WORLD_WINDING_MAX = 2048, /* actions until a kind world has seen the end */
};

/* What the engine was told of a connection that is open, and what it did about it. */
struct told {
	uint64_t token;
	uint32_t number; /* in the order of acceptance */
	bool open, named, watched;

	/* Positions in the stream: removed from the socket, shown by a peek, sent back. */
	uint64_t taken, shown, written;
	bool ended;     /* the peer's stream has */
	bool shut;      /* ours has */
	bool parted;    /* ours had, when the peer's had not */
	bool acked;     /* nothing was unacknowledged, after the end */
	bool abandoned; /* something was, and ERR had been announced */
	enum echo_outcome failure;

	/* Long streams: what was received and not sent is in this pipe. */
	bool piped;
	int32_t pipe;
	uint64_t purged; /* of it, when the connection was given up */
	bool purging;
	uint32_t streak; /* how long the stream is by what was received (ECHO-160) */
	bool look;       /* a fill stopped, and it is not known why: a read is to tell */
	bool unpipeable;

	/* Readiness: announced, and no call since has proved that it is spent (ECHO-22,
	 * ECHO-23). */
	bool in, out;
	uint32_t announced;
	bool empty;    /* the last receiving call would have blocked */
	bool may_look; /* whether there is something to discard, announced or not: once */

	/* Time, as the engine was told it. */
	uint64_t moved_ms;  /* bytes moved, or it was registered */
	uint64_t armed_ms;  /* anything happened, or it had work while time passed */
	uint64_t shut_ms;   /* we sent FIN, */
	uint64_t linger_ms; /* or something was discarded after it */
	uint64_t left;      /* the last answer about what is unacknowledged; */
	bool asked, inert;  /* there was one since bytes moved; it was the same twice */
	bool idled;         /* a wait found it idle, with nothing to do for it */
	bool yields;        /* a wait found it lingering in the way of others */

	/* Turns (judge_turns.c). */
	uint64_t starved, busy;
	uint64_t given;      /* since it rested */
	bool much;           /* that was so much, once, that it may count as bulk */
	uint32_t bulk;       /* rests, after having taken little, until it is sparse */
	uint64_t bulk_first; /* what bulk ones took while it was due, */
	uint64_t rest_first; /* and what all the others did */
	uint64_t ahead;      /* who was served while it waits: a bit for each handle, */
	uint32_t newcomers;  /* who was accepted meanwhile, */
	bool listener_ahead; /* and whether the listener was served */
	enum { SPARSE_NOT, SPARSE_RESTED, SPARSE_DUE } sparse;
	const struct told *rival; /* who was served last while it rests, */
	uint64_t rival_spent;     /* and has spent so much without a break */

	/* The kernel's side, in a plausible world. */
	uint64_t arrived; /* sent by the peer */
	bool fin;
};

struct world {
	struct steps input;
	struct step step; /* the last one that was an answer */
	bool over;

	/* What a target may set after world_open(). */
	bool plausible; /* results are what some kernel could give: see world_plausible.c */
	bool unjudged;  /* whoever observes is the only judge */
	void (*accepted_one)(const struct told *c);
	void (*observe)(const struct told *c, const struct echo_action *action,
			const struct echo_result *result);

	struct echo_config config;
	size_t size;
	struct echo_engine *engine;
	struct echo_stats stats, counted; /* as echo_observe() counts, and as we do */
	uint64_t accepted, closed;
	uint64_t pipes_lost; /* a bit for each */
	uint64_t actions, actions_most, winding;

	struct told conns[STEPS_CONNECTIONS_MAX]; /* by handle */
	uint32_t conns_used, conns_open;
	uint64_t tokens[WORLD_ACCEPTS_MAX]; /* by number; ECHO_TOKEN_LISTENER: not known yet */
	uint64_t slot_tokens[STEPS_CONNECTIONS_MAX];
	bool slot_used[STEPS_CONNECTIONS_MAX];

	/* The listener. */
	bool listening, acceptable;
	bool paused, heard; /* it left the interest list; and was heard of all the same */
	bool backing_off;   /* accepting failed, and is to be paused */
	bool closed_since;  /* since accepting paused */
	bool emptied;       /* no more waits in the backlog, as seen after the request to stop */
	uint32_t lost, late;
	uint64_t retry_at_ms, retry_delay_ms;

	/* Time and requests. */
	uint64_t clock_ms, now_ms; /* the world's, and the last that the engine was told */
	bool stopping;
	uint64_t stopped_ms, report_at_ms;
	bool report_due;
	enum echo_ending expected;
	uint32_t idle_waits;       /* in a row, without a timeout and without work */
	uint64_t wakes_at_ms;      /* the last wait was not to last longer; NEVER: it had no end */
	bool acted;                /* since, or there was a reason to wake */
	uint64_t round;            /* spent since the last wait */
	uint32_t round_bulk;       /* calls of those that take much, meanwhile; */
	bool round_ends;           /* there was one of somebody who may count as one of these */
	bool peeked;               /* by the last action */
	uint64_t listener_starved; /* what others spent while somebody could be accepted */

	struct echo_event events[STEPS_EVENTS_MAX];
	uint32_t next_kind; /* where a kind wait goes on with its events */
};

extern uint64_t fuzz_steps; /* actions of all worlds so far, for who measures */

/* Makes a world of an input, with its engine. False: it is no run. There is one world; the last
 * one's engine is gone. */
bool world_open(struct world **world, const uint8_t *data, size_t size);

/* Performs the engine's next action, and judges. False: the engine has stopped. */
bool world_step(struct world *w);

/* The rest of the run, to its end. */
void world_run(struct world *w);

/* world_answer.c: what comes of an action */
struct echo_result world_answer(struct world *w, struct told *c, const struct echo_action *action);

/* world_plausible.c: moves a result to what a kernel could give */
void world_plausible(struct told *c, const struct echo_action *action, struct echo_result *result);

/* world_told.c: what the engine knows after it */
void world_told(struct world *w, struct told *c, const struct echo_action *action,
		const struct echo_result *result);
void world_told_event(struct told *c, uint32_t readiness);
bool world_moves_bytes(enum echo_op op);
bool world_pipes(enum echo_op op); /* through a pipe, or out of one */

/* The bytes of a stream from a position on; good for STEPS_BUFFER_SIZE_MAX of them. */
const uint8_t *world_bytes(uint32_t number, uint64_t position);

/* What the peer sends, put into the engine's memory; and is it that what the engine sends? In
 * buffers that are large a stamp in every WORLD_STAMP_EVERY bytes stands for all of them. */
void world_fill(const struct world *w, const struct told *c, uint8_t *data, uint32_t length);
bool world_same(const struct world *w, const struct told *c, const uint8_t *data, uint32_t length);

/* What is left to do for a connection, by all that the engine was told; NULL: nothing. */
const char *judge_undone(const struct told *c);

bool judge_owes(const struct told *c);
bool judge_idle(const struct world *w, const struct told *c);
bool judge_parting(const struct world *w);
bool judge_drain_over(const struct world *w);

/* judge.c: while the engine waits, after each of its steps, and at its end */
void judge_wait(struct world *w, const struct echo_action *action);
void judge_waited(struct world *w);
void judge_step(struct world *w);
void judge_memory(const uint8_t *margin);
void judge_end(struct world *w);

/* judge_action.c, judge_listener.c: is it an action that there is a reason for? */
void judge_action(const struct world *w, const struct told *c, const struct echo_action *action);
void judge_listener(struct world *w, const struct echo_action *action);

/* judge_turns.c: is everybody served in turn, and no turn too long? */
void judge_spent(struct world *w, struct told *served, const struct echo_action *action,
		 const struct echo_result *result);
void judge_rested(struct world *w);
bool judge_round_over(const struct world *w);

/* `fact` holds of the connection, or `name` is what was found. */
#define REQUIRE(c, fact, name) ((fact) ? (void)0 : judge_found(c, name, #fact))
__attribute__((noreturn)) void judge_found(const struct told *c, const char *name,
					   const char *fact);

#endif
