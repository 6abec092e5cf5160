#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
	CONNECT_TRIES = 20,
	AMPLE_MS = 20000000,   /* a drain timeout that no peer who reads and ends can miss */
	FRUITLESS_MAX = 20000, /* actions in a row that move nothing and let no time pass */
	LONELY_MAX = 40,       /* timeouts in a row in a world where no peer will ever act */
	ACTIONS_MAX = 3000000,
	ROTATE_A = 29,
	ROTATE_B = 32
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
	bool idled;                   /* a wait found it idle, and without anything to do */
	uint64_t sent_at_stop;
	bool waits_at_stop;
	enum echo_reason reason;
	bool orderly;     /* closed without a reset */
	uint64_t starved; /* what others were given while this one had work */
	uint64_t busy;    /* what it was given in a row, without running out of work */
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
	uint64_t round, fruitless;
	uint32_t lonely;
};

__attribute__((format(printf, 3, 4))) static void broken(struct world *w, const char *oracle,
							 const char *format, ...)
{
	va_list arguments;

	if (w->verdict.broken != NULL)
		return;
	w->verdict.broken = oracle;
	va_start(arguments, format);
	vsnprintf(w->verdict.detail, sizeof(w->verdict.detail), format, arguments);
	va_end(arguments);
}

static int number(const struct world *w, const struct peer *p)
{
	return (int)(p - w->peers);
}

static void require(struct world *w, const struct peer *p, bool fact, const char *oracle)
{
	if (!fact)
		broken(w, oracle,
		       "peer %d: sent %" PRIu64 " taken %" PRIu64 " written %" PRIu64
		       " got %" PRIu64 "%s%s%s%s",
		       number(w, p), p->sent, p->taken, p->written, p->got, p->fin ? " fin" : "",
		       p->shut ? " shut" : "", p->reset ? " reset" : "",
		       p->queued ? " queued" : "");
}

/* Chance: splitmix64. */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t below(struct world *w, uint64_t bound)
{
	w->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix(w->random) % bound;
}

static uint64_t between(struct world *w, uint64_t least, uint64_t most)
{
	return most <= least ? least : least + below(w, most - least + 1);
}

/* Small numbers as often as large ones. */
static uint64_t spread(struct world *w, uint64_t least, uint64_t most)
{
	uint64_t width = most - least;

	while (width > 0 && below(w, 3) != 0)
		width /= 2;
	return between(w, least, least + width);
}

static bool odds(struct world *w, uint32_t per_thousand)
{
	return below(w, 1000) < per_thousand;
}

static uint8_t byte_at(int peer, uint64_t position)
{
	uint64_t x = (position + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)peer << 40;

	return (uint8_t)((x ^ x >> ROTATE_A ^ x >> 47) >> 3);
}

/* The connection, as the kernel keeps it. */

static uint64_t acknowledged(const struct peer *p)
{
	return p->window < p->written - p->got ? p->got + p->window : p->written;
}

static uint64_t unacked(const struct peer *p)
{
	return p->written - acknowledged(p) + (p->shut && !p->acked);
}

static uint64_t room(const struct peer *p)
{
	return p->out_max - (p->written - acknowledged(p));
}

/* A third of the buffer is free: sk_stream_is_writeable(). */
static bool writable(const struct peer *p)
{
	uint64_t used = p->written - acknowledged(p);

	return p->shut || p->reset || (room(p) > 0 && room(p) >= used / 2);
}

static uint64_t unread(const struct peer *p)
{
	return p->sent - p->taken;
}

/* tcp_poll(). To find no room is what asks for the edge that tells of it. */
static uint32_t readiness(struct peer *p)
{
	uint32_t mask = 0;

	if (p->reset || (p->shut && p->fin))
		mask |= ECHO_HUP;
	if (p->reset || p->fin)
		mask |= ECHO_IN | ECHO_RDHUP;
	if (unread(p) > 0)
		mask |= ECHO_IN;
	if (p->mark != NO_MARK)
		mask |= ECHO_PRI;
	if (p->reset)
		mask |= ECHO_ERR;
	if (writable(p))
		mask |= ECHO_OUT;
	else
		p->nospace = true;
	return mask;
}

static void wake(struct world *w, struct peer *p)
{
	if (!p->watched || p->queued)
		return;
	p->queued = true;
	w->ready[w->ready_count++] = number(w, p);
}

static void wake_listener(struct world *w)
{
	if (!w->listening || !w->listener_watched || w->listener_queued || w->backlog_count == 0)
		return;
	w->listener_queued = true;
	w->ready[w->ready_count++] = LISTENER;
}

static void freed(struct world *w, struct peer *p)
{
	if (!p->nospace || !writable(p))
		return;
	p->nospace = false;
	wake(w, p);
}

static void forget_ready(struct world *w, int32_t id)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < w->ready_count; i++)
		if (w->ready[i] != id)
			w->ready[kept++] = w->ready[i];
	w->ready_count = kept;
}

/* What a peer can do, and when it will. */

static bool connected(const struct peer *p)
{
	return p->stage == STAGE_BACKLOG || p->stage == STAGE_OPEN;
}

static bool can_send(const struct peer *p)
{
	return connected(p) && !p->reset && !p->fin && p->sent < p->total && unread(p) < p->in_max;
}

static bool can_end(const struct peer *p)
{
	return connected(p) && !p->reset && !p->fin && p->sent == p->total &&
	       (p->ending != ENDING_NONE || (p->eof && !p->stubborn));
}

static bool can_read(const struct peer *p)
{
	return !p->silent && !p->departed && !p->reset && p->got < p->written &&
	       (p->stage == STAGE_OPEN || (p->stage == STAGE_CLOSED && p->orderly));
}

static bool can_see_end(const struct peer *p)
{
	return !p->silent && !p->departed && !p->reset && !p->eof && p->got == p->written &&
	       ((p->stage == STAGE_OPEN && p->shut) || (p->stage == STAGE_CLOSED && p->orderly));
}

static bool can_acknowledge(const struct peer *p)
{
	return p->stage == STAGE_OPEN && !p->reset && p->shut && !p->acked &&
	       acknowledged(p) == p->written;
}

