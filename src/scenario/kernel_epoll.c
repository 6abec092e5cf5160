/* epoll_ctl(2), epoll_wait(2), poll(2), and what fdinfo shows of an interest list. */
#include "kernel_state.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum world_answer control(const struct call *call, int op, bool null, struct seen *seen)
{
	struct epoll_event event = { .events = call->mask, .data.u64 = call->label };

	if (epoll_ctl(call->fds[0], op, call->fds[1], null ? NULL : &event) != 0)
		return kernel_failed(seen);
	return WORLD_DONE;
}

enum world_answer kernel_seen_events(struct seen *seen, const struct epoll_event *events, int count,
				     struct note *why)
{
	if (count > SEEN_EVENTS_MAX) {
		note_add(why, "there are %d events, more than the %d that can be told", count,
			 SEEN_EVENTS_MAX);
		return WORLD_BROKEN;
	}
	seen->kind = SEEN_EVENTS;
	seen->events_count = (uint32_t)count;
	for (int i = 0; i < count; i++)
		seen->events[i] = (struct seen_event){ .mask = events[i].events,
						       .label = (uint16_t)events[i].data.u64 };
	return WORLD_DONE;
}

int kernel_most(const struct call *call)
{
	int most = (call->options & OPTION_MAX) != 0 ? (int)call->count : CALL_EVENTS_DEFAULT;
	bool without_buffer = (call->options & OPTION_NULL) != 0;

	return most > KERNEL_EVENTS_MAX && !without_buffer ? KERNEL_EVENTS_MAX : most;
}

static int timeout(const struct call *call)
{
	return (call->options & OPTION_FOR) != 0 ? (int)call->ms : 0;
}

static enum world_answer wait_for(const struct call *call, struct seen *seen, struct note *why)
{
	struct epoll_event events[KERNEL_EVENTS_MAX];
	bool null = (call->options & OPTION_NULL) != 0;
	int count =
		epoll_wait(call->fds[0], null ? NULL : events, kernel_most(call), timeout(call));

	if (count < 0)
		return kernel_failed(seen);
	return kernel_seen_events(seen, events, count, why);
}

static enum world_answer pwait(const struct call *call, struct seen *seen, struct note *why)
{
	struct epoll_event events[KERNEL_EVENTS_MAX];
	sigset_t set;
	int count;

	sigprocmask(SIG_BLOCK, NULL, &set);
	if ((call->options & OPTION_UNBLOCKING) != 0)
		sigdelset(&set, call->signal);
	count = epoll_pwait(call->fds[0], events, CALL_EVENTS_DEFAULT, timeout(call), &set);
	if (count < 0)
		return kernel_failed(seen);
	return kernel_seen_events(seen, events, count, why);
}

static enum world_answer pwait2(const struct call *call, struct seen *seen, struct note *why)
{
	struct epoll_event events[KERNEL_EVENTS_MAX];
	struct timespec time = { .tv_sec = call->ms / 1000, .tv_nsec = call->ms % 1000 * 1000000 };
	int count;

	if ((call->options & OPTION_NSEC) != 0)
		time.tv_nsec = (long)call->count;
	count = epoll_pwait2(call->fds[0], events, CALL_EVENTS_DEFAULT, &time, NULL);
	if (count < 0)
		return kernel_failed(seen);
	return kernel_seen_events(seen, events, count, why);
}

static enum world_answer do_poll(const struct call *call, struct seen *seen)
{
	struct pollfd entry = { .fd = call->fds[0], .events = (short)call->mask };

	if (poll(&entry, 1, 0) < 0)
		return kernel_failed(seen);
	*seen = (struct seen){ .kind = SEEN_MASK, .mask = (uint16_t)entry.revents };
	return WORLD_DONE;
}

struct interest {
	int fd;
	struct seen_event event;
};

static int compare(uint32_t x, uint32_t y)
{
	return (x > y) - (x < y);
}

/* One number can be there twice, for two files: then by label and mask. */
static int by_fd(const void *a, const void *b)
{
	const struct interest *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->event.label != y->event.label)
		return compare(x->event.label, y->event.label);
	return compare(x->event.mask, y->event.mask);
}

/* In the order of the descriptors: the kernel's own is that of addresses. */
static enum world_answer interest(const struct call *call, struct seen *seen, struct note *why)
{
	struct interest entries[SEEN_EVENTS_MAX];
	char path[64], line[256];
	unsigned int fd, mask;
	uint64_t data;
	uint32_t count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", call->fds[0]);
	file = fopen(path, "re");
	if (file == NULL)
		return kernel_missing(why, path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "tfd: %u events: %x data: %" SCNx64, &fd, &mask, &data) != 3)
			continue;
		if (count == SEEN_EVENTS_MAX)
			break;
		entries[count].fd = (int)fd;
		entries[count++].event =
			(struct seen_event){ .mask = mask, .label = (uint16_t)data };
	}
	fclose(file);
	qsort(entries, count, sizeof(entries[0]), by_fd);
	seen->kind = SEEN_EVENTS;
	seen->events_count = count;
	for (uint32_t i = 0; i < count; i++)
		seen->events[i] = entries[i].event;
	return WORLD_DONE;
}

enum world_answer kernel_epoll(struct kernel *k, const struct call *call, struct seen *seen,
			       struct note *why)
{
	(void)k;
	switch (call->op) {
	case CALL_ADD:
		return control(call, EPOLL_CTL_ADD, false, seen);
	case CALL_MOD:
		return control(call, EPOLL_CTL_MOD, false, seen);
	case CALL_DEL:
		return control(call, EPOLL_CTL_DEL, false, seen);
	case CALL_CTL:
		return control(call, (int)call->count, (call->options & OPTION_NULL) != 0, seen);
	case CALL_WAIT:
		return wait_for(call, seen, why);
	case CALL_PWAIT:
		return pwait(call, seen, why);
	case CALL_PWAIT2:
		return pwait2(call, seen, why);
	case CALL_POLL:
		return do_poll(call, seen);
	default:
		return interest(call, seen, why);
	}
}
