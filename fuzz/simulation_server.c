/*
 * The glue of the simulated server: performs an action on the model, where src/linux/perform.c
 * performs it on Linux, and lets calls fail as the plan of the run says. A result is one that Linux
 * could give in that state: a transfer that is cut short is followed by a wake-up, as when memory was
 * short (tcp_sendmsg_locked in net/ipv4/tcp.c), and wake-ups that come for nothing are legal.
 */
#include "simulation_state.h"

#include <errno.h>
#include <inttypes.h>

#include "linux/outcome.h"

enum { WATCHED = MODEL_IN | MODEL_OUT | MODEL_RDHUP | MODEL_PRI };

static struct echo_result result_of(const struct echo_action *action, int64_t returned)
{
	struct echo_result result = { .outcome = ECHO_DONE, .handle = -1 };

	if (returned < 0)
		result.outcome = linux_outcome(action->op, (int)-returned);
	else
		result.count = (uint32_t)returned;
	return result;
}

static struct peer *peer_of(struct simulation *s, const struct echo_action *action)
{
	return &s->peers[action->handle];
}

static struct client *client_of(struct simulation *s, const struct peer *peer)
{
	struct client *client = &s->clients[peer->client];

	return client->number == peer->number ? client : NULL;
}

static void excuse(struct simulation *s, struct peer *peer)
{
	struct client *client = client_of(s, peer);

	peer->excused = true;
	if (client != NULL)
		client->excused = true;
}

/* A wake-up for an entry; as good as any, since all that is ready is told with it. */
static void rearm(struct simulation *s, const struct peer *peer, int fd)
{
	struct model_event event = { .events = WATCHED | MODEL_ET, .data = peer->token };

	if (peer->open && peer->watched)
		model_epoll_ctl(s->model, s->epoll, MODEL_MOD, fd, &event);
}

static int64_t accept_one(struct simulation *s)
{
	struct caller caller;
	int fd;

	if (s->open >= s->plan.descriptors)
		return -EMFILE;
	fd = model_accept(s->model, s->listener);
	if (fd < 0)
		return fd;
	caller = s->line[s->line_first];
	s->line_first = (s->line_first + 1) % SIM_LINE_MAX;
	s->line_count--;
	s->peers[fd] =
		(struct peer){ .client = caller.place, .number = caller.number, .open = true };
	s->open++;
	s->accepted++;
	return fd;
}

static struct echo_result accepted(struct simulation *s, const struct echo_action *action)
{
	int64_t fd = accept_one(s);
	struct echo_result result = result_of(action, fd);

	result.count = 0;
	if (fd < 0)
		return result;
	if (one_in(&s->choices, s->plan.failing)) { /* and the kernel has dropped it */
		excuse(s, &s->peers[fd]);
		s->peers[fd].open = false;
		s->open--;
		model_close(s->model, (int)fd);
		return result_of(action, -ECONNABORTED);
	}
	result.handle = (int32_t)fd;
	return result;
}

static int64_t watch(struct simulation *s, const struct echo_action *action)
{
	struct model_event event = { .events = WATCHED | MODEL_ET, .data = action->token };
	struct peer *peer = peer_of(s, action);
	int error;

	if (one_in(&s->choices, s->plan.no_memory)) {
		excuse(s, peer);
		return -ENOSPC;
	}
	error = model_epoll_ctl(s->model, s->epoll, MODEL_ADD, action->handle, &event);
	peer->watched = error == 0;
	peer->token = action->token;
	s->fd_of_slot[(uint32_t)action->token] = action->handle;
	return error;
}

static int64_t watch_listener(struct simulation *s, uint32_t events)
{
	struct model_event event = { .events = events, .data = ECHO_TOKEN_LISTENER };

	if (one_in(&s->choices, s->plan.no_memory))
		return -ENOMEM;
	s->paused = events == 0;
	return model_epoll_ctl(s->model, s->epoll, MODEL_MOD, s->listener, &event);
}

