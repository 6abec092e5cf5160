/* The model of epoll where no program on a kernel reaches it: tables that are full, waiters that are
 * interrupted, and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/model.h"

enum { MS = 1000000, EVENTS = 8 };

/* Room for a little of everything; a test takes away what it is about. */
static const struct model_config usual = {
	.processes = 2,
	.descriptors = 16,
	.files = 16,
	.entries = 8,
	.waiters = 3,
	.rings = 4,
	.ring_size = 8192,
	.window = 4096,
};

static void *memory;
static struct model_event events[3][EVENTS];

static struct model *new_model(const struct model_config *config)
{
	size_t size = model_memory_size(config);

	assert_int_not_equal(size, 0);
	free(memory);
	memory = malloc(size);
	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return model_init(memory, size, config);
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

static int add(struct model *m, int epfd, int fd, uint32_t mask)
{
	return model_epoll_ctl(m, epfd, MODEL_ADD, fd,
			       &(struct model_event){ .events = mask, .data = (uint64_t)fd });
}

static int64_t count_up(struct model *m, int fd)
{
	uint64_t one = 1;

	return model_write(m, fd, &one, sizeof(one));
}

/* How many eventfds there is room for; `error` is what the next one gets. */
static int fill_with_eventfds(struct model *m, int *error)
{
	int count = 0, fd;

	while ((fd = model_eventfd(m, 0, false)) >= 0)
		count++;
	*error = fd;
	return count;
}

/* ECHO-144 */
static void a_table_of_numbers_that_is_full_is_emfile(void **state)
{
	struct model_config config = usual;
	struct model *m;
	int error, fds[2];

	(void)state;
	config.descriptors = 5;
	m = new_model(&config);
	assert_int_equal(fill_with_eventfds(m, &error), 5);
	assert_int_equal(error, MODEL_EMFILE);
	assert_int_equal(model_close(m, 3), 0);
	assert_int_equal(model_pipe(m, fds), MODEL_EMFILE);
	assert_int_equal(model_unix(m, MODEL_STREAM, fds), MODEL_EMFILE);
	assert_true(model_invariant(m));
	assert_int_equal(model_epoll_create1(m, 0), 3); /* what failed has kept nothing */
}

/* ECHO-144 */
static void a_limit_below_open_numbers_closes_none(void **state)
{
	struct model *m = new_model(&usual);
	int error;

	(void)state;
	assert_int_equal(model_eventfd(m, 0, false), 0);
	assert_int_equal(model_dup2(m, 0, 9), 9);
	model_limit(m, 1);
	assert_int_equal(fill_with_eventfds(m, &error), 0);
	assert_int_equal(error, MODEL_EMFILE);
	assert_int_equal(count_up(m, 9), 8);
	assert_int_equal(model_dup2(m, 9, 9), 9);
	assert_int_equal(model_dup2(m, 9, 5), MODEL_EBADF);
	assert_true(model_invariant(m));
}

/* ECHO-144 */
static void a_table_of_files_that_is_full_is_enfile(void **state)
{
	struct model_config config = usual;
	struct model *m;
	int error, last;

	(void)state;
	config.files = 4;
	m = new_model(&config);
	assert_int_equal(fill_with_eventfds(m, &error), 4);
	assert_int_equal(error, MODEL_ENFILE);
	assert_int_equal(model_epoll_create1(m, 0), MODEL_ENFILE);
	assert_int_equal(model_timerfd(m), MODEL_ENFILE);
	assert_int_equal(model_socket(m), MODEL_ENFILE);
	assert_int_equal(model_file(m), MODEL_ENFILE);
	last = model_dup(m, 3); /* which makes no file */
	assert_int_equal(last, 4);
	assert_int_equal(model_close(m, 3), 0);
	assert_int_equal(model_epoll_create1(m, 0), MODEL_ENFILE);
	assert_int_equal(model_close(m, last), 0);
	assert_int_equal(model_epoll_create1(m, 0), 3);
	assert_true(model_invariant(m));
}

/* ECHO-144: a ring is given back when its pipe is, and not before. */
static void without_a_ring_it_is_enomem(void **state)
{
	struct model_config config = usual;
	struct model *m;
	int pipe[2], fds[2], listener, client;

	(void)state;
	config.rings = 1;
	m = new_model(&config);
	assert_int_equal(model_pipe(m, pipe), 0);
	assert_int_equal(model_pipe(m, fds), MODEL_ENOMEM);
	assert_int_equal(model_fifo(m), MODEL_ENOMEM);
	assert_int_equal(model_unix(m, MODEL_DATAGRAM, fds), MODEL_ENOMEM);
	listener = model_socket(m);
	assert_int_equal(model_listen(m, listener, 1), 0);
	client = model_socket(m);
	assert_int_equal(model_connect(m, client, listener, false), MODEL_ENOMEM);
	assert_true(model_invariant(m));
	assert_int_equal(model_close(m, pipe[0]), 0);
	assert_int_equal(model_fifo(m), MODEL_ENOMEM);
	assert_int_equal(model_close(m, pipe[1]), 0);
	assert_true(model_fifo(m) >= 0);
	assert_true(model_invariant(m));
}

/* ECHO-144: half of a pair that does not fit leaves nothing behind. */
static void a_pair_takes_two_rings_or_none(void **state)
{
	struct model_config config = usual;
	struct model *m;
	int fds[2];

	(void)state;
	config.rings = 3;
	m = new_model(&config);
	assert_int_equal(model_unix(m, MODEL_STREAM, fds), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(model_unix(m, MODEL_STREAM, fds), MODEL_ENOMEM);
	assert_true(model_fifo(m) >= 0);
	assert_true(model_invariant(m));
}

/* ECHO-144 */
static void a_table_of_entries_that_is_full_is_enospc(void **state)
{
	struct model_config config = usual;
	struct model *m;
	int e, g, v, w;

	(void)state;
	config.entries = 1;
	m = new_model(&config);
	e = model_epoll_create1(m, 0);
	g = model_epoll_create1(m, 0);
	v = model_eventfd(m, 1, false);
	w = model_eventfd(m, 1, false);
	assert_int_equal(add(m, e, v, MODEL_IN), 0);
	assert_int_equal(add(m, e, v, MODEL_IN), MODEL_EEXIST); /* which is checked before */
	assert_int_equal(add(m, e, w, MODEL_IN), MODEL_ENOSPC);
	assert_int_equal(add(m, g, v, MODEL_IN), MODEL_ENOSPC);
	assert_int_equal(add(m, g, e, MODEL_IN), MODEL_ENOSPC);
	assert_true(model_invariant(m));
	assert_int_equal(model_close(m, v), 0); /* takes its entry along */
	assert_int_equal(add(m, g, w, MODEL_IN), 0);
	assert_int_equal(model_epoll_wait(m, g, events[0], EVENTS), 1);
	assert_int_equal(events[0][0].data, w);
	assert_true(model_invariant(m));
}

/* ECHO-144 */
static void without_a_waiter_it_is_enomem(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), result;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(model_block(m, e, events[i], EVENTS, -1), i);
	assert_int_equal(model_block(m, e, events[0], EVENTS, -1), MODEL_ENOMEM);
	assert_int_equal(model_block(m, 9, events[0], EVENTS, -1), MODEL_EBADF);
	assert_int_equal(model_block(m, e, events[0], 0, -1), MODEL_EINVAL);
	model_interrupt(m, 1);
	assert_int_equal(model_waiter(m, 1, &result), MODEL_DONE);
	assert_int_equal(result, MODEL_EINTR);
	model_waiter_free(m, 1);
	assert_int_equal(model_block(m, e, events[1], EVENTS, -1), 1);
	assert_true(model_invariant(m));
}

/* ECHO-144: none of a configuration is outside the limits, and its memory is counted without
 * overflow. */
static void a_configuration_outside_its_limits_is_refused(void **state)
{
	static const size_t counts[] = {
		offsetof(struct model_config, processes),
		offsetof(struct model_config, descriptors),
		offsetof(struct model_config, files),
		offsetof(struct model_config, entries),
		offsetof(struct model_config, waiters),
		offsetof(struct model_config, rings),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		bool may_be_none = counts[i] == offsetof(struct model_config, waiters) ||
				   counts[i] == offsetof(struct model_config, rings);
		struct model_config config = usual;
		uint32_t *count = (uint32_t *)((char *)&config + counts[i]);

		*count = 0;
		assert_int_equal(model_memory_size(&config) > 0, may_be_none);
		*count = MODEL_COUNT_LIMIT;
		assert_true(model_memory_size(&config) > model_memory_size(&usual));
		*count = MODEL_COUNT_LIMIT + 1;
		assert_int_equal(model_memory_size(&config), 0);
		*count = UINT32_MAX;
		assert_int_equal(model_memory_size(&config), 0);
	}
}

/* ECHO-144 */
static void a_ring_has_its_limits(void **state)
{
	static const struct {
		uint32_t size, window;
		bool good;
	} cases[] = { { MODEL_RING_MIN - 1, 1, false },
		      { MODEL_RING_MIN, 1, true },
		      { MODEL_RING_MIN, 0, false },
		      { MODEL_RING_MIN, MODEL_RING_MIN - 1, true },
		      { MODEL_RING_MIN, MODEL_RING_MIN, false },
		      { MODEL_RING_LIMIT, 1, true },
		      { MODEL_RING_LIMIT + 1, 1, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model_config config = usual;

		config.ring_size = cases[i].size;
		config.window = cases[i].window;
		assert_int_equal(model_memory_size(&config) > 0, cases[i].good);
	}
}

/* ECHO-144: the sum of all tables at their limits does not wrap around. */
static void all_limits_together_do_not_overflow(void **state)
{
	struct model_config config = {
		.processes = MODEL_COUNT_LIMIT,
		.descriptors = MODEL_COUNT_LIMIT,
		.files = MODEL_COUNT_LIMIT,
		.entries = MODEL_COUNT_LIMIT,
		.waiters = MODEL_COUNT_LIMIT,
		.rings = MODEL_COUNT_LIMIT,
		.ring_size = MODEL_RING_LIMIT,
		.window = 1,
	};
	size_t all, more;

	(void)state;
	config.processes = 1;
	config.rings = 1;
	all = model_memory_size(&config);
	assert_true(all > 0);
	config.rings = 3;
	more = model_memory_size(&config);
	assert_int_equal(more - all, 2 * (size_t)MODEL_RING_LIMIT);
}

/* ECHO-145 */
static void who_times_out_has_seen_nothing(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), waiter = model_block(m, e, events[0], EVENTS, 5 * MS);
	int result = -1;

	(void)state;
	assert_int_equal(model_next(m), 5 * MS);
	model_advance(m, 5 * MS - 1);
	assert_int_equal(model_waiter(m, waiter, &result), MODEL_ASLEEP);
	model_advance(m, 1);
	assert_int_equal(model_waiter(m, waiter, &result), MODEL_DONE);
	assert_int_equal(result, 0);
	assert_int_equal(model_next(m), UINT64_MAX);
	assert_int_equal(model_now(m), 5 * MS);
	assert_true(model_invariant(m));
}

/* ECHO-145: a timeout of 0 does not block, and what is ready is there before it. */
static void who_need_not_wait_is_done_at_once(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), v = model_eventfd(m, 0, false), result = -1;

