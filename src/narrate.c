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

static void begin(struct log *log, const char *event, const struct echo_action *action)
{
	if (log->json)
		log_add(log, "{\"event\":\"%s\",\"slot\":%" PRIu32 ",\"fd\":%" PRId32, event,
			slot_of(action->token), action->handle);
	else
		log_add(log, "epoll-echo: connection %" PRIu32 " (fd %" PRId32 ") %s",
			slot_of(action->token), action->handle, event);
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
	if (event->token == ECHO_TOKEN_LISTENER)
		log_add(log, log->json ? "{\"event\":\"event\",\"listener\":true,\"mask\":\""
				       : "epoll-echo: listener event: ");
	else
		log_add(log,
			log->json ? "{\"event\":\"event\",\"slot\":%" PRIu32 ",\"mask\":\""
				  : "epoll-echo: connection %" PRIu32 " event: ",
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
	log_add(log,
		log->json ? "{\"event\":\"listener\",\"call\":\"%s\",\"outcome\":\"%s\""
			  : "epoll-echo: listener %s: %s",
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
	case ECHO_OP_CLOSE:
		closed(log, action);
		break;
	default:
		break;
	}
}

static void stats_text(struct log *log, const struct echo_stats *stats,
		       const struct echo_engine *engine)
{
	const char *separator = " (";

	log_add(log,
		"epoll-echo: statistics: live %" PRIu32 ", buffers %" PRIu32 ", accepted %" PRIu64
		", received %" PRIu64 ", sent %" PRIu64 ", discarded %" PRIu64,
		echo_connections(engine), echo_buffers_used(engine), stats->accepted,
		stats->bytes_received, stats->bytes_sent, stats->bytes_discarded);
	log_add(log, ", dropped lines %" PRIu64 ", closed", log_dropped(log));
	for (enum echo_reason i = ECHO_REASON_ENDED; i < ECHO_REASON_COUNT; i++) {
		log_add(log, "%s%s %" PRIu64, separator, echo_reason_name(i), stats->closed[i]);
		separator = ", ";
	}
	separator = "), calls (";
	for (enum echo_op i = ECHO_OP_WAIT; i < ECHO_OP_REPORT; i++) {
		log_add(log, "%s%s %" PRIu64, separator, echo_op_name(i), stats->calls[i]);
		separator = ", ";
	}
	log_add(log, ")");
}

static void stats_json(struct log *log, const struct echo_stats *stats,
		       const struct echo_engine *engine)
{
	const char *separator = "";

	log_add(log,
		"{\"event\":\"statistics\",\"live\":%" PRIu32 ",\"buffers\":%" PRIu32
		",\"accepted\":%" PRIu64 ",\"received\":%" PRIu64 ",\"sent\":%" PRIu64
		",\"discarded\":%" PRIu64,
		echo_connections(engine), echo_buffers_used(engine), stats->accepted,
		stats->bytes_received, stats->bytes_sent, stats->bytes_discarded);
	log_add(log, ",\"dropped_lines\":%" PRIu64 ",\"closed\":{", log_dropped(log));
	for (enum echo_reason i = ECHO_REASON_ENDED; i < ECHO_REASON_COUNT; i++) {
		log_add(log, "%s\"%s\":%" PRIu64, separator, echo_reason_name(i), stats->closed[i]);
		separator = ",";
	}
	separator = "},\"calls\":{";
	for (enum echo_op i = ECHO_OP_WAIT; i < ECHO_OP_REPORT; i++) {
		log_add(log, "%s\"%s\":%" PRIu64, separator, echo_op_name(i), stats->calls[i]);
		separator = ",";
	}
	log_add(log, "}");
}

void narrate_stats(struct log *log, const struct echo_stats *stats,
		   const struct echo_engine *engine)
{
	if (log->json)
		stats_json(log, stats, engine);
	else
		stats_text(log, stats, engine);
	end(log);
}