/* Who was not accepted is reset, by a listener that is no more. */
static int64_t unlisten(struct simulation *s)
{
	s->listening = false;
	for (; s->line_count > 0; s->line_count--) {
		const struct caller *caller = &s->line[s->line_first];
		struct client *client = &s->clients[caller->place];

		s->line_first = (s->line_first + 1) % SIM_LINE_MAX;
		if (client->number != caller->number)
			continue;
		client->excused = true;
		client_news(s, caller->place);
	}
	return model_close(s->model, s->listener);
}

/* Failures that any transfer may meet. 0: none. */
static int64_t transfer_fails(struct simulation *s, struct peer *peer)
{
	if (one_in(&s->choices, s->plan.interrupted))
		return -EINTR;
	if (one_in(&s->choices, s->plan.no_memory))
		return -ENOBUFS;
	if (!one_in(&s->choices, s->plan.failing))
		return 0;
	excuse(s, peer);
	return one_in(&s->choices, 2) ? -ETIMEDOUT : -EIO;
}

static struct echo_result receive(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);
	bool removes = action->op != ECHO_OP_PEEK;
	int64_t count = transfer_fails(s, peer);
	struct echo_result result;

	if (count == 0)
		count = action->op == ECHO_OP_PEEK
				? model_peek(s->model, action->handle, action->data, action->length)
				: model_read(s->model, action->handle,
					     action->op == ECHO_OP_READ ? action->data : NULL,
					     action->length);
	else
		return result_of(action, count);
	result = result_of(action, count);
	if (count == 0) {
		result.outcome = ECHO_END;
		peer->ended = true;
	}
	if (count > 0 && removes && !peer->shut)
		peer->taken += (uint64_t)count;
	return result;
}

static struct echo_result transmit(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);
	int64_t count = transfer_fails(s, peer);
	uint32_t length = action->length;

	if (count == 0 && length > 1 && one_in(&s->choices, s->plan.cut_short))
		length = 1 + choose(&s->choices, length - 1);
	if (count == 0)
		count = model_write(s->model, action->handle, action->data, length);
	if (count > 0) {
		peer->written += (uint64_t)count;
		s->figures.bytes_echoed += (uint64_t)count;
	}
	if (length < action->length && count == (int64_t)length)
		rearm(s, peer, action->handle);
	return result_of(action, count);
}

/* Into an empty pipe; what stops it may be the socket, or the pipe, or an urgent mark. */
static struct echo_result fill(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);
	struct sim_pipe *pipe = &s->pipes[action->pipe];
	int64_t count = transfer_fails(s, peer);
	uint32_t length = action->length;
	struct echo_result result;

	if (pipe->start < pipe->end)
		sim_found(s, "pipe-not-empty", "%" PRIu32 " bytes of another connection",
			  pipe->end - pipe->start);
	if (count == 0 && one_in(&s->choices, s->plan.cut_short))
		length = choose(&s->choices, length);
	if (count == 0)
		count = length == 0 ? -EAGAIN
				    : model_read(s->model, action->handle, pipe->bytes, length);
	result = result_of(action, count);
	if (count == 0)
		result.outcome = ECHO_END;
	pipe->start = 0;
	pipe->end = result.count;
	peer->taken += result.count;
	return result;
}

/* Where it is cut short no wake-up follows: there may be room. */
static struct echo_result empty(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);
	struct sim_pipe *pipe = &s->pipes[action->pipe];
	int64_t count = transfer_fails(s, peer);
	uint32_t length = action->length;

	if (length != pipe->end - pipe->start)
		sim_found(s, "pipe-counted", "%" PRIu32 " of %" PRIu32 " bytes", length,
			  pipe->end - pipe->start);
	if (count == 0 && length > 1 && one_in(&s->choices, s->plan.cut_short))
		length = 1 + choose(&s->choices, length - 1);
	if (count == 0)
		count = model_write(s->model, action->handle, pipe->bytes + pipe->start, length);
	if (count > 0) {
		pipe->start += (uint32_t)count;
		peer->written += (uint64_t)count;
		s->figures.bytes_echoed += (uint64_t)count;
	}
	return result_of(action, count);
}

