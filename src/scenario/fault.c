#include "fault.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void fault_of_result(struct fault *fault, const struct stream_result *result, uint64_t offset)
{
	fault->error = result->error;
	fault->offset = offset;
	if (result->status == STREAM_EOF) {
		fault->kind = FAULT_EOF;
	} else if (result->status == STREAM_WRONG) {
		fault->kind = FAULT_WRONG;
		fault->expected = result->expected;
		fault->seen_len = result->seen_len;
		memcpy(fault->seen, result->seen, result->seen_len);
	} else {
		fault->kind = FAULT_ERROR;
	}
}

void fault_of_patience(struct fault *fault, const struct patience *patience)
{
	bool total = patience_total_over(patience);

	fault->kind = total ? FAULT_TOTAL : FAULT_QUIET;
	fault->waited_ms = total ? patience->total_ms : patience->quiet_ms;
}

/* " (3 of 5 bytes)"; which way they went is said where both are of interest. */
static void add_counts(struct note *note, const struct fault *fault)
{
	if (fault->write_want > 0 && fault->read_want > 0)
		note_add(note,
			 " (%" PRIu64 " of %" PRIu64 " bytes written, %" PRIu64 " of %" PRIu64
			 " read)",
			 fault->written, fault->write_want, fault->read, fault->read_want);
	else if (fault->write_want > 0)
		note_add(note, " (%" PRIu64 " of %" PRIu64 " bytes written)", fault->written,
			 fault->write_want);
	else if (fault->read_want > 0)
		note_add(note, " (%" PRIu64 " of %" PRIu64 " bytes)", fault->read,
			 fault->read_want);
	if (fault->unacknowledged > 0)
		note_add(note, " (%" PRIu64 " not acknowledged)", fault->unacknowledged);
}

static void add_error(struct note *note, int error)
{
	if (error == ECONNRESET)
		note_add(note, "reset");
	else if (error == ECONNREFUSED)
		note_add(note, "refused");
	else if (error == EPIPE)
		note_add(note, "reset or shut down (EPIPE)");
	else if (error == EADDRNOTAVAIL)
		note_add(note, "no local port is free (EADDRNOTAVAIL)");
	else
		note_add(note, "%s", strerror(error));
}

static void add_text(struct note *note, const struct fault *fault)
{
	note_quote(note, fault->seen, fault->seen_len);
	if (fault->seen_from > 0)
		note_add(note, " from byte %" PRIu64 " on", fault->seen_from);
	note_add(note, "; byte %" PRIu64 " is 0x%02x, not 0x%02x", fault->offset,
		 fault->seen[fault->offset - fault->seen_from], fault->expected);
}

static void add_quiet(struct note *note, const struct fault *fault)
{
	note_add(note, fault->kind == FAULT_TOTAL ? "not done after " : "nothing for ");
	note_ms(note, fault->waited_ms);
}

void fault_describe(struct note *note, const struct fault *fault)
{
	/* What came of a text before the end is worth seeing. */
	if (fault->seen_len > 0 && fault->kind < FAULT_WRONG) {
		note_quote(note, fault->seen, fault->seen_len);
		note_add(note, ", then ");
	}
	switch (fault->kind) {
	case FAULT_NONE:
		break;
	case FAULT_QUIET:
	case FAULT_TOTAL:
		add_quiet(note, fault);
		break;
	case FAULT_EOF:
		note_add(note, "EOF");
		break;
	case FAULT_ERROR:
		add_error(note, fault->error);
		break;
	case FAULT_WRONG:
		note_add(note, "byte %" PRIu64 " of the pattern is 0x%02x, not 0x%02x",
			 fault->offset, fault->seen[0], fault->expected);
		return;
	case FAULT_TEXT:
		add_text(note, fault);
		return;
	case FAULT_BYTES:
		note_quote(note, fault->seen, fault->seen_len);
		return;
	case FAULT_TAKEN:
		note_size(note, fault->written);
		note_add(note, " taken");
		return;
	}
	add_counts(note, fault);
}
