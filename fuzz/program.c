#include "program.h"

#include <stdarg.h>
#include <stdio.h>

enum { THINGS_MAX = 28, STEPS_MIN = 5, STEPS_SPREAD = 45, PENDING_MAX = 12000 };

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
	KIND_TIMER
};

/* One end of something that carries bytes, whatever number leads to it. How the kernel accounts
 * for memory is not compared, so a direction is filled and drained, or far from full. */
struct end {
	uint32_t pending; /* bytes that may be unread here */
	bool filled, lowat, dead;
	bool has_empty; /* messages, at which draining would stop */
	int peer;       /* index, or itself */
};

struct thing {
	enum kind kind;
	int end;
	bool closed;
	char name[8];
};

struct maker {
	struct program *program;
	uint64_t state;
	enum program_mode mode;
	uint32_t things, ends, names;
	struct thing thing[THINGS_MAX];
	struct end end[THINGS_MAX];
};

/* SplitMix64 (public domain algorithm). */
static uint64_t next(struct maker *k)
{
	uint64_t z = k->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(struct maker *k, uint32_t limit)
{
	return (uint32_t)(next(k) % limit);
}

static bool one_in(struct maker *k, uint32_t times)
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
	static const char letters[] = "?evrwfudxtlm";
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

static void make(struct maker *k)
{
	static const char *const sizes[] = { "", "", " size 4096", " size 8192", " size 100000" };
	static const char *const counts[] = { "", "", " 1", " 3", " semaphore", " 2 semaphore" };
	uint32_t kind = below(k, k->mode == PROGRAM_SYNC ? 9 : k->mode == PROGRAM_TCP ? 14 : 13);

	switch (kind) {
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
		make_two(k, KIND_DATAGRAM, KIND_DATAGRAM, one_in(k, 2) ? "dgram" : "seqpacket", "");
		return;
	case 8:
		make_one(k, one_in(k, 3) ? KIND_FILE : KIND_EPOLL, one_in(k, 3) ? "epoll" : "epoll",
			 "");
		return;
	default:
		if (k->mode == PROGRAM_TIME)
			make_one(k, KIND_TIMER, "timerfd", "");
		else if (kind < 12)
			make_two(k, KIND_TCP, KIND_TCP, "tcp", "");
		else
			make_one(k, KIND_LISTENER, "listener", one_in(k, 2) ? "" : " backlog 1");
	}
}

static struct thing *any(struct maker *k)
{
	return &k->thing[below(k, k->things)];
}

/* One of that kind, mostly. */
static struct thing *some(struct maker *k, enum kind kind)
{
	struct thing *thing = any(k);

	for (int i = 0; i < 20 && thing->kind != kind; i++)
		thing = any(k);
	return one_in(k, 60) ? any(k) : thing;
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

	if (one_in(k, 4))
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

	if (one_in(k, 5))
		snprintf(label, sizeof(label), " as %s", one_in(k, 2) ? "one" : "two");
	if (what < 8)
		say(k, "add %s %s %s%s", epoll, target, mask(k, text, sizeof(text)), label);
	else if (what < 12)
		say(k, "mod %s %s %s%s", epoll, target, mask(k, text, sizeof(text)), label);
	else if (what < 14)
		say(k, "del %s %s", epoll, target);
	else
		say(k, "ctl %s %s op %u%s", one_in(k, 5) ? "-1" : epoll,
		    one_in(k, 5) ? "-1" : target, below(k, 5), one_in(k, 3) ? " null" : "");
}

static void wait_on(struct maker *k)
{
	static const char *const limits[] = { "", "", "", " max 1", " max 2", " max 0" };
	const char *epoll = some(k, KIND_EPOLL)->name;

	if (k->mode == PROGRAM_TIME && one_in(k, 3))
		say(k, "wait %s for 20", epoll);
	else
		say(k, "wait %s%s%s", epoll, limits[below(k, one_in(k, 8) ? 6 : 5)],
		    one_in(k, 30) ? " null" : "");
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
	if (size > 0 && size < 10 && one_in(k, 2))
		say(k, "write %s \"%.*s\"", thing->name, (int)size, "abcdefghij");
	else
		say(k, "write %s %u", thing->name, size);
}

static void read_from(struct maker *k, const struct thing *thing)
{
	static const uint32_t sizes[] = { 0, 1, 2, 4, 8, 50, 4000, 5000 };
	struct end *end = &k->end[thing->end];

	if (carries(thing) && end->filled && thing->closed)
		return;
	if (carries(thing) && end->filled) {
		end->filled = false;
		end->pending = 0;
		say(k, "drain %s", thing->name);
	} else if (one_in(k, 2)) {
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
	if (carries(thing) && (receiver(k, thing)->filled || receiver(k, thing)->lowat))
		return; /* with SO_RCVLOWAT the kernel takes seconds to drain */
	if (thing->kind == KIND_TCP && (k->end[thing->end].dead || !one_in(k, 4)))
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

	switch (below(k, 10)) {
	case 0:
	case 1:
		fill(k, thing);
		return;
	case 2:
	case 3:
	case 4:
		if (!is_stuck(k, thing))
			say(k, "shutdown %s %s", thing->name, hows[below(k, 3)]);
		return;
	case 5:
		say(k, "peek %s %u", thing->name, 1 + below(k, 10));
		return;
	case 6:
		if (!k->end[thing->end].filled)
			say(k, "queued %s", thing->name);
		return;
	case 7:
		say(k, "error %s", thing->name);
		return;
	case 8:
		if (is_pipe(thing) || one_in(k, 10))
			say(k, "resize %s %u", thing->name, capacities[below(k, 6)]);
		return;
	default:
		if (is_pipe(thing))
			say(k, "drain %s", thing->name);
	}
}

static void tcp_only(struct maker *k)
{
	struct thing *thing = some(k, one_in(k, 4) ? KIND_LISTENER : KIND_TCP), *new;
	struct end *peer;

	if (thing->kind == KIND_LISTENER && has_room(k, 1)) {
		new = thing_new(k, KIND_TCP, end_new(k));
		if (one_in(k, 2))
			say(k, "connect %s %s", new->name, thing->name);
		else
			say(k, "accept %s %s", thing->name, new->name);
		return;
	}
	if (thing->kind != KIND_TCP)
		return;
	peer = receiver(k, thing);
	switch (below(k, 6)) {
	case 0:
	case 1:
		if (!peer->filled)
			say(k, "urgent %s \"%s\"", thing->name, one_in(k, 2) ? "u" : "vw");
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
		if (peer->dead || peer == &k->end[thing->end] || thing->closed)
			return; /* the kernel's world would look for the other end */
		say(k, "reset %s", thing->name);
		thing->closed = true;
		break;
	default:
		if (peer->dead || peer == &k->end[thing->end] || thing->closed)
			return;
		say(k, "dissolve %s", thing->name);
	}
	peer->filled = k->end[thing->end].filled = false;
	peer->dead = k->end[thing->end].dead = true;
}

static void lifetime(struct maker *k)
{
	struct thing *thing = any(k), *copy;

	switch (below(k, 6)) {
	case 0:
	case 1:
		if (!has_room(k, 1))
			return;
		copy = thing_new(k, thing->kind, thing->end);
		copy->closed = thing->closed;
		say(k, "dup %s %s", thing->name, copy->name);
		return;
	case 2:
		copy = any(k);
		if (is_stuck(k, copy))
			return;
		say(k, "dup2 %s %s", thing->name, copy->name);
		if (thing->closed)
			return;
		receiver(k, copy)->dead = k->end[copy->end].dead = true;
		copy->closed = false;
		copy->kind = thing->kind;
		copy->end = thing->end;
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

	if (one_in(k, 3))
		say(k, "interest %s", some(k, KIND_EPOLL)->name);
	else
		say(k, "poll %s %s", any(k)->name,
		    one_in(k, 2) ? "IN|OUT|PRI|RDHUP|RDNORM|RDBAND|WRNORM|WRBAND"
				 : mask(k, text, sizeof(text)));
}

static void timers(struct maker *k)
{
	const char *timer = some(k, KIND_TIMER)->name;

	if (one_in(k, 5))
		say(k, "disarm %s", timer);
	else if (one_in(k, 2))
		say(k, "arm %s %u", timer, 10 + 20 * below(k, 4));
	else
		say(k, "arm %s %u every %u", timer, 10 + 20 * below(k, 3), 20 + 20 * below(k, 3));
}

static void step(struct maker *k)
{
	uint32_t what = below(k, 100);

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
	else if (k->mode == PROGRAM_TCP)
		tcp_only(k);
	else if (k->mode == PROGRAM_TIME)
		timers(k);
}

void program_make(struct program *program, uint64_t seed, enum program_mode mode)
{
	struct maker maker = { .program = program,
			       .state = seed * 64 + (uint64_t)mode,
			       .mode = mode };
	struct maker *k = &maker;
	uint32_t things, steps;

	program->lines = 0;
	things = 1 + below(k, 6);
	make_one(k, KIND_EPOLL, "epoll", "");
	for (uint32_t i = 0; i < things; i++)
		make(k);
	steps = STEPS_MIN + below(k, STEPS_SPREAD);
	for (uint32_t i = 0; i < steps; i++)
		step(k);
}
