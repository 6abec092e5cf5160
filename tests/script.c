#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* Handles are far from slots and from connection numbers, so that none is taken for another. */
#define FIRST_HANDLE 1000

/* More polls in a row than any script needs: an engine that asks for more does nothing else. */
#define POLLS_MAX 1000

struct answer done(void)
{
	return (struct answer){ .outcome = ECHO_DONE };
}

struct answer returns(const char *bytes)
{
	return (struct answer){ ECHO_DONE, (uint32_t)strlen(bytes), bytes };
}

struct answer took(uint32_t count)
{
	return (struct answer){ .outcome = ECHO_DONE, .count = count };
}

struct answer leaves(uint32_t count)
{
	return took(count);
}

struct answer ends(void)
{
	return fails(ECHO_END);
}

struct answer fails(enum echo_outcome outcome)
{
	return (struct answer){ .outcome = outcome };
}

struct echo_config usual(void)
{
	return (struct echo_config){
		.connections_max = 4,
		.buffers_max = 4,
		.buffer_size = 8,
		.turn_bytes = 1 << 16,
		.round_bytes = 1 << 20,
		.backlog_max = 1000,
		.events_max = 16,
		.generation_bits = 32,
		.drain_ms = 10000,
		.quiet_ms = 50,
		.retry_min_ms = 100,
		.retry_max_ms = 1000,
	};
}

struct script *script_at(struct script *s, const char *file, int line)
{
	s->file = file;
	s->line = line;
	return s;
}

void about(struct script *s, const char *what)
{
	s->about = what;
}

static void complain(const struct script *s, const char *expected, const char *seen)
{
	print_error("%s:%d: %s%sexpected: %s\n%s:%d: seen: %s\n", s->file, s->line,
		    s->about ? s->about : "", s->about ? ": " : "", expected, s->file, s->line,
		    seen);
	free(s->memory); /* a failing test does not come to its end */
	_fail(s->file, s->line);
}

static void check_invariant(const struct script *s)
{
	const char *broken = echo_invariant(s->engine);

	if (broken != NULL)
		complain(s, "the invariant", broken);
}

void script_begin(struct script *s, struct echo_config config, uint64_t now_ms)
{
	size_t size = echo_memory_size(&config);

	s->memory = NULL;
	s->about = NULL;
	if (size == 0)
		complain(s, "a configuration within its limits", "another");
	s->config = config;
	s->now_ms = now_ms;
	s->connected = 0;
	s->leave_out_rounds = false;
	s->memory = aligned_alloc(64, size);
	assert_non_null(s->memory);
	memset(s->memory, 0, size);
	s->engine = echo_init(s->memory, &config, now_ms);
	check_invariant(s);
}

void script_end(struct script *s)
{
	check_invariant(s);
	free(s->memory);
	s->memory = NULL;
}

/* Which connection the action is for; -1 where handle and token name none that was accepted. The
 * first action on a connection tells its token. */
static int connection_of(struct script *s, const struct echo_action *action)
{
	int i = s->connected - 1;

	while (i >= 0 && s->connections[i].handle != action->handle)
		i--;
	if (i < 0)
		return -1;
	if (!s->connections[i].named) {
		s->connections[i].token = action->token;
		s->connections[i].named = true;
	}
	return s->connections[i].token == action->token ? i : -1;
}

static void describe_what(const struct echo_action *action, char *text)
{
	switch (action->op) {
	case ECHO_OP_WATCH:
		strcpy(text, "watch");
		break;
	case ECHO_OP_READ:
	case ECHO_OP_PEEK:
	case ECHO_OP_DISCARD:
		strcpy(text, echo_op_name(action->op));
		break;
	case ECHO_OP_WRITE:
		sprintf(text, "write \"%.*s\"", (int)(action->length > 99 ? 99 : action->length),
			(const char *)action->data);
		break;
	case ECHO_OP_CONSUME:
		sprintf(text, "consume %d bytes", (int)action->length);
		break;
	case ECHO_OP_FILL:
		sprintf(text, "fill pipe %d", (int)action->pipe);
		break;
	case ECHO_OP_EMPTY:
	case ECHO_OP_PURGE:
		sprintf(text, "%s pipe %d of %d bytes", echo_op_name(action->op), (int)action->pipe,
			(int)action->length);
		break;
	case ECHO_OP_UNACKED:
		strcpy(text, "ask what is unacknowledged");
		break;
	case ECHO_OP_SHUTDOWN:
		strcpy(text, "shut down");
		break;
	case ECHO_OP_CLOSE:
		sprintf(text, "close as %s", echo_reason_name(action->reason));
		break;
	default:
		strcpy(text, "do something that no connection does");
		break;
	}
}

static void describe_wait(const struct echo_action *action, char *text)
{
	if (action->timeout_ms < 0)
		strcpy(text, "wait for ever");
	else
		sprintf(text, "wait for %d ms", (int)action->timeout_ms);
}

