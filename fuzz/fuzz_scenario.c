/*
 * Property: every text is taken as scenarios or refused with a place inside it and what was
 * expected there. What was taken has one step for each line that is none of blank, comment and
 * heading; all its numbers are inside their limits and tables, its texts are inside the input and
 * say what that spells; and the same text is taken, or refused, in the same way again.
 */
#include <string.h>

#include "reread.h"
#include "oracle.h"
#include "scenario/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct script script, again;

static bool read(struct script *s, const char *text, size_t len, struct parse_error *error)
{
	s->scenarios_count = s->steps_count = s->groups_count = 0;
	s->calls_count = s->names_count = 0;
	s->bytes_used = 0;
	memset(error, 'x', sizeof(*error));
	return parse(s, "input", text, len, error);
}

/* The line with that number, counted from 1, without its newline; behind the last one, an empty
 * one. */
static struct text line_of(const char *text, size_t len, uint32_t number)
{
	const char *end = text + len, *newline;

	for (; number > 1; number--) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (newline == NULL)
			return (struct text){ end, 0 };
		text = newline + 1;
	}
	newline = memchr(text, '\n', (size_t)(end - text));
	return (struct text){ text, (size_t)((newline != NULL ? newline : end) - text) };
}

static uint32_t count_lines(const char *text, size_t len)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

/* The end of the input is a place in it too, behind its last line. */
static void check_refused(const char *text, size_t len, const struct parse_error *error)
{
	CHECK(error->line >= 1 && error->line <= count_lines(text, len) + 1, "scenario-line");
	CHECK(error->column >= 1 && error->column <= line_of(text, len, error->line).len + 1,
	      "scenario-column");
	CHECK(reread_is_line(error->expected, sizeof(error->expected)), "scenario-expected");
}

static bool within(struct text inner, const char *text, size_t len)
{
	return inner.at >= text && inner.len <= len && (size_t)(inner.at - text) <= len - inner.len;
}

static bool is_data(enum step_op op)
{
	return op == STEP_WRITE_TEXT || op == STEP_URGENT || op == STEP_READ_TEXT;
}

static bool is_sized(enum step_op op)
{
	return op == STEP_WRITE_PATTERN || op == STEP_READ_PATTERN || op == STEP_ECHO ||
	       op == STEP_ROUNDTRIPS || op == STEP_FILL;
}

static void check_numbers(const struct step *s)
{
	CHECK(s->op > STEP_NONE && s->op < STEP_COUNT, "scenario-op");
	CHECK(is_sized(s->op) == (s->size >= 1) && s->size <= SIZE_MAX_BYTES, "scenario-size");
	CHECK(s->by <= CALL_MAX, "scenario-by");
	CHECK((s->op == STEP_ROUNDTRIPS || s->op == STEP_STORM) == (s->repeat >= 1),
	      "scenario-repeat");
	CHECK(s->repeat <= COUNT_MAX, "scenario-repeat");
	CHECK(s->wait_ms <= WAIT_MAX_MS, "scenario-wait");
	CHECK(s->status >= 0 && s->status <= 255, "scenario-status");
	CHECK((s->op == STEP_SHUTDOWN) == (s->shutdown != SHUTDOWN_NONE), "scenario-shutdown");
	CHECK(s->rcvbuf <= 1u << 30 && s->sndbuf <= 1u << 30 && s->mss <= UINT16_MAX,
	      "scenario-connect");
	CHECK(!(s->async && s->refused), "scenario-connect");
}

static void check_bytes(const struct step *s, size_t *used)
{
	bool texted = is_data(s->op) || s->op == STEP_PRINT || s->op == STEP_RUN;

	CHECK(texted == (s->bytes != NULL), "scenario-bytes");
	if (!texted)
		return;
	CHECK(s->bytes == script.bytes + *used, "scenario-bytes");
	CHECK(s->bytes_len >= 1 || !is_data(s->op), "scenario-bytes");
	CHECK(reread_spells(s->source.at, s->source.len, s->bytes, s->bytes_len),
	      "scenario-spelling");
	CHECK(s->op != STEP_RUN || memchr(s->bytes, '\0', s->bytes_len) == NULL,
	      "scenario-command");
	*used += s->bytes_len;
}

