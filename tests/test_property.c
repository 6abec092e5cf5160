/*
 * The engine in worlds drawn from seeds, one family of worlds a test; what is judged stands in
 * world_judge*.c. A failure prints its seed, and the seed is the whole run:
 *
 *	ECHO_SEED=17               runs this seed alone; with ECHO_TRACE=1 it is told step by step
 *	ECHO_TEST='polite_*'       runs these tests alone
 *	ECHO_RUNS=100000           runs the seeds from 1 to this one
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

enum { RUNS_DEFAULT = 300, TWICE = 20 };

/* What a trap, which is the engine's assertion, leaves to be read. */
static char running[160];

static void trapped(int signal_number)
{
	ssize_t written = write(STDOUT_FILENO, running, strlen(running));

	(void)written;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static struct world_verdict run(const struct world_family *family, uint64_t seed)
{
	FILE *trace = setting("ECHO_TRACE", 0) != 0 ? stdout : NULL;

	snprintf(running, sizeof(running),
		 "# trapped; replay: ECHO_TEST=%s ECHO_SEED=%" PRIu64 "\n", family->name, seed);
	return world_run(family, seed, trace);
}

static void judge(const struct world_family *family, uint64_t seed,
		  const struct world_verdict *verdict)
{
	if (verdict->broken == NULL)
		return;
	print_message("# %s: %s, at action %" PRIu64 "; replay: ECHO_TEST=%s ECHO_SEED=%" PRIu64
		      " ECHO_TRACE=1\n",
		      verdict->broken, verdict->detail, verdict->actions, family->name, seed);
	fail();
}

static void holds_in(const struct world_family *family)
{
	uint64_t first = setting("ECHO_SEED", 1);
	uint64_t last = getenv("ECHO_SEED") != NULL ? first : setting("ECHO_RUNS", RUNS_DEFAULT);
	uint64_t actions = 0, echoed = 0;

	print_message("# %s: seeds %" PRIu64 " to %" PRIu64 "\n", family->name, first, last);
	for (uint64_t seed = first; seed <= last; seed++) {
		struct world_verdict verdict = run(family, seed);

		judge(family, seed, &verdict);
		actions += verdict.actions;
		echoed += verdict.echoed;
	}
	print_message("# %s: %" PRIu64 " actions, %" PRIu64 " bytes echoed\n", family->name,
		      actions, echoed);
}

/* ECHO-1: Every byte received MUST be sent back once, in order.
 * ECHO-2: The echo MUST NOT depend on how the bytes are cut.
 * ECHO-3: A stream longer than every buffer MUST come back whole.
 * ECHO-10: Where data and half-close arrive together, all MUST be echoed before the FIN.
 * ECHO-12: Where a peer half-closes without having sent anything, the server MUST end the stream.
 * ECHO-16: When a connection has ended, its descriptor MUST be released.
 * ECHO-17: The server MUST NOT end a connection that its peer keeps open.
 * ECHO-20: More than one read takes MUST be echoed without waiting for further data. */
static void polite_peers(void **state)
{
	static const struct world_family family = {
		.name = "polite_peers",
		.peers_max = 24,
		.connections_max = 32,
		.buffers_max = 8,
		.bytes_max = 6000,
		.stays = 200,
		.pauses = 5,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-14: The server MUST NOT reset a connection whose peer half-closed and reads late.
 * ECHO-15: A connection MUST keep its descriptor until every byte owed is acknowledged.
 * ECHO-21: An echo that was held up MUST go on when the peer reads.
 * ECHO-32: When such a peer reads again, every byte MUST come back.
 * ECHO-34: Peers that do not read MUST NOT keep others from being served. */
static void peers_that_do_not_read(void **state)
{
	static const struct world_family family = {
		.name = "peers_that_do_not_read",
		.peers_max = 32,
		.connections_max = 32,
		.buffers_max = 4,
		.bytes_max = 6000,
		.silent = 400,
		.stays = 200,
		.pauses = 100,
		.stubborn = 300,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-5: No connection MUST ever receive bytes that another one sent.
 * ECHO-50: A reset of one connection MUST NOT disturb another.
 * ECHO-51: Connections that are reset, whatever was pending, MUST leave no descriptor behind.
 * ECHO-59: A connection that follows others that were reset MUST receive its own bytes only. */
static void resets_everywhere(void **state)
{
	static const struct world_family family = {
		.name = "resets_everywhere",
		.peers_max = WORLD_PEERS_MAX,
		.connections_max = 16,
		.buffers_max = 8,
		.bytes_max = 4000,
		.resets = 600,
		.abandons = 300,
		.silent = 100,
		.pauses = 20,
		.stays = 100,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-22: A short read MUST count as the end of an edge only while nothing was announced that
 * can have cut it.
 * ECHO-23: The same of a short write.
 * ECHO-26: A system call that was interrupted MUST be made again, with nothing lost.
 * ECHO-84: Every signal that is handled MUST lose nothing. */
static void interrupted_and_short_calls(void **state)
{
	static const struct world_family family = {
		.name = "interrupted_and_short_calls",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 4,
		.bytes_max = 3000,
		.interrupted = 200,
		.shortened = 200,
		.would_block = 100,
		.pauses = 10,
		.stays = 100,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-54: Where a connection cannot be registered, it MUST be closed and no other.
 * ECHO-55: Any error of a call on a connection MUST end that connection at most. */
static void failing_calls(void **state)
{
	static const struct world_family family = {
		.name = "failing_calls",
		.peers_max = 32,
		.connections_max = 16,
		.buffers_max = 4,
		.bytes_max = 3000,
		.fails = 10,
		.unwatchable = 150,
		.interrupted = 20,
		.would_block = 20,
		.stays = 100,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-52: Where accept fails for want of descriptors or memory, accepting MUST pause without
 * spinning and resume when a connection closes or after a delay.
 * ECHO-53: Where accept fails because of the connection, accepting MUST go on.
 * ECHO-57: Those accepted MUST be served and the rest MUST wait, and be served when room comes. */
static void out_of_descriptors(void **state)
{
	static const struct world_family family = {
		.name = "out_of_descriptors",
		.peers_max = WORLD_PEERS_MAX,
		.connections_max = 6,
		.buffers_max = 2,
		.bytes_max = 500,
		.exhausted = 100,
		.accept_fails = 200,
		.few_descriptors = true,
		.interrupted = 50,
		.resets = 50,
		.stays = 50,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one. */
static void pool_of_none(void **state)
{
	static const struct world_family family = {
		.name = "pool_of_none",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 0,
		.bytes_max = 4000,
		.shortened = 100,
		.would_block = 50,
		.interrupted = 50,
		.pauses = 20,
		.silent = 100,
		.urgent = 50,
		.stays = 100,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-35: An idle connection MUST NOT hold a buffer.
 * ECHO-36: Where no buffer is free, a connection MUST echo without one. */
static void pool_that_runs_dry(void **state)
{
	static const struct world_family family = {
		.name = "pool_that_runs_dry",
		.peers_max = 32,
		.connections_max = 32,
		.buffers_max = 2,
		.bytes_max = 4000,
		.shortened = 50,
		.would_block = 50,
		.interrupted = 50,
		.pauses = 200,
		.silent = 200,
		.stays = 200,
		.resets = 50,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-4: Urgent data MUST be echoed in line, in its place in the stream.
 * ECHO-22: A short read MUST count as the end of an edge only while no EPOLLPRI has been
 * announced. */
static void urgent_data(void **state)
{
	static const struct world_family family = {
		.name = "urgent_data",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 3,
		.bytes_max = 4000,
		.urgent = 300,
		.pauses = 20,
		.shortened = 20,
		.stays = 200,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-84: SIGSTOP and SIGCONT MUST lose nothing: with a signal pending, recv(2) at the urgent mark
 * fails with EAGAIN though bytes are there (net/ipv4/tcp.c, tcp_recvmsg_locked). */
static void signals_at_the_urgent_mark(void **state)
{
	static const struct world_family family = {
		.name = "signals_at_the_urgent_mark",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 2,
		.bytes_max = 2000,
		.urgent = 300,
		.mark_blocks = 200,
		.interrupted = 50,
		.stays = 400,
		.idle = true,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-58: An event MUST reach only the connection that it was meant for.
 * ECHO-102: The invariant MUST hold after every step: any order of events is input. */
static void strange_events(void **state)
{
	static const struct world_family family = {
		.name = "strange_events",
		.peers_max = WORLD_PEERS_MAX,
		.connections_max = 8,
		.buffers_max = 3,
		.bytes_max = 1500,
		.strange = 400,
		.resets = 100,
		.silent = 50,
		.pauses = 20,
		.stays = 100,
		.would_block = 20,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-25: One wait MUST take at most a fixed number of events.
 * ECHO-40: A flooding peer MUST NOT starve another.
 * ECHO-41: New connections MUST be accepted and served while others flood.
 * ECHO-42: Traffic MUST go on while connections come in a storm.
 * ECHO-43: Each turn MUST be bounded by a byte budget.
 * ECHO-44: The work between two waits MUST be bounded. */
static void floods(void **state)
{
	static const struct world_family family = {
		.name = "floods",
		.peers_max = 12,
		.connections_max = 12,
		.buffers_max = 8,
		.bytes_max = 12000,
		.greedy = true,
		.tiny = true,
		.resets = 100,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-80: What waits in the backlog MUST be accepted and served before the listener closes.
 * ECHO-81: Every connection MUST get the echo of what it has sent, then an orderly end.
 * ECHO-82: Only connections that are still open after the drain timeout MUST be cut off.
 * ECHO-104: After the shutdown, every connection and buffer MUST be released. */
static void shutdown_in_the_middle(void **state)
{
	static const struct world_family family = {
		.name = "shutdown_in_the_middle",
		.peers_max = 32,
		.connections_max = 16,
		.buffers_max = 4,
		.bytes_max = 4000,
		.stop = true,
		.interrupted = 30,
		.shortened = 30,
		.would_block = 30,
		.accept_fails = 30,
		.exhausted = 20,
		.pauses = 20,
		.silent = 50,
		.stays = 300,
		.stubborn = 200,
		.resets = 30,
		.urgent = 20,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-56: Only a broken listener or epoll instance MUST end the process.
 * ECHO-83: A second SIGTERM MUST end the process at once. */
static void ends_that_are_not_in_order(void **state)
{
	static const struct world_family family = {
		.name = "ends_that_are_not_in_order",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 4,
		.bytes_max = 2000,
		.stop = true,
		.abort = 100,
		.pauses = 50,
		.silent = 200,
		.stays = 300,
		.stubborn = 300,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic, and only such a one. */
static void idle_timeouts(void **state)
{
	static const struct world_family family = {
		.name = "idle_timeouts",
		.peers_max = 24,
		.connections_max = 16,
		.buffers_max = 3,
		.bytes_max = 2000,
		.idle = true,
		.pauses = 50,
		.silent = 200,
		.stays = 400,
		.stubborn = 300,
		.interrupted = 50,
		.resets = 50,
	};

	(void)state;
	holds_in(&family);
}

/* ECHO-86: The idle timeout MUST end a connection without traffic, and only such a one: not one
 * whose peer takes its echo so slowly that no room is announced for long. */
static void slow_readers(void **state)
{
	static const struct world_family family = {
		.name = "slow_readers",
		.peers_max = 16,
		.connections_max = 16,
		.buffers_max = 3,
		.bytes_max = 12000,
		.idle = true,
		.slow = 500,
		.silent = 100,
		.stays = 300,
		.stubborn = 300,
		.interrupted = 20,
	};

	(void)state;
	holds_in(&family);
}

static const struct world_family everything = {
	.name = "everything_at_once",
	.peers_max = WORLD_PEERS_MAX,
	.connections_max = 32,
	.buffers_max = 8,
	.bytes_max = 3000,
	.interrupted = 60,
	.shortened = 60,
	.would_block = 30,
	.fails = 1,
	.unwatchable = 20,
	.accept_fails = 40,
	.exhausted = 10,
	.strange = 60,
	.few_descriptors = true,
	.silent = 80,
	.resets = 80,
	.abandons = 80,
	.stays = 150,
	.stubborn = 150,
	.slow = 50,
	.pauses = 20,
	.urgent = 30,
	.idle = true,
	.stop = true,
	.abort = 1,
};

/* ECHO-102: The engine MUST hold its invariant after every step, whatever results it is given.
 * ECHO-103: The engine MUST ask to wait only when no connection has work that it could do. */
static void everything_at_once(void **state)
{
	(void)state;
	holds_in(&everything);
}

/* ECHO-101: The engine MUST give the same actions for the same configuration and results. */
static void a_seed_is_the_whole_run(void **state)
{
	uint64_t first = setting("ECHO_SEED", 1);
	uint64_t last = getenv("ECHO_SEED") != NULL ? first : TWICE;

	(void)state;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct world_verdict once = run(&everything, seed), twice = run(&everything, seed);

		judge(&everything, seed, &once);
		assert_true(once.hash == twice.hash);
		assert_true(once.actions == twice.actions);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polite_peers),
		cmocka_unit_test(peers_that_do_not_read),
		cmocka_unit_test(resets_everywhere),
		cmocka_unit_test(interrupted_and_short_calls),
		cmocka_unit_test(failing_calls),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(pool_of_none),
		cmocka_unit_test(pool_that_runs_dry),
		cmocka_unit_test(urgent_data),
		cmocka_unit_test(signals_at_the_urgent_mark),
		cmocka_unit_test(strange_events),
		cmocka_unit_test(floods),
		cmocka_unit_test(shutdown_in_the_middle),
		cmocka_unit_test(ends_that_are_not_in_order),
		cmocka_unit_test(idle_timeouts),
		cmocka_unit_test(slow_readers),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(a_seed_is_the_whole_run),
	};

	signal(SIGILL, trapped);
	signal(SIGTRAP, trapped);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (getenv("ECHO_TEST") != NULL)
		cmocka_set_test_filter(getenv("ECHO_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
