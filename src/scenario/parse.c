#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
	struct script *script;
	struct parse_error *error;
	const char *file;
	const char *line, *at, *end; /* the line, what comes next in it, and its end */
	uint32_t line_number;
	struct text heading; /* waits for its first step; len 0: none */
	uint32_t heading_line;
	struct scenario *scenario; /* NULL: no step yet under this heading */
	struct step *step;
	uint32_t floods;
	bool open[CONNECTIONS_MAX]; /* of the scenario */
};

/* Errors name the place where something else should have been. Always false, to be returned. */
static bool fail(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *p, const char *at, const char *format, ...)
{
	va_list args;

	p->error->line = p->line_number;
	p->error->column = (uint32_t)(at - p->line) + 1;
	va_start(args, format);
	vsnprintf(p->error->expected, sizeof p->error->expected, format, args);
	va_end(args);
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

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
}

static bool at_word_end(const struct parser *p)
{
	return p->at == p->end || is_blank(*p->at);
}

/* Takes the word if it comes next; otherwise nothing has happened. */
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

/* The end of a step. What may stand there instead is said for the sake of the message. */
static bool finish(struct parser *p, const char *instead)
{
	skip_blanks(p);
	if (p->at == p->end || (p->at[0] == '#' && (p->at + 1 == p->end || is_blank(p->at[1])))) {
		p->end = p->at;
		return true;
	}
	return fail(p, p->at, "%s%sthe end of the line", instead, *instead ? " or " : "");
}

/* Takes digits; false where there is none or the number exceeds max. */
static bool take_digits(struct parser *p, uint64_t max, uint64_t *number)
{
	const char *start = p->at;

	*number = 0;
	for (; p->at < p->end && is_digit(*p->at); p->at++) {
		*number = *number * 10 + (uint64_t)(*p->at - '0');
		if (*number > max)
			return false;
	}
	return p->at > start;
}

static bool take_number(struct parser *p, uint32_t min, uint32_t max, const char *what,
			uint32_t *number)
{
	const char *start;
	uint64_t value;

	skip_blanks(p);
	start = p->at;
	if (!take_digits(p, max, &value) || value < min || !at_word_end(p))
		return fail(p, start, "%s from %u to %u", what, (unsigned int)min,
			    (unsigned int)max);
	*number = (uint32_t)value;
	return true;
}

static unsigned int take_unit(struct parser *p)
{
	static const char units[] = "KMG";
	const char *unit = p->at < p->end && *p->at != '\0' ? strchr(units, *p->at) : NULL;

	if (!unit)
		return 0;
	p->at++;
	return 10 * (unsigned int)(unit - units + 1);
}

static bool take_size(struct parser *p, uint64_t max, uint64_t *size)
{
	const char *start;
	unsigned int shift;

	skip_blanks(p);
	start = p->at;
	if (take_digits(p, max, size)) {
		shift = take_unit(p);
		if (*size > 0 && *size <= max >> shift && at_word_end(p)) {
			*size <<= shift;
			return true;
		}
	}
	if (max >= 1 << 30)
		return fail(p, start, "a size from 1 to %uG, such as 64K",
			    (unsigned int)(max >> 30));
	return fail(p, start, "a size from 1 to %uK, such as 1K", (unsigned int)(max >> 10));
}

static bool take_size32(struct parser *p, uint32_t max, uint32_t *size)
{
	uint64_t value;

	if (!take_size(p, max, &value))
		return false;
	*size = (uint32_t)value;
	return true;
}

static int hex_digit(const struct parser *p, const char *at)
{
	if (at >= p->end)
		return -1;
	if (is_digit(*at))
		return *at - '0';
	if (*at >= 'a' && *at <= 'f')
		return *at - 'a' + 10;
	if (*at >= 'A' && *at <= 'F')
		return *at - 'A' + 10;
	return -1;
}

