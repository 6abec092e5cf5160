/*
 * The states of a connection, what can happen to it, and the one table that joins them. A state is
 * named for what the connection waits for, or for what is to be done with it; an event for what
 * happened. Nothing else decides a state.
 */
#ifndef EPOLL_ECHO_CORE_STATE_H
#define EPOLL_ECHO_CORE_STATE_H

#include "base.h"

enum conn_state {
	CONN_NONE = 0,  /* a hole in the table; never stored in a slot that was used */
	CONN_FREE,      /* slot unused */
	CONN_OPENING,   /* accepted; to be registered */
	CONN_RECEIVING, /* owes nothing; waits for bytes or the end of the stream */
	CONN_SENDING,   /* owes the bytes in its buffer */
	CONN_PIPED,     /* owes the bytes in its pipe */
	CONN_PEEKED,    /* the scratch buffer shows bytes that are still in the socket */
	CONN_CONSUMING, /* what the peer has taken back is still to be removed */
	CONN_ENDED,     /* the peer's stream has ended and is echoed: is it acknowledged? */
	CONN_FINISHING, /* not all is acknowledged: our FIN is to be sent */
	CONN_LAST_ACK,  /* both directions have ended; waits for the acknowledgement */
	CONN_PARTING,   /* we end first: our FIN is to be sent */
	CONN_LINGERING, /* waits for the peer's end, discarding what comes until then */
	CONN_PURGING,   /* given up, with bytes in its pipe, which has to be empty for others */
	CONN_CLOSING,   /* one close left to do */
	CONN_STATE_COUNT
};

enum conn_event {
	EV_NONE = 0,
	EV_ACCEPTED,
	EV_WATCHED,
	EV_RECEIVED,  /* bytes were read into the buffer */
	EV_FILLED,    /* bytes were moved into the pipe */
	EV_PEEKED,    /* bytes were read into the scratch buffer, and left in the socket */
	EV_SENT_PART, /* the peer took some, and more are owed */
	EV_SENT_ALL,  /* the peer took what was owed */
	EV_SENT_NONE, /* peeked bytes could not be sent; they wait in the socket */
	EV_CONSUMED,  /* all that was to be removed is */
	EV_END,       /* end of the peer's stream */
	EV_QUIET,     /* nothing unread, and we are to end the stream */
	EV_UNACKED,   /* the peer has not acknowledged everything */
	EV_ACKED,     /* it has */
	EV_SHUT,      /* our FIN is on its way */
	EV_GIVEN_UP,  /* an error, a deadline: only the close is left */
	EV_PURGED,    /* its pipe is another's, or nobody's */
	EV_CLOSED,
	CONN_EVENT_COUNT
};

/* The state that follows, or CONN_NONE where the event cannot happen. */
enum conn_state state_next(enum conn_state state, enum conn_event event);

const char *state_name(enum conn_state state);
const char *event_name(enum conn_event event);

#endif