static void check_members(const struct scenario *scenario, const struct step *s)
{
	const struct group *g = s->group;
	bool alone = s->op == STEP_STORM || s->op == STEP_WAIT || s->op == STEP_PRINT ||
		     s->op == STEP_RUN;

	CHECK(alone == (g == NULL), "scenario-members");
	if (g == NULL)
		return;
	CHECK(g >= &script.groups[scenario->groups_first] &&
		      g < &script.groups[scenario->groups_first + scenario->groups_count],
	      "scenario-group");
	CHECK(s->count >= 1 && s->first >= g->first && s->first + s->count <= g->first + g->count,
	      "scenario-members");
	CHECK(s->count == g->count || s->count == 1, "scenario-members");
}

static void check_groups(const struct scenario *scenario, const char *text, size_t len)
{
	uint32_t connections = 0;

	for (uint32_t i = 0; i < scenario->groups_count; i++) {
		const struct group *g = &script.groups[scenario->groups_first + i];

		CHECK(within(g->name, text, len) && g->name.len >= 1 && g->name.len <= NAME_MAX_LEN,
		      "scenario-name");
		CHECK(g->first == connections && g->count >= 1, "scenario-group");
		CHECK(g->count == 1 || g->many, "scenario-group");
		CHECK(g->flood_count == 0, "scenario-flood");
		connections += g->count;
	}
	CHECK(connections == scenario->connections && connections <= CONNECTIONS_MAX,
	      "scenario-group");
}

/* What is left of a line between blanks. */
static struct text trimmed(struct text line)
{
	for (; line.len > 0 && strchr(" \t\r", *line.at) != NULL && *line.at != '\0'; line.at++)
		line.len--;
	while (line.len > 0 && line.at[line.len - 1] != '\0' &&
	       strchr(" \t\r", line.at[line.len - 1]) != NULL)
		line.len--;
	return line;
}

/* The line number of the next step: the next line that says something. */
static struct text next_step(const char *text, size_t len, size_t *at, uint32_t *line)
{
	while (*at < len) {
		struct text rest = line_of(text + *at, len - *at, 1);

		*at += rest.len + 1;
		(*line)++;
		rest = trimmed(rest);
		if (rest.len > 0 && *rest.at != '#')
			return rest;
	}
	return (struct text){ NULL, 0 };
}

/* Steps about descriptors: every name that they use is one of their scenario. */
static void check_call(const struct scenario *scenario, const struct call *c, size_t *used)
{
	uint32_t names = scenario->names_count;

	CHECK(c->op > CALL_NONE && c->op < CALL_COUNT, "call-op");
	CHECK(c->fds_count <= CALL_FDS_MAX, "call-descriptors");
	CHECK(c->label < names || c->label == SEEN_LABEL_UNKNOWN, "call-label");
	if (c->bytes != NULL) {
		CHECK(c->bytes == script.bytes + *used, "call-bytes");
		*used += c->bytes_len;
	}
	if (!c->judged)
		return;
	CHECK(c->expected.kind >= SEEN_DONE && c->expected.kind <= SEEN_WORD, "call-expected");
	CHECK(c->expected.events_count <= SEEN_EVENTS_MAX, "call-expected");
	CHECK(!c->expected.has_text || c->expected.count <= SEEN_TEXT_MAX, "call-expected");
	for (uint32_t i = 0; i < c->expected.events_count; i++)
		CHECK(c->expected.events[i].label < names, "call-label");
}

