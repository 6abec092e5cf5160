#include "show.h"

#include <inttypes.h>

static void show_token(FILE *out, const struct replay *replay, uint64_t token)
{
	uint32_t number;

	if (token == ECHO_TOKEN_LISTENER)
		fputs("listener", out);
	else if (replay_number(replay, token, &number))
		fprintf(out, "c%" PRIu32, number);
	else
		fprintf(out, "token 0x%" PRIx64, token);
}

static void show_readiness(FILE *out, uint32_t readiness)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} bits[] = {
		{ ECHO_IN, "IN" },   { ECHO_OUT, "OUT" }, { ECHO_RDHUP, "RDHUP" },
		{ ECHO_PRI, "PRI" }, { ECHO_ERR, "ERR" }, { ECHO_HUP, "HUP" },
	};
	const char *separator = " ";

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if ((readiness & bits[i].bit) == 0)
			continue;
		fprintf(out, "%s%s", separator, bits[i].name);
		separator = "|";
		readiness &= ~bits[i].bit;
	}
	if (readiness != 0)
		fprintf(out, "%s0x%" PRIx32, separator, readiness);
}

static void show_requests(FILE *out, uint32_t requests, const char *separator)
{
	static const char *const names[] = { "stop", "report", "abort" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((requests >> i & 1) == 0)
			continue;
		fprintf(out, "%s%s", separator, names[i]);
		separator = ", ";
	}
}

static void show_waited(FILE *out, const struct replay *replay, const struct echo_result *result)
{
	const char *separator = "";

	if (result->outcome != ECHO_DONE) {
		fputs(echo_outcome_name(result->outcome), out);
		separator = ", ";
	} else if (result->events_count == 0 && result->requests == 0) {
		fputs("nothing", out);
	}
	for (uint32_t i = 0; i < result->events_count; i++) {
		fputs(separator, out);
		show_token(out, replay, result->events[i].token);
		show_readiness(out, result->events[i].readiness);
		separator = ", ";
	}
	show_requests(out, result->requests, separator);
}

void show_action(FILE *out, const struct replay *replay, const struct echo_action *action)
{
	if (record_names(action->op)) {
		show_token(out, replay, action->token);
		fputc(' ', out);
	}
	fputs(echo_op_name(action->op), out);
	if (record_measures(action->op))
		fprintf(out, " %" PRIu32, action->length);
	if (action->op == ECHO_OP_WAIT)
		fprintf(out, " %" PRId32, action->timeout_ms);
	if (action->op == ECHO_OP_CLOSE)
		fprintf(out, " %s", echo_reason_name(action->reason));
}

void show_step(FILE *out, const struct replay *replay)
{
	const struct echo_action *action = &replay->step.action;
	const struct echo_result *result = &replay->step.result;

	fprintf(out, "%6" PRIu64 " ms  ", replay->recording.now_ms - replay->recording.start_ms);
	show_action(out, replay, action);
	fputs(" -> ", out);
	if (action->op == ECHO_OP_WAIT)
		show_waited(out, replay, result);
	else if (record_counts(action->op, result->outcome))
		fprintf(out, "%" PRIu32, result->count);
	else if (action->op == ECHO_OP_ACCEPT && result->outcome == ECHO_DONE)
		fprintf(out, "c%" PRIu64, replay->accepted);
	else
		fputs(echo_outcome_name(result->outcome), out);
	fputc('\n', out);
}
