/* The glue, on loopback and real sockets: each action makes its one call, and says what came of
 * it. Nothing here waits for time to pass; what has to arrive is polled for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux/address.h"
#include "linux/outcome.h"
#include "linux/signals.h"
#include "linux/system.h"

enum { PATIENCE_MS = 30000, ROOM = 65536, TOKEN_GENERATION = 7, DESCRIPTORS_MAX = 64 };

#define TOKEN ((uint64_t)TOKEN_GENERATION << 32 | 3)

static struct linux_system sys;

/* Opens on a free port of this address; fails the test if that cannot be done. */
static void open_on(const char *text)
{
	struct sockaddr_storage address;
	socklen_t length;
	const char *failed;

	assert_true(address_parse(text, 0, &address, &length));
	failed = linux_open(&sys, &address, length, 16);
	if (failed != NULL)
		fail_msg("cannot %s on %s: %s", failed, text, strerror(errno));
}

static struct echo_result perform(enum echo_op op, int handle, void *data, uint32_t length)
{
	struct echo_action action = {
		.op = op,
		.token = TOKEN,
		.handle = handle,
		.data = data,
		.length = length,
		.events_max = LINUX_EVENTS_MAX,
		.timeout_ms = 0,
	};

	return linux_perform(&sys, &action);
}

static struct echo_result wait_events(int timeout_ms)
{
	struct echo_action action = {
		.op = ECHO_OP_WAIT, .handle = -1, .events_max = 8, .timeout_ms = timeout_ms
	};

	return linux_perform(&sys, &action);
}

/* Waits until poll(2) reports one of these. */
static void await(int fd, int events)
{
	struct pollfd ready = { .fd = fd, .events = (short)events };

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_true((ready.revents & events) != 0);
}

static int connect_to(const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd;

	assert_true(address_parse(text, port, &address, &length));
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, length) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int accept_one(void)
{
	struct echo_result result;

	await(sys.listener, POLLIN);
	result = perform(ECHO_OP_ACCEPT, -1, NULL, 0);
	assert_int_equal(result.outcome, ECHO_DONE);
	assert_true(result.handle >= 0);
	return result.handle;
}

/* Both ends of a connection. */
struct pair {
	int client, server;
};

static struct pair connect_pair(void)
{
	struct pair pair;

	open_on("127.0.0.1");
	pair.client = connect_to("127.0.0.1", address_port(&sys.address));
	assert_true(pair.client >= 0);
	pair.server = accept_one();
	return pair;
}

static void close_pair(struct pair pair)
{
	if (pair.client >= 0)
		close(pair.client);
	if (pair.server >= 0)
		close(pair.server);
	linux_close(&sys);
}

static void client_sends(struct pair pair, const char *text)
{
	assert_int_equal(send(pair.client, text, strlen(text), 0), strlen(text));
	await(pair.server, POLLIN);
}

static void client_resets(struct pair *pair)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
			 0);
	close(pair->client);
	pair->client = -1;
	await(pair->server, POLLERR | POLLHUP);
}

static void check_result(struct echo_result result, enum echo_outcome outcome, uint32_t count)
{
	assert_string_equal(echo_outcome_name(result.outcome), echo_outcome_name(outcome));
	assert_int_equal(result.count, count);
}

