/* The interest list and the ready list: fs/eventpoll.c. */
#include "state.h"

/* What MOD and ADD may carry besides the mask of what is asked for (EP_PRIVATE_BITS). An entry
 * that asks for nothing else is deaf: ONESHOT leaves it so. */
#define PRIVATE (MODEL_WAKEUP | MODEL_ONESHOT | MODEL_ET | MODEL_EXCLUSIVE)

/* And what ADD may carry together with EXCLUSIVE (EPOLLEXCLUSIVE_OK_BITS). */
#define EXCLUSIVE_OK \
	(MODEL_IN | MODEL_OUT | MODEL_ERR | MODEL_HUP | MODEL_WAKEUP | MODEL_ET | MODEL_EXCLUSIVE)

/* Room for the events of a wait, INT_MAX bytes of them, 12 each (EP_MAX_EVENTS). */
enum { MAXEVENTS_MAX = INT_MAX / 12 };

#define EPOLL_CLOEXEC 02000000u

static struct entry **chain_of(const struct model *m, const struct object *epoll,
			       const struct file *file, int fd)
{
	uintptr_t key = (uintptr_t)epoll / sizeof(*epoll) * 31 + (uintptr_t)file / sizeof(*file);
	uint32_t hash = (uint32_t)(key * 31 + (uintptr_t)fd) * 2654435769u;

	return &m->hash[(hash ^ hash >> 15) & m->hash_mask];
}

struct entry *entry_find(const struct model *m, const struct object *epoll, const struct file *file,
			 int fd)
{
	struct entry *entry = *chain_of(m, epoll, file, fd);

	while (entry != NULL && (entry->epoll != epoll || entry->file != file || entry->fd != fd))
		entry = entry->chain;
	return entry;
}

/* What is true now, of all that the entry asks for (ep_item_poll). */
static uint32_t ask(struct model *m, const struct entry *entry)
{
	return readiness(m, entry->file) & entry->events;
}

/* Who watches the instance hears that something in it may be ready; one who waits on it wakes. */
static bool tell_of(struct model *m, struct object *epoll)
{
	bool had_waiter = linked(&epoll->epoll.waiters);

	if (had_waiter)
		waiter_wake(m, epoll);
	wake(m, epoll, QUEUE_MAIN, MODEL_IN);
	return had_waiter;
}

static void suspect(struct entry *entry)
{
	if (!linked(&entry->ready))
		push_back(&entry->epoll->epoll.ready, &entry->ready);
}

/* Is this one for an exclusive entry that asks for these events? Both, or others, do not count. */
static bool concerns(const struct entry *entry, uint32_t key)
{
	uint32_t direction = key & (MODEL_IN | MODEL_OUT);

	return direction == 0 ||
	       (direction != (MODEL_IN | MODEL_OUT) && (entry->events & direction) != 0);
}

/* ep_poll_callback. True: an exclusive wake-up has found somebody, and need not go on. */
bool entry_hears(struct model *m, struct entry *entry, uint32_t key)
{
	bool had_waiter;

	if ((entry->events & ~PRIVATE) == 0)
		return false;
	if (key != KEY_ANY && (key & entry->events) == 0)
		return false;
	suspect(entry);
	had_waiter = tell_of(m, entry->epoll);
	return had_waiter && concerns(entry, key);
}

/* After ADD and MOD: no wake-up has to come for what is ready already. */
static void look(struct model *m, struct entry *entry)
{
	if (ask(m, entry) == 0 || linked(&entry->ready))
		return;
	suspect(entry);
	tell_of(m, entry->epoll);
}

/* After the ready list was gone through: what is left is for the next waiter (ep_done_scan). */
static void pass_on(struct model *m, struct object *epoll)
{
	if (linked(&epoll->epoll.ready) && linked(&epoll->epoll.waiters))
		waiter_wake(m, epoll);
}

/* The readiness of an instance. Suspects that turn out not to be ready are dropped on the way
 * (__ep_eventpoll_poll). */
