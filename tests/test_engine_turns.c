/* Who an event reaches, and who is served next. */
#include "script.h"

/* An echo of a full buffer costs exactly this: a read and a write. */
#define ECHO_COST (2 * (ECHO_CALL_COST + 8))

#define TRAFFIC (ECHO_IN | ECHO_OUT)

static void close_by_reset(struct script *s, int peer)
{
	ready(s, peer, ECHO_HUP | ECHO_ERR);
	expect_read(s, peer, fails(ECHO_GONE));
	expect_closed(s, peer, ECHO_REASON_RESET);
}

static int connect_as(struct script *s, int32_t handle)
{
	int peer;

	s_wait(s, incoming());
	peer = expect_accept_as(s, handle);
	expect_watch(s, peer, done());
	return peer;
}

/* ECHO-58: An event MUST reach only the connection that it was meant for, however fast slots and
 * descriptors are used again. */
static void an_event_for_a_former_owner_misses(void **state)
{
	struct script s;
	int former, latter;

	(void)state;
	begin(&s, usual());
	former = connect_as(&s, 7);
	close_by_reset(&s, former);
	ready(&s, former, TRAFFIC);
	expect_idle(&s);

	latter = connect_as(&s, 7);
	assert_int_equal((uint32_t)s.connections[former].token,
			 (uint32_t)s.connections[latter].token);
	ready(&s, former, TRAFFIC | ECHO_HUP);
	expect_idle(&s);
	expect_alive(&s, latter);
	end(&s);
}

/* ECHO-58: as above, where the event is left over in the batch that the new one is in. */
static void an_event_that_is_left_over_misses(void **state)
{
	struct script s;
	int former, latter;

	(void)state;
	begin(&s, usual());
	former = connect_as(&s, 7);
	close_by_reset(&s, former);
	latter = connect_as(&s, 7);
	s_wait(&s, event_for(&s, former, ECHO_HUP | ECHO_ERR), event_for(&s, latter, TRAFFIC),
	       event_for(&s, former, ECHO_RDHUP));
	echoes(&s, latter, "hello");
	expect_idle(&s); /* as no end was announced, a short read ends the edge */
	end(&s);
}

/* ECHO-58: as above, for tokens that never named a connection. */
static void a_token_that_names_nobody_is_ignored(void **state)
{
	struct script s;
	uint64_t token;
	int peer;

	(void)state;
	begin(&s, usual());
	s_wait(&s, (struct echo_event){ 0, TRAFFIC });
	peer = connect_one(&s);
	token = s.connections[peer].token;
	s_wait(&s, (struct echo_event){ token + 1, TRAFFIC },
	       (struct echo_event){ token + 1000, TRAFFIC },
	       (struct echo_event){ token + (UINT64_C(1) << 32), TRAFFIC },
	       (struct echo_event){ token - (UINT64_C(1) << 32), TRAFFIC },
	       (struct echo_event){ token | UINT32_MAX, TRAFFIC },
	       (struct echo_event){ token | (UINT32_MAX - 1), TRAFFIC },
	       (struct echo_event){ UINT32_MAX - 1, TRAFFIC },
	       (struct echo_event){ UINT64_MAX, TRAFFIC });
	expect_idle(&s);
	expect_alive(&s, peer);
	end(&s);
}

/* ECHO-58: An event MUST reach only the connection that it was meant for, however fast slots and
 * descriptors are used again: two generations are told apart by one bit, and come round. */
static void generations_wrap_around(void **state)
{
	struct echo_config config = usual();
	struct script s;
	int peer = -1;

	(void)state;
	config.generation_bits = 1;
	begin(&s, config);
	for (int i = 0; i < 5; i++) {
		int former = peer;

		peer = connect_as(&s, 7);
		assert_int_equal(s.connections[peer].token >> 32, (i + 1) % 2);
		if (former >= 0) {
			ready(&s, former, TRAFFIC);
			expect_idle(&s);
		}
		close_by_reset(&s, peer);
	}
	end(&s);
}

/* ECHO-58: as above: with all the bits there are, a generation comes back after 2^32 others. */
static void generations_differ_for_long(void **state)
{
	struct script s;

	(void)state;
	begin(&s, usual());
	for (uint32_t i = 1; i <= 100; i++) {
		int peer = connect_as(&s, 7);

		assert_int_equal(s.connections[peer].token >> 32, i);
		close_by_reset(&s, peer);
	}
	end(&s);
}

