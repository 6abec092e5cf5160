/*
 * The invariant is what every other test leans on, so it has to be seen to fail: each fact is
 * broken here, inside the engine, and found by its name.
 */
#include <stdlib.h>

#include "script.h"
#include "core/engine.h"

/* Three slots: 0 owes bytes, 1 is at rest, 2 was used and is free. */
static struct echo_engine *begin_in_the_middle(struct script *s)
{
	struct echo_config config = usual();

	config.idle_ms = 1000;
	begin(s, config);
	for (int i = 0; i < 3; i++)
		connect_one(s);
	ready(s, 0, ECHO_IN | ECHO_OUT);
	expect_read(s, 0, returns("hello"));
	expect_write(s, 0, "hello", took(2));
	ready(s, 2, ECHO_HUP);
	expect_read(s, 2, fails(ECHO_GONE));
	expect_closed(s, 2, ECHO_REASON_RESET);
	expect_idle(s);
	return s->engine;
}

/* The same engine with work for two: 1 is about to read, and 0 to write after it. */
static struct echo_engine *begin_at_work(struct script *s)
{
	struct echo_engine *e = begin_in_the_middle(s);

	e->config.round_bytes = 1;
	ready(s, 1, ECHO_IN | ECHO_OUT);
	expect_read(s, 1, fails(ECHO_INTERRUPTED));
	ready(s, 0, ECHO_OUT);
	return e;
}

static struct echo_engine *begin_without_connections(struct script *s)
{
	begin(s, usual());
	return s->engine;
}

/* Each fact is broken in an engine of its own, which then is of no further use. */
#define BREAKS(start, fact, ...) \
	do { \
		struct script s; \
		struct echo_engine *e = start(&s); \
		const char *broken; \
\
		assert_null(echo_invariant(e)); \
		__VA_ARGS__; \
		broken = echo_invariant(e); \
		assert_non_null(broken); \
		assert_string_equal(broken, fact); \
		free(s.memory); \
	} while (0)

/* ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given: the
 * facts about one connection. */
static void what_holds_for_a_connection(void **state)
{
	(void)state;
	BREAKS(begin_in_the_middle, "state-exists", conn_at(e, 1)->state = CONN_NONE);
	BREAKS(begin_in_the_middle, "state-exists", conn_at(e, 1)->state = CONN_STATE_COUNT);
	BREAKS(begin_in_the_middle, "owed-in-buffer", conn_at(e, 0)->end = 9);
	BREAKS(begin_in_the_middle, "owed-in-buffer", conn_at(e, 0)->start = 6);
	BREAKS(begin_in_the_middle, "owed-while-sending", conn_at(e, 0)->start = 5);
	BREAKS(begin_in_the_middle, "owed-while-sending", conn_at(e, 1)->end = 1);
	BREAKS(begin_in_the_middle, "buffer-while-sending", conn_at(e, 0)->buffer = NONE);
	BREAKS(begin_in_the_middle, "buffer-while-sending", conn_at(e, 1)->buffer = 0);
	BREAKS(begin_in_the_middle, "buffer-exists", conn_at(e, 0)->buffer = 3);
	BREAKS(begin_in_the_middle, "peeked-is-sent-at-once", conn_at(e, 0)->state = CONN_PEEKED,
	       conn_at(e, 0)->buffer = NONE);
	BREAKS(begin_in_the_middle, "peeked-is-sent-at-once", conn_at(e, 0)->state = CONN_PEEKED,
	       conn_at(e, 0)->buffer = NONE, e->id = 0);
	BREAKS(begin_in_the_middle, "ending-while-receiving", conn_at(e, 0)->ending = true);
	BREAKS(begin_in_the_middle, "work-is-queued", conn_at(e, 0)->latched = ECHO_OUT);
	BREAKS(begin_in_the_middle, "free-is-not-queued", conn_at(e, 2)->flow.queue = QUEUE_BULK);
	BREAKS(begin_in_the_middle, "timer-exists", conn_at(e, 1)->timer = TIMER_COUNT);
	BREAKS(begin_in_the_middle, "timer-while-open", conn_at(e, 2)->timer = TIMER_IDLE);
	BREAKS(begin_in_the_middle, "timer-configured", e->config.idle_ms = 0);
	BREAKS(begin_in_the_middle, "lingering-ends", conn_at(e, 1)->state = CONN_LINGERING);
	BREAKS(begin_in_the_middle, "decided", conn_at(e, 1)->needs = ECHO_IN);
	BREAKS(begin_in_the_middle, "decided", conn_at(e, 1)->op = ECHO_OP_DISCARD);
}

