/*
 * The steps about descriptors. Their syntax is a table of lines, which --help prints and the parser
 * follows: lower case stands for itself, upper case for what is given, brackets for what may be
 * left out.
 */
#include "parser.h"

#include <string.h>

#include "words.h"

static const struct verb {
	enum call_op op;
	const char *syntax;
} verbs[] = {
	{ CALL_TCP, "tcp NEW NEW" },
	{ CALL_UNIX, "unix NEW NEW" },
	{ CALL_DGRAM, "dgram NEW NEW" },
	{ CALL_SEQPACKET, "seqpacket NEW NEW" },
	{ CALL_UDP, "udp NEW NEW" },
	{ CALL_SOCKET, "socket NEW" },
	{ CALL_LISTENER, "listener NEW [backlog COUNT]" },
	{ CALL_LISTEN, "listen FD" },
	{ CALL_CONNECT, "connect NEW FD [async] [-> connected|pending|refused]" },
	{ CALL_SETTLE, "settle FD [-> connected|refused]" },
	{ CALL_ACCEPT, "accept FD NEW [-> ERRNO]" },
	{ CALL_PIPE, "pipe NEW NEW [size COUNT]" },
	{ CALL_FIFO, "fifo NEW" },
	{ CALL_EVENTFD, "eventfd NEW [COUNT] [semaphore]" },
	{ CALL_TIMERFD, "timerfd NEW" },
	{ CALL_ARM, "arm FD MS [every COUNT]" },
	{ CALL_DISARM, "disarm FD" },
	{ CALL_SIGNALFD, "signalfd NEW SIGNAL" },
	{ CALL_RAISE, "raise SIGNAL" },
	{ CALL_INOTIFY, "inotify NEW NEW" },
	{ CALL_PTY, "pty NEW NEW" },
	{ CALL_PIDFD, "pidfd NEW FD" },
	{ CALL_FILE, "file NEW" },
	{ CALL_DIRECTORY, "directory NEW" },
	{ CALL_MEMFD, "memfd NEW" },
	{ CALL_NULL, "null NEW" },
	{ CALL_EPOLL, "epoll NEW" },
	{ CALL_CREATE, "epoll_create COUNT [-> ERRNO]" },
	{ CALL_CREATE1, "epoll_create1 COUNT [-> ERRNO]" },
	{ CALL_ADD, "add FD FD MASK [as LABEL] [-> ERRNO]" },
	{ CALL_MOD, "mod FD FD MASK [as LABEL] [-> ERRNO]" },
	{ CALL_DEL, "del FD FD [-> ERRNO]" },
	{ CALL_CTL, "ctl FD FD op COUNT [null] [-> ERRNO]" },
	{ CALL_WAIT, "wait FD [max COUNT] [for MS] [null] -> EVENTS" },
	{ CALL_PWAIT, "pwait FD [for MS] [unblocking SIGNAL] -> EVENTS" },
	{ CALL_PWAIT2, "pwait2 FD [for MS] [nsec COUNT] -> EVENTS" },
	{ CALL_POLL, "poll FD MASK -> MASK" },
	{ CALL_INTEREST, "interest FD -> EVENTS" },
	{ CALL_WRITE, "write FD DATA [async] [-> COUNT]" },
	{ CALL_READ, "read FD [COUNT] -> READ" },
	{ CALL_PEEK, "peek FD [COUNT] -> READ" },
	{ CALL_FILL, "fill FD [by COUNT]" },
	{ CALL_DRAIN, "drain FD" },
	{ CALL_URGENT, "urgent FD DATA" },
	{ CALL_SHUTDOWN, "shutdown FD HOW [-> ERRNO]" },
	{ CALL_CLOSE, "close FD [-> ERRNO]" },
	{ CALL_RESET, "reset FD" },
	{ CALL_DISSOLVE, "dissolve FD" },
	{ CALL_DUP, "dup FD NEW" },
	{ CALL_DUP2, "dup2 FD FD" },
	{ CALL_PASS, "pass FD FD FD NEW" },
	{ CALL_RESIZE, "resize FD COUNT" },
	{ CALL_SET, "set FD OPTION COUNT" },
	{ CALL_ERROR, "error FD -> FAULT" },
	{ CALL_QUEUED, "queued FD -> COUNT" },
	{ CALL_WAITER, "waiter NEW FD [max COUNT] [for MS]" },
	{ CALL_WOKEN, "woken FD -> EVENTS" },
	{ CALL_ASLEEP, "asleep FD" },
	{ CALL_INTERRUPT, "interrupt FD" },
	{ CALL_FORK, "fork NEW" },
	{ CALL_END, "end FD" },
	{ CALL_IGNORE, "ignore SIGNAL" },
	{ CALL_HANDLE, "handle SIGNAL" },
	{ CALL_HANDLED, "handled SIGNAL -> COUNT" },
	{ CALL_LIMIT, "limit COUNT" },
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]), WORD_MAX = 40 };

