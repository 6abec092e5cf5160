/*
 * Connections of TCP: net/ipv4/tcp.c, tcp_input.c. What one end sends has arrived at the other when
 * the call returns, as far as the window lets it; the wake-ups come in the kernel's order, which is
 * the other end's first.
 *
 * The ring of a socket holds what was sent to it: first what has arrived, and then what does not
 * fit into its window, which is the peer's send buffer. So what a peer that has closed left behind
 * still arrives, and a FIN waits for its turn.
 */
#include "state.h"

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static uint32_t send_size(const struct model *m)
{
	return m->config.ring_size - m->config.window;
}

/* Bytes of ours that have not arrived. */
static uint32_t unsent(const struct object *object)
{
	const struct object *peer = object->tcp.peer;

	if (peer == NULL || object->tcp.state == TCP_SYN_SENT)
		return 0;
	return peer->ring.used - peer->tcp.arrived;
}

/* sk_stream_is_writeable: while a third of the send buffer is free, and it is not full, which are
 * two questions where it is tiny. */
static bool writable(const struct model *m, const struct object *object)
{
	uint32_t used = unsent(object);

	return send_size(m) - used >= used / 2 && used < send_size(m);
}

static bool is_open(const struct tcp *tcp)
{
	return tcp->state == TCP_ESTABLISHED || tcp->state == TCP_CLOSE_WAIT;
}

static int take_error(struct tcp *tcp)
{
	int error = tcp->error;

	tcp->error = 0;
	return error;
}

/* Enough for SO_RCVLOWAT? A FIN counts as a byte, since it has a sequence number. */
static bool enough(const struct tcp *tcp, uint32_t least)
{
	uint64_t count = (uint64_t)tcp->arrived + tcp->done;

	return count > 0 && count >= least;
}

/* tcp_poll. Who is told that there is no room will be woken when there is. */
uint32_t tcp_readiness(const struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;
	bool at_mark = tcp->urgent != URGENT_NONE && tcp->urgent_at == tcp->taken && !tcp->in_line;
	uint32_t mask = tcp->error != 0 ? MODEL_ERR : 0;

	if (tcp->state == TCP_LISTEN)
		return linked(&tcp->line) ? READABLE : 0;
	if (tcp->shutdown == SHUT_BOTH || tcp->state == TCP_CLOSE)
		mask |= MODEL_HUP;
	if ((tcp->shutdown & SHUT_RECEIVE) != 0)
		mask |= READABLE | MODEL_RDHUP;
	if (tcp->state == TCP_SYN_SENT)
		return mask;
	if (enough(tcp, at_mark ? tcp->lowat + 1 : tcp->lowat))
		mask |= READABLE;
	if ((tcp->shutdown & SHUT_SEND) != 0 || writable(m, object))
		mask |= WRITABLE;
	else
		tcp->no_space = true;
	if (tcp->urgent == URGENT_VALID)
		mask |= MODEL_PRI;
	return mask;
}

void tcp_data_ready(struct model *m, struct object *object)
{
	if (enough(&object->tcp, object->tcp.lowat) || object->tcp.done)
		wake(m, object, QUEUE_MAIN, KEY_READABLE);
}

/* sk_stream_write_space: only who was told that there is no room hears that there is. */
static void tell_room(struct model *m, struct object *object)
{
	if (!object->tcp.no_space || !writable(m, object))
		return;
	object->tcp.no_space = false;
	wake(m, object, QUEUE_MAIN, KEY_WRITABLE);
}

/* The two ends know each other no more, and what was on its way is lost. */
static void sever(struct object *object)
{
	struct object *peer = object->tcp.peer;

	object->ring.used = object->tcp.arrived;
	object->tcp.fin_behind = false;
	object->tcp.peer = NULL;
	if (peer != NULL)
		sever(peer);
}

/* tcp_done */
static void end(struct model *m, struct object *object)
{
	sever(object);
	object->tcp.state = TCP_CLOSE;
	object->tcp.shutdown = SHUT_BOTH;
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
}

/* tcp_reset. What had arrived stays, and can be read. */
void tcp_reset_arrives(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;

	if (tcp->state == TCP_CLOSE)
		return;
	tcp->error = tcp->state == TCP_SYN_SENT     ? MODEL_ECONNREFUSED
		     : tcp->state == TCP_CLOSE_WAIT ? MODEL_EPIPE
						    : MODEL_ECONNRESET;
	end(m, object);
	wake(m, object, QUEUE_MAIN, KEY_ERROR);
}