/* What follows a backslash. */
static bool take_escape(struct parser *p, uint8_t *byte)
{
	static const char letters[] = "rnt0\"\\", bytes[] = "\r\n\t\0\"\\";
	const char *letter = p->at < p->end && *p->at != '\0' ? strchr(letters, *p->at) : NULL;
	int high, low;

	if (letter) {
		*byte = (uint8_t)bytes[letter - letters];
		p->at++;
		return true;
	}
	high = hex_digit(p, p->at + 1);
	low = high < 0 ? -1 : hex_digit(p, p->at + 2);
	if (p->at == p->end || *p->at != 'x' || low < 0)
		return fail(p, p->at - 1, "one of the escapes \\r \\n \\t \\0 \\xHH \\\" \\\\");
	*byte = (uint8_t)(high * 16 + low);
	p->at += 3;
	return true;
}

static bool take_string(struct parser *p, const char *what)
{
	struct script *script = p->script;
	uint8_t byte;

	skip_blanks(p);
	if (p->at == p->end || *p->at != '"')
		return fail(p, p->at, "%s", what);
	p->at++;
	p->step->bytes = script->bytes + script->bytes_used;
	while (p->at < p->end && *p->at != '"') {
		byte = (uint8_t)*p->at++;
		if (byte == '\\' && !take_escape(p, &byte))
			return false;
		if (script->bytes_used == sizeof script->bytes)
			return fail(p, p->at, "no more than %u bytes of text",
				    (unsigned int)SCRIPT_TEXT_MAX);
		script->bytes[script->bytes_used++] = byte;
		p->step->bytes_len++;
	}
	if (p->at == p->end)
		return fail(p, p->at, "'\"' at the end of the text");
	p->at++;
	if (!at_word_end(p))
		return fail(p, p->at, "a blank after the text");
	return true;
}

static bool take_data(struct parser *p)
{
	const char *start;

	skip_blanks(p);
	start = p->at;
	if (!take_string(p, "\"text\""))
		return false;
	return p->step->bytes_len > 0 || fail(p, start, "text of one byte or more");
}

/* Names. */

static bool take_word(struct parser *p, struct text *name)
{
	skip_blanks(p);
	name->at = p->at;
	if (p->at < p->end && is_letter(*p->at))
		while (p->at < p->end &&
		       (is_letter(*p->at) || is_digit(*p->at) || *p->at == '_' || *p->at == '-'))
			p->at++;
	name->len = (size_t)(p->at - name->at);
	if (name->len == 0 || name->len > NAME_MAX_LEN)
		return fail(p, name->at, "a name of 1 to %u letters, digits, '_' or '-'",
			    (unsigned int)NAME_MAX_LEN);
	return true;
}

/* The latest group of that name: a name may be connected again with another number of members. */
static struct group *find_group(struct parser *p, struct text name)
{
	const struct scenario *scenario = p->scenario;

	for (uint32_t i = scenario->groups_count; i-- > 0;) {
		struct group *group = &p->script->groups[scenario->groups_first + i];

		if (group->name.len == name.len && memcmp(group->name.at, name.at, name.len) == 0)
			return group;
	}
	return NULL;
}

static bool any_open(const struct parser *p, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (p->open[i])
			return true;
	return false;
}

static void set_open(struct parser *p, bool open)
{
	for (uint32_t i = p->step->first; i < p->step->first + p->step->count; i++)
		p->open[i] = open;
}

static bool overlaps_flood(const struct group *group, const struct step *step)
{
	return step->first < group->flood_first + group->flood_count &&
	       group->flood_first < step->first + step->count;
}

