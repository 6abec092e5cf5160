/* The log, with readers that stall, go away or take a part: who writes is never held up, and who
 * reads sees whole lines. An alarm ends a test that is held up after all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "narrate.h"

enum {
	PATIENCE_S = 30,
	PIPE_SIZE = 4096,
	LINES = 20000,
	SEEN_MAX = 1 << 22,
	PATH_SIZE = 64,
	DEPTH_MAX = 8,
	FILLER_MAX = 800
};

static struct log logger;

/* All that a reader has seen, and where the line that is looked at begins. */
static char seen[SEEN_MAX + 1];
static size_t seen_length, line_start;

static int begin_patience(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as linux_open() does */
	alarm(PATIENCE_S);
	seen_length = 0;
	line_start = 0;
	return 0;
}

static int end_patience(void **state)
{
	(void)state;
	alarm(0);
	return 0;
}

/* Reads all that is there now. The flags are those of the reader's end. */
static void read_all(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	while (poll(&ready, 1, 0) == 1 && seen_length < SEEN_MAX) {
		ssize_t count = read(fd, seen + seen_length, SEEN_MAX - seen_length);

		if (count <= 0)
			break;
		seen_length += (size_t)count;
	}
	seen[seen_length] = '\0';
}

/* The next whole line that was seen, without its newline; NULL: there is none. */
static char *next_line(void)
{
	char *line = seen + line_start;
	char *newline = memchr(line, '\n', seen_length - line_start);

	if (newline == NULL)
		return NULL;
	*newline = '\0';
	line_start = (size_t)(newline - seen) + 1;
	return line;
}

static void check_line(const char *expected)
{
	char *line = next_line();

	assert_non_null(line);
	assert_string_equal(line, expected);
}

static void write_line(const char *text)
{
	log_add(&logger, "%s", text);
	log_end(&logger);
}

/* A small pipe: [0] to read from, [1] to write to. */
static void open_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE);
}

static void close_pipe(int ends[2])
{
	log_close(&logger);
	close(ends[0]);
	close(ends[1]);
}

/* A line that says its number, and is as long as the number makes it. */
static void write_numbered(unsigned number)
{
	log_add(&logger, "line %u %0*d.", number, (int)(1 + number * 37 % FILLER_MAX), 0);
	log_end(&logger);
}

/* What a reader makes of numbered lines: they are whole and in order, and every one that is
 * missing was counted, before the next one that is there. */
struct reader {
	unsigned next; /* number of the line that would come next */
	uint64_t told; /* dropped before it, and told so */
	uint64_t told_ever;
};

static void check_numbered(struct reader *reader, const char *line)
{
	char expected[LOG_LINE_MAX];
	unsigned number;
	unsigned long long dropped;

	if (sscanf(line, "epoll-echo: log: %llu lines dropped", &dropped) == 1) {
		assert_true(dropped > 0);
		reader->told += dropped;
		reader->told_ever += dropped;
		return;
	}
	if (sscanf(line, "line %u ", &number) != 1)
		fail_msg("a torn line: \"%s\"", line);
	snprintf(expected, sizeof(expected), "line %u %0*d.", number,
		 (int)(1 + number * 37 % FILLER_MAX), 0);
	assert_string_equal(line, expected);
	assert_int_equal(number, reader->next + reader->told);
	reader->next = number + 1;
	reader->told = 0;
}

static void check_all_numbered(struct reader *reader)
{
	char *line;

	while ((line = next_line()) != NULL)
		check_numbered(reader, line);
}

/* ECHO-91: A reader of the log that stalls MUST NOT stall the echo; lines are dropped and counted,
 * and the count is told when it reads again. */
static void a_pipe_that_nobody_reads_drops_lines(void **state)
{
	int ends[2];
	unsigned number = 0;
	struct reader reader = { 0 };

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	for (; number < 100; number++)
		write_numbered(number);
	assert_in_range(logger.dropped, 1, 99);

	read_all(ends[0]);
	write_numbered(number++);
	assert_int_equal(logger.dropped, 0);          /* told */
	assert_in_range(log_dropped(&logger), 1, 99); /* and not forgotten: ECHO-85 */
	read_all(ends[0]);
	check_all_numbered(&reader);
	assert_int_equal(reader.next, number);
	assert_true(reader.told_ever > 0);
	assert_int_equal(line_start, seen_length);
	close_pipe(ends);
}

