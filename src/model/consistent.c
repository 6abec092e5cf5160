/* The invariant: what must be true between two calls, whatever they were. */
#include "state.h"

static const void *item(const struct store *store, uint32_t index)
{
	return store->items + (size_t)index * store->size;
}

/* Every list can be walked, and ends; `most`: it cannot be longer. */
static bool list_holds(const struct link *list, uint32_t most)
{
	const struct link *link = list->next;

	while (link != list && link->next->prev == link && link->prev->next == link && most-- > 0)
		link = link->next;
	return link == list && list->next->prev == list;
}

static bool entry_holds(const struct model *m, const struct entry *entry)
{
	const struct object *object = entry->file->object;

	/* It can be found by its key, and listens to its file's object. */
	if (entry_find(m, entry->epoll, entry->file, entry->fd) != entry)
		return false;
	if (entry->epoll->kind != KIND_EPOLL || entry->file->users == 0)
		return false;
	if (object->kind == KIND_FREE || object->kind == KIND_FILE)
		return false;
	/* A deaf one is no suspect unless it was one before. */
	return linked(&entry->ears[QUEUE_MAIN].link) || linked(&entry->ears[QUEUE_WRITERS].link);
}

static bool queues_hold(const struct model *m, const struct object *object)
{
	for (int i = 0; i < QUEUES; i++) {
		const struct link *queue = &object->queues[i];
		bool exclusive = false;

		if (!list_holds(queue, m->config.entries))
			return false;
		for (const struct link *link = queue->next; link != queue; link = link->next) {
			const struct entry *entry = OWNER(link, struct ear, link)->entry;
			bool this_is = (entry->events & MODEL_EXCLUSIVE) != 0;

			if (entry->file == NULL || entry->file->object != object)
				return false;
			if (exclusive && !this_is) /* those come last */
				return false;
			exclusive = this_is;
		}
	}
	return true;
}

static bool epoll_holds(const struct model *m, const struct object *object)
{
	const struct epoll *epoll = &object->epoll;

	if (!list_holds(&epoll->ready, m->config.entries) ||
	    !list_holds(&epoll->entries, m->config.entries) ||
	    !list_holds(&epoll->waiters, m->config.waiters))
		return false;
	for (const struct link *link = epoll->ready.next; link != &epoll->ready; link = link->next)
		if (OWNER(link, struct entry, ready)->epoll != object)
			return false;
	for (const struct link *link = epoll->entries.next; link != &epoll->entries;
	     link = link->next)
		if (OWNER(link, struct entry, of_epoll)->epoll != object)
			return false;
	return epoll->file->object == object && object->files == 1;
}

static bool pipe_holds(const struct model *m, const struct object *object)
{
	const struct pipe *pipe = &object->pipe;

	if (pipe->slots > m->config.ring_size / MODEL_PIPE_SLOT || pipe->used > pipe->slots)
		return false;
	if (pipe->readers > object->files || pipe->writers > object->files)
		return false;
	return object->files > 0 && pipe_queued(m, object) >= (int64_t)pipe->used;
}

/* Messages fill the ring exactly. */
static bool local_holds(const struct model *m, const struct object *object)
{
	const struct local *local = &object->local;
	uint32_t place = 0;

	if (local->peer != NULL && local->peer->local.peer != object)
		return false;
	while (place < object->ring.used) {
		uint32_t head[2];

		if (object->ring.used - place < sizeof(head))
			return false;
		ring_look(m, &object->ring, place, head, sizeof(head));
		if (head[1] > head[0] || (head[1] == head[0] && head[0] > 0) ||
		    head[0] > object->ring.used - place - sizeof(head))
			return false;
		place += (uint32_t)sizeof(head) + head[0];
	}
	return true;
}

