/* Long streams: through a pipe, without a look at the bytes. */
#include "script.h"

static struct echo_config with_pipes(uint32_t count)
{
	struct echo_config config = usual();

	config.pipes_max = count;
	config.turn_bytes = 1 << 20;
	config.round_bytes = 1 << 20;
	return config;
}

/* So many full reads, and their echo. */
static void full_reads(struct script *s, int peer, int count)
{
	for (int i = 0; i < count; i++) {
		expect_read(s, peer, returns("12345678"));
		expect_write(s, peer, "12345678", took(8));
	}
}

/* A connection whose stream has just become long. */
static int begin_long(struct script *s, struct echo_config config)
{
	int peer;

	begin(s, config);
	peer = connect_one(s);
	ready(s, peer, ECHO_IN | ECHO_OUT);
	full_reads(s, peer, 4);
	return peer;
}

static int begin_piped(struct script *s, struct echo_config config)
{
	int peer = begin_long(s, config);

	expect_fill(s, peer, 0, took(8));
	return peer;
}

/* ECHO-160: Bytes MUST go through a pipe only where a stream is long: after four reads. */
static void four_full_reads_make_a_stream_long(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_long(&s, with_pipes(1));
	expect_fill(&s, peer, 0, took(8));
	expect_pipes(&s, 1);
	expect_buffers(&s, 0);
	expect_empty(&s, peer, 0, 8, took(8));
	expect_fill(&s, peer, 0, took(8));
	expect_empty(&s, peer, 0, 8, took(8));
	end(&s);
}

/* ECHO-160: as above: a read of an eighth of the buffer halves what was counted. */
static void small_reads_make_it_short(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, with_pipes(1));
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	full_reads(&s, peer, 3);
	echoes(&s, peer, "1");
	full_reads(&s, peer, 2);
	expect_read(&s, peer, returns("12"));
	expect_write(&s, peer, "12", took(2));
	expect_fill(&s, peer, 0, took(8));
	end(&s);
}

/* ECHO-160: as above: what was counted is at most eight, and small fills count as small reads. */
static void small_fills_make_it_short(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_long(&s, with_pipes(1));
	for (int i = 0; i < 20; i++) {
		expect_fill(&s, peer, 0, took(8));
		expect_empty(&s, peer, 0, 8, took(8));
	}
	expect_fill(&s, peer, 0, took(1));
	expect_empty(&s, peer, 0, 1, took(1));
	full_reads(&s, peer, 1);
	expect_fill(&s, peer, 0, took(1));
	expect_empty(&s, peer, 0, 1, took(1));
	full_reads(&s, peer, 2);
	expect_fill(&s, peer, 0, took(8));
	end(&s);
}

/* ECHO-160: as above: where there is no pipe, or no other is free, bytes go through a buffer. */
static void without_a_pipe_there_is_the_buffer(void **state)
{
	struct script s;
	int one, other;

	(void)state;
	one = begin_long(&s, with_pipes(0));
	full_reads(&s, one, 20);
	end(&s);

	one = begin_piped(&s, with_pipes(1));
	expect_empty(&s, one, 0, 8, fails(ECHO_WOULD_BLOCK));
	other = connect_one(&s);
	ready(&s, other, ECHO_IN | ECHO_OUT);
	full_reads(&s, other, 6);
	expect_read(&s, other, fails(ECHO_WOULD_BLOCK));
	ready(&s, one, ECHO_OUT);
	expect_empty(&s, one, 0, 8, took(8));
	end(&s);
}

/* ECHO-161: What stops a fill MUST decide nothing: the next is a read. */
static void what_stops_a_fill_is_told_by_a_read(void **state)
{
	static const struct answer answers[] = {
		{ ECHO_WOULD_BLOCK, 0, NULL },
		{ ECHO_END, 0, NULL },
		{ ECHO_NO_MEMORY, 0, NULL },
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		int peer = begin_long(&s, with_pipes(1));

		expect_fill(&s, peer, 0, answers[i]);
		expect_pipes(&s, 0);
		expect_read(&s, peer, returns("!2345678"));
		expect_write(&s, peer, "!2345678", took(8));
		expect_fill(&s, peer, 0, answers[i]);
		expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
		expect_idle(&s);
		ready(&s, peer, ECHO_IN);
		expect_fill(&s, peer, 0, took(8));
		end(&s);
	}
}

