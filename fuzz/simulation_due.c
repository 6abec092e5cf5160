/* Who acts next: a binary heap of clients by the time at which they are due. */
#include "simulation_state.h"

static bool before(const struct simulation *s, uint32_t a, uint32_t b)
{
	const struct client *x = &s->clients[a], *y = &s->clients[b];

	return x->due != y->due ? x->due < y->due : a < b;
}

static void put(struct simulation *s, uint32_t at, uint32_t place)
{
	s->due[at] = place;
	s->clients[place].place = at;
}

static void rise(struct simulation *s, uint32_t at)
{
	uint32_t place = s->due[at];

	while (at > 0 && before(s, place, s->due[(at - 1) / 2])) {
		put(s, at, s->due[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(s, at, place);
}

static void sink(struct simulation *s, uint32_t at)
{
	uint32_t place = s->due[at];

	for (uint32_t child; (child = 2 * at + 1) < s->due_count; at = child) {
		if (child + 1 < s->due_count && before(s, s->due[child + 1], s->due[child]))
			child++;
		if (!before(s, s->due[child], place))
			break;
		put(s, at, s->due[child]);
	}
	put(s, at, place);
}

static void leave(struct simulation *s, uint32_t at)
{
	uint32_t last = s->due[--s->due_count];

	s->clients[s->due[at]].place = SIM_NOWHERE;
	if (at == s->due_count)
		return;
	put(s, at, last);
	rise(s, at);
	sink(s, s->clients[last].place);
}

void due_set(struct simulation *s, uint32_t place, uint64_t due)
{
	struct client *client = &s->clients[place];

	client->due = due;
	if (due == SIM_NEVER) {
		if (client->place != SIM_NOWHERE)
			leave(s, client->place);
		return;
	}
	if (client->place == SIM_NOWHERE)
		put(s, s->due_count++, place);
	rise(s, client->place);
	sink(s, client->place);
}

uint64_t due_next(const struct simulation *s)
{
	return s->due_count > 0 ? s->clients[s->due[0]].due : SIM_NEVER;
}

uint32_t due_first(const struct simulation *s)
{
	return s->due[0];
}