_Static_assert(VERBS == CALL_COUNT - 1, "each call has a line of syntax");

const char *call_syntax(uint32_t number)
{
	return number < VERBS ? verbs[number].syntax : NULL;
}

static size_t word_length(const char *at)
{
	return strcspn(at, " []");
}

/* The verb of a line of syntax. */
static void copy_word(char *word, const char *syntax)
{
	size_t len = word_length(syntax);

	memcpy(word, syntax, len);
	word[len] = '\0';
}

const char *call_word(enum call_op op)
{
	static char word[WORD_MAX];

	copy_word(word, verbs[op - 1].syntax);
	return word;
}

static const struct verb *take_verb(struct parser *p)
{
	char word[WORD_MAX];

	for (size_t i = 0; i < VERBS; i++) {
		copy_word(word, verbs[i].syntax);
		if (lex_accept(p, word))
			return &verbs[i];
	}
	return NULL;
}

bool call_opens(struct parser *p)
{
	static const char *const others[] = { "connect", "wait" };
	const char *start = p->at;
	bool opens;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (lex_accept(p, others[i])) {
			p->at = start;
			return false;
		}
	opens = take_verb(p) != NULL;
	p->at = start;
	return opens;
}

/* Names. */

static struct text *names(const struct parser *p)
{
	return &p->script->names[p->scenario->names_first];
}

/* Its index; or names_count where it is new. */
static uint32_t find_name(const struct parser *p, struct text name)
{
	uint32_t i = 0;

	while (i < p->scenario->names_count &&
	       (names(p)[i].len != name.len || memcmp(names(p)[i].at, name.at, name.len) != 0))
		i++;
	return i;
}

static bool add_name(struct parser *p, struct text name, uint32_t *index)
{
	*index = find_name(p, name);
	if (*index < p->scenario->names_count)
		return true;
	if (*index == CALL_NAMES_MAX || p->script->names_count == NAMES_MAX)
		return lex_fail(p, name.at, "no more than %u names in a scenario, or %u in all",
				(unsigned int)CALL_NAMES_MAX, (unsigned int)NAMES_MAX);
	names(p)[*index] = name;
	p->scenario->names_count++;
	p->script->names_count++;
	return true;
}

static bool add_fd(struct parser *p, const char *at, int number)
{
	if (p->call->fds_count == CALL_FDS_MAX)
		return lex_fail(p, at, "no more descriptors");
	p->call->fds[p->call->fds_count++] = number;
	return true;
}

static bool take_new(struct parser *p)
{
	struct text name;
	uint32_t index;

	return lex_name(p, &name) && add_name(p, name, &index) &&
	       add_fd(p, name.at, CALL_NUMBER_FIRST + (int)index);
}

static bool take_label(struct parser *p)
{
	struct text name;
	uint32_t index;

	if (!lex_name(p, &name) || !add_name(p, name, &index))
		return false;
	p->call->label = (uint16_t)index;
	return true;
}

/* Words that are given. */

static bool at_number(const struct parser *p)
{
	const char *at = p->at;

	if (at < p->end && *at == '-')
		at++;
	return at < p->end && lex_is_digit(*at);
}