bool epoll_readable(struct model *m, struct object *epoll)
{
	struct link *ready = &epoll->epoll.ready;
	bool found = false;

	while (linked(ready) && !found) {
		struct entry *entry = OWNER(ready->next, struct entry, ready);

		found = ask(m, entry) != 0;
		if (!found)
			unlink_it(&entry->ready);
	}
	pass_on(m, epoll);
	return found;
}

/* What becomes of an entry that was reported. */
static void reported(struct entry *entry)
{
	if ((entry->events & MODEL_ONESHOT) != 0)
		entry->events &= PRIVATE;
	else if ((entry->events & MODEL_ET) == 0)
		suspect(entry);
}

/* ep_send_events */
int epoll_collect(struct model *m, struct object *epoll, struct model_event *events, int maxevents)
{
	struct link batch;
	int count = 0;

	link_init(&batch);
	splice_front(&batch, &epoll->epoll.ready);
	while (linked(&batch) && count >= 0 && count < maxevents) {
		struct entry *entry = OWNER(batch.next, struct entry, ready);
		uint32_t events_now;

		unlink_it(&entry->ready);
		events_now = ask(m, entry);
		if (events_now == 0)
			continue;
		if (events == NULL) {
			push_front(&batch, &entry->ready);
			count = MODEL_EFAULT;
			break;
		}
		events[count++] = (struct model_event){ .events = events_now, .data = entry->data };
		reported(entry);
	}
	splice_front(&epoll->epoll.ready, &batch);
	pass_on(m, epoll);
	return count;
}

static struct entry *entry_new(struct model *m, struct object *epoll, struct file *file, int fd,
			       const struct model_event *event)
{
	struct entry *entry = store_take(&m->entries);
	struct entry **chain = chain_of(m, epoll, file, fd);

	if (entry == NULL)
		return NULL;
	*entry = (struct entry){ .epoll = epoll,
				 .file = file,
				 .fd = fd,
				 .events = event->events,
				 .data = event->data,
				 .chain = *chain };
	*chain = entry;
	for (int i = 0; i < QUEUES; i++)
		link_init(&entry->ears[i].link);
	link_init(&entry->ready);
	push_back(&epoll->epoll.entries, &entry->of_epoll);
	push_back(&file->watchers, &entry->of_file);
	return entry;
}

void entry_remove(struct model *m, struct entry *entry)
{
	struct entry **chain = chain_of(m, entry->epoll, entry->file, entry->fd);

	while (*chain != entry)
		chain = &(*chain)->chain;
	*chain = entry->chain;
	for (int i = 0; i < QUEUES; i++)
		unlink_it(&entry->ears[i].link);
	unlink_it(&entry->ready);
	unlink_it(&entry->of_epoll);
	unlink_it(&entry->of_file);
	entry->file = NULL;
	store_give(&m->entries, entry);
}

/* ep_insert. A check of the paths is due if instances watch each other. */
static int insert(struct model *m, struct object *epoll, struct file *file, int fd,
		  const struct model_event *event, bool nested)
{
	struct entry *entry = entry_new(m, epoll, file, fd, event);

	if (entry == NULL)
		return MODEL_ENOSPC;
	if (nested && nesting_paths(m, file) != 0) {
		entry_remove(m, entry);
		return MODEL_EINVAL;
	}
	listen_to(entry);
	look(m, entry);
	return 0;
}

static int add(struct model *m, struct file *instance, struct file *file, int fd,
	       const struct model_event *event)
{
	struct object *epoll = instance->object;
	bool of_epoll = file->object->kind == KIND_EPOLL;

	if (of_epoll && nesting_loops(m, epoll, file->object) != 0)
		return MODEL_ELOOP;
	if (entry_find(m, epoll, file, fd) != NULL)
		return MODEL_EEXIST;
	return insert(m, epoll, file, fd, event, of_epoll || linked(&instance->watchers));
}

static int modify(struct model *m, struct entry *entry, const struct model_event *event)
{
	if (entry == NULL)
		return MODEL_ENOENT;
	if ((entry->events & MODEL_EXCLUSIVE) != 0)
		return MODEL_EINVAL;
	entry->events = event->events;
	entry->data = event->data;
	look(m, entry);
	return 0;
}