static uint64_t planned(struct world *w, const struct peer *p)
{
	uint64_t soon = w->now_ms + below(w, p->pace_ms + 1), at = NEVER;

	if (can_read(p) || can_see_end(p))
		at = soon > p->read_from_ms ? soon : p->read_from_ms;
	if ((can_send(p) || can_end(p) || can_acknowledge(p)) && soon < at)
		at = soon;
	if (connected(p) && !p->reset && p->reset_at_ms < at)
		at = p->reset_at_ms;
	return at;
}

/* The server did something to it. */
static void stir(struct world *w, struct peer *p)
{
	uint64_t at = planned(w, p);

	if (at < p->next_ms)
		p->next_ms = at;
}

static void peer_reset(struct world *w, struct peer *p)
{
	p->reset = true;
	wake(w, p);
}

static void peer_ends(struct world *w, struct peer *p)
{
	p->fin = true;
	p->departed = p->ending == ENDING_ABANDON;
	wake(w, p);
	if (p->departed && p->got < p->written)
		peer_reset(w, p); /* closed with unread input */
}

static void peer_sends(struct world *w, struct peer *p)
{
	uint64_t most = p->total - p->sent;

	if (most > p->in_max - unread(p))
		most = p->in_max - unread(p);
	if (most > p->chunk_max)
		most = p->chunk_max;
	p->sent += w->family->greedy ? most : between(w, 1, most);
	if (odds(w, w->family->urgent)) {
		p->mark = p->sent - 1;
		p->signalled = false;
	}
	wake(w, p);
	if (can_end(p) && odds(w, 500))
		peer_ends(w, p);
}

static void peer_reads(struct world *w, struct peer *p)
{
	uint64_t most = p->written - p->got;

	p->got += between(w, 1, most < p->chunk_max ? most : p->chunk_max);
	if (odds(w, w->family->pauses))
		p->read_from_ms = w->now_ms + below(w, 500);
	freed(w, p);
}

static void peer_connects(struct world *w, struct peer *p)
{
	if (!w->listening || p->tries++ == CONNECT_TRIES) {
		p->stage = STAGE_REFUSED;
	} else if (w->backlog_count < w->backlog_max) {
		p->stage = STAGE_BACKLOG;
		w->backlog[w->backlog_count++] = number(w, p);
		wake_listener(w);
	}
}

static void peer_acts_at_will(struct world *w, struct peer *p)
{
	bool may[] = { can_send(p), can_end(p), can_read(p) && w->now_ms >= p->read_from_ms,
		       can_see_end(p) && w->now_ms >= p->read_from_ms, can_acknowledge(p) };
	uint64_t choice = below(w, 5);

	for (int i = 0; i < 5 && !may[choice]; i++)
		choice = (choice + 1) % 5;
	if (!may[choice])
		return;
	if (choice == 0)
		peer_sends(w, p);
	else if (choice == 1)
		peer_ends(w, p);
	else if (choice == 2)
		peer_reads(w, p);
	else if (choice == 3)
		p->eof = true;
	else
		p->acked = true;
	if (choice == 4)
		wake(w, p);
}

static void peer_acts(struct world *w, struct peer *p)
{
	if (p->stage == STAGE_ABSENT) {
		peer_connects(w, p);
		p->next_ms = p->stage == STAGE_ABSENT ? w->now_ms + 1 + below(w, 50)
						      : planned(w, p);
		return;
	}
	if (connected(p) && !p->reset && p->reset_at_ms <= w->now_ms)
		peer_reset(w, p);
	else
		peer_acts_at_will(w, p);
	p->next_ms = planned(w, p);
}

static void peers_act(struct world *w)
{
	uint32_t first = (uint32_t)below(w, w->peers_count);

	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[(first + i) % w->peers_count];

		if (p->wake_ms <= w->now_ms) {
			p->wake_ms = NEVER;
			freed(w, p);
		}
		if (p->next_ms <= w->now_ms)
			peer_acts(w, p);
	}
}

static uint64_t next_act(const struct world *w)
{
	uint64_t at = w->exhausted_until_ms > w->now_ms ? w->exhausted_until_ms : NEVER;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		if (p->next_ms < at)
			at = p->next_ms;
		if (p->wake_ms < at && p->stage == STAGE_OPEN)
			at = p->wake_ms;
	}
	return at;
}

/* The judge. */

static bool asked_to_stop(const struct world *w)
{
	return w->stopped_ms != NEVER;
}

static bool drain_over(const struct world *w)
{
	return asked_to_stop(w) && w->told_ms - w->stopped_ms >= w->config.drain_ms;
}

/* Nothing can be promised about the echo to such a peer. */
static bool spoiled(const struct peer *p)
{
	return p->reset || p->departed || p->failure != 0;
}

static bool polite(const struct peer *p)
{
	return !spoiled(p) && !p->silent && (p->ending == ENDING_HALF_CLOSE || !p->stubborn);
}

/* It has been read and not sent back; after its FIN the server only discards. */
static bool owes(const struct peer *p)
{
	return p->written < p->taken && !p->shut;
}

/* What the server could do for a connection, given all that it was told; NULL: nothing. */
static const char *undone(const struct peer *p)
{
	bool announced = writable(p) && !(p->nospace && p->wake_ms != NEVER);

	if (!p->watched)
		return "unwatched";
	if (p->failure != 0 || p->reset)
		return "dead-connection-kept";
	if (p->written > p->taken)
		return "peeked-and-not-consumed";
	if (owes(p) && announced)
		return "owed-and-not-sent";
	if (owes(p))
		return NULL;
	if (unread(p) > 0)
		return p->shut || announced ? "unread-and-not-read" : NULL;
	if (p->fin && !p->shut)
		return "end-not-answered";
	return p->fin && unacked(p) == 0 ? "ended-and-not-closed" : NULL;
}

static bool idle_for(const struct world *w, uint64_t since_ms, uint64_t limit_ms)
{
	return w->told_ms - since_ms >= limit_ms;
}

