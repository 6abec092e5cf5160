#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"
#include "name.h"

/* Only of a regular file would two recordings make one that is none. The lock is the helper's as
 * well, and goes with the last of both. NULL, or why it is not to be had. */
static const char *lock_file(int file)
{
	struct stat status;

	if (fstat(file, &status) != 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode) || flock(file, LOCK_EX | LOCK_NB) == 0)
		return NULL;
	return errno == EWOULDBLOCK ? "another server records to it" : strerror(errno);
}

/* Opened without waiting: a FIFO that nobody reads is an error, and no reason to hang. It is not
 * truncated, which would spoil another server's recording: the helper does so with the lock. */
static const char *open_file(int *file, const char *pattern)
{
	char name[PATH_MAX];
	const char *failed;

	if (!record_name(name, sizeof(name), pattern, (long)getpid()))
		return strerror(ENAMETOOLONG);
	*file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (*file < 0)
		return strerror(errno);
	failed = lock_file(*file);
	if (failed != NULL) {
		close(*file);
		return failed;
	}
	fcntl(*file, F_SETFL, O_WRONLY);
	return NULL;
}

/* A helper that ends long before the server leaves no zombie (wait(2)); that it has ended is
 * announced all the same. */
static void expect_no_status(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &action, NULL);
}

static bool start_helper(struct recorder *r, int file)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	/* Only our end: flags belong to the open file description, of which a pipe has two. A pipe
	 * that may not grow is one that overflows sooner. */
	fcntl(ends[1], F_SETFL, O_WRONLY | O_NONBLOCK);
	fcntl(ends[1], F_SETPIPE_SZ, RECORDER_PIPE_SIZE);
	expect_no_status();
	r->helper = fork();
	if (r->helper == 0)
		helper_run(ends[0], file, r->shared);
	close(ends[0]);
	r->pipe = ends[1];
	if (r->helper > 0)
		return true;
	close(ends[1]);
	r->helper = 0;
	return false;
}

const char *recorder_open(struct recorder *r, const char *pattern, uint64_t size_max)
{
	int file = -1;
	const char *failed = open_file(&file, pattern);

	*r = (struct recorder){ .pipe = -1, .size_max = size_max };
	if (failed != NULL)
		return failed;
	r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->shared == MAP_FAILED || !start_helper(r, file))
		failed = strerror(errno);
	close(file);
	return failed;
}

static uint8_t *payload(const struct recorder *r)
{
	return r->shared->frame + RECORD_LENGTH_SIZE;
}

static uint32_t gathered_size(const struct recorder *r)
{
	return atomic_load_explicit(&r->shared->gathered, memory_order_relaxed) &
	       (RECORD_MARKED - 1);
}

/* From here on, what was gathered with this is in the file, whatever becomes of the server. */
static void gathered(struct recorder *r, uint64_t more)
{
	uint64_t now = atomic_load_explicit(&r->shared->gathered, memory_order_relaxed);

	atomic_store_explicit(&r->shared->gathered, now + more, memory_order_release);
}

enum sent { SENT_ALL = 1, SENT_NOT_NOW, SENT_NEVER };

static enum sent send_frame(struct recorder *r)
{
	struct record_shared *shared = r->shared;
	uint32_t size = gathered_size(r);
	ssize_t count;

	shared->frame[0] = (uint8_t)size;
	shared->frame[1] = (uint8_t)(size >> 8);
	do
		count = write(r->pipe, shared->frame, RECORD_LENGTH_SIZE + size);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? SENT_NOT_NOW : SENT_NEVER;
	gathered(r, (UINT64_C(1) << 32) - size);
	r->size += RECORD_LENGTH_SIZE + size + RECORD_CRC_SIZE;
	return SENT_ALL;
}

/* The end, with a mark, for which room is always kept. It is not sent: the helper finds it in the
 * shared memory when it has read the pipe to its end. So it need not fit the pipe. */
static void end(struct recorder *r, enum record_end how, enum echo_ending ending)
{
	uint32_t size = gathered_size(r);

	gathered(r, RECORD_MARKED + record_put_end(payload(r) + size, RECORD_PAYLOAD_MAX - size,
						   how, ending));
	close(r->pipe);
	r->on = false;
}

static const char *helper_error(const struct recorder *r)
{
	int error = atomic_load(&r->shared->error);

	return error != 0 ? strerror(error) : "the process that writes it is gone";
}

/* Sends what was gathered. NULL, or why this was the last. */
static const char *send_full(struct recorder *r)
{
	switch (send_frame(r)) {
	case SENT_ALL:
		return NULL;
	case SENT_NOT_NOW:
		end(r, RECORD_OVERFLOW, ECHO_RUNNING);
		return "the file is written too slowly";
	case SENT_NEVER:
		break;
	}
	end(r, RECORD_OVERFLOW, ECHO_RUNNING);
	return helper_error(r);
}

void recorder_start(struct recorder *r, const struct echo_config *config, uint64_t start_ms)
{
	r->size = RECORD_MAGIC_SIZE;
	r->now_ms = start_ms;
	r->on = true;
	gathered(r, record_put_head(payload(r), RECORD_PAYLOAD_MAX, config, start_ms));
	send_frame(r); /* the pipe is empty; a helper that is gone shows at the next one */
}

/* A record that does not fit is the first of the next frame. */
static size_t put(struct recorder *r, const struct echo_action *action,
		  const struct echo_result *result)
{
	uint32_t size = gathered_size(r);

	return record_put(payload(r) + size, RECORD_PAYLOAD_MAX - RECORD_END_SIZE - size, action,
			  result, &r->now_ms);
}

static bool is_full(const struct recorder *r)
{
	uint64_t frame = RECORD_LENGTH_SIZE + RECORD_PAYLOAD_MAX + RECORD_CRC_SIZE;

	return r->size + gathered_size(r) + 2 * frame > r->size_max;
}

const char *recorder_add(struct recorder *r, const struct echo_action *action,
			 const struct echo_result *result)
{
	const char *ended;
	size_t size = put(r, action, result);

	if (size == 0) {
		ended = send_full(r);
		if (ended != NULL)
			return ended;
		size = put(r, action, result);
	}
	gathered(r, size);
	if (!is_full(r))
		return NULL;
	end(r, RECORD_FULL, ECHO_RUNNING);
	return "it has reached its largest size";
}

/* False: it takes too long. A signal that is blocked waits to be taken, also one that would be
 * ignored (signal(7)). */
static bool await_helper(const struct recorder *r)
{
	static const struct timespec most = { .tv_sec = RECORDER_END_MS / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (waitpid(r->helper, NULL, WNOHANG) == 0)
		if (sigtimedwait(&set, NULL, &most) < 0 && errno == EAGAIN)
			return false;
	return true;
}

const char *recorder_close(struct recorder *r, enum echo_ending ending)
{
	bool whole = r->on;

	if (r->helper == 0)
		return NULL;
	if (whole)
		end(r, RECORD_STOPPED, ending);
	if (!await_helper(r))
		return "it was not complete yet when the server ended";
	return whole && !atomic_load(&r->shared->done) ? helper_error(r) : NULL;
}
