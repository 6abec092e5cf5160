#include "on_model.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "model/model.h"

enum { PROCESS_OF_CALLS = 1, PROCESSES = CALL_NAMES_MAX + 2 };
enum { RING_SIZE = 1 << 19, WINDOW = 1 << 18, NUMBERS = 192, STANDARD_FDS = 3 };
enum { MEMORY_SIZE = 48 << 20, NS_OF_MS = 1000000 };

static const struct model_config config = {
	.processes = PROCESSES,
	.descriptors = NUMBERS,
	.files = 256,
	.entries = 1024,
	.waiters = CALL_NAMES_MAX + 1,
	.rings = 64,
	.ring_size = RING_SIZE,
	.window = WINDOW,
};

struct waiting {
	int number; /* of the waiter, or the error that it has returned */
	int epoll;
	bool used, limited;
	struct model_event events[SEEN_EVENTS_MAX];
};

static struct on_model {
	struct model *m;
	struct waiting waiting[CALL_NAMES_MAX];
	bool forked[CALL_NAMES_MAX];
	bool has_waiters, order_matters;
	bool mixed; /* one instance may have two numbers, or watch another one */
} here;

static _Alignas(64) uint8_t memory[MEMORY_SIZE];
static uint8_t room[CALL_MAX];

/* Zero or more is success. */
static enum world_answer told(int64_t result, struct seen *seen)
{
	if (result < 0)
		*seen = (struct seen){ .kind = SEEN_ERRNO, .error = (int)-result };
	return WORLD_DONE;
}

static enum world_answer not_covered(const struct call *call, struct note *why, const char *what)
{
	note_add(why, "the model has no %s ('%.*s')", what, (int)call->source.len, call->source.at);
	return WORLD_NOT_COVERED;
}

static enum world_answer unnamed(struct note *why)
{
	note_add(why, "it needs a name of the right kind");
	return WORLD_BROKEN;
}

/* Gives a descriptor the number of its name. */
static enum world_answer placed(struct model *m, int fd, int number, struct seen *seen)
{
	int result = fd < 0 ? fd : model_dup2(m, fd, number);

	if (fd >= 0)
		model_close(m, fd);
	return told(result, seen);
}

static enum world_answer both_placed(struct model *m, int result, const int fds[2],
				     const struct call *call, struct seen *seen)
{
	if (result < 0)
		return told(result, seen);
	placed(m, fds[0], call->fds[0], seen);
	return placed(m, fds[1], call->fds[1], seen);
}

static enum world_answer make_pipe(struct model *m, const struct call *call, struct seen *seen)
{
	int fds[2], result = model_pipe(m, fds);

	if (result == 0 && (call->options & OPTION_SIZE) != 0)
		result = model_pipe_resize(m, fds[1], (uint32_t)call->count);
	return both_placed(m, result, fds, call, seen);
}

static enum world_answer make_unix(struct model *m, const struct call *call, enum model_type type,
				   struct seen *seen)
{
	int fds[2], result = model_unix(m, type, fds);

	return both_placed(m, result, fds, call, seen);
}

static int listener_new(struct model *m, uint32_t backlog)
{
	int fd = model_socket(m), result = fd < 0 ? fd : model_listen(m, fd, backlog);

	return result < 0 ? result : fd;
}

static enum world_answer make_tcp(struct model *m, const struct call *call, struct seen *seen)
{
	int listener = listener_new(m, 1), fds[2] = { model_socket(m), -1 };

	model_connect(m, fds[0], listener, false);
	fds[1] = model_accept(m, listener);
	model_close(m, listener);
	return both_placed(m, fds[1], fds, call, seen);
}

static enum world_answer connected(struct model *m, int fd, struct seen *seen, struct note *why)
{
	int state = model_tcp_state(m, fd);
	bool refused = state != TCP_ESTABLISHED;

	if (state == TCP_SYN_SENT) {
		note_add(why, "the connection does not arrive: the backlog is full");
		return WORLD_BROKEN;
	}
	*seen = (struct seen){ .kind = SEEN_WORD, .word = refused ? WORD_REFUSED : WORD_CONNECTED };
	return WORLD_DONE;
}

static enum world_answer do_connect(struct model *m, const struct call *call, struct seen *seen,
				    struct note *why)
{
	int fd = call->fds[0], result;

