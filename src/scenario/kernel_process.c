/* Threads that wait, processes that have copies of descriptors, signals, and limits. */
#include "kernel_state.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled[_NSIG];

static void handler(int signal)
{
	handled[signal]++;
}

static void *wait_in_thread(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->tid, (int)syscall(SYS_gettid));
	waiter->count = epoll_wait(waiter->epoll, waiter->events, waiter->max, waiter->timeout_ms);
	waiter->error = errno;
	atomic_store(&waiter->done, true);
	return NULL;
}

/* proc(5), /proc/PID/task/TID/stat: the state follows the name in parentheses. */
static char state_of(int tid)
{
	char path[64], text[256], *end;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (file == NULL)
		return 'X';
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end[2] : 'X';
}

static void yield(void)
{
	static const struct timespec time = { .tv_nsec = 50000 };

	nanosleep(&time, NULL);
}

/* A thread that was woken runs, or has ended; one that sleeps was not, or sleeps again. True: it is
 * blocked. */
static bool blocked(const struct waiter *waiter)
{
	for (;;) {
		int tid = atomic_load(&waiter->tid);
		char state = tid != 0 ? state_of(tid) : 'R';

		if (atomic_load(&waiter->done))
			return false;
		if (state == 'S')
			return true;
		yield();
	}
}

void kernel_quiet(struct kernel *k)
{
	for (uint32_t i = 0; i < k->waiters_count; i++)
		if (!k->started[i]->joined)
			blocked(k->started[i]);
}

static void join(struct waiter *waiter)
{
	if (!waiter->joined)
		pthread_join(waiter->thread, NULL);
	waiter->joined = true;
}

/* epoll_wait(2) is a cancellation point (pthreads(7)). */
void kernel_end_all(struct kernel *k)
{
	for (uint32_t i = 0; i < k->waiters_count; i++) {
		if (!k->started[i]->joined)
			pthread_cancel(k->started[i]->thread);
		join(k->started[i]);
	}
	for (uint32_t i = 0; i < k->forked_count; i++)
		if (k->forked[i] > 0 && kill(k->forked[i], SIGKILL) == 0)
			waitpid(k->forked[i], NULL, 0);
	k->waiters_count = k->forked_count = k->children = 0;
}

static enum world_answer start(struct kernel *k, const struct call *call, struct seen *seen,
			       struct note *why)
{
	int index = call->fds[0] - CALL_NUMBER_FIRST, error;
	struct waiter *waiter = &k->waiters[index];

	if (!kernel_has_proc())
		return kernel_missing(why, "/proc");
	*waiter = (struct waiter){
		.epoll = call->fds[1],
		.max = kernel_most(call),
		.timeout_ms = (call->options & OPTION_FOR) != 0 ? (int)call->ms : -1,
	};
	k->things[index] = (struct thing){ .kind = THING_WAITER, .waiter = waiter };
	error = pthread_create(&waiter->thread, NULL, wait_in_thread, waiter);
	if (error != 0) {
		note_add(why, "pthread_create: %s", strerror(error));
		return WORLD_BROKEN;
	}
	k->started[k->waiters_count++] = waiter;
	blocked(waiter);
	(void)seen;
	return WORLD_DONE;
}

static struct waiter *waiter_of(struct kernel *k, const struct call *call)
{
	const struct thing *thing = kernel_thing(k, call->fds[0]);

	return thing != NULL && thing->kind == THING_WAITER ? thing->waiter : NULL;
}

/* What its wait has returned. Who is blocked has seen nothing, and goes on waiting. */
static enum world_answer woken(struct kernel *k, const struct call *call, struct seen *seen,
			       struct note *why)
{
	struct waiter *waiter = waiter_of(k, call);

	if (waiter == NULL)
		return kernel_unnamed(why);
	if ((call->options & OPTION_FOR) == 0 && waiter->timeout_ms < 0 && blocked(waiter)) {
		*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_ASLEEP };
		return WORLD_DONE;
	}
	join(waiter);
	errno = waiter->error;
	if (waiter->count < 0)
		return kernel_failed(seen);
	return kernel_seen_events(seen, waiter->events, waiter->count, why);
}

static enum world_answer asleep(struct kernel *k, const struct call *call, struct seen *seen,
				struct note *why)
{
	struct waiter *waiter = waiter_of(k, call);

	if (waiter == NULL)
		return kernel_unnamed(why);
	if (!blocked(waiter))
		*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_AWAKE };
	return WORLD_DONE;
}

/* A signal that no scenario can name. */
static enum world_answer interrupt(struct kernel *k, const struct call *call, struct note *why)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct waiter *waiter = waiter_of(k, call);
	int error;

	if (waiter == NULL)
		return kernel_unnamed(why);
	sigaction(SIGRTMIN, &action, NULL);
	error = atomic_load(&waiter->done) ? 0 : pthread_kill(waiter->thread, SIGRTMIN);
	if (error != 0) {
		note_add(why, "pthread_kill: %s", strerror(error));
		return WORLD_BROKEN;
	}
	blocked(waiter);
	return WORLD_DONE;
}

static enum world_answer do_fork(struct kernel *k, const struct call *call, struct seen *seen)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);
	pid_t child = fork();

	if (child < 0)
		return kernel_failed(seen);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	*thing = (struct thing){ .kind = THING_CHILD, .child = child };
	k->forked[k->forked_count++] = child;
	k->children++;
	return WORLD_DONE;
}

/* Its copies of descriptors are closed when it has been waited for. */
static enum world_answer end(struct kernel *k, const struct call *call, struct seen *seen,
			     struct note *why)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);

	if (thing == NULL || thing->kind != THING_CHILD)
		return kernel_unnamed(why);
	if (kill(thing->child, SIGKILL) != 0 || waitpid(thing->child, NULL, 0) < 0)
		return kernel_failed(seen);
	for (uint32_t i = 0; i < k->forked_count; i++)
		if (k->forked[i] == thing->child)
			k->forked[i] = 0;
	thing->kind = THING_NONE;
	k->children--;
	return WORLD_DONE;
}

static enum world_answer limit(const struct call *call, struct seen *seen)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)call->count; /* the other one could not be raised again */
	return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? WORLD_DONE : kernel_failed(seen);
}

/* Without SA_RESTART, which epoll_wait(2) does not heed (signal(7)). */
static enum world_answer handle(const struct call *call, struct seen *seen)
{
	struct sigaction action = { .sa_handler = handler };

	return sigaction(call->signal, &action, NULL) == 0 ? WORLD_DONE : kernel_failed(seen);
}

enum world_answer kernel_process(struct kernel *k, const struct call *call, struct seen *seen,
				 struct note *why)
{
	switch (call->op) {
	case CALL_WAITER:
		return start(k, call, seen, why);
	case CALL_WOKEN:
		return woken(k, call, seen, why);
	case CALL_ASLEEP:
		return asleep(k, call, seen, why);
	case CALL_INTERRUPT:
		return interrupt(k, call, why);
	case CALL_FORK:
		return do_fork(k, call, seen);
	case CALL_END:
		return end(k, call, seen, why);
	case CALL_RAISE:
		return kill(getpid(), call->signal) == 0 ? WORLD_DONE : kernel_failed(seen);
	case CALL_IGNORE:
		signal(call->signal, SIG_IGN);
		return WORLD_DONE;
	case CALL_HANDLE:
		return handle(call, seen);
	case CALL_HANDLED:
		*seen = (struct seen){ .kind = SEEN_COUNT, .count = handled[call->signal] };
		return WORLD_DONE;
	default:
		return limit(call, seen);
	}
}
