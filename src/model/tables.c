/* Memory, and the way from a number to an object: processes, numbers, open files. */
#include "state.h"

enum { ALIGNMENT = 64, BITS = 64 };

/* Gives out parts of the memory; without memory it only counts. */
struct layout {
	uint8_t *memory;
	size_t used;
};

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void *part(struct layout *layout, size_t count, size_t size)
{
	uint8_t *at = layout->memory == NULL ? NULL : layout->memory + layout->used;
	size_t bytes = aligned(count * size);

	layout->used = bytes > SIZE_MAX / 2 - layout->used ? SIZE_MAX / 2 : layout->used + bytes;
	return at;
}

static struct store store_part(struct layout *layout, uint32_t max, size_t size)
{
	return (struct store){ .items = part(layout, max, size),
			       .size = (uint32_t)size,
			       .max = max };
}

static uint32_t words_of(const struct model_config *config)
{
	return config->descriptors / BITS + 1;
}

static uint32_t hash_size(uint32_t entries)
{
	uint32_t size = 1;

	while (size < entries)
		size *= 2;
	return size;
}

static size_t lay_out(struct model *m, uint8_t *memory, const struct model_config *config)
{
	struct layout layout = { .memory = memory };

	part(&layout, 1, sizeof(*m));
	m->processes = part(&layout, config->processes, sizeof(struct process));
	m->waiters = part(&layout, config->waiters, sizeof(struct waiter));
	m->hash = part(&layout, hash_size(config->entries), sizeof(struct entry *));
	for (uint32_t i = 0; i < config->processes; i++) {
		uint64_t *used = part(&layout, words_of(config), sizeof(uint64_t));
		struct file **files = part(&layout, config->descriptors, sizeof(struct file *));

		if (memory != NULL)
			m->processes[i] = (struct process){ .files = files, .used = used };
	}
	m->files = store_part(&layout, config->files, sizeof(struct file));
	m->objects = store_part(&layout, config->files, sizeof(struct object));
	m->entries = store_part(&layout, config->entries, sizeof(struct entry));
	m->rings = store_part(&layout, config->rings, aligned(config->ring_size));
	return layout.used;
}

static bool within(uint32_t value, uint32_t least, uint32_t most)
{
	return value >= least && value <= most;
}

size_t model_memory_size(const struct model_config *config)
{
	struct model counted;
	size_t size;

	if (!within(config->processes, 1, MODEL_COUNT_LIMIT) ||
	    !within(config->descriptors, 1, MODEL_COUNT_LIMIT) ||
	    !within(config->files, 1, MODEL_COUNT_LIMIT) ||
	    !within(config->entries, 1, MODEL_COUNT_LIMIT) ||
	    !within(config->waiters, 0, MODEL_COUNT_LIMIT) ||
	    !within(config->rings, 0, MODEL_COUNT_LIMIT) ||
	    !within(config->ring_size, MODEL_RING_MIN, MODEL_RING_LIMIT) ||
	    !within(config->window, 1, config->ring_size - 1))
		return 0;
	size = lay_out(&counted, NULL, config);
	return size < SIZE_MAX / 2 ? size : 0;
}

struct model *model_init(void *memory, size_t size, const struct model_config *config)
{
	struct model *m = memory;

	ASSERT((uintptr_t)memory % sizeof(uint64_t) == 0);
	ASSERT(model_memory_size(config) != 0 && size >= model_memory_size(config));
	*m = (struct model){ .config = *config, .limit = config->descriptors };
	lay_out(m, memory, config);
	m->hash_mask = hash_size(config->entries) - 1;
	memset(m->hash, 0, (m->hash_mask + (size_t)1) * sizeof(*m->hash));
	memset(m->waiters, 0, config->waiters * sizeof(*m->waiters));
	for (uint32_t i = 0; i < config->processes; i++)
		memset(m->processes[i].used, 0, words_of(config) * sizeof(uint64_t));
	m->current = m->processes;
	link_init(&m->woken);
	link_init(&m->alarms);
	return m;
}

void *store_take(struct store *store)
{
	void *item = store->free;

	if (item != NULL)
		memcpy(&store->free, item, sizeof(void *));
	else if (store->fresh < store->max)
		item = store->items + (size_t)store->fresh++ * store->size;
	return item;
}

void store_give(struct store *store, void *item)
{
	memcpy(item, &store->free, sizeof(void *));
	store->free = item;
}

struct object *object_new(struct model *m, enum kind kind, bool with_ring)
{
	struct object *object = store_take(&m->objects);
	uint8_t *bytes = object != NULL && with_ring ? store_take(&m->rings) : NULL;

	if (object == NULL)
		return NULL;
	if (with_ring && bytes == NULL) {
		object->kind = KIND_FREE;
		store_give(&m->objects, object);
		return NULL;
	}
	*object = (struct object){ .kind = kind, .ring = { .bytes = bytes } };
	for (int i = 0; i < QUEUES; i++)
		link_init(&object->queues[i]);
	return object;
}

void object_free(struct model *m, struct object *object)
{
	for (int i = 0; i < QUEUES; i++)
		ASSERT(!linked(&object->queues[i]));
	if (object->ring.bytes != NULL)
		store_give(&m->rings, object->ring.bytes);
	object->kind = KIND_FREE;
	store_give(&m->objects, object);
}

static bool is_used(const struct process *process, uint32_t number)
{
	return (process->used[number / BITS] >> number % BITS & 1) != 0;
}

