/*
 * The scenario language: text in, steps out. Nothing here knows what performs them.
 *
 * A file holds scenarios. Each opens with a heading, a line "# name" that directly follows the
 * start of the file or a blank line, and reaches to the next heading; a heading without steps is
 * only a comment. A line holds one step. What must be observed stands right of "->". "# " ends a
 * line early.
 *
 * A scenario is about descriptors and the system calls on them (call.h), for the worlds that have
 * them, or, if its first step is one of connect, storm, wait, print and run, about a live server
 * and connections to it:
 *
 *      connect NAME[*COUNT] [rcvbuf SIZE] [mss SIZE] [sndbuf SIZE] [async | -> connected | -> refused]
 *      write NAME "text" [by SIZE] [then WR] [settled]
 *      write NAME pattern SIZE [by SIZE] [then WR] [settled]
 *      urgent NAME "text" [settled]
 *      echo NAME SIZE [by SIZE] [then WR]
 *      roundtrips NAME COUNT SIZE
 *      fill NAME [max SIZE]
 *      read NAME [by SIZE] [slowly] -> "text" | pattern SIZE | rest | EOF | reset | nothing
 *      shutdown NAME WR|RD|RDWR [settled]
 *      close NAME
 *      reset NAME
 *      flood NAME      ...     stop NAME
 *      storm COUNT [reset]
 *      wait SECONDS
 *      print "text"
 *      run "command" [-> STATUS]
 *
 * A NAME is a letter and then letters, digits, "_" and "-". "g*500" makes a group whose members are
 * called g.1 to g.500; a step on g applies to each member that is open. A SIZE is a number with an
 * optional K, M or G (powers of 1024). Text knows \r \n \t \0 \xHH \" \\.
 *
 * Whatever can be known before anything runs is checked here: names that are not connected, or
 * flooded, or still in use. The tables are the caller's; they hold pointers into the texts, which
 * must outlive them.
 */
#ifndef SCENARIO_PARSE_H
#define SCENARIO_PARSE_H

#include "call.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCENARIOS_MAX = 1024,
	STEPS_MAX = 16384,
	CALLS_MAX = 16384,       /* steps about descriptors, over all scenarios, */
	NAMES_MAX = 8192,        /* and their names */
	GROUPS_MAX = 4096,       /* names, over all scenarios */
	CONNECTIONS_MAX = 16384, /* of one scenario */
	FLOODS_MAX = 16,         /* at the same time */
	NAME_MAX_LEN = 32,
	CALL_MAX = 65536,    /* "by": bytes of one send or recv */
	COUNT_MAX = 1000000, /* round trips, connections of a storm */
	WAIT_MAX_MS = 600000,
	SCRIPT_TEXT_MAX = 1 << 20 /* bytes of all files together */
};
#define SIZE_MAX_BYTES   (UINT64_C(64) << 30)
#define FILL_MAX_DEFAULT (UINT64_C(256) << 20)

enum step_op {
	STEP_NONE = 0, /* never stored */
	STEP_CONNECT,
	STEP_WRITE_TEXT,
	STEP_WRITE_PATTERN,
	STEP_URGENT,
	STEP_ECHO,
	STEP_ROUNDTRIPS,
	STEP_FILL,
	STEP_READ_TEXT,
	STEP_READ_PATTERN,
	STEP_READ_REST,
	STEP_READ_EOF,
	STEP_READ_RESET,
	STEP_READ_NOTHING,
	STEP_SHUTDOWN,
	STEP_CLOSE,
	STEP_RESET,
	STEP_FLOOD,
	STEP_STOP,
	STEP_STORM,
	STEP_WAIT,
	STEP_PRINT,
	STEP_RUN,
	STEP_COUNT
};

enum step_shutdown { SHUTDOWN_NONE = 0, SHUTDOWN_RD, SHUTDOWN_WR, SHUTDOWN_RDWR };

struct group {
	struct text name;
	uint32_t first, count;             /* connections of the scenario, numbered from 0 */
	bool many;                         /* was declared with "*": members have numbers */
	uint32_t flood_first, flood_count; /* what a flood is running on; used while parsing */
};

struct step {
	enum step_op op;
	uint32_t line;             /* counted from 1 */
	struct text source;        /* the step as it was written, without a comment */
	const struct group *group; /* NULL: the step names no connection */
	uint32_t first, count;     /* the members that are meant, as connection numbers */
	const uint8_t *bytes;      /* text, or command (which contains no NUL) */
	size_t bytes_len;
	uint64_t size;                /* of the pattern; of "max"; 0: not given */
	uint32_t by;                  /* bytes of one call; 0: not given */
	uint32_t repeat;              /* round trips, connections of a storm */
	uint32_t rcvbuf, mss, sndbuf; /* 0: not given */
	uint32_t wait_ms;
	int status; /* expected of a command */
	enum step_shutdown shutdown;
	bool async, refused, settled, slowly, then_wr, reset;
};

struct scenario {
	const char *file;
	struct text name;
	uint32_t line; /* of the heading */
	uint32_t steps_first, steps_count;
	uint32_t groups_first, groups_count;
	uint32_t connections;
	bool of_calls; /* it is about descriptors: then it has no steps, but calls */
	uint32_t calls_first, calls_count;
	uint32_t names_first, names_count;
};

struct script {
	uint32_t scenarios_count, steps_count, groups_count, calls_count, names_count;
	bool lenient; /* set before parsing: no observation needs to be expected */
	size_t bytes_used;
	struct scenario scenarios[SCENARIOS_MAX];
	struct step steps[STEPS_MAX];
	struct group groups[GROUPS_MAX];
	struct call calls[CALLS_MAX];
	struct text names[NAMES_MAX];
	uint8_t bytes[SCRIPT_TEXT_MAX]; /* the strings, without their escapes */
};

struct parse_error {
	uint32_t line, column; /* counted from 1; the column in bytes */
	char expected[160];
};

/*
 * Adds the scenarios of one file. False: the error is told, and the script is of no use any more.
 */
bool parse(struct script *script, const char *file, const char *text, size_t len,
	   struct parse_error *error);

#endif