	/* To poll an instance would take from its ready list what is not ready any more. */
	if (model_tcp_state(m, fd) == MODEL_EBADF)
		placed(m, model_socket(m), fd, seen);
	result = model_connect(m, fd, call->fds[1], false);
	if (result < 0 && result != MODEL_EINPROGRESS)
		return told(result, seen);
	if (result == 0 || (call->options & OPTION_ASYNC) == 0)
		return connected(m, fd, seen, why);
	*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_PENDING };
	return WORLD_DONE;
}

static enum world_answer do_settle(struct model *m, const struct call *call, struct seen *seen,
				   struct note *why)
{
	if (model_settle(m, call->fds[0]) < 0)
		return unnamed(why);
	return connected(m, call->fds[0], seen, why);
}

static enum world_answer arm(struct model *m, const struct call *call, struct seen *seen)
{
	uint64_t every = (call->options & OPTION_EVERY) != 0 ? (uint64_t)call->count : 0;

	return told(model_timer_set(m, call->fds[0], (uint64_t)call->ms * NS_OF_MS,
				    every * NS_OF_MS),
		    seen);
}

/* Several that were woken, of one instance or of some that may have to do with each other. */
static bool woken_together(const struct model *m)
{
	const struct waiting *first = NULL;
	int result;

	for (int i = 0; i < CALL_NAMES_MAX; i++) {
		const struct waiting *waiting = &here.waiting[i];

		if (!waiting->used || waiting->number < 0 ||
		    model_waiter(m, waiting->number, &result) != MODEL_WOKEN)
			continue;
		if (first != NULL && (here.mixed || first->epoll == waiting->epoll))
			return true;
		first = waiting;
	}
	return false;
}

/* Lets who was woken run, as between two calls on the kernel. */
static void let_run(struct model *m)
{
	here.order_matters |= here.has_waiters && woken_together(m);
	model_run(m);
}

/* `pass` sends a byte along, which is read at the other end. */
static enum world_answer pass(struct model *m, const struct call *call, struct seen *seen)
{
	model_write(m, call->fds[1], "p", 1);
	let_run(m);
	model_read(m, call->fds[2], room, 1);
	return placed(m, model_dup(m, call->fds[0]), call->fds[3], seen);
}

static enum world_answer make(struct model *m, const struct call *call, struct seen *seen,
			      struct note *why)
{
	bool has_count = (call->options & OPTION_COUNT) != 0;
	uint64_t count = has_count ? (uint64_t)call->count : 0;
	int fd = call->fds[0];

	switch (call->op) {
	case CALL_TCP:
		return make_tcp(m, call, seen);
	case CALL_UNIX:
		return make_unix(m, call, MODEL_STREAM, seen);
	case CALL_DGRAM:
		return make_unix(m, call, MODEL_DATAGRAM, seen);
	case CALL_SEQPACKET:
		return make_unix(m, call, MODEL_SEQPACKET, seen);
	case CALL_SOCKET:
		return placed(m, model_socket(m), fd, seen);
	case CALL_LISTENER:
		count = (call->options & OPTION_BACKLOG) != 0 ? (uint64_t)call->count : 16;
		return placed(m, listener_new(m, (uint32_t)count), fd, seen);
	case CALL_LISTEN:
		return told(model_listen(m, fd, 16), seen);
	case CALL_CONNECT:
		return do_connect(m, call, seen, why);
	case CALL_SETTLE:
		return do_settle(m, call, seen, why);
	case CALL_ACCEPT:
		return placed(m, model_accept(m, fd), call->fds[1], seen);
	case CALL_PIPE:
		return make_pipe(m, call, seen);
	case CALL_FIFO:
		return placed(m, model_fifo(m), fd, seen);
	case CALL_EVENTFD:
		return placed(m, model_eventfd(m, count, (call->options & OPTION_SEMAPHORE) != 0),
			      fd, seen);
	case CALL_TIMERFD:
		return placed(m, model_timerfd(m), fd, seen);
	case CALL_ARM:
	case CALL_DISARM:
		return arm(m, call, seen);
	case CALL_FILE:
	case CALL_DIRECTORY:
	case CALL_MEMFD:
	case CALL_NULL:
		return placed(m, model_file(m), fd, seen);
	case CALL_EPOLL:
		return placed(m, model_epoll_create1(m, 0), fd, seen);
	case CALL_CREATE:
	case CALL_CREATE1:
		fd = call->op == CALL_CREATE ? model_epoll_create(m, (int)call->count)
					     : model_epoll_create1(m, (uint32_t)call->count);
		model_close(m, fd);
		return told(fd, seen);
	case CALL_DUP:
	case CALL_DUP2:
		return told(model_dup2(m, fd, call->fds[1]), seen);
	case CALL_PASS:
		return pass(m, call, seen);
	default:
		return not_covered(call, why, call_word(call->op));
	}
}