static struct echo_result purge(struct simulation *s, const struct echo_action *action)
{
	struct sim_pipe *pipe = &s->pipes[action->pipe];
	int64_t count = pipe->end - pipe->start;

	if (one_in(&s->choices, s->plan.interrupted))
		return result_of(action, -EINTR);
	if (count > 1 && one_in(&s->choices, s->plan.cut_short))
		count = 1 + choose(&s->choices, (uint32_t)count - 1);
	pipe->start += (uint32_t)count;
	return result_of(action, count > 0 ? count : -EAGAIN);
}

static int64_t end_ours(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);

	peer->shut = true;
	peer->parted = !peer->ended;
	return model_shutdown(s->model, action->handle, MODEL_WR);
}

static int64_t close_it(struct simulation *s, const struct echo_action *action)
{
	struct peer *peer = peer_of(s, action);

	sim_judge_closed(s, peer, action->reason);
	peer->open = false;
	s->open--;
	return model_close(s->model, action->handle);
}

static uint32_t requests(struct simulation *s)
{
	if (s->stopping || s->now < s->plan.stop_ns) {
		bool again = s->stopping && !s->aborting && s->plan.stop_twice &&
			     one_in(&s->choices, 16);

		s->aborting |= again;
		return again ? ECHO_REQUEST_STOP : 0;
	}
	s->stopping = true;
	return ECHO_REQUEST_STOP;
}

/* When the sleep ends if no client acts. Once none will ever act again, the request to stop comes,
 * after a time in which the server has to keep still. */
static uint64_t wakes(struct simulation *s, uint64_t until)
{
	bool quiet = due_next(s) == SIM_NEVER;

	if (!quiet || s->stopping)
		s->quiet_until = SIM_NEVER;
	else if (s->quiet_until == SIM_NEVER)
		s->quiet_until = s->now + SIM_QUIET_MS * SIM_NS_PER_MS;
	if (quiet && s->stopping && until == SIM_NEVER)
		sim_found(s, "stop-hangs", "%" PRIu32 " connections", s->open);
	if (!s->stopping && s->quiet_until < s->plan.stop_ns)
		s->plan.stop_ns = s->quiet_until;
	return !s->stopping && s->plan.stop_ns < until ? s->plan.stop_ns : until;
}

/* Lets the clients act until there is something for the server, or its time is up. */
static int sleeps(struct simulation *s, uint64_t until, struct model_event *events, int most)
{
	int count = 0;

	sim_judge_asleep(s, until == SIM_NEVER);
	while (count == 0 && s->finding->name == NULL) {
		uint64_t wake = wakes(s, until), next = due_next(s);

		if (next > wake) {
			s->now = wake > s->now ? wake : s->now;
			break;
		}
		s->now = next > s->now ? next : s->now;
		client_acts(s, due_first(s));
		count = model_epoll_wait(s->model, s->epoll, events, most);
	}
	return count;
}

static struct echo_result wait_for(struct simulation *s, const struct echo_action *action)
{
	struct model_event events[SIM_EVENTS_MAX];
	struct echo_result result = { .outcome = ECHO_DONE, .handle = -1, .events = s->events };
	uint64_t until = action->timeout_ms < 0
				 ? SIM_NEVER
				 : s->now + (uint64_t)action->timeout_ms * SIM_NS_PER_MS;
	int most = (int)action->events_max, count = 0;

	if (one_in(&s->choices, s->plan.interrupted))
		result.outcome = ECHO_INTERRUPTED;
	else
		count = model_epoll_wait(s->model, s->epoll, events, most);
	if (count == 0 && result.outcome == ECHO_DONE && action->timeout_ms != 0)
		count = sleeps(s, until, events, most);
	for (int i = 0; i < count; i++) {
		s->events[i] = (struct echo_event){ .token = events[i].data,
						    .readiness = events[i].events };
		if (events[i].data != ECHO_TOKEN_LISTENER)
			sim_judge_announced(s, events[i].data);
	}
	result.events_count = (uint32_t)count;
	result.requests = requests(s);
	result.now_ms = s->now / SIM_NS_PER_MS;
	return result;
}

