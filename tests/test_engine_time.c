/* What passes with time: the idle timeout, reports, and clocks that are not what they should be. */
#include "script.h"

static struct echo_config with_idle(uint64_t idle_ms)
{
	struct echo_config config = usual();

	config.idle_ms = idle_ms;
	return config;
}

/* Nothing is unacknowledged, the probe before the end found nothing, and the server has sent its
 * FIN. */
static void part(struct script *s, int peer)
{
	expect_unacked(s, peer, leaves(0));
	expect_read(s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(s, peer, done());
	expect_idle(s);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic, and only such a one. */
static void a_connection_without_traffic_is_ended(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 999);
	expect_wait_timeout(&s, 1);
	at_ms(&s, 1000);
	part(&s, peer);
	expect_wait_timeout(&s, 10000);

	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_discard(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	expect_wait_timeout(&s, -1);
	end(&s);
}

/* ECHO-86: as above: each byte that moves, in or out, begins the time anew. */
static void traffic_puts_off_the_idle_timeout(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	at_ms(&s, 600);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 1200);
	expect_wait_timeout(&s, 400);
	ready(&s, peer, ECHO_OUT);
	expect_write(&s, peer, "hello", took(1));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 1700);
	expect_wait_timeout(&s, 500);
	end(&s);
}

/* ECHO-86: as above: an event that brings no byte, and one byte of another connection, do not count
 * as traffic. */
static void events_without_bytes_are_no_traffic(void **state)
{
	struct script s;
	int peer, other;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	other = connect_one(&s);
	at_ms(&s, 900);
	s_wait(&s, event_for(&s, peer, ECHO_IN | ECHO_OUT),
	       event_for(&s, other, ECHO_IN | ECHO_OUT));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	echoes(&s, other, "hello");
	expect_wait_timeout(&s, 100);
	at_ms(&s, 1000);
	part(&s, peer);
	expect_wait_timeout(&s, 900);
	end(&s);
}

/* ECHO-86: The idle timeout … is a promise to free slots, and never to lose bytes: what the last
 * look finds is echoed, and the connection goes on. */
static void what_the_probe_finds_is_echoed(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_OUT);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, returns("late"));
	expect_write(&s, peer, "late", took(4));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 2000);
	part(&s, peer);
	end(&s);
}

/* ECHO-26: A system call that was interrupted MUST be made again, with nothing lost. */
static void an_interrupted_probe_is_made_again(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, fails(ECHO_INTERRUPTED));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, peer, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-86: as above, where there is no buffer to look with. */
static void the_probe_needs_no_buffer(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	config.buffers_max = 0;
	begin(&s, config);
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_peek(&s, peer, returns("late"));
	expect_write(&s, peer, "late", fails(ECHO_WOULD_BLOCK));
	expect_wait_timeout(&s, 1000);
	ready(&s, peer, ECHO_OUT);
	expect_peek(&s, peer, returns("late"));
	expect_write(&s, peer, "late", took(4));
	expect_consume(&s, peer, 4, took(4));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(0));
	expect_peek(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, peer, done());
	end(&s);
}

/*
 * ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given: the
 * last look before the idle timeout may find the end of the stream.
 * ECHO-86: The idle timeout MUST end a connection without traffic, and only such a one.
 */
static void the_probe_finds_the_end(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_wait_timeout(&s, -1);
	end(&s);
}

/* ECHO-102: as above: or an error, which the connection ends with. */
static void the_probe_finds_an_error(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, fails(ECHO_GONE));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_wait_timeout(&s, -1);
	end(&s);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic: a peer that has not read for so
 * long is given up, with a buffer and without. */
static void a_peer_that_does_not_read_is_given_up(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(700));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(700));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	expect_buffers(&s, 0);
	end(&s);

	config.buffers_max = 0;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(7));
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(7));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	end(&s);
}

/* ECHO-86: … and only such a one: where all is acknowledged there is room, and the event that says
 * so is under way; a half-closed peer that has acknowledged everything is no idle one. */
static void a_peer_that_has_taken_everything_is_not_given_up(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_write(&s, peer, "hello", took(5));
	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(5));
	expect_shutdown(&s, peer, done());
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	end(&s);
}

/* ECHO-86: … and only such a one: a peer that takes what it is owed is not idle, though it takes
 * too little for an event. */
static void a_peer_that_reads_slowly_is_not_idle(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	for (uint32_t i = 1; i <= 5; i++) {
		at_ms(&s, i * UINT64_C(1000));
		expect_unacked(&s, peer, leaves(700 - i));
		expect_wait_timeout(&s, 1000);
	}
	ready(&s, peer, ECHO_OUT);
	expect_write(&s, peer, "hello", took(5));
	at_ms(&s, 6000);
	expect_unacked(&s, peer, leaves(695)); /* as before, but a byte has moved since */
	expect_wait_timeout(&s, 1000);
	end(&s);
}

