#include "state.h"

static const uint8_t next[CONN_STATE_COUNT][CONN_EVENT_COUNT] = {
	/* clang-format off */
	[CONN_FREE] = {
		[EV_ACCEPTED]	= CONN_OPENING,
	},
	[CONN_OPENING] = {
		[EV_WATCHED]	= CONN_RECEIVING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_RECEIVING] = {
		[EV_RECEIVED]	= CONN_SENDING,
		[EV_FILLED]	= CONN_PIPED,
		[EV_PEEKED]	= CONN_PEEKED,
		[EV_END]	= CONN_ENDED,
		[EV_QUIET]	= CONN_PARTING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_SENDING] = {
		[EV_SENT_PART]	= CONN_SENDING,
		[EV_SENT_ALL]	= CONN_RECEIVING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_PIPED] = {
		[EV_SENT_PART]	= CONN_PIPED,
		[EV_SENT_ALL]	= CONN_RECEIVING,
		[EV_GIVEN_UP]	= CONN_PURGING,
	},
	[CONN_PEEKED] = {
		[EV_SENT_PART]	= CONN_CONSUMING,
		[EV_SENT_ALL]	= CONN_CONSUMING,
		[EV_SENT_NONE]	= CONN_RECEIVING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_CONSUMING] = {
		[EV_CONSUMED]	= CONN_RECEIVING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_ENDED] = {
		[EV_UNACKED]	= CONN_FINISHING,
		[EV_ACKED]	= CONN_CLOSING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_FINISHING] = {
		[EV_SHUT]	= CONN_LAST_ACK,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_LAST_ACK] = {
		[EV_UNACKED]	= CONN_LAST_ACK,
		[EV_ACKED]	= CONN_CLOSING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_PARTING] = {
		[EV_SHUT]	= CONN_LINGERING,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_LINGERING] = {
		[EV_END]	= CONN_LAST_ACK,
		[EV_GIVEN_UP]	= CONN_CLOSING,
	},
	[CONN_PURGING] = {
		[EV_PURGED]	= CONN_CLOSING,
	},
	[CONN_CLOSING] = {
		[EV_GIVEN_UP]	= CONN_CLOSING,
		[EV_CLOSED]	= CONN_FREE,
	},
	/* clang-format on */
};

static const char *const state_names[CONN_STATE_COUNT] = {
	"none",     "free",    "opening",   "receiving", "sending",
	"piped",    "peeked",  "consuming", "ended",     "finishing",
	"last-ack", "parting", "lingering", "purging",   "closing",
};

static const char *const event_names[CONN_EVENT_COUNT] = {
	"none",      "accepted", "watched",   "received", "filled", "peeked",
	"sent part", "sent all", "sent none", "consumed", "end",    "quiet",
	"unacked",   "acked",    "shut",      "given up", "purged", "closed",
};

enum conn_state state_next(enum conn_state state, enum conn_event event)
{
	return (enum conn_state)next[state][event];
}

const char *state_name(enum conn_state state)
{
	return state < CONN_STATE_COUNT ? state_names[state] : "?";
}

const char *event_name(enum conn_event event)
{
	return event < CONN_EVENT_COUNT ? event_names[event] : "?";
}
