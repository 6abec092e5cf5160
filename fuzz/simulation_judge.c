/* What the server is held to: to leave nothing undone when it sleeps, and nobody waiting for long. */
#include "simulation_state.h"

#include <inttypes.h>

enum { LOOKED_AT_EACH = 4, STARVED_TURNS = 2 };

/* Something that the server could do now for this connection; NULL: nothing. */
static const char *undone(struct simulation *s, int fd)
{
	const struct peer *peer = &s->peers[fd];
	uint32_t ready = model_poll(s->model, fd, MODEL_IN | MODEL_OUT);
	bool in = (ready & MODEL_IN) != 0, out = (ready & MODEL_OUT) != 0;

	if (!peer->watched)
		return "unwatched";
	if ((ready & MODEL_ERR) != 0)
		return "reset-and-not-closed";
	if (peer->shut && peer->ended)
		return model_unsent(s->model, fd) == 0 ? "ended-and-not-closed" : NULL;
	if (peer->shut)
		return in ? "unread-and-not-discarded" : NULL;
	if (peer->written > peer->taken)
		return "peeked-and-not-consumed";
	if (peer->written < peer->taken)
		return out ? "owed-and-not-sent" : NULL;
	if (peer->ended)
		return "end-not-answered";
	return in && out ? "unread-and-not-read" : NULL;
}

static void look_at(struct simulation *s, int fd)
{
	const char *name = s->peers[fd].open ? undone(s, fd) : NULL;

	if (name != NULL)
		sim_found(s, name,
			  "c%" PRIu32 ": the server sleeps; taken %" PRIu64 ", written %" PRIu64,
			  s->peers[fd].number, s->peers[fd].taken, s->peers[fd].written);
}

static bool somebody_waits(const struct simulation *s)
{
	return s->listening && model_poll(s->model, s->listener, MODEL_IN) != 0;
}

static bool has_room(const struct simulation *s)
{
	return s->open < s->plan.echo.connections_max && s->open < s->plan.descriptors;
}

/* To look at all of thousands, each time, would be most of the work: what is stuck stays so. */
void sim_judge_asleep(struct simulation *s, bool for_ever)
{
	uint32_t fds = s->plan.model.descriptors, looks = LOOKED_AT_EACH;

	if (due_next(s) == SIM_NEVER || s->plan.clients_at_once <= LOOKED_AT_EACH)
		looks = fds;
	for (uint32_t i = 0; i < looks; i++) {
		s->look_next = (s->look_next + 1) % fds;
		look_at(s, (int)s->look_next);
	}
	if (somebody_waits(s) && (!s->paused || (for_ever && has_room(s))))
		sim_found(s, "not-accepted", "the server sleeps, and somebody waits");
}

/* It waits for its turn from now on, if there is anything to do for it. */
void sim_judge_announced(struct simulation *s, uint64_t token)
{
	int fd = s->fd_of_slot[(uint32_t)token];
	struct peer *peer = &s->peers[fd];

	if (!peer->open || peer->token != token || peer->waiting || undone(s, fd) == NULL)
		return;
	peer->waiting = true;
	peer->waiting_since = s->spent;
	peer->waiting_with = s->open;
	peer->waiting_from = s->accepted;
}

/* A number that the engine makes up may be any. */
static bool is_open(const struct simulation *s, int32_t fd)
{
	return fd >= 0 && (uint32_t)fd < s->plan.model.descriptors && s->peers[fd].open;
}

/* Who was announced has its turn before anybody else has had more than a few. */
void sim_judge_served(struct simulation *s, const struct echo_action *action)
{
	const struct echo_config *echo = &s->plan.echo;
	uint64_t turn = (uint64_t)echo->turn_bytes + echo->buffer_size + ECHO_ACCEPT_COST;
	struct peer *peer;
	uint32_t others;

	if (action->op < ECHO_OP_WATCH || action->op == ECHO_OP_REPORT)
		return;
	if (!is_open(s, action->handle)) {
		sim_found(s, "handle-closed", "%s of %" PRId32, echo_op_name(action->op),
			  action->handle);
		return;
	}
	peer = &s->peers[action->handle];
	others = peer->waiting_with + (s->accepted - peer->waiting_from);
	if (peer->waiting && s->spent - peer->waiting_since > STARVED_TURNS * turn * (others + 2))
		sim_found(s, "starved", "c%" PRIu32 " while others cost %" PRIu64, peer->number,
			  s->spent - peer->waiting_since);
	peer->waiting = false;
}

static bool client_is_gone(const struct simulation *s, const struct peer *peer)
{
	return s->clients[peer->client].number != peer->number ||
	       s->clients[peer->client].phase != PHASE_OPEN;
}

/* Was there that reason to close? */
void sim_judge_closed(struct simulation *s, const struct peer *peer, enum echo_reason reason)
{
	bool holds = false;

	switch (reason) {
	case ECHO_REASON_ENDED:
		holds = peer->ended && (peer->parted || peer->written == peer->taken);
		break;
	case ECHO_REASON_RESET:
		holds = peer->excused || client_is_gone(s, peer);
		break;
	case ECHO_REASON_FAILED:
	case ECHO_REASON_UNWATCHED:
		holds = peer->excused;
		break;
	case ECHO_REASON_IDLE:
		holds = s->plan.echo.idle_ms > 0;
		break;
	case ECHO_REASON_DRAINED:
	case ECHO_REASON_CUT:
		holds = s->stopping || s->plan.echo.idle_ms > 0;
		break;
	case ECHO_REASON_NONE:
	case ECHO_REASON_COUNT:
		break;
	}
	if (!holds)
		sim_found(s, "closed-without-reason", "c%" PRIu32 ": %s", peer->number,
			  echo_reason_name(reason));
}

/* When the engine has stopped: nothing is left of the server but its instance. */
void sim_judge_over(struct simulation *s)
{
	const char *broken = echo_invariant(s->engine);
	enum echo_ending ending = echo_ending(s->engine);

	if (broken != NULL)
		sim_found(s, "invariant", "%s", broken);
	if (!model_invariant(s->model))
		sim_found(s, "model-invariant", "of the model itself");
	if (ending != (s->aborting ? ECHO_ABORTED : ECHO_STOPPED))
		sim_found(s, "ending", "%d", (int)ending);
	if (ending == ECHO_STOPPED && s->open > 0)
		sim_found(s, "leaked-descriptors", "%" PRIu32, s->open);
	if (ending == ECHO_STOPPED && echo_buffers_used(s->engine) > 0)
		sim_found(s, "leaked-buffers", "%" PRIu32, echo_buffers_used(s->engine));
	if (ending == ECHO_STOPPED && echo_pipes_used(s->engine) > 0)
		sim_found(s, "leaked-pipes", "%" PRIu32, echo_pipes_used(s->engine));
	if (s->listening && ending == ECHO_STOPPED)
		sim_found(s, "leaked-listener", "it was not closed");
}
