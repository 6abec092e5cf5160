/* Readiness is latched, and spent by what proves it spent. */
#include "script.h"

static int connect_ready(struct script *s, uint32_t readiness)
{
	int peer = connect_one(s);

	ready(s, peer, readiness);
	return peer;
}

/* ECHO-22: A short read MUST count as the end of an edge only while no EPOLLRDHUP, EPOLLHUP,
 * EPOLLERR or EPOLLPRI has been announced. */
static void a_short_read_spends_the_edge(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_ready(&s, ECHO_IN | ECHO_OUT);
	echoes(&s, peer, "hello");
	expect_idle(&s);
	ready(&s, peer, ECHO_OUT);
	expect_idle(&s);
	end(&s);
}

static const uint32_t cuts_read[] = { ECHO_RDHUP, ECHO_HUP, ECHO_ERR, ECHO_PRI };

/* ECHO-22: A short read MUST count as the end of an edge only while no EPOLLRDHUP, EPOLLHUP,
 * EPOLLERR or EPOLLPRI has been announced: here with the data. */
static void a_short_read_proves_nothing_beside_what_may_have_cut_it(void **state)
{
	struct script s;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_IN | ECHO_OUT | cuts_read[i]);
		echoes(&s, peer, "hello");
		echoes(&s, peer, "more");
		if (cuts_read[i] == ECHO_PRI)
			expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		end(&s);
	}
}

/* ECHO-22: as above, where it is announced between the read and the write that is owed. */
static void what_cuts_a_read_may_be_announced_after_it(void **state)
{
	struct script s;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_IN | ECHO_OUT);
		expect_read(&s, peer, returns("12345678"));
		expect_write(&s, peer, "12345678", fails(ECHO_WOULD_BLOCK));
		ready(&s, peer, cuts_read[i]);
		if ((cuts_read[i] & (ECHO_HUP | ECHO_ERR)) == 0)
			ready(&s, peer, ECHO_OUT);
		expect_write(&s, peer, "12345678", took(8));
		echoes(&s, peer, "hello");
		if (cuts_read[i] == ECHO_PRI)
			expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		end(&s);
	}
}

/* ECHO-22: as above, where it was announced earlier: RDHUP, HUP and ERR do not pass. */
static void an_announced_end_stays_announced(void **state)
{
	struct script s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_OUT | cuts_read[i]);
		expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		ready(&s, peer, ECHO_IN);
		echoes(&s, peer, "hello");
		expect_read(&s, peer, ends());
		end(&s);
	}
}

/*
 * ECHO-22: as above: where nothing is unread, no urgent mark is left either, so a would-block
 * spends EPOLLPRI, and a later short read counts again.
 * ECHO-4: Urgent data MUST be echoed in line, in its place in the stream.
 */
static void an_urgent_mark_is_passed_by_a_would_block(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_ready(&s, ECHO_IN | ECHO_OUT | ECHO_PRI);
	echoes(&s, peer, "befor");
	echoes(&s, peer, "!");
	echoes(&s, peer, "after");
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);

	ready(&s, peer, ECHO_IN);
	echoes(&s, peer, "hello");
	expect_idle(&s);
	end(&s);
}

/* ECHO-84: … SIGCONT and every signal that is handled MUST lose nothing: a read at an urgent mark
 * that would block because of a signal is tried again, though no event says so. */
static void a_would_block_at_the_urgent_mark_proves_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_ready(&s, ECHO_IN | ECHO_OUT | ECHO_PRI);
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	echoes(&s, peer, "!more");
	expect_idle(&s);
	end(&s);
}

/* ECHO-23: A short write MUST count as the end of an edge only while no EPOLLHUP or EPOLLERR has
 * been announced. */
static void a_short_write_spends_the_edge(void **state)
{
	static const uint32_t harmless[] = { 0, ECHO_RDHUP, ECHO_PRI };
	struct script s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_IN | ECHO_OUT | harmless[i]);
		expect_read(&s, peer, returns("hello"));
		expect_write(&s, peer, "hello", took(4));
		expect_idle(&s);
		ready(&s, peer, ECHO_IN);
		expect_idle(&s);
		ready(&s, peer, ECHO_OUT);
		expect_write(&s, peer, "o", took(1));
		end(&s);
	}
}

/* ECHO-23: A short write MUST count as the end of an edge only while no EPOLLHUP or EPOLLERR has
 * been announced. */