static struct echo_result perform(struct simulation *s, const struct echo_action *action)
{
	switch (action->op) {
	case ECHO_OP_WAIT:
		return wait_for(s, action);
	case ECHO_OP_ACCEPT:
		return accepted(s, action);
	case ECHO_OP_WATCH:
		return result_of(action, watch(s, action));
	case ECHO_OP_PAUSE:
		return result_of(action, watch_listener(s, 0));
	case ECHO_OP_RESUME:
		return result_of(action, watch_listener(s, MODEL_IN));
	case ECHO_OP_UNLISTEN:
		return result_of(action, unlisten(s));
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
	case ECHO_OP_CONSUME:
	case ECHO_OP_DISCARD:
		return receive(s, action);
	case ECHO_OP_WRITE:
		return transmit(s, action);
	case ECHO_OP_FILL:
		return fill(s, action);
	case ECHO_OP_EMPTY:
		return empty(s, action);
	case ECHO_OP_PURGE:
		return purge(s, action);
	case ECHO_OP_UNACKED:
		return result_of(action, model_unsent(s->model, action->handle));
	case ECHO_OP_SHUTDOWN:
		return result_of(action, end_ours(s, action));
	case ECHO_OP_CLOSE:
		return result_of(action, close_it(s, action));
	case ECHO_OP_REPORT:
	case ECHO_OP_NONE:
	case ECHO_OP_COUNT:
		break;
	}
	return (struct echo_result){ .outcome = ECHO_DONE, .handle = -1 };
}

static bool of_connection(enum echo_op op)
{
	return op >= ECHO_OP_WATCH && op != ECHO_OP_REPORT;
}

static void trace(struct simulation *s, const struct echo_action *action,
		  const struct echo_result *result)
{
	char number[16] = "", length[16] = "", events[32] = "";

	if (s->trace == NULL)
		return;
	if (of_connection(action->op))
		snprintf(number, sizeof(number), " c%" PRIu32, peer_of(s, action)->number);
	if (action->length > 0)
		snprintf(length, sizeof(length), " %" PRIu32, action->length);
	if (action->op == ECHO_OP_WAIT)
		snprintf(events, sizeof(events), ", %" PRIu32 " events%s", result->events_count,
			 result->requests != 0 ? ", asked to stop" : "");
	else if (result->count > 0 || action->op == ECHO_OP_UNACKED)
		snprintf(events, sizeof(events), " %" PRIu32, result->count);
	sim_trace(s, "server %s%s%s -> %s%s", echo_op_name(action->op), number, length,
		  echo_outcome_name(result->outcome), events);
	for (uint32_t i = 0; i < result->events_count; i++) {
		uint64_t token = result->events[i].token;

		if (token == ECHO_TOKEN_LISTENER)
			sim_trace(s, "  listener");
		else
			sim_trace(s, "  c%" PRIu32 " %#" PRIx32,
				  s->peers[s->fd_of_slot[(uint32_t)token]].number,
				  result->events[i].readiness);
	}
}

/* What the server does to a connection is news for its client: bytes, room, or the end. */
struct echo_result server_perform(struct simulation *s, const struct echo_action *action)
{
	struct echo_result result = { .outcome = ECHO_DONE, .handle = -1 };

	sim_judge_served(s, action);
	if (s->finding->name != NULL)
		return result;
	result = perform(s, action);
	s->figures.server_calls++;
	s->now += 1 + choose(&s->choices, s->plan.call_ns);
	trace(s, action, &result);
	if (action->op == ECHO_OP_ACCEPT)
		s->spent += ECHO_ACCEPT_COST;
	else if (of_connection(action->op))
		s->spent += ECHO_CALL_COST + (action->op == ECHO_OP_UNACKED ? 0 : result.count);
	if (of_connection(action->op) && client_of(s, peer_of(s, action)) != NULL)
		client_news(s, peer_of(s, action)->client);
	return result;
}