static void judge_rest_of(struct world *w, const struct peer *p)
{
	const char *name;

	if (p->stage != STAGE_OPEN || p->queued)
		return;
	name = undone(p);
	require(w, p, name == NULL, name == NULL ? "" : name);
	if (w->config.idle_ms > 0 && !asked_to_stop(w) && !p->shut)
		require(w, p, !idle_for(w, p->armed_ms, 2 * w->config.idle_ms + 2), "idle-kept");
}

/* The server waits, and not just to look. */
static void judge_rest(struct world *w, int32_t timeout_ms)
{
	bool slots = w->connections < w->config.connections_max;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		judge_rest_of(w, &w->peers[i]);
		w->peers[i].sparse = SPARSE_RESTED;
		w->peers[i].busy = 0;
	}
	if (!w->listening || w->listener_watched || !slots)
		return;
	if (timeout_ms < 0 || (uint64_t)timeout_ms > w->config.retry_max_ms)
		broken(w, "paused-for-ever", "timeout %d ms", timeout_ms);
	if (w->closed_since)
		broken(w, "paused-with-room", "%u connections", w->connections);
}

static bool moves_bytes(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
	       op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD;
}

static uint64_t cost(const struct echo_action *action, const struct echo_result *result)
{
	if (action->op == ECHO_OP_ACCEPT)
		return ECHO_ACCEPT_COST;
	return ECHO_CALL_COST + (moves_bytes(action->op) ? result->count : 0);
}

/* Between two waits: the budget of the round, overdrawn by one call and by a write of what was
 * peeked, which has to follow at once. */
static void judge_round(struct world *w)
{
	uint64_t moved = ECHO_CALL_COST + w->config.buffer_size;
	uint64_t most = w->config.round_bytes + 2 * moved + ECHO_ACCEPT_COST;

	if (w->round > most)
		broken(w, "round-unbounded", "%" PRIu64 " spent, %" PRIu64 " at most", w->round,
		       most);
}

/* Before somebody with work gets a turn, each other may have one in the new queue and one in the
 * old, and so may those that are accepted in the two turns of the listener. */
static void judge_turns(struct world *w, const struct peer *served, uint64_t spent)
{
	const struct echo_config *c = &w->config;
	uint64_t turn = c->turn_bytes + 2 * ((uint64_t)ECHO_CALL_COST + c->buffer_size);
	uint64_t listener = c->turn_bytes + ECHO_ACCEPT_COST;
	uint64_t flows = c->connections_max + listener / ECHO_ACCEPT_COST + 1;
	uint64_t most = 2 * flows * turn + 2 * listener;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[i];

		if (p == served || p->stage != STAGE_OPEN || undone(p) == NULL)
			p->starved = 0;
		else if (!p->queued || p->starved > 0)
			p->starved += spent;
		p->busy = p->stage != STAGE_OPEN || undone(p) == NULL ? 0
			  : p == served                               ? p->busy + spent
								      : p->busy;
		require(w, p, p->starved <= most, "starved");
	}
}

/* What was at rest is served before what has used up a turn; but what was peeked is written. */
static void judge_order(struct world *w, struct peer *served, enum echo_op op)
{
	bool peeked = op == ECHO_OP_WRITE && served->written == served->taken;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];
		bool due = p != served && p->stage == STAGE_OPEN && p->sparse == SPARSE_DUE &&
			   undone(p) != NULL;

		require(w, p, !due || peeked || served->busy < w->config.turn_bytes,
			"bulk-before-sparse");
	}
	served->sparse = SPARSE_NOT;
}

static void judge_shutdown(struct world *w, const struct peer *p)
{
	bool idle = w->config.idle_ms > 0 && idle_for(w, p->moved_ms, w->config.idle_ms);
	bool quiet = asked_to_stop(w) && idle_for(w, p->moved_ms, w->config.quiet_ms) &&
		     idle_for(w, w->stopped_ms, w->config.quiet_ms);

	require(w, p, p->taken == p->written, "fin-before-echo");
	require(w, p, p->told_end || p->told_empty, "fin-unlooked");
	require(w, p, p->told_end || idle || quiet, "ended-by-server");
}

static void judge_close(struct world *w, const struct peer *p, enum echo_reason reason)
{
	bool echoed = p->shut || p->taken == p->written; /* a FIN was judged when it was sent */
	bool lingered = p->shut && idle_for(w, p->shut_ms, w->config.drain_ms);

	switch (reason) {
	case ECHO_REASON_ENDED:
		require(w, p, p->told_end, "closed-before-end");
		require(w, p, echoed, "closed-before-echo");
		require(w, p, unacked(p) == 0 || p->failure != 0, "closed-unacknowledged");
		return;
	case ECHO_REASON_RESET:
		require(w, p, p->reset || p->failure == ECHO_GONE, "reason-reset");
		return;
	case ECHO_REASON_FAILED:
		require(w, p, p->failure != 0 && p->failure != ECHO_GONE, "reason-failed");
		return;
	case ECHO_REASON_UNWATCHED:
		require(w, p, p->failure != 0 && !p->watched, "reason-unwatched");
		return;
	case ECHO_REASON_IDLE:
		require(w, p, w->config.idle_ms > 0, "reason-idle");
		require(w, p, idle_for(w, p->moved_ms, w->config.idle_ms), "idle-too-soon");
		require(w, p, p->idled || p->shut, "idle-with-work");
		return;
	case ECHO_REASON_DRAINED:
		require(w, p, asked_to_stop(w) && p->shut, "reason-drained");
		require(w, p, echoed && p->written >= p->sent_at_stop, "drained-before-echo");
		require(w, p, (p->told_end && unacked(p) == 0) || lingered, "drained-too-soon");
		return;
	case ECHO_REASON_CUT:
		require(w, p, drain_over(w), "cut-too-soon");
		require(w, p,
			!polite(p) || w->config.drain_ms < AMPLE_MS ||
				p->opened_ms > w->stopped_ms + AMPLE_MS / 2,
			"cut-though-polite");
		return;
	case ECHO_REASON_NONE:
	case ECHO_REASON_COUNT:
		break;
	}
	require(w, p, false, "reason-unknown");
}