/* Who was shut down before it was connected is connected all the same, and has sent no FIN. */
static bool tcp_state_holds(const struct tcp *tcp)
{
	bool sends = (tcp->shutdown & SHUT_SEND) == 0,
	     receives = (tcp->shutdown & SHUT_RECEIVE) == 0;

	switch (tcp->state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
		return tcp->peer == NULL;
	case TCP_SYN_SENT:
		return (tcp->peer == NULL) == !linked(&tcp->line);
	case TCP_ESTABLISHED:
		return !tcp->done;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		return !sends && !tcp->done;
	case TCP_CLOSE_WAIT:
		return !receives && tcp->done;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return !sends && !receives && tcp->done && tcp->peer != NULL;
	}
	return false;
}

/* Connections that wait to be accepted; of who does not listen, `line` is its own place. */
static uint32_t line_length(const struct tcp *tcp)
{
	uint32_t count = 0;

	if (tcp->state != TCP_LISTEN)
		return 0;
	for (const struct link *link = tcp->line.next; link != &tcp->line; link = link->next)
		count++;
	return count;
}

static bool tcp_holds(const struct model *m, const struct object *object)
{
	const struct tcp *tcp = &object->tcp;
	uint32_t behind = object->ring.used - tcp->arrived;

	if (!tcp_state_holds(tcp))
		return false;
	if (tcp->peer != NULL && tcp->state != TCP_SYN_SENT && tcp->peer->tcp.peer != object)
		return false;
	if (tcp->arrived > object->ring.used || tcp->arrived > m->config.window)
		return false;
	/* What has not arrived does not fit, and neither does a FIN pass it. */
	if (behind > m->config.ring_size - m->config.window)
		return false;
	if (behind > 0 && tcp->arrived < m->config.window)
		return false;
	if (tcp->fin_behind && behind == 0)
		return false;
	return tcp->line_used == line_length(tcp);
}

static bool object_holds(const struct model *m, const struct object *object)
{
	if (!queues_hold(m, object) || object->ring.used > m->config.ring_size)
		return false;
	switch (object->kind) {
	case KIND_PIPE:
		return pipe_holds(m, object);
	case KIND_UNIX:
		return local_holds(m, object);
	case KIND_TCP:
		return tcp_holds(m, object);
	case KIND_EPOLL:
		return epoll_holds(m, object);
	case KIND_TIMERFD:
		/* It waits for its time, or was read since, or has expired. */
		return !(linked(&object->timer.alarm.link) && object->timer.expired);
	case KIND_FREE:
	case KIND_FILE:
	case KIND_EVENTFD:
		break;
	}
	return true;
}

static uint64_t bits_of(uint64_t word)
{
	uint64_t count = 0;

	for (; word != 0; word &= word - 1)
		count++;
	return count;
}

/* Every number and every waiter uses a file, and nothing else does. */
static bool users_hold(const struct model *m)
{
	uint64_t users = 0;

	for (uint32_t i = 0; i < m->files.fresh; i++)
		users += ((const struct file *)item(&m->files, i))->users;
	for (uint32_t i = 0; i < m->config.processes; i++)
		for (uint32_t word = 0; word <= m->config.descriptors / 64; word++)
			users -= bits_of(m->processes[i].used[word]);
	for (uint32_t i = 0; i < m->config.waiters; i++)
		users -= m->waiters[i].state == MODEL_ASLEEP || m->waiters[i].state == MODEL_WOKEN;
	return users == 0;
}

bool model_invariant(const struct model *m)
{
	if (!list_holds(&m->woken, m->config.waiters) ||
	    !list_holds(&m->alarms, m->config.files + m->config.waiters) || !users_hold(m))
		return false;
	for (uint32_t i = 0; i < m->objects.fresh; i++) {
		const struct object *object = item(&m->objects, i);

		if (object->kind != KIND_FREE && !object_holds(m, object))
			return false;
	}
	for (uint32_t i = 0; i < m->entries.fresh; i++) {
		const struct entry *entry = item(&m->entries, i);

		if (entry->file != NULL && !entry_holds(m, entry))
			return false;
	}
	return true;
}