/* ECHO-93: With --log-format json every line MUST be one JSON object: also the count of those that
 * were dropped (ECHO-91). */
static void the_count_is_told_in_json(void **state)
{
	int ends[2];
	char expected[64];

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], true);
	for (unsigned i = 0; logger.dropped < 3; i++)
		write_line("{\"event\":\"x\"}");
	snprintf(expected, sizeof(expected), "{\"event\":\"dropped\",\"lines\":%llu}",
		 (unsigned long long)logger.dropped);
	read_all(ends[0]);
	seen_length = 0;
	write_line("{}");
	read_all(ends[0]);
	check_line(expected);
	check_line("{}");
	close_pipe(ends);
}

/* ECHO-91: ... lines are dropped and counted: a reader that takes a little now and then sees whole
 * lines, in order, and the sum is right. */
static void a_slow_reader_sees_whole_lines(void **state)
{
	int ends[2];
	struct reader reader = { 0 };

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	for (unsigned number = 0; number < LINES; number++) {
		write_numbered(number);
		if (number % 97 == 0 && seen_length + 2 * PIPE_SIZE < SEEN_MAX)
			read_all(ends[0]);
	}
	read_all(ends[0]);
	check_all_numbered(&reader);
	assert_int_equal(line_start, seen_length);
	assert_int_equal(reader.next + reader.told + logger.dropped, LINES);
	assert_true(reader.told_ever > 0);
	close_pipe(ends);
}

/* ECHO-91: ... MUST NOT stall the echo: not even through a descriptor that blocks and could not be
 * opened anew. */
static void a_blocking_descriptor_is_asked_first(void **state)
{
	int ends[2];
	struct reader reader = { 0 };
	unsigned number = 0;

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	log_close(&logger); /* what log_open() makes of it where /proc is missing: */
	logger.fd = ends[1];
	logger.poll = true;
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	for (; number < 100; number++)
		write_numbered(number);
	assert_true(logger.dropped > 0);
	read_all(ends[0]);
	write_numbered(number++);
	read_all(ends[0]);
	write_numbered(number++); /* a pipe that is not empty may not be asked for more */
	read_all(ends[0]);
	check_all_numbered(&reader);
	assert_int_equal(reader.next + reader.told + logger.dropped, number);
	close_pipe(ends);
}

/* A connection over loopback with little room: [0] to read from, [1] to write to. TCP takes parts
 * of lines; a UNIX socket takes a line whole or not at all. */
