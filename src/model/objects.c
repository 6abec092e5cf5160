/* Descriptors, open files, and what each kind of them announces. */
#include "model.h"

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (int fd = 0; fd < MODEL_FDS_MAX; fd++)
		m->fds[fd] = MODEL_NOBODY;
}

uint16_t model_file_of(const struct model *m, int fd)
{
	return fd >= 0 && fd < MODEL_FDS_MAX ? m->fds[fd] : MODEL_NOBODY;
}

enum model_kind model_kind(const struct model *m, int fd)
{
	uint16_t file = model_file_of(m, fd);

	return file == MODEL_NOBODY ? MODEL_FREE : m->files[file].kind;
}

static int open_file(struct model *m, int fd, enum model_kind kind)
{
	uint16_t file = 0;

	if (fd < 0 || fd >= MODEL_FDS_MAX || m->fds[fd] != MODEL_NOBODY)
		return MODEL_EBADF;
	while (file < MODEL_FILES_MAX && m->files[file].kind != MODEL_FREE)
		file++;
	if (file == MODEL_FILES_MAX)
		return MODEL_ENFILE;
	m->files[file] = (struct model_file){
		.kind = kind,
		.descriptors = 1,
		.heard_by = MODEL_NOBODY,
		.entries = MODEL_NOBODY,
		.ready_first = MODEL_NOBODY,
		.ready_last = MODEL_NOBODY,
	};
	m->fds[fd] = file;
	return file;
}

int model_eventfd(struct model *m, int fd, uint64_t count, bool semaphore)
{
	int file = open_file(m, fd, MODEL_EVENTFD);

	if (file < 0)
		return file;
	m->files[file].count = count;
	m->files[file].semaphore = semaphore;
	return 0;
}

int model_epoll(struct model *m, int fd)
{
	int file = open_file(m, fd, MODEL_EPOLL);

	return file < 0 ? file : 0;
}

int model_plain(struct model *m, int fd)
{
	int file = open_file(m, fd, MODEL_PLAIN);

	return file < 0 ? file : 0;
}

/* The size is rounded up to pages, of which there are a power of two (pipe(7), F_SETPIPE_SZ). */
static uint16_t pages_for(uint32_t bytes)
{
	uint16_t pages = 1;

	while (pages < MODEL_PAGES_MAX && (uint32_t)pages * MODEL_PAGE < bytes)
		pages = (uint16_t)(pages * 2);
	return pages;
}

int model_pipe(struct model *m, int reader, int writer, uint32_t bytes)
{
	uint16_t pipe = 0;
	int file;

	while (pipe < MODEL_PIPES_MAX && m->pipes[pipe].used)
		pipe++;
	if (pipe == MODEL_PIPES_MAX)
		return MODEL_ENFILE;
	file = open_file(m, reader, MODEL_READER);
	if (file < 0)
		return file;
	m->files[file].pipe = pipe;
	file = open_file(m, writer, MODEL_WRITER);
	if (file < 0) {
		m->files[m->fds[reader]].kind = MODEL_FREE;
		m->fds[reader] = MODEL_NOBODY;
		return file;
	}
	m->files[file].pipe = pipe;
	m->pipes[pipe].used = m->pipes[pipe].reading = m->pipes[pipe].writing = true;
	m->pipes[pipe].polled = false;
	m->pipes[pipe].pages = pages_for(bytes);
	m->pipes[pipe].first = m->pipes[pipe].full = 0;
	return 0;
}

/* Both ends of a pipe hear what happens to it, each on a list of its own. */
static void wake_end(struct model *m, uint16_t pipe, enum model_kind kind, uint32_t key)
{
	for (uint16_t file = 0; file < MODEL_FILES_MAX; file++)
		if (m->files[file].kind == kind && m->files[file].pipe == pipe)
			model_wake(m, file, key);
}

/* pipe_release(): who is left hears of everything at once. */
static void close_end(struct model *m, const struct model_file *file)
{
	struct model_pipe *pipe = &m->pipes[file->pipe];
	uint32_t all = MODEL_IN | MODEL_OUT | MODEL_RDNORM | MODEL_WRNORM | MODEL_ERR | MODEL_HUP;

	if (file->kind == MODEL_READER)
		pipe->reading = false;
	else
		pipe->writing = false;
	pipe->used = pipe->reading || pipe->writing;
	if (pipe->used)
		wake_end(m, file->pipe, file->kind == MODEL_READER ? MODEL_WRITER : MODEL_READER,
			 all);
}

