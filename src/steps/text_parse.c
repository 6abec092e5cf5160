#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text_words.h"

struct place {
	uint32_t line, column; /* counted from 1; line 0: nowhere */
};

struct parser {
	struct steps_error *error;
	const char *line, *at, *end; /* the line, what comes next in it, and its end */
	uint32_t line_number;

	bool opened;   /* `run` was read */
	bool has_head; /* and written */
	struct steps_head head;
	struct place places[STEPS_FIELDS_COUNT]; /* of the values that were given */

	uint8_t *bytes; /* what was written */
	size_t room, size;
};

/* Errors name the place where something else should have been. Always false, to be returned. */
static bool fail(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *p, const char *at, const char *format, ...)
{
	va_list arguments;

	p->error->line = p->line_number;
	p->error->column = (uint32_t)(at - p->line) + 1;
	va_start(arguments, format);
	vsnprintf(p->error->expected, sizeof(p->error->expected), format, arguments);
	va_end(arguments);
	return false;
}

/* Words. */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
}

/* A comma ends a word, and so does the bar within a mask. */
static bool at_word_end(const struct parser *p)
{
	return p->at == p->end || is_blank(*p->at) || *p->at == ',' || *p->at == '|';
}

/* Takes the word if it comes next; otherwise nothing has happened, but that blanks are passed. */
static bool accept(struct parser *p, const char *word)
{
	size_t len = strlen(word);
	const char *start;

	skip_blanks(p);
	start = p->at;
	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	if (at_word_end(p))
		return true;
	p->at = start;
	return false;
}