static void a_short_write_proves_nothing_beside_what_may_have_cut_it(void **state)
{
	static const uint32_t cuts_write[] = { ECHO_HUP, ECHO_ERR };
	struct script s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_IN | ECHO_OUT | cuts_write[i]);
		expect_read(&s, peer, returns("hello"));
		expect_write(&s, peer, "hello", took(4));
		expect_write(&s, peer, "o", fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		ready(&s, peer, ECHO_OUT);
		expect_write(&s, peer, "o", fails(ECHO_GONE));
		expect_closed(&s, peer, ECHO_REASON_RESET);
		end(&s);
	}
}

/* ECHO-103: The engine MUST ask to wait only when no connection has work that it could do: a write
 * that was taken whole leaves the socket writable. */
static void a_whole_write_spends_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_ready(&s, ECHO_OUT);
	expect_idle(&s);
	for (int i = 0; i < 3; i++) {
		ready(&s, peer, ECHO_IN);
		echoes(&s, peer, "hello");
		expect_idle(&s);
	}
	end(&s);
}

/* ECHO-51: Connections that are reset, whatever was pending on them, MUST leave no descriptor
 * behind: the call tells the reason, so every mask that can stand for one leads to a call. */
static void every_announced_end_leads_to_a_read(void **state)
{
	static const uint32_t masks[] = {
		ECHO_HUP,
		ECHO_ERR,
		ECHO_ERR | ECHO_HUP,
		ECHO_OUT | ECHO_RDHUP,
		ECHO_OUT | ECHO_PRI,
		ECHO_OUT | ECHO_IN | ECHO_RDHUP | ECHO_ERR | ECHO_HUP,
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, masks[i]);
		expect_read(&s, peer, fails(ECHO_GONE));
		expect_closed(&s, peer, ECHO_REASON_RESET);
		expect_idle(&s);
		expect_open(&s, 0);
		end(&s);
	}
}

/* ECHO-51: as above, while the peer was not reading. */
static void every_announced_end_leads_to_a_write(void **state)
{
	static const uint32_t masks[] = { ECHO_OUT, ECHO_HUP, ECHO_ERR };
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
		int peer;

		begin(&s, usual());
		peer = connect_ready(&s, ECHO_IN | ECHO_OUT);
		expect_read(&s, peer, returns("hello"));
		expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		ready(&s, peer, masks[i]);
		expect_write(&s, peer, "hello", fails(ECHO_GONE));
		expect_closed(&s, peer, ECHO_REASON_RESET);
		expect_idle(&s);
		expect_buffers(&s, 0);
		end(&s);
	}
}

/* ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given:
 * bits that it does not know are ignored. */
static void unknown_readiness_is_ignored(void **state)
{
	const uint32_t known = ECHO_IN | ECHO_PRI | ECHO_OUT | ECHO_ERR | ECHO_HUP | ECHO_RDHUP;
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_ready(&s, ~known);
	expect_idle(&s);
	ready(&s, peer, ~known | ECHO_IN | ECHO_OUT);
	echoes(&s, peer, "hello");
	expect_idle(&s);
	end(&s);
}

/* ECHO-20: More data than one read takes MUST be echoed without waiting for further data: what is
 * announced while the connection is at work counts as well. */
static void an_edge_that_comes_in_parts(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	s_wait(&s, event_for(&s, peer, ECHO_OUT), event_for(&s, peer, ECHO_IN));
	echoes(&s, peer, "hello");
	expect_idle(&s);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_read_spends_the_edge),
		cmocka_unit_test(a_short_read_proves_nothing_beside_what_may_have_cut_it),
		cmocka_unit_test(what_cuts_a_read_may_be_announced_after_it),
		cmocka_unit_test(an_announced_end_stays_announced),
		cmocka_unit_test(an_urgent_mark_is_passed_by_a_would_block),
		cmocka_unit_test(a_would_block_at_the_urgent_mark_proves_nothing),
		cmocka_unit_test(a_short_write_spends_the_edge),
		cmocka_unit_test(a_short_write_proves_nothing_beside_what_may_have_cut_it),
		cmocka_unit_test(a_whole_write_spends_nothing),
		cmocka_unit_test(every_announced_end_leads_to_a_read),
		cmocka_unit_test(every_announced_end_leads_to_a_write),
		cmocka_unit_test(unknown_readiness_is_ignored),
		cmocka_unit_test(an_edge_that_comes_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