/* epoll */

static enum world_answer control(struct model *m, const struct call *call, int op, bool null,
				 struct seen *seen)
{
	struct model_event event = { .events = call->mask, .data = call->label };

	return told(model_epoll_ctl(m, call->fds[0], op, call->fds[1], null ? NULL : &event), seen);
}

static enum world_answer seen_events(struct seen *seen, const struct model_event *events, int count)
{
	if (count < 0)
		return told(count, seen);
	seen->kind = SEEN_EVENTS;
	seen->events_count = (uint32_t)count;
	for (int i = 0; i < count; i++)
		seen->events[i] = (struct seen_event){ .mask = events[i].events,
						       .label = (uint16_t)events[i].data };
	return WORLD_DONE;
}

/* Lets time go on until the waiter has returned. */
static int await(struct model *m, int waiter)
{
	int result = 0;

	model_run(m);
	while (model_waiter(m, waiter, &result) != MODEL_DONE && model_next(m) != UINT64_MAX)
		model_advance(m, model_next(m) - model_now(m));
	return result;
}

/* Is a thread blocked there already, so that one wake-up may be for both? */
static bool waits_there(const struct model *m, int epoll)
{
	int result;

	for (int i = 0; i < CALL_NAMES_MAX; i++) {
		const struct waiting *waiting = &here.waiting[i];

		if (waiting->used && waiting->number >= 0 &&
		    (here.mixed || waiting->epoll == epoll) &&
		    model_waiter(m, waiting->number, &result) == MODEL_ASLEEP)
			return true;
	}
	return false;
}

static int block_for(struct model *m, const struct call *call, struct model_event *events, int max)
{
	int waiter, result;

	here.order_matters |= here.has_waiters && waits_there(m, call->fds[0]);
	waiter = model_block(m, call->fds[0], events, max, call->ms * NS_OF_MS);
	if (waiter < 0)
		return waiter;
	result = await(m, waiter);
	model_waiter_free(m, waiter);
	return result;
}

static enum world_answer wait_for(struct model *m, const struct call *call, struct seen *seen,
				  struct note *why)
{
	struct model_event events[SEEN_EVENTS_MAX];
	bool null = (call->options & OPTION_NULL) != 0, timed = (call->options & OPTION_FOR) != 0;
	int max = (call->options & OPTION_MAX) != 0 ? (int)call->count : CALL_EVENTS_DEFAULT;
	int count;

	if ((call->options & OPTION_UNBLOCKING) != 0)
		return not_covered(call, why, "signals");
	if (call->op == CALL_PWAIT2 &&
	    (call->ms < 0 || ((call->options & OPTION_NSEC) != 0 &&
			      (call->count < 0 || call->count >= 1000000000))))
		return told(MODEL_EINVAL, seen);
	count = model_epoll_wait(m, call->fds[0], null ? NULL : events, max);
	if (count == 0 && timed && call->ms < 0)
		return not_covered(call, why, "wait that nothing ends");
	if (count == 0 && timed && call->ms > 0)
		count = block_for(m, call, null ? NULL : events, max);
	return seen_events(seen, events, count);
}

static bool comes_first(const struct model_interest *a, const struct model_interest *b)
{
	if (a->fd != b->fd)
		return a->fd < b->fd;
	return a->data != b->data ? a->data < b->data : a->events < b->events;
}

static void sort(struct model_interest *list, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0 && comes_first(&list[j], &list[j - 1]); j--) {
			struct model_interest other = list[j];

			list[j] = list[j - 1];
			list[j - 1] = other;
		}
}

/* In the order in which the kernel's world tells it. Who is no instance has an empty one in /proc. */
static enum world_answer interest(struct model *m, const struct call *call, struct seen *seen,
				  struct note *why)
{
	struct model_interest list[SEEN_EVENTS_MAX];
	int count = model_interest(m, call->fds[0], list, SEEN_EVENTS_MAX);

