/*
 * The steps that judge a live server.
 */
#include "parser.h"

#include <string.h>

static bool take_data(struct parser *p)
{
	const char *start;

	lex_skip_blanks(p);
	start = p->at;
	if (!lex_string(p, "\"text\"", &p->step->bytes, &p->step->bytes_len))
		return false;
	return p->step->bytes_len > 0 || lex_fail(p, start, "text of one byte or more");
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

	if (!lex_name(p, &name))
		return false;
	group = find_group(p, name);
	if (!group)
		return lex_fail(p, name.at, "a name that was connected before, not '%.*s'",
				(int)name.len, name.at);
	p->step->group = group;
	p->step->first = group->first;
	p->step->count = group->count;
	if (group->many && p->at < p->end && *p->at == '.') {
		const char *start = ++p->at;

		if (!lex_digits(p, group->count, &member) || member == 0)
			return lex_fail(p, start, "a member from 1 to %u",
					(unsigned int)group->count);
		p->step->first = group->first + (uint32_t)member - 1;
		p->step->count = 1;
	}
	if (!lex_at_word_end(p))
		return lex_fail(p, p->at,
				group->many ? "a blank or '.MEMBER'" : "a blank after the name");
	if (!any_open(p, p->step->first, p->step->count))
		return lex_fail(p, name.at, "a connection that is open; this one was closed");
	return true;
}

/* The same, and no flood is using it. */
static bool take_idle_members(struct parser *p)
{
	const char *start;

	lex_skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	if (overlaps_flood(p->step->group, p->step))
		return lex_fail(p, start, "'stop %.*s' before any other step on it",
				(int)p->step->group->name.len, p->step->group->name.at);
	return true;
}

