/* The end of the server: everything that was promised is kept, up to a deadline. */
#include "script.h"

/* Nobody waits in the backlog, so the listener is closed. */
static void expect_backlog_empty(struct script *s)
{
	expect_accept_fails(s, ECHO_WOULD_BLOCK);
	expect_unlisten(s, done());
}

static void stop(struct script *s)
{
	request(s, ECHO_REQUEST_STOP);
	expect_backlog_empty(s);
}

/* The stream was quiet: a last look, our FIN, the peer's, and the close. */
static void expect_drained(struct script *s, int peer)
{
	expect_read(s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(s, peer, done());
	expect_idle(s);
	ready(s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_discard(s, peer, ends());
	expect_unacked(s, peer, leaves(0));
	expect_closed(s, peer, ECHO_REASON_DRAINED);
}

static void expect_end(struct script *s, enum echo_ending ending)
{
	expect_stopped(s, ending);
	if (ending == ECHO_STOPPED) {
		expect_open(s, 0);
		expect_buffers(s, 0);
	}
	end(s);
}

/*
 * ECHO-81: At SIGTERM or SIGINT, every connection MUST get the echo of what it has sent, then an
 * orderly end, and the exit status MUST be 0.
 * ECHO-104: After the server's shutdown, every connection and buffer MUST be released.
 */
static void a_server_without_connections_stops_at_once(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	stop(&s);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-81: At SIGTERM or SIGINT, every connection MUST get the echo of what it has sent, then an
 * orderly end, and the exit status MUST be 0. */
static void a_quiet_connection_is_ended_in_order(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	stop(&s);
	expect_wait_timeout(&s, 50);
	at_ms(&s, 50);
	expect_drained(&s, peer);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-81: as above: one that is active is served until it is quiet. */
static void an_active_connection_is_served_until_it_is_quiet(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	stop(&s);
	for (uint64_t ms = 40; ms < 400; ms += 40) {
		at_ms(&s, ms);
		ready(&s, peer, ECHO_IN | ECHO_OUT);
		echoes(&s, peer, "hello");
		expect_wait_timeout(&s, 50);
	}
	at_ms(&s, 410);
	expect_read(&s, peer, returns("late"));
	expect_write(&s, peer, "late", took(4));
	expect_wait_timeout(&s, 50);
	at_ms(&s, 460);
	expect_drained(&s, peer);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-81: as above: one that half-closes ends as ever. */
static void a_half_close_while_draining(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	stop(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	echoes(&s, peer, "hello");
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(5));
	expect_shutdown(&s, peer, done());
	expect_wait_timeout(&s, 7500); /* only the deadlines are left, and no quiet time */
	ready(&s, peer, ECHO_OUT);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-81: as above: one that waited for its acknowledgement already goes on to wait for it. */
static void an_unacknowledged_echo_while_draining(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.idle_ms = 1000;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(5));
	expect_shutdown(&s, peer, done());
	expect_wait_timeout(&s, 1000);
	stop(&s);
	expect_wait_timeout(&s, 7500);
	ready(&s, peer, ECHO_OUT);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_end(&s, ECHO_STOPPED);
}

/*
 * ECHO-81: … the echo of what it has sent, then an orderly end …: a peer that is slow to read has
 * until the deadline, whatever the idle timeout is.
 */
static void a_blocked_connection_has_until_the_deadline(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.idle_ms = 1000;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	stop(&s);
	for (uint64_t ms = 50; ms < 5000; ms += 50) {
		at_ms(&s, ms);
		expect_wait_timeout(&s, 50);
	}
	ready(&s, peer, ECHO_OUT);
	expect_write(&s, peer, "hello", took(5));
	at_ms(&s, 5000);
	expect_drained(&s, peer);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: At SIGTERM or SIGINT, what waits in the backlog MUST be accepted and served before the
 * listener closes. */
static void the_backlog_is_accepted_and_served(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	request(&s, ECHO_REQUEST_STOP);
	expect_accept_fails(&s, ECHO_INTERRUPTED);
	expect_accept(&s);
	expect_accept_fails(&s, ECHO_GONE);
	expect_accept(&s);
	expect_backlog_empty(&s);
	expect_watch(&s, 0, done());
	expect_watch(&s, 1, done());
	s_wait(&s, event_for(&s, 0, ECHO_IN | ECHO_OUT | ECHO_RDHUP),
	       event_for(&s, 1, ECHO_IN | ECHO_OUT));
	echoes(&s, 0, "hello");
	expect_read(&s, 0, ends());
	expect_unacked(&s, 0, leaves(0));
	expect_closed(&s, 0, ECHO_REASON_ENDED);
	echoes(&s, 1, "hello");
	expect_wait_timeout(&s, 50);
	at_ms(&s, 50);
	expect_drained(&s, 1);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: as above, where all slots are taken: the backlog waits for one. */
static void the_backlog_waits_for_a_slot(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 1;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, done());
	expect_watch(&s, 0, done());
	request(&s, ECHO_REQUEST_STOP);
	expect_wait_timeout(&s, 50);
	at_ms(&s, 50);
	expect_drained(&s, 0);
	expect_resume(&s, done());
	expect_accept(&s);
	expect_pause(&s, done());
	expect_watch(&s, 1, done());
	at_ms(&s, 100);
	expect_drained(&s, 1);
	expect_resume(&s, done());
	expect_backlog_empty(&s);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: as above, where the slots fill up with what the backlog holds. */
static void the_backlog_fills_the_slots(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 1;
	begin(&s, config);
	request(&s, ECHO_REQUEST_STOP);
	expect_accept(&s);
	expect_pause(&s, done());
	expect_watch(&s, 0, done());
	ready(&s, 0, ECHO_HUP);
	expect_read(&s, 0, fails(ECHO_GONE));
	expect_closed(&s, 0, ECHO_REASON_RESET);
	expect_resume(&s, done());
	expect_backlog_empty(&s);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: as above, where descriptors run out: it is tried again, as ever. */
static void the_backlog_waits_for_descriptors(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	request(&s, ECHO_REQUEST_STOP);
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 100);
	at_ms(&s, 100);
	expect_resume(&s, fails(ECHO_NO_MEMORY));
	expect_wait_timeout(&s, 200);
	at_ms(&s, 300);
	expect_resume(&s, done());
	expect_accept(&s);
	expect_backlog_empty(&s);
	expect_watch(&s, 0, done());
	at_ms(&s, 350);
	expect_drained(&s, 0);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: as above, where they had run out before. */
static void a_paused_listener_is_tried_once_more(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	request(&s, ECHO_REQUEST_STOP);
	expect_wait_timeout(&s, 100);
	at_ms(&s, 100);
	expect_resume(&s, done());
	expect_backlog_empty(&s);
	expect_end(&s, ECHO_STOPPED);
}

/*
 * ECHO-80: At SIGTERM or SIGINT, what waits in the backlog MUST be accepted and served before the
 * listener closes.
 * ECHO-82: Only connections that are still open after the drain timeout MUST be cut off: where
 * nothing is left, nothing is waited for, even though the pause failed, and an empty backlog will
 * not be announced.
 */
static void a_pause_that_fails_does_not_hold_up_the_end(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 1;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, fails(ECHO_FAILED));
	expect_watch(&s, 0, done());
	request(&s, ECHO_REQUEST_STOP);
	ready(&s, 0, ECHO_HUP);
	expect_read(&s, 0, fails(ECHO_GONE));
	expect_closed(&s, 0, ECHO_REASON_RESET);
	expect_resume(&s, done());
	expect_backlog_empty(&s);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-82: Only connections that are still open after the drain timeout MUST be cut off. */
static void the_deadline_cuts_what_is_left(void **state)
{
	struct script s;
	int blocked, ended, lingering;

	(void)state;
	begin(&s, usual());
	blocked = connect_one(&s);
	ended = connect_one(&s);
	lingering = connect_one(&s);
	s_wait(&s, event_for(&s, blocked, ECHO_IN | ECHO_OUT),
	       event_for(&s, ended, ECHO_IN | ECHO_OUT | ECHO_RDHUP));
	expect_read(&s, blocked, returns("hello"));
	expect_write(&s, blocked, "hello", fails(ECHO_WOULD_BLOCK));
	expect_read(&s, ended, ends());
	expect_unacked(&s, ended, leaves(1));
	expect_shutdown(&s, ended, done());
	stop(&s);
	at_ms(&s, 50);
	expect_read(&s, lingering, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, lingering, done());
	at_ms(&s, 9990);
	expect_wait_timeout(&s, 10);
	at_ms(&s, 9999);
	expect_wait_timeout(&s, 1);
	at_ms(&s, 10000);
	expect_closed(&s, blocked, ECHO_REASON_CUT);
	expect_closed(&s, ended, ECHO_REASON_CUT);
	expect_closed(&s, lingering, ECHO_REASON_CUT);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-82: as above: the listener is closed as well, should descriptors never have come back. */
static void the_deadline_closes_the_listener(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	s.now_ms = 50;
	request(&s, ECHO_REQUEST_STOP);
	while (s.now_ms < 10050) {
		struct echo_action action = script_next(&s);

		if (action.op == ECHO_OP_WAIT)
			at_ms(&s, s.now_ms + (uint64_t)action.timeout_ms);
		else
			expect_resume(&s, fails(ECHO_NO_MEMORY));
	}
	assert_int_equal(s.now_ms, 10050);
	expect_unlisten(&s, fails(ECHO_FAILED));
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-82: as above: without any drain time everything is cut at once. */
static void a_drain_timeout_of_nothing(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.drain_ms = 0;
	begin(&s, config);
	peer = connect_one(&s);
	request(&s, ECHO_REQUEST_STOP);
	expect_unlisten(&s, done());
	expect_closed(&s, peer, ECHO_REASON_CUT);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-82: as above: what is about to be closed keeps its own reason. */
static void what_is_about_to_be_closed_keeps_its_reason(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.drain_ms = 0;
	config.round_bytes = 1;
	begin(&s, config);
	s.leave_out_rounds = true;
	peer = connect_one(&s);
	ready(&s, peer, ECHO_HUP);
	expect_read(&s, peer, fails(ECHO_GONE));
	request(&s, ECHO_REQUEST_STOP);
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_unlisten(&s, done());
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-82: as above: at the deadline, slots that were used and are free again are left alone. */
static void free_slots_are_not_cut(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	connect_one(&s);
	ready(&s, peer, ECHO_HUP);
	expect_read(&s, peer, fails(ECHO_GONE));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	ready(&s, 1, ECHO_IN | ECHO_OUT);
	expect_read(&s, 1, returns("hello"));
	expect_write(&s, 1, "hello", fails(ECHO_WOULD_BLOCK));
	stop(&s);
	at_ms(&s, 10000);
	expect_closed(&s, 1, ECHO_REASON_CUT);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-83: A second SIGTERM or SIGINT MUST end the process at once, with exit status 1. */
static void a_second_request_to_stop_aborts(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	connect_one(&s);
	stop(&s);
	request(&s, ECHO_REQUEST_STOP);
	expect_open(&s, 1);
	expect_end(&s, ECHO_ABORTED);
}

/* ECHO-83: as above, where both came at once. */
static void a_request_to_abort(void **state)
{
	static const uint32_t requests[] = { ECHO_REQUEST_ABORT,
					     ECHO_REQUEST_ABORT | ECHO_REQUEST_STOP };
	struct script s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&s, usual());
		connect_one(&s);
		request(&s, requests[i]);
		expect_end(&s, ECHO_ABORTED);
	}
}

/* ECHO-81: … every connection MUST get the echo …: events that come with the request count. */
static void a_request_that_comes_with_events(void **state)
{
	struct script s;
	struct echo_action action;
	struct echo_event event;
	struct echo_result result = { .outcome = ECHO_DONE, .requests = ECHO_REQUEST_STOP };
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	event = event_for(&s, peer, ECHO_IN | ECHO_OUT);
	result.events = &event;
	result.events_count = 1;
	action = script_next(&s);
	script_complete(&s, &action, &result);
	echoes(&s, peer, "hello");
	expect_backlog_empty(&s);
	expect_wait_timeout(&s, 50);
	end(&s);
}

/* ECHO-56: Only a broken listener or epoll instance MUST end the process …: also while draining. */
static void a_listener_that_breaks_while_draining(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	request(&s, ECHO_REQUEST_STOP);
	expect_accept_fails(&s, ECHO_BROKEN);
	expect_end(&s, ECHO_DEFUNCT);
}

/* ECHO-58: An event MUST reach only the connection that it was meant for: one for a listener
 * that is closed reaches nobody. */
static void an_event_for_a_closed_listener(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	connect_one(&s);
	stop(&s);
	s_wait(&s, incoming());
	expect_wait_timeout(&s, 50);
	end(&s);
}

/* ECHO-86: The idle timeout …: a connection that it has ended lingers on, and may end in order. */
static void one_that_lingers_when_the_drain_begins(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.idle_ms = 1000;
	begin(&s, config);
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, peer, done());
	stop(&s);
	expect_wait_timeout(&s, 50);
	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_discard(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-81: …, every connection MUST get the echo of what it has sent, then an orderly end: also one
 * that never pauses, whose stream ends while there is still time for its end. */
static void a_stream_that_never_pauses_is_ended_in_order(void **state)
{
	struct script s;
	int busy, blocked;

	(void)state;
	begin(&s, usual());
	busy = connect_one(&s);
	blocked = connect_one(&s);
	ready(&s, blocked, ECHO_IN | ECHO_OUT);
	expect_read(&s, blocked, returns("owed"));
	expect_write(&s, blocked, "owed", fails(ECHO_WOULD_BLOCK));
	ready(&s, busy, ECHO_IN | ECHO_OUT);
	echoes(&s, busy, "more");
	stop(&s);
	for (uint64_t now = 40; now < 7500; now += 40) {
		at_ms(&s, now);
		ready(&s, busy, ECHO_IN);
		echoes(&s, busy, "more");
	}
	at_ms(&s, 7500);
	expect_shutdown(&s, busy, done());
	ready(&s, busy, ECHO_IN);
	expect_discard(&s, busy, returns("more"));
	ready(&s, blocked, ECHO_OUT);
	expect_write(&s, blocked, "owed", took(4));
	expect_shutdown(&s, blocked, done());
	ready(&s, busy, ECHO_IN | ECHO_RDHUP);
	expect_discard(&s, busy, ends());
	expect_unacked(&s, busy, leaves(0));
	expect_closed(&s, busy, ECHO_REASON_DRAINED);
	at_ms(&s, 10000);
	expect_closed(&s, blocked, ECHO_REASON_CUT);
	expect_end(&s, ECHO_STOPPED);
}

/* ECHO-80: …, what waits in the backlog MUST be accepted and served …: a connection that has ended
 * and only lingers makes room for it. */
static void one_that_lingers_makes_room_for_the_backlog(void **state)
{
	struct echo_config config = usual();
	struct script s;
	const int first = 0;

	(void)state;
	config.connections_max = 1;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, done());
	expect_watch(&s, first, done());
	request(&s, ECHO_REQUEST_STOP);
	at_ms(&s, 50);
	expect_read(&s, first, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, first, done());
	expect_wait_timeout(&s, 50);
	at_ms(&s, 100);
	expect_closed(&s, first, ECHO_REASON_DRAINED);
	expect_resume(&s, done());
	expect_accept(&s);
	end(&s);
}

/* ECHO-80: as above: what waits is bounded by the backlog, and who comes later is a stranger. */
static void no_more_than_the_backlog_is_accepted(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.backlog_max = 2;
	config.connections_max = 10;
	begin(&s, config);
	request(&s, ECHO_REQUEST_STOP);
	expect_accept(&s);
	expect_accept(&s);
	expect_unlisten(&s, done());
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_without_connections_stops_at_once),
		cmocka_unit_test(a_quiet_connection_is_ended_in_order),
		cmocka_unit_test(an_active_connection_is_served_until_it_is_quiet),
		cmocka_unit_test(a_half_close_while_draining),
		cmocka_unit_test(an_unacknowledged_echo_while_draining),
		cmocka_unit_test(a_blocked_connection_has_until_the_deadline),
		cmocka_unit_test(the_backlog_is_accepted_and_served),
		cmocka_unit_test(the_backlog_waits_for_a_slot),
		cmocka_unit_test(the_backlog_fills_the_slots),
		cmocka_unit_test(the_backlog_waits_for_descriptors),
		cmocka_unit_test(a_paused_listener_is_tried_once_more),
		cmocka_unit_test(a_pause_that_fails_does_not_hold_up_the_end),
		cmocka_unit_test(the_deadline_cuts_what_is_left),
		cmocka_unit_test(the_deadline_closes_the_listener),
		cmocka_unit_test(a_drain_timeout_of_nothing),
		cmocka_unit_test(what_is_about_to_be_closed_keeps_its_reason),
		cmocka_unit_test(free_slots_are_not_cut),
		cmocka_unit_test(a_second_request_to_stop_aborts),
		cmocka_unit_test(a_request_to_abort),
		cmocka_unit_test(a_request_that_comes_with_events),
		cmocka_unit_test(a_listener_that_breaks_while_draining),
		cmocka_unit_test(an_event_for_a_closed_listener),
		cmocka_unit_test(one_that_lingers_when_the_drain_begins),
		cmocka_unit_test(a_stream_that_never_pauses_is_ended_in_order),
		cmocka_unit_test(one_that_lingers_makes_room_for_the_backlog),
		cmocka_unit_test(no_more_than_the_backlog_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
