#include "parser.h"

#include <string.h>

static bool open_scenario(struct parser *p)
{
	struct script *script = p->script;

	if (p->heading.len == 0)
		return lex_fail(
			p, p->at,
			"a heading '# name' at the start of the file or after a blank line");
	if (script->scenarios_count == SCENARIOS_MAX)
		return lex_fail(p, p->at, "no more than %u scenarios", (unsigned int)SCENARIOS_MAX);
	p->scenario = &script->scenarios[script->scenarios_count++];
	*p->scenario = (struct scenario){
		.file = p->file,
		.name = p->heading,
		.line = p->heading_line,
		.steps_first = script->steps_count,
		.groups_first = script->groups_count,
		.of_calls = call_opens(p),
		.calls_first = script->calls_count,
		.names_first = script->names_count,
	};
	memset(p->open, 0, sizeof p->open);
	return true;
}

static bool close_scenario(struct parser *p)
{
	if (p->scenario && !p->scenario->of_calls && !live_scenario_ends(p))
		return false;
	p->scenario = NULL;
	p->heading.len = 0;
	return true;
}

static bool parse_step(struct parser *p)
{
	if (!p->scenario && !open_scenario(p))
		return false;
	return p->scenario->of_calls ? call_parse_step(p) : live_parse_step(p);
}

static bool parse_heading(struct parser *p)
{
	if (!close_scenario(p))
		return false;
	p->at++;
	lex_skip_blanks(p);
	while (p->end > p->at && lex_is_blank(p->end[-1]))
		p->end--;
	p->heading = (struct text){ p->at, (size_t)(p->end - p->at) };
	p->heading_line = p->line_number;
	return true;
}

/* Tells in *blank whether the line was, since that is what makes a heading of the next. */
static bool parse_line(struct parser *p, bool *blank)
{
	bool after_blank = *blank;

	lex_skip_blanks(p);
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
	       lex_fail(&p, end, "a scenario: a heading '# name' and a step");
}