/* The lowest free number: open(2). */
static int number_free(const struct model *m, struct process *process)
{
	uint32_t words = words_of(&m->config), number;

	while (process->lowest < words && process->used[process->lowest] == UINT64_MAX)
		process->lowest++;
	if (process->lowest == words)
		return MODEL_EMFILE;
	number =
		process->lowest * BITS + (uint32_t)__builtin_ctzll(~process->used[process->lowest]);
	return number < m->limit ? (int)number : MODEL_EMFILE;
}

int number_left(const struct model *m)
{
	int number = number_free(m, m->current);

	return number < 0 ? number : 0;
}

static void number_set(struct process *process, int number, struct file *file)
{
	process->used[number / BITS] |= UINT64_C(1) << number % BITS;
	process->files[number] = file;
	file->users++;
}

static struct file *number_clear(struct process *process, int number)
{
	process->used[number / BITS] &= ~(UINT64_C(1) << number % BITS);
	if (process->lowest > (uint32_t)number / BITS)
		process->lowest = (uint32_t)number / BITS;
	return process->files[number];
}

struct file *file_at(const struct model *m, int fd)
{
	if (fd < 0 || (uint32_t)fd >= m->config.descriptors || !is_used(m->current, (uint32_t)fd))
		return NULL;
	return m->current->files[fd];
}

struct object *object_at(const struct model *m, int fd, enum kind kind)
{
	const struct file *file = file_at(m, fd);

	return file != NULL && file->object->kind == kind ? file->object : NULL;
}

int refused(const struct model *m, int fd, int error)
{
	return file_at(m, fd) == NULL ? MODEL_EBADF : error;
}

static struct file *file_new(struct model *m, struct object *object, uint8_t mode)
{
	struct file *file = store_take(&m->files);

	if (file == NULL)
		return NULL;
	*file = (struct file){ .object = object, .mode = mode };
	link_init(&file->watchers);
	object->files++;
	return file;
}

int file_open(struct model *m, struct object *object, uint8_t mode)
{
	int number = number_free(m, m->current);
	struct file *file = number < 0 ? NULL : file_new(m, object, mode);

	if (number < 0)
		return number;
	if (file == NULL)
		return MODEL_ENFILE;
	number_set(m->current, number, file);
	return number;
}

int files_open(struct model *m, struct object *const objects[2], const uint8_t modes[2], int fds[2])
{
	struct file *file;

	fds[0] = file_open(m, objects[0], modes[0]);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = file_open(m, objects[1], modes[1]);
	if (fds[1] >= 0)
		return 0;
	objects[0]->files--;
	file = number_clear(m->current, fds[0]);
	file->users = 0;
	store_give(&m->files, file);
	return fds[1];
}

static void release(struct model *m, struct object *object, uint8_t mode)
{
	switch (object->kind) {
	case KIND_PIPE:
		pipe_release(m, object, mode);
		return;
	case KIND_UNIX:
		local_release(m, object);
		return;
	case KIND_TCP:
		tcp_release(m, object);
		return;
	case KIND_EPOLL:
		epoll_release(m, object);
		return;
	case KIND_TIMERFD:
		alarm_clear(&object->timer.alarm);
		break;
	case KIND_FREE:
	case KIND_FILE:
	case KIND_EVENTFD:
		break;
	}
	object_free(m, object);
}

/* The entries go with the last user of the file, and not with a number: eventpoll_release_file. */
void file_put(struct model *m, struct file *file)
{
	struct object *object = file->object;
	uint8_t mode = file->mode;

	if (--file->users > 0)
		return;
	while (linked(&file->watchers))
		entry_remove(m, OWNER(file->watchers.next, struct entry, of_file));
	store_give(&m->files, file);
	object->files--;
	release(m, object, mode);
}

void model_switch(struct model *m, uint32_t process)
{
	ASSERT(process < m->config.processes);
	m->current = &m->processes[process];
}

void model_fork(struct model *m, uint32_t process)
{
	struct process *child = &m->processes[process];

	ASSERT(process < m->config.processes && child != m->current);
	for (uint32_t fd = 0; fd < m->config.descriptors; fd++) {
		ASSERT(!is_used(child, fd));
		if (is_used(m->current, fd))
			number_set(child, (int)fd, m->current->files[fd]);
	}
}

void model_exit(struct model *m)
{
	for (uint32_t fd = 0; fd < m->config.descriptors; fd++)
		if (is_used(m->current, fd))
			file_put(m, number_clear(m->current, (int)fd));
}

void model_limit(struct model *m, uint32_t descriptors)
{
	m->limit = descriptors < m->config.descriptors ? descriptors : m->config.descriptors;
}

int model_pass(struct model *m, int fd, uint32_t process)
{
	struct file *file = file_at(m, fd);
	int number;

	ASSERT(process < m->config.processes);
	if (file == NULL)
		return MODEL_EBADF;
	number = number_free(m, &m->processes[process]);
	if (number >= 0)
		number_set(&m->processes[process], number, file);
	return number;
}

int model_dup(struct model *m, int fd)
{
	return model_pass(m, fd, (uint32_t)(m->current - m->processes));
}

int model_dup2(struct model *m, int from, int to)
{
	struct file *file = file_at(m, from), *old = file_at(m, to);

	/* The limit is for descriptors that are to be new. */
	if (file == NULL || (from != to && (to < 0 || (uint32_t)to >= m->limit)))
		return MODEL_EBADF;
	if (from == to)
		return to;
	number_set(m->current, to, file);
	if (old != NULL)
		file_put(m, old);
	return to;
}

int model_close(struct model *m, int fd)
{
	if (file_at(m, fd) == NULL)
		return MODEL_EBADF;
	file_put(m, number_clear(m->current, fd));
	return 0;
}