/* Sends a reset, without a change here. */
void tcp_abort(struct model *m, struct object *object)
{
	struct object *peer = object->tcp.peer;

	sever(object);
	if (peer != NULL)
		tcp_reset_arrives(m, peer);
}

/* tcp_fin */
static void fin_arrives(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;

	tcp->shutdown |= SHUT_RECEIVE;
	tcp->done = true;
	if (tcp->state == TCP_ESTABLISHED)
		tcp->state = TCP_CLOSE_WAIT;
	else if (tcp->state == TCP_FIN_WAIT1)
		tcp->state = TCP_CLOSING;
	else
		end(m, object);
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
	tcp_data_ready(m, object);
}

/* tcp_rcv_state_process. It wakes even who knows nothing of it: an edge for our own shutdown. */
static void fin_acknowledged(struct model *m, struct object *object)
{
	if (object->tcp.state != TCP_FIN_WAIT1) {
		end(m, object);
		return;
	}
	object->tcp.state = TCP_FIN_WAIT2;
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
}

static void urgent_arrives(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;

	if (tcp->urgent != URGENT_NOT_YET || tcp->urgent_at >= tcp->taken + tcp->arrived)
		return;
	tcp->urgent = URGENT_VALID;
	ring_look(m, &object->ring, (uint32_t)(tcp->urgent_at - tcp->taken), &tcp->urgent_byte, 1);
	wake(m, object, QUEUE_MAIN, KEY_READABLE);
}

/* Neither direction is open any more, so what comes can only be refused: RFC 1122, 4.2.2.13. */
static bool refuses_data(const struct tcp *tcp)
{
	return (tcp->state == TCP_FIN_WAIT1 || tcp->state == TCP_FIN_WAIT2) &&
	       (tcp->shutdown & SHUT_RECEIVE) != 0;
}

/* What was sent to this end arrives, as far as its window lets it. */
static void arrive(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;
	struct object *sender = tcp->peer;
	uint32_t count = smaller(object->ring.used - tcp->arrived, m->config.window - tcp->arrived);

	/* The urgent byte is looked at before the segment is judged (tcp_rcv_state_process). */
	if (count > 0 && refuses_data(tcp)) {
		tcp->arrived += count;
		urgent_arrives(m, object);
		tcp->arrived -= count;
		tcp_reset_arrives(m, object);
		if (sender != NULL)
			tcp_reset_arrives(m, sender);
		return;
	}
	if (count > 0) {
		tcp->arrived += count;
		urgent_arrives(m, object);
		tcp_data_ready(m, object);
		if (sender != NULL)
			tell_room(m, sender);
	}
	if (tcp->fin_behind && object->ring.used == tcp->arrived) {
		tcp->fin_behind = false;
		fin_arrives(m, object);
		if (sender != NULL)
			fin_acknowledged(m, sender);
	}
}

/* tcp_check_urg. An urgent byte that was not read goes when the next one is announced. */
static void announce_urgent(struct model *m, struct object *object, uint64_t at)
{
	struct tcp *tcp = &object->tcp;

	if (tcp->urgent != URGENT_NONE && tcp->urgent_at == tcp->taken && !tcp->in_line &&
	    tcp->arrived > 0) {
		ring_drop(m, &object->ring, 1);
		tcp->arrived--;
		tcp->taken++;
	}
	tcp->urgent = URGENT_NOT_YET;
	tcp->urgent_at = at;
}

/* Why it cannot be written to now; 0: it can (tcp_sendmsg_locked). */
static int cannot_write(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;
	int error;

	if (is_open(tcp) && tcp->error == 0 && (tcp->shutdown & SHUT_SEND) == 0)
		return 0;
	error = take_error(tcp);
	if (error == 0 && tcp->state == TCP_SYN_SENT) {
		tcp->no_space = false;
		wake(m, object, QUEUE_MAIN, KEY_WRITABLE);
		return MODEL_EAGAIN;
	}
	return error != 0 ? error : MODEL_EPIPE;
}

