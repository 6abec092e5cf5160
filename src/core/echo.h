/*
 * The echo server as a pure state machine: no system call, no clock, no heap, no errno, no static
 * state, no callback. It is asked for the next action, somebody performs it, and tells what came
 * of it:
 *
 *	struct echo_engine *engine = echo_init(memory, size, &config);
 *	struct echo_action action;
 *	struct echo_result result;
 *
 *	while (echo_next(engine, &action)) {             what to do now: one system call
 *		result = perform(&action);               whoever has sockets, or pretends to
 *		echo_complete(engine, &action, &result); what came of it
 *	}
 *
 * echo_next() changes nothing: asked twice, it gives the same action. The same configuration and
 * the same results in the same order give the same actions (ECHO-101).
 *
 * Memory: the caller brings all of it once, and echo_memory_size() tells how much. The engine
 * writes to no part of it before that part is used, so untouched pages stay untouched.
 *
 * Errors: any result that this header names may be given for any action, in any order; none of
 * them is a mistake (ECHO-102). What the engine asserts, and traps on, is the caller's side of the
 * bargain: that an action is completed once, and with a count that is at most what it asked for.
 */
#ifndef EPOLL_ECHO_CORE_ECHO_H
#define EPOLL_ECHO_CORE_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of a configuration; echo_memory_size() refuses what is outside. */
#define ECHO_CONNECTIONS_LIMIT (1u << 24)
#define ECHO_BUFFERS_LIMIT     (1u << 24)
#define ECHO_BUFFER_SIZE_LIMIT (1u << 24)
#define ECHO_PIPES_LIMIT       (1u << 16)
#define ECHO_BUDGET_LIMIT      (1u << 30)
#define ECHO_BACKLOG_LIMIT     (1u << 24)
#define ECHO_EVENTS_LIMIT      4096u
#define ECHO_RETRY_LIMIT_MS    UINT32_MAX

/* What an action costs besides its bytes, in the currency of the byte budgets: without it, calls
 * that transfer nothing would be free, and a turn without bound. */
#define ECHO_CALL_COST   512u
#define ECHO_ACCEPT_COST 8192u

/* Accepts in a row that may fail because of the connection before accepting pauses: such failures
 * are to be passed over (ECHO-53), but a listener that gives nothing else must not be spun on. */
#define ECHO_ACCEPT_FAILURES_MAX 64u

struct echo_config {
	uint32_t connections_max; /* slots; at least 1 */
	uint32_t buffers_max;     /* buffers in the pool; 0: every connection echoes without one */
	uint32_t buffer_size;     /* bytes of a buffer, and of the scratch buffer; at least 1 */
	uint32_t pipes_max;       /* pipes for long streams, of buffer_size bytes each; 0: none */
	uint32_t turn_bytes;      /* budget of one turn of a connection; at least 1 */
	uint32_t round_bytes;     /* budget of all turns between two waits; at least 1 */
	uint32_t backlog_max;     /* connections accepted after a request to stop; at least 1 */
	uint32_t events_max;      /* events that one wait may bring; at least 1 */
	uint32_t generation_bits; /* width of generations, 1 to 32: model checkers want few */
	uint64_t idle_ms;         /* a connection without traffic for so long is ended; 0: never */
	uint64_t drain_ms;        /* from the request to stop, or from our FIN, to the cut */
	uint64_t quiet_ms;        /* draining: without traffic for so long, a stream has ended */
	uint64_t retry_min_ms;    /* accepting paused: the first delay before it is tried again; */
	uint64_t retry_max_ms;    /* it doubles up to this one (100 and 1000 in ECHO-52) */
	uint64_t report_ms;       /* a report is due each time so much has passed; 0: on request */
};

/* Readiness, with the values of EPOLLIN and so on in <sys/epoll.h>. */
enum {
	ECHO_IN = 0x001,
	ECHO_PRI = 0x002,
	ECHO_OUT = 0x004,
	ECHO_ERR = 0x008,
	ECHO_HUP = 0x010,
	ECHO_RDHUP = 0x2000
};

/*
 * A token names one connection once: the slot in the low 32 bits, its generation in the high ones.
 * A slot that is used again has another generation, so an event for its former owner misses.
 */
#define ECHO_TOKEN_LISTENER UINT64_C(0xffffffff)

struct echo_event {
	uint64_t token;
	uint32_t readiness; /* any of ECHO_IN ... ECHO_RDHUP; other bits are ignored */
};

/* Requests from outside that a wait may bring. */
enum {
	ECHO_REQUEST_STOP = 1u,   /* drain; while draining: stop at once */
	ECHO_REQUEST_REPORT = 2u, /* print the statistics */
	ECHO_REQUEST_ABORT = 4u   /* stop at once */
};

/*
 * What to do. Each action carries all that it takes: `handle` is what accept brought, `token` names
 * the connection, and the fields that an action uses stand behind its name.
 */
enum echo_op {
	ECHO_OP_NONE = 0, /* never given */
	ECHO_OP_WAIT,     /* timeout_ms (-1: for ever), events_max */
	ECHO_OP_ACCEPT,   /* accept one connection */
	ECHO_OP_PAUSE,    /* stop watching the listener */
	ECHO_OP_RESUME,   /* watch it again */
	ECHO_OP_UNLISTEN, /* close the listener */
	ECHO_OP_WATCH,    /* handle, token: register, edge-triggered, for IN|OUT|RDHUP|PRI */
	ECHO_OP_READ,     /* handle, data, length: receive up to length bytes */
	ECHO_OP_PEEK,     /* handle, data, length: the same, and leave them in the socket */
	ECHO_OP_WRITE,    /* handle, data, length: send up to length bytes */
	ECHO_OP_CONSUME,  /* handle, data (scratch), length: remove what was peeked and written */
	ECHO_OP_DISCARD,  /* handle, data (scratch), length: remove up to length bytes, unechoed */
	ECHO_OP_UNACKED,  /* handle: how many bytes has the peer not acknowledged yet? */
	ECHO_OP_SHUTDOWN, /* handle: end our direction with FIN */
	ECHO_OP_CLOSE,    /* handle, reason: close; whatever comes of it, the handle is gone */
	ECHO_OP_REPORT,   /* print the statistics */
	ECHO_OP_FILL,     /* handle, pipe, length: move up to length bytes into the empty pipe */
	ECHO_OP_EMPTY,    /* handle, pipe, length: send up to length bytes out of the pipe */
	ECHO_OP_PURGE,    /* pipe, data (scratch), length: remove what is left in the pipe */
	ECHO_OP_COUNT
};

