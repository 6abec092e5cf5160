#include "program.h"

#include <stdarg.h>
#include <stdio.h>

#include "choices.h"

/* Names of a scenario are CALL_NAMES_MAX, with two labels, waiters and children. */
enum { THINGS_MAX = 40, SLEEPERS_MAX = 12, STEPS_MIN = 5, STEPS_SPREAD = 45, PENDING_MAX = 12000 };

enum kind {
	KIND_EPOLL = 1,
	KIND_EVENTFD,
	KIND_READER,
	KIND_WRITER,
	KIND_FIFO,
	KIND_STREAM,
	KIND_DATAGRAM,
	KIND_FILE,
	KIND_TCP,
	KIND_LISTENER,
	KIND_TIMER,
	KIND_OTHER /* the model has only that it cannot be watched */
};

/* One end of something that carries bytes, whatever number leads to it. How the kernel accounts
 * for memory is not compared, so a direction is filled and drained, or far from full. */
struct end {
	uint32_t pending; /* bytes that may be unread here */
	bool filled, lowat, dead;
	bool deaf;      /* TCP: shut down for reading, after which its window opens no more */
	bool used;      /* something was done to it that may keep it from carrying a message */
	bool has_empty; /* messages, at which draining would stop */
	int peer;       /* index, or itself */

	/* Of listeners. A connection that does not fit in would not come to an end; and a number
	 * that is closed refuses in the model, while the kernel goes by the port. */
	uint32_t backlog, queued;
	bool fresh; /* or could be one */
	bool copied;
};

struct thing {
	enum kind kind;
	int end;
	bool closed;
	char name[8];
};

struct maker {
	struct program *program;
	struct choices choices;
	bool limited;
	enum program_mode mode;
	uint32_t things, ends, names, waiters, children;
	struct thing thing[THINGS_MAX];
	struct end end[THINGS_MAX];
	bool ended[SLEEPERS_MAX];
};

/* All choices come from here; none has more than 256 ways to go. */
static uint32_t below(struct maker *k, uint32_t limit)
{
	return choose_by_byte(&k->choices, limit);
}

