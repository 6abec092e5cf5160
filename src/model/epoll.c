/* The interest list, the ready list, and what a wait makes of them. */
#include "model.h"

#define ALWAYS         (MODEL_ERR | MODEL_HUP)
#define PRIVATE        (MODEL_WAKEUP | MODEL_ONESHOT | MODEL_ET | MODEL_EXCLUSIVE)
#define WITH_EXCLUSIVE (MODEL_IN | MODEL_OUT | ALWAYS | MODEL_WAKEUP | MODEL_ET | MODEL_EXCLUSIVE)

enum { EVENTS_MOST = INT32_MAX / 12 }; /* EP_MAX_EVENTS: events of 12 bytes, as on x86-64 */

static bool is_instance(const struct model *m, uint16_t file)
{
	return file != MODEL_NOBODY && m->files[file].kind == MODEL_EPOLL;
}

static void enqueue(struct model *m, uint16_t id)
{
	struct model_entry *entry = &m->entries[id];
	struct model_file *instance = &m->files[entry->instance];

	if (entry->queued)
		return;
	entry->queued = true;
	entry->next_ready = MODEL_NOBODY;
	if (instance->ready_first == MODEL_NOBODY)
		instance->ready_first = id;
	else
		m->entries[instance->ready_last].next_ready = id;
	instance->ready_last = id;
}

static uint16_t dequeue(struct model *m, uint16_t instance)
{
	uint16_t id = m->files[instance].ready_first;

	if (id != MODEL_NOBODY) {
		m->files[instance].ready_first = m->entries[id].next_ready;
		m->entries[id].queued = false;
	}
	return id;
}

/* Out of the middle of the ready list. */
static void unqueue(struct model *m, uint16_t id)
{
	uint16_t instance = m->entries[id].instance, rest = m->files[instance].ready_first;

	m->files[instance].ready_first = MODEL_NOBODY;
	while (rest != MODEL_NOBODY) {
		uint16_t next = m->entries[rest].next_ready;

		m->entries[rest].queued = false;
		if (rest != id)
			enqueue(m, rest);
		rest = next;
	}
}

/* The file's mask now, as far as the entry asks for it. */
static uint32_t entry_ready(struct model *m, const struct model_entry *entry)
{
	return model_mask(m, entry->file) & entry->mask & ~PRIVATE;
}

/* A key of 0 says nothing, and is heard by all. A one-shot entry that was used up is deaf. */
static void entry_hears(struct model *m, uint16_t id, uint32_t key)
{
	struct model_entry *entry = &m->entries[id];

	if ((entry->mask & ~PRIVATE) == 0 || (key != 0 && (key & entry->mask) == 0))
		return;
	enqueue(m, id);
	model_wake(m, entry->instance, MODEL_IN);
}

/* Nesting is bounded, so this ends. */
void model_wake(struct model *m, uint16_t file, uint32_t key)
{
	for (uint16_t id = m->files[file].heard_by; id != MODEL_NOBODY;
	     id = m->entries[id].next_heard)
		entry_hears(m, id, key);
}

/* Whether anything in the ready list is ready; what is not, leaves it. */
bool model_instance_ready(struct model *m, uint16_t instance)
{
	while (m->files[instance].ready_first != MODEL_NOBODY) {
		if (entry_ready(m, &m->entries[m->files[instance].ready_first]) != 0)
			return true;
		dequeue(m, instance);
	}
	return false;
}

static uint16_t find(const struct model *m, uint16_t instance, uint16_t file, int fd)
{
	uint16_t id = m->files[instance].entries;

	while (id != MODEL_NOBODY && (m->entries[id].file != file || m->entries[id].fd != fd))
		id = m->entries[id].next_entry;
	return id;
}