static void judge_data(struct world *w, const struct peer *p, const struct echo_action *action)
{
	bool inside = action->data >= w->memory &&
		      (size_t)(action->data - w->memory) <= w->size - action->length;

	require(w, p, action->length >= 1 && action->length <= w->config.buffer_size, "length");
	require(w, p, inside, "data-outside");
}

/* A slot that is used again has another generation, whatever became of its former user. */
static void name(struct world *w, struct peer *p, uint64_t token)
{
	uint32_t slot = (uint32_t)token, generation = (uint32_t)(token >> 32);

	require(w, p, slot < w->config.connections_max, "slot-unknown");
	if (w->verdict.broken != NULL)
		return;
	require(w, p, generation <= UINT32_MAX >> (32 - w->config.generation_bits), "generation");
	require(w, p, !w->slot_used[slot] || w->last_token[slot] != token, "token-used-again");
	w->slot_used[slot] = true;
	w->last_token[slot] = token;
	p->token = token;
}

/* Is it an action that the connection is in a state for? */
static void judge_action(struct world *w, struct peer *p, const struct echo_action *action)
{
	require(w, p, p->failure == 0 || action->op == ECHO_OP_CLOSE, "call-after-failure");
	if (p->token == ECHO_TOKEN_LISTENER)
		name(w, p, action->token);
	require(w, p, action->token == p->token, "token");
	require(w, p, p->watched != (action->op == ECHO_OP_WATCH) || action->op == ECHO_OP_CLOSE,
		"watch-once");
	switch (action->op) {
	case ECHO_OP_PEEK:
		require(w, p, echo_buffers_used(w->engine) == w->config.buffers_max,
			"needless-peek");
		/* fallthrough */
	case ECHO_OP_READ:
		require(w, p, p->taken == p->written && !p->shut && !p->told_end,
			"read-while-owing");
		judge_data(w, p, action);
		return;
	case ECHO_OP_WRITE:
		judge_data(w, p, action);
		require(w, p, !p->shut, "write-after-fin");
		require(w, p, p->written + action->length <= p->shown, "write-of-nothing");
		for (uint32_t i = 0; i < action->length && w->verdict.broken == NULL; i++)
			require(w, p, action->data[i] == byte_at(number(w, p), p->written + i),
				"wrong-bytes");
		return;
	case ECHO_OP_CONSUME:
		judge_data(w, p, action);
		require(w, p, p->taken + action->length <= p->written, "consumed-before-echo");
		return;
	case ECHO_OP_DISCARD:
		judge_data(w, p, action);
		require(w, p, p->shut, "discarded");
		return;
	case ECHO_OP_UNACKED:
		require(w, p, p->told_end, "asked-before-end");
		return;
	case ECHO_OP_SHUTDOWN:
		require(w, p, !p->shut, "second-fin");
		judge_shutdown(w, p);
		return;
	case ECHO_OP_CLOSE:
		judge_close(w, p, action->reason);
		return;
	default:
		return;
	}
}

static uint32_t owing(const struct world *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->peers_count; i++)
		count += w->peers[i].stage == STAGE_OPEN && owes(&w->peers[i]);
	return count;
}

/* After every step. */
static void judge_engine(struct world *w)
{
	const char *name = echo_invariant(w->engine);
	struct echo_action next;
	uint32_t used = echo_buffers_used(w->engine);
	bool reading = echo_next(w->engine, &next) && next.op == ECHO_OP_READ;

	if (name != NULL)
		broken(w, "invariant", "%s", name);
	if (used > w->config.buffers_max || used > owing(w) + reading)
		broken(w, "buffer-held", "%u buffers, %u owing", used, owing(w));
	if (echo_connections(w->engine) != w->connections)
		broken(w, "connections", "%u, and %u are open", echo_connections(w->engine),
		       w->connections);
	if (w->fruitless > FRUITLESS_MAX)
		broken(w, "spins", "%" PRIu64 " actions moved nothing", w->fruitless);
}

/* What was promised to a peer whose connection is over. */
static void judge_peer(struct world *w, const struct peer *p)
{
	if (p->stage != STAGE_CLOSED || spoiled(p) || p->reason == ECHO_REASON_CUT)
		return;
	if (p->reason == ECHO_REASON_ENDED)
		require(w, p, p->orderly && p->fin && p->written == p->sent, "ended-short");
	if (p->orderly && !p->silent)
		require(w, p, p->got == p->written && p->eof, "end-not-seen");
}

/* No peer will act any more, and the server waits for them. */
static void judge_quiet(struct world *w)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		judge_peer(w, p);
		if (p->stage != STAGE_OPEN || spoiled(p) || p->silent)
			continue;
		require(w, p, p->shut || p->got == p->sent, "echo-incomplete");
		require(w, p, !p->fin, "half-close-unanswered");
	}
	if (w->backlog_count > 0 && w->listener_watched && w->connections < w->descriptors &&
	    w->connections < w->config.connections_max)
		broken(w, "backlog-forgotten", "%u wait", w->backlog_count);
}

static void judge_end(struct world *w)
{
	enum echo_ending ending = echo_ending(w->engine);

	if (ending != w->expected)
		broken(w, "ending", "%d instead of %d", (int)ending, (int)w->expected);
	for (uint32_t i = 0; i < GUARD; i++)
		if (w->block[i] != GUARD_BYTE || w->memory[w->size + i] != GUARD_BYTE)
			broken(w, "guard", "byte %u", i);
	if (ending != ECHO_STOPPED)
		return;
	if (w->connections > 0 || echo_buffers_used(w->engine) > 0 || w->listening)
		broken(w, "not-released", "%u connections", w->connections);
	for (uint64_t at = next_act(w); at != NEVER; at = next_act(w)) {
		w->now_ms = at > w->now_ms ? at : w->now_ms;
		peers_act(w);
	}
	for (uint32_t i = 0; i < w->peers_count; i++)
		judge_peer(w, &w->peers[i]);
}

/* Performing. */

static struct echo_result outcome(enum echo_outcome outcome)
{
	return (struct echo_result){ .outcome = outcome, .handle = -1 };
}

static struct echo_result moved(uint64_t count)
{
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = -1, .count = (uint32_t)count };
}

