#include "on_model.h"

#include <string.h>

#include "../model/model.h"

static uint8_t room[CALL_MAX];

static enum world_answer told(int result, struct seen *seen)
{
	if (result < 0)
		*seen = (struct seen){ .kind = SEEN_ERRNO, .error = -result };
	return WORLD_DONE;
}

static enum world_answer not_covered(const struct call *call, struct note *why, const char *what)
{
	note_add(why, "the model has no %s ('%.*s')", what, (int)call->source.len, call->source.at);
	return WORLD_NOT_COVERED;
}

/* A name that is made anew while it is open gives its number away, as dup2(2) does. */
static int fresh(struct model *m, int fd)
{
	if (model_kind(m, fd) != MODEL_FREE)
		model_close(m, fd);
	return fd;
}

static enum world_answer make(struct model *m, const struct call *call, struct seen *seen)
{
	uint64_t count = (call->options & OPTION_COUNT) != 0 ? (uint64_t)call->count : 0;
	uint32_t size = (call->options & OPTION_SIZE) != 0 ? (uint32_t)call->count : 65536;
	int fd = fresh(m, call->fds[0]);

	switch (call->op) {
	case CALL_EPOLL:
		return told(model_epoll(m, fd), seen);
	case CALL_EVENTFD:
		return told(model_eventfd(m, fd, count, (call->options & OPTION_SEMAPHORE) != 0),
			    seen);
	case CALL_PIPE:
		return told(model_pipe(m, fd, fresh(m, call->fds[1]), size), seen);
	default:
		return told(model_plain(m, fd), seen);
	}
}

static enum world_answer ctl(struct model *m, const struct call *call, int op, struct seen *seen)
{
	struct model_event event = { .mask = call->mask, .data = call->label };

	return told(model_ctl(m, call->fds[0], op, call->fds[1], event), seen);
}

static enum world_answer wait(struct model *m, const struct call *call, struct seen *seen)
{
	struct model_event events[SEEN_EVENTS_MAX];
	int64_t most = (call->options & OPTION_MAX) != 0 ? call->count : CALL_EVENTS_DEFAULT;
	int count;

	if (most > SEEN_EVENTS_MAX && most <= INT32_MAX / 12)
		most = SEEN_EVENTS_MAX; /* no more can be told */
	count = model_wait(m, call->fds[0], events, most);
	if (count < 0)
		return told(count, seen);
	seen->kind = SEEN_EVENTS;
	seen->events_count = (uint32_t)count;
	for (int i = 0; i < count; i++)
		seen->events[i] = (struct seen_event){ .mask = events[i].mask,
						       .label = (uint16_t)events[i].data };
	return WORLD_DONE;
}

static enum world_answer interest(struct model *m, const struct call *call, struct seen *seen)
{
	struct model_event event;

	seen->kind = SEEN_EVENTS;
	for (int fd = 0; fd < MODEL_FDS_MAX; fd++)
		if (seen->events_count < SEEN_EVENTS_MAX &&
		    model_entry_of(m, call->fds[0], fd, &event))
			seen->events[seen->events_count++] =
				(struct seen_event){ .mask = event.mask,
						     .label = (uint16_t)event.data };
	return WORLD_DONE;
}

static enum world_answer do_write(struct model *m, const struct call *call, struct seen *seen,
				  struct note *why)
{
	bool counter = model_kind(m, call->fds[0]) == MODEL_EVENTFD;
	int result;

	if (counter && call->bytes != NULL)
		return not_covered(call, why, "bytes in an eventfd");
	if (!counter && call->count > CALL_MAX)
		return not_covered(call, why, "write that is so long");
	memset(room, 'x', sizeof(room));
	if (counter)
		result = model_add_count(m, call->fds[0], (uint64_t)call->count);
	else
		result = model_write(m, call->fds[0], call->bytes != NULL ? call->bytes : room,
				     (uint32_t)call->count);
	if (result < 0)
		return told(result, seen);
	*seen = (struct seen){ .kind = SEEN_COUNT, .count = counter ? call->count : result };
	return WORLD_DONE;
}

