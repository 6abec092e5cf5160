/*
 * Why a step on a connection failed: facts that any thread can gather, and the words for them.
 */
#ifndef SCENARIO_FAULT_H
#define SCENARIO_FAULT_H

#include "note.h"
#include "stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE = 0,
	FAULT_QUIET, /* nothing moved until the deadline */
	FAULT_TOTAL, /* things moved, but not fast enough */
	FAULT_EOF,
	FAULT_ERROR,
	FAULT_WRONG, /* a byte that is not the pattern's */
	FAULT_TEXT,  /* bytes that are not the expected text */
	FAULT_BYTES, /* bytes where there should be none */
	FAULT_TAKEN  /* bytes that the peer should not have taken */
};

struct fault {
	enum fault_kind kind;
	int error;
	int64_t waited_ms;
	uint64_t written,
		write_want; /* bytes of the step that were moved, and that were to be moved */
	uint64_t read, read_want;
	uint64_t unacknowledged; /* of a step that was to settle */
	uint64_t offset;    /* in the pattern, or in the text, of the first byte that is wrong */
	uint8_t expected;   /* what it should have been */
	uint64_t seen_from; /* TEXT: where in the text seen[0] stands */
	size_t seen_len;
	uint8_t seen[NOTE_QUOTE_MAX];
};

/* Takes over what is not STREAM_MOVED or STREAM_BLOCKED. */
void fault_of_result(struct fault *fault, const struct stream_result *result, uint64_t offset);

/* Over: for want of progress, or in all. */
void fault_of_patience(struct fault *fault, const struct patience *patience);

void fault_describe(struct note *note, const struct fault *fault);

#endif