static void check_taken(const char *text, size_t len)
{
	uint32_t steps = 0, calls = 0, groups = 0, names = 0, line = 0;
	size_t used = 0, at = 0;

	CHECK(script.scenarios_count >= 1 && script.scenarios_count <= SCENARIOS_MAX,
	      "scenario-tables");
	for (uint32_t i = 0; i < script.scenarios_count; i++) {
		const struct scenario *c = &script.scenarios[i];

		CHECK(c->steps_first == steps && c->calls_first == calls, "scenario-tables");
		CHECK((c->steps_count == 0) == c->of_calls, "scenario-tables");
		CHECK((c->calls_count >= 1) == c->of_calls, "scenario-tables");
		CHECK(c->groups_first == groups && c->names_first == names, "scenario-tables");
		CHECK(c->names_count <= CALL_NAMES_MAX, "scenario-tables");
		CHECK(within(c->name, text, len) && c->name.len > 0, "scenario-heading");
		CHECK(c->line < (c->of_calls ? script.calls[calls].line
					     : script.steps[steps].line) &&
			      line_of(text, len, c->line).len > c->name.len,
		      "scenario-heading");
		check_groups(c, text, len);
		for (; steps < c->steps_first + c->steps_count; steps++) {
			const struct step *s = &script.steps[steps];
			struct text source = next_step(text, len, &at, &line);

			CHECK(s->line == line && s->source.at == source.at, "scenario-steps");
			CHECK(s->source.len >= 1 && s->source.len <= source.len, "scenario-steps");
			check_numbers(s);
			check_members(c, s);
			check_bytes(s, &used);
		}
		for (; calls < c->calls_first + c->calls_count; calls++) {
			const struct call *s = &script.calls[calls];
			struct text source = next_step(text, len, &at, &line);

			CHECK(s->line == line && s->source.at == source.at, "scenario-steps");
			CHECK(s->source.len >= 1 && s->source.len <= source.len, "scenario-steps");
			check_call(c, s, &used);
		}
		groups += c->groups_count;
		names += c->names_count;
	}
	CHECK(calls == script.calls_count && calls <= CALLS_MAX, "scenario-tables");
	CHECK(names == script.names_count && names <= NAMES_MAX, "scenario-tables");
	CHECK(steps == script.steps_count && steps <= STEPS_MAX, "scenario-tables");
	CHECK(groups == script.groups_count && groups <= GROUPS_MAX, "scenario-tables");
	CHECK(used == script.bytes_used && used <= SCRIPT_TEXT_MAX, "scenario-tables");
	CHECK(next_step(text, len, &at, &line).at == NULL, "scenario-steps");
}

static bool same_step(const struct step *a, const struct step *b)
{
	return a->op == b->op && a->line == b->line && a->source.at == b->source.at &&
	       a->source.len == b->source.len && (a->group == NULL) == (b->group == NULL) &&
	       (a->group == NULL || a->group - script.groups == b->group - again.groups) &&
	       a->first == b->first && a->count == b->count && a->bytes_len == b->bytes_len &&
	       a->size == b->size && a->by == b->by && a->repeat == b->repeat &&
	       a->rcvbuf == b->rcvbuf && a->mss == b->mss && a->sndbuf == b->sndbuf &&
	       a->wait_ms == b->wait_ms && a->status == b->status && a->shutdown == b->shutdown &&
	       a->async == b->async && a->refused == b->refused && a->settled == b->settled &&
	       a->slowly == b->slowly && a->then_wr == b->then_wr && a->reset == b->reset;
}

static void check_same(void)
{
	CHECK(script.scenarios_count == again.scenarios_count, "scenario-differs");
	CHECK(script.steps_count == again.steps_count, "scenario-differs");
	CHECK(script.groups_count == again.groups_count, "scenario-differs");
	CHECK(script.bytes_used == again.bytes_used, "scenario-differs");
	CHECK(memcmp(script.bytes, again.bytes, script.bytes_used) == 0, "scenario-differs");
	CHECK(script.calls_count == again.calls_count, "scenario-differs");
	for (uint32_t i = 0; i < script.calls_count; i++)
		CHECK(script.calls[i].op == again.calls[i].op &&
			      script.calls[i].mask == again.calls[i].mask &&
			      script.calls[i].judged == again.calls[i].judged,
		      "scenario-differs");
	for (uint32_t i = 0; i < script.steps_count; i++)
		CHECK(same_step(&script.steps[i], &again.steps[i]), "scenario-differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "";
	struct parse_error error, error_again;
	bool taken = read(&script, text, size, &error);

	CHECK(taken == read(&again, text, size, &error_again), "scenario-differs");
	if (taken) {
		check_taken(text, size);
		check_same();
	} else {
		check_refused(text, size, &error);
		CHECK(error.line == error_again.line && error.column == error_again.column &&
			      strcmp(error.expected, error_again.expected) == 0,
		      "scenario-differs");
	}
	return 0;
}
