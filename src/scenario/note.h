/*
 * A line of text that is put together piece by piece, and ends in "..." rather than overflow.
 */
#ifndef SCENARIO_NOTE_H
#define SCENARIO_NOTE_H

#include <stddef.h>
#include <stdint.h>

enum {
	NOTE_MAX = 1024,
	NOTE_QUOTE_MAX = 64 /* bytes of data that are worth printing */
};

struct note {
	size_t len;
	char text[NOTE_MAX]; /* ends in NUL */
};

void note_clear(struct note *note);
void note_add(struct note *note, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds bytes as a scenario would write them: "ab\r\n\x00", at most NOTE_QUOTE_MAX of them. */
void note_quote(struct note *note, const uint8_t *bytes, size_t len);

/* Adds text, with what is not printable ASCII or UTF-8 escaped: it stays one line. */
void note_plain(struct note *note, const uint8_t *bytes, size_t len);

/* Adds a duration: "20 s", "300 ms". */
void note_ms(struct note *note, int64_t ms);

/* Adds a size as a scenario would write it: "256M", "1000". */
void note_size(struct note *note, uint64_t size);

#endif