/* READ, PEEK, CONSUME and DISCARD: tcp_recvmsg() stops at the urgent mark, and tells of the end
 * or of an error when there is nothing else to tell. */
static struct echo_result receive(struct world *w, struct peer *p, const struct echo_action *action)
{
	uint64_t count = unread(p) < action->length ? unread(p) : action->length;

	p->told_empty = false;
	if (count > 0 && p->mark == p->taken && !p->signalled && odds(w, w->family->mark_blocks)) {
		p->signalled = true;
		p->told_empty = true; /* for all that the server can know */
		return outcome(ECHO_WOULD_BLOCK);
	}
	if (p->mark != NO_MARK && p->mark > p->taken && p->mark - p->taken < count)
		count = p->mark - p->taken;
	if (count == 0) {
		p->told_end = p->fin;
		p->told_empty = !p->fin && !p->reset;
		p->armed_ms = w->told_ms;
		return outcome(p->fin ? ECHO_END : p->reset ? ECHO_GONE : ECHO_WOULD_BLOCK);
	}
	if (odds(w, w->family->shortened)) {
		count = between(w, 1, count);
		wake(w, p); /* as if the rest had come a moment later */
	}
	for (uint64_t i = 0; i < count; i++)
		action->data[i] = action->op == ECHO_OP_READ || action->op == ECHO_OP_PEEK
					  ? byte_at(number(w, p), p->taken + i)
					  : GUARD_BYTE;
	p->armed_ms = w->told_ms;
	if (action->op == ECHO_OP_PEEK) {
		p->shown = p->taken + count;
		return moved(count);
	}
	p->taken += count;
	if (p->mark != NO_MARK && p->mark < p->taken)
		p->mark = NO_MARK;
	if (action->op == ECHO_OP_READ) {
		p->shown = p->taken;
		p->moved_ms = w->told_ms;
		p->idled = false;
	}
	stir(w, p);
	return moved(count);
}

static struct echo_result denied(struct world *w, struct peer *p)
{
	p->nospace = true;
	p->wake_ms = w->now_ms + below(w, 20);
	return outcome(ECHO_WOULD_BLOCK);
}

static struct echo_result transmit(struct world *w, struct peer *p,
				   const struct echo_action *action)
{
	uint64_t count = room(p) < action->length ? room(p) : action->length;

	if (p->reset)
		return outcome(ECHO_GONE);
	if (count > 0 && odds(w, w->family->would_block))
		return denied(w, p);
	p->nospace = p->nospace || count < action->length;
	if (count == 0)
		return outcome(ECHO_WOULD_BLOCK);
	if (count > 1 && odds(w, w->family->shortened)) {
		count = between(w, 1, count - 1);
		denied(w, p);
	}
	p->written += count;
	p->moved_ms = w->told_ms;
	p->idled = false;
	p->armed_ms = w->told_ms;
	if (p->wake_ms == NEVER)
		freed(w, p);
	if (p->departed)
		p->reset_at_ms = w->now_ms; /* to data for nobody TCP answers with a reset */
	stir(w, p);
	return moved(count);
}

static struct echo_result shut(struct world *w, struct peer *p)
{
	if (p->reset)
		return outcome(ECHO_GONE);
	p->shut = true;
	p->shut_ms = w->told_ms;
	p->armed_ms = w->told_ms;
	p->acked = acknowledged(p) == p->written && odds(w, 500);
	wake(w, p); /* inet_shutdown() wakes whoever polls */
	stir(w, p);
	return outcome(ECHO_DONE);
}

static struct echo_result watch(struct world *w, struct peer *p)
{
	p->watched = true;
	p->moved_ms = p->armed_ms = w->told_ms;
	p->idled = false;
	if (readiness(p) != 0)
		wake(w, p);
	return outcome(ECHO_DONE);
}

/* With unread input it is a reset, and with unacknowledged bytes it may become one. */
static struct echo_result shut_down_and_forget(struct world *w, struct peer *p,
					       enum echo_reason why)
{
	p->orderly = !p->reset && unread(p) == 0 && p->written == acknowledged(p);
	p->stage = STAGE_CLOSED;
	p->reason = why;
	if (p->watched)
		w->stale[w->stale_count++ % STALE_MAX] = p->token;
	forget_ready(w, number(w, p));
	p->watched = p->queued = false;
	w->owners[p->handle - HANDLE_FIRST] = -1;
	w->connections--;
	w->closed_since = true;
	p->next_ms = NEVER;
	stir(w, p);
	return outcome(odds(w, w->family->fails) ? ECHO_FAILED : ECHO_DONE);
}

static enum echo_outcome any_failure(struct world *w, enum echo_op op)
{
	static const enum echo_outcome always[] = { ECHO_GONE, ECHO_FAILED, ECHO_NO_DESCRIPTORS,
						    ECHO_BROKEN };
	static const enum echo_outcome others[] = { ECHO_NO_MEMORY, ECHO_WOULD_BLOCK, ECHO_END };

	if ((op == ECHO_OP_WATCH || op == ECHO_OP_SHUTDOWN || op == ECHO_OP_UNACKED) &&
	    odds(w, 500))
		return others[below(w, 3)];
	return always[below(w, 4)];
}

static struct echo_result perform_call(struct world *w, struct peer *p,
				       const struct echo_action *action)
{
	uint16_t fails = action->op == ECHO_OP_WATCH ? w->family->unwatchable : w->family->fails;

	if (action->op == ECHO_OP_CLOSE)
		return shut_down_and_forget(w, p, action->reason);
	if (odds(w, w->family->interrupted))
		return outcome(moves_bytes(action->op) && odds(w, 200) ? ECHO_NO_MEMORY
								       : ECHO_INTERRUPTED);
	if (odds(w, fails))
		return outcome(p->failure = any_failure(w, action->op));
	if (action->op == ECHO_OP_WATCH)
		return watch(w, p);
	if (action->op == ECHO_OP_WRITE)
		return transmit(w, p, action);
	if (action->op == ECHO_OP_UNACKED)
		return moved(unacked(p));
	return action->op == ECHO_OP_SHUTDOWN ? shut(w, p) : receive(w, p, action);
}