/* ECHO-161: as above: a fill that is not full is followed by a read, too, which spends the edge. */
static void a_short_fill_spends_no_edge(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_long(&s, with_pipes(1));
	expect_fill(&s, peer, 0, took(5));
	expect_empty(&s, peer, 0, 5, took(5));
	expect_read(&s, peer, returns("more"));
	expect_write(&s, peer, "more", took(4));
	expect_idle(&s);
	end(&s);
}

/* ECHO-161: as above: but an error of the socket is told once. */
static void a_reset_while_filling_ends_it(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_long(&s, with_pipes(1));
	expect_fill(&s, peer, 0, fails(ECHO_GONE));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_pipes(&s, 0);
	expect_idle(&s);
	end(&s);
}

/* ECHO-26: A system call that was interrupted MUST be made again, with nothing lost. */
static void interrupted_it_is_made_again(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_long(&s, with_pipes(1));
	expect_fill(&s, peer, 0, fails(ECHO_INTERRUPTED));
	expect_fill(&s, peer, 0, took(8));
	expect_empty(&s, peer, 0, 8, fails(ECHO_INTERRUPTED));
	expect_empty(&s, peer, 0, 8, fails(ECHO_NO_MEMORY));
	expect_empty(&s, peer, 0, 8, fails(ECHO_GONE));
	expect_purge(&s, peer, 0, 8, fails(ECHO_INTERRUPTED));
	expect_purge(&s, peer, 0, 8, took(8));
	expect_closed(&s, peer, ECHO_REASON_RESET);
	end(&s);
}

/* ECHO-162: A short count of what is sent out of a pipe MUST NOT be taken for a spent edge, and
 * would-block MUST. */
static void a_short_count_out_of_a_pipe_proves_nothing(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_piped(&s, with_pipes(1));
	expect_empty(&s, peer, 0, 8, took(3));
	expect_empty(&s, peer, 0, 5, took(1));
	expect_empty(&s, peer, 0, 4, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	expect_pipes(&s, 1);
	ready(&s, peer, ECHO_OUT);
	expect_empty(&s, peer, 0, 4, took(4));
	expect_fill(&s, peer, 0, took(8));
	end(&s);
}

/* ECHO-163: A pipe MUST be empty when a connection gets it: what is given up leaves its bytes. */
static void a_pipe_is_emptied_before_the_close(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_piped(&s, with_pipes(1));
	expect_empty(&s, peer, 0, 8, took(2));
	expect_empty(&s, peer, 0, 6, fails(ECHO_GONE));
	expect_pipes(&s, 1);
	expect_purge(&s, peer, 0, 6, took(4));
	expect_purge(&s, peer, 0, 2, took(2));
	expect_pipes(&s, 0);
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_lost(&s, 0);
	end(&s);
}

/* ECHO-163: as above: one that cannot be emptied MUST NOT be used again. */
static void a_pipe_that_cannot_be_emptied_is_lost(void **state)
{
	static const enum echo_outcome outcomes[] = { ECHO_WOULD_BLOCK, ECHO_END, ECHO_GONE,
						      ECHO_NO_MEMORY, ECHO_FAILED };
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		int peer = begin_piped(&s, with_pipes(2));

		expect_empty(&s, peer, 0, 8, fails(ECHO_FAILED));
		expect_purge(&s, peer, 0, 8, fails(outcomes[i]));
		expect_closed(&s, peer, ECHO_REASON_FAILED);
		expect_pipes(&s, 0);
		expect_lost(&s, 1);
		peer = connect_one(&s);
		ready(&s, peer, ECHO_IN | ECHO_OUT);
		full_reads(&s, peer, 4);
		expect_fill(&s, peer, 1, took(8));
		end(&s);
	}
}

/* ECHO-163: as above: when the drain timeout is over as well. */
static void cut_it_is_emptied_too(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_piped(&s, with_pipes(1));
	expect_empty(&s, peer, 0, 8, fails(ECHO_WOULD_BLOCK));
	request(&s, ECHO_REQUEST_STOP);
	expect_accept_fails(&s, ECHO_WOULD_BLOCK);
	expect_unlisten(&s, done());
	at_ms(&s, usual().drain_ms);
	expect_purge(&s, peer, 0, 8, took(8));
	expect_closed(&s, peer, ECHO_REASON_CUT);
	expect_stopped(&s, ECHO_STOPPED);
	end(&s);
}