/* ECHO-102: as above: the facts about a close that is due, which has no deadline, and needs a
 * turn. */
static void what_holds_for_a_connection_to_be_closed(void **state)
{
	(void)state;
	BREAKS(begin_at_work, "timer-while-open", conn_at(e, 0)->state = CONN_CLOSING,
	       conn_at(e, 0)->start = conn_at(e, 0)->end = 0, conn_at(e, 0)->buffer = NONE);
	BREAKS(begin_at_work, "peeked-is-sent-at-once", conn_at(e, 0)->state = CONN_PEEKED,
	       conn_at(e, 0)->buffer = NONE);
}

/* ECHO-102: as above: the facts about slots and buffers, which are all accounted for. */
static void what_holds_for_slots_and_buffers(void **state)
{
	(void)state;
	BREAKS(begin_in_the_middle, "slots-bounded", e->config.connections_max = 2);
	BREAKS(begin_in_the_middle, "free-list-is-free", e->slots_free = 1);
	BREAKS(begin_in_the_middle, "free-list-is-free", conn_at(e, 2)->flow.next = 3);
	BREAKS(begin_in_the_middle, "free-list-ends", conn_at(e, 2)->flow.next = 2);
	BREAKS(begin_in_the_middle, "connections-counted", e->connections = 1);
	BREAKS(begin_in_the_middle, "slots-accounted", e->slots_free = NONE);
	BREAKS(begin_in_the_middle, "buffers-counted", e->buffers.used = 2);
	BREAKS(begin_in_the_middle, "buffers-accounted", e->buffers.free_count = 3);
	BREAKS(begin_in_the_middle, "buffers-bounded", e->buffers.max = 1);
	BREAKS(begin_in_the_middle, "buffers-counted", e->pipes.used = 1);
	BREAKS(begin_in_the_middle, "buffers-accounted", e->pipes.lost = 1);
	BREAKS(begin_in_the_middle, "buffers-bounded", e->pipes.fresh = e->pipes.lost = 1);
	BREAKS(begin_in_the_middle, "buffer-exists", conn_at(e, 0)->state = CONN_PIPED);
	BREAKS(begin_in_the_middle, "streak-bounded", conn_at(e, 0)->streak = 9);
}

/* ECHO-102: as above: the facts about who takes turns. */
static void what_holds_for_queues(void **state)
{
	(void)state;
	BREAKS(begin_at_work, "queued-exists", conn_at(e, 0)->flow.next = 100);
	BREAKS(begin_at_work, "queued-where-tagged", conn_at(e, 0)->flow.queue = QUEUE_BULK);
	BREAKS(begin_at_work, "queue-ends", conn_at(e, 0)->flow.next = 1);
	BREAKS(begin_at_work, "queue-tail-is-last", e->queues[QUEUE_SPARSE].tail = 1);
	BREAKS(begin_in_the_middle, "tagged-is-queued", e->listener.flow.queue = QUEUE_BULK);
	BREAKS(begin_in_the_middle, "tagged-is-queued", conn_at(e, 1)->flow.queue = QUEUE_SPARSE);
}

/* ECHO-102: as above: the facts about deadlines. Slot 3 was never used, and is in no list. */
static void what_holds_for_timers(void **state)
{
	(void)state;
	BREAKS(begin_in_the_middle, "timed-where-tagged", conn_at(e, 1)->timer = TIMER_QUIET);
	BREAKS(begin_in_the_middle, "timer-links-agree", conn_at(e, 1)->timer_prev = NONE);
	BREAKS(begin_in_the_middle, "timers-in-order", conn_at(e, 0)->deadline_ms = 2000);
	BREAKS(begin_in_the_middle, "timers-end", conn_at(e, 1)->timer_next = 3,
	       *conn_at(e, 3) = *conn_at(e, 1), conn_at(e, 3)->timer_prev = 1);
	BREAKS(begin_in_the_middle, "timer-tail-is-last", e->timers[TIMER_IDLE].tail = 0);
	BREAKS(begin_in_the_middle, "tagged-is-timed", e->timers[TIMER_IDLE].head = NONE,
	       e->timers[TIMER_IDLE].tail = NONE);
}

