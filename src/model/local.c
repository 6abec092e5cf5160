/*
 * Unix sockets in pairs: net/unix/af_unix.c. What was written stays a message of its own, also in a
 * stream: it costs its sender buffer memory until the last byte of it was read, and then the sender
 * hears that there is room. So there is one such wake-up for each message that was read to its end,
 * and none for each read; reading within a message announces nothing.
 *
 * A message in the ring is its head and its bytes.
 */
#include "state.h"

struct head {
	uint32_t size, taken;
};

/* A stream's writes are cut at half the send buffer, less 64 bytes, and at what one skb holds:
 * unix_stream_sendmsg, with SKB_MAX_ALLOC and UNIX_SKB_FRAGS_SZ for pages of 4096 bytes. */
enum { CUT_LESS = 64, CUT_MOST = 48832 };

static const struct head *head_of(const struct model *m, const struct object *object,
				  struct head *head)
{
	if (object->ring.used == 0)
		return NULL;
	ring_look(m, &object->ring, 0, head, sizeof(*head));
	return head;
}

/* Half of the peer's ring is our send buffer. A message may be written while that is not full, so
 * the last one may reach into the other half (sock_alloc_send_pskb). */
static uint32_t send_size(const struct model *m)
{
	return m->config.ring_size / 2;
}

static bool full(const struct model *m, const struct object *peer)
{
	return peer->ring.used >= send_size(m);
}

/* unix_writable: while not more than a quarter of the send buffer is used. */
static bool writable(const struct model *m, const struct object *object)
{
	const struct object *peer = object->local.peer;

	return peer == NULL || peer->ring.used <= send_size(m) / 4;
}

/* unix_write_space: buffer memory of this one became free. */
static void tell_room(struct model *m, struct object *object)
{
	if (object != NULL && writable(m, object))
		wake(m, object, QUEUE_MAIN, KEY_WRITABLE);
}

static int take_error(struct local *local)
{
	int error = local->error;

	local->error = 0;
	return error;
}

static void pair_init(struct object *object, enum model_type type, struct object *peer)
{
	object->local = (struct local){ .type = type, .peer = peer };
}

int model_unix(struct model *m, enum model_type type, int fds[2])
{
	static const uint8_t modes[2] = { MODE_READ | MODE_WRITE, MODE_READ | MODE_WRITE };
	struct object *ends[2] = { object_new(m, KIND_UNIX, true), object_new(m, KIND_UNIX, true) };
	int error = MODEL_ENOMEM;

	if (ends[0] != NULL && ends[1] != NULL) {
		pair_init(ends[0], type, ends[1]);
		pair_init(ends[1], type, ends[0]);
		error = files_open(m, ends, modes, fds);
	}
	for (int i = 0; i < 2; i++)
		if (error != 0 && ends[i] != NULL)
			object_free(m, ends[i]);
	return error;
}

/* unix_poll, unix_dgram_poll */
uint32_t local_readiness(const struct model *m, const struct object *object)
{
	const struct local *local = &object->local;
	uint32_t mask = writable(m, object) ? WRITABLE | MODEL_WRBAND : 0;

	if (local->error != 0)
		mask |= MODEL_ERR;
	if (local->shutdown == SHUT_BOTH)
		mask |= MODEL_HUP;
	if ((local->shutdown & SHUT_RECEIVE) != 0)
		mask |= MODEL_RDHUP | READABLE;
	if (object->ring.used > 0)
		mask |= READABLE;
	return mask;
}

/* The oldest message is gone, and its sender has room. */
static void drop_message(struct model *m, struct object *object, const struct head *head)
{
	ring_drop(m, &object->ring, sizeof(*head) + head->size);
	tell_room(m, object->local.peer);
}

static uint32_t read_part(struct model *m, struct object *object, struct head *head, void *bytes,
			  size_t size)
{
	uint32_t left = head->size - head->taken, count = left < size ? left : (uint32_t)size;

	ring_look(m, &object->ring, (uint32_t)sizeof(*head) + head->taken, bytes, count);
	head->taken += count;
	return count;
}

