#include "command.h"

#include "patience.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct output {
	int fd; /* -1: ended */
	size_t len;
	uint8_t line[COMMAND_LINE_MAX];
};

static void print_line(struct output *output)
{
	struct note note;

	note_clear(&note);
	note_plain(&note, output->line, output->len);
	tap_comment(note.text);
	output->len = 0;
}

static void take_output(struct output *output, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || output->len == sizeof output->line)
			print_line(output);
		if (bytes[i] != '\n')
			output->line[output->len++] = bytes[i];
	}
}

static void close_output(struct output *output)
{
	if (output->len > 0)
		print_line(output);
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

/* Reads what is there; true if there was something. */
static bool read_output(struct output *output)
{
	uint8_t bytes[4096];
	ssize_t n;

	if (output->fd < 0)
		return false;
	n = read(output->fd, bytes, sizeof bytes);
	if (n > 0)
		take_output(output, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_output(output);
	return n > 0;
}

/*
 * Standard input is empty rather than closed, since a closed one would be the next file that is
 * opened.
 */
static int set_up_files(posix_spawn_file_actions_t *files, int out)
{
	int error = posix_spawn_file_actions_init(files);

	if (error)
		return error;
	error = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	return error ? error : posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
}

/*
 * A process group of its own, so that at the deadline all of it can be ended, and signals as at
 * login.
 */
static int set_up_signals(posix_spawnattr_t *attributes)
{
	sigset_t defaults;
	int error = posix_spawnattr_init(attributes);

	if (error)
		return error;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(attributes, &defaults);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn(char *command, int out, pid_t *pid)
{
	char shell[] = "/bin/sh", dash_c[] = "-c";
	char *arguments[] = { shell, dash_c, command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error;

	error = set_up_files(&files, out);
	if (error)
		return error;
	error = set_up_signals(&attributes);
	if (!error) {
		error = posix_spawn(pid, shell, &files, &attributes, arguments, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* Waits for the end of the process; false when it showed no sign of life until the deadline. */
static bool await(pid_t pid, struct output *output, int64_t timeout_ms, int *status)
{
	struct patience patience = patience_begin(timeout_ms);
	struct pollfd poller;

	while (waitpid(pid, status, WNOHANG) == 0) {
		poller = (struct pollfd){ .fd = output->fd, .events = POLLIN };
		poll(&poller, 1, COMMAND_TICK_MS);
		if (read_output(output))
			patience_moved(&patience);
		else if (patience_left(&patience) == 0)
			return false;
	}
	while (read_output(output))
		;
	return true;
}

static bool judge(int wait_status, int expected, struct note *seen)
{
	if (WIFSIGNALED(wait_status))
		note_add(seen, "ended by signal %d", WTERMSIG(wait_status));
	else
		note_add(seen, "status %d", WEXITSTATUS(wait_status));
	return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == expected;
}

bool command_run(const uint8_t *command, size_t len, int status, int64_t timeout_ms,
		 struct note *seen)
{
	char line[COMMAND_MAX];
	struct output output = { .fd = -1 };
	int pipes[2], error, wait_status = 0;
	pid_t pid;
	bool ended;

	if (len >= sizeof line) {
		note_add(seen, "a command of more than %zu bytes", sizeof line - 1);
		return false;
	}
	memcpy(line, command, len);
	line[len] = '\0';
	if (pipe2(pipes, O_CLOEXEC) != 0) {
		note_add(seen, "no pipe: %s", strerror(errno));
		return false;
	}
	error = spawn(line, pipes[1], &pid);
	close(pipes[1]);
	output.fd = pipes[0];
	fcntl(output.fd, F_SETFL, O_NONBLOCK);
	ended = !error && await(pid, &output, timeout_ms, &wait_status);
	close_output(&output);
	if (error) {
		note_add(seen, "no process: %s", strerror(error));
		return false;
	}
	if (ended)
		return judge(wait_status, status, seen);
	kill(-pid, SIGKILL);
	waitpid(pid, &wait_status, 0);
	note_add(seen, "nothing for ");
	note_ms(seen, timeout_ms);
	return false;
}
