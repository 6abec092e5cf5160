#include "note.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void note_clear(struct note *note)
{
	note->len = 0;
	note->text[0] = '\0';
}

void note_add(struct note *note, const char *format, ...)
{
	size_t room = sizeof note->text - note->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(note->text + note->len, room, format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len < room) {
		note->len += (size_t)len;
		return;
	}
	note->len = sizeof note->text - 1;
	memcpy(note->text + note->len - 3, "...", 3);
}

static void add_byte(struct note *note, uint8_t byte)
{
	if (byte == '\r')
		note_add(note, "\\r");
	else if (byte == '\n')
		note_add(note, "\\n");
	else if (byte == '\t')
		note_add(note, "\\t");
	else if (byte < ' ' || byte == 0x7f)
		note_add(note, "\\x%02x", byte);
	else
		note_add(note, "%c", byte);
}

void note_quote(struct note *note, const uint8_t *bytes, size_t len)
{
	size_t shown = len < NOTE_QUOTE_MAX ? len : NOTE_QUOTE_MAX;

	note_add(note, "\"");
	for (size_t i = 0; i < shown; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			note_add(note, "\\%c", bytes[i]);
		else if (bytes[i] >= 0x80)
			note_add(note, "\\x%02x", bytes[i]);
		else
			add_byte(note, bytes[i]);
	}
	note_add(note, shown < len ? "\"... (%zu bytes)" : "\"", len);
}

void note_plain(struct note *note, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add_byte(note, bytes[i]);
}

void note_ms(struct note *note, int64_t ms)
{
	if (ms % 1000 == 0)
		note_add(note, "%" PRId64 " s", ms / 1000);
	else
		note_add(note, "%" PRId64 " ms", ms);
}

void note_size(struct note *note, uint64_t size)
{
	static const char unit[] = { 'G', 'M', 'K' };

	for (unsigned int i = 0; i < sizeof unit; i++) {
		uint64_t factor = UINT64_C(1) << (30 - 10 * i);

		if (size > 0 && size % factor == 0) {
			note_add(note, "%" PRIu64 "%c", size / factor, unit[i]);
			return;
		}
	}
	note_add(note, "%" PRIu64, size);
}
