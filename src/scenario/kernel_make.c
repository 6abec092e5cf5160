/* Calls that make descriptors. */
#include "kernel_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static enum world_answer placed(bool good, struct seen *seen)
{
	return good ? WORLD_DONE : kernel_failed(seen);
}

/* One descriptor of a kind whose calls do all that they do before they return. */
static enum world_answer make(struct kernel *k, const struct call *call, int fd, struct seen *seen)
{
	return placed(kernel_place(k, fd, call->fds[0], THING_OTHER), seen);
}

static enum world_answer make_two(struct kernel *k, const struct call *call, const int fds[2],
				  struct seen *seen)
{
	bool first = kernel_place(k, fds[0], call->fds[0], THING_OTHER),
	     second = kernel_place(k, fds[1], call->fds[1], THING_OTHER);

	return placed(first && second, seen);
}

/* When not all could be made that belongs together. */
static enum world_answer give_up(int fd, int other, struct seen *seen)
{
	enum world_answer answer = kernel_failed(seen);

	if (fd >= 0)
		close(fd);
	if (other >= 0)
		close(other);
	return answer;
}

static enum world_answer make_pair(struct kernel *k, const struct call *call, int type,
				   struct seen *seen)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds) != 0)
		return kernel_failed(seen);
	return make_two(k, call, fds, seen);
}

static enum world_answer make_pipe(struct kernel *k, const struct call *call, struct seen *seen)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK) != 0)
		return kernel_failed(seen);
	if ((call->options & OPTION_SIZE) != 0 && fcntl(fds[1], F_SETPIPE_SZ, (int)call->count) < 0)
		return give_up(fds[0], fds[1], seen);
	return make_two(k, call, fds, seen);
}

/* A name in a folder of its own, gone before anybody else can find it; in memory if there is such a
 * place, since a disk takes longer than all else that a scenario does. */
static int open_scratch(const char *name, int (*make_it)(const char *path))
{
	char shm[] = "/dev/shm/epoll-scenario-XXXXXX", tmp[] = "/tmp/epoll-scenario-XXXXXX";
	char here[] = "epoll-scenario-XXXXXX", path[64];
	const char *folder = mkdtemp(shm);
	int fd, error;

	if (folder == NULL)
		folder = mkdtemp(tmp);
	if (folder == NULL)
		folder = mkdtemp(here);
	if (folder == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = make_it(path);
	error = errno;
	unlink(path);
	rmdir(folder);
	errno = error;
	return fd;
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0600) == 0 ? open(path, O_RDWR | O_NONBLOCK) : -1;
}

static int make_file(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0600);
}

static int watch_of; /* the inotify instance that make_watched() gives something to watch */

static int make_watched(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || inotify_add_watch(watch_of, path, IN_MODIFY) < 0)
		return -1;
	return fd;
}

/* An inotify instance, and a file as the next name: who writes to it causes an event. */
static enum world_answer make_inotify(struct kernel *k, const struct call *call, struct seen *seen)
{
	int file;

	watch_of = inotify_init1(IN_NONBLOCK);
	file = open_scratch("watched", make_watched);
	if (!kernel_place(k, watch_of, call->fds[0], THING_OTHER))
		return kernel_failed(seen);
	return placed(kernel_place(k, file, call->fds[1], THING_OTHER), seen);
}

static enum world_answer make_pty(struct kernel *k, const struct call *call, struct seen *seen)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), slave = -1;
	char name[64];

	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
	    ptsname_r(master, name, sizeof(name)) == 0)
		slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	return make_two(k, call, (const int[2]){ master, slave }, seen);
}

static enum world_answer make_signalfd(struct kernel *k, const struct call *call, struct seen *seen)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, call->signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return make(k, call, signalfd(-1, &set, SFD_NONBLOCK), seen);
}

static enum world_answer make_eventfd(struct kernel *k, const struct call *call, struct seen *seen)
{
	int flags = EFD_NONBLOCK | ((call->options & OPTION_SEMAPHORE) != 0 ? EFD_SEMAPHORE : 0);
	unsigned int count = (call->options & OPTION_COUNT) != 0 ? (unsigned int)call->count : 0;

	return placed(kernel_place(k, eventfd(count, flags), call->fds[0], THING_COUNTER), seen);
}

static enum world_answer arm(const struct call *call, struct seen *seen)
{
	int64_t every = (call->options & OPTION_EVERY) != 0 ? call->count : 0;
	struct itimerspec spec = {
		.it_value = { .tv_sec = call->ms / 1000, .tv_nsec = call->ms % 1000 * 1000000 },
		.it_interval = { .tv_sec = every / 1000, .tv_nsec = every % 1000 * 1000000 },
	};

