#include "live.h"

#include "command.h"
#include "expected.h"
#include "fault.h"
#include "flood.h"
#include "patience.h"
#include "tap.h"
#include "transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NO_SERIAL UINT32_MAX /* of a stream that was not opened in this scenario */

struct live {
	struct live_options options;
	uint64_t salt;
	uint32_t serials; /* connections opened in this run */
	const struct script *script;
	const struct scenario *scenario;
	int64_t nothing_until_ms; /* of a read of "nothing", for all its members */
	struct note seen;         /* what came of the step, in words */
	struct flood floods[FLOODS_MAX];
	struct stream streams[CONNECTIONS_MAX];
	struct pollfd pollers[CONNECTIONS_MAX]; /* one for each stream */
	uint64_t fill_from[CONNECTIONS_MAX];    /* where in its pattern a fill began */
};

/* Words. */

/* "g.17: ", where the step is about more than one connection. */
static void add_member(struct live *live, const struct step *step, uint32_t connection)
{
	if (step->count > 1)
		note_add(&live->seen, "%.*s.%" PRIu32 ": ", (int)step->group->name.len,
			 step->group->name.at, connection - step->group->first + 1);
}

/* The name of the connection that has this serial number now, if one has. */
static void add_owner(struct live *live, uint32_t serial)
{
	for (uint32_t i = 0; i < live->scenario->groups_count; i++) {
		const struct group *group = &live->script->groups[live->scenario->groups_first + i];

		for (uint32_t k = 0; k < group->count; k++) {
			if (live->streams[group->first + k].serial != serial)
				continue;
			note_add(&live->seen, "the pattern of %.*s", (int)group->name.len,
				 group->name.at);
			if (group->many)
				note_add(&live->seen, ".%" PRIu32, k + 1);
			return;
		}
	}
	note_add(&live->seen, "the pattern of an earlier connection");
}

static void add_pattern_name(struct live *live, const struct stream *stream, uint32_t serial)
{
	if (serial == stream->serial)
		note_add(&live->seen, "the same pattern");
	else
		add_owner(live, serial);
}

static bool locate(const struct live *live, const struct fault *fault, uint32_t *serial,
		   uint64_t *offset)
{
	return pattern_locate(live->salt, live->serials, fault->seen, fault->seen_len, serial,
			      offset);
}

/* Bytes of a pattern are better named than quoted. */
static bool fail_bytes(struct live *live, const struct stream *stream, const struct fault *fault)
{
	uint64_t offset;
	uint32_t serial;

	if (!locate(live, fault, &serial, &offset)) {
		fault_describe(&live->seen, fault);
		return false;
	}
	note_add(&live->seen, "%zu bytes or more, from byte %" PRIu64 " on of ", fault->seen_len,
		 offset);
	add_pattern_name(live, stream, serial);
	return false;
}

/* Says where in the patterns of this run the wrong bytes belong. */
static bool fail_wrong(struct live *live, const struct stream *stream, const struct fault *fault)
{
	uint64_t offset;
	uint32_t serial;

	fault_describe(&live->seen, fault);
	if (!locate(live, fault, &serial, &offset)) {
		note_add(&live->seen,
			 "; what arrives here fits nowhere in the patterns of this run");
	} else if (serial == stream->serial && offset == fault->offset) {
		note_add(&live->seen, "; what follows it is in its place");
	} else {
		note_add(&live->seen, "; what arrives here is byte %" PRIu64 " of ", offset);
		add_pattern_name(live, stream, serial);
	}
	return false;
}

static bool fail(struct live *live, const struct stream *stream, const struct fault *fault)
{
	if (fault->kind == FAULT_BYTES)
		return fail_bytes(live, stream, fault);
	if (fault->kind == FAULT_WRONG)
		return fail_wrong(live, stream, fault);
	fault_describe(&live->seen, fault);
	return false;
}

static bool fail_errno(struct live *live, const char *call)
{
	note_add(&live->seen, "%s: %s", call, strerror(errno));
	return false;
}

static struct patience patience(const struct live *live)
{
	return patience_begin(live->options.timeout_ms);
}

static struct patience patience_total(const struct live *live)
{
	return patience_begin_total(live->options.timeout_ms);
}

/* Connect. */

/* A client that has used up its local ports waits until some of them are free again. */
static struct stream_result open_patiently(struct live *live, struct stream *stream,
					   const struct stream_options *options,
					   const struct patience *limit)
{
	struct stream_result result;

	for (;;) {
		*stream = (struct stream){ .fd = -1, .serial = live->serials };
		stream->pattern = pattern_of(live->salt, stream->serial);
		result = stream_open(stream, &live->options.server, options);
		if (result.error != EADDRNOTAVAIL || patience_left(limit) == 0)
			break;
		patience_sleep(PORT_RETRY_MS);
	}
	live->serials++;
	return result;
}

