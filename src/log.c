#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new open file description of the same pipe or terminal has flags of its own (proc(5)). */
static int open_anew(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void log_open(struct log *log, int fd, bool json)
{
	struct stat status;

	memset(log, 0, sizeof(*log));
	log->fd = fd;
	log->json = json;
	if (fstat(fd, &status) != 0)
		status.st_mode = 0; /* whatever it is, it must not block */
	if (S_ISREG(status.st_mode))
		return;
	if (S_ISSOCK(status.st_mode)) {
		log->socket = true;
		return;
	}
	fd = open_anew(fd);
	log->owned = fd >= 0;
	log->poll = fd < 0;
	log->chunk = S_ISFIFO(status.st_mode) ? LOG_LINE_MAX : 1;
	if (log->owned)
		log->fd = fd;
}

void log_open_pipe(struct log *log, int pipe, bool json, uint32_t thread)
{
	memset(log, 0, sizeof(*log));
	log->fd = pipe;
	log->json = json;
	log->thread = thread;
}

void log_close(struct log *log)
{
	if (log->owned)
		close(log->fd);
	log->fd = -1;
	log->owned = false;
}

void log_add(struct log *log, const char *format, ...)
{
	size_t room = LOG_LINE_MAX - 1 - log->length; /* one is kept for the newline */
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(log->line + log->length, room, format, arguments);
	va_end(arguments);
	if (wanted > 0)
		log->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void add_byte(struct log *log, uint8_t byte)
{
	if (byte == '"' || byte == '\\')
		log_add(log, "\\%c", byte);
	else if (byte == '\n')
		log_add(log, "\\n");
	else if (byte == '\r')
		log_add(log, "\\r");
	else if (byte == '\t')
		log_add(log, "\\t");
	else if (byte >= 0x20 && byte < 0x7f)
		log_add(log, "%c", byte);
	else if (log->json)
		log_add(log, "\\u%04x", byte); /* JSON has no \x */
	else
		log_add(log, "\\x%02x", byte);
}

void log_add_bytes(struct log *log, const uint8_t *bytes, size_t length, size_t most)
{
	log_add(log, "\"");
	for (size_t i = 0; i < length && i < most; i++)
		add_byte(log, bytes[i]);
	log_add(log, "\"");
	if (length > most && !log->json)
		log_add(log, "...");
}

static bool would_block(const struct log *log)
{
	struct pollfd ready = { .fd = log->fd, .events = POLLOUT };

	return poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0;
}

static ssize_t write_once(const struct log *log, const char *bytes, size_t length)
{
	ssize_t count;

	do {
		count = log->socket ? send(log->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(log->fd, bytes, length);
	} while (count < 0 && errno == EINTR);
	return count;
}

/* A pipe that is ready takes PIPE_BUF bytes, which is more than a line, without blocking (pipe(7));
 * of a terminal it is only known that it takes one. */
static ssize_t write_in_chunks(const struct log *log, const char *bytes, size_t length)
{
	size_t sent = 0;

	while (sent < length && !would_block(log)) {
		size_t rest = length - sent;
		ssize_t count =
			write_once(log, bytes + sent, rest < log->chunk ? rest : log->chunk);

		if (count < 0)
			break;
		sent += (size_t)count;
	}
	return sent > 0 ? (ssize_t)sent : -1;
}

/* What the reader takes now; -1: nothing. */
static ssize_t write_now(const struct log *log, const char *bytes, size_t length)
{
	return log->poll ? write_in_chunks(log, bytes, length) : write_once(log, bytes, length);
}

/* The rest of a line of which a part is out already. False: it is still not all out. */
static bool finish_pending(struct log *log)
{
	ssize_t count;

	if (log->rest == 0)
		return true;
	count = write_now(log, log->pending + log->sent, log->rest);
	if (count < 0)
		return false;
	log->sent += (size_t)count;
	log->rest -= (size_t)count;
	return log->rest == 0;
}

/* False: nothing of the line is out. */
static bool write_line(struct log *log, const char *line, size_t length)
{
	ssize_t count;

	if (!finish_pending(log))
		return false;
	count = write_now(log, line, length);
	if (count < 0)
		return false;
	log->sent = 0;
	log->rest = length - (size_t)count;
	memcpy(log->pending, line + count, log->rest);
	return true;
}

static bool tell_dropped(struct log *log)
{
	char line[96];
	int length = snprintf(line, sizeof(line),
			      log->json ? "{\"event\":\"dropped\",\"lines\":%" PRIu64 "}\n"
					: "epoll-echo: log: %" PRIu64 " lines dropped\n",
			      log->dropped);

	if (!write_line(log, line, (size_t)length))
		return false;
	log->dropped = 0;
	return true;
}

/* A line with its newline. */
static void put(struct log *log, const char *line, size_t length)
{
	if ((log->dropped > 0 && !tell_dropped(log)) || !write_line(log, line, length)) {
		log->dropped++;
		log->dropped_total++;
	}
}

void log_end(struct log *log)
{
	log->line[log->length++] = '\n';
	put(log, log->line, log->length);
	log->length = 0;
}

void log_pass(struct log *log, const char *lines, size_t length)
{
	while (length > 0) {
		const char *newline = memchr(lines, '\n', length);
		size_t line = newline != NULL ? (size_t)(newline - lines) + 1 : length;

		put(log, lines, line);
		lines += line;
		length -= line;
	}
}

uint64_t log_dropped(const struct log *log)
{
	return log->dropped_total;
}