/* Why a connection is closed. */
enum echo_reason {
	ECHO_REASON_NONE = 0,
	ECHO_REASON_ENDED,     /* the peer ended its stream and has all of its echo */
	ECHO_REASON_RESET,     /* the peer is gone: reset, timed out, unreachable */
	ECHO_REASON_FAILED,    /* a call failed for another reason */
	ECHO_REASON_UNWATCHED, /* it could not be registered */
	ECHO_REASON_IDLE,      /* the idle timeout */
	ECHO_REASON_DRAINED,   /* ended by our shutdown, in order */
	ECHO_REASON_CUT,       /* still open at the end of the drain timeout */
	ECHO_REASON_COUNT
};

struct echo_action {
	uint64_t token;
	uint8_t *data;
	uint32_t length;
	uint32_t events_max;
	int32_t handle;
	int32_t pipe; /* below pipes_max; -1: none */
	int32_t timeout_ms;
	enum echo_op op;
	enum echo_reason reason;
};

enum echo_outcome {
	ECHO_DONE = 1,       /* it was done; `count` bytes, or `handle`, or events */
	ECHO_END,            /* READ, PEEK, CONSUME, DISCARD: end of stream; FILL: or no bytes */
	ECHO_WOULD_BLOCK,    /* not now: readiness will be announced */
	ECHO_INTERRUPTED,    /* nothing happened */
	ECHO_GONE,           /* the peer is gone; ACCEPT: that connection is, the next may not be */
	ECHO_NO_DESCRIPTORS, /* out of descriptors */
	ECHO_NO_MEMORY, /* out of memory, of buffers, of watches; bytes: try again, none is lost */
	ECHO_BROKEN,    /* ACCEPT, WAIT, PAUSE, RESUME: the listener or the instance is broken */
	ECHO_FAILED     /* anything else */
};

struct echo_result {
	enum echo_outcome outcome;
	uint32_t count;                  /* whatever has a length: bytes, 1 to length;
				 * UNACKED: bytes */
	int32_t handle;                  /* ACCEPT: what later actions on the connection carry */
	uint32_t requests;               /* WAIT: any of ECHO_REQUEST_*; also when interrupted */
	uint64_t now_ms;                 /* WAIT: a clock that never goes back; always given */
	uint32_t events_count;           /* WAIT: at most events_max */
	const struct echo_event *events; /* WAIT: read during echo_complete() only */
};

struct echo_engine;

/* Bytes that echo_init() needs for this configuration; 0 if a field is outside its limits or the
 * sum does not fit a size_t. */
size_t echo_memory_size(const struct echo_config *config);

/* Makes an engine in `memory`, which is zeroed, aligned to 64 bytes, of echo_memory_size() bytes
 * and stays the caller's. The listener is expected to be watched, level-triggered, for ECHO_IN. */
struct echo_engine *echo_init(void *memory, const struct echo_config *config, uint64_t now_ms);

/* The next action. False: the server has stopped, and nothing is left to do. */
bool echo_next(const struct echo_engine *engine, struct echo_action *action);

/* What came of `action`, which is the one that echo_next() gives. */
void echo_complete(struct echo_engine *engine, const struct echo_action *action,
		   const struct echo_result *result);

/* How a stopped engine ended. */
enum echo_ending {
	ECHO_RUNNING = 0,
	ECHO_STOPPED, /* drained: in order */
	ECHO_ABORTED, /* asked to stop at once: connections were abandoned */
	ECHO_DEFUNCT  /* the listener or the epoll instance broke */
};
enum echo_ending echo_ending(const struct echo_engine *engine);

uint32_t echo_connections(const struct echo_engine *engine);  /* open now */
uint32_t echo_buffers_used(const struct echo_engine *engine); /* taken from the pool now */
uint32_t echo_pipes_used(const struct echo_engine *engine);   /* the same of pipes */
uint32_t echo_pipes_lost(const struct echo_engine *engine);   /* could not be emptied */

/* Everything that holds between two steps; O(connections). NULL, or the name of what does not. */
const char *echo_invariant(const struct echo_engine *engine);

/*
 * Statistics are an observer of actions and results and no part of the state that decides: keep
 * one of these zeroed, and show it every pair.
 */
struct echo_stats {
	uint64_t calls[ECHO_OP_COUNT];
	uint64_t closed[ECHO_REASON_COUNT];
	uint64_t accepted, accept_failures;
	uint64_t bytes_received, bytes_sent; /* equal when nothing is owed */
	uint64_t bytes_discarded;            /* came after our FIN */
	uint64_t events;
};
void echo_observe(struct echo_stats *stats, const struct echo_action *action,
		  const struct echo_result *result);

/* Names for logs and scripts: "read", "would-block", "ended". */
const char *echo_op_name(enum echo_op op);
const char *echo_outcome_name(enum echo_outcome outcome);
const char *echo_reason_name(enum echo_reason reason);

#endif
