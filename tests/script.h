/*
 * Engine tests that read like the clauses of spec/ECHO.md. A script plays the world to an engine:
 * it says what a wait brings, which action has to come next, and what comes of it.
 *
 *	struct script s;
 *	int peer;
 *
 *	begin(&s, usual());
 *	peer = connect_one(&s);
 *	ready(&s, peer, ECHO_IN | ECHO_OUT);
 *	expect_read(&s, peer, returns("hello"));
 *	expect_write(&s, peer, "hello", took(2));
 *	expect_idle(&s);
 *	end(&s);
 *
 * Every step checks echo_invariant(), and that echo_next() asked twice gives the same. A failure
 * names the expected and the seen action in words, and the line of the test.
 */
#ifndef EPOLL_ECHO_TESTS_SCRIPT_H
#define EPOLL_ECHO_TESTS_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/echo.h"

#define SCRIPT_CONNECTIONS_MAX 128

/* A connection of a script is the number of its accept, from 0. */
struct script_connection {
	uint64_t token;
	int32_t handle;
	bool named; /* the engine has told its token */
};

struct script {
	struct echo_engine *engine;
	struct echo_config config;
	void *memory;
	uint64_t now_ms;
	struct script_connection connections[SCRIPT_CONNECTIONS_MAX];
	int connected;
	bool leave_out_rounds; /* polls between two actions are not told; set after begin() */
	const char *about;     /* which case of several is tried */
	const char *file;
	int line;
};

/* What comes of an action. */
struct answer {
	enum echo_outcome outcome;
	uint32_t count;
	const char *bytes;
};

struct answer done(void);
struct answer returns(const char *bytes); /* READ, PEEK: these bytes */
struct answer took(uint32_t count);       /* whatever else has a length: so many bytes */
struct answer leaves(uint32_t count);     /* UNACKED: so many bytes */
struct answer ends(void);                 /* end of stream */
struct answer fails(enum echo_outcome outcome);

/* Small enough to be filled by a word: buffers of 8 bytes, 4 of them, for 4 connections. */
struct echo_config usual(void);

/* The place in the test, for the message of a failure. */
struct script *script_at(struct script *s, const char *file, int line);
#define AT(s) script_at(s, __FILE__, __LINE__)

#define begin(s, config)              script_begin(AT(s), config, 0)
#define begin_at(s, config, start_ms) script_begin(AT(s), config, start_ms)
#define end(s)                        script_end(AT(s))

/* Names the case of a table that the next steps try. */
void about(struct script *s, const char *what);

/* What a wait brings. Each of these expects that the engine asks to wait. */
struct echo_event event_for(const struct script *s, int connection, uint32_t readiness);
struct echo_event incoming(void); /* the listener is ready */
#define s_wait(s, ...) \
	script_wait(AT(s), (const struct echo_event[]){ __VA_ARGS__ }, \
		    sizeof((const struct echo_event[]){ __VA_ARGS__ }) / \
			    sizeof(struct echo_event))
#define ready(s, connection, readiness) s_wait(s, event_for(s, connection, readiness))
#define at_ms(s, ms)                    script_at_ms(AT(s), ms)
#define request(s, requests)            script_request(AT(s), requests)
#define wait_fails(s, outcome)          script_wait_fails(AT(s), outcome)

/* The next action, and what comes of it. */
#define expect_accept(s)              script_expect_accept(AT(s), -1)
#define expect_accept_as(s, handle)   script_expect_accept(AT(s), handle)
#define expect_accept_fails(s, why)   script_expect(AT(s), fails(why), "accept")
#define expect_pause(s, answer)       script_expect(AT(s), answer, "pause accepting")
#define expect_resume(s, answer)      script_expect(AT(s), answer, "resume accepting")
#define expect_unlisten(s, answer)    script_expect(AT(s), answer, "close the listener")
#define expect_report(s, answer)      script_expect(AT(s), answer, "report")
#define expect_watch(s, conn, answer) script_expect_of(AT(s), conn, answer, "watch")
#define expect_read(s, conn, answer)  script_expect_of(AT(s), conn, answer, "read")
#define expect_peek(s, conn, answer)  script_expect_of(AT(s), conn, answer, "peek")
#define expect_fill(s, conn, pipe, answer) \
	script_expect_of(AT(s), conn, answer, "fill pipe %d", pipe)