/* NAME or NAME.MEMBER, of something that is connected. */
static bool take_members(struct parser *p)
{
	struct group *group;
	struct text name;
	uint64_t member;

	if (!take_word(p, &name))
		return false;
	group = find_group(p, name);
	if (!group)
		return fail(p, name.at, "a name that was connected before, not '%.*s'",
			    (int)name.len, name.at);
	p->step->group = group;
	p->step->first = group->first;
	p->step->count = group->count;
	if (group->many && p->at < p->end && *p->at == '.') {
		const char *start = ++p->at;

		if (!take_digits(p, group->count, &member) || member == 0)
			return fail(p, start, "a member from 1 to %u", (unsigned int)group->count);
		p->step->first = group->first + (uint32_t)member - 1;
		p->step->count = 1;
	}
	if (!at_word_end(p))
		return fail(p, p->at,
			    group->many ? "a blank or '.MEMBER'" : "a blank after the name");
	if (!any_open(p, p->step->first, p->step->count))
		return fail(p, name.at, "a connection that is open; this one was closed");
	return true;
}

/* The same, and no flood is using it. */
static bool take_idle_members(struct parser *p)
{
	const char *start;

	skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	if (overlaps_flood(p->step->group, p->step))
		return fail(p, start, "'stop %.*s' before any other step on it",
			    (int)p->step->group->name.len, p->step->group->name.at);
	return true;
}

static bool add_group(struct parser *p, struct text name, uint32_t count, bool many)
{
	struct script *script = p->script;
	struct scenario *scenario = p->scenario;
	struct group *group;

	if (script->groups_count == GROUPS_MAX)
		return fail(p, name.at, "no more than %u names", (unsigned int)GROUPS_MAX);
	if (count > CONNECTIONS_MAX - scenario->connections)
		return fail(p, name.at, "no more than %u connections in a scenario",
			    (unsigned int)CONNECTIONS_MAX);
	group = &script->groups[script->groups_count++];
	*group = (struct group){
		.name = name, .first = scenario->connections, .count = count, .many = many
	};
	scenario->groups_count++;
	scenario->connections += count;
	p->step->group = group;
	return true;
}

static bool take_new_group(struct parser *p)
{
	struct group *group;
	struct text name;
	uint32_t count = 1;
	bool many;

	if (!take_word(p, &name))
		return false;
	many = p->at < p->end && *p->at == '*';
	if (many) {
		p->at++;
		if (!take_number(p, 1, CONNECTIONS_MAX, "a number of connections", &count))
			return false;
	}
	if (!at_word_end(p))
		return fail(p, p->at, "a blank or '*COUNT'");
	group = find_group(p, name);
	if (group && any_open(p, group->first, group->count))
		return fail(p, name.at, "a name that is free; '%.*s' is still connected",
			    (int)name.len, name.at);
	if (group && group->count == count && group->many == many)
		p->step->group = group;
	else if (!add_group(p, name, count, many))
		return false;
	p->step->first = p->step->group->first;
	p->step->count = p->step->group->count;
	return true;
}

/* Modifiers. */

static bool take_by(struct parser *p)
{
	return !accept(p, "by") || take_size32(p, CALL_MAX, &p->step->by);
}

static bool take_then_wr(struct parser *p)
{
	if (!accept(p, "then"))
		return true;
	if (!accept(p, "WR"))
		return fail(p, p->at, "'WR'");
	p->step->then_wr = true;
	return true;
}

/* Steps: each function takes what follows the verb. */

static bool parse_connect(struct parser *p)
{
	struct step *step = p->step;

	step->op = STEP_CONNECT;
	if (!take_new_group(p))
		return false;
	if (accept(p, "rcvbuf") && !take_size32(p, 1u << 30, &step->rcvbuf))
		return false;
	if (accept(p, "mss") && !take_size32(p, UINT16_MAX, &step->mss))
		return false;
	if (accept(p, "sndbuf") && !take_size32(p, 1u << 30, &step->sndbuf))
		return false;
	step->async = accept(p, "async");
	if (!step->async && accept(p, "->")) {
		step->refused = accept(p, "refused");
		if (!step->refused && !accept(p, "connected"))
			return fail(p, p->at, "'connected' or 'refused'");
	}
	set_open(p, !step->refused);
	return finish(p, "'rcvbuf SIZE', 'mss SIZE', 'sndbuf SIZE', 'async', '->', in this order,");
}