static bool take_integer(struct parser *p, int64_t *value)
{
	const char *start;
	uint64_t number;
	bool negative;

	lex_skip_blanks(p);
	start = p->at;
	negative = p->at < p->end && *p->at == '-';
	p->at += negative;
	if (!lex_digits(p, INT64_MAX, &number) || !lex_at_word_end(p))
		return lex_fail(p, start, "a number");
	*value = negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool take_fd(struct parser *p)
{
	const char *start;
	struct text name;
	int64_t number;
	uint32_t index;

	lex_skip_blanks(p);
	start = p->at;
	if (at_number(p)) {
		if (!take_integer(p, &number))
			return false;
		if (number < INT32_MIN || number > INT32_MAX)
			return lex_fail(p, start, "a number of 32 bits");
		return add_fd(p, start, (int)number);
	}
	if (!lex_name(p, &name))
		return false;
	index = find_name(p, name);
	if (index == p->scenario->names_count)
		return lex_fail(p, start, "a name that was made before, not '%.*s'", (int)name.len,
				name.at);
	return add_fd(p, start, CALL_NUMBER_FIRST + (int)index);
}

static bool take_hexadecimal(const char *at, size_t len, uint32_t *bits)
{
	static const char digits[] = "0123456789abcdef";

	*bits = 0;
	if (len < 3 || len > 10 || at[0] != '0' || at[1] != 'x')
		return false;
	for (size_t i = 2; i < len; i++) {
		const char *digit = memchr(digits, at[i], sizeof(digits) - 1);

		if (digit == NULL)
			return false;
		*bits = *bits << 4 | (uint32_t)(digit - digits);
	}
	return true;
}

static bool take_mask(struct parser *p, uint32_t *mask)
{
	const char *start;
	uint32_t bits;

	lex_skip_blanks(p);
	*mask = 0;
	if (lex_accept(p, "0"))
		return true;
	for (;; p->at++) {
		start = p->at;
		while (p->at < p->end && *p->at != '|' && *p->at != ',' && !lex_at_word_end(p))
			p->at++;
		bits = words_mask(start, (size_t)(p->at - start));
		if (bits == 0 && !take_hexadecimal(start, (size_t)(p->at - start), &bits))
			return lex_fail(p, start, "a mask such as IN|OUT|ET, 0x200 or 0");
		*mask |= bits;
		if (p->at == p->end || *p->at != '|')
			return true;
	}
}

static bool take_data(struct parser *p)
{
	const char *start;

	lex_skip_blanks(p);
	start = p->at;
	if (at_number(p)) {
		if (!take_integer(p, &p->call->count))
			return false;
		return p->call->count >= 0 || lex_fail(p, start, "a number that is not negative");
	}
	if (!lex_string(p, "\"text\" or a number of bytes", &p->call->bytes, &p->call->bytes_len))
		return false;
	p->call->count = (int64_t)p->call->bytes_len;
	return true;
}

static bool take_how(struct parser *p)
{
	p->call->how = lex_accept(p, "RD")     ? HOW_RD
		       : lex_accept(p, "WR")   ? HOW_WR
		       : lex_accept(p, "RDWR") ? HOW_RDWR
					       : HOW_NONE;
	return p->call->how != HOW_NONE || lex_fail(p, p->at, "'RD', 'WR' or 'RDWR'");
}

static struct text peek_word(struct parser *p)
{
	const char *end;

	lex_skip_blanks(p);
	for (end = p->at; end < p->end && !lex_is_blank(*end); end++)
		;
	return (struct text){ p->at, (size_t)(end - p->at) };
}

static bool take_signal(struct parser *p)
{
	struct text word = peek_word(p);

	p->call->signal = words_signal(word.at, word.len);
	if (p->call->signal == 0)
		return lex_fail(p, word.at, "a signal such as USR1");
	p->at += word.len;
	return true;
}

static bool take_option(struct parser *p)
{
	struct text word = peek_word(p);

	p->call->socket_option = words_option(word.at, word.len);
	if (p->call->socket_option < 0)
		return lex_fail(p, word.at,
				"RCVLOWAT, RCVBUF, SNDBUF, OOBINLINE, LINGER or KEEPALIVE");
	p->at += word.len;
	return true;
}

/* What must be observed. */

static bool take_events(struct parser *p, struct seen *seen)
{
	struct seen_event *event;
	struct text name;
	uint32_t index;

	seen->kind = SEEN_EVENTS;
	if (lex_accept(p, "nothing"))
		return true;
	do {
		if (seen->events_count == SEEN_EVENTS_MAX)
			return lex_fail(p, p->at, "no more than %u events",
					(unsigned int)SEEN_EVENTS_MAX);
		event = &seen->events[seen->events_count++];
		if (!lex_name(p, &name))
			return false;
		index = find_name(p, name);
		if (index == p->scenario->names_count)
			return lex_fail(p, name.at, "a label that was given before, not '%.*s'",
					(int)name.len, name.at);
		event->label = (uint16_t)index;
		if (!take_mask(p, &event->mask))
			return false;
		lex_skip_blanks(p);
	} while (p->at < p->end && *p->at == ',' && p->at++);
	return true;
}

static bool take_read(struct parser *p, struct seen *seen)
{
	const uint8_t *bytes;
	const char *start;
	size_t len;

	if (lex_accept(p, "EOF")) {
		seen->kind = SEEN_END;
		return true;
	}
	seen->kind = SEEN_BYTES;
	lex_skip_blanks(p);
	start = p->at;
	if (at_number(p)) {
		if (!take_integer(p, &seen->count))
			return false;
		if (!lex_accept(p, "bytes") && !lex_accept(p, "byte"))
			seen->kind = SEEN_COUNT;
		return true;
	}
	if (!lex_string(p, "\"text\", a number of bytes, EOF or an errno", &bytes, &len))
		return false;
	if (len > SEEN_TEXT_MAX)
		return lex_fail(p, start, "text of up to %u bytes", (unsigned int)SEEN_TEXT_MAX);
	seen->count = (int64_t)len;
	seen->has_text = true;
	memcpy(seen->text, bytes, len);
	p->script->bytes_used -= len; /* it was copied */
	return true;
}

static bool take_seen_mask(struct parser *p, struct seen *seen)
{
	seen->kind = SEEN_MASK;
	return lex_accept(p, "nothing") || take_mask(p, &seen->mask);
}

static bool take_count(struct parser *p, struct seen *seen)
{
	seen->kind = SEEN_COUNT;
	return take_integer(p, &seen->count);
}

static bool take_word(struct parser *p, struct seen *seen)
{
	seen->kind = SEEN_WORD;
	for (int word = 1; word < WORD_COUNT; word++)
		if (lex_accept(p, seen_word_name((enum seen_word)word))) {
			seen->word = (enum seen_word)word;
			return true;
		}
	return lex_fail(p, p->at, "a word such as 'connected' or 'none', or an errno");
}

/* Any call may fail. */
static bool take_errno(struct parser *p, struct seen *seen)
{
	struct text word = peek_word(p);

	seen->error = words_errno(word.at, word.len);
	if (seen->error == 0)
		return false;
	seen->kind = SEEN_ERRNO;
	p->at += word.len;
	return true;
}

static bool is(const char *syntax, const char *word)
{
	return word_length(syntax) == strlen(word) && memcmp(syntax, word, strlen(word)) == 0;
}

static bool take_observation(struct parser *p, const char *syntax)
{
	struct seen *seen = &p->call->expected;

	*seen = (struct seen){ 0 };
	lex_skip_blanks(p);
	if (p->at == p->end)
		return lex_fail(p, p->at, "what is observed: %.*s, or an errno",
				(int)strcspn(syntax, "]"), syntax);
	if (take_errno(p, seen))
		return true;
	if (is(syntax, "EVENTS"))
		return take_events(p, seen);
	if (is(syntax, "READ"))
		return take_read(p, seen);
	if (is(syntax, "MASK"))
		return take_seen_mask(p, seen);
	if (is(syntax, "COUNT"))
		return take_count(p, seen);
	if (is(syntax, "ERRNO"))
		return lex_fail(p, p->at, "an errno such as ENOENT");
	return take_word(p, seen);
}

/* The parser of syntax lines. */

static const struct {
	const char *word;
	enum call_option option;
} keywords[] = {
	{ "async", OPTION_ASYNC }, { "backlog", OPTION_BACKLOG },
	{ "size", OPTION_SIZE },   { "semaphore", OPTION_SEMAPHORE },
	{ "every", OPTION_EVERY }, { "as", OPTION_AS },
	{ "max", OPTION_MAX },     { "for", OPTION_FOR },
	{ "null", OPTION_NULL },   { "op", OPTION_OP },
	{ "by", OPTION_BY },       { "unblocking", OPTION_UNBLOCKING },
	{ "nsec", OPTION_NSEC },
};

static bool is_keyword(const char *syntax)
{
	return *syntax >= 'a' && *syntax <= 'z';
}

static bool take_keyword(struct parser *p, const char *syntax)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (is(syntax, keywords[i].word) && lex_accept(p, keywords[i].word)) {
			p->call->options |= (uint32_t)keywords[i].option;
			return true;
		}
	return false;
}

