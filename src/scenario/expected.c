#include "expected.h"

#include "transfer.h"

#include <inttypes.h>

static void add_size(struct note *note, uint64_t size, const char *what)
{
	note_size(note, size);
	note_add(note, " bytes %s", what);
}

void expected_describe(struct note *note, const struct step *step)
{
	switch (step->op) {
	case STEP_CONNECT:
		note_add(note, step->refused ? "refused" : "connected");
		break;
	case STEP_WRITE_TEXT:
	case STEP_URGENT:
		add_size(note, step->bytes_len, step->settled ? "acknowledged" : "taken");
		break;
	case STEP_WRITE_PATTERN:
		add_size(note, step->size, step->settled ? "acknowledged" : "taken");
		break;
	case STEP_ECHO:
		add_size(note, step->size, step->then_wr ? "echoed, then EOF" : "echoed");
		break;
	case STEP_ROUNDTRIPS:
		note_add(note, "%" PRIu32 " round trips", step->repeat);
		break;
	case STEP_FILL:
		note_add(note, "blocked within ");
		note_size(note, step->size);
		break;
	case STEP_READ_TEXT:
		note_quote(note, step->bytes, step->bytes_len);
		break;
	case STEP_READ_PATTERN:
		add_size(note, step->size, "of the pattern");
		break;
	case STEP_READ_REST:
		note_add(note, "the rest of the pattern");
		break;
	case STEP_READ_EOF:
		note_add(note, "EOF");
		break;
	case STEP_READ_RESET:
		note_add(note, "reset");
		break;
	case STEP_READ_NOTHING:
		note_add(note, "nothing for ");
		note_ms(note, NOTHING_MS);
		break;
	case STEP_SHUTDOWN:
		note_add(note, step->settled ? "shut down and acknowledged" : "shut down");
		break;
	case STEP_FLOOD:
		note_add(note, "connected");
		break;
	case STEP_STOP:
		note_add(note, "everything echoed");
		break;
	case STEP_STORM:
		note_add(note, "%" PRIu32 " connections served", step->repeat);
		break;
	case STEP_RUN:
		note_add(note, "status %d", step->status);
		break;
	case STEP_NONE:
	case STEP_CLOSE:
	case STEP_RESET:
	case STEP_WAIT:
	case STEP_PRINT:
	case STEP_COUNT:
		break;
	}
}