/* ECHO-25: One wait MUST take at most a fixed number of events. */
static void a_wait_takes_so_many_events(void **state)
{
	static const uint32_t limits[] = { 1, 3, ECHO_EVENTS_LIMIT };
	struct script s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct echo_config config = usual();

		config.events_max = limits[i];
		begin(&s, config);
		assert_int_equal(script_next(&s).events_max, limits[i]);
		connect_one(&s);
		assert_int_equal(script_next(&s).events_max, limits[i]);
		end(&s);
	}
}

/* However the budgets divide the work, the new connection is watched. */
static void settle_down(struct script *s, int peer)
{
	for (;;) {
		struct echo_action action = script_next(s);

		if (action.op == ECHO_OP_WATCH)
			expect_watch(s, peer, done());
		else if (action.timeout_ms == 0)
			at_ms(s, 0);
		else
			return;
	}
}

static void connect_three(struct script *s, uint32_t turn_bytes, uint32_t round_bytes)
{
	struct echo_config config = usual();

	config.turn_bytes = turn_bytes;
	config.round_bytes = round_bytes;
	begin(s, config);
	for (int i = 0; i < 3; i++) {
		s_wait(s, incoming());
		settle_down(s, expect_accept(s));
	}
}

/*
 * ECHO-43: Each turn MUST be bounded by a byte budget …
 * ECHO-40: A flooding peer MUST NOT starve another.
 */
static void floods_take_turns(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, ECHO_COST, 1 << 20);
	s.leave_out_rounds = true;
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC), event_for(&s, 2, TRAFFIC));
	for (int turn = 0; turn < 4; turn++)
		for (int peer = 0; peer < 3; peer++)
			echoes(&s, peer, "12345678");
	end(&s);
}

/* ECHO-43: as above: a turn is over when its budget is used up, and not before. */
static void a_turn_ends_with_its_budget(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, ECHO_COST + 1, 1 << 20);
	s.leave_out_rounds = true;
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC));
	echoes(&s, 0, "12345678");
	expect_read(&s, 0, returns("12345678"));
	echoes(&s, 1, "12345678");
	expect_read(&s, 1, returns("12345678"));
	expect_write(&s, 0, "12345678", took(8));
	expect_read(&s, 0, returns("12345678"));
	expect_write(&s, 0, "12345678", took(8));
	expect_write(&s, 1, "12345678", took(8));
	end(&s);
}

/* ECHO-43: as above: calls that transfer nothing cost as well, or a turn of them had no bound. */
static void calls_without_bytes_use_up_a_turn(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, 2 * ECHO_CALL_COST, 1 << 20);
	s.leave_out_rounds = true;
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC));
	expect_read(&s, 0, fails(ECHO_INTERRUPTED));
	expect_read(&s, 0, fails(ECHO_INTERRUPTED));
	expect_read(&s, 1, fails(ECHO_INTERRUPTED));
	expect_read(&s, 1, fails(ECHO_INTERRUPTED));
	expect_read(&s, 0, fails(ECHO_INTERRUPTED));
	end(&s);
}

/* A turn of eight echoes, of which two are little. */
#define LITTLE 2
#define TURN   (8 * ECHO_COST)

/* Ends with would-block, so that no work is left. */
static void echoes_and_drains(struct script *s, int peer, int count)
{
	for (int i = 0; i < count; i++)
		echoes(s, peer, "12345678");
	expect_read(s, peer, fails(ECHO_WOULD_BLOCK));
}

/* Takes one peer to where it counts as bulk, and is in the middle of a turn and of an echo. */
static void flood(struct script *s, int peer)
{
	ready(s, peer, TRAFFIC);
	for (int i = 0; i < 8; i++)
		echoes(s, peer, "12345678");
	expect_read(s, peer, returns("12345678"));
	expect_busy(s);
}

/* ECHO-43: … connections that took little in their last turns MUST be served before those that took
 * much, without starving these. */
static void sparse_ones_go_before_bulk(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, TURN, 1 << 20);
	flood(&s, 0);
	ready(&s, 1, TRAFFIC); /* comes last, and is served first */
	echoes_and_drains(&s, 1, 1);
	expect_write(&s, 0, "12345678", took(8));
	end(&s);
}

/* ECHO-43: as above: whoever is always quick to come back does not starve the others: these have a
 * turn after each turn's worth that the quick ones take. */
