#include "text.h"

#include "text_words.h"

struct room {
	char *at, *end;
	bool full;
};

static void put_char(struct room *r, char c)
{
	if (r->at == r->end)
		r->full = true;
	else
		*r->at++ = c;
}

static void put_word(struct room *r, const char *word)
{
	for (; *word != '\0'; word++)
		put_char(r, *word);
}

static void put_number(struct room *r, uint64_t number, unsigned base)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	while (count > 0)
		put_char(r, digits[--count]);
}

static void put_signed(struct room *r, int64_t number)
{
	if (number < 0)
		put_char(r, '-');
	put_number(r, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10);
}

/* Ends the text by NUL. */
static size_t finish(struct room *r, const char *text)
{
	put_char(r, '\0');
	return r->full ? 0 : (size_t)(r->at - text) - 1;
}

size_t steps_print_head(char *text, size_t room, const struct echo_config *config,
			uint64_t start_ms)
{
	struct steps_head head = { *config, start_ms };
	struct room r = { text, text + room, false };

	put_word(&r, "run ");
	put_number(&r, STEPS_TEXT_VERSION, 10);
	for (uint32_t i = 0; i < STEPS_FIELDS_COUNT; i++) {
		put_char(&r, '\n');
		put_word(&r, steps_fields[i].name);
		put_char(&r, ' ');
		put_number(&r, steps_field_get(&head, &steps_fields[i]), 10);
	}
	put_word(&r, "\n\n");
	return finish(&r, text);
}

static void put_whom(struct room *r, const struct steps_event *event)
{
	if (event->whom == STEPS_WHOM_LISTENER) {
		put_word(r, "listener ");
		return;
	}
	if (event->whom == STEPS_WHOM_TOKEN) {
		put_word(r, "token 0x");
		put_number(r, event->token, 16);
	} else {
		put_char(r, 'c');
		put_number(r, event->whom, 10);
	}
	put_char(r, ' ');
}

static void put_event(struct room *r, const struct steps_event *event)
{
	bool first = true;

	put_whom(r, event);
	for (uint32_t i = 0; i < STEPS_READINESS_COUNT; i++) {
		if ((event->readiness & steps_readiness[i].bit) == 0)
			continue;
		if (!first)
			put_char(r, '|');
		put_word(r, steps_readiness[i].name);
		first = false;
	}
	if (first)
		put_word(r, "NONE");
}

static void put_comma(struct room *r, bool *first)
{
	if (!*first)
		put_word(r, ", ");
	*first = false;
}

/* What a wait brought. */
static void put_brought(struct room *r, const struct step *step)
{
	bool first = true;

	if (step->outcome != ECHO_DONE) {
		put_comma(r, &first);
		put_word(r, echo_outcome_name(step->outcome));
	}
	for (uint32_t i = 0; i < step->events_count; i++) {
		put_comma(r, &first);
		put_event(r, &step->events[i]);
	}
	for (uint32_t i = 0; i < STEPS_REQUESTS_COUNT; i++) {
		if ((step->requests & steps_requests[i].bit) == 0)
			continue;
		put_comma(r, &first);
		put_word(r, steps_requests[i].name);
	}
	if (first)
		put_word(r, "nothing");
}

size_t steps_print(char *text, size_t room, const struct step *step)
{
	struct room r = { text, text + room, false };

	put_word(&r, echo_op_name(step->op));
	if (step->op == ECHO_OP_WAIT) {
		put_char(&r, ' ');
		put_signed(&r, step->passed_ms);
	}
	put_word(&r, " -> ");
	if (step->op == ECHO_OP_WAIT)
		put_brought(&r, step);
	else if (!steps_counts(step->op, step->outcome))
		put_word(&r, echo_outcome_name(step->outcome));
	else if (step->count == 0 && step->op != ECHO_OP_UNACKED)
		put_word(&r, "all");
	else
		put_number(&r, step->count, 10);
	put_char(&r, '\n');
	return finish(&r, text);
}
