/* Calls that every kind of descriptor answers in its own way. */
#include "state.h"

int model_file(struct model *m)
{
	struct object *object = object_new(m, KIND_FILE, false);
	int fd;

	if (object == NULL)
		return MODEL_ENFILE;
	fd = file_open(m, object, MODE_READ | MODE_WRITE);
	if (fd < 0)
		object_free(m, object);
	return fd;
}

/* Where there is no such operation, the errno is the kernel's for a file without it. */
int64_t model_read(struct model *m, int fd, void *bytes, size_t size)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL || (file->mode & MODE_READ) == 0)
		return MODEL_EBADF;
	switch (file->object->kind) {
	case KIND_EVENTFD:
		return counter_read(m, file->object, bytes, size);
	case KIND_TIMERFD:
		return timer_read(m, file->object, bytes, size);
	case KIND_PIPE:
		return pipe_read(m, file->object, bytes, size);
	case KIND_UNIX:
		return size == 0 ? 0 : local_read(m, file->object, bytes, size, false);
	case KIND_TCP:
		return size == 0 ? 0 : tcp_read(m, file->object, bytes, size, false);
	case KIND_FILE:
		return 0;
	case KIND_EPOLL:
	case KIND_FREE:
		break;
	}
	return MODEL_EINVAL;
}

int64_t model_write(struct model *m, int fd, const void *bytes, size_t size)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL || (file->mode & MODE_WRITE) == 0)
		return MODEL_EBADF;
	switch (file->object->kind) {
	case KIND_EVENTFD:
		return counter_write(m, file->object, bytes, size);
	case KIND_PIPE:
		return pipe_write(m, file->object, bytes, size);
	case KIND_UNIX:
		return local_write(m, file->object, bytes, size);
	case KIND_TCP:
		return tcp_write(m, file->object, bytes, size, false);
	case KIND_FILE:
		return (int64_t)size;
	case KIND_TIMERFD:
	case KIND_EPOLL:
	case KIND_FREE:
		break;
	}
	return MODEL_EINVAL;
}

bool model_counts(struct model *m, int fd)
{
	return object_at(m, fd, KIND_EVENTFD) != NULL || object_at(m, fd, KIND_TIMERFD) != NULL;
}

int64_t model_peek(struct model *m, int fd, void *bytes, size_t size)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL)
		return MODEL_EBADF;
	if (file->object->kind == KIND_UNIX)
		return local_read(m, file->object, bytes, size, true);
	if (file->object->kind == KIND_TCP)
		return tcp_read(m, file->object, bytes, size, true);
	return MODEL_ENOTSOCK;
}

int64_t model_send_urgent(struct model *m, int fd, const void *bytes, size_t size)
{
	struct object *object = object_at(m, fd, KIND_TCP);

	if (object == NULL)
		return refused(m, fd,
			       object_at(m, fd, KIND_UNIX) != NULL ? MODEL_EOPNOTSUPP
								   : MODEL_ENOTSOCK);
	return tcp_write(m, object, bytes, size, true);
}

int64_t model_queued(struct model *m, int fd)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL)
		return MODEL_EBADF;
	switch (file->object->kind) {
	case KIND_PIPE:
		return pipe_queued(m, file->object);
	case KIND_UNIX:
		return local_queued(m, file->object);
	case KIND_TCP:
		return tcp_queued(file->object);
	case KIND_FILE:
		return 0;
	case KIND_EPOLL:
		return MODEL_EINVAL; /* its ioctl(2) is about busy polling */
	case KIND_EVENTFD:
	case KIND_TIMERFD:
	case KIND_FREE:
		break;
	}
	return MODEL_ENOTTY;
}

int64_t model_unsent(struct model *m, int fd)
{
	struct object *object = object_at(m, fd, KIND_TCP);

	return object == NULL ? refused(m, fd, MODEL_ENOTTY) : tcp_unsent(object);
}

int model_shutdown(struct model *m, int fd, enum model_how how)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL)
		return MODEL_EBADF;
	if (file->object->kind == KIND_UNIX)
		return local_shutdown(m, file->object, (uint8_t)how);
	if (file->object->kind == KIND_TCP)
		return tcp_shutdown(m, file->object, (uint8_t)how);
	return MODEL_ENOTSOCK;
}

/* The lower bound is looked at by no wake-up of the past, but lowering it announces what is there
 * (tcp_set_rcvlowat). */
static void tcp_set(struct model *m, struct object *object, enum model_option option, int value)
{
	struct tcp *tcp = &object->tcp;

	switch (option) {
	case MODEL_RCVLOWAT:
		tcp->lowat = value < 0 ? INT_MAX : value == 0 ? 1 : (uint32_t)value;
		tcp_data_ready(m, object);
		break;
	case MODEL_OOBINLINE:
		tcp->in_line = value != 0;
		break;
	case MODEL_LINGER:
		tcp->abort = value == 0;
		break;
	}
}

int model_set_option(struct model *m, int fd, enum model_option option, int value)
{
	const struct file *file = file_at(m, fd);

	if (file == NULL)
		return MODEL_EBADF;
	if (file->object->kind == KIND_TCP)
		tcp_set(m, file->object, option, value);
	else if (file->object->kind != KIND_UNIX)
		return MODEL_ENOTSOCK;
	return 0;
}

int model_socket_error(struct model *m, int fd, int *error)
{
	const struct file *file = file_at(m, fd);
	int *pending;

	if (file == NULL)
		return MODEL_EBADF;
	if (file->object->kind != KIND_UNIX && file->object->kind != KIND_TCP)
		return MODEL_ENOTSOCK;
	pending = file->object->kind == KIND_TCP ? &file->object->tcp.error
						 : &file->object->local.error;
	*error = *pending;
	*pending = 0;
	return 0;
}