static void open_tcp(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 1;

	assert_true(listener >= 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(ends[1] >= 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	assert_int_equal(connect(ends[1], (struct sockaddr *)&address, size), 0);
	ends[0] = accept(listener, NULL, NULL);
	assert_true(ends[0] >= 0);
	close(listener);
}

/* Reads a few bytes, so that room appears in the middle of a line. */
static void read_some(int fd, size_t most)
{
	ssize_t count = recv(fd, seen + seen_length, most, MSG_DONTWAIT);

	if (count > 0)
		seen_length += (size_t)count;
	seen[seen_length] = '\0';
}

/* Closes the writer's end, so that the reader's read waits for the last byte and ends. */
static void read_to_the_end(int fd)
{
	ssize_t count;

	do {
		count = recv(fd, seen + seen_length, SEEN_MAX - seen_length, 0);
		assert_true(count >= 0);
		seen_length += (size_t)count;
	} while (count > 0);
	seen[seen_length] = '\0';
}

/* ECHO-91: A reader of the log that stalls MUST NOT stall the echo: a socket that took a part of a
 * line gets the rest of it before anything else. */
static void a_line_is_never_torn(void **state)
{
	int ends[2];
	struct reader reader = { 0 };
	unsigned parts = 0, number = 0;
	size_t unsent;

	(void)state;
	open_tcp(ends);
	log_open(&logger, ends[1], false);
	assert_true(logger.socket);
	for (; number < LINES && seen_length < SEEN_MAX - (1 << 20); number++) {
		write_numbered(number);
		parts += logger.rest > 0;
		if (number % 5 == 0)
			read_some(ends[0], 1 + number * 131 % 3000);
	}
	assert_true(parts > 10); /* or nothing was put to the test */
	unsent = logger.rest;
	log_close(&logger);
	close(ends[1]);
	read_to_the_end(ends[0]);
	check_all_numbered(&reader);
	assert_true(unsent > 0 || line_start == seen_length);
	assert_true(reader.told_ever > 0);
	assert_true(reader.next + logger.dropped <= number);
	close(ends[0]);
}

/* ECHO-91: ... lines are dropped and counted: a UNIX socket that is full takes none. */
static void a_full_unix_socket_drops_lines(void **state)
{
	int ends[2], room = 1;
	struct reader reader = { 0 };
	unsigned number = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	log_open(&logger, ends[1], false);
	for (; number < 100; number++)
		write_numbered(number);
	assert_true(logger.dropped > 0);
	read_all(ends[0]);
	write_numbered(number++);
	read_all(ends[0]);
	check_all_numbered(&reader);
	assert_int_equal(reader.next + reader.told + logger.dropped, number);
	close_pipe(ends);
}

/* Writes to a descriptor through the log; its flags stay as they are. */
static void check_flags(int fd)
{
	int before = fcntl(fd, F_GETFL), before_fd = fcntl(fd, F_GETFD);

	assert_true(before >= 0);
	log_open(&logger, fd, false);
	assert_int_equal(fcntl(fd, F_GETFL), before);
	for (unsigned i = 0; i < 20; i++)
		write_numbered(i);
	assert_int_equal(fcntl(fd, F_GETFL), before);
	log_close(&logger);
	assert_int_equal(fcntl(fd, F_GETFL), before);
	assert_int_equal(fcntl(fd, F_GETFD), before_fd); /* and it is open */
}

/* ECHO-92: The flags of standard error MUST NOT be changed, whatever it is. */
static void the_flags_are_not_changed(void **state)
{
	int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *file = tmpfile();
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)state;
	open_pipe(ends);
	check_flags(ends[1]);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	check_flags(ends[1]);
	close_pipe(ends);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	check_flags(ends[1]);
	close_pipe(ends);
	assert_true(null >= 0);
	check_flags(null);
	close(null);
	assert_non_null(file);
	check_flags(fileno(file));
	fclose(file);
	if (terminal >= 0) {
		check_flags(terminal);
		close(terminal);
	}
}

/* ECHO-91: A reader of the log that goes away MUST NOT stall the echo: a pipe without a reader
 * costs lines and nothing else. */
static void a_reader_that_goes_away_does_no_harm(void **state)
{
	int ends[2];

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	write_line("seen by nobody");
	close(ends[0]);
	for (unsigned i = 0; i < 50; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 50);
	log_close(&logger);

	log_open(&logger, ends[1], false); /* that was gone from the start */
	for (unsigned i = 0; i < 50; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 50);
	log_close(&logger);
	close(ends[1]);
}

/* ECHO-91: A reader of the log that goes away MUST NOT stall the echo: a FIFO without a reader,
 * which cannot be opened anew, costs lines until there is a reader again. */
static void a_fifo_without_a_reader_does_no_harm(void **state)
{
	char folder[] = "/tmp/test-log-XXXXXX", path[PATH_SIZE];
	struct reader reader = { 0 };
	int ends[2];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ends[1] = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(ends[0] >= 0 && ends[1] >= 0);
	close(ends[0]);
	log_open(&logger, ends[1], false);
	assert_true(logger.poll);
	for (unsigned i = 0; i < 50; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 50);
	ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(ends[0] >= 0);
	write_numbered(50);
	read_all(ends[0]);
	check_all_numbered(&reader);
	assert_int_equal(reader.next, 51);
	assert_int_equal(reader.told_ever, 50);
	close_pipe(ends);
	unlink(path);
	rmdir(folder);
}

/* ECHO-91: A reader of the log that goes away MUST NOT stall the echo: the same of a socket, which
 * raises no SIGPIPE either. */
static void a_socket_that_goes_away_does_no_harm(void **state)
{
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	log_open(&logger, ends[1], false);
	close(ends[0]);
	for (unsigned i = 0; i < 50; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 50);
	log_close(&logger);
	close(ends[1]);
}

/* ECHO-91: A reader of the log that goes away MUST NOT stall the echo: nor does a standard error
 * that was closed before the start. */
static void a_closed_descriptor_does_no_harm(void **state)
{
	int ends[2];

	(void)state;
	open_pipe(ends);
	close(ends[0]);
	close(ends[1]);
	log_open(&logger, ends[1], false);
	write_line("lost");
	log_open(&logger, -1, false);
	write_line("lost");
	assert_int_equal(logger.dropped, 1);
	log_close(&logger);
	log_close(&logger); /* once more does nothing */
}

/* ECHO-91: ... lines are dropped and counted: a file and /dev/null take every line. */
static void a_file_takes_every_line(void **state)
{
	FILE *file = tmpfile();
	struct reader reader = { 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_non_null(file);
	log_open(&logger, fileno(file), false);
	assert_int_equal(logger.fd, fileno(file)); /* one offset with all who write to it */
	for (unsigned i = 0; i < 1000; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 0);
	log_close(&logger);
	rewind(file);
	seen_length = fread(seen, 1, SEEN_MAX, file);
	fclose(file);
	check_all_numbered(&reader);
	assert_int_equal(reader.next, 1000);

	assert_true(null >= 0);
	log_open(&logger, null, false);
	for (unsigned i = 0; i < 1000; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 0);
	log_close(&logger);
	close(null);
}

/* ECHO-91: ... lines are dropped and counted: a device that is full takes none. */
static void a_full_device_drops_lines(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (full < 0)
		skip();
	log_open(&logger, full, false);
	for (unsigned i = 0; i < 10; i++)
		write_numbered(i);
	assert_int_equal(logger.dropped, 10);
	log_close(&logger);
	close(full);
}

/* A reader of JSON (RFC 8259), strict, for what a log line can hold: it moves *p over one value. */
static bool json_value(const char **p, unsigned depth);

static bool json_hex(const char **p, unsigned *code)
{
	*code = 0;
	for (unsigned i = 0; i < 4; i++, (*p)++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, **p | 0x20);

		if (**p == '\0' || digit == NULL)
			return false;
		*code = *code * 16 + (unsigned)(digit - digits);
	}
	return true;
}

/* What a string says, in `bytes`, if that is not NULL; each character below 256 is a byte. */
static bool json_string(const char **p, uint8_t *bytes, size_t *length)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

	if (*(*p)++ != '"')
		return false;
	for (; **p != '"'; (*length)++) {
		unsigned code = (unsigned char)*(*p)++;

		if (code < 0x20 || code >= 0x80) /* a log line is ASCII */
			return false;
		if (code == '\\') {
			const char *escape = strchr(escapes, **p);

			if (**p == '\0')
				return false;
			if (*(*p)++ != 'u' && escape != NULL)
				code = (unsigned char)meant[escape - escapes];
			else if ((*p)[-1] != 'u' || !json_hex(p, &code) || code > 0xff)
				return false;
		}
		if (bytes != NULL)
			bytes[*length] = (uint8_t)code;
	}
	(*p)++;
	return true;
}