/* How many instances are on the longest way down from this file, and up from it. */
static uint32_t depth_below(const struct model *m, uint16_t file, uint32_t most)
{
	uint32_t deepest = 0;

	if (!is_instance(m, file) || most == 0)
		return 0;
	for (uint16_t id = m->files[file].entries; id != MODEL_NOBODY;
	     id = m->entries[id].next_entry) {
		uint32_t depth = depth_below(m, m->entries[id].file, most - 1);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

static uint32_t depth_above(const struct model *m, uint16_t file, uint32_t most)
{
	uint32_t highest = 0;

	if (most == 0)
		return 0;
	for (uint16_t id = m->files[file].heard_by; id != MODEL_NOBODY;
	     id = m->entries[id].next_heard) {
		uint32_t depth = depth_above(m, m->entries[id].instance, most - 1);

		highest = depth > highest ? depth : highest;
	}
	return highest + 1;
}

static bool reaches(const struct model *m, uint16_t from, uint16_t instance)
{
	if (from == instance)
		return true;
	if (!is_instance(m, from))
		return false;
	for (uint16_t id = m->files[from].entries; id != MODEL_NOBODY;
	     id = m->entries[id].next_entry)
		if (reaches(m, m->entries[id].file, instance))
			return true;
	return false;
}

static bool loops(const struct model *m, uint16_t instance, uint16_t file)
{
	uint32_t most = MODEL_NESTS_MAX + 2;

	return is_instance(m, file) &&
	       (reaches(m, file, instance) ||
		depth_below(m, file, most) + depth_above(m, instance, most) > MODEL_NESTS_MAX + 1);
}

/* What is ready already is as good as a wake-up; but an entry that is queued is not announced again. */
static void look(struct model *m, uint16_t id)
{
	if (entry_ready(m, &m->entries[id]) == 0 || m->entries[id].queued)
		return;
	enqueue(m, id);
	model_wake(m, m->entries[id].instance, MODEL_IN);
}

/* Wake-ups are heard by the newest entry first, and by exclusive ones after all others
 * (kernel/sched/wait.c, add_wait_queue_exclusive()). */
static void listen(struct model *m, uint16_t id)
{
	uint16_t *link = &m->files[m->entries[id].file].heard_by;

	if ((m->entries[id].mask & MODEL_EXCLUSIVE) != 0)
		while (*link != MODEL_NOBODY)
			link = &m->entries[*link].next_heard;
	m->entries[id].next_heard = *link;
	*link = id;
}

static int insert(struct model *m, uint16_t instance, uint16_t file, int fd,
		  struct model_event event)
{
	uint16_t id = 0;

	while (id < MODEL_ENTRIES_MAX && m->entries[id].used)
		id++;
	if (id == MODEL_ENTRIES_MAX)
		return MODEL_ENFILE;
	m->entries[id] = (struct model_entry){
		.used = true,
		.instance = instance,
		.file = file,
		.fd = fd,
		.mask = event.mask | ALWAYS,
		.data = event.data,
		.next_entry = m->files[instance].entries,
		.next_ready = MODEL_NOBODY,
	};
	listen(m, id);
	m->files[instance].entries = id;
	look(m, id);
	return 0;
}

static void unlink_entry(struct model *m, uint16_t id)
{
	struct model_entry *entry = &m->entries[id];
	uint16_t *link = &m->files[entry->file].heard_by;

	while (*link != id)
		link = &m->entries[*link].next_heard;
	*link = entry->next_heard;
	link = &m->files[entry->instance].entries;
	while (*link != id)
		link = &m->entries[*link].next_entry;
	*link = entry->next_entry;
	if (entry->queued)
		unqueue(m, id);
	entry->used = false;
}

static int modify(struct model *m, uint16_t id, struct model_event event)
{
	struct model_entry *entry = &m->entries[id];

	if ((entry->mask & MODEL_EXCLUSIVE) != 0)
		return MODEL_EINVAL;
	entry->mask = event.mask | ALWAYS;
	entry->data = event.data;
	look(m, id);
	return 0;
}

/* The errors come in the kernel's order: do_epoll_ctl(). */
static int check(const struct model *m, uint16_t instance, uint16_t file, int op, uint32_t mask)
{
	if (instance == MODEL_NOBODY || file == MODEL_NOBODY)
		return MODEL_EBADF;
	if (m->files[file].kind == MODEL_PLAIN)
		return MODEL_EPERM;
	if (instance == file || !is_instance(m, instance))
		return MODEL_EINVAL;
	if (op == MODEL_DEL || (mask & MODEL_EXCLUSIVE) == 0)
		return 0;
	if (op == MODEL_MOD ||
	    (op == MODEL_ADD && (is_instance(m, file) || (mask & ~WITH_EXCLUSIVE) != 0)))
		return MODEL_EINVAL;
	return 0;
}

int model_ctl(struct model *m, int epoll, int op, int fd, struct model_event event)
{
	uint16_t instance = model_file_of(m, epoll), file = model_file_of(m, fd), id;
	int error = check(m, instance, file, op, event.mask);

	if (error != 0)
		return error;
	if (op == MODEL_ADD && loops(m, instance, file))
		return MODEL_ELOOP;
	id = find(m, instance, file, fd);
	if (op == MODEL_ADD)
		return id == MODEL_NOBODY ? insert(m, instance, file, fd, event) : MODEL_EEXIST;
	if (op != MODEL_MOD && op != MODEL_DEL)
		return MODEL_EINVAL;
	if (id == MODEL_NOBODY)
		return MODEL_ENOENT;
	if (op == MODEL_MOD)
		return modify(m, id, event);
	unlink_entry(m, id);
	return 0;
}

void model_forget(struct model *m, uint16_t file)
{
	while (m->files[file].heard_by != MODEL_NOBODY)
		unlink_entry(m, m->files[file].heard_by);
	while (is_instance(m, file) && m->files[file].entries != MODEL_NOBODY)
		unlink_entry(m, m->files[file].entries);
}

/* Reports one entry that was taken from the list; true if it was ready. */
static bool report(struct model *m, uint16_t id, struct model_event *event)
{
	struct model_entry *entry = &m->entries[id];
	uint32_t ready = entry_ready(m, entry);

	if (ready == 0)
		return false;
	*event = (struct model_event){ .mask = ready, .data = entry->data };
	if ((entry->mask & MODEL_ONESHOT) != 0)
		entry->mask &= PRIVATE;
	else if ((entry->mask & MODEL_ET) == 0)
		enqueue(m, id);
	return true;
}

/* What was queued when the wait began is looked at once; level-triggered entries go to the tail, and
 * are not met again. */
int model_wait(struct model *m, int epoll, struct model_event *events, int64_t most)
{
	uint16_t instance = model_file_of(m, epoll), last;
	int count = 0;
	bool more;

	if (instance == MODEL_NOBODY)
		return MODEL_EBADF;
	if (most <= 0 || most > EVENTS_MOST || !is_instance(m, instance))
		return MODEL_EINVAL;
	last = m->files[instance].ready_last;
	more = m->files[instance].ready_first != MODEL_NOBODY;
	while (more && count < most) {
		uint16_t id = dequeue(m, instance);

		more = id != last;
		count += report(m, id, &events[count]);
	}
	return count;
}

bool model_entry_of(const struct model *m, int epoll, int fd, struct model_event *event)
{
	uint16_t instance = model_file_of(m, epoll);
	uint16_t id = is_instance(m, instance) ? m->files[instance].entries : MODEL_NOBODY;

	while (id != MODEL_NOBODY && m->entries[id].fd != fd)
		id = m->entries[id].next_entry;
	if (id == MODEL_NOBODY)
		return false;
	*event = (struct model_event){ m->entries[id].mask, m->entries[id].data };
	return true;
}