	(void)state;
	assert_int_equal(add(m, e, v, MODEL_IN), 0);
	assert_int_equal(model_block(m, e, events[0], EVENTS, 0), 0);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_DONE);
	assert_int_equal(result, 0);
	count_up(m, v);
	assert_int_equal(model_block(m, e, events[1], EVENTS, -1), 1);
	assert_int_equal(model_waiter(m, 1, &result), MODEL_DONE);
	assert_int_equal(result, 1);
	assert_int_equal(events[1][0].data, v);
	assert_true(model_invariant(m));
}

/* ECHO-145: who was woken has left the queue, and still has to run. */
static void who_is_woken_runs_when_it_is_let(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), v = model_eventfd(m, 0, false), result = -1;
	uint64_t number;

	(void)state;
	assert_int_equal(add(m, e, v, MODEL_IN), 0);
	assert_int_equal(model_block(m, e, events[0], EVENTS, -1), 0);
	count_up(m, v);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_WOKEN);
	assert_true(model_invariant(m));
	assert_int_equal(model_read(m, v, &number, sizeof(number)), 8);
	model_run(m); /* and finds nothing */
	assert_int_equal(model_waiter(m, 0, &result), MODEL_ASLEEP);
	count_up(m, v);
	model_run(m);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_DONE);
	assert_int_equal(result, 1);
	assert_true(model_invariant(m));
}