static void check_outcome(enum echo_op op, int handle, enum echo_outcome outcome)
{
	static uint8_t data[64];

	check_result(perform(op, handle, data, sizeof(data)), outcome, 0);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* Leaves room for so many more descriptors, wherever the free numbers are. */
static struct rlimit leave_descriptors(int room)
{
	struct rlimit before, after;
	int taken[DESCRIPTORS_MAX], last = -1;

	for (int i = 0; i <= room; i++) {
		taken[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
		assert_true(taken[i] >= 0);
		last = taken[i];
	}
	for (int i = 0; i <= room; i++)
		close(taken[i]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	after = before;
	after.rlim_cur = (rlim_t)last;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &after), 0);
	return before;
}

/* ECHO-61: A small echo MUST NOT wait for the acknowledgement of an earlier one: an accepted
 * socket inherits TCP_NODELAY from its listener. */
static void accepted_sockets_inherit_nodelay(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	assert_int_equal(option(pair.server, IPPROTO_TCP, TCP_NODELAY), 1);
	close_pair(pair);
}

/* ECHO-87: Without an idle timeout, TCP keepalive MUST be on, with the documented intervals. */
static void accepted_sockets_inherit_keepalive(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	assert_int_equal(option(pair.server, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(pair.server, IPPROTO_TCP, TCP_KEEPIDLE), LINUX_KEEPALIVE_IDLE_S);
	assert_int_equal(option(pair.server, IPPROTO_TCP, TCP_KEEPINTVL),
			 LINUX_KEEPALIVE_INTERVAL_S);
	assert_int_equal(option(pair.server, IPPROTO_TCP, TCP_KEEPCNT), LINUX_KEEPALIVE_PROBES);
	close_pair(pair);
}

/* ECHO-4: Urgent data MUST be echoed in line: an accepted socket inherits SO_OOBINLINE, and a read
 * brings the urgent byte in its place. */
static void accepted_sockets_receive_urgent_data_in_line(void **state)
{
	struct pair pair = connect_pair();
	char seen[8] = "";
	size_t length = 0;

	(void)state;
	assert_int_equal(option(pair.server, SOL_SOCKET, SO_OOBINLINE), 1);
	assert_int_equal(send(pair.client, "ab", 2, MSG_OOB), 2);
	assert_int_equal(send(pair.client, "c", 1, 0), 1);
	while (length < 3) {
		struct echo_result result;

		await(pair.server, POLLIN);
		result = perform(ECHO_OP_READ, pair.server, seen + length, 3);
		assert_int_equal(result.outcome, ECHO_DONE);
		length += result.count;
	}
	assert_string_equal(seen, "abc");
	close_pair(pair);
}

/* ECHO-34: Peers that do not read MUST NOT keep others from being served: no call on a connection
 * blocks. ECHO-16: its descriptor is released, also where a program is executed. */
static void accepted_sockets_do_not_block(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	assert_true((fcntl(pair.server, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(pair.server, F_GETFD) & FD_CLOEXEC) != 0);
	close_pair(pair);
}

/* ECHO-75: A second server on the same port MUST be refused. */
static void the_port_is_not_shared(void **state)
{
	struct sockaddr_storage taken;
	struct linux_system second;
	int before;

	(void)state;
	open_on("127.0.0.1");
	assert_int_equal(option(sys.listener, SOL_SOCKET, SO_REUSEADDR), 1);
	assert_int_equal(option(sys.listener, SOL_SOCKET, SO_REUSEPORT), 0);
	taken = sys.address;
	before = descriptors();
	errno = 0;
	assert_string_equal(linux_open(&second, &taken, sizeof(struct sockaddr_in), 16), "listen");
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(descriptors(), before);
	linux_close(&sys);
}

/* ECHO-72: An address that cannot be had MUST give the reason: one that connections of an earlier
 * server still name can be had. */
static void the_port_can_be_had_again_at_once(void **state)
{
	struct pair pair = connect_pair();
	struct sockaddr_storage again = sys.address;
	char byte;

	(void)state;
	close(pair.server); /* first to close: it is this end that stays in TIME-WAIT */
	assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
	close(pair.client);
	linux_close(&sys);
	assert_null(linux_open(&sys, &again, sizeof(struct sockaddr_in), 16));
	assert_int_equal(address_port(&sys.address), address_port(&again));
	linux_close(&sys);
}

/* ECHO-70: When it is ready, the server MUST print one line with its real address and port. */
static void the_real_port_is_known(void **state)
{
	(void)state;
	open_on("127.0.0.1");
	assert_int_not_equal(address_port(&sys.address), 0);
	assert_int_equal(sys.address.ss_family, AF_INET);
	linux_close(&sys);
}

/* ECHO-73: --address :: MUST serve IPv4 and IPv6. */
static void the_unspecified_address_serves_both(void **state)
{
	int v6 = socket(AF_INET6, SOCK_STREAM, 0), client;
	struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };

	(void)state;
	if (v6 < 0 || bind(v6, (struct sockaddr *)&loopback, sizeof(loopback)) != 0) {
		print_message("this machine has no IPv6\n");
		if (v6 >= 0)
			close(v6);
		skip();
	}
	close(v6);
	open_on("::");
	client = connect_to("127.0.0.1", address_port(&sys.address));
	assert_true(client >= 0);
	close(accept_one());
	close(client);
	client = connect_to("::1", address_port(&sys.address));
	assert_true(client >= 0);
	close(accept_one());
	close(client);
	linux_close(&sys);
}

/* ECHO-72: An address that cannot be had MUST give the reason, and nothing may be half-started. */
static void an_address_of_another_machine_cannot_be_had(void **state)
{
	struct sockaddr_storage address;
	socklen_t length;
	int before = descriptors();

	(void)state;
	assert_true(address_parse("192.0.2.1", 0, &address, &length)); /* RFC 5737 */
	errno = 0;
	assert_string_equal(linux_open(&sys, &address, length, 16), "listen");
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(descriptors(), before);
	assert_int_equal(sys.listener, -1);
	assert_int_equal(sys.signals, -1);
	assert_int_equal(sys.epoll, -1);
}

/* ECHO-72: ... and the reason, and nothing may be half-started: whichever descriptor it is that
 * cannot be had. */
static void a_failure_to_open_leaves_nothing_open(void **state)
{
	static const char *const failures[] = { "make a socket", "receive signals",
						"make an epoll instance" };
	struct sockaddr_storage address;
	socklen_t length;
	int before = descriptors();

	(void)state;
	assert_true(address_parse("127.0.0.1", 0, &address, &length));
	for (int room = 0; room < 3; room++) {
		struct rlimit limit = leave_descriptors(room);
		const char *failed;
		int error;

		errno = 0;
		failed = linux_open(&sys, &address, length, 16);
		error = errno;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_non_null(failed);
		assert_string_equal(failed, failures[room]);
		assert_int_equal(error, EMFILE);
		assert_int_equal(descriptors(), before);
	}
	assert_null(linux_open(&sys, &address, length, 16));
	linux_close(&sys);
	assert_int_equal(descriptors(), before);
}

/* ECHO-57: Where connections outnumber the descriptors, those accepted MUST be served: accept says
 * that descriptors are what is missing. */
static void accept_tells_that_descriptors_ran_out(void **state)
{
	struct rlimit limit;
	struct echo_result result;
	int client;

	(void)state;
	open_on("127.0.0.1");
	check_outcome(ECHO_OP_ACCEPT, -1, ECHO_WOULD_BLOCK);
	client = connect_to("127.0.0.1", address_port(&sys.address));
	assert_true(client >= 0);
	await(sys.listener, POLLIN);
	limit = leave_descriptors(0);
	result = perform(ECHO_OP_ACCEPT, -1, NULL, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_result(result, ECHO_NO_DESCRIPTORS, 0);
	close(client);
	linux_close(&sys);
}

/* The line of /proc/self/fdinfo about a descriptor in an epoll instance (proc(5)). */
static bool interest(int epoll, int fd, unsigned *events, uint64_t *data)
{
	char path[64], line[160];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll);
	file = fopen(path, "r");
	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		unsigned long long value;
		int target;

		found = sscanf(line, "tfd: %d events: %x data: %llx", &target, events, &value) ==
				3 &&
			target == fd;
		*data = value;
	}
	fclose(file);
	return found;
}

/* ECHO-24: A connection MUST be registered once, edge-triggered, for EPOLLIN, EPOLLOUT, EPOLLRDHUP
 * and EPOLLPRI, and the listener level-triggered for EPOLLIN. */
static void registrations_are_as_promised(void **state)
{
	const unsigned always = EPOLLERR | EPOLLHUP;
	struct pair pair = connect_pair();
	unsigned events = 0;
	uint64_t data = 0;

	(void)state;
	check_outcome(ECHO_OP_WATCH, pair.server, ECHO_DONE);
	assert_true(interest(sys.epoll, pair.server, &events, &data));
	assert_int_equal(events, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET | always);
	assert_true(data == TOKEN);
	assert_true(interest(sys.epoll, sys.listener, &events, &data));
	assert_int_equal(events, EPOLLIN | always);
	assert_true(data == ECHO_TOKEN_LISTENER);
	close_pair(pair);
}

static uint32_t awaited_readiness(void)
{
	struct echo_result result = wait_events(PATIENCE_MS);

	assert_int_equal(result.outcome, ECHO_DONE);
	assert_int_equal(result.events_count, 1);
	assert_true(result.events[0].token == TOKEN);
	return result.events[0].readiness;
}

/* ECHO-24: A connection MUST be registered once, edge-triggered: an edge is told once, under the
 * connection's token, and each of the four is told. */
static void a_watched_connection_tells_its_edges(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	check_outcome(ECHO_OP_WATCH, pair.server, ECHO_DONE);
	assert_int_equal(awaited_readiness(), ECHO_OUT);
	assert_int_equal(wait_events(0).events_count, 0);
	assert_int_equal(send(pair.client, "x", 1, 0), 1);
	assert_int_equal(awaited_readiness(), ECHO_IN | ECHO_OUT);
	assert_int_equal(wait_events(0).events_count, 0); /* unread, and told already */
	assert_int_equal(send(pair.client, "!", 1, MSG_OOB), 1);
	assert_int_equal(awaited_readiness(), ECHO_IN | ECHO_OUT | ECHO_PRI);
	assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
	assert_true((awaited_readiness() & ECHO_RDHUP) != 0);
	close_pair(pair);
}

/* ECHO-54: Where a connection cannot be registered, that connection MUST be closed and no other:
 * the glue tells of it. */
static void a_registration_that_fails_is_told(void **state)
{
	struct pair pair = connect_pair();
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	check_outcome(ECHO_OP_WATCH, pair.server, ECHO_DONE);
	check_outcome(ECHO_OP_WATCH, pair.server, ECHO_FAILED);  /* EEXIST */
	check_outcome(ECHO_OP_WATCH, fileno(file), ECHO_FAILED); /* EPERM */
	check_outcome(ECHO_OP_WATCH, -1, ECHO_FAILED);           /* EBADF */
	fclose(file);
	close_pair(pair);
}

/* ECHO-1: Every byte received MUST be sent back once, in order: a read takes bytes off the socket,
 * up to as many as were asked for, and a write sends them. */
static void a_read_takes_and_a_write_sends(void **state)
{
	struct pair pair = connect_pair();
	char bytes[16] = "";

	(void)state;
	client_sends(pair, "hello");
	check_result(perform(ECHO_OP_READ, pair.server, bytes, 2), ECHO_DONE, 2);
	check_result(perform(ECHO_OP_READ, pair.server, bytes + 2, 10), ECHO_DONE, 3);
	assert_string_equal(bytes, "hello");
	check_outcome(ECHO_OP_READ, pair.server, ECHO_WOULD_BLOCK);
	check_result(perform(ECHO_OP_WRITE, pair.server, bytes, 5), ECHO_DONE, 5);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(recv(pair.client, bytes, 5, MSG_WAITALL), 5);
	assert_string_equal(bytes, "hello");
	close_pair(pair);
}

/* ECHO-36: Where no buffer is free, a connection MUST echo without one: a peek leaves the bytes in
 * the socket, a consume removes exactly as many as it is told, and copies nothing. */
static void a_peek_leaves_what_a_consume_removes(void **state)
{
	struct pair pair = connect_pair();
	char bytes[16] = "";

	(void)state;
	client_sends(pair, "hello");
	check_result(perform(ECHO_OP_PEEK, pair.server, bytes, 16), ECHO_DONE, 5);
	assert_string_equal(bytes, "hello");
	check_result(perform(ECHO_OP_PEEK, pair.server, bytes, 16), ECHO_DONE, 5);
	memset(bytes, '.', sizeof(bytes));
	check_result(perform(ECHO_OP_CONSUME, pair.server, bytes, 2), ECHO_DONE, 2);
	assert_memory_equal(bytes, "................", sizeof(bytes));
	check_result(perform(ECHO_OP_READ, pair.server, bytes, 16), ECHO_DONE, 3);
	assert_memory_equal(bytes, "llo", 3);
	close_pair(pair);
}

/* ECHO-14: The server MUST NOT reset a connection: what comes after our FIN is discarded, so that
 * the close finds nothing unread. */
static void a_discard_removes_what_is_there(void **state)
{
	struct pair pair = connect_pair();
	uint8_t bytes[64];

	(void)state;
	client_sends(pair, "hello");
	check_result(perform(ECHO_OP_DISCARD, pair.server, bytes, sizeof(bytes)), ECHO_DONE, 5);
	check_outcome(ECHO_OP_DISCARD, pair.server, ECHO_WOULD_BLOCK);
	close_pair(pair);
}

/* ECHO-105: Each errno that a call documents MUST be mapped on purpose: EAGAIN of every call that
 * moves bytes. */
static void nothing_to_read_would_block(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	check_outcome(ECHO_OP_READ, pair.server, ECHO_WOULD_BLOCK);
	check_outcome(ECHO_OP_PEEK, pair.server, ECHO_WOULD_BLOCK);
	check_outcome(ECHO_OP_CONSUME, pair.server, ECHO_WOULD_BLOCK);
	check_outcome(ECHO_OP_DISCARD, pair.server, ECHO_WOULD_BLOCK);
	close_pair(pair);
}

/* Writes until the peer takes no more; how much it took. */
static uint64_t fill(int server)
{
	static uint8_t bytes[ROOM];
	struct echo_result result;
	uint64_t count = 0;

	for (;;) {
		result = perform(ECHO_OP_WRITE, server, bytes, sizeof(bytes));
		if (result.outcome != ECHO_DONE)
			break;
		assert_in_range(result.count, 1, sizeof(bytes));
		count += result.count;
	}
	check_result(result, ECHO_WOULD_BLOCK, 0);
	return count;
}

static void drain_client(struct pair pair, uint64_t owed)
{
	static uint8_t bytes[ROOM];

	while (owed > 0) {
		ssize_t count = recv(pair.client, bytes, sizeof(bytes), 0);

		assert_true(count > 0);
		owed -= (uint64_t)count;
	}
}

/*
 * ECHO-30: A peer that does not read MUST NOT be read from without bound: a write would block.
 * ECHO-15: ... until its peer has acknowledged every byte owed: what is unacknowledged is counted,
 * and with the peer's FIN behind its last acknowledgement, nothing is.
 */
static void unacknowledged_bytes_are_counted(void **state)
{
	struct pair pair = connect_pair();
	uint64_t owed;

	(void)state;
	check_outcome(ECHO_OP_UNACKED, pair.server, ECHO_DONE);
	owed = fill(pair.server);
	assert_true(perform(ECHO_OP_UNACKED, pair.server, NULL, 0).count > 0);
	drain_client(pair, owed);
	assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
	await(pair.server, POLLRDHUP);
	check_outcome(ECHO_OP_UNACKED, pair.server, ECHO_DONE);
	close_pair(pair);
}

/* ECHO-11: Where a peer half-closes after its data was echoed, the server MUST end the stream with
 * FIN: every way to read tells the end, as often as it is asked. */
static void the_end_of_a_stream_is_told(void **state)
{
	struct pair pair = connect_pair();

	(void)state;
	assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
	await(pair.server, POLLRDHUP);
	check_outcome(ECHO_OP_PEEK, pair.server, ECHO_END);
	check_outcome(ECHO_OP_CONSUME, pair.server, ECHO_END);
	check_outcome(ECHO_OP_DISCARD, pair.server, ECHO_END);
	check_outcome(ECHO_OP_READ, pair.server, ECHO_END);
	check_outcome(ECHO_OP_READ, pair.server, ECHO_END);
	close_pair(pair);
}

/* ECHO-12: ... the server MUST end the stream with FIN: a shutdown ends our direction and leaves
 * the other open. */
static void a_shutdown_ends_one_direction(void **state)
{
	struct pair pair = connect_pair();
	char bytes[16] = "";

	(void)state;
	check_outcome(ECHO_OP_SHUTDOWN, pair.server, ECHO_DONE);
	assert_int_equal(recv(pair.client, bytes, sizeof(bytes), 0), 0);
	client_sends(pair, "late");
	check_result(perform(ECHO_OP_READ, pair.server, bytes, 16), ECHO_DONE, 4);
	close_pair(pair);
}

/* ECHO-16: When a connection has ended, its descriptor MUST be released. */
static void a_close_releases_the_descriptor(void **state)
{
	struct pair pair = connect_pair();
	char byte;

	(void)state;
	check_outcome(ECHO_OP_CLOSE, pair.server, ECHO_DONE);
	assert_int_equal(fcntl(pair.server, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
	pair.server = -1;
	close_pair(pair);
}

/*
 * ECHO-50: A reset of one connection MUST NOT disturb another: each call says that the peer is
 * gone. ECHO-84: A broken pipe MUST lose nothing: it raises no signal.
 */
static void a_reset_is_told_by_each_call(void **state)
{
	static const enum echo_op ops[] = { ECHO_OP_READ,    ECHO_OP_PEEK,    ECHO_OP_WRITE,
					    ECHO_OP_CONSUME, ECHO_OP_DISCARD, ECHO_OP_SHUTDOWN };

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct pair pair = connect_pair();

		signal(SIGPIPE,
		       SIG_DFL); /* linux_open() ignores it; none of these relies on that */
		client_resets(&pair);
		check_outcome(ops[i], pair.server, ECHO_GONE);
		check_outcome(ECHO_OP_WRITE, pair.server, ECHO_GONE); /* EPIPE, if not the first */
		check_outcome(ECHO_OP_CLOSE, pair.server, ECHO_DONE);
		pair.server = -1;
		close_pair(pair);
	}
}

/* ECHO-84: A broken pipe MUST lose nothing: SIGPIPE is ignored, for the log and for what leaves a pipe. */
static void a_broken_pipe_is_nobodys_business(void **state)
{
	struct sigaction action;

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	open_on("127.0.0.1");
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_IGN);
	linux_close(&sys);
}

/* ECHO-55: Any error of a call on a connection MUST end that connection at most: a descriptor that
 * is none is told as a failure, and as nothing else. */
static void a_bad_handle_fails(void **state)
{
	static const enum echo_op ops[] = { ECHO_OP_READ,     ECHO_OP_PEEK,    ECHO_OP_WRITE,
					    ECHO_OP_CONSUME,  ECHO_OP_DISCARD, ECHO_OP_UNACKED,
					    ECHO_OP_SHUTDOWN, ECHO_OP_CLOSE,   ECHO_OP_WATCH };

	(void)state;
	open_on("127.0.0.1");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		check_outcome(ops[i], -1, ECHO_FAILED);
	linux_close(&sys);
}

enum { PIPE_SIZE = 65536 };

static struct pair connect_piped(uint32_t pipes)
{
	struct pair pair = connect_pair();

	assert_int_equal(linux_open_pipes(&sys, pipes, PIPE_SIZE), pipes);
	return pair;
}

static struct echo_result perform_piped(enum echo_op op, int handle, int32_t pipe, void *data,
					uint32_t length)
{
	struct echo_action action = { .op = op,
				      .token = TOKEN,
				      .handle = handle,
				      .pipe = pipe,
				      .data = data,
				      .length = length };

	return linux_perform(&sys, &action);
}

/* ECHO-162: ... nothing that is left in the pipe MUST get lost or be overtaken: what goes in comes out, in
 * parts as well, and each pipe has its own. */
static void what_fills_a_pipe_empties_it(void **state)
{
	struct pair pair = connect_piped(2);
	char bytes[16] = "";

	(void)state;
	client_sends(pair, "first");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_DONE, 5);
	client_sends(pair, "second");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 1, NULL, 3), ECHO_DONE, 3);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 2), ECHO_DONE, 2);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 1, NULL, 3), ECHO_DONE, 3);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 3), ECHO_DONE, 3);
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_DONE, 3);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 3), ECHO_DONE, 3);
	assert_int_equal(recv(pair.client, bytes, 11, MSG_WAITALL), 11);
	assert_string_equal(bytes, "fisecrstond");
	close_pair(pair);
}