/* ECHO-80: … MUST echo what was sent before, then end each stream: through a pipe as well. */
static void draining_it_owes_what_is_in_its_pipe(void **state)
{
	struct script s;
	int peer;

	(void)state;
	peer = begin_piped(&s, with_pipes(1));
	expect_empty(&s, peer, 0, 8, fails(ECHO_WOULD_BLOCK));
	request(&s, ECHO_REQUEST_STOP);
	expect_accept_fails(&s, ECHO_WOULD_BLOCK);
	expect_unlisten(&s, done());
	at_ms(&s, usual().drain_ms - usual().drain_ms / 4);
	ready(&s, peer, ECHO_OUT);
	expect_empty(&s, peer, 0, 8, took(8));
	expect_shutdown(&s, peer, done());
	end(&s);
}

/* ECHO-86: … is idle only if its peer takes nothing either; then it is given up with its bytes. */
static void idle_with_a_full_pipe(void **state)
{
	struct echo_config config = with_pipes(1);
	struct script s;
	int peer;

	(void)state;
	config.idle_ms = 1000;
	peer = begin_piped(&s, config);
	expect_empty(&s, peer, 0, 8, fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_empty(&s, peer, 0, 8, fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 2000);
	expect_unacked(&s, peer, leaves(7));
	expect_idle(&s);
	at_ms(&s, 3000);
	expect_unacked(&s, peer, leaves(7));
	expect_purge(&s, peer, 0, 8, took(8));
	expect_closed(&s, peer, ECHO_REASON_IDLE);
	end(&s);
}

/* ECHO-164: A socket that cannot be moved through a pipe MUST be echoed all the same. */
static void what_cannot_be_moved_is_read(void **state)
{
	static const enum echo_outcome outcomes[] = { ECHO_FAILED, ECHO_BROKEN,
						      ECHO_NO_DESCRIPTORS };
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		int peer = begin_long(&s, with_pipes(1));

		expect_fill(&s, peer, 0, fails(outcomes[i]));
		full_reads(&s, peer, 20);
		expect_pipes(&s, 0);
		echoes(&s, peer, "1");
		full_reads(&s, peer, 0);
		ready(&s, peer, ECHO_IN);
		full_reads(&s, peer, 8);
		end(&s);
	}
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one: a stream that is long goes
 * through a pipe all the same. */
static void a_pipe_serves_where_no_buffer_is(void **state)
{
	struct echo_config config = with_pipes(1);
	struct script s;
	int peer;

	(void)state;
	config.buffers_max = 0;
	begin(&s, config);
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT);
	for (int i = 0; i < 4; i++)
		echoes(&s, peer, "12345678");
	expect_fill(&s, peer, 0, took(8));
	expect_empty(&s, peer, 0, 8, took(8));
	end(&s);
}

/* ECHO-80, ECHO-86: before we end a stream, a read looks whether something is unread, no fill. */
static void the_last_look_is_a_read(void **state)
{
	struct echo_config config = with_pipes(1);
	struct script s;
	int peer;

	(void)state;
	config.idle_ms = 1000;
	peer = begin_long(&s, config);
	expect_fill(&s, peer, 0, fails(ECHO_WOULD_BLOCK));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	at_ms(&s, 1000);
	expect_unacked(&s, peer, leaves(0));
	expect_read(&s, peer, fails(ECHO_WOULD_BLOCK));
	expect_shutdown(&s, peer, done());
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_full_reads_make_a_stream_long),
		cmocka_unit_test(small_reads_make_it_short),
		cmocka_unit_test(small_fills_make_it_short),
		cmocka_unit_test(without_a_pipe_there_is_the_buffer),
		cmocka_unit_test(what_stops_a_fill_is_told_by_a_read),
		cmocka_unit_test(a_short_fill_spends_no_edge),
		cmocka_unit_test(a_reset_while_filling_ends_it),
		cmocka_unit_test(interrupted_it_is_made_again),
		cmocka_unit_test(a_short_count_out_of_a_pipe_proves_nothing),
		cmocka_unit_test(a_pipe_is_emptied_before_the_close),
		cmocka_unit_test(a_pipe_that_cannot_be_emptied_is_lost),
		cmocka_unit_test(cut_it_is_emptied_too),
		cmocka_unit_test(draining_it_owes_what_is_in_its_pipe),
		cmocka_unit_test(idle_with_a_full_pipe),
		cmocka_unit_test(what_cannot_be_moved_is_read),
		cmocka_unit_test(a_pipe_serves_where_no_buffer_is),
		cmocka_unit_test(the_last_look_is_a_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