void script_describe(struct script *s, const struct echo_action *action, char *text)
{
	switch (action->op) {
	case ECHO_OP_NONE:
		strcpy(text, "stop");
		return;
	case ECHO_OP_WAIT:
		describe_wait(action, text);
		return;
	case ECHO_OP_ACCEPT:
		strcpy(text, "accept");
		return;
	case ECHO_OP_PAUSE:
		strcpy(text, "pause accepting");
		return;
	case ECHO_OP_RESUME:
		strcpy(text, "resume accepting");
		return;
	case ECHO_OP_UNLISTEN:
		strcpy(text, "close the listener");
		return;
	case ECHO_OP_REPORT:
		strcpy(text, "report");
		return;
	default:
		sprintf(text, "connection %d: ", connection_of(s, action));
		describe_what(action, text + strlen(text));
	}
}

static bool same(const struct echo_action *a, const struct echo_action *b)
{
	return a->op == b->op && a->token == b->token && a->handle == b->handle &&
	       a->data == b->data && a->length == b->length && a->reason == b->reason &&
	       a->pipe == b->pipe && a->events_max == b->events_max &&
	       a->timeout_ms == b->timeout_ms;
}

/* An action that transfers has room for what it transfers, all of it the caller's to write to. */
static void check_room(const struct script *s, const struct echo_action *action)
{
	bool whole = action->op == ECHO_OP_READ || action->op == ECHO_OP_PEEK ||
		     action->op == ECHO_OP_DISCARD;
	bool some = whole || action->op == ECHO_OP_WRITE || action->op == ECHO_OP_CONSUME ||
		    action->op == ECHO_OP_PURGE;

	if (whole && action->length != s->config.buffer_size)
		complain(s, "the whole buffer", "another length");
	if (some && (action->length < 1 || action->length > s->config.buffer_size))
		complain(s, "1 byte to a buffer full", "another length");
	if (some != (action->data != NULL))
		complain(s, some ? "room for bytes" : "no room for bytes", "the opposite");
}

struct echo_action script_next(struct script *s)
{
	struct echo_action action, again;
	bool more = echo_next(s->engine, &action);

	if (echo_next(s->engine, &again) != more || !same(&action, &again))
		complain(s, "the same action when asked twice", "another");
	if (more != (action.op != ECHO_OP_NONE))
		complain(s, "no action only after the end", "one of them alone");
	if (more != (echo_ending(s->engine) == ECHO_RUNNING))
		complain(s, "actions until the end", "an end with, or none without, an action");
	check_room(s, &action);
	return action;
}

void script_complete(struct script *s, const struct echo_action *action,
		     const struct echo_result *result)
{
	echo_complete(s->engine, action, result);
	check_invariant(s);
	script_next(s);
}

/* Completes the action, with what a call may leave in its buffer. */
static void answer_with(struct script *s, const struct echo_action *action, struct answer answer)
{
	struct echo_result result = { .outcome = answer.outcome, .count = answer.count };

	if (action->data != NULL && action->op != ECHO_OP_WRITE)
		memset(action->data, '?', action->length);
	if (answer.bytes != NULL) {
		if (answer.count > action->length)
			complain(s, answer.bytes, "no room for so much");
		memcpy(action->data, answer.bytes, answer.count);
	}
	script_complete(s, action, &result);
}

/* Where a script leaves out the rounds, waits that are polls bring nothing and pass by. */
static struct echo_action upcoming(struct script *s)
{
	struct echo_action action = script_next(s);

	for (int polls = 0; s->leave_out_rounds && polls < POLLS_MAX; polls++) {
		if (action.op != ECHO_OP_WAIT || action.timeout_ms != 0)
			break;
		answer_with(s, &action, fails(ECHO_INTERRUPTED));
		action = script_next(s);
	}
	return action;
}

static struct echo_action take(struct script *s, const char *expected)
{
	struct echo_action action = upcoming(s);
	char seen[SCRIPT_TEXT_SIZE];

	script_describe(s, &action, seen);
	if (strcmp(seen, expected) != 0)
		complain(s, expected, seen);
	return action;
}

static struct echo_action take_wait(struct script *s)
{
	struct echo_action action = script_next(s);
	char seen[SCRIPT_TEXT_SIZE];

	if (action.op != ECHO_OP_WAIT) {
		script_describe(s, &action, seen);
		complain(s, "wait", seen);
	}
	return action;
}

struct echo_event event_for(const struct script *s, int connection, uint32_t readiness)
{
	return (struct echo_event){ s->connections[connection].token, readiness };
}

struct echo_event incoming(void)
{
	return (struct echo_event){ ECHO_TOKEN_LISTENER, ECHO_IN };
}

/* The events are gone when the engine has taken them, so that it cannot look at them later. */
void script_wait(struct script *s, const struct echo_event *events, size_t count)
{
	struct echo_action action = take_wait(s);
	struct echo_event *brought = malloc(count * sizeof(*events));
	struct echo_result result = {
		.outcome = ECHO_DONE,
		.now_ms = s->now_ms,
		.events_count = (uint32_t)count,
		.events = brought,
	};

	assert_non_null(brought);
	memcpy(brought, events, count * sizeof(*events));
	echo_complete(s->engine, &action, &result);
	free(brought);
	check_invariant(s);
	script_next(s);
}