/* Without consuming: message after message. */
static int64_t stream_peek(struct model *m, struct object *object, uint8_t *bytes, size_t size)
{
	uint32_t place = 0;
	size_t count = 0;

	while (place < object->ring.used && count < size) {
		struct head head;
		uint32_t left;

		ring_look(m, &object->ring, place, &head, sizeof(head));
		left = head.size - head.taken < size - count ? head.size - head.taken
							     : (uint32_t)(size - count);
		ring_look(m, &object->ring, place + (uint32_t)sizeof(head) + head.taken,
			  bytes + count, left);
		count += left;
		place += (uint32_t)sizeof(head) + head.size;
	}
	return (int64_t)count;
}

static int64_t stream_take(struct model *m, struct object *object, uint8_t *bytes, size_t size)
{
	struct head head;
	size_t count = 0;

	while (count < size && head_of(m, object, &head) != NULL) {
		count += read_part(m, object, &head, bytes == NULL ? NULL : bytes + count,
				   size - count);
		if (head.taken == head.size)
			drop_message(m, object, &head);
		else
			ring_change(m, &object->ring, 0, &head, sizeof(head));
	}
	return (int64_t)count;
}

/* unix_stream_read_generic */
static int64_t stream_read(struct model *m, struct object *object, void *bytes, size_t size,
			   bool peek)
{
	struct local *local = &object->local;
	int error;

	if (object->ring.used > 0)
		return peek ? stream_peek(m, object, bytes, size)
			    : stream_take(m, object, bytes, size);
	error = take_error(local);
	if (error != 0)
		return error;
	return (local->shutdown & SHUT_RECEIVE) != 0 ? 0 : MODEL_EAGAIN;
}

/* One message, and what does not fit of it is lost (__unix_dgram_recvmsg). */
static int64_t message_read(struct model *m, struct object *object, void *bytes, size_t size,
			    bool peek)
{
	struct local *local = &object->local;
	int error = take_error(local);
	struct head head;
	int64_t count;

	if (error != 0)
		return error;
	if (head_of(m, object, &head) == NULL)
		return local->type == MODEL_SEQPACKET && (local->shutdown & SHUT_RECEIVE) != 0
			       ? 0
			       : MODEL_EAGAIN;
	count = read_part(m, object, &head, bytes, size);
	if (!peek)
		drop_message(m, object, &head);
	return count;
}

int64_t local_read(struct model *m, struct object *object, void *bytes, size_t size, bool peek)
{
	if (object->local.type != MODEL_STREAM)
		return message_read(m, object, bytes, size, peek);
	return stream_read(m, object, bytes, size, peek);
}

static void deliver(struct model *m, struct object *peer, const void *bytes, uint32_t size)
{
	struct head head = { .size = size };

	ring_put(m, &peer->ring, &head, sizeof(head));
	ring_put(m, &peer->ring, bytes, size);
	wake(m, peer, QUEUE_MAIN, KEY_READABLE);
}

/* How much of a stream's write becomes the next message. */
static uint32_t cut(const struct model *m, size_t size)
{
	uint32_t most = send_size(m) / 2 > CUT_LESS ? send_size(m) / 2 - CUT_LESS : 1;

	most = most < CUT_MOST ? most : CUT_MOST;
	return size < most ? (uint32_t)size : most;
}

/* unix_stream_sendmsg. The peer's end has shut our sending down when it closed. */
static int64_t stream_write(struct model *m, struct object *object, const uint8_t *bytes,
			    size_t size)
{
	struct local *local = &object->local;
	size_t count = 0;

	if ((local->shutdown & SHUT_SEND) != 0)
		return MODEL_EPIPE;
	while (count < size) {
		uint32_t next = cut(m, size - count);

		if (full(m, local->peer))
			return count > 0 ? (int64_t)count : MODEL_EAGAIN;
		deliver(m, local->peer, bytes + count, next);
		count += next;
	}
	return (int64_t)count;
}