/* Opens a connection, and waits until it is connected unless that is to happen later. */
static bool open_stream(struct live *live, struct stream *stream,
			const struct stream_options *options, bool async, struct patience *limit,
			struct fault *fault)
{
	struct stream_result result = open_patiently(live, stream, options, limit);

	if (result.status == STREAM_FAILED)
		fault_of_result(fault, &result, 0);
	else if (!async)
		transfer_connected(stream, limit, fault);
	return fault->kind == FAULT_NONE;
}

static bool do_connect(struct live *live, const struct step *step, struct stream *stream)
{
	struct stream_options options = { .rcvbuf = step->rcvbuf,
					  .sndbuf = step->sndbuf,
					  .mss = step->mss };
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };
	bool connected = open_stream(live, stream, &options, step->async, &limit, &fault);

	if (!step->refused)
		return connected || fail(live, stream, &fault);
	if (fault.kind == FAULT_ERROR && fault.error == ECONNREFUSED)
		return true;
	if (!connected)
		return fail(live, stream, &fault);
	note_add(&live->seen, "connected");
	return false;
}

/* Bytes. */

static bool settle(struct live *live, const struct step *step, struct stream *stream)
{
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	return !step->settled || transfer_settle(stream, &limit, &fault) ||
	       fail(live, stream, &fault);
}

static bool write_text(struct live *live, const struct step *step, struct stream *stream, int flags)
{
	struct transfer_text text = {
		.bytes = step->bytes,
		.len = step->bytes_len,
		.by = step->by,
		.flags = flags,
		.then_wr = step->then_wr,
	};
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	if (!transfer_write(stream, &text, &limit, &fault))
		return fail(live, stream, &fault);
	return settle(live, step, stream);
}

static bool do_write_text(struct live *live, const struct step *step, struct stream *stream)
{
	return write_text(live, step, stream, 0);
}

static bool do_urgent(struct live *live, const struct step *step, struct stream *stream)
{
	return write_text(live, step, stream, MSG_OOB);
}

static bool move(struct live *live, struct stream *stream, const struct transfer *transfer,
		 struct patience limit)
{
	struct fault fault = { .kind = FAULT_NONE };

	return transfer_pattern(stream, transfer, &limit, &fault) || fail(live, stream, &fault);
}

static bool do_write_pattern(struct live *live, const struct step *step, struct stream *stream)
{
	struct transfer transfer = { .write = step->size,
				     .by = step->by,
				     .then_wr = step->then_wr };

	return move(live, stream, &transfer, patience(live)) && settle(live, step, stream);
}

static bool do_read_eof(struct live *live, const struct step *step, struct stream *stream)
{
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	(void)step;
	if (!transfer_eof(stream, &limit, &fault))
		return fail(live, stream, &fault);
	note_add(&live->seen, "EOF");
	return true;
}

static bool do_echo(struct live *live, const struct step *step, struct stream *stream)
{
	struct transfer transfer = {
		.write = step->size,
		.read = stream->written - stream->read + step->size,
		.by = step->by,
		.then_wr = step->then_wr,
	};

	if (!move(live, stream, &transfer, patience(live)))
		return false;
	return !step->then_wr || do_read_eof(live, step, stream);
}

static bool do_roundtrips(struct live *live, const struct step *step, struct stream *stream)
{
	struct transfer out = { .write = step->size };
	struct patience limit = patience_total(live);
	struct fault fault;

	for (uint32_t i = 0; i < step->repeat; i++) {
		struct transfer back = { .read = stream->written - stream->read + step->size };

		fault = (struct fault){ .kind = FAULT_NONE };
		if (transfer_pattern(stream, &out, &limit, &fault)) {
			fault = (struct fault){ .kind = FAULT_NONE };
			if (transfer_pattern(stream, &back, &limit, &fault))
				continue;
		}
		note_add(&live->seen, "round trip %" PRIu32 ": ", i + 1);
		return fail(live, stream, &fault);
	}
	return true;
}

static bool do_read_text(struct live *live, const struct step *step, struct stream *stream)
{
	struct transfer_text text = {
		.bytes = step->bytes,
		.len = step->bytes_len,
		.by = step->by,
		.slowly = step->slowly,
	};
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	if (!transfer_read(stream, &text, &limit, &fault))
		return fail(live, stream, &fault);
	note_quote(&live->seen, step->bytes, step->bytes_len);
	return true;
}