static bool json_object(const char **p, unsigned depth)
{
	size_t length = 0;

	if (*(*p)++ != '{')
		return false;
	if (**p == '}')
		return (*p)++, true;
	for (;;) {
		if (!json_string(p, NULL, &length) || *(*p)++ != ':' || !json_value(p, depth + 1))
			return false;
		if (**p == '}')
			return (*p)++, true;
		if (*(*p)++ != ',')
			return false;
	}
}

static bool json_value(const char **p, unsigned depth)
{
	size_t length = 0;

	if (depth > DEPTH_MAX)
		return false;
	if (**p == '{')
		return json_object(p, depth);
	if (**p == '"')
		return json_string(p, NULL, &length);
	if (strncmp(*p, "true", 4) == 0)
		return *p += 4, true;
	if (**p == '-')
		(*p)++;
	length = strspn(*p, "0123456789");
	if (length == 0 || (**p == '0' && length > 1))
		return false;
	*p += length;
	return true;
}

static void check_json(const char *line)
{
	const char *p = line;

	if (*p != '{' || !json_value(&p, 0) || *p != '\0')
		fail_msg("no JSON object at byte %zu: %s", (size_t)(p - line), line);
}

/* ECHO-93: With --log-format json every line MUST be one JSON object: whatever bytes it quotes, and
 * they can be had back from it. */