static struct peer *next_in_backlog(struct world *w)
{
	struct peer *p = &w->peers[w->backlog[0]];

	w->backlog_count--;
	memmove(w->backlog, w->backlog + 1, w->backlog_count * sizeof(w->backlog[0]));
	return p;
}

static struct echo_result refused(struct world *w)
{
	w->accept_from_ms = w->told_ms + w->retry_ms;
	w->retry_ms = 2 * w->retry_ms < w->config.retry_max_ms ? 2 * w->retry_ms
							       : w->config.retry_max_ms;
	w->closed_since = false;
	return outcome(odds(w, 500) ? ECHO_NO_DESCRIPTORS : ECHO_NO_MEMORY);
}

static struct echo_result opened(struct world *w, struct peer *p)
{
	int32_t number_of_handle = 0;

	while (w->owners[number_of_handle] >= 0)
		number_of_handle++;
	w->owners[number_of_handle] = number(w, p);
	w->connections++;
	w->retry_ms = w->config.retry_min_ms;
	p->stage = STAGE_OPEN;
	p->handle = HANDLE_FIRST + number_of_handle;
	p->opened_ms = w->told_ms;
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = p->handle };
}

static struct echo_result accept_one(struct world *w)
{
	if (!w->listening || !w->listener_watched || w->connections >= w->config.connections_max)
		broken(w, "accept-illegal", "%u connections", w->connections);
	if (w->told_ms < w->accept_from_ms)
		broken(w, "accept-too-soon", "%" PRIu64 " ms", w->accept_from_ms - w->told_ms);
	w->closed_since = false;
	if (odds(w, w->family->exhausted))
		w->exhausted_until_ms = w->now_ms + below(w, 3000);
	if (w->now_ms < w->exhausted_until_ms || w->connections >= w->descriptors)
		return refused(w);
	if (w->backlog_count == 0) {
		w->lost = 0;
		return outcome(ECHO_WOULD_BLOCK);
	}
	if (odds(w, w->accept_fails)) {
		if (odds(w, w->accept_fails > w->family->accept_fails ? 5 : 300))
			next_in_backlog(w)->stage = STAGE_REFUSED;
		w->lost++;
		return outcome(odds(w, 700) ? ECHO_GONE : ECHO_FAILED);
	}
	w->lost = 0;
	return opened(w, next_in_backlog(w));
}

static struct echo_result unlisten(struct world *w)
{
	if (!w->listening || !asked_to_stop(w))
		broken(w, "unlisten-illegal", "%u connections", w->connections);
	w->listening = w->listener_watched = w->listener_queued = false;
	forget_ready(w, LISTENER);
	while (w->backlog_count > 0) {
		struct peer *p = next_in_backlog(w);

		require(w, p, !p->waits_at_stop || drain_over(w), "backlog-lost");
		p->stage = STAGE_REFUSED;
		p->next_ms = NEVER;
	}
	return outcome(ECHO_DONE);
}

/* PAUSE, which may fail and is repeated when the listener is heard of all the same. */
static struct echo_result pause(struct world *w)
{
	bool full = w->connections >= w->config.connections_max;

	if (!w->listener_watched && !w->unheard)
		broken(w, "paused-twice", "%u connections", w->connections);
	if (!full && !w->unheard && w->accept_from_ms == 0 && w->lost < ECHO_ACCEPT_FAILURES_MAX)
		broken(w, "paused-needlessly", "%u failures", w->lost);
	w->lost = 0;
	if (odds(w, w->family->exhausted)) {
		w->unheard = true;
		return outcome(odds(w, 500) ? ECHO_NO_MEMORY : ECHO_FAILED);
	}
	w->listener_watched = w->listener_queued = false;
	forget_ready(w, LISTENER);
	return outcome(ECHO_DONE);
}

static struct echo_result resume(struct world *w)
{
	if (w->listener_watched && !w->unheard)
		broken(w, "resumed-twice", "%u connections", w->connections);
	if (w->told_ms < w->accept_from_ms && !w->closed_since)
		broken(w, "resumed-too-soon", "%" PRIu64 " ms", w->accept_from_ms - w->told_ms);
	if (odds(w, w->family->exhausted))
		return refused(w);
	w->accept_from_ms = 0;
	w->unheard = false;
	w->listener_watched = true;
	wake_listener(w);
	return outcome(ECHO_DONE);
}

static struct echo_result perform_listener(struct world *w, enum echo_op op)
{
	if (op == ECHO_OP_UNLISTEN)
		return unlisten(w);
	if (odds(w, w->family->interrupted))
		return outcome(ECHO_INTERRUPTED);
	if (odds(w, w->family->abort / 2)) {
		w->expected = ECHO_DEFUNCT;
		return outcome(ECHO_BROKEN);
	}
	if (op == ECHO_OP_ACCEPT)
		return accept_one(w);
	return op == ECHO_OP_PAUSE ? pause(w) : resume(w);
}

/* Waiting. */

static bool reportable(struct world *w)
{
	for (uint32_t i = 0; i < w->ready_count; i++)
		if (w->ready[i] == LISTENER ? w->backlog_count > 0
					    : readiness(&w->peers[w->ready[i]]) != 0)
			return true;
	return false;
}

/* True: no peer will ever act again. */
static bool wait_until(struct world *w, int32_t timeout_ms)
{
	uint64_t deadline_ms = timeout_ms < 0 ? NEVER : w->now_ms + (uint64_t)timeout_ms;

	for (;;) {
		uint64_t at;

		peers_act(w);
		if (timeout_ms == 0 || reportable(w) || w->stop_at_ms <= w->now_ms)
			return false;
		at = next_act(w);
		if (at == NEVER && deadline_ms == NEVER && w->stop_at_ms == NEVER)
			return true;
		if (w->stop_at_ms < at)
			at = w->stop_at_ms;
		w->fruitless = 0;
		if (at > deadline_ms) {
			w->now_ms = deadline_ms;
			if (at != NEVER || ++w->lonely <= LONELY_MAX)
				return false;
			w->now_ms += asked_to_stop(w) ? AMPLE_MS / 10 : 0; /* overslept */
			return !asked_to_stop(w);
		}
		w->lonely = 0;
		w->now_ms = at > w->now_ms ? at : w->now_ms;
	}
}