static bool accept_char(struct parser *p, char c)
{
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* The end of a line. What may stand there instead is said for the sake of the message. */
static bool finish(struct parser *p, const char *instead)
{
	skip_blanks(p);
	return p->at == p->end || fail(p, p->at, "%sthe end of the line", instead);
}

/* Takes digits; false where there is none or the number exceeds `most`. */
static bool take_digits(struct parser *p, uint64_t most, uint64_t *number)
{
	const char *start = p->at;

	*number = 0;
	for (; p->at < p->end && is_digit(*p->at); p->at++) {
		uint64_t digit = (uint64_t)(*p->at - '0');

		if (digit > most || *number > (most - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return p->at > start;
}

static bool take_number(struct parser *p, uint64_t least, uint64_t most, const char *what,
			uint64_t *number)
{
	const char *start;

	skip_blanks(p);
	start = p->at;
	if (take_digits(p, most, number) && *number >= least && at_word_end(p))
		return true;
	return fail(p, start, "%s from %llu to %llu", what, (unsigned long long)least,
		    (unsigned long long)most);
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool take_token(struct parser *p, uint64_t *token)
{
	const char *start, *digits;

	skip_blanks(p);
	start = p->at;
	*token = 0;
	if (accept_char(p, '0') && accept_char(p, 'x')) {
		for (digits = p->at; p->at < p->end && hex_digit(*p->at) >= 0; p->at++)
			*token = *token << 4 | (uint64_t)hex_digit(*p->at);
		if (p->at > digits && p->at - digits <= 16 && at_word_end(p))
			return true;
	}
	return fail(p, start, "a token of 1 to 16 hexadecimal digits, such as 0x100000002");
}

/* Writing. */

static bool written(struct parser *p, size_t took)
{
	p->size += took;
	return took > 0 || fail(p, p->line, "no more than fits %zu bytes", p->room);
}

/* Two values exclude each other: the one that was given last should be another. */
static bool fail_field(struct parser *p, uint32_t a, uint32_t b, const char *expected)
{
	const struct place *first = &p->places[a], *last = &p->places[b];

	if (first->line > last->line)
		last = first;
	p->error->line = last->line;
	p->error->column = last->column;
	snprintf(p->error->expected, sizeof(p->error->expected), "%s", expected);
	return false;
}

/* All lines of the configuration were read. */
static bool close_head(struct parser *p)
{
	const struct echo_config *config = &p->head.config;

	if (p->has_head)
		return true;
	p->has_head = true;
	_Static_assert(STEPS_POOL_BYTES_MAX == 1048576, "the message names the limit");
	if ((uint64_t)config->buffers_max * config->buffer_size > STEPS_POOL_BYTES_MAX)
		return fail_field(p, STEPS_FIELD_BUFFERS, STEPS_FIELD_BUFFER_SIZE,
				  "buffers of no more than 1048576 bytes together");
	if (config->retry_min_ms > config->retry_max_ms)
		return fail_field(p, STEPS_FIELD_RETRY_MIN, STEPS_FIELD_RETRY_MAX,
				  "a retry-min that does not exceed retry-max");
	return written(p, steps_put_head(p->bytes, p->room, config, p->head.start_ms));
}

static bool write_step(struct parser *p, const struct step *step)
{
	return close_head(p) && written(p, steps_put(p->bytes + p->size, p->room - p->size, step));
}

/* The head. */

static bool take_run(struct parser *p)
{
	uint64_t version;

	if (!accept(p, "run"))
		return fail(p, p->at, "'run %u'", (unsigned)STEPS_TEXT_VERSION);
	if (!take_number(p, STEPS_TEXT_VERSION, STEPS_TEXT_VERSION, "a version", &version))
		return false;
	p->opened = true;
	return finish(p, "");
}

static bool take_field(struct parser *p, uint32_t i)
{
	const struct steps_field *field = &steps_fields[i];
	uint64_t value;

	if (p->places[i].line > 0)
		return fail(p, p->line, "%s once; it stands in line %u as well", field->name,
			    (unsigned)p->places[i].line);
	skip_blanks(p);
	p->places[i] = (struct place){ p->line_number, (uint32_t)(p->at - p->line) + 1 };
	if (!take_number(p, field->least, field->most, "a number", &value))
		return false;
	steps_field_set(&p->head, field, value);
	return finish(p, "");
}

/* Steps. */

static bool accept_outcome(struct parser *p, enum echo_outcome least, enum echo_outcome *outcome)
{
	for (*outcome = least; *outcome <= ECHO_FAILED; ++*outcome)
		if (accept(p, echo_outcome_name(*outcome)))
			return true;
	*outcome = ECHO_DONE;
	return false;
}

static bool accept_readiness(struct parser *p, uint32_t *readiness)
{
	for (uint32_t i = 0; i < STEPS_READINESS_COUNT; i++)
		if (accept(p, steps_readiness[i].name)) {
			*readiness |= steps_readiness[i].bit;
			return true;
		}
	return false;
}

static bool take_mask(struct parser *p, uint32_t *readiness)
{
	if (accept(p, "NONE"))
		return true;
	do {
		if (!accept_readiness(p, readiness))
			return fail(p, p->at,
				    "IN, OUT, RDHUP, PRI, ERR, HUP or STRANGE, or NONE of them");
	} while (accept_char(p, '|'));
	return true;
}

/* Takes c0, c1 and so on; otherwise nothing has happened. */
static bool accept_connection(struct parser *p, uint32_t *whom)
{
	const char *start = p->at;
	uint64_t number;

	if (accept_char(p, 'c') && take_digits(p, STEPS_WHOM_LISTENER - 1, &number) &&
	    at_word_end(p)) {
		*whom = (uint32_t)number;
		return true;
	}
	p->at = start;
	return false;
}

static bool accept_request(struct parser *p, uint32_t *request)
{
	for (uint32_t i = 0; i < STEPS_REQUESTS_COUNT; i++)
		if (accept(p, steps_requests[i].name)) {
			*request = steps_requests[i].bit;
			return true;
		}
	return false;
}

static bool take_event(struct parser *p, struct step *step, const char *instead)
{
	struct steps_event event = { 0 };
	const char *start = p->at;

	if (accept(p, "listener"))
		event.whom = STEPS_WHOM_LISTENER;
	else if (accept(p, "token"))
		event.whom = STEPS_WHOM_TOKEN;
	else if (!accept_connection(p, &event.whom))
		return fail(p, start, "%san event (of listener, c0 to c%u, token), or a request",
			    instead, STEPS_WHOM_LISTENER - 1u);
	if (step->events_count == STEPS_EVENTS_MAX)
		return fail(p, start, "no more than %u events", (unsigned)STEPS_EVENTS_MAX);
	if (event.whom == STEPS_WHOM_TOKEN && !take_token(p, &event.token))
		return false;
	if (!take_mask(p, &event.readiness))
		return false;
	step->events[step->events_count++] = event;
	return true;
}

/* An event or a request. */
static bool take_item(struct parser *p, struct step *step, const char *instead)
{
	const char *start;
	uint32_t request;

	skip_blanks(p);
	start = p->at;
	if (!accept_request(p, &request))
		return take_event(p, step, instead);
	if ((step->requests & request) != 0)
		return fail(p, start, "each request once");
	step->requests |= request;
	return true;
}

static bool accept_comma(struct parser *p)
{
	skip_blanks(p);
	return accept_char(p, ',');
}

/* What a wait brought. */
static bool take_brought(struct parser *p, struct step *step)
{
	if (accept(p, "nothing"))
		return finish(p, "");
	if (!accept_outcome(p, ECHO_END, &step->outcome) &&
	    !take_item(p, step, "'nothing', an outcome, "))
		return false;
	while (accept_comma(p))
		if (!take_item(p, step, ""))
			return false;
	return finish(p, "',' or ");
}

static bool take_count(struct parser *p, struct step *step)
{
	uint64_t least = step->op == ECHO_OP_UNACKED ? 0 : 1, count;
	const char *start;

	if (accept_outcome(p, ECHO_END, &step->outcome))
		return finish(p, "");
	if (step->op != ECHO_OP_UNACKED && accept(p, "all"))
		return finish(p, "");
	start = p->at;
	if (!take_digits(p, UINT32_MAX, &count) || count < least || !at_word_end(p))
		return fail(p, start, "a count from %u to %u%s or an outcome such as 'would-block'",
			    (unsigned)least, (unsigned)UINT32_MAX,
			    step->op == ECHO_OP_UNACKED ? "" : ", 'all'");
	step->count = (uint32_t)count;
	return finish(p, "");
}

static bool take_step(struct parser *p, struct step *step)
{
	uint64_t passed;
	bool back;

	step->outcome = ECHO_DONE;
	step->count = step->requests = step->events_count = 0;
	step->passed_ms = 0;
	if (step->op == ECHO_OP_WAIT) {
		skip_blanks(p);
		back = accept_char(p, '-');
		if (!take_number(p, 0, (uint64_t)INT64_MAX + back, "milliseconds", &passed))
			return false;
		step->passed_ms = (int64_t)(back ? 0 - passed : passed);
	}
	if (!accept(p, "->"))
		return fail(p, p->at, "'->' and what came of it");
	if (step->op == ECHO_OP_WAIT)
		return take_brought(p, step);
	if (steps_counts(step->op, ECHO_DONE))
		return take_count(p, step);
	if (!accept_outcome(p, ECHO_DONE, &step->outcome))
		return fail(p, p->at, "'done', or an outcome such as 'interrupted'");
	return finish(p, "");
}

/* A line of the configuration or a step. `report` opens both, and "->" tells them apart. */

static bool accept_field(struct parser *p, uint32_t *field)
{
	const char *start = p->at;

	for (*field = 0; *field < STEPS_FIELDS_COUNT; ++*field) {
		if (!accept(p, steps_fields[*field].name))
			continue;
		skip_blanks(p);
		if (p->at == p->end || *p->at != '-')
			return true;
		p->at = start;
	}
	return false;
}

static bool accept_op(struct parser *p, enum echo_op *op)
{
	for (*op = ECHO_OP_WAIT; *op < ECHO_OP_COUNT; ++*op)
		if (accept(p, echo_op_name(*op)))
			return true;
	return false;
}

static bool take_line(struct parser *p)
{
	struct step step;
	uint32_t field;

	skip_blanks(p);
	if (p->at == p->end)
		return true;
	if (!p->opened)
		return take_run(p);
	if (!p->has_head && accept_field(p, &field))
		return take_field(p, field);
	if (accept_op(p, &step.op))
		return take_step(p, &step) && write_step(p, &step);
	return fail(p, p->at, "%sa step such as 'read -> 5'",
		    p->has_head ? "" : "a line of the configuration such as 'slots 4', or ");
}

/* "#" opens a comment where a word could begin, and is followed by a blank. */
static const char *find_comment(const char *line, const char *end)
{
	for (const char *at = line; at < end; at++)
		if (*at == '#' && (at == line || is_blank(at[-1])) &&
		    (at + 1 == end || is_blank(at[1])))
			return at;
	return end;
}

/* Reads the line, and finds the next one, or NULL. */
static bool take_next_line(struct parser *p, const char **next, const char *end)
{
	const char *newline = memchr(*next, '\n', (size_t)(end - *next));

	p->line = p->at = *next;
	p->line_number++;
	p->end = find_comment(p->line, newline != NULL ? newline : end);
	*next = newline != NULL ? newline + 1 : NULL;
	return take_line(p);
}

bool steps_parse(const char *text, size_t len, uint8_t *bytes, size_t room, size_t *size,
		 struct steps_error *error)
{
	struct parser p = { .error = error, .bytes = bytes, .room = room };
	const char *next = text;

	*size = 0;
	for (uint32_t i = 0; i < STEPS_FIELDS_COUNT; i++)
		steps_field_set(&p.head, &steps_fields[i], steps_fields[i].usual);
	while (next != NULL)
		if (!take_next_line(&p, &next, text + len))
			return false;
	if (!p.opened)
		return take_run(&p);
	if (!close_head(&p))
		return false;
	*size = p.size;
	return true;
}
