/* The words of the text form (text.h), which the printer and the parser share. */
#ifndef EPOLL_ECHO_STEPS_TEXT_WORDS_H
#define EPOLL_ECHO_STEPS_TEXT_WORDS_H

#include "text.h"

/* All that stands before the steps. */
struct steps_head {
	struct echo_config config;
	uint64_t start_ms;
};

struct steps_field {
	const char *name;
	uint32_t offset; /* in a head, of an uint64_t or an uint32_t */
	bool wide;
	uint64_t least, most;
	uint64_t usual; /* where its line is missing */
};

enum {
	STEPS_FIELD_BUFFERS = 1, /* those that limit each other */
	STEPS_FIELD_BUFFER_SIZE = 2,
	STEPS_FIELD_RETRY_MIN = 12,
	STEPS_FIELD_RETRY_MAX = 13,
	STEPS_FIELDS_COUNT = 16
};
extern const struct steps_field steps_fields[STEPS_FIELDS_COUNT];

uint64_t steps_field_get(const struct steps_head *head, const struct steps_field *field);
void steps_field_set(struct steps_head *head, const struct steps_field *field, uint64_t value);

/* A bit and its name. */
struct steps_flag {
	uint32_t bit;
	const char *name;
};

enum { STEPS_READINESS_COUNT = 7, STEPS_REQUESTS_COUNT = 3 };
extern const struct steps_flag steps_readiness[STEPS_READINESS_COUNT];
extern const struct steps_flag steps_requests[STEPS_REQUESTS_COUNT];

#endif