/* ECHO-145: an instance lives as long as somebody waits on it. */
static void who_waits_keeps_the_instance(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), v = model_eventfd(m, 0, false), result = -1;

	(void)state;
	assert_int_equal(add(m, e, v, MODEL_IN), 0);
	assert_int_equal(model_block(m, e, events[0], EVENTS, 9 * MS), 0);
	assert_int_equal(model_close(m, e), 0);
	assert_true(model_invariant(m));
	count_up(m, v);
	model_run(m);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_DONE);
	assert_int_equal(result, 1);
	assert_true(model_invariant(m));
}

/* ECHO-145: of what is due, the earliest goes first, and whom it wakes runs before the next. */
static void time_passes_in_order(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), late = model_timerfd(m), soon = model_timerfd(m);
	int result = -1;

	(void)state;
	assert_int_equal(add(m, e, late, MODEL_IN | MODEL_ET), 0);
	assert_int_equal(add(m, e, soon, MODEL_IN | MODEL_ET), 0);
	assert_int_equal(model_timer_set(m, late, 7 * MS, 0), 0);
	assert_int_equal(model_timer_set(m, soon, 3 * MS, 0), 0);
	assert_int_equal(model_block(m, e, events[0], EVENTS, -1), 0);
	assert_int_equal(model_next(m), 3 * MS);
	model_advance(m, 10 * MS);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_DONE);
	assert_int_equal(result, 1); /* although both have expired by now */
	assert_int_equal(events[0][0].data, soon);
	assert_int_equal(model_epoll_wait(m, e, events[1], EVENTS), 1);
	assert_int_equal(events[1][0].data, late);
	assert_int_equal(model_now(m), 10 * MS);
	assert_true(model_invariant(m));
}