	if (count == MODEL_EBADF) {
		note_add(why, "it is not open");
		return WORLD_BROKEN;
	}
	count = count < 0 ? 0 : count < SEEN_EVENTS_MAX ? count : SEEN_EVENTS_MAX;
	sort(list, count);
	seen->kind = SEEN_EVENTS;
	seen->events_count = (uint32_t)count;
	for (int i = 0; i < count; i++)
		seen->events[i] = (struct seen_event){ .mask = list[i].events,
						       .label = (uint16_t)list[i].data };
	return WORLD_DONE;
}

static enum world_answer seen_mask(uint32_t mask, struct seen *seen)
{
	*seen = (struct seen){ .kind = SEEN_MASK, .mask = mask };
	return WORLD_DONE;
}

static enum world_answer epoll(struct model *m, const struct call *call, struct seen *seen,
			       struct note *why)
{
	switch (call->op) {
	case CALL_ADD:
		return control(m, call, MODEL_ADD, false, seen);
	case CALL_MOD:
		return control(m, call, MODEL_MOD, false, seen);
	case CALL_DEL:
		return control(m, call, MODEL_DEL, false, seen);
	case CALL_CTL:
		return control(m, call, (int)call->count, (call->options & OPTION_NULL) != 0, seen);
	case CALL_POLL:
		return seen_mask(model_poll(m, call->fds[0], call->mask), seen);
	case CALL_INTEREST:
		return interest(m, call, seen, why);
	default:
		return wait_for(m, call, seen, why);
	}
}

/* Bytes and ends of streams */

static enum world_answer seen_count(int64_t count, struct seen *seen)
{
	if (count < 0)
		return told(count, seen);
	*seen = (struct seen){ .kind = SEEN_COUNT, .count = count };
	return WORLD_DONE;
}

static enum world_answer do_write(struct model *m, const struct call *call, struct seen *seen)
{
	uint64_t number = (uint64_t)call->count;
	int fd = call->fds[0];

	if (model_counts(m, fd) && call->bytes == NULL) {
		int64_t result = model_write(m, fd, &number, sizeof(number));

		return result < 0 ? told(result, seen) : seen_count(call->count, seen);
	}
	if (call->bytes == NULL)
		memset(room, 'x', sizeof(room));
	return seen_count(model_write(m, fd, call->bytes != NULL ? call->bytes : room,
				      (size_t)call->count),
			  seen);
}

static enum world_answer do_read(struct model *m, const struct call *call, struct seen *seen)
{
	size_t most = (call->options & OPTION_COUNT) != 0 ? (size_t)call->count : sizeof(room);
	int64_t count = call->op == CALL_PEEK ? model_peek(m, call->fds[0], room, most)
					      : model_read(m, call->fds[0], room, most);

	if (count < 0)
		return told(count, seen);
	if (model_counts(m, call->fds[0]) && count == sizeof(uint64_t)) {
		uint64_t number;

		memcpy(&number, room, sizeof(number));
		return seen_count((int64_t)number, seen);
	}
	if (count == 0) {
		seen->kind = SEEN_END;
		return WORLD_DONE;
	}
	*seen = (struct seen){ .kind = SEEN_BYTES, .count = count };
	seen->has_text = count <= SEEN_TEXT_MAX;
	if (seen->has_text)
		memcpy(seen->text, room, (size_t)count);
	return WORLD_DONE;
}

static enum world_answer fill(struct model *m, const struct call *call, struct note *why)
{
	size_t by = (call->options & OPTION_BY) != 0 ? (size_t)call->count : sizeof(room);
	int64_t count, all = 0;

	memset(room, 'x', sizeof(room));
	while ((count = model_write(m, call->fds[0], room, by)) > 0 && all <= CALL_FILL_MAX) {
		all += count;
		let_run(m);
	}
	if (count > 0) {
		note_add(why, "it is never full");
		return WORLD_BROKEN;
	}
	if (count == MODEL_EAGAIN)
		return WORLD_DONE;
	note_add(why, "fill: %s", strerror((int)-count));
	return WORLD_BROKEN;
}

static enum world_answer drain(struct model *m, const struct call *call)
{
	while (model_read(m, call->fds[0], room, sizeof(room)) > 0)
		let_run(m);
	return WORLD_DONE;
}

static enum world_answer error_of(struct model *m, const struct call *call, struct seen *seen)
{
	int error, result = model_socket_error(m, call->fds[0], &error);

	if (result < 0 || error < 0)
		return told(result < 0 ? result : error, seen);
	*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_NONE };
	return WORLD_DONE;
}