/* ECHO-161: What stops a fill of a pipe MUST decide nothing: a full pipe, an urgent mark and an empty
 * queue look alike. */
static void what_stops_a_fill_looks_alike(void **state)
{
	struct pair pair = connect_piped(1);
	char bytes[16] = "";

	(void)state;
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_WOULD_BLOCK,
		     0);
	assert_int_equal(send(pair.client, "!", 1, MSG_OOB), 1);
	await(pair.server, POLLPRI);
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_WOULD_BLOCK,
		     0);
	check_result(perform(ECHO_OP_READ, pair.server, bytes, sizeof(bytes)), ECHO_DONE, 1);
	for (int i = 0; i < PIPE_SIZE / 4096; i++) { /* a segment a slot, and a page has one slot */
		client_sends(pair, "x");
		check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE),
			     ECHO_DONE, 1);
	}
	client_sends(pair, "x");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_WOULD_BLOCK,
		     0);
	close_pair(pair);
}

/* ECHO-161: ... but a reset MUST be believed, for it is told once. */
static void a_reset_stops_a_fill(void **state)
{
	struct pair pair = connect_piped(1);

	(void)state;
	client_resets(&pair);
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_GONE, 0);
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_END, 0);
	close_pair(pair);
}

/* ECHO-50: A reset of one connection MUST NOT disturb another: what is sent out of a pipe to a peer
 * that is gone raises no signal, and what is left can be removed (ECHO-163). */
