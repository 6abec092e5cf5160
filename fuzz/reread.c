#include "reread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 9, DAY_MS = 86400000 };

bool reread_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && errno != ERANGE &&
	       *number >= least && *number <= most;
}

/* Which of these letters it is, counted from 1; 0: none. */
static unsigned letter_of(const char *letters, char letter)
{
	const char *found = letter != '\0' ? strchr(letters, letter) : NULL;

	return found != NULL ? (unsigned)(found - letters) + 1 : 0;
}

bool reread_size(const char *text, uint64_t *size)
{
	size_t digits = strspn(text, "0123456789");
	unsigned big = letter_of("KMG", text[digits]), small = letter_of("kmg", text[digits]);
	const char *behind = text + digits + (big + small > 0);

	errno = 0;
	*size = strtoull(text, NULL, 10);
	if (digits == 0 || errno == ERANGE || *size == 0)
		return false;
	for (unsigned power = big + small; power > 0; power--)
		if (__builtin_mul_overflow(*size, UINT64_C(1024), size))
			return false;
	return *behind == '\0' || (big > 0 && strcmp(behind, "iB") == 0) ||
	       (big + small == 0 && strcmp(behind, "B") == 0);
}

bool reread_seconds(const char *text, uint64_t *ms)
{
	size_t whole = strspn(text, "0123456789"), parts = 0;
	char thousandths[DIGITS_MAX];

	if (whole == 0)
		return false;
	if (text[whole] == '.') {
		parts = strspn(text + whole + 1, "0123456789");
		if (parts == 0 || parts > 3 || text[whole + 1 + parts] != '\0')
			return false;
	} else if (text[whole] != '\0') {
		return false;
	}
	snprintf(thousandths, sizeof(thousandths), "%.*s000", (int)parts,
		 parts > 0 ? text + whole + 1 : "");
	thousandths[3] = '\0';
	errno = 0;
	*ms = strtoull(text, NULL, 10);
	if (errno == ERANGE || *ms > DAY_MS)
		return false;
	*ms = *ms * 1000 + strtoull(thousandths, NULL, 10);
	return *ms <= DAY_MS;
}

bool reread_is_name(const char *text, size_t size, size_t digits)
{
	size_t length = strlen(text);
	const char *percent = text;

	while ((percent = strchr(percent, '%')) != NULL) {
		if (percent[1] != '%' && percent[1] != 'p')
			return false;
		length = length - 2 + (percent[1] == 'p' ? digits : 1);
		percent += 2;
	}
	return length > 0 && length < size;
}

bool reread_is_line(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return length > 0 && length < size;
}

/* The character that an escape stands for, where it is a single letter. */
static int escaped(char letter)
{
	switch (letter) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
		return '\0';
	case '"':
	case '\\':
		return letter;
	default:
		return -1;
	}
}

bool reread_spells(const char *source, size_t source_len, const uint8_t *text, size_t text_len)
{
	const char *at = memchr(source, '"', source_len), *end = source + source_len;
	size_t used = 0;

	if (at == NULL)
		return false;
	for (at++; at < end && *at != '"'; used++) {
		char hex[3] = { 0 };
		int byte = (uint8_t)*at++;

		if (byte == '\\' && end - at >= 3 && *at == 'x') {
			memcpy(hex, at + 1, 2);
			byte = (int)strtoul(hex, NULL, 16);
			at += 3;
		} else if (byte == '\\') {
			byte = at < end ? escaped(*at++) : -1;
		}
		if (used == text_len || byte != text[used])
			return false;
	}
	return at < end && used == text_len;
}