/* ep_send_events(): in the order of the list; what is not ready takes no place; what is
 * level-triggered goes back to the end of it. */
static uint32_t collect(struct world *w, uint32_t events_max)
{
	uint32_t count = 0, left = 0;
	bool again = false;

	for (uint32_t i = 0; i < w->ready_count; i++) {
		struct peer *p = &w->peers[w->ready[i]]; /* of the listener: not used */

		if (count == events_max) {
			w->ready[left++] = w->ready[i];
		} else if (w->ready[i] == LISTENER) {
			w->listener_queued = false;
			again = w->backlog_count > 0;
			if (again)
				w->events[count++] =
					(struct echo_event){ ECHO_TOKEN_LISTENER, ECHO_IN };
		} else {
			uint32_t mask = readiness(p);

			p->queued = false;
			p->busy = 0;
			if (p->sparse == SPARSE_RESTED)
				p->sparse = undone(p) != NULL ? SPARSE_DUE : SPARSE_NOT;
			if (mask != 0)
				w->events[count++] = (struct echo_event){ p->token, mask };
		}
	}
	w->ready_count = left;
	if (again)
		wake_listener(w);
	return count;
}

/* Or may: the token of a connection that is not registered yet is not known. */
static bool names_somebody(const struct world *w, uint64_t token)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		if (p->stage == STAGE_OPEN &&
		    (p->token == token || p->token == ECHO_TOKEN_LISTENER))
			return true;
	}
	return false;
}

/* No epoll would report these: a token that names nobody any more, or nobody yet, with anything;
 * one that names somebody, with all but ERR, which is the one readiness that is a statement. */
static void estrange(struct world *w, struct echo_event *event, uint32_t count)
{
	static const uint32_t groundless = ECHO_IN | ECHO_OUT | ECHO_PRI | ECHO_RDHUP | ECHO_HUP;
	const struct peer *p = &w->peers[below(w, w->peers_count)];
	uint64_t kind = below(w, 4), token = below(w, NEVER);

	*event = (struct echo_event){ ECHO_TOKEN_LISTENER, (uint32_t)below(w, UINT32_MAX) };
	if (kind == 0 && count > 0) {
		*event = event[-1];
	} else if (kind == 1 && p->watched) {
		event->token = p->token;
		w->peers[number(w, p)].sparse = SPARSE_NOT;
		event->readiness &= groundless | ~(uint32_t)0xffff;
	} else if (kind >= 2) {
		if (kind == 2 && w->stale_count > 0)
			token = w->stale[below(w, w->stale_count < STALE_MAX ? w->stale_count
									     : STALE_MAX)];
		else if (odds(w, 500))
			token = below(w, 4) << 32 | below(w, 2 * WORLD_PEERS_MAX);
		if (!names_somebody(w, token))
			event->token = token;
	}
}

static uint32_t ask_to_stop(struct world *w)
{
	w->stop_at_ms = NEVER;
	w->stopped_ms = w->now_ms;
	for (uint32_t i = 0; i < w->peers_count; i++) {
		w->peers[i].waits_at_stop = w->peers[i].stage == STAGE_BACKLOG;
		w->peers[i].sent_at_stop = connected(&w->peers[i]) ? w->peers[i].sent : 0;
	}
	return ECHO_REQUEST_STOP;
}

static uint32_t requests(struct world *w, bool quiet)
{
	uint32_t asked = 0;

	if (odds(w, 5)) {
		w->report = true;
		asked |= ECHO_REQUEST_REPORT;
	}
	if (asked_to_stop(w) && odds(w, w->family->abort)) {
		w->expected = ECHO_ABORTED;
		return asked | (odds(w, 500) ? ECHO_REQUEST_ABORT : ECHO_REQUEST_STOP);
	}
	if (!asked_to_stop(w) && (quiet || w->stop_at_ms <= w->now_ms))
		asked |= ask_to_stop(w);
	return asked;
}

static void note_idle(struct world *w)
{
	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[i];
		bool known = !p->queued && undone(p) != NULL;

		if (!known && idle_for(w, p->moved_ms, w->config.idle_ms))
			p->idled = true;
	}
}

static struct echo_result perform_wait(struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);
	bool quiet;

	w->round = 0;
	if (action->events_max != w->config.events_max)
		broken(w, "events-unbounded", "%u", action->events_max);
	if (action->timeout_ms != 0)
		judge_rest(w, action->timeout_ms);
	quiet = wait_until(w, odds(w, w->family->interrupted) ? 0 : action->timeout_ms);
	if (quiet && asked_to_stop(w))
		broken(w, "stop-hangs", "%u connections", w->connections);
	else if (quiet)
		judge_quiet(w);
	result.requests = requests(w, quiet);
	result.now_ms = w->told_ms = w->now_ms;
	if (asked_to_stop(w) && w->expected == ECHO_STOPPED && odds(w, w->family->abort / 4)) {
		w->expected = ECHO_DEFUNCT;
		result.outcome = odds(w, 500) ? ECHO_BROKEN : ECHO_FAILED;
	} else if (odds(w, w->family->interrupted)) {
		result.outcome = ECHO_INTERRUPTED;
	} else {
		result.events = w->events;
		result.events_count = collect(w, action->events_max);
		while (result.events_count < action->events_max && odds(w, w->family->strange)) {
			estrange(w, &w->events[result.events_count], result.events_count);
			w->unheard |= w->events[result.events_count++].token == ECHO_TOKEN_LISTENER;
		}
	}
	note_idle(w);
	return result;
}

static struct peer *owner_of(struct world *w, const struct echo_action *action)
{
	int32_t handle = action->handle - HANDLE_FIRST;

	if (handle < 0 || handle >= WORLD_PEERS_MAX || w->owners[handle] < 0) {
		broken(w, "handle-unknown", "%s of %d", echo_op_name(action->op), action->handle);
		return NULL;
	}
	return &w->peers[w->owners[handle]];
}

