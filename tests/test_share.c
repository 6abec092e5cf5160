/* One listener for several systems: what its entries do, and how requests are passed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux/share.h"

enum { SYSTEMS = 2, PATIENCE_MS = 30000 };

static struct linux_system listening, systems[SYSTEMS];

static struct echo_result perform(struct linux_system *sys, enum echo_op op)
{
	struct echo_action action = { .op = op, .handle = -1, .events_max = LINUX_EVENTS_MAX };

	return linux_perform(sys, &action);
}

static void open_listening(void)
{
	struct sockaddr_storage address;
	socklen_t length;

	assert_true(address_parse("127.0.0.1", 0, &address, &length));
	assert_null(linux_listen(&listening, &address, length, 16));
}

static int open_all(void **state)
{
	(void)state;
	open_listening();
	for (size_t i = 0; i < SYSTEMS; i++)
		assert_null(share_open(&systems[i], &listening));
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < SYSTEMS; i++)
		linux_close(&systems[i]);
	linux_close(&listening);
	return 0;
}

/* A client whose connection waits to be accepted. */
static int connect_client(void)
{
	struct pollfd ready = { .fd = listening.listener, .events = POLLIN };
	int client = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(client >= 0);
	assert_int_equal(connect(client, (struct sockaddr *)&listening.address,
				 sizeof(struct sockaddr_in)),
			 0);
	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	return client;
}

/* Whether a wait that does not block tells of the listener. */
static bool announced(struct linux_system *sys)
{
	struct echo_result result = perform(sys, ECHO_OP_WAIT);

	assert_int_equal(result.outcome, ECHO_DONE);
	if (result.events_count == 0)
		return false;
	assert_int_equal(result.events_count, 1);
	assert_true(result.events[0].token == ECHO_TOKEN_LISTENER);
	assert_int_equal(result.events[0].readiness, ECHO_IN);
	return true;
}

static void check_done(struct linux_system *sys, enum echo_op op)
{
	assert_int_equal(perform(sys, op).outcome, ECHO_DONE);
}

/* ECHO-156: A thread that is full MUST NOT keep a connection from those that are not: its pause ends
 * no other's watch, and its resumption announces what came meanwhile. */
static void a_pause_is_that_of_one_system(void **state)
{
	int client;

	(void)state;
	check_done(&systems[0], ECHO_OP_PAUSE);
	client = connect_client();
	assert_false(announced(&systems[0]));
	assert_true(announced(&systems[1]));
	check_done(&systems[0], ECHO_OP_RESUME);
	assert_true(announced(&systems[0]));
	close(client);
}

/* ECHO-156: ... and what it does twice is done: an entry is there, or is not. */
static void a_pause_and_a_resumption_may_come_twice(void **state)
{
	int client;

	(void)state;
	check_done(&systems[0], ECHO_OP_RESUME);
	check_done(&systems[0], ECHO_OP_PAUSE);
	check_done(&systems[0], ECHO_OP_PAUSE);
	client = connect_client();
	assert_false(announced(&systems[0]));
	check_done(&systems[0], ECHO_OP_RESUME);
	check_done(&systems[0], ECHO_OP_RESUME);
	assert_true(announced(&systems[0]));
	close(client);
}

/* ECHO-157: At SIGTERM, every thread MUST drain: one that has closed the listener hears no more of
 * it, and others that have not still do. */
static void who_has_closed_the_listener_hears_no_more_of_it(void **state)
{
	int client;

	(void)state;
	check_done(&systems[0], ECHO_OP_UNLISTEN);
	assert_int_equal(systems[0].listener, -1);
	client = connect_client();
	assert_false(announced(&systems[0]));
	assert_true(announced(&systems[1]));
	close(client);
}

/* ECHO-155: Connections MUST be spread: an accept adds another entry and removes the old one, and the
 * listener is watched as before. */
static void the_listener_is_watched_after_an_accept(void **state)
{
	int clients[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int former = systems[0].listener;
		struct echo_result result;

		clients[i] = connect_client();
		assert_true(announced(&systems[0]));
		result = perform(&systems[0], ECHO_OP_ACCEPT);
		assert_int_equal(result.outcome, ECHO_DONE);
		close(result.handle);
		assert_int_not_equal(systems[0].listener, former);
		assert_int_equal(systems[0].other, former);
		assert_true(systems[0].watched);
		assert_false(announced(&systems[0]));
		assert_int_equal(perform(&systems[0], ECHO_OP_ACCEPT).outcome, ECHO_WOULD_BLOCK);
	}
	for (size_t i = 0; i < 3; i++)
		close(clients[i]);
}