static void every_byte_can_be_quoted_in_json(void **state)
{
	int ends[2];
	uint8_t bytes[256], back[256];

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], true);
	for (unsigned i = 0; i < 256; i++) {
		const char *line, *p;
		size_t length = 0;

		for (unsigned j = 0; j < 256; j++)
			bytes[j] = (uint8_t)(i + j);
		log_add(&logger, "{\"data\":");
		log_add_bytes(&logger, bytes, 1 + i % 64, 64);
		log_add(&logger, "}");
		log_end(&logger);
		read_all(ends[0]);
		line = next_line();
		assert_non_null(line);
		check_json(line);
		p = line + strlen("{\"data\":");
		assert_true(json_string(&p, back, &length));
		assert_int_equal(length, 1 + i % 64);
		assert_memory_equal(back, bytes, length);
	}
	close_pipe(ends);
}

/* ECHO-90: --verbose MUST ... print of the data exactly what was received, in printable form and
 * bounded. */
static void every_byte_is_printable_in_text(void **state)
{
	int ends[2];
	uint8_t byte;
	const char *line;

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	for (unsigned i = 0; i < 256; i++) {
		byte = (uint8_t)i;
		log_add_bytes(&logger, &byte, 1, 64);
	}
	log_end(&logger);
	read_all(ends[0]);
	line = next_line();
	assert_non_null(line);
	for (const char *p = line; *p != '\0'; p++)
		assert_in_range(*p, 0x20, 0x7e);
	assert_memory_equal(line, "\"\\x00\"\"\\x01\"", 12);
	assert_non_null(strstr(line, "\"\\t\"\"\\n\"\"\\x0b\"\"\\x0c\"\"\\r\""));
	assert_non_null(strstr(line, "\" \"\"!\"\"\\\"\"\"#\""));
	assert_non_null(strstr(line, "\"[\"\"\\\\\"\"]\""));
	assert_non_null(strstr(line, "\"~\"\"\\x7f\"\"\\x80\""));
	assert_string_equal(line + strlen(line) - 6, "\"\\xff\"");
	close_pipe(ends);
}

/* ECHO-90: ... exactly what was received, in printable form and bounded: what is left out is
 * marked. */
static void an_excerpt_is_bounded(void **state)
{
	static const uint8_t bytes[] = "0123456789";
	int ends[2];

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	log_add_bytes(&logger, bytes, 10, 4);
	log_add_bytes(&logger, bytes, 4, 4);
	log_add_bytes(&logger, bytes, 0, 4);
	log_add_bytes(&logger, bytes, 10, 0);
	log_end(&logger);
	read_all(ends[0]);
	check_line("\"0123\"...\"0123\"\"\"\"\"...");
	close_pipe(ends);
}

/* ECHO-90: ... in printable form and bounded: a line longer than LOG_LINE_MAX is cut, and is still
 * a line; the next one is whole. */
static void a_line_that_is_too_long_is_cut(void **state)
{
	int ends[2];
	char *line;

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], false);
	for (unsigned i = 0; i < 10; i++)
		log_add(&logger, "%01000d", 7);
	log_end(&logger);
	write_line("next");
	read_all(ends[0]);
	line = next_line();
	assert_non_null(line);
	assert_in_range(strlen(line), LOG_LINE_MAX - 8, LOG_LINE_MAX - 1);
	check_line("next");
	close_pipe(ends);
}

/* Narrates one action, and gives the line that came of it. */
static const char *narrated(int reader, const struct echo_action *action,
			    const struct echo_result *result)
{
	const char *line;

	narrate(&logger, action, result);
	read_all(reader);
	line = next_line();
	assert_non_null(line);
	assert_true(strlen(line) < LOG_LINE_MAX - 8); /* it was not cut */
	return line;
}

/* ECHO-93: With --log-format json every line MUST be one JSON object: those that --verbose prints,
 * with their widest values and the worst of data. */