static void a_quick_one_does_not_starve_bulk(void **state)
{
	int served = 0, quick = 0, between = 0;
	struct script s;

	(void)state;
	connect_three(&s, TURN, 2 * ECHO_COST);
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 2, TRAFFIC));
	for (int round = 0; round < 400; round++) {
		while (script_next(&s).op != ECHO_OP_WAIT) {
			bool bulk = script_next(&s).handle != s.connections[1].handle;
			int peer = script_next(&s).handle == s.connections[0].handle ? 0
				   : bulk                                            ? 2
										     : 1;

			served += bulk;
			quick += !bulk;
			between = bulk ? 0 : between + 1;
			assert_in_range(between, 0, 2 * (8 + LITTLE));
			if (script_next(&s).op == ECHO_OP_READ)
				expect_read(&s, peer, returns(bulk ? "12345678" : "1"));
			else
				expect_op(&s, peer, ECHO_OP_WRITE, took(bulk ? 8 : 1));
		}
		ready(&s, 1, TRAFFIC);
	}
	assert_true(served >= 300);
	assert_true(quick >= 300);
	end(&s);
}

/* ECHO-44: The work between two waits MUST be bounded, and those that take much MUST have one call in
 * it at most. */
static void a_wait_comes_after_each_call_of_a_bulk_one(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, TURN, 1 << 20);
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC));
	for (int i = 0; i < 16; i++)
		echoes(&s, i / 8, "12345678"); /* nobody has shown yet what it is */
	for (int call = 0; call < 21; call++) {
		if (call > 0)
			at_ms(&s, 0);
		if (call % 2 == 0)
			expect_read(&s, call / 16, returns("12345678"));
		else
			expect_write(&s, call / 16, "12345678", took(8));
		expect_busy(&s);
	}
	ready(&s, 2, TRAFFIC);
	echoes_and_drains(&s, 2, 1);
	expect_write(&s, 1, "12345678", took(8));
	expect_busy(&s);
	end(&s);
}

/* ECHO-44: … but for a write of what was peeked: the scratch buffer is for whoever comes next. */
static void what_a_bulk_one_has_peeked_is_written_before_the_wait(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.buffers_max = 0;
	config.turn_bytes = ECHO_COST;
	begin(&s, config);
	connect_one(&s);
	ready(&s, 0, TRAFFIC);
	s.leave_out_rounds = true;
	expect_peek(&s, 0, returns("12345678"));
	expect_write(&s, 0, "12345678", took(8));
	expect_consume(&s, 0, 8, took(8));
	s.leave_out_rounds = false;
	at_ms(&s, 0);
	expect_peek(&s, 0, returns("12345678"));
	expect_write(&s, 0, "12345678", took(8));
	expect_busy(&s);
	end(&s);
}

/* ECHO-45: A connection that takes much before it drains MUST NOT go before those that take
 * little … */
static void a_flood_that_drains_is_bulk(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, TURN, 1 << 20);
	s.leave_out_rounds = true;
	ready(&s, 0, TRAFFIC);
	echoes_and_drains(&s, 0, LITTLE + 1);
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC), event_for(&s, 2, TRAFFIC));
	echoes_and_drains(&s, 1, 1);
	echoes_and_drains(&s, 2, LITTLE - 1);
	echoes_and_drains(&s, 0, LITTLE + 1);
	expect_idle(&s);
	end(&s);
}

/* ECHO-45: as above, in as many turns as it likes. */
static void a_flood_that_ends_with_little_is_bulk(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, TURN, 1 << 20);
	s.leave_out_rounds = true;
	ready(&s, 0, TRAFFIC);
	echoes_and_drains(&s, 0, 8 + 1);
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC));
	echoes_and_drains(&s, 1, 1);
	echoes_and_drains(&s, 0, 1);
	expect_idle(&s);
	end(&s);
}

/* ECHO-45: … it MUST be one of these again after four turns in a row in which it took little. */
static void four_turns_of_little_make_it_sparse(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, TURN, 1 << 20);
	s.leave_out_rounds = true;
	for (int little = 0; little <= 4; little++) {
		ready(&s, 0, TRAFFIC);
		echoes_and_drains(&s, 0, LITTLE + 1);
		for (int i = 0; i < little; i++) {
			ready(&s, 0, TRAFFIC);
			echoes_and_drains(&s, 0, LITTLE - 1);
		}
		s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC));
		echoes_and_drains(&s, little == 4 ? 0 : 1, 1);
		echoes_and_drains(&s, little == 4 ? 1 : 0, 1);
		expect_idle(&s);
	}
	end(&s);
}

/* ECHO-44: The work between two waits MUST be bounded. */
static void a_round_ends_with_its_budget(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, 1 << 16, 2 * ECHO_COST);
	ready(&s, 0, TRAFFIC);
	for (int round = 0; round < 5; round++) {
		echoes(&s, 0, "12345678");
		echoes(&s, 0, "12345678");
		expect_busy(&s);
		at_ms(&s, 0);
	}
	expect_read(&s, 0, fails(ECHO_WOULD_BLOCK));
	expect_idle(&s);
	end(&s);
}