static bool once_in(struct maker *k, uint32_t times)
{
	return below(k, times) == 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct maker *k, const char *format, ...)
{
	struct program *program = k->program;
	va_list arguments;

	if (program->lines == PROGRAM_LINES_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(program->line[program->lines++], PROGRAM_LINE_SIZE, format, arguments);
	va_end(arguments);
}

static struct thing *thing_new(struct maker *k, enum kind kind, int end)
{
	static const char letters[] = "?evrwfudxtlmo";
	struct thing *thing = &k->thing[k->things++];

	thing->kind = kind;
	thing->end = end;
	snprintf(thing->name, sizeof(thing->name), "%c%u", letters[kind], k->names++ % 1000);
	return thing;
}

static int end_new(struct maker *k)
{
	int end = (int)k->ends++;

	k->end[end] = (struct end){ .peer = end };
	return end;
}

static bool has_room(const struct maker *k, uint32_t things)
{
	return k->things + things <= THINGS_MAX && k->ends + things <= THINGS_MAX;
}

static void make_one(struct maker *k, enum kind kind, const char *verb, const char *options)
{
	if (has_room(k, 1))
		say(k, "%s %s%s", verb, thing_new(k, kind, end_new(k))->name, options);
}

static void make_two(struct maker *k, enum kind first, enum kind second, const char *verb,
		     const char *options)
{
	struct thing *a, *b;

	if (!has_room(k, 2))
		return;
	a = thing_new(k, first, end_new(k));
	b = thing_new(k, second, end_new(k));
	k->end[a->end].peer = b->end;
	k->end[b->end].peer = a->end;
	say(k, "%s %s %s%s", verb, a->name, b->name, options);
}

static struct thing *any(struct maker *k)
{
	return &k->thing[below(k, k->things)];
}

/* One of that kind, mostly. */
static struct thing *some(struct maker *k, enum kind kind)
{
	uint32_t found[THINGS_MAX], count = 0;

	for (uint32_t i = 0; i < k->things; i++)
		if (k->thing[i].kind == kind)
			found[count++] = i;
	if (count == 0 || once_in(k, 60))
		return any(k);
	return &k->thing[found[below(k, count)]];
}

static struct thing *copy_of(struct maker *k, struct thing *thing)
{
	struct thing *copy = thing_new(k, thing->kind, thing->end);

	copy->closed = thing->closed;
	k->end[thing->end].copied = true;
	return copy;
}

static void make_listener(struct maker *k)
{
	struct thing *thing;

	if (!has_room(k, 1))
		return;
	thing = thing_new(k, KIND_LISTENER, end_new(k));
	k->end[thing->end].backlog = once_in(k, 2) ? 16 : 1 + below(k, 2);
	say(k, "listener %s backlog %u", thing->name, k->end[thing->end].backlog);
}

static void make_tcp(struct maker *k)
{
	switch (below(k, 8)) {
	case 0:
	case 1:
		make_listener(k);
		return;
	case 2:
		make_one(k, KIND_TCP, "socket", "");
		k->end[k->ends - 1].fresh = k->thing[k->things - 1].kind == KIND_TCP;
		return;
	default:
		make_two(k, KIND_TCP, KIND_TCP, "tcp", "");
	}
}

static void make(struct maker *k)
{
	static const char *const sizes[] = { "", "", " size 4096", " size 8192", " size 100000" };
	static const char *const counts[] = { "", "", " 1", " 3", " semaphore", " 2 semaphore" };

	switch (below(k, k->mode == PROGRAM_TCP ? 14 : k->mode == PROGRAM_TIME ? 13 : 9)) {
	case 0:
	case 1:
		make_one(k, KIND_EPOLL, "epoll", "");
		return;
	case 2:
	case 3:
		make_one(k, KIND_EVENTFD, "eventfd", counts[below(k, 6)]);
		return;
	case 4:
		make_two(k, KIND_READER, KIND_WRITER, "pipe", sizes[below(k, 5)]);
		return;
	case 5:
		make_one(k, KIND_FIFO, "fifo", "");
		return;
	case 6:
		make_two(k, KIND_STREAM, KIND_STREAM, "unix", "");
		return;
	case 7:
		make_two(k, KIND_DATAGRAM, KIND_DATAGRAM, once_in(k, 2) ? "dgram" : "seqpacket",
			 "");
		return;
	case 8:
		if (once_in(k, 4))
			make_one(k, KIND_FILE, once_in(k, 2) ? "file" : "memfd", "");
		else if (once_in(k, 8))
			make_one(k, KIND_OTHER, once_in(k, 2) ? "directory" : "null", "");
		else
			make_one(k, KIND_EPOLL, "epoll", "");
		return;
	default:
		if (k->mode == PROGRAM_TIME)
			make_one(k, KIND_TIMER, "timerfd", "");
		else
			make_tcp(k);
	}
}

static const char *mask(struct maker *k, char *text, size_t size)
{
	static const char *const bits[] = {
		"IN",     "OUT",    "RDHUP",  "PRI",    "ERR",  "HUP",
		"RDNORM", "WRNORM", "RDBAND", "WRBAND", "0x20", "0x400"
	};
	static const char *const flags[] = { "",
					     "",
					     "|ET",
					     "|ET",
					     "|ET",
					     "|ONESHOT",
					     "|ET|ONESHOT",
					     "|EXCLUSIVE",
					     "|EXCLUSIVE|ET",
					     "|WAKEUP" };
	static const char *const common[] = { "IN", "OUT", "IN|OUT", "IN|OUT|RDHUP", "0", "RDHUP" };

	if (once_in(k, 4))
		snprintf(text, size, "%s|%s%s", bits[below(k, 12)], bits[below(k, 12)],
			 flags[below(k, 10)]);
	else
		snprintf(text, size, "%s%s", common[below(k, 6)], flags[below(k, 10)]);
	if (text[0] == '0' && text[1] == '|')
		return text + 2;
	return text;
}

static void control(struct maker *k, uint32_t what)
{
	const char *epoll = some(k, KIND_EPOLL)->name, *target = any(k)->name;
	char text[48], label[16] = "";

	if (once_in(k, 5))
		snprintf(label, sizeof(label), " as %s", once_in(k, 2) ? "one" : "two");
	if (what < 8)
		say(k, "add %s %s %s%s", epoll, target, mask(k, text, sizeof(text)), label);
	else if (what < 12)
		say(k, "mod %s %s %s%s", epoll, target, mask(k, text, sizeof(text)), label);
	else if (what < 14)
		say(k, "del %s %s", epoll, target);
	else
		say(k, "ctl %s %s op %u%s", once_in(k, 5) ? "-1" : epoll,
		    once_in(k, 5) ? "-1" : target, below(k, 5), once_in(k, 3) ? " null" : "");
}

/* Arguments that waits are seldom given. */
static void odd_wait(struct maker *k, const char *epoll)
{
	static const char *const verbs[] = { "wait",  "wait",   "wait",   "wait",   "wait",  "wait",
					     "pwait", "pwait2", "pwait2", "pwait2", "pwait2" };
	static const char *const rests[] = { " max -1",
					     " max -2147483648",
					     " max 178956970 null",
					     " max 178956971 null",
					     " max 2147483647 null",
					     " for 0",
					     "",
					     "",
					     " for 0 nsec 1000000000",
					     " for 0 nsec -1",
					     " for -1" };
	uint32_t which = below(k, 11);

	say(k, "%s %s%s", verbs[which], epoll, rests[which]);
}

static void wait_on(struct maker *k)
{
	static const char *const limits[] = { "", "", "", " max 1", " max 2", " max 0" };
	const char *epoll = some(k, KIND_EPOLL)->name;

	if (k->mode == PROGRAM_TIME && once_in(k, 3))
		say(k, "%s %s for %u", once_in(k, 8) ? "pwait2" : "wait", epoll, 1 + below(k, 4));
	else if (once_in(k, 40))
		odd_wait(k, epoll);
	else
		say(k, "wait %s%s%s", epoll, limits[below(k, once_in(k, 8) ? 6 : 5)],
		    once_in(k, 30) ? " null" : "");
}

/* The end at which bytes that are written to this one arrive. */
static struct end *receiver(struct maker *k, const struct thing *thing)
{
	return &k->end[k->end[thing->end].peer];
}

static bool is_pipe(const struct thing *thing)
{
	return thing->kind == KIND_READER || thing->kind == KIND_WRITER || thing->kind == KIND_FIFO;
}

static bool carries(const struct thing *thing)
{
	return thing->kind == KIND_STREAM || thing->kind == KIND_DATAGRAM ||
	       thing->kind == KIND_TCP;
}

/* What is sent behind a full buffer does not arrive, so the kernel's world would wait for it. */
static bool is_stuck(struct maker *k, const struct thing *thing)
{
	return thing->kind == KIND_TCP && receiver(k, thing)->filled;
}

static void write_to(struct maker *k, const struct thing *thing)
{
	static const uint32_t pipe_sizes[] = { 0, 1, 5, 100, 3000, 4095, 4096, 4097, 9000, 65536 };
	static const uint32_t sizes[] = { 0, 1, 2, 5, 20, 1000, 3000 };
	uint32_t size = is_pipe(thing) ? pipe_sizes[below(k, 10)] : sizes[below(k, 7)];

	if (thing->kind == KIND_OTHER)
		return;
	if (thing->kind == KIND_EVENTFD) {
		say(k, "write %s %u", thing->name, below(k, 4));
		return;
	}
	if (carries(thing)) {
		if (receiver(k, thing)->filled)
			return;
		if (receiver(k, thing)->pending + size > PENDING_MAX)
			size = 1;
		receiver(k, thing)->pending += size + 100;
		receiver(k, thing)->has_empty |= size == 0;
		if (receiver(k, thing)->pending > 2 * PENDING_MAX)
			return;
	}
	if (size > 0 && size < 10 && once_in(k, 2))
		say(k, "write %s \"%.*s\"", thing->name, (int)size, "abcdefghij");
	else
		say(k, "write %s %u", thing->name, size);
}

static void read_from(struct maker *k, const struct thing *thing)
{
	static const uint32_t sizes[] = { 0, 1, 2, 4, 8, 50, 4000, 5000 };
	struct end *end = &k->end[thing->end];

	if (thing->kind == KIND_OTHER || (carries(thing) && end->filled && thing->closed))
		return;
	if (carries(thing) && end->filled) {
		end->filled = k->limited; /* a name above the limit drains nothing */
		end->pending = 0;
		/* An error that was pending ends the first one. */
		for (int i = 0; i < (thing->kind == KIND_DATAGRAM ? 2 : 1); i++)
			say(k, "drain %s", thing->name);
	} else if (once_in(k, 2)) {
		end->pending = 0;
		say(k, "read %s", thing->name);
	} else {
		say(k, "read %s %u", thing->name, sizes[below(k, 8)]);
	}
}

static void fill(struct maker *k, const struct thing *thing)
{
	if (thing->closed || (!carries(thing) && !is_pipe(thing)))
		return;
	/* How many wake-ups draining takes is the kernel's account as well: who is woken by the
	 * first may look before the others come, or after. */
	if (carries(thing) && (k->mode == PROGRAM_WAITERS || k->mode == PROGRAM_TIME))
		return;
	if (carries(thing) && (receiver(k, thing)->filled || receiver(k, thing)->lowat))
		return; /* with SO_RCVLOWAT the kernel takes seconds to drain */
	/* Whether a connection that was accepted is full is not known of its other end. */
	if (thing->kind == KIND_TCP &&
	    (k->end[thing->end].peer == thing->end || k->end[thing->end].dead ||
	     receiver(k, thing)->deaf || !once_in(k, 4)))
		return;
	if (thing->kind == KIND_DATAGRAM && receiver(k, thing)->has_empty)
		return;
	receiver(k, thing)->filled = true;
	say(k, "fill %s by %u", thing->name, thing->kind == KIND_DATAGRAM ? 1000 : 4096);
}

static void other_data(struct maker *k, struct thing *thing)
{
	static const char *const hows[] = { "RD", "WR", "RDWR" };
	static const uint32_t capacities[] = { 0, 4096, 8192, 16384, 65536, 131072 };
	uint32_t how;

	switch (below(k, 10)) {
	case 0:
	case 1:
		fill(k, thing);
		return;
	case 2:
	case 3:
	case 4:
		k->end[thing->end].used = receiver(k, thing)->used = true;
		how = below(k, 3);
		if (is_stuck(k, thing) ||
		    (thing->kind == KIND_TCP && k->end[thing->end].filled && how != 1))
			return;
		k->end[thing->end].deaf |= how != 1;
		say(k, "shutdown %s %s", thing->name, hows[how]);
		return;
	case 5:
		say(k, "peek %s %u", thing->name, 1 + below(k, 10));
		return;
	case 6:
		if (!k->end[thing->end].filled && thing->kind != KIND_OTHER)
			say(k, "queued %s", thing->name);
		return;
	case 7:
		say(k, "error %s", thing->name);
		return;
	case 8:
		if (is_pipe(thing) || once_in(k, 10))
			say(k, "resize %s %u", thing->name, capacities[below(k, 6)]);
		return;
	default:
		if (is_pipe(thing))
			say(k, "drain %s", thing->name);
	}
}

/* Its end is met at once, or after the next step. */
static void connect_to(struct maker *k, struct thing *listener)
{
	struct end *end = &k->end[listener->end];
	struct thing *thing = once_in(k, 4) ? some(k, KIND_TCP) : NULL;

	if (end->queued > end->backlog || (end->dead && end->copied))
		return;
	if (thing == NULL && has_room(k, 1))
		thing = thing_new(k, KIND_TCP, end_new(k));
	if (thing == NULL || thing->kind != KIND_TCP || thing->closed)
		return;
	if (!end->dead)
		end->queued++; /* at most: who is connected already is not */
	k->end[thing->end].fresh = false;
	if (once_in(k, 3)) {
		say(k, "connect %s %s async", thing->name, listener->name);
		if (once_in(k, 2))
			wait_on(k);
		say(k, "settle %s", thing->name);
	} else {
		say(k, "connect %s %s", thing->name, listener->name);
	}
}

/* What only sockets of TCP can, or only those that listen. */
static void odd_socket(struct maker *k)
{
	struct thing *thing = any(k), *listener = some(k, KIND_LISTENER), *new;
	struct end *end = &k->end[listener->end];

	if (once_in(k, 2) && has_room(k, 1) && thing->kind != KIND_LISTENER) {
		new = thing_new(k, KIND_TCP, end_new(k));
		new->closed = true;
		say(k, "accept %s %s", thing->name, new->name);
	} else if (listener->kind == KIND_LISTENER && !end->dead && end->queued <= end->backlog &&
		   thing->kind != KIND_TCP && !thing->closed) {
		end->queued++; /* a listener that was shut down connects */
		say(k, "connect %s %s", thing->name, listener->name);
	}
}

static void listen_on(struct maker *k)
{
	struct thing *thing = some(k, KIND_TCP);
	struct end *end = &k->end[thing->end];
	bool fresh = end->fresh;

	/* The kernel's world binds it as well, which can be done once. */
	if (thing->kind != KIND_TCP || (!fresh && (end->dead || end->peer == thing->end)))
		return;
	say(k, "listen %s", thing->name);
	end->fresh = false;
	if (!fresh || thing->closed)
		return;
	thing->kind = KIND_LISTENER;
	end->backlog = 2; /* less than it has */
}

static void listening(struct maker *k)
{
	struct thing *thing = some(k, KIND_LISTENER), *new;

	if (once_in(k, 10)) {
		odd_socket(k);
		return;
	}
	if (once_in(k, 10)) {
		listen_on(k);
		return;
	}
	if (thing->kind != KIND_LISTENER)
		return;
	if (once_in(k, 2)) {
		connect_to(k, thing);
	} else if (has_room(k, 1)) {
		new = thing_new(k, KIND_TCP, end_new(k));
		new->closed = k->end[thing->end].queued == 0;
		if (!new->closed)
			k->end[thing->end].queued--;
		say(k, "accept %s %s", thing->name, new->name);
	}
}

static void tcp_only(struct maker *k)
{
	struct thing *thing;
	struct end *peer;

	if (once_in(k, 2)) {
		listening(k);
		return;
	}
	thing = some(k, KIND_TCP);
	if (thing->kind != KIND_TCP)
		return;
	peer = receiver(k, thing);
	switch (below(k, 7)) {
	case 0:
	case 1:
		if (peer->filled)
			return;
		say(k, "urgent %s \"%s\"", thing->name, once_in(k, 2) ? "u" : "vw");
		for (uint32_t i = 0; i < k->things; i++)
			if (&k->end[k->thing[i].end] == peer && once_in(k, 2))
				say(k, "poll %s IN|OUT|PRI|RDHUP", k->thing[i].name);
		return;
	case 2:
		if (k->end[thing->end].filled)
			return;
		k->end[thing->end].lowat = true;
		say(k, "set %s RCVLOWAT %u", thing->name, below(k, 8));
		return;
	case 3:
		say(k, "set %s OOBINLINE %u", thing->name, below(k, 2));
		return;
	case 4:
		say(k, "set %s LINGER 0", thing->name);
		return;
	case 5:
		if (peer->dead || peer == &k->end[thing->end] || thing->closed)
			return; /* the kernel's world would look for the other end */
		say(k, "reset %s", thing->name);
		say(k, "close %s", thing->name); /* if it was no socket after all */
		thing->closed = true;
		break;
	default:
		if (peer->dead || peer == &k->end[thing->end] || thing->closed)
			return;
		say(k, "dissolve %s", thing->name);
		k->end[thing->end].filled = false; /* but what has arrived there stays */
	}
	peer->dead = k->end[thing->end].dead = true;
}

/* A descriptor through a pair of sockets that carries nothing else. */
static void pass(struct maker *k)
{
	struct thing *what = any(k), *from = some(k, KIND_STREAM), *to = NULL;
	struct end *end = receiver(k, from);

	for (uint32_t i = 0; i < k->things; i++)
		if (&k->end[k->thing[i].end] == end)
			to = &k->thing[i];
	if (k->limited || from->kind != KIND_STREAM || from->closed || what->closed || to == NULL ||
	    to->closed || end->pending > 0 || end->filled || end->used || end->dead ||
	    !has_room(k, 1))
		return;
	say(k, "pass %s %s %s %s", what->name, from->name, to->name, copy_of(k, what)->name);
}

static void lifetime(struct maker *k)
{
	struct thing *thing = any(k), *copy;

	switch (below(k, 7)) {
	case 0:
	case 1:
		if (!has_room(k, 1))
			return;
		copy = copy_of(k, thing);
		say(k, "dup %s %s", thing->name, copy->name);
		/* Registered again, by another number: epoll(7), Q1. */
		if (once_in(k, 3))
			say(k, "add %s %s IN|OUT", some(k, KIND_EPOLL)->name, copy->name);
		return;
	case 2:
		/* Above a limit there is nothing, whatever was to be made there. */
		copy = k->limited ? thing : any(k);
		if (is_stuck(k, copy))
			return;
		say(k, "dup2 %s %s", thing->name, copy->name);
		if (thing->closed)
			return;
		receiver(k, copy)->dead = k->end[copy->end].dead = true;
		k->end[thing->end].copied = true;
		copy->closed = false;
		copy->kind = thing->kind;
		copy->end = thing->end;
		return;
	case 3:
		if (k->mode != PROGRAM_TCP)
			pass(k);
		return;
	default:
		if (is_stuck(k, thing))
			return;
		say(k, "close %s", thing->name);
		thing->closed = true;
		receiver(k, thing)->dead = k->end[thing->end].dead = true;
	}
}

static void look(struct maker *k)
{
	char text[48];

	if (once_in(k, 3))
		say(k, "interest %s", some(k, KIND_EPOLL)->name);
	else
		say(k, "poll %s %s", any(k)->name,
		    once_in(k, 2) ? "IN|OUT|PRI|RDHUP|RDNORM|RDBAND|WRNORM|WRBAND"
				  : mask(k, text, sizeof(text)));
}

/* Instances in instances: as deep as they may be, and so often that the paths run out. */
static void nest(struct maker *k)
{
	struct thing *inner = some(k, KIND_EPOLL), *outer = some(k, KIND_EPOLL);
	uint32_t depth = 1 + below(k, 6);

	for (uint32_t i = 0; i < depth && has_room(k, 2); i++) {
		if (once_in(k, 2)) {
			make_one(k, KIND_EPOLL, "epoll", "");
			outer = &k->thing[k->things - 1];
		}
		say(k, "add %s %s IN%s", outer->name, inner->name, once_in(k, 3) ? "|ET" : "");
		if (once_in(k, 2) && has_room(k, 1)) {
			struct thing *copy = copy_of(k, inner);

			say(k, "dup %s %s", inner->name, copy->name);
			say(k, "add %s %s IN", outer->name, copy->name);
		}
		inner = outer;
	}
}

static void create(struct maker *k)
{
	static const char *const calls[] = { "epoll_create 0",       "epoll_create -1",
					     "epoll_create 1",       "epoll_create 2147483647",
					     "epoll_create1 0",      "epoll_create1 1",
					     "epoll_create1 524288", "epoll_create1 -1",
					     "epoll_create1 524289", "epoll_create1 2048" };

	say(k, "%s", calls[below(k, 10)]);
}

static void seldom(struct maker *k)
{
	switch (below(k, 8)) {
	case 0:
		create(k);
		return;
	case 1:
		if (k->mode == PROGRAM_TCP)
			return; /* the kernel's world needs a listener that is there */
		k->limited = true;
		/* Between the first descriptor of a scenario and its last. */
		say(k, "limit %u", 64 + below(k, 60));
		return;
	default:
		nest(k);
	}
}

static void timers(struct maker *k)
{
	const char *timer = some(k, KIND_TIMER)->name;

	if (once_in(k, 5))
		say(k, "disarm %s", timer);
	else if (once_in(k, 2))
		say(k, "arm %s %u", timer, 1 + below(k, 8));
	else
		say(k, "arm %s %u every %u", timer, 1 + below(k, 6), 2 + below(k, 6));
}

/* What a child does to its copies of descriptors, of which it gives up all in the end. */
static void child(struct maker *k)
{
	const char *name = any(k)->name, *epoll = some(k, KIND_EPOLL)->name;
	char text[48];

	switch (below(k, 6)) {
	case 0:
		say(k, "child close %s", name);
		return;
	case 1:
		say(k, "child add %s %s %s", epoll, name, mask(k, text, sizeof(text)));
		return;
	case 2:
		say(k, "child mod %s %s %s", epoll, name, mask(k, text, sizeof(text)));
		return;
	case 3:
		say(k, "child del %s %s", epoll, name);
		return;
	case 4:
		say(k, "child dup2 %s %s", name, any(k)->name);
		return;
	default:
		say(k, "child wait %s", epoll);
	}
}

static void processes(struct maker *k)
{
	uint32_t which = below(k, SLEEPERS_MAX);

	if (once_in(k, 2)) {
		child(k);
	} else if (once_in(k, 2) && k->children < 3) {
		say(k, "fork p%u", k->children++);
	} else if (which < k->children && !k->ended[which]) {
		k->ended[which] = true;
		say(k, "end p%u", which);
	}
}

static void waiters(struct maker *k)
{
	static const char *const limits[] = { "", "", "", " max 1", " max 2" };
	uint32_t what = below(k, 8);

	if (what < 3 && k->waiters < SLEEPERS_MAX - 3 && k->mode == PROGRAM_WAITERS)
		say(k, "waiter z%u %s%s", k->waiters++, some(k, KIND_EPOLL)->name,
		    limits[below(k, 5)]);
	else if (what < 3 && k->waiters < SLEEPERS_MAX - 3)
		say(k, "waiter z%u %s%s for %u", k->waiters++, some(k, KIND_EPOLL)->name,
		    limits[below(k, 5)], 1 + below(k, 6));
	else if (k->waiters > 0)
		say(k, "%s z%u",
		    once_in(k, 8)   ? "interrupt"
		    : once_in(k, 3) ? "asleep"
				    : "woken",
		    below(k, k->waiters));
}

static void of_mode(struct maker *k)
{
	if (k->mode == PROGRAM_TCP)
		tcp_only(k);
	else if (k->mode == PROGRAM_TIME && once_in(k, 4))
		waiters(k);
	else if (k->mode == PROGRAM_TIME)
		timers(k);
	else if (k->mode == PROGRAM_WAITERS && once_in(k, 3))
		processes(k);
	else if (k->mode == PROGRAM_WAITERS)
		waiters(k);
}

static void step(struct maker *k)
{
	uint32_t what = below(k, k->mode == PROGRAM_WAITERS ? 120
				 : k->mode == PROGRAM_TCP   ? 106
							    : 101);

	if (what < 22)
		control(k, what % 15);
	else if (what < 45)
		wait_on(k);
	else if (what < 60)
		write_to(k, any(k));
	else if (what < 72)
		read_from(k, any(k));
	else if (what < 82)
		other_data(k, any(k));
	else if (what < 87)
		lifetime(k);
	else if (what < 91)
		look(k);
	else if (what < 94)
		make(k);
	else if (what > 94)
		of_mode(k);
	else if (once_in(k, 2))
		seldom(k);
}

static void make_all(struct maker *k)
{
	uint32_t things = 1 + below(k, 6), steps;

	k->program->lines = 0;
	make_one(k, KIND_EPOLL, "epoll", "");
	for (uint32_t i = 0; i < things; i++)
		make(k);
	steps = STEPS_MIN + below(k, STEPS_SPREAD);
	for (uint32_t i = 0; i < steps; i++)
		step(k);
}

void program_make(struct program *program, uint64_t seed, enum program_mode mode)
{
	struct maker maker = { .program = program,
			       .choices = choices_of_seed(seed * 64 + (uint64_t)mode),
			       .mode = mode };

	make_all(&maker);
}

void program_of_bytes(struct program *program, const uint8_t *bytes, size_t size,
		      enum program_mode mode)
{
	uint64_t seed = (uint64_t)mode;
	struct maker maker = { .program = program, .mode = mode };

	/* Of few bytes, so that the others can change without all that follows them. */
	for (size_t i = 0; i < 2 && size > 0; i++, size--)
		seed = seed << 8 | *bytes++;
	maker.choices = (struct choices){ .bytes = bytes, .left = size, .state = seed };
	make_all(&maker);
}
