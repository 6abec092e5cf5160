/* Every state that a connection can be in, and everything that can happen to it there. */
#include <string.h>

#include "script.h"

/* A place is a state and the action that is due in it. */
struct place {
	const char *name;
	enum echo_op op;
	uint32_t buffers;
	int (*reach)(struct script *s); /* from the engine's start to the action */
};

/* Two connections: at the idle timeout of the first, the second has half of its time left. */
static int connect_two(struct script *s)
{
	int peer = connect_one(s);

	at_ms(s, 500);
	connect_one(s);
	return peer;
}

static const int bystander = 1;

static int reach_opening(struct script *s)
{
	int peer;

	at_ms(s, 500);
	peer = connect_two(s);
	s_wait(s, incoming());
	peer = expect_accept(s);
	return peer;
}

static int reach_receiving(struct script *s)
{
	int peer = connect_two(s);

	ready(s, peer, ECHO_IN | ECHO_OUT);
	return peer;
}

static int reach_sending(struct script *s)
{
	int peer = reach_receiving(s);

	expect_read(s, peer, returns("hello"));
	return peer;
}

static int reach_sending_rest(struct script *s)
{
	int peer = reach_sending(s);

	expect_write(s, peer, "hello", took(1));
	ready(s, peer, ECHO_OUT);
	return peer;
}

static int reach_peeked(struct script *s)
{
	int peer = reach_receiving(s);

	expect_peek(s, peer, returns("hello"));
	return peer;
}

static int reach_consuming(struct script *s)
{
	int peer = reach_peeked(s);

	expect_write(s, peer, "hello", took(3));
	return peer;
}

static int reach_ended(struct script *s)
{
	int peer = connect_two(s);

	ready(s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(s, peer, ends());
	return peer;
}

static int reach_finishing(struct script *s)
{
	int peer = reach_ended(s);

	expect_unacked(s, peer, leaves(5));
	return peer;
}

static int reach_last_ack(struct script *s)
{
	int peer = reach_finishing(s);

	expect_shutdown(s, peer, done());
	ready(s, peer, ECHO_OUT);
	return peer;
}

static int reach_parting(struct script *s)
{
	int peer = connect_two(s);

	at_ms(s, 1000);
	expect_unacked(s, peer, leaves(0));
	expect_read(s, peer, fails(ECHO_WOULD_BLOCK));
	return peer;
}

static int reach_lingering(struct script *s)
{
	int peer = reach_parting(s);

	expect_shutdown(s, peer, done());
	ready(s, peer, ECHO_IN);
	return peer;
}

static const struct place places[] = {
	{ "opening", ECHO_OP_WATCH, 4, reach_opening },
	{ "receiving", ECHO_OP_READ, 4, reach_receiving },
	{ "receiving without a buffer", ECHO_OP_PEEK, 0, reach_receiving },
	{ "sending", ECHO_OP_WRITE, 4, reach_sending },
	{ "sending the rest", ECHO_OP_WRITE, 4, reach_sending_rest },
	{ "peeked", ECHO_OP_WRITE, 0, reach_peeked },
	{ "consuming", ECHO_OP_CONSUME, 0, reach_consuming },
	{ "ended", ECHO_OP_UNACKED, 4, reach_ended },
	{ "finishing", ECHO_OP_SHUTDOWN, 4, reach_finishing },
	{ "last-ack", ECHO_OP_UNACKED, 4, reach_last_ack },
	{ "parting", ECHO_OP_SHUTDOWN, 4, reach_parting },
	{ "lingering", ECHO_OP_DISCARD, 4, reach_lingering },
};

#define PLACES ((int)(sizeof(places) / sizeof(*places)))

static struct echo_config config_for(const struct place *place)
{
	struct echo_config config = usual();

	config.buffers_max = place->buffers;
	config.idle_ms = 1000;
	return config;
}

static int go_to(struct script *s, const struct place *place)
{
	begin(s, config_for(place));
	about(s, place->name);
	return place->reach(s);
}

/* The connection is closed, and that is all that happens. */
static void expect_closed_alone(struct script *s, int peer, enum echo_reason reason)
{
	uint32_t open = echo_connections(s->engine);

	expect_closed(s, peer, reason);
	expect_idle(s);
	expect_open(s, open - 1);
	expect_buffers(s, 0);
	expect_alive(s, bystander);
}

static bool moves_bytes(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_WRITE ||
	       op == ECHO_OP_CONSUME || op == ECHO_OP_DISCARD;
}

/*
 * ECHO-50: A reset of one connection MUST NOT disturb another.
 * ECHO-55: Any error of a call on a connection MUST end that connection at most.
 */
static void an_error_ends_its_connection_only(void **state)
{
	static const enum echo_outcome errors[] = {
		ECHO_GONE, ECHO_NO_DESCRIPTORS, ECHO_NO_MEMORY, ECHO_BROKEN, ECHO_FAILED,
	};
	struct script s;

	(void)state;
	for (int at = 0; at < PLACES; at++) {
		for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
			int peer = go_to(&s, &places[at]);

			if (errors[i] == ECHO_NO_MEMORY && moves_bytes(places[at].op)) {
				end(&s);
				continue;
			}
			expect_op(&s, peer, places[at].op, fails(errors[i]));
			expect_closed_alone(&s, peer,
					    places[at].op == ECHO_OP_WATCH ? ECHO_REASON_UNWATCHED
					    : errors[i] == ECHO_GONE       ? ECHO_REASON_RESET
									   : ECHO_REASON_FAILED);
			end(&s);
		}
	}
}