static bool parse_write(struct parser *p)
{
	struct step *step = p->step;

	if (!take_idle_members(p))
		return false;
	if (accept(p, "pattern")) {
		step->op = STEP_WRITE_PATTERN;
		if (!take_size(p, SIZE_MAX_BYTES, &step->size))
			return false;
	} else {
		step->op = STEP_WRITE_TEXT;
		skip_blanks(p);
		if (p->at == p->end || *p->at != '"')
			return fail(p, p->at, "\"text\" or 'pattern SIZE'");
		if (!take_data(p))
			return false;
	}
	if (!take_by(p) || !take_then_wr(p))
		return false;
	step->settled = accept(p, "settled");
	return finish(p, "'by SIZE', 'then WR', 'settled', in this order,");
}

static bool parse_urgent(struct parser *p)
{
	p->step->op = STEP_URGENT;
	if (!take_idle_members(p) || !take_data(p))
		return false;
	p->step->settled = accept(p, "settled");
	return finish(p, "'settled'");
}

static bool parse_echo(struct parser *p)
{
	p->step->op = STEP_ECHO;
	if (!take_idle_members(p) || !take_size(p, SIZE_MAX_BYTES, &p->step->size))
		return false;
	if (!take_by(p) || !take_then_wr(p))
		return false;
	return finish(p, "'by SIZE', 'then WR', in this order,");
}

static bool parse_roundtrips(struct parser *p)
{
	p->step->op = STEP_ROUNDTRIPS;
	return take_idle_members(p) &&
	       take_number(p, 1, COUNT_MAX, "a number of round trips", &p->step->repeat) &&
	       take_size(p, SIZE_MAX_BYTES, &p->step->size) && finish(p, "");
}

static bool parse_fill(struct parser *p)
{
	p->step->op = STEP_FILL;
	p->step->size = FILL_MAX_DEFAULT;
	if (!take_idle_members(p))
		return false;
	if (accept(p, "max") && !take_size(p, SIZE_MAX_BYTES, &p->step->size))
		return false;
	return finish(p, "'max SIZE'");
}

static bool take_observation(struct parser *p)
{
	struct step *step = p->step;

	skip_blanks(p);
	if (p->at < p->end && *p->at == '"') {
		step->op = STEP_READ_TEXT;
		return take_data(p);
	}
	if (accept(p, "pattern")) {
		step->op = STEP_READ_PATTERN;
		return take_size(p, SIZE_MAX_BYTES, &step->size);
	}
	if (accept(p, "rest"))
		step->op = STEP_READ_REST;
	else if (accept(p, "EOF"))
		step->op = STEP_READ_EOF;
	else if (accept(p, "reset"))
		step->op = STEP_READ_RESET;
	else if (accept(p, "nothing"))
		step->op = STEP_READ_NOTHING;
	else
		return fail(p, p->at,
			    "\"text\", 'pattern SIZE', 'rest', 'EOF', 'reset' or 'nothing'");
	return true;
}

static bool parse_read(struct parser *p)
{
	if (!take_idle_members(p) || !take_by(p))
		return false;
	p->step->slowly = accept(p, "slowly");
	if (!accept(p, "->"))
		return fail(p, p->at, "'by SIZE', 'slowly', in this order, or '->'");
	return take_observation(p) && finish(p, "");
}

static bool parse_shutdown(struct parser *p)
{
	struct step *step = p->step;

	step->op = STEP_SHUTDOWN;
	if (!take_idle_members(p))
		return false;
	if (accept(p, "WR"))
		step->shutdown = SHUTDOWN_WR;
	else if (accept(p, "RD"))
		step->shutdown = SHUTDOWN_RD;
	else if (accept(p, "RDWR"))
		step->shutdown = SHUTDOWN_RDWR;
	else
		return fail(p, p->at, "'WR', 'RD' or 'RDWR'");
	step->settled = accept(p, "settled");
	return finish(p, "'settled'");
}

static bool parse_end(struct parser *p, enum step_op op)
{
	p->step->op = op;
	if (!take_idle_members(p))
		return false;
	set_open(p, false);
	return finish(p, "");
}

