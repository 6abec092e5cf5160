#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "budget.h"
#include "linux/signals.h"
#include "narrate.h"

/*
 * What a thread has. It is its own while the thread runs, but for the two flags: with `reported` the
 * report becomes the main thread's, which gives it back by clearing the flag before it asks again,
 * and with `ended` all of it does. Each lies in pages of its own, so no cache line has two owners.
 */
struct threads_worker {
	alignas(64) struct linux_system sys;
	struct log log;
	struct echo_stats stats;
	struct echo_config config;
	struct echo_engine *engine;
	void *memory;
	pthread_t thread;
	int woken;
	bool verbose;
	struct narrate_stats report;
	atomic_bool reported, ended;
};

/* An eventfd that is full wakes as well. */
static void wake(const struct threads_worker *w)
{
	uint64_t one = 1;

	if (write(w->woken, &one, sizeof(one)) < 0)
		return;
}

static void report(struct threads_worker *w)
{
	w->report = narrate_take(&w->log, &w->stats, w->engine);
	atomic_store_explicit(&w->reported, true, memory_order_release);
	wake(w);
}

static void *work(void *argument)
{
	struct threads_worker *w = argument;
	struct echo_action action;

	w->engine = echo_init(w->memory, &w->config, linux_now_ms());
	while (echo_next(w->engine, &action)) {
		struct echo_result result = linux_perform(&w->sys, &action);

		echo_observe(&w->stats, &action, &result);
		if (w->verbose)
			narrate(&w->log, &action, &result);
		if (action.op == ECHO_OP_REPORT)
			report(w);
		echo_complete(w->engine, &action, &result);
	}
	atomic_store_explicit(&w->ended, true, memory_order_release);
	wake(w);
	return NULL;
}

static const char *open_worker(struct threads *t, const struct options *options,
			       const struct echo_config *first)
{
	struct threads_worker *w = linux_memory(sizeof(*w));
	const char *failed;

	if (w == NULL)
		return "have the memory to listen";
	w->config = budget_share(options, first, t->count);
	w->config.report_ms = 0; /* the main thread asks all of them */
	w->memory = linux_memory(echo_memory_size(&w->config));
	if (w->memory == NULL)
		return "have the memory to listen";
	failed = share_open(&w->sys, t->main);
	if (failed != NULL)
		return failed;
	w->config.pipes_max = linux_open_pipes(&w->sys, w->config.pipes_max, w->config.buffer_size);
	log_open_pipe(&w->log, t->lines[1], options->json, t->count + 1);
	w->woken = t->woken;
	w->verbose = options->verbose;
	t->workers[t->count++] = w;
	return NULL;
}

static const char *open_all(struct threads *t, const struct options *options,
			    const struct echo_config *first)
{
	const char *failed = NULL;

	t->woken = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t->woken < 0 || pipe2(t->lines, O_NONBLOCK | O_CLOEXEC) != 0)
		return "hear of threads";
	/* A pipe that may not grow is one that overflows sooner. */
	fcntl(t->lines[1], F_SETPIPE_SZ, THREADS_PIPE_SIZE);
	for (uint32_t i = 0; i < options->threads && failed == NULL; i++)
		failed = open_worker(t, options, first);
	return failed;
}

/* pthread_create(3) returns its error; the names are for top(1) and the like. */
static const char *start_all(struct threads *t)
{
	pthread_attr_t attributes;
	char name[16];

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREADS_STACK);
	for (errno = 0; errno == 0 && t->started < t->count;) {
		struct threads_worker *w = t->workers[t->started];

		errno = pthread_create(&w->thread, &attributes, work, w);
		if (errno != 0)
			break;
		snprintf(name, sizeof(name), "epoll-echo-%u", (unsigned)++t->started % 100);
		pthread_setname_np(w->thread, name);
		errno = 0;
	}
	pthread_attr_destroy(&attributes);
	return t->started == t->count ? NULL : "start a thread";
}

static void request(const struct threads *t, uint32_t requests)
{
	for (uint32_t i = 0; i < t->started; i++)
		share_request(&t->workers[i]->sys, requests);
}

static void join_all(struct threads *t)
{
	for (uint32_t i = 0; i < t->started; i++)
		pthread_join(t->workers[i]->thread, NULL);
	for (uint32_t i = 0; i < t->count; i++)
		linux_close(&t->workers[i]->sys);
}

/* The engines close the listener, each its own descriptor of it, so there may be no other. */
static void give_listener(struct linux_system *main)
{
	close(main->listener);
	main->listener = -1;
}

const char *threads_start(struct threads *t, const struct options *options,
			  const struct echo_config *first, struct linux_system *main)
{
	const char *failed;
	int error;

	t->main = main;
	t->stats_ms = options->stats_ms;
	failed = open_all(t, options, first);
	if (failed == NULL) {
		give_listener(main);
		failed = start_all(t);
	}
	if (failed == NULL) {
		t->stats_at_ms = linux_now_ms() + t->stats_ms;
		return NULL;
	}
	error = errno;
	request(t, ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);
	join_all(t);
	linux_close(main);
	errno = error;
	return failed;
}