	return timerfd_settime(call->fds[0], 0, &spec, NULL) == 0 ? WORLD_DONE
								  : kernel_failed(seen);
}

/* Sockets. */

static const struct sockaddr_in loopback = { .sin_family = AF_INET,
					     .sin_addr = { .s_addr = 0x0100007f } };

static int bound_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool make_listener(struct kernel *k, int number, int backlog)
{
	int fd = bound_socket(SOCK_STREAM);

	if (fd >= 0 && listen(fd, backlog) != 0) {
		close(fd);
		return false;
	}
	if (!kernel_place(k, fd, number, THING_LISTENER))
		return false;
	kernel_ports(number, kernel_thing(k, number));
	return true;
}

static bool connect_to(int fd, uint16_t port)
{
	struct sockaddr_in address = loopback;

	address.sin_port = htons(port);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		errno = 0;
	return errno == 0 || errno == EINPROGRESS;
}

static enum world_answer connected(int fd, struct seen *seen)
{
	seen->kind = SEEN_WORD;
	seen->word = kernel_tcp_state(fd) == STATE_ESTABLISHED ? WORD_CONNECTED : WORD_REFUSED;
	return WORLD_DONE;
}

/* What all numbers of the socket know of the connection before is over. */
static void new_connection(struct kernel *k, int fd, uint16_t peer_port)
{
	struct thing *thing = kernel_thing(k, fd);

	kernel_ports(fd, thing);
	thing->peer_port = peer_port;
	thing->peer = THING_NOBODY;
	for (int i = 0; i < CALL_NAMES_MAX; i++) {
		struct thing *other = &k->things[i];

		if (!other->open || other->kind != THING_TCP || other->file != thing->file)
			continue;
		other->port = thing->port;
		other->peer_port = thing->peer_port;
		other->peer = THING_NOBODY;
	}
}

/* A socket that is not bound and not connected becomes one; the name may be that of `socket`. */
static enum world_answer do_connect(struct kernel *k, const struct call *call, struct seen *seen,
				    struct note *why)
{
	const struct thing *listener = kernel_thing(k, call->fds[1]);
	struct thing *thing = kernel_thing(k, call->fds[0]);

	if (listener == NULL || listener->kind != THING_LISTENER)
		return kernel_unnamed(why);
	if (!kernel_has_proc())
		return kernel_missing(why, "/proc");
	if (!thing->open && !kernel_place(k, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
					  call->fds[0], THING_TCP))
		return kernel_failed(seen);
	if (!connect_to(call->fds[0], listener->port))
		return kernel_failed(seen);
	/* A success is what the connection before has come to, and nothing was sent. */
	if (errno == 0)
		return connected(call->fds[0], seen);
	new_connection(k, call->fds[0], listener->port);
	if ((call->options & OPTION_ASYNC) != 0) {
		*seen = (struct seen){ .kind = SEEN_WORD, .word = WORD_PENDING };
		return WORLD_DONE;
	}
	if (!kernel_settle_connect(k, call->fds[0], listener, why))
		return WORLD_BROKEN;
	return connected(call->fds[0], seen);
}

static enum world_answer do_settle(struct kernel *k, const struct call *call, struct seen *seen,
				   struct note *why)
{
	if (kernel_tcp_state(call->fds[0]) == 0)
		return kernel_unnamed(why);
	if (!kernel_settle_connect(k, call->fds[0], NULL, why))
		return WORLD_BROKEN;
	return connected(call->fds[0], seen);
}

static enum world_answer do_accept(struct kernel *k, const struct call *call, struct seen *seen)
{
	int fd = accept4(call->fds[0], NULL, NULL, SOCK_NONBLOCK);
	struct thing *thing = kernel_thing(k, call->fds[1]);

	if (!kernel_place(k, fd, call->fds[1], THING_TCP))
		return kernel_failed(seen);
	kernel_ports(call->fds[1], thing);
	for (int i = 0; i < CALL_NAMES_MAX; i++) {
		struct thing *client = &k->things[i];

		if (client == thing || !client->open || client->kind != THING_TCP ||
		    client->peer != THING_NOBODY || client->port != thing->peer_port ||
		    client->peer_port != thing->port)
			continue;
		client->peer = call->fds[1] - CALL_NUMBER_FIRST;
		thing->peer = i;
	}
	return WORLD_DONE;
}

static enum world_answer make_tcp(struct kernel *k, const struct call *call, struct seen *seen,
				  struct note *why)
{
	int listener = bound_socket(SOCK_STREAM);
	struct thing peer = { 0 };
	int fds[2];