static void every_narrated_line_is_json(void **state)
{
	static uint8_t zeros[1024];
	struct echo_event event = { .token = UINT32_MAX - 2, .readiness = UINT32_MAX };
	struct echo_result result = {
		.outcome = ECHO_DONE, .count = sizeof(zeros), .events = &event, .events_count = 1
	};
	struct echo_action action = { .token = UINT64_MAX - 2, .data = zeros, .handle = INT32_MIN };
	int ends[2];

	(void)state;
	open_pipe(ends);
	log_open(&logger, ends[1], true);
	for (enum echo_op op = ECHO_OP_WAIT; op < ECHO_OP_COUNT; op++) {
		action.op = op;
		action.reason = ECHO_REASON_UNWATCHED;
		if (op == ECHO_OP_WAIT || op == ECHO_OP_PAUSE || op == ECHO_OP_RESUME ||
		    op == ECHO_OP_UNLISTEN || op == ECHO_OP_WATCH || op == ECHO_OP_WRITE ||
		    op == ECHO_OP_CLOSE)
			check_json(narrated(ends[0], &action, &result));
	}
	event.token = ECHO_TOKEN_LISTENER;
	action.op = ECHO_OP_WAIT;
	check_json(narrated(ends[0], &action, &result));
	action.op = ECHO_OP_ACCEPT;
	result.outcome = ECHO_NO_DESCRIPTORS;
	check_json(narrated(ends[0], &action, &result));
	close_pipe(ends);
}

/*
 * ECHO-85: SIGUSR1 and --stats MUST print the statistics, in one line that is never cut.
 * ECHO-93: With --log-format json every line MUST be one JSON object.
 */
static void the_statistics_fit_into_a_line(void **state)
{
	struct echo_config config = { .connections_max = 1,
				      .buffer_size = 1,
				      .turn_bytes = 1,
				      .round_bytes = 1,
				      .backlog_max = 1,
				      .events_max = 1,
				      .generation_bits = 1,
				      .quiet_ms = 1,
				      .retry_min_ms = 1,
				      .retry_max_ms = 1 };
	void *memory = aligned_alloc(64, echo_memory_size(&config));
	struct narrate_stats stats;
	int ends[2];

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, echo_memory_size(&config));
	memset(&stats, 0xff, sizeof(stats)); /* the longest of numbers */
	open_pipe(ends);
	for (int json = 0; json < 2; json++) {
		const char *line;

		log_open(&logger, ends[1], json != 0);
		logger.dropped = 0;
		narrate_stats(&logger, json != 0 ? UINT32_MAX : 0, &stats);
		log_close(&logger);
		read_all(ends[0]);
		line = next_line();
		assert_non_null(line);
		assert_true(strlen(line) < LOG_LINE_MAX - 64);
		if (json != 0)
			check_json(line);
	}
	free(memory);
	log_close(&logger);
	close(ends[0]);
	close(ends[1]);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, begin_patience, end_patience)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_pipe_that_nobody_reads_drops_lines),
		LOG_TEST(the_count_is_told_in_json),
		LOG_TEST(a_slow_reader_sees_whole_lines),
		LOG_TEST(a_blocking_descriptor_is_asked_first),
		LOG_TEST(a_line_is_never_torn),
		LOG_TEST(a_full_unix_socket_drops_lines),
		LOG_TEST(the_flags_are_not_changed),
		LOG_TEST(a_reader_that_goes_away_does_no_harm),
		LOG_TEST(a_fifo_without_a_reader_does_no_harm),
		LOG_TEST(a_socket_that_goes_away_does_no_harm),
		LOG_TEST(a_closed_descriptor_does_no_harm),
		LOG_TEST(a_file_takes_every_line),
		LOG_TEST(a_full_device_drops_lines),
		LOG_TEST(every_byte_can_be_quoted_in_json),
		LOG_TEST(every_byte_is_printable_in_text),
		LOG_TEST(an_excerpt_is_bounded),
		LOG_TEST(a_line_that_is_too_long_is_cut),
		LOG_TEST(every_narrated_line_is_json),
		LOG_TEST(the_statistics_fit_into_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
