/*
 * The two ways in which an object tells about itself: asked, it computes a mask from its state;
 * unasked, it announces to whoever listens.
 */
#include "state.h"

uint32_t readiness(struct model *m, const struct file *file)
{
	switch (file->object->kind) {
	case KIND_EVENTFD:
		return counter_readiness(file->object);
	case KIND_TIMERFD:
		return timer_readiness(file->object);
	case KIND_PIPE:
		return pipe_readiness(file->object, file->mode);
	case KIND_UNIX:
		return local_readiness(m, file->object);
	case KIND_TCP:
		return tcp_readiness(m, file->object);
	case KIND_EPOLL:
		return epoll_readable(m, file->object) ? READABLE : 0;
	case KIND_FREE:
	case KIND_FILE:
		break;
	}
	return READABLE | WRITABLE; /* DEFAULT_POLLMASK, for what has no poll operation */
}

uint32_t model_poll(struct model *m, int fd, uint32_t events)
{
	const struct file *file = file_at(m, fd);

	return file == NULL ? MODEL_NVAL : readiness(m, file) & (events | MODEL_ERR | MODEL_HUP);
}

/* Up to the first exclusive entry whose instance had somebody to wake, or to all. */
static void announce(struct model *m, struct link *queue, uint32_t key, bool to_all)
{
	for (struct link *link = queue->next; link != queue; link = link->next) {
		struct entry *entry = OWNER(link, struct ear, link)->entry;
		bool took_it = entry_hears(m, entry, key);

		if (took_it && (entry->events & MODEL_EXCLUSIVE) != 0 && !to_all)
			return;
	}
}

void wake(struct model *m, struct object *object, int queue, uint32_t key)
{
	announce(m, &object->queues[queue], key, false);
}

void wake_all(struct model *m, struct object *object, int queue, uint32_t key)
{
	announce(m, &object->queues[queue], key, true);
}

/* Those that are exclusive stand at the end, in their order, all others at the front, the newest
 * first: add_wait_queue() and add_wait_queue_exclusive(). */
static void listen_in(struct entry *entry, struct object *object, int queue)
{
	struct ear *ear = &entry->ears[queue];

	ear->entry = entry;
	if ((entry->events & MODEL_EXCLUSIVE) != 0)
		push_back(&object->queues[queue], &ear->link);
	else
		push_front(&object->queues[queue], &ear->link);
}

/* The ends of a pipe have a queue each; who has it open for both listens in both (pipe_poll). */
void listen_to(struct entry *entry)
{
	struct object *object = entry->file->object;
	bool is_pipe = object->kind == KIND_PIPE;

	for (int i = 0; i < QUEUES; i++)
		link_init(&entry->ears[i].link);
	if (!is_pipe || (entry->file->mode & MODE_READ) != 0)
		listen_in(entry, object, QUEUE_MAIN);
	if (is_pipe && (entry->file->mode & MODE_WRITE) != 0)
		listen_in(entry, object, QUEUE_WRITERS);
}