	if (listener < 0 || listen(listener, 1) != 0)
		return give_up(listener, -1, seen);
	kernel_ports(listener, &peer);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fds[0] < 0 || !connect_to(fds[0], peer.port))
		return give_up(listener, fds[0], seen);
	if (!kernel_settle_connect(k, fds[0], NULL, why)) {
		give_up(listener, fds[0], seen);
		return WORLD_BROKEN;
	}
	/* Until the last acknowledgement of the handshake has come, it would block. */
	do
		fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	while (fds[1] < 0 && errno == EAGAIN);
	close(listener);
	for (int i = 0; i < 2; i++) {
		if (!kernel_place(k, fds[i], call->fds[i], THING_TCP))
			return i == 0 ? give_up(fds[1], -1, seen) : kernel_failed(seen);
		kernel_ports(call->fds[i], kernel_thing(k, call->fds[i]));
		kernel_thing(k, call->fds[i])->peer = call->fds[1 - i] - CALL_NUMBER_FIRST;
	}
	return WORLD_DONE;
}

static enum world_answer make_udp(struct kernel *k, const struct call *call, struct seen *seen)
{
	int fds[2] = { bound_socket(SOCK_DGRAM), bound_socket(SOCK_DGRAM) };
	struct thing ends[2] = { 0 };

	for (int i = 0; i < 2; i++)
		kernel_ports(fds[i], &ends[i]);
	for (int i = 0; i < 2; i++)
		if (!connect_to(fds[i], ends[1 - i].port) ||
		    !kernel_place(k, fds[i], call->fds[i], THING_UDP))
			return kernel_failed(seen);
	for (int i = 0; i < 2; i++)
		kernel_thing(k, call->fds[i])->peer = call->fds[1 - i] - CALL_NUMBER_FIRST;
	return WORLD_DONE;
}

/* Duplicates. */

/* What `to` was before is closed by it. */
static enum world_answer duplicate(struct kernel *k, int from, int to, struct seen *seen,
				   struct note *why)
{
	const struct thing *source = kernel_thing(k, from);
	struct thing *thing = kernel_thing(k, to);
	struct farewell farewell = { 0 };
	bool closes = from != to && thing != NULL && thing->open && thing->kind == THING_TCP;

	if (closes)
		farewell = kernel_farewell(k, thing);
	if (dup2(from, to) < 0)
		return kernel_failed(seen);
	if (closes && !kernel_settle_close(k, thing, farewell, why))
		return WORLD_BROKEN;
	if (thing != NULL && source != NULL)
		*thing = *source;
	return WORLD_DONE;
}

/* From one unix socket to the other (unix(7), SCM_RIGHTS). */
static enum world_answer pass(struct kernel *k, const struct call *call, struct seen *seen,
			      struct note *why)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	char byte = 'p';
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.bytes) };
	const struct thing *named = kernel_thing(k, call->fds[0]);
	struct thing source;
	int fd;

	if (named == NULL)
		return kernel_unnamed(why);
	source = *named;
	memcpy(CMSG_DATA(&control.align), &call->fds[0], sizeof(int));
	if (sendmsg(call->fds[1], &message, 0) != 1)
		return kernel_failed(seen);
	kernel_quiet(k);
	if (recvmsg(call->fds[2], &message, 0) != 1)
		return kernel_failed(seen);
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(int));
	if (!kernel_place(k, fd, call->fds[3], source.kind))
		return kernel_failed(seen);
	*kernel_thing(k, call->fds[3]) = source;
	return WORLD_DONE;
}

static enum world_answer create(int fd, struct seen *seen)
{
	if (fd < 0)
		return kernel_failed(seen);
	close(fd);
	return WORLD_DONE;
}

static enum world_answer make_socket(struct kernel *k, const struct call *call, struct seen *seen)
{
	return placed(kernel_place(k, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), call->fds[0],
				   THING_TCP),
		      seen);
}

static enum world_answer do_listen(struct kernel *k, const struct call *call, struct seen *seen,
				   struct note *why)
{
	struct thing *thing = kernel_thing(k, call->fds[0]);

	if (thing == NULL)
		return kernel_unnamed(why);
	if (bind(call->fds[0], (const struct sockaddr *)&loopback, sizeof(loopback)) != 0 ||
	    listen(call->fds[0], 16) != 0)
		return kernel_failed(seen);
	thing->kind = THING_LISTENER;
	kernel_ports(call->fds[0], thing);
	return WORLD_DONE;
}

static enum world_answer make_pidfd(struct kernel *k, const struct call *call, struct seen *seen,
				    struct note *why)
{
	const struct thing *thing = kernel_thing(k, call->fds[1]);

