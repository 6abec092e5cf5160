/*
 * The ready list of an epoll instance: connections are watched edge-triggered, the listener
 * level-triggered.
 */
#include "world_internal.h"

void epoll_wake(struct world *w, struct peer *p)
{
	if (!p->watched || p->queued)
		return;
	p->queued = true;
	w->ready[w->ready_count++] = number(w, p);
}

void epoll_wake_listener(struct world *w)
{
	if (!w->listening || !w->listener_watched || w->listener_queued || w->backlog_count == 0)
		return;
	w->listener_queued = true;
	w->ready[w->ready_count++] = LISTENER;
}

void epoll_wake_writer(struct world *w, struct peer *p)
{
	if (!p->nospace || !socket_writable(p))
		return;
	p->nospace = false;
	epoll_wake(w, p);
}

void epoll_forget(struct world *w, int32_t id)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < w->ready_count; i++)
		if (w->ready[i] != id)
			w->ready[kept++] = w->ready[i];
	w->ready_count = kept;
}

bool epoll_reportable(struct world *w)
{
	for (uint32_t i = 0; i < w->ready_count; i++)
		if (w->ready[i] == LISTENER ? w->backlog_count > 0
					    : socket_readiness(&w->peers[w->ready[i]]) != 0)
			return true;
	return false;
}

/* ep_send_events(): in the order of the list; what is not ready takes no place; what is
 * level-triggered goes back to the end of it. */
uint32_t world_epoll_collect(struct world *w, uint32_t events_max)
{
	uint32_t count = 0, left = 0;
	bool again = false;

	for (uint32_t i = 0; i < w->ready_count; i++) {
		struct peer *p = &w->peers[w->ready[i]]; /* of the listener: not used */

		if (count == events_max) {
			w->ready[left++] = w->ready[i];
		} else if (w->ready[i] == LISTENER) {
			w->listener_queued = false;
			again = w->backlog_count > 0;
			if (again)
				w->events[count++] =
					(struct echo_event){ ECHO_TOKEN_LISTENER, ECHO_IN };
		} else {
			uint32_t mask = socket_readiness(p);

			p->queued = false;
			p->busy = 0;
			if (p->sparse == SPARSE_RESTED)
				p->sparse = judge_undone(p) != NULL ? SPARSE_DUE : SPARSE_NOT;
			if (mask != 0)
				w->events[count++] = (struct echo_event){ p->token, mask };
		}
	}
	w->ready_count = left;
	if (again)
		epoll_wake_listener(w);
	return count;
}
