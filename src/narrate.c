#include "narrate.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "linux/address.h"

enum { CONNECTION_MASK = ECHO_IN | ECHO_OUT | ECHO_RDHUP | ECHO_PRI };

static const struct {
	uint32_t bit;
	const char *name;
} mask_names[] = {
	{ ECHO_IN, "IN" },       { ECHO_PRI, "PRI" }, { ECHO_OUT, "OUT" },
	{ ECHO_RDHUP, "RDHUP" }, { ECHO_ERR, "ERR" }, { ECHO_HUP, "HUP" },
};

static void add_mask(struct log *log, uint32_t mask, const char *more)
{
	const char *separator = "";

	for (size_t i = 0; i < sizeof(mask_names) / sizeof(mask_names[0]); i++) {
		if ((mask & mask_names[i].bit) == 0)
			continue;
		log_add(log, "%s%s", separator, mask_names[i].name);
		separator = "|";
	}
	log_add(log, "%s%s", more, log->json ? "\"" : "");
}

static uint32_t slot_of(uint64_t token)
{
	return (uint32_t)token;
}

/* The program and the thread; in JSON also what it is about. */
static void open_line(struct log *log, const char *event, uint32_t thread)
{
	if (log->json)
		log_add(log, "{\"event\":\"%s\"", event);
	else
		log_add(log, "epoll-echo: ");
	if (thread > 0)
		log_add(log, log->json ? ",\"thread\":%" PRIu32 : "thread %" PRIu32 ": ", thread);
}

static void begin(struct log *log, const char *event, const struct echo_action *action)
{
	open_line(log, event, log->thread);
	if (log->json)
		log_add(log, ",\"slot\":%" PRIu32 ",\"fd\":%" PRId32, slot_of(action->token),
			action->handle);
	else
		log_add(log, "connection %" PRIu32 " (fd %" PRId32 ") %s", slot_of(action->token),
			action->handle, event);
}

static void end(struct log *log)
{
	if (log->json)
		log_add(log, "}");
	log_end(log);
}

static void registered(struct log *log, const struct echo_action *action)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof(peer);
	char text[ADDRESS_TEXT_SIZE];

	/* A peer that is gone already has no name: "?" is printed for it. */
	if (getpeername(action->handle, (struct sockaddr *)&peer, &size) != 0)
		peer.ss_family = AF_UNSPEC;
	address_format(&peer, text);
	begin(log, "registered", action);
	log_add(log, log->json ? ",\"peer\":\"%s\",\"mask\":\"" : ": peer %s, mask ", text);
	add_mask(log, CONNECTION_MASK, "|ET");
	end(log);
}

static void event(struct log *log, const struct echo_event *event)
{
	open_line(log, "event", log->thread);
	if (event->token == ECHO_TOKEN_LISTENER)
		log_add(log, log->json ? ",\"listener\":true,\"mask\":\"" : "listener event: ");
	else
		log_add(log,
			log->json ? ",\"slot\":%" PRIu32 ",\"mask\":\""
				  : "connection %" PRIu32 " event: ",
			slot_of(event->token));
	add_mask(log, event->readiness, "");
	end(log);
}

static void echoed(struct log *log, const struct echo_action *action, uint32_t count)
{
	begin(log, "echo", action);
	log_add(log, log->json ? ",\"bytes\":%" PRIu32 ",\"data\":" : ": %" PRIu32 " bytes ",
		count);
	log_add_bytes(log, action->data, count, NARRATE_EXCERPT);
	end(log);
}

/* Bytes that nobody has seen. */
static void piped(struct log *log, const struct echo_action *action, uint32_t count)
{
	begin(log, "echo", action);
	log_add(log,
		log->json ? ",\"bytes\":%" PRIu32 ",\"pipe\":%" PRId32
			  : ": %" PRIu32 " bytes through pipe %" PRId32,
		count, action->pipe);
	end(log);
}

static void closed(struct log *log, const struct echo_action *action)
{
	begin(log, "closed", action);
	log_add(log, log->json ? ",\"reason\":\"%s\"" : ": %s", echo_reason_name(action->reason));
	end(log);
}

/* The listener's changes and what accept met: rare, and what an operator looks for. */
static void listener(struct log *log, const struct echo_action *action,
		     const struct echo_result *result)
{
	open_line(log, "listener", log->thread);
	log_add(log, log->json ? ",\"call\":\"%s\",\"outcome\":\"%s\"" : "listener %s: %s",
		echo_op_name(action->op), echo_outcome_name(result->outcome));
	end(log);
}

