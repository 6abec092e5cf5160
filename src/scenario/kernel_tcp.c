/*
 * When is a call on a TCP socket over? When what it sent has been acknowledged: the other end has
 * queued it then, and on the loopback also announced it, since the packet that answers is taken up
 * after the one that is answered is done with. Where the answer is
 * a reset, or there is nobody to answer, the state of a socket tells.
 */
#include "kernel_state.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/tcp.h> /* its tcp_info has what is not sent yet */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"

enum { TICK_NS = 20000 };

static int number_of(const struct kernel *k, const struct thing *thing)
{
	return CALL_NUMBER_FIRST + (int)(thing - k->things);
}

/* Whatever name leads to the other end: its first one may be that of something else by now. */
static struct thing *peer_of(struct kernel *k, const struct thing *thing)
{
	for (int i = 0; thing->peer != THING_NOBODY && i < CALL_NAMES_MAX; i++) {
		struct thing *peer = &k->things[i];

		if (peer->open && peer->kind == THING_TCP && peer->port == thing->peer_port &&
		    peer->peer_port == thing->port)
			return peer;
	}
	return NULL;
}

static bool info_of(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

int kernel_tcp_state(int fd)
{
	struct tcp_info info;

	return info_of(fd, &info) ? info.tcpi_state : 0;
}

void kernel_ports(int fd, struct thing *thing)
{
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		thing->port = ntohs(address.sin_port);
	size = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &size) == 0)
		thing->peer_port = ntohs(address.sin_port);
}

/* The state of a socket that nobody has a descriptor of yet: proc(5), /proc/net/tcp. 0: gone. */
static int state_of_ports(uint16_t port, uint16_t peer_port)
{
	unsigned int local, remote, state;
	FILE *file = fopen("/proc/net/tcp", "re");
	char line[256];
	int found = 0;

	if (file == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, " %*d: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 &&
		    local == port && remote == peer_port)
			found = (int)state;
	fclose(file);
	return found;
}

/* False: it is too late. A look at a state can cost more than a tick, so the clock decides. */
static bool tick(int64_t begun_ms)
{
	static const struct timespec time = { .tv_nsec = TICK_NS };

	nanosleep(&time, NULL);
	return patience_now() - begun_ms < KERNEL_SETTLE_MS;
}

static bool not_settled(struct note *why, const char *what)
{
	note_add(why, "%s has not arrived after %d ms", what, KERNEL_SETTLE_MS);
	return false;
}

/* Makes an acknowledgement that is delayed go out now (tcp(7), TCP_QUICKACK). */
static void hurry(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* Of a socket that listens, the count is of those who wait to be accepted. */
static bool acknowledged(int fd)
{
	struct tcp_info info;

	return !info_of(fd, &info) || info.tcpi_state == STATE_CLOSE ||
	       info.tcpi_state == STATE_LISTEN || info.tcpi_unacked == 0;
}

/* Who writes to a socket that was closed is answered by a reset. */
static bool settled(struct kernel *k, const struct thing *thing)
{
	const struct thing *peer = peer_of(k, thing);
	int fd = number_of(k, thing);

	if (peer == NULL && thing->peer != THING_NOBODY && k->children == 0)
		return kernel_tcp_state(fd) == STATE_CLOSE || acknowledged(fd);
	if (peer != NULL) {
		hurry(number_of(k, peer));
		hurry(fd);
		return acknowledged(fd) && acknowledged(number_of(k, peer));
	}
	return acknowledged(fd);
}

bool kernel_settle(struct kernel *k, struct thing *thing, struct note *why)
{
	int64_t begun = patience_now();

	do {
		if (settled(k, thing))
			return true;
	} while (tick(begun));
	return not_settled(why, "what was sent");
}

/* Nothing waits at the sender any more, and nothing is unread here. */
bool kernel_settle_drained(struct kernel *k, struct thing *thing, struct note *why)
{
	const struct thing *peer = peer_of(k, thing);
	int64_t begun = patience_now();
	struct tcp_info info;
	int unread;

	if (peer == NULL)
		return true;
	do {
		char bytes[4096];

		while (recv(number_of(k, thing), bytes, sizeof(bytes), 0) > 0)
			;
		hurry(number_of(k, thing));
		if (info_of(number_of(k, peer), &info) &&
		    (info.tcpi_state == STATE_CLOSE ||
		     (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)) &&
		    ioctl(number_of(k, thing), FIONREAD, &unread) == 0 && unread == 0)
			return true;
	} while (tick(begun));
	return not_settled(why, "what the peer has to send");
}

bool kernel_settle_connect(struct kernel *k, int fd, const struct thing *listener, struct note *why)
{
	struct thing end = { 0 };
	int64_t begun = patience_now();

	(void)k;
	do {
		int state = kernel_tcp_state(fd);

		if (state != STATE_ESTABLISHED && state != STATE_SYN_SENT)
			return true;
		if (state == STATE_ESTABLISHED && listener == NULL)
			return true;
		kernel_ports(fd, &end);
		/* Our acknowledgement, the last of the handshake, has made the other end. */
		if (state == STATE_ESTABLISHED && state_of_ports(listener->port, end.port) != 0)
			return true;
	} while (tick(begun));
	return not_settled(why, "the connection");
}

static bool others_have(const struct kernel *k, const struct thing *thing)
{
	for (int i = 0; i < CALL_NAMES_MAX; i++)
		if (&k->things[i] != thing && k->things[i].open && k->things[i].file == thing->file)
			return true;
	return false;
}

struct farewell kernel_farewell(struct kernel *k, const struct thing *thing)
{
	int fd = number_of(k, thing), unread = 0, state = kernel_tcp_state(fd);
	struct linger linger = { 0 };
	socklen_t size = sizeof(linger);

	ioctl(fd, FIONREAD, &unread);
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size);
	return (struct farewell){
		.last = thing->kind == THING_TCP && !others_have(k, thing) && k->children == 0,
		.resets = state != STATE_CLOSE &&
			  ((linger.l_onoff != 0 && linger.l_linger == 0) || unread > 0),
		.finishes = state == STATE_ESTABLISHED || state == STATE_CLOSE_WAIT,
	};
}

static bool peer_has_heard(int state, const struct farewell *farewell)
{
	if (farewell->resets)
		return state == STATE_CLOSE || state == 0;
	return state != STATE_ESTABLISHED && state != STATE_FIN_WAIT1 && state != STATE_FIN_WAIT2 &&
	       state != STATE_SYN_RECV;
}

bool kernel_settle_close(struct kernel *k, struct thing *thing, struct farewell farewell,
			 struct note *why)
{
	const struct thing *peer = peer_of(k, thing);
	int64_t begun = patience_now();

	if (!farewell.last || !(farewell.resets || farewell.finishes))
		return true;
	if (peer == NULL && (thing->peer != THING_NOBODY || thing->peer_port == 0))
		return true;
	do {
		int state = peer != NULL ? kernel_tcp_state(number_of(k, peer))
					 : state_of_ports(thing->peer_port, thing->port);

		if (peer_has_heard(state, &farewell))
			return true;
	} while (tick(begun));
	return not_settled(why, "the end of the stream");
}