static void wait_for(struct script *s, enum echo_outcome outcome, uint32_t requests)
{
	struct echo_action action = take_wait(s);
	struct echo_result result = { .outcome = outcome,
				      .now_ms = s->now_ms,
				      .requests = requests };

	script_complete(s, &action, &result);
}

void script_at_ms(struct script *s, uint64_t ms)
{
	s->now_ms = ms;
	wait_for(s, ECHO_DONE, 0);
}

/* Requests come by signals, which interrupt the wait. */
void script_request(struct script *s, uint32_t requests)
{
	wait_for(s, ECHO_INTERRUPTED, requests);
}

void script_wait_fails(struct script *s, enum echo_outcome outcome)
{
	wait_for(s, outcome, 0);
}

int script_expect_accept(struct script *s, int32_t handle)
{
	struct echo_action action = take(s, "accept");
	struct echo_result result = { .outcome = ECHO_DONE };
	int connection = s->connected;

	if (connection == SCRIPT_CONNECTIONS_MAX)
		complain(s, "fewer connections in one script", "too many");
	s->connected++;
	result.handle = handle < 0 ? FIRST_HANDLE + connection : handle;
	s->connections[connection] = (struct script_connection){ .handle = result.handle };
	script_complete(s, &action, &result);
	return connection;
}

void script_expect(struct script *s, struct answer answer, const char *expected)
{
	struct echo_action action = take(s, expected);

	answer_with(s, &action, answer);
}

void script_expect_of(struct script *s, int connection, struct answer answer, const char *format,
		      ...)
{
	char expected[SCRIPT_TEXT_SIZE];
	int length = snprintf(expected, sizeof(expected), "connection %d: ", connection);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(expected + length, sizeof(expected) - (size_t)length, format, arguments);
	va_end(arguments);
	script_expect(s, answer, expected);
}

void script_expect_op(struct script *s, int connection, enum echo_op op, struct answer answer)
{
	struct echo_action action = upcoming(s);
	char expected[SCRIPT_TEXT_SIZE], seen[SCRIPT_TEXT_SIZE];

	if (action.op != op || connection_of(s, &action) != connection) {
		snprintf(expected, sizeof(expected), "connection %d: %s", connection,
			 echo_op_name(op));
		script_describe(s, &action, seen);
		complain(s, expected, seen);
	}
	answer_with(s, &action, answer);
}

void script_expect_idle(struct script *s)
{
	struct echo_action action;

	upcoming(s);
	action = take_wait(s);
	if (action.timeout_ms == 0)
		complain(s, "wait, without work", "wait for 0 ms");
}

void script_expect_wait(struct script *s, int32_t timeout_ms)
{
	struct echo_action wanted = { .op = ECHO_OP_WAIT, .timeout_ms = timeout_ms };
	char expected[SCRIPT_TEXT_SIZE];

	script_describe(s, &wanted, expected);
	take(s, expected);
}

static const char *ending_name(enum echo_ending ending)
{
	switch (ending) {
	case ECHO_RUNNING:
		return "running";
	case ECHO_STOPPED:
		return "stopped";
	case ECHO_ABORTED:
		return "aborted";
	case ECHO_DEFUNCT:
		return "defunct";
	}
	return "?";
}

void script_expect_stopped(struct script *s, enum echo_ending ending)
{
	take(s, "stop");
	if (echo_ending(s->engine) != ending)
		complain(s, ending_name(ending), ending_name(echo_ending(s->engine)));
}

int script_connect_one(struct script *s)
{
	struct echo_event event = incoming();
	int connection;

	script_wait(s, &event, 1);
	connection = script_expect_accept(s, -1);
	script_expect_of(s, connection, done(), "watch");
	script_expect_idle(s);
	return connection;
}

void script_echoes(struct script *s, int connection, const char *bytes)
{
	uint32_t length = (uint32_t)strlen(bytes);
	bool unbuffered = echo_buffers_used(s->engine) == s->config.buffers_max &&
			  script_next(s).op != ECHO_OP_READ;

	script_expect_of(s, connection, returns(bytes), unbuffered ? "peek" : "read");
	script_expect_of(s, connection, took(length), "write \"%s\"", bytes);
	if (unbuffered)
		script_expect_of(s, connection, took(length), "consume %d bytes", (int)length);
}

void script_expect_alive(struct script *s, int connection)
{
	struct echo_event event = event_for(s, connection, ECHO_IN | ECHO_OUT);

	script_expect_idle(s);
	script_wait(s, &event, 1);
	script_echoes(s, connection, "alive");
	script_expect_idle(s);
}

void script_expect_count(struct script *s, const char *what,
			 uint32_t (*counted)(const struct echo_engine *), uint32_t expected)
{
	char wanted[SCRIPT_TEXT_SIZE], seen[SCRIPT_TEXT_SIZE];

	if (counted(s->engine) == expected)
		return;
	snprintf(wanted, sizeof(wanted), "%u %s", expected, what);
	snprintf(seen, sizeof(seen), "%u %s", counted(s->engine), what);
	complain(s, wanted, seen);
}