/* An entry ends with the open file, not with the descriptor that it was added by. */
int model_close(struct model *m, int fd)
{
	uint16_t id = model_file_of(m, fd);
	struct model_file closed;

	if (id == MODEL_NOBODY)
		return MODEL_EBADF;
	m->fds[fd] = MODEL_NOBODY;
	if (--m->files[id].descriptors > 0)
		return 0;
	model_forget(m, id);
	closed = m->files[id];
	m->files[id].kind = MODEL_FREE;
	if (closed.kind == MODEL_READER || closed.kind == MODEL_WRITER)
		close_end(m, &closed);
	return 0;
}

int model_dup(struct model *m, int fd, int to)
{
	uint16_t file = model_file_of(m, fd);

	if (file == MODEL_NOBODY || to < 0 || to >= MODEL_FDS_MAX)
		return MODEL_EBADF;
	if (fd == to)
		return 0;
	m->files[file].descriptors++;
	if (m->fds[to] != MODEL_NOBODY)
		model_close(m, to);
	m->fds[to] = file;
	return 0;
}

/* Masks. */

static uint32_t eventfd_mask(uint64_t count)
{
	return (count > 0 ? MODEL_IN : 0u) | (count == UINT64_MAX ? MODEL_ERR : 0u) |
	       (count < UINT64_MAX - 1 ? MODEL_OUT : 0u);
}

static uint32_t pipe_mask(struct model_pipe *pipe, enum model_kind kind)
{
	pipe->polled = true;
	if (kind == MODEL_READER)
		return (pipe->full > 0 ? MODEL_IN | MODEL_RDNORM : 0u) |
		       (pipe->writing ? 0u : MODEL_HUP);
	return (pipe->full < pipe->pages ? MODEL_OUT | MODEL_WRNORM : 0u) |
	       (pipe->reading ? 0u : MODEL_ERR);
}

uint32_t model_mask(struct model *m, uint16_t file)
{
	const struct model_file *f = &m->files[file];

	switch (f->kind) {
	case MODEL_EVENTFD:
		return eventfd_mask(f->count);
	case MODEL_READER:
	case MODEL_WRITER:
		return pipe_mask(&m->pipes[f->pipe], f->kind);
	case MODEL_EPOLL:
		return model_instance_ready(m, file) ? MODEL_IN | MODEL_RDNORM : 0u;
	case MODEL_PLAIN:
		return MODEL_IN | MODEL_OUT | MODEL_RDNORM | MODEL_WRNORM;
	case MODEL_FREE:
		break;
	}
	return 0;
}

uint32_t model_poll(struct model *m, int fd, uint32_t mask)
{
	uint16_t file = model_file_of(m, fd);

	return file == MODEL_NOBODY ? 0x20 /* POLLNVAL */
				    : model_mask(m, file) & (mask | MODEL_ERR | MODEL_HUP);
}

/* Eventfds: every write is announced, also of 0 and where the counter was not 0. */

int model_add_count(struct model *m, int fd, uint64_t number)
{
	uint16_t file = model_file_of(m, fd);

	if (file == MODEL_NOBODY)
		return MODEL_EBADF;
	if (number == UINT64_MAX)
		return MODEL_EINVAL;
	if (UINT64_MAX - m->files[file].count <= number)
		return MODEL_EAGAIN;
	m->files[file].count += number;
	model_wake(m, file, MODEL_IN);
	return 0;
}

int model_take_count(struct model *m, int fd, uint64_t *number)
{
	uint16_t file = model_file_of(m, fd);

	if (file == MODEL_NOBODY)
		return MODEL_EBADF;
	if (m->files[file].count == 0)
		return MODEL_EAGAIN;
	*number = m->files[file].semaphore ? 1 : m->files[file].count;
	m->files[file].count -= *number;
	model_wake(m, file, MODEL_OUT);
	return 0;
}

