/*
 * What the parts of the parser share: the place in the text, and the scenario in work. Functions
 * that take something off the line return false when something else stands there; the error is
 * told then.
 */
#ifndef SCENARIO_PARSER_H
#define SCENARIO_PARSER_H

#include "parse.h"

struct parser {
	struct script *script;
	struct parse_error *error;
	const char *file;
	const char *line, *at, *end; /* the line, what comes next in it, and its end */
	uint32_t line_number;
	struct text heading; /* waits for its first step; len 0: none */
	uint32_t heading_line;
	struct scenario *scenario; /* NULL: no step yet under this heading */
	struct step *step;         /* of a scenario about a live server */
	struct call *call;         /* or of one about descriptors */
	uint32_t floods;
	bool open[CONNECTIONS_MAX]; /* of the scenario */
};

/* lexer.c. Errors name the place where something else should have been. Always false. */
bool lex_fail(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool lex_is_blank(char c);
bool lex_is_digit(char c);
void lex_skip_blanks(struct parser *p);
bool lex_at_word_end(const struct parser *p);

/* Takes the word if it comes next; otherwise nothing has happened, and no error is told. */
bool lex_accept(struct parser *p, const char *word);

/* The end of a step. What may stand there instead is said for the sake of the message. */
bool lex_finish(struct parser *p, const char *instead);

/* Takes digits; false where there is none or the number exceeds max. No error is told. */
bool lex_digits(struct parser *p, uint64_t max, uint64_t *number);
bool lex_number(struct parser *p, uint32_t min, uint32_t max, const char *what, uint32_t *number);
bool lex_size(struct parser *p, uint64_t max, uint64_t *size);
bool lex_size32(struct parser *p, uint32_t max, uint32_t *size);
bool lex_string(struct parser *p, const char *what, const uint8_t **bytes, size_t *len);
bool lex_name(struct parser *p, struct text *name);

/* parse_live.c and parse_call.c: a step of either kind, from its verb on. */
bool live_parse_step(struct parser *p);
bool live_scenario_ends(struct parser *p);
bool call_parse_step(struct parser *p);

/* Whether the step that comes next is the first of a scenario about descriptors. */
bool call_opens(struct parser *p);

#endif
