/*
 * Steps about descriptors: system calls, what they are given, and what must come of them.
 *
 * A call that is given no "->" has to succeed. NEW names the descriptor that it makes; FD is such a
 * name, or the number of a descriptor, such as -1. A name that was closed keeps its number, which
 * is then that of no open descriptor. MASK is IN|OUT|ET and the like, or 0x200 for what has no
 * word; DATA is "text" or how many bytes. LABEL comes back with the events of an entry, and is the
 * name of the descriptor unless "as" gives another. All descriptors are non-blocking; all TCP is on
 * the loopback. The table in parse_call.c has the syntax of each call, and --help prints it. What
 * has no name of its own in the manual pages:
 *
 *      tcp A B             a connection, both ends      unix, dgram, seqpacket, udp: likewise
 *      settle S            waits until an async connect has come to an end
 *      fill W, drain R     write, or read, until that would block
 *      reset S             close(2) with a linger time of 0
 *      dissolve S          connect(2) to AF_UNSPEC
 *      pass FD A B NEW     sends FD from the unix socket A to B (unix(7), SCM_RIGHTS)
 *      resize W BYTES      fcntl(2), F_SETPIPE_SZ
 *      error S             SO_ERROR;   queued FD: FIONREAD;   interest E: its list, from fdinfo
 *      waiter W E          a thread that waits on E; woken W: what its wait returned; asleep W
 *      interrupt W         a signal is handled in that thread, with SA_RESTART (signal(7))
 *      fork F, end F       a process with copies of all descriptors, until it is killed
 *      inotify I FILE      an instance, and a file that it watches
 *
 * A call about TCP is over when its effect has arrived at the other end, which is observed, and
 * never slept for; "async" leaves that race in. Time bounds only "nothing": `wait` does not block
 * unless it is given "for MS".
 */
#ifndef SCENARIO_CALL_H
#define SCENARIO_CALL_H

#include "seen.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CALL_FDS_MAX = 4,
	CALL_NAMES_MAX = 60,      /* of one scenario; labels count as well */
	CALL_NUMBER_FIRST = 64,   /* the descriptor of the first name; the others follow */
	CALL_EVENTS_DEFAULT = 16, /* of a wait without "max" */
	CALL_FILL_MAX = 64 << 20  /* bytes: what takes more is never full, as a file */
};

enum call_op {
	CALL_NONE = 0,
	CALL_TCP,
	CALL_UNIX,
	CALL_DGRAM,
	CALL_SEQPACKET,
	CALL_UDP,
	CALL_SOCKET,
	CALL_LISTENER,
	CALL_LISTEN,
	CALL_CONNECT,
	CALL_SETTLE,
	CALL_ACCEPT,
	CALL_PIPE,
	CALL_FIFO,
	CALL_EVENTFD,
	CALL_TIMERFD,
	CALL_ARM,
	CALL_DISARM,
	CALL_SIGNALFD,
	CALL_RAISE,
	CALL_INOTIFY,
	CALL_PTY,
	CALL_PIDFD,
	CALL_FILE,
	CALL_DIRECTORY,
	CALL_MEMFD,
	CALL_NULL,
	CALL_EPOLL,
	CALL_CREATE,
	CALL_CREATE1,
	CALL_ADD,
	CALL_MOD,
	CALL_DEL,
	CALL_CTL,
	CALL_WAIT,
	CALL_PWAIT,
	CALL_PWAIT2,
	CALL_POLL,
	CALL_INTEREST,
	CALL_WRITE,
	CALL_READ,
	CALL_PEEK,
	CALL_FILL,
	CALL_DRAIN,
	CALL_URGENT,
	CALL_SHUTDOWN,
	CALL_CLOSE,
	CALL_RESET,
	CALL_DISSOLVE,
	CALL_DUP,
	CALL_DUP2,
	CALL_PASS,
	CALL_RESIZE,
	CALL_SET,
	CALL_ERROR,
	CALL_QUEUED,
	CALL_WAITER,
	CALL_WOKEN,
	CALL_ASLEEP,
	CALL_INTERRUPT,
	CALL_FORK,
	CALL_END,
	CALL_IGNORE,
	CALL_HANDLE,
	CALL_HANDLED,
	CALL_LIMIT,
	CALL_COUNT
};

/* Words that may be given to a call. */
enum call_option {
	OPTION_ASYNC = 1 << 0,
	OPTION_BACKLOG = 1 << 1,
	OPTION_SIZE = 1 << 2,
	OPTION_SEMAPHORE = 1 << 3,
	OPTION_EVERY = 1 << 4,
	OPTION_AS = 1 << 5,
	OPTION_MAX = 1 << 6,
	OPTION_FOR = 1 << 7,
	OPTION_NULL = 1 << 8,
	OPTION_OP = 1 << 9,
	OPTION_BY = 1 << 10,
	OPTION_UNBLOCKING = 1 << 11,
	OPTION_NSEC = 1 << 12,
	OPTION_COUNT = 1 << 13 /* a number was given that has no word before it */
};

enum call_how { HOW_NONE = 0, HOW_RD, HOW_WR, HOW_RDWR };

struct call {
	enum call_op op;
	bool in_child; /* made by a child process, which ends then */
	uint32_t line; /* counted from 1 */
	struct text source;
	uint32_t options; /* enum call_option */
	int fds[CALL_FDS_MAX];
	uint32_t fds_count;
	uint16_t label;
	uint32_t mask;
	int64_t count, ms;
	enum call_how how;
	int signal, socket_option;
	const uint8_t *bytes; /* NULL: DATA is a count */
	size_t bytes_len;
	bool judged; /* false: it is only shown */
	struct seen expected;
};

/* The table of verbs, for --help: lines of syntax. NULL after the last one. */
const char *call_syntax(uint32_t number);

const char *call_word(enum call_op op);

#endif