	if (thing == NULL || thing->kind != THING_CHILD)
		return kernel_unnamed(why);
	return make(k, call, (int)syscall(SYS_pidfd_open, thing->child, 0), seen);
}

/* Where open_scratch() may make one. */
static bool has_folder(void)
{
	return access("/dev/shm", W_OK | X_OK) == 0 || access("/tmp", W_OK | X_OK) == 0 ||
	       access(".", W_OK | X_OK) == 0;
}

/* A network namespace begins with a loopback that is down: network_namespaces(7). */
static bool has_loopback(void)
{
	static bool asked, has;
	int fd;

	if (asked)
		return has;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	has = connect_to(fd, 9) || errno != ENETUNREACH; /* discard; nothing is sent */
	asked = fd >= 0;
	if (fd >= 0)
		close(fd);
	return has;
}

/* What a call takes that is no part of epoll, and may not be there; NULL: it is. */
static const char *missing(const struct call *call)
{
	switch (call->op) {
	case CALL_TCP:
	case CALL_UDP:
	case CALL_CONNECT:
		return has_loopback() ? NULL : "a loopback interface that is up";
	case CALL_FIFO:
	case CALL_FILE:
	case CALL_INOTIFY:
		return has_folder() ? NULL : "a folder that can be written to";
	case CALL_PTY:
		return access("/dev/ptmx", F_OK) == 0 ? NULL : "/dev/ptmx";
	case CALL_NULL:
		return access("/dev/null", F_OK) == 0 ? NULL : "/dev/null";
	default:
		return NULL;
	}
}

enum world_answer kernel_make(struct kernel *k, const struct call *call, struct seen *seen,
			      struct note *why)
{
	const char *lacks = missing(call);

	if (lacks != NULL)
		return kernel_missing(why, lacks);
	switch (call->op) {
	case CALL_TCP:
		return make_tcp(k, call, seen, why);
	case CALL_UNIX:
		return make_pair(k, call, SOCK_STREAM, seen);
	case CALL_DGRAM:
		return make_pair(k, call, SOCK_DGRAM, seen);
	case CALL_SEQPACKET:
		return make_pair(k, call, SOCK_SEQPACKET, seen);
	case CALL_UDP:
		return make_udp(k, call, seen);
	case CALL_SOCKET:
		return make_socket(k, call, seen);
	case CALL_LISTENER:
		return placed(make_listener(k, call->fds[0],
					    (call->options & OPTION_BACKLOG) != 0 ? (int)call->count
										  : 16),
			      seen);
	case CALL_LISTEN:
		return do_listen(k, call, seen, why);
	case CALL_CONNECT:
		return do_connect(k, call, seen, why);
	case CALL_SETTLE:
		return do_settle(k, call, seen, why);
	case CALL_ACCEPT:
		return do_accept(k, call, seen);
	case CALL_PIPE:
		return make_pipe(k, call, seen);
	case CALL_FIFO:
		return make(k, call, open_scratch("fifo", make_fifo), seen);
	case CALL_EVENTFD:
		return make_eventfd(k, call, seen);
	case CALL_TIMERFD:
		return placed(kernel_place(k, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
					   call->fds[0], THING_COUNTER),
			      seen);
	case CALL_ARM:
	case CALL_DISARM:
		return arm(call, seen);
	case CALL_SIGNALFD:
		return make_signalfd(k, call, seen);
	case CALL_INOTIFY:
		return make_inotify(k, call, seen);
	case CALL_PTY:
		return make_pty(k, call, seen);
	case CALL_PIDFD:
		return make_pidfd(k, call, seen, why);
	case CALL_FILE:
		return make(k, call, open_scratch("file", make_file), seen);
	case CALL_DIRECTORY:
		return make(k, call, open("/", O_RDONLY | O_DIRECTORY), seen);
	case CALL_MEMFD:
		return make(k, call, memfd_create("scenario", 0), seen);
	case CALL_NULL:
		return make(k, call, open("/dev/null", O_RDWR), seen);
	case CALL_EPOLL:
		return make(k, call, epoll_create1(0), seen);
	case CALL_CREATE:
		return create(epoll_create((int)call->count), seen);
	case CALL_CREATE1:
		return create(epoll_create1((int)call->count), seen);
	case CALL_DUP:
	case CALL_DUP2:
		return duplicate(k, call->fds[0], call->fds[1], seen, why);
	case CALL_PASS:
		return pass(k, call, seen, why);
	default:
		note_add(why, "this world has no '%s'", call_word(call->op));
		return WORLD_NOT_COVERED;
	}
}