static enum world_answer do_read(struct model *m, const struct call *call, struct seen *seen)
{
	uint32_t most = (call->options & OPTION_COUNT) != 0 && call->count < CALL_MAX
				? (uint32_t)call->count
				: CALL_MAX;
	uint64_t number = 0;
	int result;

	if (model_kind(m, call->fds[0]) == MODEL_EVENTFD) {
		result = model_take_count(m, call->fds[0], &number);
		if (result == 0)
			*seen = (struct seen){ .kind = SEEN_COUNT, .count = (int64_t)number };
		return told(result, seen);
	}
	result = model_read(m, call->fds[0], room, most);
	if (result < 0)
		return told(result, seen);
	seen->kind = result == 0 ? SEEN_END : SEEN_BYTES;
	seen->count = result;
	seen->has_text = result > 0 && result <= SEEN_TEXT_MAX;
	if (seen->has_text)
		memcpy(seen->text, room, (size_t)result);
	return WORLD_DONE;
}

static void fill(struct model *m, const struct call *call)
{
	uint32_t by = (call->options & OPTION_BY) != 0 ? (uint32_t)call->count : CALL_MAX;

	memset(room, 'x', sizeof(room));
	while (model_write(m, call->fds[0], room, by) > 0)
		;
}

static void drain(struct model *m, const struct call *call)
{
	while (model_read(m, call->fds[0], room, CALL_MAX) > 0)
		;
}

/* Calls on descriptors that are open, of the kinds that there are. */
static enum world_answer perform_known(struct model *m, const struct call *call, struct seen *seen,
				       struct note *why)
{
	switch (call->op) {
	case CALL_ADD:
		return ctl(m, call, MODEL_ADD, seen);
	case CALL_MOD:
		return ctl(m, call, MODEL_MOD, seen);
	case CALL_DEL:
		return ctl(m, call, MODEL_DEL, seen);
	case CALL_CTL:
		return ctl(m, call, (int)call->count, seen);
	case CALL_WAIT:
		return wait(m, call, seen);
	case CALL_POLL:
		*seen = (struct seen){ .kind = SEEN_MASK,
				       .mask = model_poll(m, call->fds[0], call->mask) };
		return WORLD_DONE;
	case CALL_INTEREST:
		return interest(m, call, seen);
	case CALL_WRITE:
		return do_write(m, call, seen, why);
	case CALL_READ:
		return do_read(m, call, seen);
	case CALL_FILL:
		fill(m, call);
		return WORLD_DONE;
	case CALL_DRAIN:
		drain(m, call);
		return WORLD_DONE;
	case CALL_CLOSE:
		return told(model_close(m, call->fds[0]), seen);
	case CALL_DUP:
	case CALL_DUP2:
		return told(model_dup(m, call->fds[0], call->fds[1]), seen);
	case CALL_EPOLL:
	case CALL_EVENTFD:
	case CALL_PIPE:
	case CALL_FILE:
	case CALL_DIRECTORY:
	case CALL_MEMFD:
	case CALL_NULL:
		return make(m, call, seen);
	default:
		return not_covered(call, why, call_word(call->op));
	}
}

static enum world_answer perform(void *state, const struct call *call, struct seen *seen,
				 struct note *why)
{
	enum world_answer answer;
	const char *broken;

	if (call->in_child)
		return not_covered(call, why, "other processes");
	if ((call->options & OPTION_NULL) != 0)
		return not_covered(call, why, "bad addresses");
	answer = perform_known(state, call, seen, why);
	broken = model_invariant(state);
	if (answer != WORLD_DONE || broken == NULL)
		return answer;
	note_add(why, "the model's invariant '%s' does not hold", broken);
	return WORLD_BROKEN;
}

void on_model_play(const struct script *script, const struct scenario *scenario, bool show,
		   struct outcome *outcome)
{
	static struct model model;
	const struct world world = { .name = "model", .state = &model, .perform = perform };

	model_init(&model);
	world_play(&world, script, scenario, show, outcome);
}
