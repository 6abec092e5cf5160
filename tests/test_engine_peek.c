/* The way without a buffer: peek, write what the peer takes, consume exactly that much. */
#include "script.h"

static int begin_without_buffers(struct script *s)
{
	struct echo_config config = usual();

	config.buffers_max = 0;
	begin(s, config);
	return connect_one(s);
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one. */
static void peek_write_consume(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_consume(&s, peer, 5, took(5));
	expect_idle(&s);
	expect_buffers(&s, 0);

	ready(&s, peer, ECHO_IN);
	expect_peek(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-36: Where no buffer is free, a connection MUST echo without one.
 * ECHO-20: More data than one read takes MUST be echoed without waiting for further data.
 */
static void a_full_peek_is_followed_by_another(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("12345678"));
	expect_write(&s, peer, "12345678", took(8));
	expect_consume(&s, peer, 8, took(8));
	expect_peek(&s, peer, returns("9"));
	expect_write(&s, peer, "9", took(1));
	expect_consume(&s, peer, 1, took(1));
	expect_idle(&s);
	end(&s);
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one: what a short write left
 * waits in the socket, and no edge will tell of it. */
static void what_is_not_written_stays_in_the_socket(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(2));
	expect_consume(&s, peer, 2, took(2));
	expect_idle(&s);

	ready(&s, peer, ECHO_OUT);
	expect_peek(&s, peer, returns("llo+more"));
	expect_write(&s, peer, "llo+more", took(8));
	expect_consume(&s, peer, 8, took(8));
	expect_peek(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	end(&s);
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one: exactly what was written is
 * removed, in as many calls as it takes. */
static void consuming_may_come_in_parts(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("12345678"));
	expect_write(&s, peer, "12345678", took(6));
	expect_consume(&s, peer, 6, took(1));
	expect_consume(&s, peer, 5, took(3));
	expect_consume(&s, peer, 2, fails(ECHO_INTERRUPTED));
	expect_consume(&s, peer, 2, took(2));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-36: Where no buffer is free, a connection MUST echo without one.
 * ECHO-30: A peer that does not read MUST NOT be read from without bound.
 */
static void a_blocked_write_removes_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	ready(&s, peer, ECHO_IN);
	expect_idle(&s);

	ready(&s, peer, ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_consume(&s, peer, 5, took(5));
	expect_idle(&s);
	end(&s);
}

/* ECHO-26: A system call that was interrupted MUST be made again, with nothing lost: what was
 * peeked is still in the socket, so it is peeked again. */
static void an_interrupted_write_goes_back_to_the_socket(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", fails(ECHO_INTERRUPTED));
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_consume(&s, peer, 5, took(5));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-22: A short read MUST count as the end of an edge only while no EPOLLRDHUP, EPOLLHUP,
 * EPOLLERR or EPOLLPRI has been announced.
 * ECHO-4: Urgent data MUST be echoed in line, in its place in the stream.
 */
static void a_peek_stops_at_the_urgent_mark(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_PRI);
	echoes(&s, peer, "befor");
	echoes(&s, peer, "!");
	echoes(&s, peer, "after");
	expect_peek(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_peek(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	ready(&s, peer, ECHO_IN);
	echoes(&s, peer, "hello");
	expect_idle(&s);
	end(&s);
}

/* ECHO-10: Where data and half-close arrive together, all of the data MUST be echoed before the
 * server's FIN. */
static void a_half_close_without_a_buffer(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(4));
	expect_consume(&s, peer, 4, took(4));
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT);
	echoes(&s, peer, "o");
	expect_peek(&s, peer, ends());
	expect_unacked(&s, peer, leaves(1));
	expect_shutdown(&s, peer, done());
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT);
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_idle(&s);
	end(&s);
}

/* ECHO-84: … every signal that is handled MUST lose nothing: bytes that were peeked are there, so a
 * call to remove them that would block was kept from it by a signal, and no event will follow. */
static void a_consume_that_would_block_is_made_again(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_without_buffers(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_consume(&s, peer, 5, took(2));
	expect_consume(&s, peer, 3, fails(ECHO_WOULD_BLOCK));
	expect_consume(&s, peer, 3, fails(ECHO_WOULD_BLOCK));
	expect_consume(&s, peer, 3, took(3));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-34: Peers that do not read MUST NOT keep others from being served, however many they are.
 * ECHO-36: Where no buffer is free, a connection MUST echo without one.
 */
static void a_pool_that_runs_dry_stops_nobody(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int blocked[2], peer;

	(void)state;
	config.buffers_max = 2;
	begin(&s, config);
	peer = connect_one(&s);
	for (int i = 0; i < 2; i++) {
		blocked[i] = connect_one(&s);
		ready(&s, blocked[i], ECHO_IN | ECHO_OUT);
		expect_read(&s, blocked[i], returns("owed"));
		expect_write(&s, blocked[i], "owed", fails(ECHO_WOULD_BLOCK));
	}
	expect_buffers(&s, 2);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_peek(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_consume(&s, peer, 5, took(5));
	expect_idle(&s);
	expect_buffers(&s, 2);

	ready(&s, blocked[1], ECHO_OUT);
	expect_write(&s, blocked[1], "owed", took(4));
	expect_buffers(&s, 1);
	ready(&s, peer, ECHO_IN);
	expect_read(&s, peer, returns("hello"));
	expect_buffers(&s, 2);
	expect_write(&s, peer, "hello", took(5));
	expect_idle(&s);

	ready(&s, blocked[0], ECHO_OUT);
	expect_write(&s, blocked[0], "owed", took(4));
	expect_buffers(&s, 0);
	end(&s);
}

/* ECHO-34: Peers that do not read MUST NOT keep others from being served, however many they are:
 * one that is given up gives its buffer back. */
static void a_closed_connection_gives_its_buffer_back(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int blocked, peer;

	(void)state;
	config.buffers_max = 1;
	begin(&s, config);
	blocked = connect_one(&s);
	peer = connect_one(&s);
	ready(&s, blocked, ECHO_IN | ECHO_OUT);
	expect_read(&s, blocked, returns("owed"));
	expect_write(&s, blocked, "owed", fails(ECHO_WOULD_BLOCK));

	ready(&s, blocked, ECHO_HUP | ECHO_ERR);
	expect_write(&s, blocked, "owed", fails(ECHO_GONE));
	expect_buffers(&s, 0);
	expect_closed(&s, blocked, ECHO_REASON_RESET);

	ready(&s, peer, ECHO_IN | ECHO_OUT);
	expect_read(&s, peer, returns("hello"));
	expect_write(&s, peer, "hello", took(5));
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-5: No connection MUST ever receive bytes that another one sent.
 * ECHO-36: The scratch buffer is for one connection at a time, so what it shows is written before
 * anything else happens, whatever the budgets say.
 */
static void what_was_peeked_is_written_at_once(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int one, other;

	(void)state;
	config.buffers_max = 0;
	config.turn_bytes = 1;
	config.round_bytes = 1;
	begin(&s, config);
	s.leave_out_rounds = true;
	one = connect_one(&s);
	other = connect_one(&s);
	s_wait(&s, event_for(&s, one, ECHO_IN | ECHO_OUT),
	       event_for(&s, other, ECHO_IN | ECHO_OUT));

	/* Not even a round, which asks for a wait, comes between. */
	s.leave_out_rounds = false;
	expect_peek(&s, one, returns("one"));
	expect_write(&s, one, "one", took(3));
	expect_busy(&s);
	at_ms(&s, 0);
	expect_peek(&s, other, returns("other"));
	expect_write(&s, other, "other", took(2));
	expect_busy(&s);
	at_ms(&s, 0);
	expect_consume(&s, one, 3, took(3));
	expect_busy(&s);
	at_ms(&s, 0);
	expect_consume(&s, other, 2, took(2));
	s.leave_out_rounds = true;
	expect_idle(&s);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peek_write_consume),
		cmocka_unit_test(a_full_peek_is_followed_by_another),
		cmocka_unit_test(what_is_not_written_stays_in_the_socket),
		cmocka_unit_test(consuming_may_come_in_parts),
		cmocka_unit_test(a_blocked_write_removes_nothing),
		cmocka_unit_test(an_interrupted_write_goes_back_to_the_socket),
		cmocka_unit_test(a_peek_stops_at_the_urgent_mark),
		cmocka_unit_test(a_half_close_without_a_buffer),
		cmocka_unit_test(a_consume_that_would_block_is_made_again),
		cmocka_unit_test(a_pool_that_runs_dry_stops_nobody),
		cmocka_unit_test(a_closed_connection_gives_its_buffer_back),
		cmocka_unit_test(what_was_peeked_is_written_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