/* ECHO-102: as above: the facts about the listener and about the end. */
static void what_holds_for_the_engine(void **state)
{
	(void)state;
	BREAKS(begin_in_the_middle, "listener-state-exists",
	       e->listener.state = (enum listener_state)0);
	BREAKS(begin_in_the_middle, "listener-state-exists",
	       e->listener.state = (enum listener_state)(LISTENER_CLOSED + 1));
	BREAKS(begin_in_the_middle, "listener-work-is-queued", e->listener.acceptable = true);
	BREAKS(begin_in_the_middle, "paused-ends", e->listener.state = LISTENER_PAUSED);
	BREAKS(begin_in_the_middle, "retry-delay-bounded", e->listener.retry_delay_ms = 99);
	BREAKS(begin_in_the_middle, "retry-delay-bounded", e->listener.retry_delay_ms = 1001);
	BREAKS(begin_in_the_middle, "asks-until-the-end", e->ending = ECHO_ABORTED);
	BREAKS(begin_in_the_middle, "asks-until-the-end", e->action.op = ECHO_OP_NONE);
	BREAKS(begin_in_the_middle, "serves-the-front", e->id = 1);
	BREAKS(begin_in_the_middle, "stopped-is-released", e->ending = ECHO_STOPPED,
	       e->action.op = ECHO_OP_NONE);
	BREAKS(begin_without_connections, "stopped-is-closed", e->ending = ECHO_STOPPED,
	       e->action.op = ECHO_OP_NONE);
}

/* ECHO-16: When a connection has ended, its descriptor MUST be released: from every state of the
 * table there is a way to the close, and from the close only to a free slot. */
static void every_state_leads_to_the_close(void **state)
{
	(void)state;
	for (int at = CONN_OPENING; at < CONN_STATE_COUNT; at++) {
		if (at == CONN_PIPED)
			assert_int_equal(state_next(CONN_PIPED, EV_GIVEN_UP), CONN_PURGING);
		else if (at == CONN_PURGING)
			assert_int_equal(state_next(CONN_PURGING, EV_PURGED), CONN_CLOSING);
		else
			assert_int_equal(state_next((enum conn_state)at, EV_GIVEN_UP),
					 CONN_CLOSING);
		assert_int_equal(state_next((enum conn_state)at, EV_CLOSED),
				 at == CONN_CLOSING ? CONN_FREE : CONN_NONE);
		assert_int_equal(state_next((enum conn_state)at, EV_ACCEPTED), CONN_NONE);
	}
	for (int event = EV_NONE; event < CONN_EVENT_COUNT; event++) {
		assert_int_equal(state_next(CONN_NONE, (enum conn_event)event), CONN_NONE);
		assert_int_equal(state_next(CONN_FREE, (enum conn_event)event),
				 event == EV_ACCEPTED ? CONN_OPENING : CONN_NONE);
	}
	for (int at = CONN_NONE; at < CONN_STATE_COUNT; at++)
		assert_int_equal(state_next((enum conn_state)at, EV_NONE), CONN_NONE);
}

/* ECHO-90: `--verbose` MUST tell each registration, event, echo and close: states and their events
 * have names, for the diagram too. */
static void states_and_events_have_names(void **state)
{
	(void)state;
	assert_string_equal(state_name(CONN_NONE), "none");
	assert_string_equal(state_name(CONN_CLOSING), "closing");
	assert_string_equal(state_name(CONN_STATE_COUNT), "?");
	assert_string_equal(event_name(EV_NONE), "none");
	assert_string_equal(event_name(EV_CLOSED), "closed");
	assert_string_equal(event_name(CONN_EVENT_COUNT), "?");
	for (int at = 0; at < CONN_STATE_COUNT; at++)
		for (int other = 0; other < at; other++)
			assert_string_not_equal(state_name((enum conn_state)at),
						state_name((enum conn_state)other));
	for (int at = 0; at < CONN_EVENT_COUNT; at++)
		for (int other = 0; other < at; other++)
			assert_string_not_equal(event_name((enum conn_event)at),
						event_name((enum conn_event)other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_holds_for_a_connection),
		cmocka_unit_test(what_holds_for_a_connection_to_be_closed),
		cmocka_unit_test(what_holds_for_slots_and_buffers),
		cmocka_unit_test(what_holds_for_queues),
		cmocka_unit_test(what_holds_for_timers),
		cmocka_unit_test(what_holds_for_the_engine),
		cmocka_unit_test(every_state_leads_to_the_close),
		cmocka_unit_test(states_and_events_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