static enum world_answer set(struct model *m, const struct call *call, struct seen *seen,
			     struct note *why)
{
	int value = (int)call->count, fd = call->fds[0];

	switch (call->socket_option) {
	case SO_RCVLOWAT:
		return told(model_set_option(m, fd, MODEL_RCVLOWAT, value), seen);
	case SO_OOBINLINE:
		return told(model_set_option(m, fd, MODEL_OOBINLINE, value), seen);
	case SO_LINGER:
		return told(model_set_option(m, fd, MODEL_LINGER, value), seen);
	default:
		return not_covered(call, why, "account of buffer memory, and no such option");
	}
}

static enum world_answer data(struct model *m, const struct call *call, struct seen *seen,
			      struct note *why)
{
	static const enum model_how hows[] = {
		[HOW_RD] = MODEL_RD, [HOW_WR] = MODEL_WR, [HOW_RDWR] = MODEL_RDWR
	};
	int fd = call->fds[0], result;

	switch (call->op) {
	case CALL_WRITE:
		return do_write(m, call, seen);
	case CALL_READ:
	case CALL_PEEK:
		return do_read(m, call, seen);
	case CALL_FILL:
		return fill(m, call, why);
	case CALL_DRAIN:
		return drain(m, call);
	case CALL_URGENT:
		return told(model_send_urgent(m, fd, call->bytes != NULL ? call->bytes : room,
					      (size_t)call->count),
			    seen);
	case CALL_SHUTDOWN:
		return told(model_shutdown(m, fd, hows[call->how]), seen);
	case CALL_CLOSE:
		return told(model_close(m, fd), seen);
	case CALL_RESET:
		result = model_set_option(m, fd, MODEL_LINGER, 0);
		return told(result < 0 ? result : model_close(m, fd), seen);
	case CALL_DISSOLVE:
		return told(model_dissolve(m, fd), seen);
	case CALL_SET:
		return set(m, call, seen, why);
	case CALL_ERROR:
		return error_of(m, call, seen);
	case CALL_RESIZE:
		return told(model_pipe_resize(m, fd, (uint32_t)call->count), seen);
	default:
		return seen_count(model_queued(m, fd), seen);
	}
}

/* Threads, processes, limits */

/* NULL: it is no name of a waiter. */
static struct waiting *waiting_of(const struct call *call)
{
	int index = call->fds[0] - CALL_NUMBER_FIRST;

	return index >= 0 && index < CALL_NAMES_MAX && here.waiting[index].used
		       ? &here.waiting[index]
		       : NULL;
}

static enum world_answer start(struct model *m, const struct call *call)
{
	struct waiting *waiting = &here.waiting[call->fds[0] - CALL_NUMBER_FIRST];
	int max = (call->options & OPTION_MAX) != 0 ? (int)call->count : SEEN_EVENTS_MAX;

	here.has_waiters = waiting->used = true;
	waiting->epoll = call->fds[1];
	waiting->limited = (call->options & OPTION_FOR) != 0 && call->ms >= 0;
	waiting->number = model_block(m, call->fds[1], waiting->events, max,
				      waiting->limited ? call->ms * NS_OF_MS : -1);
	return WORLD_DONE;
}

static enum world_answer woken(struct model *m, const struct call *call, struct seen *seen,
			       struct note *why)
{
	struct waiting *waiting = waiting_of(call);
	int result;

	if (waiting == NULL)
		return unnamed(why);
	if (waiting->number < 0)
		return told(waiting->number, seen);
	if (waiting->limited)
		await(m, waiting->number);
	if (model_waiter(m, waiting->number, &result) == MODEL_DONE)
		return seen_events(seen, waiting->events, result);
	*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_ASLEEP };
	return WORLD_DONE;
}

static enum world_answer asleep(struct model *m, const struct call *call, struct seen *seen,
				struct note *why)
{
	const struct waiting *waiting = waiting_of(call);
	int result;

	if (waiting == NULL)
		return unnamed(why);
	if (waiting->number < 0 || model_waiter(m, waiting->number, &result) != MODEL_ASLEEP)
		*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_AWAKE };
	return WORLD_DONE;
}

static enum world_answer interrupt(struct model *m, const struct call *call, struct note *why)
{
	const struct waiting *waiting = waiting_of(call);
	int result;

	if (waiting == NULL)
		return unnamed(why);
	if (waiting->number >= 0 && model_waiter(m, waiting->number, &result) != MODEL_DONE)
		model_interrupt(m, waiting->number);
	return WORLD_DONE;
}

