#include "transfer.h"

#include "parse.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Bytes that stand before the wrong one in what is shown of a text. */
enum { TEXT_BEFORE = 16 };

static size_t at_most(uint64_t len, size_t by)
{
	size_t max = by > 0 ? by : CALL_MAX;

	return len < max ? (size_t)len : max;
}

static bool over(struct fault *fault, const struct patience *patience)
{
	fault_of_patience(fault, patience);
	return false;
}

bool transfer_connected(struct stream *stream, struct patience *patience, struct fault *fault)
{
	struct stream_result result;

	if (!stream->connecting)
		return true;
	if (!stream_wait(stream, POLLOUT, patience))
		return over(fault, patience);
	result = stream_connected(stream);
	if (result.status == STREAM_MOVED) {
		patience_moved(patience);
		return true;
	}
	fault_of_result(fault, &result, 0);
	return false;
}

static bool shut_writing(struct stream *stream, struct fault *fault)
{
	if (shutdown(stream->fd, SHUT_WR) == 0)
		return true;
	fault->kind = FAULT_ERROR;
	fault->error = errno;
	return false;
}

/* Sorts a result: moved (and counted), blocked, or a fault. */
static bool take_result(const struct stream_result *result, uint64_t *count, bool *moved,
			struct fault *fault, uint64_t offset)
{
	*count += result->len;
	if (result->status == STREAM_MOVED)
		*moved = true;
	else if (result->status != STREAM_BLOCKED)
		fault_of_result(fault, result, offset);
	return fault->kind == FAULT_NONE;
}

/* Waits if nothing moved, and looks at the clock in any case. */
static bool go_on(const struct stream *stream, short events, bool moved, struct patience *patience,
		  struct fault *fault)
{
	if (moved) {
		patience_moved(patience);
		return !patience_total_over(patience) || over(fault, patience);
	}
	return stream_wait(stream, events, patience) || over(fault, patience);
}

/*
 * MSG_MORE holds the last bytes back for the FIN that follows at once, so that both are one
 * segment.
 */
static bool push_pattern(struct stream *stream, const struct transfer *transfer, bool *moved,
			 struct fault *fault)
{
	uint64_t left = transfer->write - fault->written;
	struct stream_result result = stream_send_pattern(stream, at_most(left, transfer->by),
							  transfer->then_wr ? MSG_MORE : 0);

	if (!take_result(&result, &fault->written, moved, fault, stream->written))
		return false;
	return !transfer->then_wr || fault->written < transfer->write ||
	       shut_writing(stream, fault);
}

static bool pull_pattern(struct stream *stream, const struct transfer *transfer, bool *moved,
			 struct fault *fault)
{
	uint64_t left = transfer->read - fault->read;
	struct stream_result result;

	if (transfer->slowly)
		patience_sleep(READ_PAUSE_MS);
	result = stream_recv_pattern(stream, at_most(left, transfer->by));
	return take_result(&result, &fault->read, moved, fault, stream->read);
}

bool transfer_pattern(struct stream *stream, const struct transfer *transfer,
		      struct patience *patience, struct fault *fault)
{
	bool writing, reading, moved;

	fault->write_want = transfer->write;
	fault->read_want = transfer->read;
	if (!transfer_connected(stream, patience, fault))
		return false;
	for (;;) {
		writing = fault->written < transfer->write;
		reading = fault->read < transfer->read;
		moved = false;
		if (!writing && !reading)
			return true;
		if (writing && !push_pattern(stream, transfer, &moved, fault))
			return false;
		if (reading && !pull_pattern(stream, transfer, &moved, fault))
			return false;
		if (!go_on(stream, (short)((writing ? POLLOUT : 0) | (reading ? POLLIN : 0)), moved,
			   patience, fault))
			return false;
	}
}

bool transfer_write(struct stream *stream, const struct transfer_text *text,
		    struct patience *patience, struct fault *fault)
{
	int flags = text->flags | (text->then_wr ? MSG_MORE : 0);
	struct stream_result result;
	bool moved;

	fault->write_want = text->len;
	if (!transfer_connected(stream, patience, fault))
		return false;
	while (fault->written < text->len) {
		moved = false;
		result = stream_send(stream, text->bytes + fault->written,
				     at_most(text->len - fault->written, text->by), flags);
		if (!take_result(&result, &fault->written, &moved, fault, 0) ||
		    !go_on(stream, POLLOUT, moved, patience, fault))
			return false;
	}
	return !text->then_wr || shut_writing(stream, fault);
}