static bool read_pattern(struct live *live, const struct step *step, struct stream *stream,
			 uint64_t size)
{
	struct transfer transfer = { .read = size, .by = step->by, .slowly = step->slowly };

	if (!move(live, stream, &transfer, patience(live)))
		return false;
	note_add(&live->seen, "%" PRIu64 " bytes of the pattern", size);
	return true;
}

static bool do_read_pattern(struct live *live, const struct step *step, struct stream *stream)
{
	return read_pattern(live, step, stream, step->size);
}

static bool do_read_rest(struct live *live, const struct step *step, struct stream *stream)
{
	return read_pattern(live, step, stream, stream->written - stream->read);
}

static bool do_read_reset(struct live *live, const struct step *step, struct stream *stream)
{
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	(void)step;
	if (!transfer_reset(stream, &limit, &fault))
		return fail(live, stream, &fault);
	note_add(&live->seen, "reset");
	return true;
}

static bool do_read_nothing(struct live *live, const struct step *step, struct stream *stream)
{
	struct fault fault = { .kind = FAULT_NONE };

	(void)step;
	if (!transfer_nothing(stream, live->nothing_until_ms, &fault))
		return fail(live, stream, &fault);
	note_add(&live->seen, "nothing");
	return true;
}

/* The end of a connection. */

static bool do_shutdown(struct live *live, const struct step *step, struct stream *stream)
{
	static const int how[] = {
		[SHUTDOWN_RD] = SHUT_RD, [SHUTDOWN_WR] = SHUT_WR, [SHUTDOWN_RDWR] = SHUT_RDWR
	};
	struct patience limit = patience(live);
	struct fault fault = { .kind = FAULT_NONE };

	if (!transfer_connected(stream, &limit, &fault))
		return fail(live, stream, &fault);
	if (shutdown(stream->fd, how[step->shutdown]) != 0)
		return fail_errno(live, "shutdown");
	return settle(live, step, stream);
}

static bool do_close(struct live *live, const struct step *step, struct stream *stream)
{
	(void)live;
	(void)step;
	stream_close(stream);
	return true;
}

static bool do_reset(struct live *live, const struct step *step, struct stream *stream)
{
	(void)live;
	(void)step;
	stream_reset(stream);
	return true;
}

/* Fill: the members of a group at the same time, or many would take for ever. */

enum fill { FILL_FAILED = 0, FILL_MOVED, FILL_BLOCKED };

static enum fill fill_one(struct live *live, const struct step *step, uint32_t at)
{
	struct stream *stream = &live->streams[at];
	uint64_t taken = stream->written - live->fill_from[at];
	uint64_t left = step->size - taken;
	struct stream_result result =
		stream_send_pattern(stream, left < CALL_MAX ? (size_t)left : CALL_MAX, 0);
	struct fault fault = { .kind = FAULT_NONE, .written = taken + result.len };

	if (result.status == STREAM_BLOCKED)
		return FILL_BLOCKED;
	if (result.status == STREAM_MOVED && fault.written < step->size)
		return FILL_MOVED;
	if (result.status == STREAM_MOVED)
		fault.kind = FAULT_TAKEN;
	else
		fault_of_result(&fault, &result, 0);
	add_member(live, step, at);
	fault_describe(&live->seen, &fault);
	if (result.status != STREAM_MOVED)
		note_add(&live->seen, " after %" PRIu64 " bytes", taken);
	return FILL_FAILED;
}

/* As much as one member takes, or one call's worth. */
static enum fill fill_member(struct live *live, const struct step *step, uint32_t at,
			     bool to_the_end)
{
	enum fill one = fill_one(live, step, at), all = one;

	while (to_the_end && one == FILL_MOVED)
		one = fill_one(live, step, at);
	return one == FILL_FAILED ? one : all;
}

/*
 * One call for each member that poll found ready, or, where it found none, all that each one takes.
 */
static enum fill fill_round(struct live *live, const struct step *step, bool none_ready)
{
	enum fill round = FILL_BLOCKED;

	for (uint32_t i = step->first; i < step->first + step->count; i++) {
		enum fill one = FILL_BLOCKED;

		if (live->pollers[i].fd >= 0 && (none_ready || live->pollers[i].revents))
			one = fill_member(live, step, i, none_ready);
		if (one == FILL_FAILED)
			return one;
		if (one == FILL_MOVED)
			round = one;
	}
	return round;
}