static bool take_given(struct parser *p, const char *syntax)
{
	if (is(syntax, "NEW"))
		return take_new(p);
	if (is(syntax, "FD"))
		return take_fd(p);
	if (is(syntax, "MASK"))
		return take_mask(p, &p->call->mask);
	if (is(syntax, "COUNT"))
		return take_integer(p, &p->call->count);
	if (is(syntax, "MS"))
		return take_integer(p, &p->call->ms);
	if (is(syntax, "DATA"))
		return take_data(p);
	if (is(syntax, "LABEL"))
		return take_label(p);
	if (is(syntax, "HOW"))
		return take_how(p);
	if (is(syntax, "SIGNAL"))
		return take_signal(p);
	return take_option(p);
}

static const char *after_word(const char *syntax)
{
	syntax += word_length(syntax);
	return syntax + strspn(syntax, " ");
}

/* What stands in brackets is there if its first word is. Keeps `syntax` at what follows. */
static bool take_optional(struct parser *p, const char **syntax)
{
	const char *at = *syntax + 1, *end = strchr(at, ']');

	*syntax = end + 1 + strspn(end + 1, " ");
	lex_skip_blanks(p);
	if (is(at, "COUNT") && !at_number(p))
		return true;
	if (is(at, "COUNT"))
		p->call->options |= OPTION_COUNT;
	if (is_keyword(at)) {
		if (!take_keyword(p, at))
			return true;
		at = after_word(at);
	}
	while (at < end) {
		if (!take_given(p, at))
			return false;
		at = after_word(at);
	}
	return true;
}