/* Keeps the bytes before text[good], which were right, and those that came from there on. */
static void keep_seen(struct fault *fault, const uint8_t *text, size_t good, const uint8_t *bytes,
		      size_t len)
{
	size_t before = good + len <= sizeof fault->seen ? good
			: good < TEXT_BEFORE             ? good
							 : TEXT_BEFORE;
	size_t after = len < sizeof fault->seen - before ? len : sizeof fault->seen - before;

	fault->seen_from = good - before;
	fault->offset = good;
	memcpy(fault->seen, text + good - before, before);
	if (after > 0)
		memcpy(fault->seen + before, bytes, after);
	fault->seen_len = before + after;
}

/* The first bytes of the text that came before it broke off. */
static bool broke_off(struct fault *fault, const struct transfer_text *text)
{
	fault->seen_len = fault->read < sizeof fault->seen ? (size_t)fault->read
							   : sizeof fault->seen;
	memcpy(fault->seen, text->bytes, fault->seen_len);
	return false;
}

static bool compare(const struct transfer_text *text, const uint8_t *bytes, size_t len,
		    struct fault *fault)
{
	const uint8_t *expected = text->bytes + fault->read;
	size_t good = 0;

	while (good < len && bytes[good] == expected[good])
		good++;
	fault->read += good;
	if (good == len)
		return true;
	keep_seen(fault, text->bytes, (size_t)fault->read, bytes + good, len - good);
	fault->kind = FAULT_TEXT;
	fault->expected = expected[good];
	return false;
}

bool transfer_read(struct stream *stream, const struct transfer_text *text,
		   struct patience *patience, struct fault *fault)
{
	uint8_t bytes[CALL_MAX];
	struct stream_result result;
	uint64_t received = 0;
	bool moved;

	fault->read_want = text->len;
	if (!transfer_connected(stream, patience, fault))
		return false;
	while (fault->read < text->len) {
		moved = false;
		if (text->slowly)
			patience_sleep(READ_PAUSE_MS);
		result = stream_recv(stream, bytes, at_most(text->len - fault->read, text->by));
		if (!take_result(&result, &received, &moved, fault, fault->read))
			return broke_off(fault, text);
		if (!compare(text, bytes, result.len, fault))
			return false;
		if (fault->read < text->len && !go_on(stream, POLLIN, moved, patience, fault))
			return broke_off(fault, text);
	}
	return true;
}

bool transfer_settle(struct stream *stream, struct patience *patience, struct fault *fault)
{
	uint64_t left = UINT64_MAX, before;
	struct stream_result result;

	for (;;) {
		before = left;
		result = stream_settled(stream, &left);
		if (result.status == STREAM_MOVED)
			return true;
		fault->unacknowledged = left;
		if (result.status != STREAM_BLOCKED) {
			fault_of_result(fault, &result, 0);
			return false;
		}
		if (left < before)
			patience_moved(patience);
		if (patience_left(patience) == 0)
			return over(fault, patience);
		patience_sleep(SETTLE_POLL_MS);
	}
}

/* What comes next: bytes are kept as they are. */
static void look(struct stream *stream, struct fault *fault)
{
	struct stream_result result = stream_recv(stream, fault->seen, sizeof fault->seen);

	if (result.status == STREAM_MOVED) {
		fault->kind = FAULT_BYTES;
		fault->seen_len = result.len;
	} else if (result.status != STREAM_BLOCKED) {
		fault_of_result(fault, &result, 0);
	}
}

/* Waits for the end, whichever it is. */
static void await_end(struct stream *stream, const struct patience *patience, struct fault *fault)
{
	struct patience own = *patience;

	if (!transfer_connected(stream, &own, fault))
		return;
	while (fault->kind == FAULT_NONE) {
		if (!stream_wait(stream, POLLIN, patience)) {
			over(fault, patience);
			return;
		}
		look(stream, fault);
	}
}

bool transfer_eof(struct stream *stream, const struct patience *patience, struct fault *fault)
{
	await_end(stream, patience, fault);
	if (fault->kind != FAULT_EOF)
		return false;
	fault->kind = FAULT_NONE;
	return true;
}

bool transfer_reset(struct stream *stream, const struct patience *patience, struct fault *fault)
{
	await_end(stream, patience, fault);
	if (fault->kind != FAULT_ERROR || fault->error != ECONNRESET)
		return false;
	fault->kind = FAULT_NONE;
	return true;
}

bool transfer_nothing(struct stream *stream, int64_t until_ms, struct fault *fault)
{
	struct patience patience = patience_begin(until_ms - patience_now());

	if (stream_wait(stream, POLLIN, &patience) || !stream->connecting)
		look(stream, fault);
	return fault->kind == FAULT_NONE;
}
