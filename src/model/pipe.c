/*
 * Pipes and fifos: fs/pipe.c. A pipe is a ring of slots, each of them a page, and its capacity is
 * counted in slots: a write begins a new one unless all that is left of it beyond whole pages fits
 * behind what the newest one holds. So one byte can fill a slot, and reading a part of a slot makes
 * no room.
 *
 * Slot i of the ring's memory is two numbers, where its unread bytes begin and how many they are,
 * and then the page.
 */
#include "state.h"

struct slot {
	uint32_t offset, len;
	uint8_t page[MODEL_PAGE];
};

_Static_assert(sizeof(struct slot) == MODEL_PIPE_SLOT, "what a slot takes of a ring");

static uint32_t slots_of_ring(const struct model *m)
{
	return m->config.ring_size / MODEL_PIPE_SLOT;
}

static struct slot *slot_at(const struct model *m, const struct object *object, uint32_t number)
{
	uint32_t index = (object->pipe.first + number) % slots_of_ring(m);

	return (struct slot *)(void *)object->ring.bytes + index;
}

static bool full(const struct pipe *pipe)
{
	return pipe->used >= pipe->slots;
}

static struct object *pipe_new(struct model *m, uint32_t readers, uint32_t writers)
{
	struct object *object;
	uint32_t slots = slots_of_ring(m);

	if (slots == 0)
		return NULL;
	object = object_new(m, KIND_PIPE, true);
	if (object != NULL)
		object->pipe = (struct pipe){
			.readers = readers,
			.writers = writers,
			.slots = slots < MODEL_PIPE_SLOTS ? slots : MODEL_PIPE_SLOTS,
		};
	return object;
}

int model_pipe(struct model *m, int fds[2])
{
	static const uint8_t modes[2] = { MODE_READ, MODE_WRITE };
	struct object *object = pipe_new(m, 1, 1);
	int error;

	if (object == NULL)
		return MODEL_ENOMEM;
	error = files_open(m, (struct object *const[2]){ object, object }, modes, fds);
	if (error != 0)
		object_free(m, object);
	return error;
}

int model_fifo(struct model *m)
{
	struct object *object = pipe_new(m, 1, 1);
	int fd;

	if (object == NULL)
		return MODEL_ENOMEM;
	fd = file_open(m, object, MODE_READ | MODE_WRITE);
	if (fd < 0)
		object_free(m, object);
	return fd;
}

/* Once it was asked, a pipe announces each write, and not only the first into an empty one. */
uint32_t pipe_readiness(struct object *object, uint8_t mode)
{
	struct pipe *pipe = &object->pipe;
	uint32_t mask = 0;

	pipe->polled = true;
	if ((mode & MODE_READ) != 0)
		mask |= (pipe->used > 0 ? READABLE : 0) | (pipe->writers == 0 ? MODEL_HUP : 0);
	if ((mode & MODE_WRITE) != 0)
		mask |= (full(pipe) ? 0 : WRITABLE) | (pipe->readers == 0 ? MODEL_ERR : 0);
	return mask;
}

/* Reads of the oldest slot, and frees it when it is empty. */
static uint32_t read_slot(struct model *m, struct object *object, uint8_t *bytes, size_t size)
{
	struct slot *slot = slot_at(m, object, 0);
	uint32_t count = slot->len < size ? slot->len : (uint32_t)size;

	if (bytes != NULL)
		memcpy(bytes, slot->page + slot->offset, count);
	slot->offset += count;
	slot->len -= count;
	if (slot->len == 0) {
		object->pipe.first = (object->pipe.first + 1) % slots_of_ring(m);
		object->pipe.used--;
	}
	return count;
}