static bool parse_close(struct parser *p)
{
	return parse_end(p, STEP_CLOSE);
}

static bool parse_reset(struct parser *p)
{
	return parse_end(p, STEP_RESET);
}

/* One flood at a time in a group: then what it uses is one range. */
static bool parse_flood(struct parser *p)
{
	const char *start;
	struct group *group;

	p->step->op = STEP_FLOOD;
	skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	group = &p->script->groups[p->step->group - p->script->groups];
	if (group->flood_count > 0)
		return fail(p, start, "'stop %.*s' before another flood on it",
			    (int)group->name.len, group->name.at);
	if (p->floods == FLOODS_MAX)
		return fail(p, start, "no more than %u floods at the same time",
			    (unsigned int)FLOODS_MAX);
	p->floods++;
	group->flood_first = p->step->first;
	group->flood_count = p->step->count;
	return finish(p, "");
}

static bool parse_stop(struct parser *p)
{
	const char *start;
	struct group *group;

	p->step->op = STEP_STOP;
	skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	group = &p->script->groups[p->step->group - p->script->groups];
	if (group->flood_first != p->step->first || group->flood_count != p->step->count)
		return fail(p, start, "what was given to 'flood' before");
	p->floods--;
	group->flood_count = 0;
	return finish(p, "");
}

static bool parse_storm(struct parser *p)
{
	p->step->op = STEP_STORM;
	if (!take_number(p, 1, COUNT_MAX, "a number of connections", &p->step->repeat))
		return false;
	p->step->reset = accept(p, "reset");
	return finish(p, "'reset'");
}

/* Thousandths of a second from what follows the decimal point; further digits do not count. */
static bool take_thousandths(struct parser *p, uint64_t *ms)
{
	const char *start = p->at;
	uint64_t unit = 100;

	for (; p->at < p->end && is_digit(*p->at); p->at++, unit /= 10)
		*ms += unit * (uint64_t)(*p->at - '0');
	return p->at > start;
}

static bool parse_wait(struct parser *p)
{
	const char *start;
	uint64_t ms;
	bool good;

	p->step->op = STEP_WAIT;
	skip_blanks(p);
	start = p->at;
	good = take_digits(p, WAIT_MAX_MS / 1000, &ms);
	ms *= 1000;
	if (good && p->at < p->end && *p->at == '.') {
		p->at++;
		good = take_thousandths(p, &ms);
	}
	if (!good || !at_word_end(p) || ms > WAIT_MAX_MS)
		return fail(p, start, "seconds up to %u, such as 0.5",
			    (unsigned int)(WAIT_MAX_MS / 1000));
	p->step->wait_ms = (uint32_t)ms;
	return finish(p, "");
}

static bool parse_print(struct parser *p)
{
	p->step->op = STEP_PRINT;
	return take_string(p, "\"text\"") && finish(p, "");
}

static bool parse_run(struct parser *p)
{
	const char *start;
	uint32_t status = 0;

	p->step->op = STEP_RUN;
	skip_blanks(p);
	start = p->at;
	if (!take_string(p, "\"command\""))
		return false;
	if (memchr(p->step->bytes, '\0', p->step->bytes_len))
		return fail(p, start, "a command without \\0");
	if (accept(p, "->") && !take_number(p, 0, 255, "an exit status", &status))
		return false;
	p->step->status = (int)status;
	return finish(p, "'-> STATUS'");
}

static const struct verb {
	const char *word;
	bool (*parse)(struct parser *p);
} verbs[] = {
	{ "connect", parse_connect },
	{ "write", parse_write },
	{ "urgent", parse_urgent },
	{ "echo", parse_echo },
	{ "roundtrips", parse_roundtrips },
	{ "fill", parse_fill },
	{ "read", parse_read },
	{ "shutdown", parse_shutdown },
	{ "close", parse_close },
	{ "reset", parse_reset },
	{ "flood", parse_flood },
	{ "stop", parse_stop },
	{ "storm", parse_storm },
	{ "wait", parse_wait },
	{ "print", parse_print },
	{ "run", parse_run },
};