/* ECHO-145: what is due at the same time goes off in the order in which it was set. */
static void of_the_same_time_the_older_goes_first(void **state)
{
	struct model *m = new_model(&usual);
	int e = model_epoll_create1(m, 0), first = model_timerfd(m), second = model_timerfd(m);
	int result = -1;

	(void)state;
	assert_int_equal(add(m, e, second, MODEL_IN | MODEL_ET), 0);
	assert_int_equal(add(m, e, first, MODEL_IN | MODEL_ET), 0);
	assert_int_equal(model_timer_set(m, first, 4 * MS, 0), 0);
	assert_int_equal(model_timer_set(m, second, 4 * MS, 0), 0);
	assert_int_equal(model_block(m, e, events[0], EVENTS, 4 * MS), 0);
	model_advance(m, 4 * MS);
	assert_int_equal(model_waiter(m, 0, &result), MODEL_DONE);
	assert_int_equal(result, 1);
	assert_int_equal(events[0][0].data, first);
	assert_true(model_invariant(m));
}

/* ECHO-145: ticks that nobody has read add up, and so far as time goes. */
static void ticks_add_up(void **state)
{
	struct model *m = new_model(&usual);
	int timer = model_timerfd(m);
	uint64_t ticks = 0;

	(void)state;
	assert_int_equal(model_timer_set(m, timer, 2 * MS, 3 * MS), 0);
	model_advance(m, 12 * MS);
	assert_int_equal(model_read(m, timer, &ticks, sizeof(ticks)), 8);
	assert_int_equal(ticks, 4);
	assert_int_equal(model_read(m, timer, &ticks, sizeof(ticks)), MODEL_EAGAIN);
	assert_true(model_invariant(m));
}

/* ECHO-144: what a process leaves is all given back. */
static void a_process_that_ends_leaves_nothing(void **state)
{
	struct model *m = new_model(&usual);
	int fds[2];

	(void)state;
	for (int round = 0; round < 20; round++) {
		int e;

		model_switch(m, 1);
		e = model_epoll_create1(m, 0);
		assert_int_equal(model_unix(m, MODEL_STREAM, fds), 0);
		assert_int_equal(add(m, e, fds[0], MODEL_IN), 0);
		assert_int_equal(add(m, e, fds[1], MODEL_OUT), 0);
		assert_int_equal(model_write(m, fds[0], "x", 1), 1);
		assert_true(model_invariant(m));
		model_exit(m);
		model_switch(m, 0);
		assert_true(model_invariant(m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_numbers_that_is_full_is_emfile),
		cmocka_unit_test(a_limit_below_open_numbers_closes_none),
		cmocka_unit_test(a_table_of_files_that_is_full_is_enfile),
		cmocka_unit_test(without_a_ring_it_is_enomem),
		cmocka_unit_test(a_pair_takes_two_rings_or_none),
		cmocka_unit_test(a_table_of_entries_that_is_full_is_enospc),
		cmocka_unit_test(without_a_waiter_it_is_enomem),
		cmocka_unit_test(a_configuration_outside_its_limits_is_refused),
		cmocka_unit_test(a_ring_has_its_limits),
		cmocka_unit_test(all_limits_together_do_not_overflow),
		cmocka_unit_test(who_times_out_has_seen_nothing),
		cmocka_unit_test(who_need_not_wait_is_done_at_once),
		cmocka_unit_test(who_is_woken_runs_when_it_is_let),
		cmocka_unit_test(who_waits_keeps_the_instance),
		cmocka_unit_test(time_passes_in_order),
		cmocka_unit_test(of_the_same_time_the_older_goes_first),
		cmocka_unit_test(ticks_add_up),
		cmocka_unit_test(a_process_that_ends_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