static void a_reset_stops_what_leaves_a_pipe(void **state)
{
	struct pair pair = connect_piped(1);
	char bytes[16] = "";

	(void)state;
	client_sends(pair, "left");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_DONE, 4);
	client_resets(&pair);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 4), ECHO_GONE, 0);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 4), ECHO_GONE, 0);
	check_result(perform_piped(ECHO_OP_PURGE, pair.server, 0, bytes, 3), ECHO_DONE, 3);
	check_result(perform_piped(ECHO_OP_PURGE, pair.server, 0, bytes, 3), ECHO_DONE, 1);
	check_result(perform_piped(ECHO_OP_PURGE, pair.server, 0, bytes, 3), ECHO_WOULD_BLOCK, 0);
	close_pair(pair);
}

/* ECHO-162: ... nothing that is left in the pipe MUST get lost: where the peer takes no more, it stays. */
static void a_full_peer_leaves_the_pipe_as_it_is(void **state)
{
	struct pair pair = connect_piped(1);
	static char bytes[PIPE_SIZE];
	struct echo_result result;

	(void)state;
	client_sends(pair, "kept");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_DONE, 4);
	do
		result = perform(ECHO_OP_WRITE, pair.server, bytes, sizeof(bytes));
	while (result.outcome == ECHO_DONE);
	assert_int_equal(result.outcome, ECHO_WOULD_BLOCK);
	check_result(perform_piped(ECHO_OP_EMPTY, pair.server, 0, NULL, 4), ECHO_WOULD_BLOCK, 0);
	check_result(perform_piped(ECHO_OP_PURGE, pair.server, 0, bytes, 16), ECHO_DONE, 4);
	assert_memory_equal(bytes, "kept", 4);
	close_pair(pair);
}