#define expect_empty(s, conn, pipe, length, answer) \
	script_expect_of(AT(s), conn, answer, "empty pipe %d of %d bytes", pipe, (int)(length))
#define expect_purge(s, conn, pipe, length, answer) \
	script_expect_of(AT(s), conn, answer, "purge pipe %d of %d bytes", pipe, (int)(length))
#define expect_unacked(s, conn, answer) \
	script_expect_of(AT(s), conn, answer, "ask what is unacknowledged")
#define expect_shutdown(s, conn, answer) script_expect_of(AT(s), conn, answer, "shut down")
#define expect_discard(s, conn, answer)  script_expect_of(AT(s), conn, answer, "discard")
#define expect_write(s, conn, bytes, answer) \
	script_expect_of(AT(s), conn, answer, "write \"%s\"", bytes)
#define expect_consume(s, conn, length, answer) \
	script_expect_of(AT(s), conn, answer, "consume %d bytes", (int)(length))
#define expect_closed(s, conn, why) \
	script_expect_of(AT(s), conn, done(), "close as %s", echo_reason_name(why))
#define expect_op(s, conn, op, answer) script_expect_op(AT(s), conn, op, answer)

/* The next action is to wait, and is not performed. */
#define expect_idle(s)             script_expect_idle(AT(s))    /* there is no work */
#define expect_busy(s)             script_expect_wait(AT(s), 0) /* there is work left */
#define expect_wait_timeout(s, ms) script_expect_wait(AT(s), ms)
#define expect_stopped(s, ending)  script_expect_stopped(AT(s), ending)

/* Several steps that belong together. */
#define connect_one(s)           script_connect_one(AT(s)) /* accept, watch; leaves it at rest */
#define echoes(s, conn, bytes)   script_echoes(AT(s), conn, bytes) /* read or peek, and write */
#define expect_alive(s, conn)    script_expect_alive(AT(s), conn)  /* at rest, and it echoes */
#define expect_open(s, count)    script_expect_count(AT(s), "connections", echo_connections, count)
#define expect_buffers(s, count) script_expect_count(AT(s), "buffers", echo_buffers_used, count)
#define expect_pipes(s, count)   script_expect_count(AT(s), "pipes", echo_pipes_used, count)
#define expect_lost(s, count)    script_expect_count(AT(s), "pipes lost", echo_pipes_lost, count)

void script_begin(struct script *s, struct echo_config config, uint64_t now_ms);
void script_end(struct script *s);
void script_wait(struct script *s, const struct echo_event *events, size_t count);
void script_at_ms(struct script *s, uint64_t ms);
void script_request(struct script *s, uint32_t requests);
void script_wait_fails(struct script *s, enum echo_outcome outcome);
int script_expect_accept(struct script *s, int32_t handle);
void script_expect(struct script *s, struct answer answer, const char *expected);
void script_expect_of(struct script *s, int connection, struct answer answer, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));
void script_expect_op(struct script *s, int connection, enum echo_op op, struct answer answer);
void script_expect_idle(struct script *s);
void script_expect_wait(struct script *s, int32_t timeout_ms);
void script_expect_stopped(struct script *s, enum echo_ending ending);
int script_connect_one(struct script *s);
void script_echoes(struct script *s, int connection, const char *bytes);
void script_expect_alive(struct script *s, int connection);
void script_expect_count(struct script *s, const char *what,
			 uint32_t (*counted)(const struct echo_engine *), uint32_t expected);

/* The next action as it is, and any result for it, for what the helpers above do not say. */
struct echo_action script_next(struct script *s);
void script_complete(struct script *s, const struct echo_action *action,
		     const struct echo_result *result);

/* The action in words: connection 0: write "hello" */
#define SCRIPT_TEXT_SIZE 256
void script_describe(struct script *s, const struct echo_action *action, char *text);

#endif