/* ECHO-54: Where a connection cannot be registered, that connection MUST be closed and no other. */
static void whatever_keeps_a_connection_from_being_watched(void **state)
{
	struct script s;

	(void)state;
	for (int outcome = ECHO_END; outcome <= ECHO_FAILED; outcome++) {
		int peer = go_to(&s, &places[0]);

		if (outcome == ECHO_INTERRUPTED) {
			end(&s);
			continue;
		}
		expect_watch(&s, peer, fails((enum echo_outcome)outcome));
		expect_closed_alone(&s, peer, ECHO_REASON_UNWATCHED);
		end(&s);
	}
}

static bool may_end_or_block(enum echo_op op)
{
	return op == ECHO_OP_READ || op == ECHO_OP_PEEK || op == ECHO_OP_DISCARD;
}

/* ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given: an
 * outcome that the call cannot have ends the connection, as an error that is not understood. */
static void an_outcome_that_makes_no_sense_is_a_failure(void **state)
{
	struct script s;

	(void)state;
	for (int at = 1; at < PLACES; at++) {
		bool waits = places[at].op == ECHO_OP_WRITE || places[at].op == ECHO_OP_CONSUME;
		int peer;

		if (may_end_or_block(places[at].op))
			continue;
		peer = go_to(&s, &places[at]);
		expect_op(&s, peer, places[at].op, fails(ECHO_END));
		expect_closed_alone(&s, peer, ECHO_REASON_FAILED);
		end(&s);
		if (waits)
			continue;
		peer = go_to(&s, &places[at]);
		expect_op(&s, peer, places[at].op, fails(ECHO_WOULD_BLOCK));
		expect_closed_alone(&s, peer, ECHO_REASON_FAILED);
		end(&s);
	}
}

/* The action is asked for again, the very same, each time that this comes of it. */
static void expect_again(struct script *s, int peer, enum echo_op op, enum echo_outcome outcome)
{
	char before[SCRIPT_TEXT_SIZE], after[SCRIPT_TEXT_SIZE];

	for (int times = 0; times < 3; times++) {
		struct echo_action action = script_next(s);

		script_describe(s, &action, before);
		expect_op(s, peer, op, fails(outcome));
		action = script_next(s);
		script_describe(s, &action, after);
		assert_string_equal(before, after);
	}
}

/* ECHO-26: A system call that was interrupted MUST be made again, with nothing lost. What was
 * peeked goes back to the socket: see test_engine_peek.c. */
static void an_interrupted_call_is_made_again(void **state)
{
	struct script s;

	(void)state;
	for (int at = 0; at < PLACES; at++) {
		int peer = go_to(&s, &places[at]);

		if (strcmp(places[at].name, "peeked") != 0)
			expect_again(&s, peer, places[at].op, ECHO_INTERRUPTED);
		end(&s);
	}
}

/* ECHO-55: Any error of a call on a connection MUST end that connection at most: a transfer for
 * which the kernel has no memory now has lost nothing, and is tried again. */
static void a_transfer_without_memory_is_made_again(void **state)
{
	struct script s;

	(void)state;
	for (int at = 0; at < PLACES; at++) {
		int peer = go_to(&s, &places[at]);

		if (strcmp(places[at].name, "peeked") == 0) {
			expect_write(&s, peer, "hello", fails(ECHO_NO_MEMORY));
			expect_peek(&s, peer, returns("hello"));
			expect_write(&s, peer, "hello", fails(ECHO_WOULD_BLOCK));
		} else if (moves_bytes(places[at].op)) {
			expect_again(&s, peer, places[at].op, ECHO_NO_MEMORY);
		}
		end(&s);
	}
}

/* ECHO-16: When a connection has ended, its descriptor MUST be released: after close(2) it is,
 * whatever close(2) says. */