void narrate(struct log *log, const struct echo_action *action, const struct echo_result *result)
{
	bool done = result->outcome == ECHO_DONE;

	switch (action->op) {
	case ECHO_OP_WAIT:
		for (uint32_t i = 0; done && i < result->events_count; i++)
			event(log, &result->events[i]);
		break;
	case ECHO_OP_ACCEPT:
		if (!done && result->outcome != ECHO_WOULD_BLOCK)
			listener(log, action, result);
		break;
	case ECHO_OP_PAUSE:
	case ECHO_OP_RESUME:
	case ECHO_OP_UNLISTEN:
		listener(log, action, result);
		break;
	case ECHO_OP_WATCH:
		if (done)
			registered(log, action);
		break;
	case ECHO_OP_WRITE:
		if (done)
			echoed(log, action, result->count);
		break;
	case ECHO_OP_EMPTY:
		if (done)
			piped(log, action, result->count);
		break;
	case ECHO_OP_CLOSE:
		closed(log, action);
		break;
	default:
		break;
	}
}

static void text(struct log *log, const struct narrate_stats *now)
{
	const struct echo_stats *stats = &now->stats;
	const char *separator = " (";

	log_add(log,
		"statistics: live %" PRIu32 ", buffers %" PRIu32 ", accepted %" PRIu64
		", received %" PRIu64 ", sent %" PRIu64 ", discarded %" PRIu64,
		now->live, now->buffers, stats->accepted, stats->bytes_received, stats->bytes_sent,
		stats->bytes_discarded);
	log_add(log, ", dropped lines %" PRIu64 ", closed", now->dropped);
	for (enum echo_reason i = ECHO_REASON_ENDED; i < ECHO_REASON_COUNT; i++) {
		log_add(log, "%s%s %" PRIu64, separator, echo_reason_name(i), stats->closed[i]);
		separator = ", ";
	}
	separator = "), calls (";
	for (enum echo_op i = ECHO_OP_WAIT; i < ECHO_OP_COUNT; i++) {
		if (i == ECHO_OP_REPORT)
			continue;
		log_add(log, "%s%s %" PRIu64, separator, echo_op_name(i), stats->calls[i]);
		separator = ", ";
	}
	log_add(log, ")");
}

static void json(struct log *log, const struct narrate_stats *now)
{
	const struct echo_stats *stats = &now->stats;
	const char *separator = "";

	log_add(log,
		",\"live\":%" PRIu32 ",\"buffers\":%" PRIu32 ",\"accepted\":%" PRIu64
		",\"received\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"discarded\":%" PRIu64,
		now->live, now->buffers, stats->accepted, stats->bytes_received, stats->bytes_sent,
		stats->bytes_discarded);
	log_add(log, ",\"dropped_lines\":%" PRIu64 ",\"closed\":{", now->dropped);
	for (enum echo_reason i = ECHO_REASON_ENDED; i < ECHO_REASON_COUNT; i++) {
		log_add(log, "%s\"%s\":%" PRIu64, separator, echo_reason_name(i), stats->closed[i]);
		separator = ",";
	}
	separator = "},\"calls\":{";
	for (enum echo_op i = ECHO_OP_WAIT; i < ECHO_OP_COUNT; i++) {
		if (i == ECHO_OP_REPORT)
			continue;
		log_add(log, "%s\"%s\":%" PRIu64, separator, echo_op_name(i), stats->calls[i]);
		separator = ",";
	}
	log_add(log, "}");
}

struct narrate_stats narrate_take(const struct log *log, const struct echo_stats *stats,
				  const struct echo_engine *engine)
{
	return (struct narrate_stats){
		.stats = *stats,
		.live = echo_connections(engine),
		.buffers = echo_buffers_used(engine),
		.dropped = log_dropped(log),
	};
}

static void add(uint64_t *sums, const uint64_t *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sums[i] += more[i];
}

void narrate_sum(struct narrate_stats *sum, const struct narrate_stats *more)
{
	add(sum->stats.calls, more->stats.calls, ECHO_OP_COUNT);
	add(sum->stats.closed, more->stats.closed, ECHO_REASON_COUNT);
	sum->stats.accepted += more->stats.accepted;
	sum->stats.accept_failures += more->stats.accept_failures;
	sum->stats.bytes_received += more->stats.bytes_received;
	sum->stats.bytes_sent += more->stats.bytes_sent;
	sum->stats.bytes_discarded += more->stats.bytes_discarded;
	sum->stats.events += more->stats.events;
	sum->live += more->live;
	sum->buffers += more->buffers;
	sum->dropped += more->dropped;
}

void narrate_stats(struct log *log, uint32_t thread, const struct narrate_stats *stats)
{
	open_line(log, thread > 0 ? "thread statistics" : "statistics", thread);
	if (log->json)
		json(log, stats);
	else
		text(log, stats);
	end(log);
}