/* The message was allocated when it turns out that nobody takes it, and freed again: an edge for
 * its own sender. */
static int64_t nobody_takes(struct model *m, struct object *object, int error)
{
	tell_room(m, object);
	return error;
}

/* A peer that has gone is told of once, and what it had sent is lost (unix_dgram_disconnected). */
static int64_t no_peer(struct model *m, struct object *object)
{
	if (!object->local.peer_gone)
		return nobody_takes(m, object, MODEL_ENOTCONN);
	object->local.peer_gone = false;
	ring_drop(m, &object->ring, object->ring.used);
	/* unix_dgram_peer_wake_disconnect_wakeup: so two waiters are woken, and one finds nothing. */
	wake(m, object, QUEUE_MAIN, KEY_WRITABLE);
	return nobody_takes(m, object, MODEL_ECONNREFUSED);
}

/* unix_dgram_sendmsg, unix_seqpacket_sendmsg */
static int64_t message_write(struct model *m, struct object *object, const void *bytes, size_t size)
{
	struct local *local = &object->local;
	int error = take_error(local);

	if (error != 0)
		return error;
	if (size > send_size(m) - sizeof(struct head))
		return MODEL_EMSGSIZE;
	if ((local->shutdown & SHUT_SEND) != 0)
		return MODEL_EPIPE;
	if (local->peer == NULL)
		return no_peer(m, object);
	if (full(m, local->peer))
		return MODEL_EAGAIN;
	if ((local->peer->local.shutdown & SHUT_RECEIVE) != 0)
		return nobody_takes(m, object, MODEL_EPIPE);
	deliver(m, local->peer, bytes, (uint32_t)size);
	return (int64_t)size;
}

int64_t local_write(struct model *m, struct object *object, const void *bytes, size_t size)
{
	if (object->local.type != MODEL_STREAM)
		return message_write(m, object, bytes, size);
	return stream_write(m, object, bytes, size);
}

/* All that is unread; of datagrams, the oldest (unix_inq_len). */
int64_t local_queued(const struct model *m, const struct object *object)
{
	uint32_t place = 0;
	int64_t count = 0;

	while (place < object->ring.used) {
		struct head head;

		ring_look(m, &object->ring, place, &head, sizeof(head));
		count += head.size - head.taken;
		place += (uint32_t)sizeof(head) + head.size;
		if (object->local.type == MODEL_DATAGRAM)
			break;
	}
	return count;
}

static void shut(struct model *m, struct object *object, uint8_t how)
{
	object->local.shutdown |= how;
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
}

/* What one end shuts, the other has shut as well, in the other direction: unix_shutdown. */
int local_shutdown(struct model *m, struct object *object, uint8_t how)
{
	uint8_t theirs = (uint8_t)((how & SHUT_RECEIVE) != 0 ? SHUT_SEND : 0) |
			 (uint8_t)((how & SHUT_SEND) != 0 ? SHUT_RECEIVE : 0);

	shut(m, object, how);
	if (object->local.peer != NULL && object->local.type != MODEL_DATAGRAM)
		shut(m, object->local.peer, theirs);
	return 0;
}

/* What a close loses, unless it is a single message without bytes. */
static bool unread(const struct model *m, const struct object *object)
{
	struct head head;

	return head_of(m, object, &head) != NULL &&
	       (head.size > 0 || object->ring.used > sizeof(head));
}

/* unix_release_sock. What was unread is freed, message by message, and its sender hears of it. */
void local_release(struct model *m, struct object *object)
{
	struct object *peer = object->local.peer;
	struct head head;

	if (peer != NULL && peer->local.type != MODEL_DATAGRAM) {
		if (unread(m, object))
			peer->local.error = MODEL_ECONNRESET;
		shut(m, peer, SHUT_BOTH);
	}
	while (head_of(m, object, &head) != NULL)
		drop_message(m, object, &head);
	if (peer != NULL) {
		peer->local.peer = NULL;
		peer->local.peer_gone = true;
	}
	object_free(m, object);
}