static struct echo_result perform(struct world *w, const struct echo_action *action)
{
	struct echo_result result = outcome(ECHO_DONE);
	struct peer *p = NULL;

	switch (action->op) {
	case ECHO_OP_WAIT:
		return perform_wait(w, action);
	case ECHO_OP_REPORT:
		if (!w->report && w->config.report_ms == 0)
			broken(w, "report-unasked", "at %" PRIu64 " ms", w->told_ms);
		w->report = false;
		return result;
	case ECHO_OP_ACCEPT:
	case ECHO_OP_PAUSE:
	case ECHO_OP_RESUME:
	case ECHO_OP_UNLISTEN:
		result = perform_listener(w, action->op);
		break;
	default:
		p = owner_of(w, action);
		if (p == NULL)
			return result;
		judge_action(w, p, action);
		judge_order(w, p, action->op);
		if (w->verdict.broken == NULL)
			result = perform_call(w, p, action);
		break;
	}
	w->round += cost(action, &result);
	judge_round(w);
	judge_turns(w, p, cost(action, &result));
	return result;
}

/* The loop. */

static void blend(struct world *w, uint64_t value)
{
	w->verdict.hash = mix(w->verdict.hash ^ value) + ROTATE_B;
}

static bool same(const struct world *w, const struct echo_action *a, const struct echo_action *b,
		 const uint8_t *b_memory)
{
	bool same_data = (a->data == NULL) == (b->data == NULL) &&
			 (a->data == NULL || a->data - w->memory == b->data - b_memory);

	return same_data && a->op == b->op && a->token == b->token && a->length == b->length &&
	       a->events_max == b->events_max && a->handle == b->handle &&
	       a->timeout_ms == b->timeout_ms && a->reason == b->reason;
}

/* Asks twice, and asks an engine elsewhere in memory that was given the same results. */
static bool next(struct world *w, struct echo_action *action, struct echo_action *twin)
{
	struct echo_action again;
	bool more = echo_next(w->engine, action);

	if (more != echo_next(w->engine, &again) || !same(w, action, &again, w->memory))
		broken(w, "asked-twice", "%s, then %s", echo_op_name(action->op),
		       echo_op_name(again.op));
	if (more != echo_next(w->twin, twin) || !same(w, action, twin, w->twin_memory))
		broken(w, "not-determined", "%s, and %s", echo_op_name(action->op),
		       echo_op_name(twin->op));
	blend(w, (uint64_t)action->op << 32 | action->length);
	blend(w, action->token);
	blend(w, (uint64_t)(uint32_t)action->handle << 32 | (uint32_t)action->timeout_ms);
	blend(w, (uint64_t)action->reason);
	return more;
}

static void tell(struct world *w, const struct echo_action *action,
		 const struct echo_result *result)
{
	if (w->trace == NULL)
		return;
	fprintf(w->trace, "# %8" PRIu64 " ms  %-8s", w->now_ms, echo_op_name(action->op));
	if (action->handle >= 0)
		fprintf(w->trace, " handle %d length %u", action->handle, action->length);
	if (action->op == ECHO_OP_WAIT)
		fprintf(w->trace, " %d ms", action->timeout_ms);
	if (action->op == ECHO_OP_CLOSE)
		fprintf(w->trace, " %s", echo_reason_name(action->reason));
	fprintf(w->trace, " -> %s %u", echo_outcome_name(result->outcome), result->count);
	if (action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE)
		fprintf(w->trace, " handle %d peer %d", result->handle,
			w->owners[result->handle - HANDLE_FIRST]);
	if (result->requests != 0)
		fprintf(w->trace, " requests %u", result->requests);
	for (uint32_t i = 0; i < result->events_count; i++)
		fprintf(w->trace, " %" PRIx64 ":%x", result->events[i].token,
			result->events[i].readiness);
	fputc('\n', w->trace);
}

static bool fruitful(const struct echo_action *action, const struct echo_result *result)
{
	bool moves = action->op == ECHO_OP_READ || action->op == ECHO_OP_WRITE ||
		     action->op == ECHO_OP_CONSUME || action->op == ECHO_OP_DISCARD ||
		     action->op == ECHO_OP_ACCEPT || action->op == ECHO_OP_CLOSE;

	return moves && result->outcome == ECHO_DONE;
}

static void live(struct world *w)
{
	struct echo_action action, twin_action;

	while (next(w, &action, &twin_action) && w->verdict.broken == NULL) {
		struct echo_result result;

		if (odds(w, 150))
			peers_act(w);
		if (odds(w, 10))
			w->now_ms++;
		result = perform(w, &action);
		tell(w, &action, &result);
		if (w->verdict.broken != NULL)
			return;
		w->fruitless = fruitful(&action, &result) ? 0 : w->fruitless + 1;
		echo_complete(w->engine, &action, &result);
		echo_complete(w->twin, &twin_action, &result);
		judge_engine(w);
		if (++w->verdict.actions == ACTIONS_MAX)
			broken(w, "endless", "%d actions", ACTIONS_MAX);
	}
}

/* The beginning. */

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
	if (odds(w, f->resets))
		p->reset_at_ms = p->next_ms + below(w, 100);
}

static bool begin(struct world *w)
{
	uint32_t haste_ms;

	w->now_ms = w->told_ms = odds(w, 500) ? 0 : below(w, UINT32_MAX);
	configure(w);
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

struct world_verdict world_run(const struct world_family *family, uint64_t seed, FILE *trace)
{
	struct world *w = calloc(1, sizeof(*w));
	struct world_verdict verdict = { .broken = "memory", .detail = "the test ran out of it" };

	if (w == NULL)
		return verdict;
	w->family = family;
	w->trace = trace;
	w->random = mix(seed);
	if (begin(w)) {
		live(w);
		if (w->verdict.broken == NULL)
			judge_end(w);
		for (uint32_t i = 0; i < w->peers_count; i++)
			w->verdict.echoed += w->peers[i].got;
		verdict = w->verdict;
	}
	free(w->block);
	free(w->twin_memory);
	free(w);
	return verdict;
}
