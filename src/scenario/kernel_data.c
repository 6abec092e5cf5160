/* Bytes and ends of streams. */
#include "kernel_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t room[CALL_MAX];

/* Sockets of the internet family answer later; all others have done what they do. */
static enum world_answer settle(struct kernel *k, const struct call *call, struct note *why)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);

	if (thing == NULL || !thing->open || thing->kind != THING_TCP ||
	    (call->options & OPTION_ASYNC) != 0)
		return WORLD_DONE;
	return kernel_settle(k, thing, why) ? WORLD_DONE : WORLD_BROKEN;
}

/* A datagram has arrived when its receiver is readable, or we are told that nobody is there. */
static void settle_datagram(struct kernel *k, const struct thing *thing)
{
	struct pollfd ends[2] = {
		{ .fd = thing->peer + CALL_NUMBER_FIRST, .events = POLLIN },
		{ .fd = (int)(thing - k->things) + CALL_NUMBER_FIRST, .events = 0 },
	};

	poll(ends, 2, KERNEL_SETTLE_MS);
}

/* What is written to an eventfd is a number (eventfd(2)), and so is what is read. */
static bool counts(struct kernel *k, int fd)
{
	const struct thing *thing = kernel_thing(k, fd);

	return thing != NULL && thing->kind == THING_COUNTER;
}

static enum world_answer do_write(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	int fd = call->fds[0];
	struct thing *thing = kernel_thing(k, fd);
	uint64_t number = (uint64_t)call->count;
	ssize_t count;

	if (counts(k, fd) && call->bytes == NULL) {
		if (write(fd, &number, sizeof(number)) < 0)
			return kernel_failed(seen);
		*seen = (struct seen){ .kind = SEEN_COUNT, .count = call->count };
		return WORLD_DONE;
	}
	if (call->bytes == NULL && call->count > CALL_MAX) {
		note_add(why, "one write is of %d bytes at most", CALL_MAX);
		return WORLD_BROKEN;
	}
	if (call->bytes == NULL)
		memset(room, 'x', sizeof(room));
	count = write(fd, call->bytes != NULL ? call->bytes : room, (size_t)call->count);
	if (count < 0)
		return kernel_failed(seen);
	*seen = (struct seen){ .kind = SEEN_COUNT, .count = count };
	if (thing != NULL && thing->kind == THING_UDP)
		settle_datagram(k, thing);
	return settle(k, call, why);
}

static void seen_bytes(struct seen *seen, ssize_t count)
{
	seen->kind = SEEN_BYTES;
	seen->count = count;
	seen->has_text = count <= SEEN_TEXT_MAX;
	if (seen->has_text)
		memcpy(seen->text, room, (size_t)count);
}

/* A zero is the end of a stream; of a datagram, it is one without bytes. */
static enum world_answer do_read(struct kernel *k, const struct call *call, struct seen *seen,
				 struct note *why)
{
	size_t most = (call->options & OPTION_COUNT) != 0 ? (size_t)call->count : sizeof(room);
	const struct thing *thing = kernel_thing(k, call->fds[0]);
	ssize_t count = call->op == CALL_PEEK ? recv(call->fds[0], room, most, MSG_PEEK)
					      : read(call->fds[0], room, most);

	if (count < 0)
		return kernel_failed(seen);
	if (counts(k, call->fds[0]) && count == sizeof(uint64_t)) {
		uint64_t number;

		memcpy(&number, room, sizeof(number));
		*seen = (struct seen){ .kind = SEEN_COUNT, .count = (int64_t)number };
		return WORLD_DONE;
	}
	if (count == 0 && (thing == NULL || thing->kind != THING_UDP))
		seen->kind = SEEN_END;
	else
		seen_bytes(seen, count);
	return call->op == CALL_PEEK ? WORLD_DONE : settle(k, call, why);
}

/* To would-block; for TCP, until the other end takes no more either. */
static enum world_answer fill(struct kernel *k, const struct call *call, struct note *why)
{
	size_t by = (call->options & OPTION_BY) != 0 ? (size_t)call->count : sizeof(room);
	const struct thing *thing = kernel_thing(k, call->fds[0]);
	bool goes_on = thing != NULL && thing->kind == THING_TCP;
	enum world_answer answer;
	ssize_t count, before, all = 0;

	memset(room, 'x', sizeof(room));
	do {
		before = 0;
		while ((count = write(call->fds[0], room, by)) > 0) {
			before += count;
			all += count;
			if (all > CALL_FILL_MAX) {
				note_add(why, "it is never full");
				return WORLD_BROKEN;
			}
			kernel_quiet(k);
		}
		if (errno != EAGAIN) {
			note_add(why, "fill: %s", strerror(errno));
			return WORLD_BROKEN;
		}
		answer = settle(k, call, why);
	} while (goes_on && before > 0 && answer == WORLD_DONE);
	return answer;
}