/* ECHO-164: A socket that cannot be moved through a pipe MUST be echoed all the same: it is told as a
 * failure of that call, as are a pipe's own. */
static void what_cannot_be_spliced_fails(void **state)
{
	struct pair pair = connect_piped(1);
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC | O_APPEND);

	(void)state;
	assert_true(file >= 0);
	check_result(perform_piped(ECHO_OP_FILL, -1, 0, NULL, PIPE_SIZE), ECHO_FAILED, 0);
	check_result(perform_piped(ECHO_OP_FILL, sys.epoll, 0, NULL, PIPE_SIZE), ECHO_FAILED, 0);
	client_sends(pair, "x");
	check_result(perform_piped(ECHO_OP_FILL, pair.server, 0, NULL, PIPE_SIZE), ECHO_DONE, 1);
	check_result(perform_piped(ECHO_OP_EMPTY, -1, 0, NULL, 1), ECHO_FAILED, 0);
	check_result(perform_piped(ECHO_OP_EMPTY, file, 0, NULL, 1), ECHO_FAILED, 0);
	close(file);
	close_pair(pair);
}

/* ECHO-165: Pipes MUST be opened before the first accept, at most `--pipes` of them, and fewer, down to
 * none, where the kernel or the limit of descriptors leaves no room; none is left open. */
static void pipes_are_as_many_as_there_can_be(void **state)
{
	struct rlimit limit, tight;
	int next;

	(void)state;
	open_on("127.0.0.1");
	next = dup(sys.epoll);
	close(next);
	assert_int_equal(linux_open_pipes(&sys, LINUX_PIPES_MAX + 1, PIPE_SIZE), LINUX_PIPES_MAX);
	for (uint32_t i = 0; i < LINUX_PIPES_MAX; i++) {
		assert_int_equal(fcntl(sys.pipes[i][1], F_GETPIPE_SZ), PIPE_SIZE);
		for (int end = 0; end < LINUX_PIPE_DESCRIPTORS; end++) {
			assert_true((fcntl(sys.pipes[i][end], F_GETFL) & O_NONBLOCK) != 0);
			assert_int_equal(fcntl(sys.pipes[i][end], F_GETFD), FD_CLOEXEC);
		}
	}
	linux_close(&sys);
	open_on("127.0.0.1");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)next + 2 * LINUX_PIPE_DESCRIPTORS + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(linux_open_pipes(&sys, LINUX_PIPES_MAX, PIPE_SIZE), 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	linux_close(&sys);
	open_on("127.0.0.1");
	assert_int_equal(linux_open_pipes(&sys, 1, UINT32_C(1) << 31),
			 0); /* larger than there are */
	assert_int_equal(dup(sys.epoll), next);
	close(next);
	linux_close(&sys);
}

/* ECHO-56: Only a broken listener or epoll instance MUST end the process: both are told. */
static void a_broken_listener_or_instance_is_told(void **state)
{
	(void)state;
	open_on("127.0.0.1");
	linux_close(&sys);
	check_outcome(ECHO_OP_ACCEPT, -1, ECHO_BROKEN);
	check_outcome(ECHO_OP_PAUSE, -1, ECHO_BROKEN);
	check_outcome(ECHO_OP_RESUME, -1, ECHO_BROKEN);
	check_outcome(ECHO_OP_WAIT, -1, ECHO_BROKEN);
}

/* ECHO-52: ... accepting MUST pause without spinning and resume: a listener that is paused tells of
 * no connection, and one that is resumed tells again. */