static int delete (struct model *m, struct entry *entry)
{
	if (entry == NULL)
		return MODEL_ENOENT;
	entry_remove(m, entry);
	return 0;
}

static bool exclusive_refused(int op, uint32_t events, const struct file *file)
{
	if ((events & MODEL_EXCLUSIVE) == 0)
		return false;
	return op == MODEL_MOD || (op == MODEL_ADD && (file->object->kind == KIND_EPOLL ||
						       (events & ~EXCLUSIVE_OK) != 0));
}

/* do_epoll_ctl */
int model_epoll_ctl(struct model *m, int epfd, int op, int fd, const struct model_event *event)
{
	struct file *instance = file_at(m, epfd), *file = file_at(m, fd);
	struct model_event asked = { 0 };

	if (op != MODEL_DEL && event == NULL)
		return MODEL_EFAULT;
	if (instance == NULL || file == NULL)
		return MODEL_EBADF;
	if (file->object->kind == KIND_FILE)
		return MODEL_EPERM;
	if (instance == file || instance->object->kind != KIND_EPOLL)
		return MODEL_EINVAL;
	if (op != MODEL_DEL)
		asked = (struct model_event){ .events = event->events & ~MODEL_WAKEUP,
					      .data = event->data };
	if (exclusive_refused(op, asked.events, file))
		return MODEL_EINVAL;
	asked.events |= MODEL_ERR | MODEL_HUP;
	switch (op) {
	case MODEL_ADD:
		return add(m, instance, file, fd, &asked);
	case MODEL_DEL:
		return delete (m, entry_find(m, instance->object, file, fd));
	case MODEL_MOD:
		return modify(m, entry_find(m, instance->object, file, fd), &asked);
	}
	return MODEL_EINVAL;
}

int epoll_check(const struct model *m, int epfd, int maxevents)
{
	const struct file *instance = file_at(m, epfd);

	if (instance == NULL)
		return MODEL_EBADF;
	if (maxevents <= 0 || maxevents > MAXEVENTS_MAX)
		return MODEL_EINVAL;
	return instance->object->kind == KIND_EPOLL ? 0 : MODEL_EINVAL;
}

int model_epoll_wait(struct model *m, int epfd, struct model_event *events, int maxevents)
{
	int error = epoll_check(m, epfd, maxevents);

	return error != 0 ? error : epoll_collect(m, file_at(m, epfd)->object, events, maxevents);
}

int model_interest(struct model *m, int epfd, struct model_interest *list, int max)
{
	int count = epoll_check(m, epfd, 1);
	const struct link *entries;

	if (count != 0)
		return count;
	entries = &file_at(m, epfd)->object->epoll.entries;
	for (struct link *link = entries->next; link != entries; link = link->next) {
		const struct entry *entry = OWNER(link, struct entry, of_epoll);

		if (count < max)
			list[count] = (struct model_interest){ .fd = entry->fd,
							       .events = entry->events,
							       .data = entry->data };
		count++;
	}
	return count;
}

int model_epoll_create1(struct model *m, uint32_t flags)
{
	struct object *object;
	int fd;

	if ((flags & ~EPOLL_CLOEXEC) != 0)
		return MODEL_EINVAL;
	object = object_new(m, KIND_EPOLL, false);
	if (object == NULL)
		return MODEL_ENFILE;
	link_init(&object->epoll.ready);
	link_init(&object->epoll.waiters);
	link_init(&object->epoll.entries);
	fd = file_open(m, object, MODE_READ | MODE_WRITE);
	if (fd < 0)
		object_free(m, object);
	else
		object->epoll.file = file_at(m, fd);
	return fd;
}

int model_epoll_create(struct model *m, int size)
{
	return size <= 0 ? MODEL_EINVAL : model_epoll_create1(m, 0);
}

void epoll_release(struct model *m, struct object *epoll)
{
	while (linked(&epoll->epoll.entries))
		entry_remove(m, OWNER(epoll->epoll.entries.next, struct entry, of_epoll));
	ASSERT(!linked(&epoll->epoll.waiters));
	object_free(m, epoll);
}