/* Pipes. */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What does not fill a page goes into the last one, if all of it fits there. */
static uint32_t merge(struct model_pipe *pipe, const uint8_t *bytes, uint32_t size)
{
	uint16_t last = (uint16_t)((pipe->first + pipe->full + pipe->pages - 1) % pipe->pages);
	uint32_t rest = size % MODEL_PAGE;
	uint32_t end;

	if (pipe->full == 0 || rest == 0)
		return 0;
	end = (uint32_t)pipe->start[last] + pipe->length[last];
	if (end + rest > MODEL_PAGE)
		return 0;
	memcpy(&pipe->bytes[last][end], bytes, rest);
	pipe->length[last] = (uint16_t)(pipe->length[last] + rest);
	return rest;
}

static uint32_t fill_pages(struct model_pipe *pipe, const uint8_t *bytes, uint32_t size)
{
	uint32_t done = 0;

	while (done < size && pipe->full < pipe->pages) {
		uint16_t page = (uint16_t)((pipe->first + pipe->full++) % pipe->pages);
		uint32_t part = least(size - done, MODEL_PAGE);

		memcpy(pipe->bytes[page], bytes + done, part);
		pipe->start[page] = 0;
		pipe->length[page] = (uint16_t)part;
		done += part;
	}
	return done;
}

/* pipe_write(): announced where the pipe was empty or was ever polled, also if nothing fits. */
int model_write(struct model *m, int fd, const uint8_t *bytes, uint32_t size)
{
	uint16_t file = model_file_of(m, fd);
	struct model_pipe *pipe;
	bool was_empty;
	uint32_t done;

	if (file == MODEL_NOBODY || m->files[file].kind != MODEL_WRITER)
		return MODEL_EBADF;
	pipe = &m->pipes[m->files[file].pipe];
	if (size == 0)
		return 0;
	if (!pipe->reading)
		return MODEL_EPIPE;
	was_empty = pipe->full == 0;
	done = merge(pipe, bytes, size);
	done += fill_pages(pipe, bytes + done, size - done);
	if (was_empty || pipe->polled)
		wake_end(m, m->files[file].pipe, MODEL_READER, MODEL_IN | MODEL_RDNORM);
	return done > 0 ? (int)done : MODEL_EAGAIN;
}

/* pipe_read(): room is announced when a page was freed of a pipe that had none. */
int model_read(struct model *m, int fd, uint8_t *bytes, uint32_t size)
{
	uint16_t file = model_file_of(m, fd);
	struct model_pipe *pipe;
	bool was_full, freed = false;
	uint32_t done = 0;

	if (file == MODEL_NOBODY || m->files[file].kind != MODEL_READER)
		return MODEL_EBADF;
	pipe = &m->pipes[m->files[file].pipe];
	was_full = pipe->full == pipe->pages;
	while (done < size && pipe->full > 0) {
		uint16_t page = pipe->first;
		uint32_t part = least(size - done, pipe->length[page]);

		memcpy(bytes + done, &pipe->bytes[page][pipe->start[page]], part);
		pipe->start[page] = (uint16_t)(pipe->start[page] + part);
		pipe->length[page] = (uint16_t)(pipe->length[page] - part);
		done += part;
		if (pipe->length[page] > 0)
			continue;
		pipe->first = (uint16_t)((page + 1) % pipe->pages);
		pipe->full--;
		freed = true;
	}
	if (was_full && freed)
		wake_end(m, m->files[file].pipe, MODEL_WRITER, MODEL_OUT | MODEL_WRNORM);
	if (done > 0 || size == 0 || !pipe->writing)
		return (int)done;
	return MODEL_EAGAIN;
}

const char *model_invariant(const struct model *m)
{
	uint32_t queued = 0, listed = 0;

	for (uint16_t id = 0; id < MODEL_ENTRIES_MAX; id++) {
		const struct model_entry *entry = &m->entries[id];

		if (!entry->used)
			continue;
		if (m->files[entry->instance].kind != MODEL_EPOLL ||
		    m->files[entry->file].kind == MODEL_FREE)
			return "entry-of-nothing";
		queued += entry->queued;
	}
	for (uint16_t file = 0; file < MODEL_FILES_MAX; file++)
		if (m->files[file].kind == MODEL_EPOLL)
			for (uint16_t id = m->files[file].ready_first; id != MODEL_NOBODY;
			     id = m->entries[id].next_ready) {
				if (!m->entries[id].used || !m->entries[id].queued ||
				    m->entries[id].instance != file || ++listed > queued)
					return "ready-list";
			}
	return queued == listed ? NULL : "ready-list-length";
}