static void a_paused_listener_is_silent(void **state)
{
	struct echo_result result;
	int client;

	(void)state;
	open_on("127.0.0.1");
	check_outcome(ECHO_OP_PAUSE, -1, ECHO_DONE);
	client = connect_to("127.0.0.1", address_port(&sys.address));
	assert_true(client >= 0);
	await(sys.listener, POLLIN);
	result = wait_events(0);
	assert_int_equal(result.outcome, ECHO_DONE);
	assert_int_equal(result.events_count, 0);
	check_outcome(ECHO_OP_RESUME, -1, ECHO_DONE);
	for (int i = 0; i < 2; i++) { /* level-triggered: told again */
		result = wait_events(PATIENCE_MS);
		assert_int_equal(result.events_count, 1);
		assert_true(result.events[0].token == ECHO_TOKEN_LISTENER);
		assert_int_equal(result.events[0].readiness, ECHO_IN);
	}
	close(accept_one());
	close(client);
	linux_close(&sys);
}

/* ECHO-80: ... before the listener closes: from then on nobody is told to be connected. */
static void an_unlistened_port_refuses(void **state)
{
	struct pair pair = connect_pair();
	int before = sys.listener;

	(void)state;
	check_outcome(ECHO_OP_UNLISTEN, -1, ECHO_DONE);
	assert_int_equal(sys.listener, -1);
	assert_int_equal(fcntl(before, F_GETFD), -1);
	assert_int_equal(connect_to("127.0.0.1", address_port(&sys.address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	client_sends(pair, "x"); /* a connection outlives its listener */
	close_pair(pair);
}

/* ECHO-25: One wait MUST take at most a fixed number of events. */
static void a_wait_takes_no_more_than_it_is_asked_for(void **state)
{
	struct echo_action action = { .op = ECHO_OP_WAIT, .events_max = 1, .timeout_ms = 0 };
	struct echo_result result;
	struct pair pair = connect_pair();
	int client = connect_to("127.0.0.1", address_port(&sys.address));

	(void)state;
	assert_true(client >= 0);
	await(sys.listener, POLLIN);
	check_outcome(ECHO_OP_WATCH, pair.server, ECHO_DONE);
	result = linux_perform(&sys, &action);
	assert_int_equal(result.events_count, 1);
	action.events_max = UINT32_MAX; /* more than there is room for */
	result = linux_perform(&sys, &action);
	assert_in_range(result.events_count, 1, 2);
	close(client);
	close_pair(pair);
}

static struct echo_result after_signals(int first, int second)
{
	assert_int_equal(kill(getpid(), first), 0);
	if (second != 0)
		assert_int_equal(kill(getpid(), second), 0);
	return wait_events(PATIENCE_MS);
}

/*
 * ECHO-81: At SIGTERM or SIGINT, every connection MUST get ... an orderly end: both ask to stop.
 * ECHO-85: SIGUSR1 MUST print the statistics: it asks to report.
 */
static void signals_become_requests(void **state)
{
	struct echo_result result;

	(void)state;
	open_on("127.0.0.1");
	result = after_signals(SIGTERM, 0);
	assert_int_equal(result.outcome, ECHO_DONE);
	assert_int_equal(result.requests, ECHO_REQUEST_STOP);
	assert_int_equal(result.events_count, 0);
	assert_int_equal(after_signals(SIGINT, 0).requests, ECHO_REQUEST_STOP);
	assert_int_equal(after_signals(SIGUSR1, 0).requests, ECHO_REQUEST_REPORT);
	assert_int_equal(after_signals(SIGUSR1, SIGTERM).requests,
			 ECHO_REQUEST_REPORT | ECHO_REQUEST_STOP);
	assert_int_equal(after_signals(SIGINT, SIGUSR1).requests,
			 ECHO_REQUEST_REPORT | ECHO_REQUEST_STOP);
	assert_int_equal(wait_events(0).requests, 0);
	assert_int_equal(signals_requests(sys.signals), 0); /* nothing to read */
	assert_int_equal(signals_requests(-1), 0);
	linux_close(&sys);
}

/* ECHO-83: A second SIGTERM or SIGINT MUST end the process at once: also one that arrives together
 * with the first. */
static void two_signals_in_one_read_abort(void **state)
{
	(void)state;
	open_on("127.0.0.1");
	assert_int_equal(after_signals(SIGTERM, SIGINT).requests,
			 ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);
	assert_int_equal(after_signals(SIGINT, SIGTERM).requests,
			 ECHO_REQUEST_STOP | ECHO_REQUEST_ABORT);
	linux_close(&sys);
}

static void do_nothing(int number)
{
	(void)number;
}

/* ECHO-26: A system call that was interrupted MUST be made again: an interrupted wait is told as
 * such, with the time and without a request. */
static void an_interrupted_wait_is_told(void **state)
{
	struct sigaction action = { .sa_handler = do_nothing }, before; /* no SA_RESTART */
	struct itimerval soon = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct echo_result result;
	uint64_t now_ms;

	(void)state;
	open_on("127.0.0.1");
	now_ms = linux_now_ms();
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	result = wait_events(-1);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	check_result(result, ECHO_INTERRUPTED, 0);
	assert_int_equal(result.requests, 0);
	assert_int_equal(result.events_count, 0);
	assert_true(result.now_ms >= now_ms);
	linux_close(&sys);
}

/* ECHO-105: Each errno that a call documents MUST be mapped on purpose: no row of the table is
 * hidden by one above it. */
static void every_row_of_the_table_counts(void **state)
{
	enum echo_op op;
	enum echo_outcome outcome;
	int error;
	size_t rows = 0;

	(void)state;
	for (; linux_outcome_row(rows, &op, &error, &outcome); rows++)
		if (linux_outcome(op, error) != outcome)
			fail_msg("row %zu: %s of %s is %s", rows, strerror(error), echo_op_name(op),
				 echo_outcome_name(linux_outcome(op, error)));
	assert_true(rows > 50);
	assert_false(linux_outcome_row(rows + 1, &op, &error, &outcome));
	assert_false(linux_outcome_row(SIZE_MAX, &op, &error, &outcome));
}

static bool has_own_row(enum echo_op wanted, int wanted_error)
{
	enum echo_op op;
	enum echo_outcome outcome;
	int error;

	for (size_t i = 0; linux_outcome_row(i, &op, &error, &outcome); i++)
		if (error == wanted_error && (op == wanted || op == ECHO_OP_NONE))
			return true;
	return false;
}

/* Calls on a pipe share the rows of those on the socket. */
static bool has_row(enum echo_op wanted, int wanted_error)
{
	if (has_own_row(wanted, wanted_error))
		return true;
	if (wanted == ECHO_OP_FILL || wanted == ECHO_OP_PURGE)
		return has_own_row(ECHO_OP_READ, wanted_error);
	return wanted == ECHO_OP_EMPTY && has_own_row(ECHO_OP_WRITE, wanted_error);
}

/* What the manual pages of Debian 12 say under ERRORS, and for accept(2) under "Error handling";
 * of EWOULDBLOCK, EAGAIN is the same. A list ends with 0. */
static const struct {
	enum echo_op op;
	int errors[32];
} documented[] = {
	{ ECHO_OP_ACCEPT,
	  { EAGAIN,   EBADF,       ECONNABORTED, EFAULT,          EINTR,           EINVAL,
	    EMFILE,   ENFILE,      ENOBUFS,      ENOMEM,          ENOTSOCK,        EOPNOTSUPP,
	    EPERM,    EPROTO,      ENOSR,        ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT,
	    ENETDOWN, ENOPROTOOPT, EHOSTDOWN,    ENONET,          EHOSTUNREACH,    ENETUNREACH } },
	{ ECHO_OP_WATCH, { EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM } },
	{ ECHO_OP_PAUSE, { EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM } },
	{ ECHO_OP_WAIT, { EBADF, EFAULT, EINTR, EINVAL } },
	{ ECHO_OP_READ,
	  { EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK,
	    ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH } },
	{ ECHO_OP_WRITE,
	  { EACCES,       EAGAIN,    EALREADY,     EBADF,      EBADF,      ECONNRESET,
	    EDESTADDRREQ, EFAULT,    EINTR,        EINVAL,     EISCONN,    EMSGSIZE,
	    ENOBUFS,      ENOMEM,    ENOTCONN,     ENOTSOCK,   EOPNOTSUPP, EPIPE,
	    EPERM,        ETIMEDOUT, EHOSTUNREACH, ENETUNREACH } },
	{ ECHO_OP_FILL, { EAGAIN, EBADF, EINVAL, ENOMEM, ESPIPE } },
	{ ECHO_OP_EMPTY, { EAGAIN, EBADF, EINVAL, ENOMEM, ESPIPE } },
	{ ECHO_OP_PURGE, { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR } },
	{ ECHO_OP_UNACKED, { EBADF, EFAULT, EINVAL, ENOTTY } },
	{ ECHO_OP_SHUTDOWN, { EBADF, EINVAL, ENOTCONN, ENOTSOCK } },
	{ ECHO_OP_CLOSE, { EBADF, EINTR, EIO, ENOSPC, EDQUOT } },
};

/* ECHO-105: Each errno that a call documents MUST be mapped on purpose. */
static void every_documented_errno_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++)
		for (const int *error = documented[i].errors; *error != 0; error++)
			if (!has_row(documented[i].op, *error))
				fail_msg("%s of %s has no row", strerror(*error),
					 echo_op_name(documented[i].op));
}

/* ECHO-55: Any error of a call on a connection MUST end that connection at most: an errno that
 * nobody knows is a failure. */
static void an_unknown_errno_is_a_failure(void **state)
{
	static const int errors[] = { 0, -1, -EAGAIN, 9999, INT32_MAX, INT32_MIN, EXDEV, ENOEXEC };

	(void)state;
	for (enum echo_op op = ECHO_OP_WAIT; op < ECHO_OP_COUNT; op++)
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			assert_int_equal(linux_outcome(op, errors[i]), ECHO_FAILED);
}

/* ECHO-26: A system call that was interrupted MUST be made again: but a close must not, as the
 * number may be another's by then (close(2)). */
static void only_a_close_is_not_interrupted(void **state)
{
	(void)state;
	for (enum echo_op op = ECHO_OP_WAIT; op < ECHO_OP_COUNT; op++) {
		bool closes = op == ECHO_OP_CLOSE || op == ECHO_OP_UNLISTEN;

		assert_int_equal(linux_outcome(op, EINTR), closes ? ECHO_FAILED : ECHO_INTERRUPTED);
		assert_int_equal(linux_outcome(op, EAGAIN), ECHO_WOULD_BLOCK);
	}
}

/* ECHO-105: Each errno that a call documents MUST be mapped on purpose: calls that are the same
 * have the same rows. */
static void the_same_call_has_the_same_rows(void **state)
{
	enum echo_op op;
	enum echo_outcome outcome;
	int error;

	(void)state;
	for (size_t i = 0; linux_outcome_row(i, &op, &error, &outcome); i++) {
		assert_int_equal(linux_outcome(ECHO_OP_PEEK, error),
				 linux_outcome(ECHO_OP_READ, error));
		assert_int_equal(linux_outcome(ECHO_OP_CONSUME, error),
				 linux_outcome(ECHO_OP_READ, error));
		assert_int_equal(linux_outcome(ECHO_OP_DISCARD, error),
				 linux_outcome(ECHO_OP_READ, error));
		if (op == ECHO_OP_READ) {
			assert_int_equal(linux_outcome(ECHO_OP_FILL, error), outcome);
			assert_int_equal(linux_outcome(ECHO_OP_PURGE, error), outcome);
		}
		if (op == ECHO_OP_WRITE)
			assert_int_equal(linux_outcome(ECHO_OP_EMPTY, error), outcome);
		assert_int_equal(linux_outcome(ECHO_OP_RESUME, error),
				 linux_outcome(ECHO_OP_PAUSE, error));
		assert_int_equal(linux_outcome(ECHO_OP_UNLISTEN, error),
				 linux_outcome(ECHO_OP_CLOSE, error));
	}
}

static void check_format(const char *text, const char *expected)
{
	struct sockaddr_storage address;
	socklen_t length;
	char formatted[ADDRESS_TEXT_SIZE];

	if (!address_parse(text, 3000, &address, &length))
		fail_msg("refused: \"%s\"", text);
	assert_int_equal(address_port(&address), 3000);
	address_format(&address, formatted);
	assert_string_equal(formatted, expected);
}

/* ECHO-70: ... one line with its real address and port: IPv6 addresses in brackets, and IPv4 ones
 * as themselves where they are mapped into IPv6. */
static void addresses_are_read_and_written(void **state)
{
	(void)state;
	check_format("127.0.0.1", "127.0.0.1:3000");
	check_format("255.255.255.255", "255.255.255.255:3000");
	check_format("::", "[::]:3000");
	check_format("::1", "[::1]:3000");
	check_format("2001:DB8:0:0::1", "[2001:db8::1]:3000");
	check_format("::ffff:192.0.2.7", "192.0.2.7:3000");
	check_format("::192.0.2.7", "[::192.0.2.7]:3000");
	check_format("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:3000");
}

/* ECHO-70: ... one line with its real address: a scope is an interface, by its name. */
static void a_scope_is_an_interface(void **state)
{
	struct sockaddr_storage address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	socklen_t length;
	char name[IF_NAMESIZE], text[64], expected[64], formatted[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_non_null(if_indextoname(1, name)); /* loopback is always the first */
	snprintf(text, sizeof(text), "fe80::1%%%s", name);
	snprintf(expected, sizeof(expected), "[fe80::1%%%s]:3000", name);
	check_format(text, expected);
	assert_true(address_parse(text, 0, &address, &length));
	assert_int_equal(v6->sin6_scope_id, 1);
	v6->sin6_scope_id = INT32_MAX; /* an interface that has gone */
	address_format(&address, formatted);
	assert_string_equal(formatted, "[fe80::1]:0");
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value: what is no address
 * is not taken for one. */
static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"1.2.3",
		"localhost",
		"::g",
		"1.2.3.4.5",
		"::1%",
		"fe80::1%no-such-interface",
		"%lo",
		"1.2.3.4%lo",
		"fe80::1%lo%lo",
		"::1 ",
		"[::1]",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2551",
	};
	struct sockaddr_storage address;
	socklen_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (address_parse(texts[i], 1, &address, &length))
			fail_msg("not refused: \"%s\"", texts[i]);
}

/* ECHO-90: --verbose MUST tell each registration, with its peer: one that has no name is "?". */
static void an_address_of_another_family_is_a_question_mark(void **state)
{
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	char formatted[ADDRESS_TEXT_SIZE];

	(void)state;
	address_format(&address, formatted);
	assert_string_equal(formatted, "?");
	assert_int_equal(address_port(&address), 0);
}

/* ECHO-74: ... as many connections MUST be allowed as descriptors allow: the soft limit is raised
 * to the hard one. */
static void the_soft_limit_is_raised(void **state)
{
	struct rlimit before, low, after;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = before.rlim_max < 64 ? before.rlim_max : 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(linux_raise_descriptors(), before.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	assert_int_equal(after.rlim_cur, before.rlim_max);
	assert_int_equal(linux_raise_descriptors(), before.rlim_max); /* nothing to raise */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ECHO-37: The memory MUST be fixed before the first accept: memory that cannot be had is told. */
static void memory_that_cannot_be_had_is_told(void **state)
{
	uint8_t *memory = linux_memory(4096);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(memory[0] | memory[4095], 0);
	errno = 0;
	assert_null(linux_memory(SIZE_MAX / 2 + 1));
	assert_int_not_equal(errno, 0); /* ENOMEM, and under Valgrind EINVAL */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_sockets_inherit_nodelay),
		cmocka_unit_test(accepted_sockets_inherit_keepalive),
		cmocka_unit_test(accepted_sockets_receive_urgent_data_in_line),
		cmocka_unit_test(accepted_sockets_do_not_block),
		cmocka_unit_test(the_port_is_not_shared),
		cmocka_unit_test(the_port_can_be_had_again_at_once),
		cmocka_unit_test(the_real_port_is_known),
		cmocka_unit_test(the_unspecified_address_serves_both),
		cmocka_unit_test(an_address_of_another_machine_cannot_be_had),
		cmocka_unit_test(a_failure_to_open_leaves_nothing_open),
		cmocka_unit_test(accept_tells_that_descriptors_ran_out),
		cmocka_unit_test(registrations_are_as_promised),
		cmocka_unit_test(a_watched_connection_tells_its_edges),
		cmocka_unit_test(a_registration_that_fails_is_told),
		cmocka_unit_test(a_read_takes_and_a_write_sends),
		cmocka_unit_test(a_peek_leaves_what_a_consume_removes),
		cmocka_unit_test(a_discard_removes_what_is_there),
		cmocka_unit_test(nothing_to_read_would_block),
		cmocka_unit_test(unacknowledged_bytes_are_counted),
		cmocka_unit_test(the_end_of_a_stream_is_told),
		cmocka_unit_test(a_shutdown_ends_one_direction),
		cmocka_unit_test(a_close_releases_the_descriptor),
		cmocka_unit_test(a_reset_is_told_by_each_call),
		cmocka_unit_test(a_broken_pipe_is_nobodys_business),
		cmocka_unit_test(a_bad_handle_fails),
		cmocka_unit_test(what_fills_a_pipe_empties_it),
		cmocka_unit_test(what_stops_a_fill_looks_alike),
		cmocka_unit_test(a_reset_stops_a_fill),
		cmocka_unit_test(a_reset_stops_what_leaves_a_pipe),
		cmocka_unit_test(a_full_peer_leaves_the_pipe_as_it_is),
		cmocka_unit_test(what_cannot_be_spliced_fails),
		cmocka_unit_test(pipes_are_as_many_as_there_can_be),
		cmocka_unit_test(a_broken_listener_or_instance_is_told),
		cmocka_unit_test(a_paused_listener_is_silent),
		cmocka_unit_test(an_unlistened_port_refuses),
		cmocka_unit_test(a_wait_takes_no_more_than_it_is_asked_for),
		cmocka_unit_test(signals_become_requests),
		cmocka_unit_test(two_signals_in_one_read_abort),
		cmocka_unit_test(an_interrupted_wait_is_told),
		cmocka_unit_test(every_row_of_the_table_counts),
		cmocka_unit_test(every_documented_errno_has_a_row),
		cmocka_unit_test(an_unknown_errno_is_a_failure),
		cmocka_unit_test(only_a_close_is_not_interrupted),
		cmocka_unit_test(the_same_call_has_the_same_rows),
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(a_scope_is_an_interface),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(an_address_of_another_family_is_a_question_mark),
		cmocka_unit_test(the_soft_limit_is_raised),
		cmocka_unit_test(memory_that_cannot_be_had_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
