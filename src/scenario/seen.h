/*
 * What comes of a call, as any world tells it and as a scenario expects it. It is written in one
 * way, which the parser reads again: so what --show prints, what a failure names and what a fuzzer
 * found can be pasted back into a scenario.
 *
 *      (nothing right of ->)   it succeeded
 *      ENOENT                  the errno (errno(3))
 *      3                       a count; what was read from an eventfd or timerfd
 *      "text"   10 bytes       what was read; EOF: the end of the stream
 *      a IN|OUT, b HUP         events in their order: the label given at ADD or MOD, the mask
 *      IN|OUT                  a mask
 *      nothing                 no event; an empty mask
 *      connected               another word that the call's description lists
 */
#ifndef SCENARIO_SEEN_H
#define SCENARIO_SEEN_H

#include "note.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SEEN_EVENTS_MAX = 16,
	SEEN_TEXT_MAX = 64, /* longer ones are told by their length */
	SEEN_LABEL_UNKNOWN = 0xffff
};

enum seen_kind {
	SEEN_DONE = 1,
	SEEN_ERRNO,
	SEEN_COUNT,
	SEEN_BYTES,
	SEEN_END,
	SEEN_EVENTS,
	SEEN_MASK,
	SEEN_WORD
};

/* Words that are neither masks nor numbers. */
enum seen_word {
	WORD_CONNECTED = 1,
	WORD_PENDING,
	WORD_REFUSED,
	WORD_NONE,   /* no error is pending on the socket */
	WORD_ASLEEP, /* a thread is blocked */
	WORD_AWAKE,  /* it is not */
	WORD_COUNT
};

struct seen_event {
	uint32_t mask;
	uint16_t label; /* a name of the scenario, by its index */
};

struct seen {
	enum seen_kind kind;
	int error;
	int64_t count; /* COUNT, and BYTES: how many */
	uint32_t mask;
	enum seen_word word;
	bool has_text; /* BYTES: the bytes themselves are known, or expected */
	uint8_t text[SEEN_TEXT_MAX];
	uint32_t events_count;
	struct seen_event events[SEEN_EVENTS_MAX];
};

bool seen_same(const struct seen *expected, const struct seen *seen);

/* `names` are those of the scenario. */
void seen_describe(struct note *note, const struct seen *seen, const struct text *names);

const char *seen_word_name(enum seen_word word);

#endif