static void whatever_comes_of_a_close_it_is_over(void **state)
{
	struct script s;

	(void)state;
	for (int outcome = ECHO_DONE; outcome <= ECHO_FAILED; outcome++) {
		int peer = go_to(&s, &places[1]);

		expect_read(&s, peer, fails(ECHO_GONE));
		expect_op(&s, peer, ECHO_OP_CLOSE, fails((enum echo_outcome)outcome));
		expect_idle(&s);
		expect_open(&s, 1);
		expect_alive(&s, bystander);
		end(&s);
	}
}

/* ECHO-58: An event MUST reach only the connection that it was meant for: one that is about to be
 * closed is beyond its events. */
static void events_do_not_save_what_is_to_be_closed(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer;

	(void)state;
	config.round_bytes = 1;
	begin(&s, config);
	s.leave_out_rounds = true;
	peer = connect_one(&s);
	ready(&s, peer, ECHO_HUP | ECHO_ERR);
	expect_read(&s, peer, fails(ECHO_GONE));
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_HUP);
	expect_closed(&s, peer, ECHO_REASON_RESET);
	expect_idle(&s);
	end(&s);
}

/* Each connection is closed as cut, and the listener is closed, once each, and nothing else. */
static void expect_all_cut(struct script *s)
{
	int closed = 0, unlistened = 0;

	for (;;) {
		struct echo_action action = script_next(s);
		struct echo_result result = { .outcome = ECHO_DONE };

		if (action.op == ECHO_OP_NONE)
			break;
		closed += action.op == ECHO_OP_CLOSE && action.reason == ECHO_REASON_CUT;
		unlistened += action.op == ECHO_OP_UNLISTEN;
		assert_true(action.op == ECHO_OP_CLOSE || action.op == ECHO_OP_UNLISTEN ||
			    (action.op == ECHO_OP_WAIT && action.timeout_ms == 0));
		script_complete(s, &action, &result);
	}
	assert_int_equal(closed, s->connected);
	assert_int_equal(unlistened, 1);
}

/*
 * ECHO-82: Only connections that are still open after the drain timeout MUST be cut off.
 * ECHO-104: After the server's shutdown, every connection and buffer MUST be released.
 */
static void every_state_can_be_cut(void **state)
{
	struct script s;

	(void)state;
	for (int at = 0; at < PLACES; at++) {
		struct echo_config config = config_for(&places[at]);
		int peer;

		/* No wait comes between a peek and its write. Who lingers has a deadline of its
		 * own: see test_engine_drain.c. */
		if (strcmp(places[at].name, "peeked") == 0 ||
		    strcmp(places[at].name, "lingering") == 0)
			continue;
		config.round_bytes = 1;
		config.drain_ms = 0;
		begin(&s, config);
		about(&s, places[at].name);
		s.leave_out_rounds = true;
		peer = places[at].reach(&s);
		if (script_next(&s).op != ECHO_OP_WAIT) /* uses up the round, and no more */
			expect_op(&s, peer, places[at].op, fails(ECHO_INTERRUPTED));
		request(&s, ECHO_REQUEST_STOP);
		expect_all_cut(&s);
		expect_stopped(&s, ECHO_STOPPED);
		expect_open(&s, 0);
		expect_buffers(&s, 0);
		end(&s);
	}
}

/*
 * ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given:
 * here any outcome in any state, followed by any other.
 * ECHO-50: A reset of one connection MUST NOT disturb another.
 */
static void any_two_outcomes_anywhere(void **state)
{
	struct script s;

	(void)state;
	for (int at = 0; at < PLACES; at++) {
		for (int pair = 0; pair < ECHO_FAILED * ECHO_FAILED; pair++) {
			struct answer answers[2] = {
				{ .outcome = (enum echo_outcome)(1 + pair % ECHO_FAILED) },
				{ .outcome = (enum echo_outcome)(1 + pair / ECHO_FAILED) },
			};

			go_to(&s, &places[at]);
			for (int i = 0; i < 2; i++) {
				struct echo_action action = script_next(&s);

				answers[i].count = action.length > 0;
				if (action.op != ECHO_OP_WAIT)
					expect_op(&s, 0 + (at == 0) * 2, action.op, answers[i]);
			}
			while (script_next(&s).op == ECHO_OP_WRITE)
				expect_op(&s, 0, ECHO_OP_WRITE, fails(ECHO_WOULD_BLOCK));
			end(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_ends_its_connection_only),
		cmocka_unit_test(whatever_keeps_a_connection_from_being_watched),
		cmocka_unit_test(an_outcome_that_makes_no_sense_is_a_failure),
		cmocka_unit_test(an_interrupted_call_is_made_again),
		cmocka_unit_test(a_transfer_without_memory_is_made_again),
		cmocka_unit_test(whatever_comes_of_a_close_it_is_over),
		cmocka_unit_test(events_do_not_save_what_is_to_be_closed),
		cmocka_unit_test(every_state_can_be_cut),
		cmocka_unit_test(any_two_outcomes_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