static bool ended(const struct threads_worker *w)
{
	return atomic_load_explicit(&w->ended, memory_order_acquire);
}

static bool all_ended(const struct threads *t)
{
	for (uint32_t i = 0; i < t->started; i++)
		if (!ended(t->workers[i]))
			return false;
	return true;
}

/* The worst, in the order of enum echo_ending. */
static enum echo_ending worst(const struct threads *t)
{
	enum echo_ending ending = ECHO_RUNNING;

	for (uint32_t i = 0; i < t->started; i++) {
		const struct threads_worker *w = t->workers[i];

		if (ended(w) && echo_ending(w->engine) > ending)
			ending = echo_ending(w->engine);
	}
	return ending;
}

static bool all_answered(const struct threads *t)
{
	for (uint32_t i = 0; i < t->started; i++) {
		const struct threads_worker *w = t->workers[i];

		if (!ended(w) && !atomic_load_explicit(&w->reported, memory_order_acquire))
			return false;
	}
	return true;
}

/* A thread that has ended answers by what it leaves. */
static struct narrate_stats answer(struct threads_worker *w)
{
	struct narrate_stats stats;

	if (ended(w))
		return narrate_take(&w->log, &w->stats, w->engine);
	stats = w->report;
	atomic_store_explicit(&w->reported, false, memory_order_release);
	return stats;
}

/* The sums first, which is what most look for. */
static void print_stats(struct threads *t, struct log *log)
{
	struct narrate_stats stats[OPTIONS_THREADS_LIMIT];
	struct narrate_stats sum = { .dropped = log_dropped(log) };

	for (uint32_t i = 0; i < t->started; i++) {
		stats[i] = answer(t->workers[i]);
		narrate_sum(&sum, &stats[i]);
	}
	narrate_stats(log, 0, &sum);
	for (uint32_t i = 0; i < t->started; i++)
		narrate_stats(log, i + 1, &stats[i]);
}

static void see_to_stats(struct threads *t, struct log *log)
{
	if (t->asked && all_answered(t)) {
		print_stats(t, log);
		t->asked = false;
	}
	if (t->wanted && !t->asked) {
		request(t, ECHO_REQUEST_REPORT);
		t->wanted = false;
		t->asked = true;
	}
}

/* False: none was there. */
static bool pass_lines(struct threads *t, struct log *log)
{
	ssize_t count = read(t->lines[0], t->line + t->held, sizeof(t->line) - t->held);
	const char *newline;
	size_t whole;

	if (count <= 0)
		return false;
	t->held += (size_t)count;
	newline = memrchr(t->line, '\n', t->held);
	whole = newline != NULL ? (size_t)(newline - t->line) + 1 : 0;
	log_pass(log, t->line, whole);
	t->held -= whole;
	memmove(t->line, t->line + whole, t->held);
	return true;
}

static void clear(int woken)
{
	uint64_t count;

	if (read(woken, &count, sizeof(count)) < 0)
		return;
}

/* Milliseconds until the statistics are due; -1: they never are. */
static int timeout(const struct threads *t)
{
	uint64_t now_ms = linux_now_ms();

	if (t->stats_ms == 0)
		return -1;
	if (t->stats_at_ms <= now_ms)
		return 0;
	return t->stats_at_ms - now_ms < INT_MAX ? (int)(t->stats_at_ms - now_ms) : INT_MAX;
}

static bool stats_due(struct threads *t)
{
	uint64_t now_ms = linux_now_ms();

	if (t->stats_ms == 0 || now_ms < t->stats_at_ms)
		return false;
	t->stats_at_ms = now_ms + t->stats_ms;
	return true;
}

static void pass_requests(struct threads *t, uint32_t requests)
{
	uint32_t stop = requests & (ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);

	if ((requests & ECHO_REQUEST_REPORT) != 0 || stats_due(t))
		t->wanted = true;
	/* Who is connected to a thread that is sound shall not suffer for one that is not. */
	if (!t->stopping && worst(t) == ECHO_DEFUNCT)
		stop |= ECHO_REQUEST_STOP;
	if (stop == 0)
		return;
	t->stopping = true;
	request(t, stop);
}

static void turn(struct threads *t, struct log *log)
{
	struct pollfd ready[] = {
		{ .fd = t->main->signals, .events = POLLIN },
		{ .fd = t->woken, .events = POLLIN },
		{ .fd = t->lines[0], .events = POLLIN },
	};
	uint32_t requests = 0;

	if (poll(ready, 3, timeout(t)) < 0)
		return; /* interrupted, or short of memory for a moment */
	if (ready[0].revents != 0)
		requests = signals_requests(t->main->signals);
	if (ready[1].revents != 0)
		clear(t->woken);
	pass_requests(t, requests);
	if (ready[2].revents != 0)
		pass_lines(t, log);
	see_to_stats(t, log);
}

enum echo_ending threads_serve(struct threads *t, struct log *log)
{
	while (!all_ended(t))
		turn(t, log);
	while (pass_lines(t, log))
		;
	while (t->asked || t->wanted)
		see_to_stats(t, log);
	join_all(t);
	return worst(t);
}
