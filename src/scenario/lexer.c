#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "parser.h"

bool lex_fail(struct parser *p, const char *at, const char *format, ...)
{
	va_list args;

	p->error->line = p->line_number;
	p->error->column = (uint32_t)(at - p->line) + 1;
	va_start(args, format);
	vsnprintf(p->error->expected, sizeof p->error->expected, format, args);
	va_end(args);
	return false;
}

bool lex_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool lex_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void lex_skip_blanks(struct parser *p)
{
	while (p->at < p->end && lex_is_blank(*p->at))
		p->at++;
}

bool lex_at_word_end(const struct parser *p)
{
	return p->at == p->end || lex_is_blank(*p->at);
}

bool lex_accept(struct parser *p, const char *word)
{
	size_t len = strlen(word);
	const char *start;

	lex_skip_blanks(p);
	start = p->at;
	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	if (lex_at_word_end(p))
		return true;
	p->at = start;
	return false;
}

bool lex_finish(struct parser *p, const char *instead)
{
	lex_skip_blanks(p);
	if (p->at == p->end ||
	    (p->at[0] == '#' && (p->at + 1 == p->end || lex_is_blank(p->at[1])))) {
		p->end = p->at;
		return true;
	}
	return lex_fail(p, p->at, "%s%sthe end of the line", instead, *instead ? " or " : "");
}

bool lex_digits(struct parser *p, uint64_t max, uint64_t *number)
{
	const char *start = p->at;

	*number = 0;
	for (; p->at < p->end && lex_is_digit(*p->at); p->at++) {
		*number = *number * 10 + (uint64_t)(*p->at - '0');
		if (*number > max)
			return false;
	}
	return p->at > start;
}

bool lex_number(struct parser *p, uint32_t min, uint32_t max, const char *what, uint32_t *number)
{
	const char *start;
	uint64_t value;

	lex_skip_blanks(p);
	start = p->at;
	if (!lex_digits(p, max, &value) || value < min || !lex_at_word_end(p))
		return lex_fail(p, start, "%s from %u to %u", what, (unsigned int)min,
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

bool lex_size(struct parser *p, uint64_t max, uint64_t *size)
{
	const char *start;
	unsigned int shift;

	lex_skip_blanks(p);
	start = p->at;
	if (lex_digits(p, max, size)) {
		shift = take_unit(p);
		if (*size > 0 && *size <= max >> shift && lex_at_word_end(p)) {
			*size <<= shift;
			return true;
		}
	}
	if (max >= 1 << 30)
		return lex_fail(p, start, "a size from 1 to %uG, such as 64K",
				(unsigned int)(max >> 30));
	return lex_fail(p, start, "a size from 1 to %uK, such as 1K", (unsigned int)(max >> 10));
}

bool lex_size32(struct parser *p, uint32_t max, uint32_t *size)
{
	uint64_t value;

	if (!lex_size(p, max, &value))
		return false;
	*size = (uint32_t)value;
	return true;
}

static int hex_digit(const struct parser *p, const char *at)
{
	if (at >= p->end)
		return -1;
	if (lex_is_digit(*at))
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
		return lex_fail(p, p->at - 1, "one of the escapes \\r \\n \\t \\0 \\xHH \\\" \\\\");
	*byte = (uint8_t)(high * 16 + low);
	p->at += 3;
	return true;
}

bool lex_string(struct parser *p, const char *what, const uint8_t **bytes, size_t *len)
{
	struct script *script = p->script;
	uint8_t byte;

	lex_skip_blanks(p);
	if (p->at == p->end || *p->at != '"')
		return lex_fail(p, p->at, "%s", what);
	p->at++;
	*bytes = script->bytes + script->bytes_used;
	*len = 0;
	while (p->at < p->end && *p->at != '"') {
		byte = (uint8_t)*p->at++;
		if (byte == '\\' && !take_escape(p, &byte))
			return false;
		if (script->bytes_used == sizeof script->bytes)
			return lex_fail(p, p->at, "no more than %u bytes of text",
					(unsigned int)SCRIPT_TEXT_MAX);
		script->bytes[script->bytes_used++] = byte;
		++*len;
	}
	if (p->at == p->end)
		return lex_fail(p, p->at, "'\"' at the end of the text");
	p->at++;
	if (!lex_at_word_end(p))
		return lex_fail(p, p->at, "a blank after the text");
	return true;
}

bool lex_name(struct parser *p, struct text *name)
{
	lex_skip_blanks(p);
	name->at = p->at;
	if (p->at < p->end && is_letter(*p->at))
		while (p->at < p->end && (is_letter(*p->at) || lex_is_digit(*p->at) ||
					  *p->at == '_' || *p->at == '-'))
			p->at++;
	name->len = (size_t)(p->at - name->at);
	if (name->len == 0 || name->len > NAME_MAX_LEN)
		return lex_fail(p, name->at, "a name of 1 to %u letters, digits, '_' or '-'",
				(unsigned int)NAME_MAX_LEN);
	return true;
}
