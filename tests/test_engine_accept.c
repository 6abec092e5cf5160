/* Accepting, and when not to. */
#include "script.h"

static const enum echo_outcome shortages[] = { ECHO_NO_DESCRIPTORS, ECHO_NO_MEMORY };

/* ECHO-41: New connections MUST be accepted and served while others flood: all that wait, one each
 * time that the level-triggered listener is announced, without a look for the next one. */
static void each_announcement_is_for_one_connection(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	for (int i = 0; i < 3; i++) {
		s_wait(&s, incoming());
		expect_accept(&s);
		expect_watch(&s, i, done());
		expect_idle(&s);
	}
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_WOULD_BLOCK); /* another thread's, or gone */
	expect_idle(&s);
	expect_open(&s, 3);
	end(&s);
}

/* ECHO-26: A system call that was interrupted MUST be made again, with nothing lost. */
static void what_is_interrupted_on_the_listener_is_made_again(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s.leave_out_rounds = true;
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_INTERRUPTED);
	expect_accept_fails(&s, ECHO_INTERRUPTED);
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, fails(ECHO_INTERRUPTED));
	expect_pause(&s, done());
	at_ms(&s, 100);
	expect_resume(&s, fails(ECHO_INTERRUPTED));
	expect_resume(&s, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-53: Where accept fails because of the connection that it would have returned, accepting MUST
 * go on. */
static void accepting_goes_on_after_one_that_is_gone(void **state)
{
	static const enum echo_outcome passing[] = { ECHO_GONE, ECHO_FAILED };
	struct script s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&s, usual());
		s_wait(&s, incoming());
		expect_accept_fails(&s, passing[i]);
		expect_accept_fails(&s, passing[i]);
		expect_accept(&s);
		expect_watch(&s, 0, done());
		expect_idle(&s);
		end(&s);
	}
}

/*
 * ECHO-53: Where accept fails because of the connection that it would have returned, accepting MUST
 * go on.
 * ECHO-52: … accepting MUST pause without spinning …: where nothing but failures comes, it does.
 */
static void failures_without_end_pause_accepting(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.turn_bytes = config.round_bytes = ECHO_BUDGET_LIMIT;
	begin(&s, config);
	s_wait(&s, incoming());
	for (unsigned i = 0; i < ECHO_ACCEPT_FAILURES_MAX - 1; i++)
		expect_accept_fails(&s, i % 2 ? ECHO_GONE : ECHO_FAILED);
	expect_accept(&s); /* a success between them begins the count anew, */
	expect_watch(&s, 0, done());
	s_wait(&s, incoming());
	for (unsigned i = 0; i < ECHO_ACCEPT_FAILURES_MAX - 1; i++)
		expect_accept_fails(&s, ECHO_GONE);
	expect_accept_fails(&s, ECHO_WOULD_BLOCK); /* and so does an empty backlog */
	s_wait(&s, incoming());
	for (unsigned i = 0; i < ECHO_ACCEPT_FAILURES_MAX; i++)
		expect_accept_fails(&s, ECHO_GONE);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 100);
	at_ms(&s, 100);
	expect_resume(&s, done());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_GONE);
	expect_accept_fails(&s, ECHO_WOULD_BLOCK);
	expect_idle(&s);
	end(&s);
}

/* ECHO-52: Where accept fails for want of descriptors or memory, accepting MUST pause without
 * spinning and resume when a connection closes or after a delay that grows from 100 ms to one
 * second. */
static void the_retry_delay_grows_to_a_second(void **state)
{
	static const int32_t delays_ms[] = { 100, 200, 400, 800, 1000, 1000 };
	struct script s;

	(void)state;
	for (int shortage = 0; shortage < 2; shortage++) {
		begin(&s, usual());
		s_wait(&s, incoming());
		for (int i = 0; i < 6; i++) {
			expect_accept_fails(&s, shortages[shortage]);
			expect_pause(&s, done());
			expect_wait_timeout(&s, delays_ms[i]);
			at_ms(&s, s.now_ms + (uint64_t)delays_ms[i] - 1);
			expect_wait_timeout(&s, 1);
			at_ms(&s, s.now_ms + 1);
			expect_resume(&s, done());
			expect_wait_timeout(&s, -1);
			s_wait(&s, incoming());
		}
		expect_accept(&s);
		expect_watch(&s, 0, done());
		s_wait(&s, incoming());
		expect_accept_fails(&s, shortages[shortage]);
		expect_pause(&s, done());
		expect_wait_timeout(&s, 100); /* a success begins anew */
		end(&s);
	}
}

/* ECHO-52: as above: the delay is one second at most, whatever it begins with. */
static void the_retry_delay_ends_at_its_maximum(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.retry_min_ms = 700;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_MEMORY);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 700);
	at_ms(&s, 700);
	expect_resume(&s, done());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_MEMORY);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 1000);
	end(&s);
}

/* ECHO-52: Where accept fails for want of descriptors or memory, accepting MUST pause … and resume
 * when a connection closes …: the delay goes on growing then, should that not have helped. */
static void accepting_resumes_when_a_connection_closes(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 100);

	at_ms(&s, 10);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(0));
	expect_closed(&s, peer, ECHO_REASON_ENDED);
	expect_resume(&s, done());
	expect_wait_timeout(&s, -1);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	expect_wait_timeout(&s, 200);
	end(&s);
}

