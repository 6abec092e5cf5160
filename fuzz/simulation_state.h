/* The state of a simulated world, and what its files call of each other. */
#ifndef EPOLL_ECHO_FUZZ_SIMULATION_STATE_H
#define EPOLL_ECHO_FUZZ_SIMULATION_STATE_H

#include "core/echo.h"
#include "model/model.h"
#include "simulation.h"

enum {
	SIM_CLIENTS_MAX = 4096, /* at a time */
	SIM_FDS_MAX = 4 * SIM_CLIENTS_MAX + 16,
	SIM_LINE_MAX = 256, /* more than any backlog */
	SIM_EVENTS_MAX = 64,
	SIM_BUFFER_MAX = 16384,
	SIM_PIPES_MAX = 4,
	SIM_READ_MAX = 16384,
	SIM_QUIET_MS = 100000
};

#define SIM_NEVER     UINT64_MAX
#define SIM_NOWHERE   UINT32_MAX
#define SIM_NS_PER_MS UINT64_C(1000000)

/* What a run is like, drawn once at its beginning. */
struct plan {
	struct model_config model;
	struct echo_config echo;
	uint32_t clients, clients_at_once, backlog;
	uint32_t descriptors; /* that the server may have open */
	uint32_t call_ns;     /* a call of the server takes up to so long */
	uint32_t latency_ns;  /* and news of it are up to so long on the way */
	uint32_t gap_ns;      /* between a client and the one that takes its place */
	uint64_t stop_ns;     /* the request to stop comes; SIM_NEVER: when all have gone */
	bool stop_twice;      /* and another one, to stop at once */

	/* Once in so many calls; 0: never. */
	uint32_t interrupted, cut_short, for_nothing, no_memory, failing;

	/* Of clients: once in so many; 0: none does so. */
	uint32_t silent, mute, resetting, abrupt, staying, urgent, slow_syn;
	uint32_t bytes_most, chunk_most, think_ns;
};

enum phase {
	PHASE_FREE = 0,
	PHASE_CALLING, /* SYN sent */
	PHASE_OPEN,
	PHASE_GONE /* its last one has gone, and no other comes */
};

/* How a client ends, when it has sent all. */
enum farewell { FAREWELL_HALF_CLOSE = 0, FAREWELL_ABRUPT, FAREWELL_RESET, FAREWELL_STAY };

struct client {
	uint64_t due;    /* when it acts next; SIM_NEVER: after news */
	uint32_t place;  /* in the queue of those that are due; SIM_NOWHERE: it is not */
	uint32_t number; /* in the order of birth, over all: what it sends follows from it */
	int fd;
	enum phase phase;
	enum farewell farewell;
	bool writes;  /* there was room when it wrote last */
	bool fin;     /* it has half-closed */
	bool excused; /* a call failed for it, or it was never accepted: not the server's fault */
	uint64_t to_send, sent, received;
	uint64_t mute_at, mute_ns; /* it stops reading after so many bytes, for so long; */
	uint64_t mute_until;
	uint32_t chunk, read_most; /* bytes of a call */
	uint32_t retries;
};

/* The server's side of a connection, by its descriptor. */
struct peer {
	uint32_t client, number; /* whose it is: a place, and who was there */
	bool open, watched;
	bool ended;   /* the server has seen the end of the client's stream */
	bool shut;    /* and has ended its own; */
	bool parted;  /* that first */
	bool excused; /* a call failed on it for no fault of the server */
	uint64_t taken, written;
	uint64_t token;

	bool waiting;           /* it was announced, and no call was made for it since: */
	uint64_t waiting_since; /* what all calls had cost by then, */
	uint32_t waiting_with, waiting_from; /* how many were open, and had been accepted */
};

struct caller {
	uint32_t place, number;
};

/* What the server has moved into a pipe, and not out of it. */
struct sim_pipe {
	uint32_t start, end;
	uint8_t bytes[SIM_BUFFER_MAX];
};

struct simulation {
	struct choices choices;
	struct plan plan;
	FILE *trace;
	struct simulation_figures figures;
	struct simulation_finding *finding;

	struct model *model;
	struct echo_engine *engine;
	int epoll, listener;
	uint64_t now; /* ns */
	uint64_t quiet_until;

	bool listening, paused; /* the listener is open, and not in the interest list */
	bool stopping, aborting;
	uint32_t open, accepted; /* connections now, and in all */
	uint64_t spent;          /* what all calls have cost, in the currency of turns */
	uint32_t look_next;

	uint32_t born, gone; /* clients */
	uint32_t due_count;
	uint32_t line_first, line_count;

	/* Tables, of which a run reads what it has written. */
	int fd_of_slot[SIM_FDS_MAX];
	uint32_t due[SIM_CLIENTS_MAX]; /* a heap of places, by time */
	struct client clients[SIM_CLIENTS_MAX];
	struct peer peers[SIM_FDS_MAX];
	struct caller line[SIM_LINE_MAX]; /* who waits to be accepted, in order */
	struct echo_event events[SIM_EVENTS_MAX];
	struct sim_pipe pipes[SIM_PIPES_MAX];
};

/* simulation_plan.c */
void sim_plan(struct choices *c, enum simulation_scale scale, struct plan *plan);

/* simulation.c: the first finding counts, and ends the run */
__attribute__((format(printf, 3, 4))) void sim_found(struct simulation *s, const char *name,
						     const char *format, ...);
__attribute__((format(printf, 2, 3))) void sim_trace(struct simulation *s, const char *format, ...);
const uint8_t *sim_bytes(uint32_t number, uint64_t position); /* SIM_READ_MAX of them are good */

/* simulation_client.c */
void client_born(struct simulation *s, uint32_t place, uint64_t due);
void client_acts(struct simulation *s, uint32_t place);
void client_news(struct simulation *s, uint32_t place); /* something came, or there is room */
void client_ends(struct simulation *s, uint32_t place); /* the server is no more */

/* simulation_due.c: who acts next */
void due_set(struct simulation *s, uint32_t place, uint64_t due);
uint64_t due_next(const struct simulation *s);
uint32_t due_first(const struct simulation *s);

/* simulation_server.c: performs an action of the engine */
struct echo_result server_perform(struct simulation *s, const struct echo_action *action);

/* simulation_judge.c */
void sim_judge_asleep(struct simulation *s, bool for_ever);     /* its wait has no timeout */
void sim_judge_announced(struct simulation *s, uint64_t token); /* of a connection */
void sim_judge_served(struct simulation *s, const struct echo_action *action);
void sim_judge_closed(struct simulation *s, const struct peer *peer, enum echo_reason reason);
void sim_judge_over(struct simulation *s);

#endif
