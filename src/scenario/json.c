#include "json.h"

#include <stdint.h>
#include <stdio.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Characters by their first byte, with the bounds of the second: RFC 3629, section 4. */
static const struct {
	uint8_t first, last, second_min, second_max, length;
} kinds[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Bytes of the character that begins there; 0: none does. */
static size_t character(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (at[0] < kinds[i].first || at[0] > kinds[i].last)
			continue;
		if (kinds[i].length > len)
			return 0;
		if (kinds[i].length > 1 &&
		    (at[1] < kinds[i].second_min || at[1] > kinds[i].second_max))
			return 0;
		for (size_t j = 2; j < kinds[i].length; j++)
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		return kinds[i].length;
	}
	return 0;
}

/* Quotes, backslashes and control characters have to be escaped. */
static void put_character(const char *at, size_t len)
{
	if ((uint8_t)*at < ' ')
		printf("\\u%04x", (unsigned int)*at);
	else if (*at == '"' || *at == '\\')
		printf("\\%c", *at);
	else
		fwrite(at, 1, len, stdout);
}

void json_put(const char *at, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len;) {
		size_t length = character((const uint8_t *)at + i, len - i);

		if (length == 0)
			fputs(replacement, stdout);
		else
			put_character(at + i, length);
		i += length == 0 ? 1 : length;
	}
	putchar('"');
}