/* ECHO-86: as above: an event that comes while we ask is work, and no idleness. */
static void work_that_comes_during_the_check_is_done(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_OUT);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, fails(ECHO_INTERRUPTED));
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_FAILED));
	expect_closed(&s, peer, ECHO_REASON_FAILED);
	peer = connect_one(&s);
	at_ms(&s, 2000);
	expect_unacked(&s, peer, fails(ECHO_GONE));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	end(&s);
}

/* ECHO-86: as above: so is one that acknowledges nothing. */
static void a_peer_that_acknowledges_nothing_is_given_up(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(5));
	expect_shutdown(&s, peer, done());
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(5));
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(5));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	end(&s);
}

/* ECHO-86: … and only such a one: who has work waits for the server, not the server for it. */
static void who_waits_for_its_turn_is_not_idle(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	config.round_bytes = 1;
	begin(&s, config);
	s.leave_out_rounds = true;
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	at_ms(&s, 1000);
	expect_write(&s, peer, "hello", fails(ECHO_INTERRUPTED));
	at_ms(&s, 2000);
	expect_write(&s, peer, "hello", took(5));
	expect_wait_timeout(&s, 1000);
	ready(&s, peer, ECHO_IN);
	expect_read(&s, peer, fails(ECHO_INTERRUPTED));
	at_ms(&s, 3000); /* readable, and not yet read */
	echoes(&s, peer, "more");
	expect_wait_timeout(&s, 1000);
	end(&s);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic: what the peer sends after our
 * FIN is discarded, until it ends its stream or the time is over. */
static void lingering_ends(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	config.drain_ms = 300;
	begin(&s, config);
	peer = connect_one(&s);
	at_ms(&s, 1000);
	part(&s, peer);
	expect_wait_timeout(&s, 300);
	at_ms(&s, 1200);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_discard(&s, peer, returns("12345678"));
	expect_discard(&s, peer, fails(ECHO_INTERRUPTED));
	expect_discard(&s, peer, returns("x"));
	expect_wait_timeout(&s, 100); /* however much comes */
	ready(&s, peer, ECHO_IN);
	expect_discard(&s, peer, fails(ECHO_WOULD_BLOCK));
	ready(&s, peer, ECHO_IN | ECHO_PRI);
	expect_discard(&s, peer, returns("y"));
	expect_discard(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_discard(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_buffers(&s, 0);
	at_ms(&s, 1300);
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	expect_wait_timeout(&s, -1);
	end(&s);
}

/* ECHO-86: as above, where there is no time to linger: the next wait is the last. */
static void lingering_may_have_no_time(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	config.drain_ms = 0;
	begin(&s, config);
	peer = connect_one(&s);
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, peer, done());
	expect_busy(&s);
	at_ms(&s, 1000);
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	end(&s);
}

/* ECHO-15: A connection MUST keep its descriptor until its peer has acknowledged every byte
 * owed: the same after an end that began with ours. */
static void lingering_may_end_unacknowledged(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle(1000));
	peer = connect_one(&s);
	at_ms(&s, 1000);
	part(&s, peer);
	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_discard(&s, peer, ends());
	expect_unacked(&s, peer, leaves(1));
	expect_wait_timeout(&s, 1000);
	ready(&s, peer, ECHO_OUT);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	end(&s);
}

/* ECHO-86: … end a connection without traffic, and only such a one: each in its time. */
static void each_connection_has_its_own_time(void **state)
{
	struct script s;

	(void)state;
	begin(&s, with_idle(1000));
	for (int i = 0; i < 4; i++) {
		at_ms(&s, (uint64_t)i * 100);
		s_wait(&s, incoming());
		expect_accept(&s);
		if (i == 3)
			expect_pause(&s, done());
		expect_watch(&s, i, done());
	}
	at_ms(&s, 400);
	ready(&s, 1, ECHO_IN | ECHO_OUT);
	echoes(&s, 1, "hello"); /* from the middle of the list to its end */
	expect_wait_timeout(&s, 600);
	ready(&s, 3, ECHO_HUP); /* leaves from the middle */
	expect_read(&s, 3, fails(ECHO_GONE));
	expect_closed(&s, 3, ECHO_REASON_RESET);
	expect_resume(&s, done());
	at_ms(&s, 1000);
	part(&s, 0);
	expect_wait_timeout(&s, 200);
	at_ms(&s, 1200);
	part(&s, 2);
	expect_wait_timeout(&s, 200);
	at_ms(&s, 1400);
	part(&s, 1);
	end(&s);
}

/* ECHO-85: SIGUSR1 and `--stats` MUST print the statistics. */
static void a_report_on_request(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	request(&s, ECHO_REQUEST_REPORT);
	expect_report(&s, done());
	expect_wait_timeout(&s, -1);
	request(&s, ECHO_REQUEST_REPORT | ECHO_REQUEST_STOP);
	expect_report(&s, done());
	expect_accept_fails(&s, ECHO_WOULD_BLOCK);
	end(&s);
}

/* ECHO-85: as above, again and again; it goes before other work, and delays none. */
static void a_report_each_period(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.report_ms = 500;
	begin_at(&s, config, 100);
	expect_wait_timeout(&s, 500);
	peer = connect_one(&s);
	at_ms(&s, 599);
	expect_wait_timeout(&s, 1);
	s.now_ms = 610;
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_report(&s, done());
	echoes(&s, peer, "hello");
	expect_wait_timeout(&s, 500);
	at_ms(&s, 5000);
	expect_report(&s, done()); /* those that were missed are not made up for */
	expect_wait_timeout(&s, 500);
	end(&s);
}

/* ECHO-102: … whatever results it is given: a clock that goes back stands still. */
static void a_clock_that_goes_back_stands_still(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin_at(&s, with_idle(1000), 5000);
	s.now_ms = 0;
	peer = connect_one(&s);
	expect_wait_timeout(&s, 1000);
	at_ms(&s, 5400);
	expect_wait_timeout(&s, 600);
	at_ms(&s, 0);
	expect_wait_timeout(&s, 600);
	at_ms(&s, 6000);
	part(&s, peer);
	end(&s);
}

/* ECHO-102: … whatever results it is given: a clock that leaps, and times beyond an int. */
static void long_times_are_waited_for_in_parts(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_idle((uint64_t)INT32_MAX + 5));
	peer = connect_one(&s);
	expect_wait_timeout(&s, INT32_MAX);
	at_ms(&s, INT32_MAX);
	expect_wait_timeout(&s, 5);
	at_ms(&s, UINT64_C(1) << 62);
	part(&s, peer);
	end(&s);
}

