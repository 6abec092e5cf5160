/* How connections of TCP begin: net/ipv4/af_inet.c, inet_connection_sock.c, tcp_minisocks.c. */
#include "state.h"

struct object *tcp_new(struct model *m, bool with_ring)
{
	struct object *object = object_new(m, KIND_TCP, with_ring);

	if (object == NULL)
		return NULL;
	object->tcp = (struct tcp){ .state = TCP_CLOSE, .lowat = 1 };
	link_init(&object->tcp.line);
	link_init(&object->tcp.callers);
	return object;
}

int model_socket(struct model *m)
{
	struct object *object = tcp_new(m, false);
	int fd;

	if (object == NULL)
		return MODEL_ENFILE;
	fd = file_open(m, object, MODE_READ | MODE_WRITE);
	if (fd < 0)
		object_free(m, object);
	return fd;
}

/* The TCP socket of a number; NULL: why not. */
static struct object *socket_at(const struct model *m, int fd, int *error)
{
	*error = refused(m, fd,
			 object_at(m, fd, KIND_UNIX) != NULL ? MODEL_EOPNOTSUPP : MODEL_ENOTSOCK);
	return object_at(m, fd, KIND_TCP);
}

/* It announces nothing, though the readiness changes. */
int model_listen(struct model *m, int fd, uint32_t backlog)
{
	int error;
	struct object *object = socket_at(m, fd, &error);
	struct tcp *tcp;

	if (object == NULL)
		return error;
	tcp = &object->tcp;
	if (tcp->attempt != ATTEMPT_NONE || (tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN))
		return MODEL_EINVAL;
	tcp->line_max = backlog;
	tcp->state = TCP_LISTEN;
	return 0;
}

/* Nobody listens any more: who waits to be accepted is reset (inet_csk_listen_stop). */
void tcp_hang_up(struct model *m, struct object *listener)
{
	struct tcp *tcp = &listener->tcp;

	while (linked(&tcp->callers)) {
		struct object *caller = OWNER(tcp->callers.next, struct object, tcp.line);

		unlink_it(&caller->tcp.line);
		caller->tcp.peer = NULL;
	}
	while (linked(&tcp->line)) {
		struct object *child = OWNER(tcp->line.next, struct object, tcp.line);

		unlink_it(&child->tcp.line);
		tcp_abort(m, child);
		object_free(m, child);
	}
	tcp->line_used = 0;
}

static void become_connected(struct object *object, struct object *peer)
{
	object->tcp.state = TCP_ESTABLISHED;
	object->tcp.peer = peer;
}

/* The three segments of a handshake. While the line is full, the first one gets no answer. */
static void syn_arrives(struct model *m, struct object *object)
{
	struct object *listener = object->tcp.peer, *child;
	struct tcp *tcp;

	if (listener == NULL) {
		tcp_reset_arrives(m, object);
		return;
	}
	tcp = &listener->tcp;
	child = tcp->line_used > tcp->line_max ? NULL : tcp_new(m, true);
	if (child == NULL)
		return;
	unlink_it(&object->tcp.line);
	become_connected(object, child);
	become_connected(child, object);
	child->tcp.attempt = ATTEMPT_TOLD;
	child->tcp.lowat = tcp->lowat;
	child->tcp.in_line = tcp->in_line;
	child->tcp.abort = tcp->abort;
	child->tcp.shutdown = tcp->shutdown; /* of before listen(2) */
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
	push_back(&tcp->line, &child->tcp.line);
	tcp->line_used++;
	if ((child->tcp.shutdown & SHUT_SEND) != 0)
		tcp_send_fin(m, child);
	wake(m, listener, QUEUE_MAIN, KEY_READABLE);
}

/* What connect() says of an attempt that was made before (__inet_stream_connect). */
static int tell_attempt(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;
	int error;

	if (tcp->attempt == ATTEMPT_TOLD)
		return MODEL_EISCONN;
	if (tcp->state == TCP_SYN_SENT)
		return MODEL_EALREADY;
	if (tcp->state != TCP_CLOSE) {
		tcp->attempt = ATTEMPT_TOLD;
		return 0;
	}
	error = tcp->error != 0 ? tcp->error : MODEL_ECONNABORTED;
	tcp->error = 0;
	tcp_disconnect(m, object);
	return error;
}

int model_connect(struct model *m, int fd, int to, bool held)
{
	int error;
	struct object *object = socket_at(m, fd, &error);
	struct object *listener = object_at(m, to, KIND_TCP);

	if (object == NULL) /* of another family, the address is invalid: unix_validate_addr */
		return error == MODEL_EOPNOTSUPP ? MODEL_EINVAL : error;
	if (object->tcp.attempt == ATTEMPT_SHUT)
		return MODEL_EINVAL;
	if (object->tcp.attempt != ATTEMPT_NONE)
		return tell_attempt(m, object);
	if (object->tcp.state != TCP_CLOSE)
		return MODEL_EISCONN;
	if (object->ring.bytes == NULL && (object->ring.bytes = store_take(&m->rings)) == NULL)
		return MODEL_ENOMEM;
	object->tcp.error = 0; /* tcp_connect_init */
	object->tcp.attempt = ATTEMPT_MADE;
	object->tcp.state = TCP_SYN_SENT;
	if (listener != NULL && listener->tcp.state == TCP_LISTEN) {
		object->tcp.peer = listener;
		push_back(&listener->tcp.callers, &object->tcp.line);
	}
	if (!held)
		syn_arrives(m, object);
	return MODEL_EINPROGRESS;
}

int model_settle(struct model *m, int fd)
{
	int error;
	struct object *object = socket_at(m, fd, &error);

	if (object == NULL)
		return error;
	if (object->tcp.state == TCP_SYN_SENT)
		syn_arrives(m, object);
	return 0;
}

/* A unix socket that could listen does not (unix_accept). */
static int accepts_none(const struct model *m, int fd, int error)
{
	const struct object *local = object_at(m, fd, KIND_UNIX);

	return local != NULL && local->local.type != MODEL_DATAGRAM ? MODEL_EINVAL : error;
}

/* Looks for a number first, so EMFILE comes before all that is about the socket (accept4). */
int model_accept(struct model *m, int fd)
{
	int error;
	struct object *listener = socket_at(m, fd, &error), *child;

	if (file_at(m, fd) == NULL)
		return MODEL_EBADF;
	if (number_left(m) != 0)
		return number_left(m);
	if (listener == NULL)
		return accepts_none(m, fd, error);
	if (listener->tcp.state != TCP_LISTEN)
		return MODEL_EINVAL;
	if (!linked(&listener->tcp.line))
		return MODEL_EAGAIN;
	child = OWNER(listener->tcp.line.next, struct object, tcp.line);
	fd = file_open(m, child, MODE_READ | MODE_WRITE);
	if (fd < 0)
		return fd;
	unlink_it(&child->tcp.line);
	listener->tcp.line_used--;
	return fd;
}

int model_dissolve(struct model *m, int fd)
{
	int error;
	struct object *object = socket_at(m, fd, &error);

	if (object == NULL)
		return error;
	tcp_disconnect(m, object);
	return 0;
}

int model_tcp_state(struct model *m, int fd)
{
	int error;
	struct object *object = socket_at(m, fd, &error);

	return object == NULL ? error : (int)object->tcp.state;
}