/* ECHO-44: as above: every call counts, whoever makes it. */
static void accepts_are_bounded_by_the_round(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.round_bytes = ECHO_ACCEPT_COST;
	begin(&s, config);
	s_wait(&s, incoming());
	expect_accept(&s);
	expect_busy(&s);
	at_ms(&s, 0);
	expect_watch(&s, 0, done());
	expect_idle(&s);
	end(&s);
}

/*
 * ECHO-41: New connections MUST be accepted and served while others flood.
 * ECHO-40: A flooding peer MUST NOT starve another.
 */
static void the_listener_takes_its_turn_among_floods(void **state)
{
	struct script s;

	(void)state;
	connect_three(&s, ECHO_COST, 4 * ECHO_COST);
	s.leave_out_rounds = true;
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC), incoming());
	echoes(&s, 0, "12345678");
	echoes(&s, 1, "12345678");
	expect_accept(&s);
	expect_watch(&s, 3, done());
	echoes(&s, 0, "12345678");
	echoes(&s, 1, "12345678");
	expect_pause(&s, done()); /* all slots are taken */
	end(&s);
}

/* ECHO-42: Traffic MUST go on while connections come in a storm. */
static void traffic_goes_on_among_accepts(void **state)
{
	struct echo_config config = usual();
	struct script s;

	(void)state;
	config.connections_max = 100;
	begin(&s, config);
	connect_one(&s);
	for (int round = 1; round <= 10; round++) {
		s_wait(&s, incoming(), event_for(&s, 0, TRAFFIC));
		expect_accept(&s);
		echoes(&s, 0, "hello");
		expect_watch(&s, round, done());
		expect_idle(&s);
	}
	end(&s);
}

/* ECHO-40: A flooding peer MUST NOT starve another: everybody who has work is served again within
 * as many turns as there are connections. */
static void nobody_waits_for_more_than_a_turn_of_each(void **state)
{
	struct script s;
	int last[3] = { 0, 0, 0 };

	(void)state;
	connect_three(&s, ECHO_COST, ECHO_COST + ECHO_CALL_COST);
	s.leave_out_rounds = true;
	s_wait(&s, event_for(&s, 0, TRAFFIC), event_for(&s, 1, TRAFFIC), event_for(&s, 2, TRAFFIC));
	for (int turn = 1; turn <= 30; turn++) {
		int peer = turn == 1 ? 0 : (turn - 1) % 3;

		echoes(&s, peer, "12345678");
		last[peer] = turn;
		for (int other = 0; other < 3; other++)
			assert_true(turn < 3 || turn - last[other] < 3);
	}
	end(&s);
}

/* ECHO-43: Each turn MUST be bounded by a byte budget: by bytes that move, and an answer about
 * bytes moves none. */
static void an_answer_about_bytes_costs_no_bytes(void **state)
{
	struct script s;
	int peer;

	(void)state;
	begin(&s, usual());
	peer = connect_one(&s);
	ready(&s, peer, ECHO_IN | ECHO_OUT | ECHO_RDHUP);
	expect_read(&s, peer, ends());
	expect_unacked(&s, peer, leaves(1u << 30));
	expect_shutdown(&s, peer, done());
	expect_idle(&s);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_for_a_former_owner_misses),
		cmocka_unit_test(an_event_that_is_left_over_misses),
		cmocka_unit_test(a_token_that_names_nobody_is_ignored),
		cmocka_unit_test(generations_wrap_around),
		cmocka_unit_test(generations_differ_for_long),
		cmocka_unit_test(a_wait_takes_so_many_events),
		cmocka_unit_test(floods_take_turns),
		cmocka_unit_test(a_turn_ends_with_its_budget),
		cmocka_unit_test(calls_without_bytes_use_up_a_turn),
		cmocka_unit_test(sparse_ones_go_before_bulk),
		cmocka_unit_test(a_wait_comes_after_each_call_of_a_bulk_one),
		cmocka_unit_test(what_a_bulk_one_has_peeked_is_written_before_the_wait),
		cmocka_unit_test(a_quick_one_does_not_starve_bulk),
		cmocka_unit_test(a_flood_that_drains_is_bulk),
		cmocka_unit_test(a_flood_that_ends_with_little_is_bulk),
		cmocka_unit_test(four_turns_of_little_make_it_sparse),
		cmocka_unit_test(a_round_ends_with_its_budget),
		cmocka_unit_test(accepts_are_bounded_by_the_round),
		cmocka_unit_test(the_listener_takes_its_turn_among_floods),
		cmocka_unit_test(traffic_goes_on_among_accepts),
		cmocka_unit_test(nobody_waits_for_more_than_a_turn_of_each),
		cmocka_unit_test(an_answer_about_bytes_costs_no_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