/* ECHO-52: as above, where it closes after the failure and before the pause. */
static void a_connection_that_closes_before_the_pause_counts(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.turn_bytes = 1;
	begin(&s, config);
	s.leave_out_rounds = true;
	connect_one(&s);
	s_wait(&s, incoming(), event_for(&s, 0, ECHO_HUP));
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_read(&s, 0, fails(ECHO_GONE));
	expect_pause(&s, fails(ECHO_INTERRUPTED));
	expect_closed(&s, 0, ECHO_REASON_RESET);
	expect_pause(&s, done());
	expect_resume(&s, done());
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-57: Where connections outnumber the descriptors, those accepted MUST be served and the rest
 * MUST wait, and be served when room comes.
 * ECHO-60: A server without traffic MUST use no CPU, in every state that a connection can rest in.
 */
static void full_slots_pause_accepting_until_one_is_free(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 2;
	begin(&s, config);
	connect_one(&s);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, done()); /* at once: nobody is woken in vain */
	expect_watch(&s, 1, done());
	expect_wait_timeout(&s, -1);
	expect_alive(&s, 0);
	expect_alive(&s, 1);

	ready(&s, 0, ECHO_IN | ECHO_RDHUP);
	expect_read(&s, 0, ends());
	expect_unacked(&s, 0, leaves(0));
	expect_closed(&s, 0, ECHO_REASON_ENDED);
	expect_resume(&s, done());
	expect_wait_timeout(&s, -1);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, done());
	expect_watch(&s, 2, done());
	expect_alive(&s, 2);
	end(&s);
}

/* ECHO-52: … accepting MUST pause … and resume …: a pause that fails is tried again when the
 * listener is announced again, and a resumption that fails after a delay. */
static void a_pause_or_resumption_that_fails_is_tried_again(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, fails(ECHO_FAILED));
	expect_wait_timeout(&s, 100);
	s_wait(&s, incoming());
	expect_pause(&s, done());
	expect_wait_timeout(&s, 100);

	at_ms(&s, 100);
	expect_resume(&s, fails(ECHO_NO_MEMORY));
	expect_wait_timeout(&s, 200);
	at_ms(&s, 300);
	expect_resume(&s, fails(ECHO_FAILED));
	expect_wait_timeout(&s, 400);
	at_ms(&s, 700);
	expect_resume(&s, done());
	expect_wait_timeout(&s, -1);
	end(&s);
}

/* ECHO-57: … those accepted MUST be served and the rest MUST wait, and be served when room comes:
 * also where the pause for want of slots failed. */
static void a_pause_for_want_of_slots_that_fails(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 1;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_pause(&s, fails(ECHO_NO_MEMORY));
	expect_watch(&s, 0, done());
	expect_idle(&s);
	s_wait(&s, incoming());
	expect_pause(&s, done());
	expect_wait_timeout(&s, -1);
	ready(&s, 0, ECHO_HUP);
	expect_read(&s, 0, fails(ECHO_GONE));
	expect_closed(&s, 0, ECHO_REASON_RESET);
	expect_resume(&s, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-52: … accepting MUST pause …: a listener that is announced although it was paused is
 * paused again, and accepting waits all the same. */
static void an_event_for_a_paused_listener_pauses_it_again(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	s_wait(&s, incoming());
	expect_pause(&s, done());
	expect_wait_timeout(&s, 100);
	at_ms(&s, 100);
	expect_resume(&s, done());
	expect_idle(&s);
	end(&s);
}

/* ECHO-56: Only a broken listener or epoll instance MUST end the process, with a message and exit
 * status 1. */
static void a_broken_listener_ends_the_server(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	connect_one(&s);
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_BROKEN);
	expect_stopped(&s, ECHO_DEFUNCT);
	end(&s);

	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, fails(ECHO_BROKEN));
	expect_stopped(&s, ECHO_DEFUNCT);
	end(&s);

	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_NO_DESCRIPTORS);
	expect_pause(&s, done());
	at_ms(&s, 100);
	expect_resume(&s, fails(ECHO_BROKEN));
	expect_stopped(&s, ECHO_DEFUNCT);
	end(&s);
}

/* ECHO-56: Only a broken listener or epoll instance MUST end the process …: whatever else a wait
 * says is no reason. */
static void a_broken_instance_ends_the_server(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	for (int outcome = ECHO_END; outcome <= ECHO_NO_MEMORY; outcome++) {
		wait_fails(&s, (enum echo_outcome)outcome);
		expect_idle(&s);
	}
	wait_fails(&s, ECHO_BROKEN);
	expect_stopped(&s, ECHO_DEFUNCT);
	end(&s);

	begin(&s, usual());
	wait_fails(&s, ECHO_FAILED);
	expect_stopped(&s, ECHO_DEFUNCT);
	end(&s);
}

/* ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given: an
 * accept that says "end" says that there is none. */
static void an_accept_that_says_end(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	s_wait(&s, incoming());
	expect_accept_fails(&s, ECHO_END);
	expect_wait_timeout(&s, -1);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_announcement_is_for_one_connection),
		cmocka_unit_test(what_is_interrupted_on_the_listener_is_made_again),
		cmocka_unit_test(accepting_goes_on_after_one_that_is_gone),
		cmocka_unit_test(failures_without_end_pause_accepting),
		cmocka_unit_test(the_retry_delay_grows_to_a_second),
		cmocka_unit_test(the_retry_delay_ends_at_its_maximum),
		cmocka_unit_test(accepting_resumes_when_a_connection_closes),
		cmocka_unit_test(a_connection_that_closes_before_the_pause_counts),
		cmocka_unit_test(full_slots_pause_accepting_until_one_is_free),
		cmocka_unit_test(a_pause_or_resumption_that_fails_is_tried_again),
		cmocka_unit_test(a_pause_for_want_of_slots_that_fails),
		cmocka_unit_test(an_event_for_a_paused_listener_pauses_it_again),
		cmocka_unit_test(a_broken_listener_ends_the_server),
		cmocka_unit_test(a_broken_instance_ends_the_server),
		cmocka_unit_test(an_accept_that_says_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