static enum world_answer drain(struct kernel *k, const struct call *call, struct note *why)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);

	while (read(call->fds[0], room, sizeof(room)) > 0)
		kernel_quiet(k);
	if (thing != NULL && thing->kind == THING_TCP)
		return kernel_settle_drained(k, thing, why) ? WORLD_DONE : WORLD_BROKEN;
	return WORLD_DONE;
}

static enum world_answer do_shutdown(struct kernel *k, const struct call *call, struct seen *seen,
				     struct note *why)
{
	static const int hows[] = {
		[HOW_RD] = SHUT_RD, [HOW_WR] = SHUT_WR, [HOW_RDWR] = SHUT_RDWR
	};

	if (shutdown(call->fds[0], hows[call->how]) != 0)
		return kernel_failed(seen);
	return settle(k, call, why);
}

static enum world_answer do_close(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);
	struct farewell farewell = { 0 };

	if (thing != NULL && thing->open && thing->kind == THING_TCP)
		farewell = kernel_farewell(k, thing);
	if (close(call->fds[0]) != 0)
		return kernel_failed(seen);
	if (thing == NULL)
		return WORLD_DONE;
	thing->open = false;
	return kernel_settle_close(k, thing, farewell, why) ? WORLD_DONE : WORLD_BROKEN;
}

/* close(2) with a linger time of 0 sends a reset (socket(7), SO_LINGER). */
static enum world_answer reset(struct kernel *k, const struct call *call, struct seen *seen,
			       struct note *why)
{
	static const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	struct thing *thing = kernel_thing(k, call->fds[0]);

	if (thing == NULL ||
	    setsockopt(call->fds[0], SOL_SOCKET, SO_LINGER, &none, sizeof(none)) != 0)
		return kernel_failed(seen);
	return do_close(k, call, seen, why);
}

/* connect(2) to AF_UNSPEC: it resets the connection, and the socket is as new. */
static enum world_answer dissolve(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct thing *thing = kernel_thing(k, call->fds[0]);
	struct farewell farewell = { .last = true, .resets = true };

	if (connect(call->fds[0], &nobody, sizeof(nobody)) != 0)
		return kernel_failed(seen);
	return thing == NULL || kernel_settle_close(k, thing, farewell, why) ? WORLD_DONE
									     : WORLD_BROKEN;
}

static enum world_answer set(const struct call *call, struct seen *seen)
{
	int value = (int)call->count;
	struct linger linger = { .l_onoff = 1, .l_linger = value };
	bool lingers = call->socket_option == SO_LINGER;

	if (setsockopt(call->fds[0], SOL_SOCKET, call->socket_option,
		       lingers ? (const void *)&linger : &value,
		       lingers ? sizeof(linger) : sizeof(value)) != 0)
		return kernel_failed(seen);
	return WORLD_DONE;
}

static enum world_answer error_of(const struct call *call, struct seen *seen)
{
	int error;
	socklen_t size = sizeof(error);

	if (getsockopt(call->fds[0], SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return kernel_failed(seen);
	if (error == 0)
		*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_NONE };
	else
		*seen = (struct seen){ .kind = SEEN_ERRNO, .error = error };
	return WORLD_DONE;
}

static enum world_answer queued(const struct call *call, struct seen *seen)
{
	int count;

	if (ioctl(call->fds[0], FIONREAD, &count) != 0)
		return kernel_failed(seen);
	*seen = (struct seen){ .kind = SEEN_COUNT, .count = count };
	return WORLD_DONE;
}

static enum world_answer urgent(struct kernel *k, const struct call *call, struct seen *seen,
				struct note *why)
{
	if (call->bytes == NULL) {
		note_add(why, "urgent data is a text");
		return WORLD_BROKEN;
	}
	if (send(call->fds[0], call->bytes, (size_t)call->count, MSG_OOB) < 0)
		return kernel_failed(seen);
	return settle(k, call, why);
}

enum world_answer kernel_data(struct kernel *k, const struct call *call, struct seen *seen,
			      struct note *why)
{
	switch (call->op) {
	case CALL_WRITE:
		return do_write(k, call, seen, why);
	case CALL_READ:
	case CALL_PEEK:
		return do_read(k, call, seen, why);
	case CALL_FILL:
		return fill(k, call, why);
	case CALL_DRAIN:
		return drain(k, call, why);
	case CALL_URGENT:
		return urgent(k, call, seen, why);
	case CALL_SHUTDOWN:
		return do_shutdown(k, call, seen, why);
	case CALL_CLOSE:
		return do_close(k, call, seen, why);
	case CALL_RESET:
		return reset(k, call, seen, why);
	case CALL_DISSOLVE:
		return dissolve(k, call, seen, why);
	case CALL_SET:
		return set(call, seen);
	case CALL_ERROR:
		return error_of(call, seen);
	case CALL_RESIZE:
		return fcntl(call->fds[0], F_SETPIPE_SZ, (int)call->count) >= 0
			       ? WORLD_DONE
			       : kernel_failed(seen);
	default:
		return queued(call, seen);
	}
}
