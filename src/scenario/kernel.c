#include "kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_state.h"

static struct outcome *shared;   /* with the process of the scenario */
static struct seen *shared_seen; /* and with children of that one */

bool kernel_open(void)
{
	size_t size = sizeof(*shared) + sizeof(*shared_seen);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	shared = memory;
	shared_seen = (struct seen *)(shared + 1);
	return true;
}

struct thing *kernel_thing(struct kernel *k, int fd)
{
	int index = fd - CALL_NUMBER_FIRST;

	return index >= 0 && index < CALL_NAMES_MAX ? &k->things[index] : NULL;
}

enum world_answer kernel_unnamed(struct note *why)
{
	note_add(why, "it needs a name of the right kind");
	return WORLD_BROKEN;
}

enum world_answer kernel_failed(struct seen *seen)
{
	*seen = (struct seen){ .kind = SEEN_ERRNO, .error = errno };
	return WORLD_DONE;
}

enum world_answer kernel_missing(struct note *why, const char *what)
{
	note_add(why, "%s is not there", what);
	return WORLD_NOT_COVERED;
}

bool kernel_has_proc(void)
{
	return access("/proc/self/stat", R_OK) == 0;
}

bool kernel_place(struct kernel *k, int fd, int number, enum thing_kind kind)
{
	if (fd < 0)
		return false;
	if (dup2(fd, number) < 0) {
		close(fd);
		return false;
	}
	close(fd);
	*kernel_thing(k, number) = (struct thing){
		.kind = kind, .open = true, .file = k->files++, .peer = THING_NOBODY
	};
	return true;
}

static enum world_answer dispatch(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	switch (call->op) {
	case CALL_ADD:
	case CALL_MOD:
	case CALL_DEL:
	case CALL_CTL:
	case CALL_WAIT:
	case CALL_PWAIT:
	case CALL_PWAIT2:
	case CALL_POLL:
	case CALL_INTEREST:
		return kernel_epoll(k, call, seen, why);
	case CALL_WRITE:
	case CALL_READ:
	case CALL_PEEK:
	case CALL_FILL:
	case CALL_DRAIN:
	case CALL_URGENT:
	case CALL_SHUTDOWN:
	case CALL_CLOSE:
	case CALL_RESET:
	case CALL_DISSOLVE:
	case CALL_SET:
	case CALL_ERROR:
	case CALL_QUEUED:
	case CALL_RESIZE:
		return kernel_data(k, call, seen, why);
	case CALL_RAISE:
	case CALL_WAITER:
	case CALL_WOKEN:
	case CALL_ASLEEP:
	case CALL_INTERRUPT:
	case CALL_FORK:
	case CALL_END:
	case CALL_IGNORE:
	case CALL_HANDLE:
	case CALL_HANDLED:
	case CALL_LIMIT:
		return kernel_process(k, call, seen, why);
	default:
		return kernel_make(k, call, seen, why);
	}
}

/* A call by a process that has copies of all descriptors, and ends then. */
static enum world_answer in_child(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return kernel_failed(seen);
	if (child == 0) {
		*shared_seen = *seen;
		_exit(dispatch(k, call, shared_seen, why) == WORLD_DONE ? 0 : 1);
	}
	if (waitpid(child, &status, 0) != child || status != 0) {
		note_add(why, "the child failed");
		return WORLD_BROKEN;
	}
	*seen = *shared_seen;
	return WORLD_DONE;
}

static enum world_answer perform(void *state, const struct call *call, struct seen *seen,
				 struct note *why)
{
	enum world_answer answer = call->in_child ? in_child(state, call, seen, why)
						  : dispatch(state, call, seen, why);

	kernel_quiet(state);
	return answer;
}

static _Noreturn void play_in_child(const struct script *script, const struct scenario *scenario,
				    bool show)
{
	static struct kernel kernel;
	const struct world world = { .name = "kernel", .state = &kernel, .perform = perform };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	world_play(&world, script, scenario, show, shared);
	_exit(0);
}

const struct world *kernel_new(void)
{
	static struct kernel kernel;
	static const struct world world = { .name = "kernel",
					    .state = &kernel,
					    .perform = perform };

	static struct rlimit limit;

	if (limit.rlim_cur == 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &limit);
	kernel_end_all(&kernel);
	close_range(CALL_NUMBER_FIRST, CALL_NUMBER_FIRST + CALL_NAMES_MAX - 1, 0);
	memset(kernel.things, 0, sizeof(kernel.things));
	kernel.files = 0;
	return &world;
}

static void broken(struct outcome *outcome, const char *what, int value)
{
	outcome->how = OUTCOME_BROKEN;
	note_clear(&outcome->why);
	note_add(&outcome->why, "%s %d", what, value);
}

/* False: it has not ended in time. */
static bool await_end(pid_t child, int *status)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN };
	bool ended = end.fd >= 0 && poll(&end, 1, KERNEL_SCENARIO_MS) == 1;

	if (!ended)
		kill(child, SIGKILL);
	kill(-child, SIGKILL); /* its children, if it left any */
	if (end.fd >= 0)
		close(end.fd);
	while (waitpid(child, status, 0) < 0 && errno == EINTR)
		;
	return ended;
}

void kernel_play(const struct script *script, const struct scenario *scenario, bool show,
		 struct outcome *outcome)
{
	pid_t child;
	int status = 0;

	*shared = (struct outcome){ 0 };
	fflush(stdout);
	child = fork();
	if (child == 0)
		play_in_child(script, scenario, show);
	if (child < 0) {
		broken(outcome, "fork: errno", errno);
		return;
	}
	setpgid(child, child);
	if (!await_end(child, &status)) {
		*outcome = *shared;
		broken(outcome, "it has not ended after ms:", KERNEL_SCENARIO_MS);
		return;
	}
	*outcome = *shared;
	if (WIFSIGNALED(status))
		broken(outcome, "its process died of signal", WTERMSIG(status));
	else if (outcome->how == 0)
		broken(outcome, "its process ended with status", WEXITSTATUS(status));
}
