#include "seen.h"

#include <inttypes.h>
#include <string.h>

#include "words.h"

static bool same_events(const struct seen *a, const struct seen *b)
{
	if (a->events_count != b->events_count)
		return false;
	for (uint32_t i = 0; i < a->events_count; i++)
		if (a->events[i].label != b->events[i].label ||
		    a->events[i].mask != b->events[i].mask)
			return false;
	return true;
}

static bool same_bytes(const struct seen *expected, const struct seen *seen)
{
	if (expected->count != seen->count)
		return false;
	return !expected->has_text ||
	       (seen->has_text && memcmp(expected->text, seen->text, (size_t)seen->count) == 0);
}

bool seen_same(const struct seen *expected, const struct seen *seen)
{
	if (expected->kind != seen->kind)
		return false;
	switch (expected->kind) {
	case SEEN_DONE:
	case SEEN_END:
		return true;
	case SEEN_ERRNO:
		return expected->error == seen->error;
	case SEEN_COUNT:
		return expected->count == seen->count;
	case SEEN_BYTES:
		return same_bytes(expected, seen);
	case SEEN_EVENTS:
		return same_events(expected, seen);
	case SEEN_MASK:
		return expected->mask == seen->mask;
	case SEEN_WORD:
		return expected->word == seen->word;
	}
	return false;
}

const char *seen_word_name(enum seen_word word)
{
	static const char *const names[WORD_COUNT] = {
		[WORD_CONNECTED] = "connected", [WORD_PENDING] = "pending",
		[WORD_REFUSED] = "refused",     [WORD_NONE] = "none",
		[WORD_ASLEEP] = "asleep",       [WORD_AWAKE] = "awake",
	};

	return names[word];
}

static void describe_events(struct note *note, const struct seen *seen, const struct text *names)
{
	for (uint32_t i = 0; i < seen->events_count; i++) {
		const struct seen_event *event = &seen->events[i];
		const struct text *name = &names[event->label];

		if (event->label == SEEN_LABEL_UNKNOWN)
			note_add(note, "%sunknown ", i > 0 ? ", " : "");
		else
			note_add(note, "%s%.*s ", i > 0 ? ", " : "", (int)name->len, name->at);
		words_add_mask(note, event->mask);
	}
}

void seen_describe(struct note *note, const struct seen *seen, const struct text *names)
{
	switch (seen->kind) {
	case SEEN_DONE:
		note_add(note, "done");
		break;
	case SEEN_ERRNO:
		words_add_errno(note, seen->error);
		break;
	case SEEN_COUNT:
		note_add(note, "%" PRId64, seen->count);
		break;
	case SEEN_BYTES:
		if (seen->has_text)
			note_quote(note, seen->text, (size_t)seen->count);
		else
			note_add(note, "%" PRId64 " bytes", seen->count);
		break;
	case SEEN_END:
		note_add(note, "EOF");
		break;
	case SEEN_EVENTS:
		if (seen->events_count == 0)
			note_add(note, "nothing");
		describe_events(note, seen, names);
		break;
	case SEEN_MASK:
		if (seen->mask == 0)
			note_add(note, "nothing");
		else
			words_add_mask(note, seen->mask);
		break;
	case SEEN_WORD:
		note_add(note, "%s", seen_word_name(seen->word));
		break;
	}
}