static const struct verb *take_verb(struct parser *p)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (accept(p, verbs[i].word))
			return &verbs[i];
	fail(p, p->at,
	     "a step: connect, write, urgent, echo, roundtrips, fill, read, shutdown, close, "
	     "reset, "
	     "flood, stop, storm, wait, print or run");
	return NULL;
}

/* Lines. */

static bool open_scenario(struct parser *p)
{
	struct script *script = p->script;

	if (p->heading.len == 0)
		return fail(p, p->at,
			    "a heading '# name' at the start of the file or after a blank line");
	if (script->scenarios_count == SCENARIOS_MAX)
		return fail(p, p->at, "no more than %u scenarios", (unsigned int)SCENARIOS_MAX);
	p->scenario = &script->scenarios[script->scenarios_count++];
	*p->scenario = (struct scenario){
		.file = p->file,
		.name = p->heading,
		.line = p->heading_line,
		.steps_first = script->steps_count,
		.groups_first = script->groups_count,
	};
	memset(p->open, 0, sizeof p->open);
	return true;
}

static bool close_scenario(struct parser *p)
{
	for (uint32_t i = 0; p->scenario && i < p->scenario->groups_count; i++) {
		const struct group *group = &p->script->groups[p->scenario->groups_first + i];

		if (group->flood_count > 0)
			return fail(p, p->line, "'stop %.*s' before the scenario ends",
				    (int)group->name.len, group->name.at);
	}
	p->scenario = NULL;
	p->heading.len = 0;
	return true;
}

static bool parse_step(struct parser *p)
{
	struct script *script = p->script;
	const struct verb *verb;

	if (!p->scenario && !open_scenario(p))
		return false;
	if (script->steps_count == STEPS_MAX)
		return fail(p, p->at, "no more than %u steps", (unsigned int)STEPS_MAX);
	p->step = &script->steps[script->steps_count];
	*p->step = (struct step){ .line = p->line_number, .source.at = p->at };
	verb = take_verb(p);
	if (!verb || !verb->parse(p))
		return false;
	while (p->end > p->step->source.at && is_blank(p->end[-1]))
		p->end--;
	p->step->source.len = (size_t)(p->end - p->step->source.at);
	p->scenario->steps_count++;
	script->steps_count++;
	return true;
}

static bool parse_heading(struct parser *p)
{
	if (!close_scenario(p))
		return false;
	p->at++;
	skip_blanks(p);
	while (p->end > p->at && is_blank(p->end[-1]))
		p->end--;
	p->heading = (struct text){ p->at, (size_t)(p->end - p->at) };
	p->heading_line = p->line_number;
	return true;
}

/* Tells in *blank whether the line was, since that is what makes a heading of the next. */
static bool parse_line(struct parser *p, bool *blank)
{
	bool after_blank = *blank;

	skip_blanks(p);
	*blank = p->at == p->end;
	if (*blank)
		return true;
	if (*p->at != '#')
		return parse_step(p);
	return after_blank ? parse_heading(p) : true;
}

bool parse(struct script *script, const char *file, const char *text, size_t len,
	   struct parse_error *error)
{
	struct parser p = { .script = script, .error = error, .file = file };
	uint32_t scenarios_before = script->scenarios_count;
	const char *end = text + len;
	bool blank = true;

	p.line = p.at = p.end = text;
	for (const char *next = text; next < end;) {
		const char *newline = memchr(next, '\n', (size_t)(end - next));

		p.line = p.at = next;
		p.end = newline ? newline : end;
		next = newline ? newline + 1 : end;
		p.line_number++;
		if (!parse_line(&p, &blank))
			return false;
	}
	p.line_number++;
	p.line = p.at = end;
	if (!close_scenario(&p))
		return false;
	return script->scenarios_count > scenarios_before ||
	       fail(&p, end, "a scenario: a heading '# name' and a step");
}