/* ECHO-156: A thread that cannot accept MUST NOT keep a connection from others, nor from itself: where
 * the other entry is refused, the old one stands. */
static void an_entry_stands_until_there_is_another(void **state)
{
	int listener = systems[0].listener, other = systems[0].other, clients[2];

	(void)state;
	systems[0].other = -1; /* epoll_ctl(2): EBADF */
	for (size_t i = 0; i < 2; i++) {
		struct echo_result result;

		clients[i] = connect_client();
		assert_true(announced(&systems[0]));
		result = perform(&systems[0], ECHO_OP_ACCEPT);
		assert_int_equal(result.outcome, ECHO_DONE);
		close(result.handle);
		assert_int_equal(systems[0].listener, listener);
	}
	systems[0].other = other;
	for (size_t i = 0; i < 2; i++)
		close(clients[i]);
}

/* ECHO-157: A thread that is broken MUST end the server: it is told what came of the call. */
static void an_entry_that_cannot_be_removed_is_told(void **state)
{
	(void)state;
	close(systems[0].epoll);
	systems[0].epoll = -1;
	assert_int_equal(perform(&systems[0], ECHO_OP_PAUSE).outcome, ECHO_BROKEN);
}

/* ECHO-157: Signals MUST reach every thread: what is asked of one is asked once, with its next
 * wait, and two requests to stop are one to stop at once, however they come. */
static void requests_come_with_a_wait(void **state)
{
	static const struct {
		uint32_t asked[3], told;
	} rows[] = {
		{ { ECHO_REQUEST_STOP }, ECHO_REQUEST_STOP },
		{ { ECHO_REQUEST_REPORT }, ECHO_REQUEST_REPORT },
		{ { ECHO_REQUEST_REPORT, ECHO_REQUEST_REPORT }, ECHO_REQUEST_REPORT },
		{ { ECHO_REQUEST_STOP, ECHO_REQUEST_REPORT },
		  ECHO_REQUEST_STOP | ECHO_REQUEST_REPORT },
		{ { ECHO_REQUEST_STOP, ECHO_REQUEST_STOP },
		  ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT },
		{ { ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT },
		  ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT },
		{ { ECHO_REQUEST_STOP, ECHO_REQUEST_REPORT, ECHO_REQUEST_STOP },
		  ECHO_REQUEST_STOP | ECHO_REQUEST_REPORT | ECHO_REQUEST_ABORT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 3; k++)
			share_request(&systems[1], rows[i].asked[k]);
		assert_int_equal(perform(&systems[0], ECHO_OP_WAIT).requests, 0);
		assert_int_equal(perform(&systems[1], ECHO_OP_WAIT).requests, rows[i].told);
		assert_int_equal(perform(&systems[1], ECHO_OP_WAIT).requests, 0);
	}
	assert_int_equal(share_requests(-1), 0);
}

/* ECHO-157: ... however many there are before a wait. */
static void requests_do_not_overflow_into_each_other(void **state)
{
	struct echo_result result;

	(void)state;
	for (int i = 0; i < 1000; i++)
		share_request(&systems[0], ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);
	result = perform(&systems[0], ECHO_OP_WAIT);
	assert_int_equal(result.requests, ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);
}

static int lowest_free(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* ECHO-72: Nothing may be half-started: a system that cannot be opened leaves nothing open. */
static void a_failure_to_open_leaves_nothing_open(void **state)
{
	struct linux_system none = { .listener = -1 }, sys;
	int before = lowest_free();

	(void)state;
	errno = 0;
	assert_string_equal(share_open(&sys, &none), "share a listener");
	assert_int_equal(errno, EBADF);
	assert_int_equal(lowest_free(), before);
	none.listener = open("/dev/null", O_RDONLY); /* epoll_ctl(2): EPERM */
	assert_string_equal(share_open(&sys, &none), "watch the listener");
	assert_int_equal(errno, EPERM);
	close(none.listener);
	assert_int_equal(lowest_free(), before);
}

#define SHARE_TEST(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(a_pause_is_that_of_one_system),
		SHARE_TEST(a_pause_and_a_resumption_may_come_twice),
		SHARE_TEST(who_has_closed_the_listener_hears_no_more_of_it),
		SHARE_TEST(the_listener_is_watched_after_an_accept),
		SHARE_TEST(an_entry_stands_until_there_is_another),
		SHARE_TEST(an_entry_that_cannot_be_removed_is_told),
		SHARE_TEST(requests_come_with_a_wait),
		SHARE_TEST(requests_do_not_overflow_into_each_other),
		SHARE_TEST(a_failure_to_open_leaves_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