/* ECHO-102: … whatever results it is given: at the end of the clock's range nothing spins or
 * ends. */
static void the_clock_at_its_end(void **state)
{
	struct echo_config config = with_idle(1000);
	struct script s;
	int peer;

	(void)state;
	config.report_ms = 1000;
	begin(&s, config);
	at_ms(&s, UINT64_MAX);
	expect_report(&s, done());
	expect_idle(&s);
	peer = connect_one(&s);
	expect_alive(&s, peer);
	end(&s);
}

/* ECHO-102: as above, where the clock was there from the start. */
static void an_engine_that_begins_at_the_end_of_the_clock(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin_at(&s, usual(), UINT64_MAX);
	expect_idle(&s);
	peer = connect_one(&s);
	expect_alive(&s, peer);
	end(&s);
}

/* ECHO-102: as above, where accepting pauses then. */
static void accepting_pauses_at_the_end_of_the_clock(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	at_ms(&s, UINT64_MAX);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-102: … whatever …: a retry delay without end is refused, or waited for. */
static void a_retry_delay_without_end(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.retry_min_ms = config.retry_max_ms = UINT64_MAX;
	if (echo_memory_size(&config) == 0)
		return;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-86: The idle timeout … and only such a one: without one, no time ends anything. */
static void without_an_idle_timeout_nothing_ends(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	at_ms(&s, UINT64_C(1) << 62);
	expect_wait_timeout(&s, -1);
	expect_alive(&s, peer);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_without_traffic_is_ended),
		cmocka_unit_test(traffic_puts_off_the_idle_timeout),
		cmocka_unit_test(events_without_bytes_are_no_traffic),
		cmocka_unit_test(what_the_probe_finds_is_echoed),
		cmocka_unit_test(an_interrupted_probe_is_made_again),
		cmocka_unit_test(the_probe_needs_no_buffer),
		cmocka_unit_test(the_probe_finds_the_end),
		cmocka_unit_test(the_probe_finds_an_error),
		cmocka_unit_test(a_peer_that_does_not_read_is_given_up),
		cmocka_unit_test(a_peer_that_reads_slowly_is_not_idle),
		cmocka_unit_test(a_peer_that_has_taken_everything_is_not_given_up),
		cmocka_unit_test(work_that_comes_during_the_check_is_done),
		cmocka_unit_test(a_peer_that_acknowledges_nothing_is_given_up),
		cmocka_unit_test(who_waits_for_its_turn_is_not_idle),
		cmocka_unit_test(lingering_ends),
		cmocka_unit_test(lingering_may_have_no_time),
		cmocka_unit_test(lingering_may_end_unacknowledged),
		cmocka_unit_test(each_connection_has_its_own_time),
		cmocka_unit_test(a_report_on_request),
		cmocka_unit_test(a_report_each_period),
		cmocka_unit_test(a_clock_that_goes_back_stands_still),
		cmocka_unit_test(long_times_are_waited_for_in_parts),
		cmocka_unit_test(the_clock_at_its_end),
		cmocka_unit_test(an_engine_that_begins_at_the_end_of_the_clock),
		cmocka_unit_test(accepting_pauses_at_the_end_of_the_clock),
		cmocka_unit_test(a_retry_delay_without_end),
		cmocka_unit_test(without_an_idle_timeout_nothing_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
