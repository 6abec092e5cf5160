#include "outcome.h"

#include <errno.h>

#define ANY ECHO_OP_NONE /* of all operations */

struct row {
	int error;
	enum echo_op op;
	enum echo_outcome outcome;
};

/* The first row that fits counts. */
static const struct row rows[] = {
	/* clang-format off */
	{ EAGAIN,	ANY, ECHO_WOULD_BLOCK },
	{ EINTR,	ECHO_OP_CLOSE, ECHO_FAILED }, /* see close(2), below */
	{ EINTR,	ANY, ECHO_INTERRUPTED },

	/* accept(2). "Error handling": what the new connection met is passed on by accept, and is
	 * to be treated like EAGAIN by going on to the next. */
	{ ECONNABORTED,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ ENETDOWN,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EPROTO,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ ENOPROTOOPT,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EHOSTDOWN,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ ENONET,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EHOSTUNREACH,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EOPNOTSUPP,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ ENETUNREACH,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EPERM,	ECHO_OP_ACCEPT, ECHO_GONE }, /* a firewall's word on one connection */
	{ ESOCKTNOSUPPORT, ECHO_OP_ACCEPT, ECHO_GONE },
	{ EPROTONOSUPPORT, ECHO_OP_ACCEPT, ECHO_GONE },
	{ ETIMEDOUT,	ECHO_OP_ACCEPT, ECHO_GONE },
	{ EMFILE,	ECHO_OP_ACCEPT, ECHO_NO_DESCRIPTORS },
	{ ENFILE,	ECHO_OP_ACCEPT, ECHO_NO_DESCRIPTORS },
	{ ENOBUFS,	ECHO_OP_ACCEPT, ECHO_NO_MEMORY },
	{ ENOMEM,	ECHO_OP_ACCEPT, ECHO_NO_MEMORY },
	{ ENOSR,	ECHO_OP_ACCEPT, ECHO_NO_MEMORY },
	{ EBADF,	ECHO_OP_ACCEPT, ECHO_BROKEN },
	{ EFAULT,	ECHO_OP_ACCEPT, ECHO_BROKEN },
	{ EINVAL,	ECHO_OP_ACCEPT, ECHO_BROKEN },
	{ ENOTSOCK,	ECHO_OP_ACCEPT, ECHO_BROKEN },

	/* epoll_ctl(2) of a connection: an instance that is broken shows at the next wait. */
	{ ENOSPC,	ECHO_OP_WATCH, ECHO_NO_MEMORY },
	{ ENOMEM,	ECHO_OP_WATCH, ECHO_NO_MEMORY },
	{ EBADF,	ECHO_OP_WATCH, ECHO_FAILED },
	{ EEXIST,	ECHO_OP_WATCH, ECHO_FAILED },
	{ EINVAL,	ECHO_OP_WATCH, ECHO_FAILED },
	{ ELOOP,	ECHO_OP_WATCH, ECHO_FAILED },
	{ ENOENT,	ECHO_OP_WATCH, ECHO_FAILED },
	{ EPERM,	ECHO_OP_WATCH, ECHO_FAILED },

	/* epoll_ctl(2) of the listener. */
	{ ENOMEM,	ECHO_OP_PAUSE, ECHO_NO_MEMORY },
	{ ENOSPC,	ECHO_OP_PAUSE, ECHO_NO_MEMORY },
	{ EBADF,	ECHO_OP_PAUSE, ECHO_BROKEN },
	{ EEXIST,	ECHO_OP_PAUSE, ECHO_BROKEN },
	{ EINVAL,	ECHO_OP_PAUSE, ECHO_BROKEN },
	{ ELOOP,	ECHO_OP_PAUSE, ECHO_BROKEN },
	{ ENOENT,	ECHO_OP_PAUSE, ECHO_BROKEN },
	{ EPERM,	ECHO_OP_PAUSE, ECHO_BROKEN },

	/* epoll_wait(2). */
	{ EBADF,	ECHO_OP_WAIT, ECHO_BROKEN },
	{ EFAULT,	ECHO_OP_WAIT, ECHO_BROKEN },
	{ EINVAL,	ECHO_OP_WAIT, ECHO_BROKEN },

	/* recv(2), and what tcp(7) and ip(7) add: an ICMP error or a timeout ends the
	 * connection. */
	{ ECONNREFUSED,	ECHO_OP_READ, ECHO_GONE },
	{ ECONNRESET,	ECHO_OP_READ, ECHO_GONE },
	{ ENOTCONN,	ECHO_OP_READ, ECHO_GONE },
	{ ETIMEDOUT,	ECHO_OP_READ, ECHO_GONE },
	{ EPIPE,	ECHO_OP_READ, ECHO_GONE },
	{ EHOSTUNREACH,	ECHO_OP_READ, ECHO_GONE },
	{ ENETUNREACH,	ECHO_OP_READ, ECHO_GONE },
	{ EHOSTDOWN,	ECHO_OP_READ, ECHO_GONE },
	{ ENETDOWN,	ECHO_OP_READ, ECHO_GONE },
	{ ENONET,	ECHO_OP_READ, ECHO_GONE },
	{ EMSGSIZE,	ECHO_OP_READ, ECHO_GONE },
	{ EOPNOTSUPP,	ECHO_OP_READ, ECHO_GONE },
	{ EACCES,	ECHO_OP_READ, ECHO_GONE },
	{ EPROTO,	ECHO_OP_READ, ECHO_GONE },
	{ ENOPROTOOPT,	ECHO_OP_READ, ECHO_GONE },
	{ ENOMEM,	ECHO_OP_READ, ECHO_NO_MEMORY },
	{ ENOBUFS,	ECHO_OP_READ, ECHO_NO_MEMORY },
	{ EBADF,	ECHO_OP_READ, ECHO_FAILED },
	{ EFAULT,	ECHO_OP_READ, ECHO_FAILED },
	{ EINVAL,	ECHO_OP_READ, ECHO_FAILED },
	{ ENOTSOCK,	ECHO_OP_READ, ECHO_FAILED },

	/* send(2), tcp(7), ip(7). */
	{ ECONNRESET,	ECHO_OP_WRITE, ECHO_GONE },
	{ ECONNREFUSED,	ECHO_OP_WRITE, ECHO_GONE },
	{ EPIPE,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENOTCONN,	ECHO_OP_WRITE, ECHO_GONE },
	{ ETIMEDOUT,	ECHO_OP_WRITE, ECHO_GONE },
	{ EHOSTUNREACH,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENETUNREACH,	ECHO_OP_WRITE, ECHO_GONE },
	{ EHOSTDOWN,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENETDOWN,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENONET,	ECHO_OP_WRITE, ECHO_GONE },
	{ EPROTO,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENOPROTOOPT,	ECHO_OP_WRITE, ECHO_GONE },
	{ ENOMEM,	ECHO_OP_WRITE, ECHO_NO_MEMORY },
	{ ENOBUFS,	ECHO_OP_WRITE, ECHO_NO_MEMORY },
	{ EACCES,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EALREADY,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EBADF,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EDESTADDRREQ,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EFAULT,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EINVAL,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EISCONN,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EMSGSIZE,	ECHO_OP_WRITE, ECHO_FAILED },
	{ ENOTSOCK,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EOPNOTSUPP,	ECHO_OP_WRITE, ECHO_FAILED },
	{ EPERM,	ECHO_OP_WRITE, ECHO_FAILED },

	/* splice(2), besides what the socket says; read(2) of a pipe. */
	{ ESPIPE,	ECHO_OP_FILL, ECHO_FAILED },
	{ ESPIPE,	ECHO_OP_EMPTY, ECHO_FAILED },
	{ EIO,		ECHO_OP_PURGE, ECHO_FAILED },
	{ EISDIR,	ECHO_OP_PURGE, ECHO_FAILED },

	/* ioctl(2), tcp(7): SIOCOUTQ. */
	{ EBADF,	ECHO_OP_UNACKED, ECHO_FAILED },
	{ EFAULT,	ECHO_OP_UNACKED, ECHO_FAILED },
	{ EINVAL,	ECHO_OP_UNACKED, ECHO_FAILED },
	{ ENOTTY,	ECHO_OP_UNACKED, ECHO_FAILED },

	/* shutdown(2): not connected is what a reset leaves. */
	{ ENOTCONN,	ECHO_OP_SHUTDOWN, ECHO_GONE },
	{ EBADF,	ECHO_OP_SHUTDOWN, ECHO_FAILED },
	{ EINVAL,	ECHO_OP_SHUTDOWN, ECHO_FAILED },
	{ ENOTSOCK,	ECHO_OP_SHUTDOWN, ECHO_FAILED },

	/* close(2): the descriptor is released whatever is said; EINTR above all must not be
	 * tried again, as the number may be another's by then. */
	{ EBADF,	ECHO_OP_CLOSE, ECHO_FAILED },
	{ EIO,		ECHO_OP_CLOSE, ECHO_FAILED },
	{ ENOSPC,	ECHO_OP_CLOSE, ECHO_FAILED },
	{ EDQUOT,	ECHO_OP_CLOSE, ECHO_FAILED },
	/* clang-format on */
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Operations that make the same system call, or ask the same of the socket, share their rows. */
static enum echo_op same_call(enum echo_op op)
{
	switch (op) {
	case ECHO_OP_PEEK:
	case ECHO_OP_CONSUME:
	case ECHO_OP_DISCARD:
	case ECHO_OP_FILL:
	case ECHO_OP_PURGE:
		return ECHO_OP_READ;
	case ECHO_OP_EMPTY:
		return ECHO_OP_WRITE;
	case ECHO_OP_RESUME:
		return ECHO_OP_PAUSE;
	case ECHO_OP_UNLISTEN:
		return ECHO_OP_CLOSE;
	default:
		return op;
	}
}

enum echo_outcome linux_outcome(enum echo_op op, int error)
{
	enum echo_op same = same_call(op);

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].error == error &&
		    (rows[i].op == op || rows[i].op == same || rows[i].op == ANY))
			return rows[i].outcome;
	return ECHO_FAILED;
}

bool linux_outcome_row(size_t index, enum echo_op *op, int *error, enum echo_outcome *outcome)
{
	if (index >= ROWS)
		return false;
	*op = rows[index].op;
	*error = rows[index].error;
	*outcome = rows[index].outcome;
	return true;
}