/* Writers hear of it if the pipe was full and is not any more. */
int64_t pipe_read(struct model *m, struct object *object, void *bytes, size_t size)
{
	struct pipe *pipe = &object->pipe;
	bool was_full = full(pipe);
	size_t count = 0;

	if (size == 0)
		return 0;
	while (pipe->used > 0 && count < size)
		count += read_slot(m, object, bytes == NULL ? NULL : (uint8_t *)bytes + count,
				   size - count);
	if (was_full && !full(pipe))
		wake(m, object, QUEUE_WRITERS, WRITABLE);
	if (count == 0 && pipe->writers > 0)
		return MODEL_EAGAIN;
	return (int64_t)count;
}

/* What does not fill pages goes behind the newest bytes, if all of it fits there. */
static uint32_t merge(struct model *m, struct object *object, const uint8_t *bytes, size_t size)
{
	uint32_t rest = (uint32_t)(size % MODEL_PAGE);
	struct slot *slot;

	if (rest == 0 || object->pipe.used == 0)
		return 0;
	slot = slot_at(m, object, object->pipe.used - 1);
	if (slot->offset + slot->len + rest > MODEL_PAGE)
		return 0;
	memcpy(slot->page + slot->offset + slot->len, bytes, rest);
	slot->len += rest;
	return rest;
}

static uint32_t write_slot(struct model *m, struct object *object, const uint8_t *bytes,
			   size_t size)
{
	uint32_t count = size < MODEL_PAGE ? (uint32_t)size : MODEL_PAGE;
	struct slot *slot = slot_at(m, object, object->pipe.used++);

	slot->offset = 0;
	slot->len = count;
	memcpy(slot->page, bytes, count);
	return count;
}

/* Also a write that finds no room is announced. */
int64_t pipe_write(struct model *m, struct object *object, const void *bytes, size_t size)
{
	struct pipe *pipe = &object->pipe;
	bool was_empty = pipe->used == 0;
	size_t count;

	if (size == 0)
		return 0;
	count = pipe->readers > 0 ? merge(m, object, bytes, size) : 0;
	while (pipe->readers > 0 && count < size && !full(pipe))
		count += write_slot(m, object, (const uint8_t *)bytes + count, size - count);
	if (was_empty || pipe->polled)
		wake(m, object, QUEUE_MAIN, READABLE);
	if (pipe->readers == 0)
		return MODEL_EPIPE;
	return count > 0 ? (int64_t)count : MODEL_EAGAIN;
}

int64_t pipe_queued(const struct model *m, const struct object *object)
{
	int64_t count = 0;

	for (uint32_t i = 0; i < object->pipe.used; i++)
		count += slot_at(m, object, i)->len;
	return count;
}

/* To a power of two of whole pages: pipe_set_size. Writers hear of it, also when it shrinks. */
int model_pipe_resize(struct model *m, int fd, uint32_t size)
{
	struct object *object = object_at(m, fd, KIND_PIPE);
	uint32_t slots = 1;

	if (object == NULL)
		return MODEL_EBADF;
	while (slots < MODEL_RING_LIMIT / MODEL_PAGE && slots * MODEL_PAGE < size)
		slots *= 2;
	if (slots > slots_of_ring(m))
		return MODEL_EPERM;
	if (slots < object->pipe.used)
		return MODEL_EBUSY;
	object->pipe.slots = slots;
	wake(m, object, QUEUE_WRITERS, KEY_ANY);
	return (int)(slots * MODEL_PAGE);
}

/* When the last reader goes, or the last writer, and somebody is left at the other end, all hear. */
void pipe_release(struct model *m, struct object *object, uint8_t mode)
{
	struct pipe *pipe = &object->pipe;

	pipe->readers -= (mode & MODE_READ) != 0;
	pipe->writers -= (mode & MODE_WRITE) != 0;
	if ((pipe->readers == 0) != (pipe->writers == 0)) {
		wake_all(m, object, QUEUE_MAIN, KEY_ANY);
		wake_all(m, object, QUEUE_WRITERS, KEY_ANY);
	}
	if (object->files == 0)
		object_free(m, object);
}