/* "->" and what comes of it. It may be left out where the call is then to succeed. */
static bool take_result(struct parser *p, const char *syntax)
{
	bool optional = *syntax == '[';

	if (lex_accept(p, "->")) {
		p->call->judged = true;
		return take_observation(p, strchr(syntax, '>') + 2);
	}
	if (optional || p->script->lenient)
		return true;
	return lex_fail(p, p->at, "'->' and what is observed; %s", syntax);
}

static bool is_result(const char *syntax)
{
	return strncmp(syntax, "->", 2) == 0 || strncmp(syntax, "[->", 3) == 0;
}

static bool follow(struct parser *p, const char *syntax)
{
	while (*syntax != '\0' && !is_result(syntax)) {
		if (*syntax == '[') {
			if (!take_optional(p, &syntax))
				return false;
			continue;
		}
		if (is_keyword(syntax)) {
			if (!take_keyword(p, syntax))
				return lex_fail(p, p->at, "'%.*s'", (int)word_length(syntax),
						syntax);
		} else if (!take_given(p, syntax)) {
			return false;
		}
		syntax = after_word(syntax);
	}
	if (*syntax != '\0')
		return take_result(p, syntax);
	/* A call that has to succeed may be expected to fail all the same. */
	if (lex_accept(p, "->")) {
		p->call->judged = true;
		return take_observation(p, "ERRNO");
	}
	return true;
}

/* What a call without "->" has to do. */
static void expect_success(struct call *call)
{
	struct seen *seen = &call->expected;

	*seen = (struct seen){ .kind = SEEN_DONE };
	call->judged = true;
	if (call->op == CALL_WRITE)
		*seen = (struct seen){ .kind = SEEN_COUNT, .count = call->count };
	if (call->op == CALL_CONNECT || call->op == CALL_SETTLE)
		*seen = (struct seen){ .kind = SEEN_WORD,
				       .word = (call->options & OPTION_ASYNC) != 0
						       ? WORD_PENDING
						       : WORD_CONNECTED };
}

static bool take_call(struct parser *p)
{
	const struct verb *verb;
	const char *syntax;

	p->call->in_child = lex_accept(p, "child");
	verb = take_verb(p);
	if (verb == NULL)
		return lex_fail(p, p->at, "a step, such as 'epoll NEW' (see --help)");
	p->call->op = verb->op;
	syntax = after_word(verb->syntax);
	if (!follow(p, syntax))
		return false;
	if (!p->call->judged && strstr(syntax, "[->") == NULL && strstr(syntax, "->") != NULL)
		return lex_finish(p, ""); /* lenient */
	if (!p->call->judged)
		expect_success(p->call);
	return lex_finish(p, *syntax != '\0' ? verb->syntax : "");
}

/* The label of an entry is the descriptor's name unless another was given. */
static void set_label(const struct parser *p)
{
	struct call *call = p->call;
	int64_t index = call->fds_count > 1 ? (int64_t)call->fds[1] - CALL_NUMBER_FIRST : -1;
	bool named = index >= 0 && index < p->scenario->names_count;

	if ((call->options & OPTION_AS) == 0)
		call->label = named ? (uint16_t)index : SEEN_LABEL_UNKNOWN;
}

bool call_parse_step(struct parser *p)
{
	struct script *script = p->script;

	if (script->calls_count == CALLS_MAX)
		return lex_fail(p, p->at, "no more than %u steps", (unsigned int)CALLS_MAX);
	p->call = &script->calls[script->calls_count];
	*p->call = (struct call){ .line = p->line_number, .source.at = p->at };
	if (!take_call(p))
		return false;
	set_label(p);
	while (p->end > p->call->source.at && lex_is_blank(p->end[-1]))
		p->end--;
	p->call->source.len = (size_t)(p->end - p->call->source.at);
	p->scenario->calls_count++;
	script->calls_count++;
	return true;
}