static bool fill_too_slow(struct live *live, const struct step *step, const struct patience *limit)
{
	struct fault fault = { .kind = FAULT_NONE };
	uint64_t taken = 0;

	for (uint32_t i = step->first; i < step->first + step->count; i++)
		taken += live->streams[i].written - live->fill_from[i];
	fault_of_patience(&fault, limit);
	fault_describe(&live->seen, &fault);
	note_add(&live->seen, "; %" PRIu64 " bytes taken", taken);
	return false;
}

/*
 * Blocked is what takes nothing after a while in which poll found it never ready. Trying is needed,
 * and until nothing more is taken: a socket that was full is reported ready only when a third of
 * its buffer is free (sk_stream_is_writeable), but takes bytes before that.
 */
static bool fill(struct live *live, const struct step *step)
{
	struct patience limit = patience_total(live);
	enum fill round;
	int ready = 0;

	for (;;) {
		round = fill_round(live, step, ready == 0);
		if (round == FILL_FAILED)
			return false;
		if (round == FILL_BLOCKED && ready == 0)
			return true;
		if (patience_total_over(&limit))
			return fill_too_slow(live, step, &limit);
		ready = poll(&live->pollers[step->first], step->count, FILL_QUIET_MS);
		if (ready < 0)
			return fail_errno(live, "poll");
	}
}

static bool connect_all(struct live *live, const struct step *step)
{
	for (uint32_t i = step->first; i < step->first + step->count; i++) {
		struct patience limit = patience(live);
		struct fault fault = { .kind = FAULT_NONE };

		if (transfer_connected(&live->streams[i], &limit, &fault))
			continue;
		add_member(live, step, i);
		return fail(live, &live->streams[i], &fault);
	}
	return true;
}

static bool do_fill(struct live *live, const struct step *step)
{
	if (!connect_all(live, step))
		return false;
	for (uint32_t i = step->first; i < step->first + step->count; i++) {
		live->fill_from[i] = live->streams[i].written;
		live->pollers[i] = (struct pollfd){ .fd = live->streams[i].fd, .events = POLLOUT };
	}
	return fill(live, step);
}

/* Flood and stop. */

static struct flood *find_flood(struct live *live, const struct stream *streams)
{
	for (unsigned int i = 0; i < FLOODS_MAX; i++)
		if (live->floods[i].streams == streams)
			return &live->floods[i];
	return NULL;
}

static bool do_flood(struct live *live, const struct step *step)
{
	struct flood *flood = find_flood(live, NULL);

	if (!connect_all(live, step))
		return false;
	return flood_start(flood, &live->streams[step->first], &live->pollers[step->first],
			   step->count, live->options.timeout_ms) ||
	       fail_errno(live, "pthread_create");
}

static bool do_stop(struct live *live, const struct step *step)
{
	struct flood *flood = find_flood(live, &live->streams[step->first]);

	flood_stop(flood);
	if (flood->fault.kind == FAULT_NONE)
		return true;
	add_member(live, step, step->first + flood->fault_at);
	return fail(live, &live->streams[step->first + flood->fault_at], &flood->fault);
}

/* Steps without a name. */

static bool storm_one(struct live *live, const struct step *step, struct patience *limit,
		      struct stream *stream, struct fault *fault)
{
	static const struct stream_options options = { 0 };
	static const struct transfer transfer = { .write = STORM_BYTES, .read = STORM_BYTES };
	bool good = open_stream(live, stream, &options, false, limit, fault) &&
		    transfer_pattern(stream, &transfer, limit, fault);

	if (step->reset)
		stream_reset(stream);
	else
		stream_close(stream);
	return good;
}

static bool do_storm(struct live *live, const struct step *step)
{
	struct patience limit = patience_total(live);
	struct stream stream;

	for (uint32_t i = 0; i < step->repeat; i++) {
		struct fault fault = { .kind = FAULT_NONE };

		if (storm_one(live, step, &limit, &stream, &fault))
			continue;
		note_add(&live->seen, "connection %" PRIu32 ": ", i + 1);
		return fail(live, &stream, &fault);
	}
	return true;
}

static bool do_wait(struct live *live, const struct step *step)
{
	(void)live;
	patience_sleep(step->wait_ms);
	return true;
}

static bool do_print(struct live *live, const struct step *step)
{
	struct note note;

	(void)live;
	note_clear(&note);
	note_plain(&note, step->bytes, step->bytes_len);
	tap_comment(note.text);
	return true;
}

static bool do_run(struct live *live, const struct step *step)
{
	return command_run(step->bytes, step->bytes_len, step->status, live->options.timeout_ms,
			   &live->seen);
}

/* What each step does. */