static uint32_t process_of(int index)
{
	return (uint32_t)index + PROCESS_OF_CALLS + 1;
}

static void end_process(struct model *m, uint32_t process)
{
	model_switch(m, process);
	model_exit(m);
	model_switch(m, 0);
}

static enum world_answer processes(struct model *m, const struct call *call, struct note *why)
{
	int index = call->fds[0] - CALL_NUMBER_FIRST;

	if (call->op == CALL_FORK)
		model_fork(m, process_of(index));
	else if (index < 0 || index >= CALL_NAMES_MAX || !here.forked[index])
		return unnamed(why);
	else
		end_process(m, process_of(index));
	here.forked[index] = call->op == CALL_FORK;
	return WORLD_DONE;
}

static enum world_answer dispatch(struct model *m, const struct call *call, struct seen *seen,
				  struct note *why)
{
	switch (call->op) {
	case CALL_ADD:
	case CALL_MOD:
	case CALL_DEL:
	case CALL_CTL:
	case CALL_WAIT:
	case CALL_PWAIT:
	case CALL_PWAIT2:
	case CALL_POLL:
	case CALL_INTEREST:
		return epoll(m, call, seen, why);
	case CALL_WRITE:
	case CALL_READ:
	case CALL_PEEK:
	case CALL_FILL:
	case CALL_DRAIN:
	case CALL_URGENT:
	case CALL_SHUTDOWN:
	case CALL_CLOSE:
	case CALL_RESET:
	case CALL_DISSOLVE:
	case CALL_SET:
	case CALL_ERROR:
	case CALL_QUEUED:
	case CALL_RESIZE:
		return data(m, call, seen, why);
	case CALL_WAITER:
		return start(m, call);
	case CALL_WOKEN:
		return woken(m, call, seen, why);
	case CALL_ASLEEP:
		return asleep(m, call, seen, why);
	case CALL_INTERRUPT:
		return interrupt(m, call, why);
	case CALL_FORK:
	case CALL_END:
		return processes(m, call, why);
	case CALL_LIMIT:
		model_limit(m, (uint32_t)call->count);
		return WORLD_DONE;
	default:
		return make(m, call, seen, why);
	}
}

static bool mixes(struct model *m, const struct call *call)
{
	switch (call->op) {
	case CALL_DUP:
	case CALL_DUP2:
	case CALL_PASS:
	case CALL_FORK:
		return true;
	case CALL_ADD:
	case CALL_CTL:
		return model_interest(m, call->fds[1], NULL, 0) >= 0;
	default:
		return call->in_child;
	}
}

/* Who was woken has run before the next step. */
static enum world_answer perform(void *state, const struct call *call, struct seen *seen,
				 struct note *why)
{
	struct on_model *on = state;
	enum world_answer answer;

	on->order_matters = false;
	if (call->in_child) {
		model_fork(on->m, PROCESS_OF_CALLS);
		model_switch(on->m, PROCESS_OF_CALLS);
	}
	answer = dispatch(on->m, call, seen, why);
	if (call->in_child)
		end_process(on->m, PROCESS_OF_CALLS);
	on->mixed |= mixes(on->m, call);
	let_run(on->m);
	return answer;
}

const struct world *on_model_new(void)
{
	static const struct world world = { .name = "model", .state = &here, .perform = perform };

	if (here.has_waiters)
		memset(here.waiting, 0, sizeof(here.waiting));
	memset(here.forked, 0, sizeof(here.forked));
	here.has_waiters = here.mixed = here.order_matters = false;
	here.m = model_init(memory, sizeof(memory), &config);
	for (int i = 0; i < STANDARD_FDS; i++)
		model_file(here.m);
	return &world;
}

void on_model_play(const struct script *script, const struct scenario *scenario, bool show,
		   struct outcome *outcome)
{
	world_play(on_model_new(), script, scenario, show, outcome);
}

bool on_model_holds(void)
{
	return model_invariant(here.m);
}

bool on_model_catch_up(uint64_t ns, uint64_t margin)
{
	uint64_t now = model_now(here.m);

	if (now > ns ? now - ns > margin : ns - now > margin)
		return false;
	if (model_next(here.m) <= ns + margin)
		return false;
	if (ns > now)
		model_advance(here.m, ns - now);
	return true;
}

bool on_model_order_matters(void)
{
	return here.order_matters;
}
