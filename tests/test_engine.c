/* The life of a connection: echo, backpressure, and the end of the stream. */
#include "script.h"

/* Leaves the connection owing "llo", to a peer that does not read. */
static int connect_blocked(struct script *s)
{
	int peer = connect_one(s);

	ready(s, peer, ECHO_IN | ECHO_OUT);
	expect_read(s, peer, returns("hello"));
	expect_write(s, peer, "hello", took(2));
	expect_idle(s);
	return peer;
}

/* Leaves the connection in its last state before the close: both directions have ended. */
static int connect_and_end_unacked(struct script *s)
{
	int peer = connect_one(s);

	ready(s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	echoes(s, peer, "hello");
	expect_read(s, peer, ends());
	expect_unacked(s, peer, leaves(5));
	expect_shutdown(s, peer, done());
	expect_idle(s);
	return peer;
}

/*
 * ECHO-103: The engine MUST ask to wait only when no connection has work that it could do.
 * ECHO-60: A server without traffic MUST use no CPU, in every state that a connection can rest in.
 */
static void an_engine_without_work_waits_for_ever(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	expect_wait_timeout(&s, -1);
	connect_one(&s);
	expect_wait_timeout(&s, -1);
	expect_open(&s, 1);
	end(&s);
}

/* ECHO-1: Every byte received MUST be sent back once, in order, on the connection that it came
 * from, whatever its value. */
static void what_is_read_is_written(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_idle(&s);

	ready(&s, peer, ECHO_IN);
	expect_read(&s, peer, returns("again"));
	expect_write(&s, peer, "again", took(5));
	expect_idle(&s);
	end(&s);
}

/* ECHO-5: No connection MUST ever receive bytes that another one sent. */
static void connections_do_not_mix(void **state)
{
	struct script s;
	int one, other;

	(void)state;
	begin(&s, usual());
	one = connect_one(&s);
	other = connect_one(&s);

	s_wait(&s, event_for(&s, one, ECHO_IN | ECHO_OUT),
	       event_for(&s, other, ECHO_IN | ECHO_OUT));
	expect_read(&s, one, returns("one"));
	expect_write(&s, one, "one", took(1));
	expect_read(&s, other, returns("other"));
	expect_write(&s, other, "other", took(2));
	expect_idle(&s);

	s_wait(&s, event_for(&s, other, ECHO_OUT), event_for(&s, one, ECHO_OUT));
	expect_write(&s, other, "her", took(3));
	expect_write(&s, one, "ne", took(2));
	expect_idle(&s);
	end(&s);
}

/* ECHO-20: More data than one read takes MUST be echoed without waiting for further data. */
static void a_full_read_is_followed_by_another(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	echoes(&s, peer, "12345678");
	echoes(&s, peer, "abcdefgh");
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	end(&s);
}

/* ECHO-3: A stream longer than every buffer on its way MUST come back whole. */
static void short_writes_lose_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("12345678"));
	for (int owed = 8; owed > 0; owed--) {
		expect_write(&s, peer, &"12345678"[8 - owed], took(1));
		if (owed > 1)
			ready(&s, peer, ECHO_OUT);
	}
	echoes(&s, peer, "rest");
	expect_idle(&s);
	end(&s);
}

/* ECHO-21: An echo that was held up by a peer which did not read MUST go on when the peer reads. */
static void a_blocked_write_goes_on_when_there_is_room(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);

	ready(&s, peer, ECHO_OUT);
	expect_write(&s, peer, "hello", took(5));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-30: A peer that does not read MUST NOT be read from without bound.
 * ECHO-32: When such a peer reads again, every byte MUST come back.
 */
static void nothing_is_read_while_bytes_are_owed(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_blocked(&s);

	ready(&s, peer, ECHO_IN);
	expect_idle(&s);
	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_idle(&s);

	ready(&s, peer, ECHO_OUT);
	expect_write(&s, peer, "llo", took(3));
	expect_read(&s, peer, returns("more"));
	expect_write(&s, peer, "more", took(4));
	expect_read(&s, peer, ends());
	end(&s);
}

/* ECHO-30: A peer that does not read MUST NOT be read from without bound. */
static void nothing_is_read_that_could_not_be_sent_on(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN);
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT);
	echoes(&s, peer, "hello");
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-35: An idle connection MUST NOT hold a buffer.
 * ECHO-31: The memory in use MUST stay flat while peers send and do not read.
 */
static void buffers_are_held_for_bytes_only(void **state)
{
	struct script s;
	int blocked, peer;

	(void)state;
	begin(&s, usual());
	blocked = connect_blocked(&s);
	expect_buffers(&s, 1);
	peer = connect_one(&s);
	expect_buffers(&s, 1);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	expect_buffers(&s, 1);

	ready(&s, peer, ECHO_IN);
	expect_read(&s, peer, returns("x"));
	expect_buffers(&s, 2);
	expect_write(&s, peer, "x", took(1));
	expect_buffers(&s, 1);

	ready(&s, blocked, ECHO_OUT);
	expect_write(&s, blocked, "llo", took(3));
	expect_idle(&s);
	expect_buffers(&s, 0);
	end(&s);
}

/* ECHO-12: Where a peer half-closes without having sent anything, the server MUST end the stream
 * with FIN at once. */
static void a_half_close_before_any_data(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_buffers(&s, 0);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_idle(&s);
	expect_open(&s, 0);
	end(&s);
}