static const struct action {
	bool (*each)(struct live *live, const struct step *step,
		     struct stream *stream);                       /* for each member */
	bool (*whole)(struct live *live, const struct step *step); /* or once */
} actions[STEP_COUNT] = {
	[STEP_CONNECT] = { .each = do_connect },
	[STEP_WRITE_TEXT] = { .each = do_write_text },
	[STEP_WRITE_PATTERN] = { .each = do_write_pattern },
	[STEP_URGENT] = { .each = do_urgent },
	[STEP_ECHO] = { .each = do_echo },
	[STEP_ROUNDTRIPS] = { .each = do_roundtrips },
	[STEP_FILL] = { .whole = do_fill },
	[STEP_READ_TEXT] = { .each = do_read_text },
	[STEP_READ_PATTERN] = { .each = do_read_pattern },
	[STEP_READ_REST] = { .each = do_read_rest },
	[STEP_READ_EOF] = { .each = do_read_eof },
	[STEP_READ_RESET] = { .each = do_read_reset },
	[STEP_READ_NOTHING] = { .each = do_read_nothing },
	[STEP_SHUTDOWN] = { .each = do_shutdown },
	[STEP_CLOSE] = { .each = do_close },
	[STEP_RESET] = { .each = do_reset },
	[STEP_FLOOD] = { .whole = do_flood },
	[STEP_STOP] = { .whole = do_stop },
	[STEP_STORM] = { .whole = do_storm },
	[STEP_WAIT] = { .whole = do_wait },
	[STEP_PRINT] = { .whole = do_print },
	[STEP_RUN] = { .whole = do_run },
};

/* Playing. */

static bool is_read(const struct step *step)
{
	return step->op >= STEP_READ_TEXT && step->op <= STEP_READ_NOTHING;
}

static void show(const struct live *live, const struct step *step)
{
	struct note note;

	note_clear(&note);
	note_add(&note, "%s:%" PRIu32 ": %.*s", live->scenario->file, step->line,
		 (int)step->source.len, step->source.at);
	tap_comment(note.text);
	note_clear(&note);
	note_add(&note, "  seen: %s", live->seen.text);
	tap_comment(note.text);
}

/* Members that were closed by themselves are left out. */
static bool perform_each(struct live *live, const struct step *step)
{
	for (uint32_t i = step->first; i < step->first + step->count; i++) {
		bool passed;

		if (live->streams[i].fd < 0 && step->op != STEP_CONNECT)
			continue;
		note_clear(&live->seen);
		add_member(live, step, i);
		passed = actions[step->op].each(live, step, &live->streams[i]);
		if (live->options.show && is_read(step))
			show(live, step);
		else if (!passed)
			return false;
	}
	return true;
}

static bool perform(struct live *live, const struct step *step)
{
	note_clear(&live->seen);
	live->nothing_until_ms = patience_now() + NOTHING_MS;
	return actions[step->op].whole ? actions[step->op].whole(live, step)
				       : perform_each(live, step);
}

static void forget(struct stream *stream)
{
	stream_reset(stream);
	*stream = (struct stream){ .fd = -1, .serial = NO_SERIAL };
}

/* Whatever is left over is reset: nobody will read it, and local ports are needed again. */
static void clean_up(struct live *live)
{
	for (unsigned int i = 0; i < FLOODS_MAX; i++)
		if (live->floods[i].streams)
			flood_cancel(&live->floods[i]);
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
		forget(&live->streams[i]);
}

bool live_play(struct live *live, const struct script *script, const struct scenario *scenario,
	       struct live_failure *failure)
{
	const struct step *steps = &script->steps[scenario->steps_first];
	bool passed = true;

	live->script = script;
	live->scenario = scenario;
	for (uint32_t i = 0; i < scenario->steps_count && passed; i++) {
		passed = perform(live, &steps[i]);
		if (passed)
			continue;
		failure->step = &steps[i];
		failure->seen = live->seen;
		note_clear(&failure->expected);
		expected_describe(&failure->expected, &steps[i]);
	}
	clean_up(live);
	return passed;
}

struct live *live_open(const struct live_options *options)
{
	struct live *live = calloc(1, sizeof *live);
	struct timespec now;

	if (!live)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	live->options = *options;
	live->salt = ((uint64_t)getpid() << 40) ^ ((uint64_t)now.tv_sec << 30) ^
		     (uint64_t)now.tv_nsec;
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
		live->streams[i] = (struct stream){ .fd = -1, .serial = NO_SERIAL };
	return live;
}

void live_close(struct live *live)
{
	free(live);
}
