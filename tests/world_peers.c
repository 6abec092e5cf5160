/*
 * Peers, each with manners and a timetable of its own. What a peer could do is looked at anew
 * whenever it acts, and whenever the server did something to it.
 */
#include "world_internal.h"

enum { CONNECT_TRIES = 20 };

static uint64_t planned(struct world *w, const struct peer *p);
static void peer_acts(struct world *w, struct peer *p);

bool peer_connected(const struct peer *p)
{
	return p->stage == STAGE_BACKLOG || p->stage == STAGE_OPEN;
}

void peer_stir(struct world *w, struct peer *p)
{
	uint64_t at = planned(w, p);

	if (at < p->next_ms)
		p->next_ms = at;
}

void peers_act(struct world *w)
{
	uint32_t first = (uint32_t)below(w, w->peers_count);

	for (uint32_t i = 0; i < w->peers_count; i++) {
		struct peer *p = &w->peers[(first + i) % w->peers_count];

		if (p->wake_ms <= w->now_ms) {
			p->wake_ms = NEVER;
			epoll_wake_writer(w, p);
		}
		if (p->next_ms <= w->now_ms)
			peer_acts(w, p);
	}
}

uint64_t peers_next_ms(const struct world *w)
{
	uint64_t at = w->exhausted_until_ms > w->now_ms ? w->exhausted_until_ms : NEVER;

	for (uint32_t i = 0; i < w->peers_count; i++) {
		const struct peer *p = &w->peers[i];

		if (p->next_ms < at)
			at = p->next_ms;
		if (p->wake_ms < at && p->stage == STAGE_OPEN)
			at = p->wake_ms;
	}
	return at;
}

static bool can_send(const struct peer *p)
{
	return peer_connected(p) && !p->reset && !p->fin && p->sent < p->total &&
	       socket_unread(p) < p->in_max;
}

static bool can_end(const struct peer *p)
{
	return peer_connected(p) && !p->reset && !p->fin && p->sent == p->total &&
	       (p->ending != ENDING_NONE || (p->eof && !p->stubborn));
}

static bool can_read(const struct peer *p)
{
	return !p->silent && !p->departed && !p->reset && p->got < p->written &&
	       (p->stage == STAGE_OPEN || (p->stage == STAGE_CLOSED && p->orderly));
}

static bool can_see_end(const struct peer *p)
{
	return !p->silent && !p->departed && !p->reset && !p->eof && p->got == p->written &&
	       ((p->stage == STAGE_OPEN && p->shut) || (p->stage == STAGE_CLOSED && p->orderly));
}

static bool can_acknowledge(const struct peer *p)
{
	return p->stage == STAGE_OPEN && !p->reset && p->shut && !p->acked &&
	       socket_acknowledged(p) == p->written;
}

static uint64_t planned(struct world *w, const struct peer *p)
{
	uint64_t soon = w->now_ms + below(w, p->pace_ms + 1), at = NEVER;

	if (can_read(p) || can_see_end(p))
		at = soon > p->read_from_ms ? soon : p->read_from_ms;
	if ((can_send(p) || can_end(p) || can_acknowledge(p)) && soon < at)
		at = soon;
	if (peer_connected(p) && !p->reset && p->reset_at_ms < at)
		at = p->reset_at_ms;
	return at;
}

static void peer_reset(struct world *w, struct peer *p)
{
	p->reset = true;
	epoll_wake(w, p);
}

static void peer_ends(struct world *w, struct peer *p)
{
	p->fin = true;
	p->departed = p->ending == ENDING_ABANDON;
	epoll_wake(w, p);
	if (p->departed && p->got < p->written)
		peer_reset(w, p); /* closed with unread input */
}

static void peer_sends(struct world *w, struct peer *p)
{
	uint64_t most = p->total - p->sent;

	if (most > p->in_max - socket_unread(p))
		most = p->in_max - socket_unread(p);
	if (most > p->chunk_max)
		most = p->chunk_max;
	p->sent += w->family->greedy ? most : between(w, 1, most);
	if (odds(w, w->family->urgent)) {
		p->mark = p->sent - 1;
		p->signalled = false;
	}
	epoll_wake(w, p);
	if (can_end(p) && odds(w, 500))
		peer_ends(w, p);
}

static void peer_took(const struct world *w, struct peer *p)
{
	p->took_ms = w->waiting ? w->now_ms : w->told_ms;
}

static void peer_reads(struct world *w, struct peer *p)
{
	uint64_t most = p->written - p->got, acknowledged = socket_acknowledged(p);

	p->got += between(w, 1, most < p->sip ? most : p->sip);
	if (socket_acknowledged(p) > acknowledged)
		peer_took(w, p);
	if (odds(w, w->family->pauses))
		p->read_from_ms = w->now_ms + below(w, 500);
	epoll_wake_writer(w, p);
}

static void peer_connects(struct world *w, struct peer *p)
{
	if (!w->listening || p->tries++ == CONNECT_TRIES) {
		p->stage = STAGE_REFUSED;
	} else if (w->backlog_count < w->backlog_max) {
		p->stage = STAGE_BACKLOG;
		w->backlog[w->backlog_count++] = number(w, p);
		epoll_wake_listener(w);
	}
}

static void peer_acts_at_will(struct world *w, struct peer *p)
{
	bool may[] = { can_send(p), can_end(p), can_read(p) && w->now_ms >= p->read_from_ms,
		       can_see_end(p) && w->now_ms >= p->read_from_ms, can_acknowledge(p) };
	uint64_t choice = below(w, 5);

	for (int i = 0; i < 5 && !may[choice]; i++)
		choice = (choice + 1) % 5;
	if (!may[choice])
		return;
	if (choice == 0)
		peer_sends(w, p);
	else if (choice == 1)
		peer_ends(w, p);
	else if (choice == 2)
		peer_reads(w, p);
	else if (choice == 3)
		p->eof = true;
	else
		p->acked = true;
	if (choice == 4) {
		peer_took(w, p);
		epoll_wake(w, p);
	}
}

static void peer_acts(struct world *w, struct peer *p)
{
	if (p->stage == STAGE_ABSENT) {
		peer_connects(w, p);
		p->next_ms = p->stage == STAGE_ABSENT ? w->now_ms + 1 + below(w, 50)
						      : planned(w, p);
		return;
	}
	if (peer_connected(p) && !p->reset && p->reset_at_ms <= w->now_ms)
		peer_reset(w, p);
	else
		peer_acts_at_will(w, p);
	p->next_ms = planned(w, p);
}