/* ECHO-10: Where data and half-close arrive together, all of the data MUST be echoed before the
 * server's FIN. */
static void a_half_close_with_data(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_idle(&s);
	end(&s);
}

/* ECHO-11: Where a peer half-closes after its data was echoed, the server MUST end the stream with
 * FIN. */
static void a_half_close_after_the_data(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	echoes(&s, peer, "hello");
	expect_idle(&s);

	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-13: A long stream that is half-closed at once after its last byte MUST come back whole, then
 * end with FIN.
 * ECHO-14: The server MUST NOT reset a connection whose peer half-closed and reads late.
 */
static void a_half_close_while_bytes_are_owed(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_blocked(&s);

	ready(&s, peer, ECHO_IN | ECHO_RDHUP);
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT | ECHO_IN | ECHO_RDHUP);
	expect_write(&s, peer, "llo", took(3));
	echoes(&s, peer, "12345678");
	echoes(&s, peer, "tail");
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(7));
	expect_shutdown(&s, peer, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-17: The server MUST NOT end a connection that its peer keeps open. */
static void a_would_block_ends_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	for (int i = 0; i < 3; i++) {
		ready(&s, peer, ECHO_IN | ECHO_OUT);
		expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_wait_timeout(&s, -1);
	}
	expect_alive(&s, peer);
	end(&s);
}

/* ECHO-15: A connection MUST keep its descriptor until its peer has acknowledged every byte
 * owed. */
static void an_unacknowledged_echo_is_waited_for(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_and_end_unacked(&s);
	expect_wait_timeout(&s, -1);

	ready(&s, peer, ECHO_OUT);
	expect_unacked(&s, peer, leaves(1));
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT | ECHO_HUP | ECHO_RDHUP | ECHO_IN);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_idle(&s);
	end(&s);
}

/* ECHO-15: A connection MUST keep its descriptor until its peer has acknowledged every byte
 * owed. */
static void any_event_may_be_the_acknowledgement(void **state)
{
	static const uint32_t any[] = { ECHO_IN, ECHO_PRI, ECHO_OUT, ECHO_HUP, ECHO_RDHUP, 0 };
	struct script s;
	int peer;

	(void)state;
	for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++) {
		begin(&s, usual());
		peer = connect_and_end_unacked(&s);
		ready(&s, peer, any[i]);
		expect_unacked(&s, peer, leaves(0));
		expect_closed(&s, peer, ECHO_REASON_ENDED);
		end(&s);
	}
}

/* ECHO-15: A connection MUST keep its descriptor until its peer has acknowledged every byte owed.
 * Nobody will acknowledge anything once an error was announced. */
static void an_error_ends_the_wait_for_the_acknowledgement(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_and_end_unacked(&s);

	ready(&s, peer, ECHO_ERR | ECHO_HUP);
	expect_unacked(&s, peer, leaves(5));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_idle(&s);
	end(&s);
}

/* ECHO-15: as above, where the error came before the end of the stream was read, and where it came
 * with the last acknowledgement. */
static void an_error_before_the_end_of_the_stream(void **state)
{
	static const uint32_t unacked[] = { 5, 0 };
	struct script s;
	int peer;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&s, usual());
		peer = connect_one(&s);
		ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_ERR);
		expect_read(&s, peer, ends());
		expect_unacked(&s, peer, leaves(unacked[i]));
		expect_closed(&s, peer, unacked[i] > 0 ? ECHO_REASON_RESET : ECHO_REASON_ENDED);
		expect_idle(&s);
		end(&s);
	}
}

/* ECHO-16: When a connection has ended, its descriptor MUST be released. */
static void slots_and_buffers_are_used_again(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.buffers_max = 1;
	begin(&s, config);
	for (int i = 0; i < 12; i++) {
		int peer = connect_one(&s);

		ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
		expect_read(&s, peer, returns("hello"));
		expect_buffers(&s, 1);
		expect_write(&s, peer, "hello", took(5));
		expect_read(&s, peer, ends());
		expect_unacked(&s, peer, leaves(0));
		expect_open(&s, 1);
		expect_closed(&s, peer, ECHO_REASON_ENDED);
		expect_open(&s, 0);
		expect_buffers(&s, 0);
	}
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_engine_without_work_waits_for_ever),
		cmocka_unit_test(what_is_read_is_written),
		cmocka_unit_test(connections_do_not_mix),
		cmocka_unit_test(a_full_read_is_followed_by_another),
		cmocka_unit_test(short_writes_lose_nothing),
		cmocka_unit_test(a_blocked_write_goes_on_when_there_is_room),
		cmocka_unit_test(nothing_is_read_while_bytes_are_owed),
		cmocka_unit_test(nothing_is_read_that_could_not_be_sent_on),
		cmocka_unit_test(buffers_are_held_for_bytes_only),
		cmocka_unit_test(a_half_close_before_any_data),
		cmocka_unit_test(a_half_close_with_data),
		cmocka_unit_test(a_half_close_after_the_data),
		cmocka_unit_test(a_half_close_while_bytes_are_owed),
		cmocka_unit_test(a_would_block_ends_nothing),
		cmocka_unit_test(an_unacknowledged_echo_is_waited_for),
		cmocka_unit_test(any_event_may_be_the_acknowledgement),
		cmocka_unit_test(an_error_ends_the_wait_for_the_acknowledgement),
		cmocka_unit_test(an_error_before_the_end_of_the_stream),
		cmocka_unit_test(slots_and_buffers_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