static bool add_group(struct parser *p, struct text name, uint32_t count, bool many)
{
	struct script *script = p->script;
	struct scenario *scenario = p->scenario;
	struct group *group;

	if (script->groups_count == GROUPS_MAX)
		return lex_fail(p, name.at, "no more than %u names", (unsigned int)GROUPS_MAX);
	if (count > CONNECTIONS_MAX - scenario->connections)
		return lex_fail(p, name.at, "no more than %u connections in a scenario",
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

	if (!lex_name(p, &name))
		return false;
	many = p->at < p->end && *p->at == '*';
	if (many) {
		p->at++;
		if (!lex_number(p, 1, CONNECTIONS_MAX, "a number of connections", &count))
			return false;
	}
	if (!lex_at_word_end(p))
		return lex_fail(p, p->at, "a blank or '*COUNT'");
	group = find_group(p, name);
	if (group && any_open(p, group->first, group->count))
		return lex_fail(p, name.at, "a name that is free; '%.*s' is still connected",
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
	return !lex_accept(p, "by") || lex_size32(p, CALL_MAX, &p->step->by);
}

static bool take_then_wr(struct parser *p)
{
	if (!lex_accept(p, "then"))
		return true;
	if (!lex_accept(p, "WR"))
		return lex_fail(p, p->at, "'WR'");
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
	if (lex_accept(p, "rcvbuf") && !lex_size32(p, 1u << 30, &step->rcvbuf))
		return false;
	if (lex_accept(p, "mss") && !lex_size32(p, UINT16_MAX, &step->mss))
		return false;
	if (lex_accept(p, "sndbuf") && !lex_size32(p, 1u << 30, &step->sndbuf))
		return false;
	step->async = lex_accept(p, "async");
	if (!step->async && lex_accept(p, "->")) {
		step->refused = lex_accept(p, "refused");
		if (!step->refused && !lex_accept(p, "connected"))
			return lex_fail(p, p->at, "'connected' or 'refused'");
	}
	set_open(p, !step->refused);
	return lex_finish(
		p, "'rcvbuf SIZE', 'mss SIZE', 'sndbuf SIZE', 'async', '->', in this order,");
}

static bool parse_write(struct parser *p)
{
	struct step *step = p->step;

	if (!take_idle_members(p))
		return false;
	if (lex_accept(p, "pattern")) {
		step->op = STEP_WRITE_PATTERN;
		if (!lex_size(p, SIZE_MAX_BYTES, &step->size))
			return false;
	} else {
		step->op = STEP_WRITE_TEXT;
		lex_skip_blanks(p);
		if (p->at == p->end || *p->at != '"')
			return lex_fail(p, p->at, "\"text\" or 'pattern SIZE'");
		if (!take_data(p))
			return false;
	}
	if (!take_by(p) || !take_then_wr(p))
		return false;
	step->settled = lex_accept(p, "settled");
	return lex_finish(p, "'by SIZE', 'then WR', 'settled', in this order,");
}

static bool parse_urgent(struct parser *p)
{
	p->step->op = STEP_URGENT;
	if (!take_idle_members(p) || !take_data(p))
		return false;
	p->step->settled = lex_accept(p, "settled");
	return lex_finish(p, "'settled'");
}

static bool parse_echo(struct parser *p)
{
	p->step->op = STEP_ECHO;
	if (!take_idle_members(p) || !lex_size(p, SIZE_MAX_BYTES, &p->step->size))
		return false;
	if (!take_by(p) || !take_then_wr(p))
		return false;
	return lex_finish(p, "'by SIZE', 'then WR', in this order,");
}

static bool parse_roundtrips(struct parser *p)
{
	p->step->op = STEP_ROUNDTRIPS;
	return take_idle_members(p) &&
	       lex_number(p, 1, COUNT_MAX, "a number of round trips", &p->step->repeat) &&
	       lex_size(p, SIZE_MAX_BYTES, &p->step->size) && lex_finish(p, "");
}

static bool parse_fill(struct parser *p)
{
	p->step->op = STEP_FILL;
	p->step->size = FILL_MAX_DEFAULT;
	if (!take_idle_members(p))
		return false;
	if (lex_accept(p, "max") && !lex_size(p, SIZE_MAX_BYTES, &p->step->size))
		return false;
	return lex_finish(p, "'max SIZE'");
}

static bool take_observation(struct parser *p)
{
	struct step *step = p->step;

	lex_skip_blanks(p);
	if (p->at < p->end && *p->at == '"') {
		step->op = STEP_READ_TEXT;
		return take_data(p);
	}
	if (lex_accept(p, "pattern")) {
		step->op = STEP_READ_PATTERN;
		return lex_size(p, SIZE_MAX_BYTES, &step->size);
	}
	if (lex_accept(p, "rest"))
		step->op = STEP_READ_REST;
	else if (lex_accept(p, "EOF"))
		step->op = STEP_READ_EOF;
	else if (lex_accept(p, "reset"))
		step->op = STEP_READ_RESET;
	else if (lex_accept(p, "nothing"))
		step->op = STEP_READ_NOTHING;
	else
		return lex_fail(p, p->at,
				"\"text\", 'pattern SIZE', 'rest', 'EOF', 'reset' or 'nothing'");
	return true;
}

static bool parse_read(struct parser *p)
{
	if (!take_idle_members(p) || !take_by(p))
		return false;
	p->step->slowly = lex_accept(p, "slowly");
	if (!lex_accept(p, "->"))
		return lex_fail(p, p->at, "'by SIZE', 'slowly', in this order, or '->'");
	return take_observation(p) && lex_finish(p, "");
}

static bool parse_shutdown(struct parser *p)
{
	struct step *step = p->step;

	step->op = STEP_SHUTDOWN;
	if (!take_idle_members(p))
		return false;
	if (lex_accept(p, "WR"))
		step->shutdown = SHUTDOWN_WR;
	else if (lex_accept(p, "RD"))
		step->shutdown = SHUTDOWN_RD;
	else if (lex_accept(p, "RDWR"))
		step->shutdown = SHUTDOWN_RDWR;
	else
		return lex_fail(p, p->at, "'WR', 'RD' or 'RDWR'");
	step->settled = lex_accept(p, "settled");
	return lex_finish(p, "'settled'");
}

static bool parse_end(struct parser *p, enum step_op op)
{
	p->step->op = op;
	if (!take_idle_members(p))
		return false;
	set_open(p, false);
	return lex_finish(p, "");
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
	lex_skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	group = &p->script->groups[p->step->group - p->script->groups];
	if (group->flood_count > 0)
		return lex_fail(p, start, "'stop %.*s' before another flood on it",
				(int)group->name.len, group->name.at);
	if (p->floods == FLOODS_MAX)
		return lex_fail(p, start, "no more than %u floods at the same time",
				(unsigned int)FLOODS_MAX);
	p->floods++;
	group->flood_first = p->step->first;
	group->flood_count = p->step->count;
	return lex_finish(p, "");
}

static bool parse_stop(struct parser *p)
{
	const char *start;
	struct group *group;

	p->step->op = STEP_STOP;
	lex_skip_blanks(p);
	start = p->at;
	if (!take_members(p))
		return false;
	group = &p->script->groups[p->step->group - p->script->groups];
	if (group->flood_first != p->step->first || group->flood_count != p->step->count)
		return lex_fail(p, start, "what was given to 'flood' before");
	p->floods--;
	group->flood_count = 0;
	return lex_finish(p, "");
}

static bool parse_storm(struct parser *p)
{
	p->step->op = STEP_STORM;
	if (!lex_number(p, 1, COUNT_MAX, "a number of connections", &p->step->repeat))
		return false;
	p->step->reset = lex_accept(p, "reset");
	return lex_finish(p, "'reset'");
}

/* Thousandths of a second from what follows the decimal point; further digits do not count. */
static bool take_thousandths(struct parser *p, uint64_t *ms)
{
	const char *start = p->at;
	uint64_t unit = 100;

	for (; p->at < p->end && lex_is_digit(*p->at); p->at++, unit /= 10)
		*ms += unit * (uint64_t)(*p->at - '0');
	return p->at > start;
}

static bool parse_wait(struct parser *p)
{
	const char *start;
	uint64_t ms;
	bool good;

	p->step->op = STEP_WAIT;
	lex_skip_blanks(p);
	start = p->at;
	good = lex_digits(p, WAIT_MAX_MS / 1000, &ms);
	ms *= 1000;
	if (good && p->at < p->end && *p->at == '.') {
		p->at++;
		good = take_thousandths(p, &ms);
	}
	if (!good || !lex_at_word_end(p) || ms > WAIT_MAX_MS)
		return lex_fail(p, start, "seconds up to %u, such as 0.5",
				(unsigned int)(WAIT_MAX_MS / 1000));
	p->step->wait_ms = (uint32_t)ms;
	return lex_finish(p, "");
}

static bool parse_print(struct parser *p)
{
	p->step->op = STEP_PRINT;
	return lex_string(p, "\"text\"", &p->step->bytes, &p->step->bytes_len) && lex_finish(p, "");
}

static bool parse_run(struct parser *p)
{
	const char *start;
	uint32_t status = 0;

	p->step->op = STEP_RUN;
	lex_skip_blanks(p);
	start = p->at;
	if (!lex_string(p, "\"command\"", &p->step->bytes, &p->step->bytes_len))
		return false;
	if (memchr(p->step->bytes, '\0', p->step->bytes_len))
		return lex_fail(p, start, "a command without \\0");
	if (lex_accept(p, "->") && !lex_number(p, 0, 255, "an exit status", &status))
		return false;
	p->step->status = (int)status;
	return lex_finish(p, "'-> STATUS'");
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
		if (lex_accept(p, verbs[i].word))
			return &verbs[i];
	if (p->scenario->steps_count == 0) /* of which kind it is to be is not known */
		lex_fail(
			p, p->at,
			"a step, such as 'epoll NEW', or 'connect NAME' about a live server (see --help)");
	else
		lex_fail(p, p->at,
			 "a step: connect, write, urgent, echo, roundtrips, fill, read, shutdown, "
			 "close, reset, flood, stop, storm, wait, print or run");
	return NULL;
}

bool live_parse_step(struct parser *p)
{
	struct script *script = p->script;
	const struct verb *verb;

	if (script->steps_count == STEPS_MAX)
		return lex_fail(p, p->at, "no more than %u steps", (unsigned int)STEPS_MAX);
	p->step = &script->steps[script->steps_count];
	*p->step = (struct step){ .line = p->line_number, .source.at = p->at };
	verb = take_verb(p);
	if (!verb || !verb->parse(p))
		return false;
	while (p->end > p->step->source.at && lex_is_blank(p->end[-1]))
		p->end--;
	p->step->source.len = (size_t)(p->end - p->step->source.at);
	p->scenario->steps_count++;
	script->steps_count++;
	return true;
}

bool live_scenario_ends(struct parser *p)
{
	for (uint32_t i = 0; i < p->scenario->groups_count; i++) {
		const struct group *group = &p->script->groups[p->scenario->groups_first + i];

		if (group->flood_count > 0)
			return lex_fail(p, p->line, "'stop %.*s' before the scenario ends",
					(int)group->name.len, group->name.at);
	}
	return true;
}