int64_t tcp_write(struct model *m, struct object *object, const void *bytes, size_t size,
		  bool urgent)
{
	struct tcp *tcp = &object->tcp;
	uint32_t count = smaller(size, send_size(m) - unsent(object));
	int error = cannot_write(m, object);

	if (error != 0)
		return error;
	tcp->no_space |= count < size;
	if (count == 0)
		return size > 0 ? MODEL_EAGAIN : 0;
	if (tcp->peer == NULL) { /* who has closed, answers with a reset */
		tcp_reset_arrives(m, object);
		return count;
	}
	ring_put(m, &tcp->peer->ring, bytes, count);
	if (urgent)
		announce_urgent(m, tcp->peer, tcp->peer->tcp.taken + tcp->peer->ring.used - 1);
	arrive(m, tcp->peer);
	return count;
}

/* Bytes that are read at once, from a place in the ring on. Urgent data ends it in front and
 * behind; the urgent byte itself is skipped unless it is in line. */
static uint32_t next_part(const struct tcp *tcp, uint32_t *place, uint64_t size)
{
	uint64_t at = tcp->taken + *place;
	uint32_t count = smaller(tcp->arrived - *place, size);

	if (tcp->urgent == URGENT_NONE || tcp->urgent_at < at || tcp->urgent_at - at >= count)
		return count;
	if (tcp->urgent_at > at)
		return (uint32_t)(tcp->urgent_at - at);
	if (tcp->in_line)
		return count;
	++*place;
	return count - 1;
}

static bool stops_at(const struct tcp *tcp, uint32_t place)
{
	return place == tcp->arrived ||
	       (tcp->urgent != URGENT_NONE && tcp->urgent_at == tcp->taken + place);
}

/* Copies, and tells where in the ring it came to. */
static size_t copy_out(struct model *m, struct object *object, uint8_t *bytes, size_t size,
		       uint32_t *place)
{
	struct tcp *tcp = &object->tcp;
	size_t count = 0;

	*place = 0;
	while (count < size && *place < tcp->arrived && (count == 0 || !stops_at(tcp, *place))) {
		uint32_t part = next_part(tcp, place, size - count);

		ring_look(m, &object->ring, *place, bytes == NULL ? NULL : bytes + count, part);
		*place += part;
		count += part;
	}
	return count;
}

static void consume(struct model *m, struct object *object, uint32_t size)
{
	struct tcp *tcp = &object->tcp;

	ring_drop(m, &object->ring, size);
	tcp->arrived -= size;
	tcp->taken += size;
	if (tcp->urgent != URGENT_NONE && tcp->taken > tcp->urgent_at)
		tcp->urgent = URGENT_NONE;
	if (size > 0)
		arrive(m, object);
}

/* Nothing to read: why? After a FIN it is the end of the stream, whatever else happened. */
static int64_t nothing_to_read(struct tcp *tcp)
{
	int error = tcp->done ? 0 : take_error(tcp);

	if (error != 0)
		return error;
	if (tcp->done || (tcp->shutdown & SHUT_RECEIVE) != 0)
		return 0;
	return tcp->state == TCP_CLOSE ? MODEL_ENOTCONN : MODEL_EAGAIN;
}

/* tcp_recvmsg_locked */
int64_t tcp_read(struct model *m, struct object *object, void *bytes, size_t size, bool peek)
{
	struct tcp *tcp = &object->tcp;
	uint32_t place;
	size_t count;

	if (tcp->state == TCP_LISTEN)
		return MODEL_ENOTCONN;
	count = copy_out(m, object, bytes, size, &place);
	if (!peek)
		consume(m, object, place);
	return count > 0 ? (int64_t)count : nothing_to_read(tcp);
}

/* tcp_recv_urg */
int64_t model_receive_urgent(struct model *m, int fd, uint8_t *byte)
{
	struct object *object = object_at(m, fd, KIND_TCP);
	struct tcp *tcp;

	if (object == NULL)
		return refused(m, fd,
			       object_at(m, fd, KIND_UNIX) != NULL ? MODEL_EOPNOTSUPP
								   : MODEL_ENOTSOCK);
	tcp = &object->tcp;
	if (tcp->state == TCP_LISTEN)
		return MODEL_ENOTCONN;
	if (tcp->in_line || tcp->urgent == URGENT_NONE || tcp->urgent == URGENT_READ)
		return MODEL_EINVAL;
	if (tcp->state == TCP_CLOSE && !tcp->done)
		return MODEL_ENOTCONN;
	if (tcp->urgent == URGENT_VALID) {
		tcp->urgent = URGENT_READ;
		*byte = tcp->urgent_byte;
		return 1;
	}
	return tcp->state == TCP_CLOSE || (tcp->shutdown & SHUT_RECEIVE) != 0 ? 0 : MODEL_EAGAIN;
}

/* tcp_inq: up to the urgent byte */
int64_t tcp_queued(const struct object *object)
{
	const struct tcp *tcp = &object->tcp;

	if (tcp->state == TCP_LISTEN)
		return MODEL_EINVAL;
	if (!tcp->in_line && tcp->urgent != URGENT_NONE && tcp->urgent_at >= tcp->taken &&
	    tcp->urgent_at < tcp->taken + tcp->arrived)
		return (int64_t)(tcp->urgent_at - tcp->taken);
	return tcp->arrived;
}

int64_t tcp_unsent(const struct object *object)
{
	return object->tcp.state == TCP_LISTEN ? (int64_t)MODEL_EINVAL : (int64_t)unsent(object);
}

/* tcp_close_state, tcp_send_fin. Where nobody is left, the kernel still acknowledges it. */
void tcp_send_fin(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;

	tcp->state = tcp->state == TCP_ESTABLISHED ? TCP_FIN_WAIT1 : TCP_LAST_ACK;
	if (tcp->peer == NULL) {
		fin_acknowledged(m, object);
		return;
	}
	tcp->peer->tcp.fin_behind = true;
	arrive(m, tcp->peer);
}

/* inet_shutdown: it wakes all that listen here, whatever it has changed. */
int tcp_shutdown(struct model *m, struct object *object, uint8_t how)
{
	struct tcp *tcp = &object->tcp;
	int error = tcp->state == TCP_CLOSE ? MODEL_ENOTCONN : 0;

	/* inet_shutdown: what an attempt has come to is told no more. */
	if (tcp->attempt == ATTEMPT_MADE)
		tcp->attempt = tcp->state == TCP_CLOSE ? ATTEMPT_SHUT : ATTEMPT_TOLD;
	if (tcp->state == TCP_SYN_SENT || (tcp->state == TCP_LISTEN && (how & SHUT_RECEIVE) != 0)) {
		tcp_disconnect(m, object);
	} else if (tcp->state != TCP_LISTEN) {
		tcp->shutdown |= how;
		if ((how & SHUT_SEND) != 0 && is_open(tcp))
			tcp_send_fin(m, object);
	}
	wake_all(m, object, QUEUE_MAIN, KEY_ANY);
	return error;
}

/* The states that a reset leaves (tcp_need_reset). */
static bool needs_reset(const struct tcp *tcp)
{
	return is_open(tcp) || tcp->state == TCP_FIN_WAIT1 || tcp->state == TCP_FIN_WAIT2;
}

/* As new, but for the error: tcp_disconnect. */
void tcp_disconnect(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;
	enum tcp_state state = tcp->state;

	if (state == TCP_LISTEN)
		tcp_hang_up(m, object);
	if (state == TCP_SYN_SENT) {
		unlink_it(&tcp->line);
		tcp->peer = NULL;
	}
	if (needs_reset(tcp))
		tcp_abort(m, object);
	if (state == TCP_SYN_SENT || needs_reset(tcp))
		tcp->error = MODEL_ECONNRESET;
	sever(object);
	tcp->arrived = 0;
	ring_drop(m, &object->ring, object->ring.used);
	tcp->state = TCP_CLOSE;
	tcp->attempt = ATTEMPT_NONE;
	tcp->shutdown = 0;
	tcp->done = tcp->no_space = false;
	tcp->urgent = URGENT_NONE;
	wake(m, object, QUEUE_MAIN, KEY_ERROR);
}

/* tcp_close. Who leaves bytes unread has lost them, and says so with a reset: RFC 2525, 2.17. */
void tcp_release(struct model *m, struct object *object)
{
	struct tcp *tcp = &object->tcp;

	if (tcp->state == TCP_LISTEN)
		tcp_hang_up(m, object);
	else if (tcp->state == TCP_SYN_SENT)
		tcp->peer = NULL;
	else if (tcp->state != TCP_CLOSE && (tcp->arrived > 0 || (tcp->abort && needs_reset(tcp))))
		tcp_abort(m, object);
	else if (is_open(tcp))
		tcp_send_fin(m, object);
	unlink_it(&tcp->line);
	if (tcp->peer != NULL)
		tcp->peer->tcp.peer = NULL;
	object_free(m, object);
}
