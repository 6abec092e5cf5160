/*
 * Property: every command line is either taken, with all values inside their limits and memory that
 * can be divided, or refused in one line that can be printed; and sizes and seconds are read
 * exactly.
 *
 * Input: the arguments behind the program's name, each ended by NUL or by the end.
 */
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "reread.h"
#include "options.h"
#include "oracle.h"

enum { ARGUMENTS_MAX = 64, VALUES_MAX = 4, DAY_MS = 86400000 };

struct parsed {
	enum options_outcome outcome;
	struct options options;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char name[] = "epoll-echo";

static struct parsed parse(char *arguments, size_t size, char error[OPTIONS_ERROR_SIZE])
{
	char *argv[ARGUMENTS_MAX + 2] = {
		name
	}; /* which getopt_long(3) may bring into another order */
	struct parsed parsed;
	int argc = 1;

	for (size_t at = 0; at < size && argc <= ARGUMENTS_MAX; at += strlen(arguments + at) + 1)
		argv[argc++] = arguments + at;
	memset(&parsed.options, 0, sizeof(parsed.options));
	memset(error, 'x', OPTIONS_ERROR_SIZE);
	parsed.outcome = options_parse(argc, argv, &parsed.options, error);
	return parsed;
}

/* ECHO-71: one line that says, in quotation marks, what is meant. */
static void check_refused(const char *error)
{
	CHECK(reread_is_line(error, OPTIONS_ERROR_SIZE), "options-line");
	CHECK(strchr(error, '\'') != strrchr(error, '\''), "options-named");
}

static void check_limits(const struct options *o)
{
	CHECK(o->address != NULL && o->address[0] != '\0', "options-address");
	CHECK(o->backlog >= 1 && o->backlog <= OPTIONS_BACKLOG_LIMIT, "options-limits");
	CHECK(o->connections_max <= OPTIONS_CONNECTIONS_LIMIT, "options-limits");
	CHECK(o->threads >= 1 && o->threads <= OPTIONS_THREADS_LIMIT, "options-limits");
	CHECK(o->pipes <= OPTIONS_PIPES_LIMIT, "options-limits");
	CHECK(o->memory >= 1, "options-limits");
	CHECK(o->idle_ms <= DAY_MS && o->drain_ms <= DAY_MS && o->stats_ms <= DAY_MS,
	      "options-limits");
}

/* The value of one option by itself. False: it is refused. */
static bool take_value(const char *option, char *value, struct options *options)
{
	char given[32], error[OPTIONS_ERROR_SIZE];
	char *argv[] = { name, strcpy(given, option), value, NULL };

	return options_parse(3, argv, options, error) == OPTIONS_RUN;
}

/* `option` takes the text just when `expected` does, and then its field is what that made of it. */
#define CHECK_VALUE(option, field, expected) \
	do { \
		bool taken = take_value("--" option, text, &o); \
\
		CHECK(taken == (expected), "options-" option); \
		CHECK(!taken || (uint64_t)o.field == n, "options-" option); \
	} while (0)

static void check_value(char *text)
{
	struct options o;
	uint64_t n = 0;

	CHECK_VALUE("port", port, reread_number(text, 0, UINT16_MAX, &n));
	CHECK_VALUE("backlog", backlog, reread_number(text, 1, 65535, &n));
	CHECK_VALUE("max-connections", connections_max, reread_number(text, 1, 65536, &n));
	CHECK_VALUE("threads", threads, reread_number(text, 1, 64, &n));
	CHECK_VALUE("pipes", pipes, reread_number(text, 0, 64, &n));
	CHECK_VALUE("memory", memory, reread_size(text, &n));
	CHECK_VALUE("idle-timeout", idle_ms, reread_seconds(text, &n));
	CHECK_VALUE("drain-timeout", drain_ms, reread_seconds(text, &n));
	CHECK_VALUE("stats", stats_ms, reread_seconds(text, &n));
	CHECK(take_value("--record", text, &o) ==
		      reread_is_name(text, OPTIONS_NAME_SIZE, sizeof("9223372036854775807") - 1),
	      "options-record");
	CHECK(o.record == text, "options-record");
	n = strcmp(text, "json") == 0;
	CHECK_VALUE("log-format", json, n == 1 || strcmp(text, "text") == 0);
}

static bool same(const struct options *a, const struct options *b)
{
	return a->address == b->address && a->port == b->port && a->backlog == b->backlog &&
	       a->connections_max == b->connections_max && a->threads == b->threads &&
	       a->pipes == b->pipes && a->memory == b->memory && a->idle_ms == b->idle_ms &&
	       a->drain_ms == b->drain_ms && a->stats_ms == b->stats_ms && a->record == b->record &&
	       a->verbose == b->verbose && a->json == b->json;
}

/* Of a process each of whose threads has so many of them. */
static uint64_t memory_of(const struct options *o, struct echo_config config, uint32_t connections,
			  uint32_t buffers)
{
	uint64_t process = BUDGET_PROCESS;

	config.connections_max = connections;
	config.buffers_max = buffers;
	if (o->threads > 1)
		process += o->threads * (uint64_t)BUDGET_THREAD;
	process += o->threads * (uint64_t)config.pipes_max * config.buffer_size;
	return process + o->threads * (uint64_t)echo_memory_size(&config);
}

/* The same with nothing that is only for speed: no buffers, no pipes. */
static uint64_t least_memory(const struct options *o, struct echo_config config,
			     uint32_t connections)
{
	config.pipes_max = 0;
	return memory_of(o, config, connections, 0);
}

/* Connections of the first thread, which has the most: the least that there may be. */
static uint32_t least_of(const struct options *o)
{
	if (o->connections_max == 0)
		return 1;
	return (o->connections_max + o->threads - 1) / o->threads;
}

/* ECHO-74: as many as there may be, but that slots take at most half of what a connection
 * leaves. */
static void check_default(const struct options *o, uint64_t descriptors,
			  const struct echo_config *c)
{
	uint64_t left = descriptors - 2 * (uint64_t)o->threads * c->pipes_max;
	uint64_t most = left < OPTIONS_CONNECTIONS_LIMIT ? left : OPTIONS_CONNECTIONS_LIMIT;
	uint64_t one = memory_of(o, *c, 1, 0);

	CHECK(c->connections_max == most / o->threads ||
		      memory_of(o, *c, c->connections_max + 1, 0) - one > (o->memory - one) / 2,
	      "budget-default");
}

/* Whether so many in each thread stay within the wish, within a sixteenth of what the least leaves
 * of memory and of all descriptors, and leave each promised connection its descriptor. */
static bool pipes_fit(const struct options *o, uint64_t descriptors, const struct echo_config *c,
		      uint64_t pipes)
{
	uint64_t all = pipes * o->threads;
	uint64_t left = o->memory - least_memory(o, *c, least_of(o));

	return all <= o->pipes && all * c->buffer_size <= left / 16 &&
	       2 * all <= descriptors / 16 && 2 * all <= descriptors - o->connections_max;
}

/* ECHO-165: as many as fit. */
static void check_pipes(const struct options *o, uint64_t descriptors, const struct echo_config *c)
{
	CHECK(pipes_fit(o, descriptors, c, c->pipes_max), "budget-pipes");
	CHECK(!pipes_fit(o, descriptors, c, c->pipes_max + 1), "budget-pipes-waste");
}

/* The threads' shares make the whole, differ by one at most, and need no more than the first. */
static void check_shares(const struct options *o, uint64_t descriptors, const struct echo_config *c)
{
	uint64_t sum = 0, pipes = 0;

	for (uint32_t i = 0; i < o->threads; i++) {
		struct echo_config own = budget_share(o, c, i);

		CHECK(own.connections_max >= 1 && own.connections_max <= c->connections_max &&
			      own.connections_max + 1 >= c->connections_max,
		      "budget-shares");
		CHECK(own.buffers_max <= own.connections_max && own.buffers_max <= c->buffers_max,
		      "budget-shares");
		sum += own.connections_max;
		pipes += own.pipes_max;
	}
	CHECK(sum + 2 * pipes <= descriptors && sum <= OPTIONS_CONNECTIONS_LIMIT, "budget-shares");
	CHECK(o->connections_max == 0 || sum == o->connections_max, "budget-shares");
}

/* What is refused does not fit, and what is taken does, with no more left than a buffer would
 * take. */
static void check_plan(const struct options *o, uint64_t descriptors)
{
	uint32_t least = least_of(o);
	uint64_t all = o->connections_max > 0 ? o->connections_max : o->threads;
	char error[OPTIONS_ERROR_SIZE];
	struct echo_config c;
	bool planned;

	memset(error, 'x', sizeof(error));
	planned = budget_plan(o, descriptors, &c, error);
	CHECK(planned == (least_memory(o, c, least) <= o->memory && all <= descriptors &&
			  all >= o->threads),
	      "budget-fits");
	if (!planned) {
		CHECK(reread_is_line(error, sizeof(error)), "budget-line");
		return;
	}
	CHECK(echo_memory_size(&c) > 0, "budget-config");
	CHECK(memory_of(o, c, c.connections_max, c.buffers_max) <= o->memory, "budget-memory");
	CHECK(c.connections_max >= least && c.connections_max <= descriptors, "budget-connections");
	CHECK(c.connections_max <= OPTIONS_CONNECTIONS_LIMIT, "budget-connections");
	CHECK(o->connections_max == 0 || c.connections_max == least, "budget-connections");
	if (o->connections_max == 0)
		check_default(o, descriptors, &c);
	check_pipes(o, descriptors, &c);
	check_shares(o, descriptors, &c);
	CHECK(c.buffers_max <= c.connections_max, "budget-buffers");
	CHECK(c.buffers_max == c.connections_max ||
		      memory_of(o, c, c.connections_max, c.buffers_max + 1) > o->memory,
	      "budget-waste");
	CHECK(c.idle_ms == o->idle_ms && c.drain_ms == o->drain_ms && c.report_ms == o->stats_ms,
	      "budget-times");
}

/* With memory that is just enough for so many connections, and with a byte less. */
static void check_exact(const struct options *o, uint64_t descriptors)
{
	char error[OPTIONS_ERROR_SIZE];
	struct options exact = *o;
	struct echo_config c;

	exact.memory = UINT64_MAX;
	if (!budget_plan(&exact, descriptors, &c, error))
		return;
	for (uint32_t n = least_of(o); n <= OPTIONS_CONNECTIONS_LIMIT; n *= 16) {
		exact.memory = least_memory(o, c, n);
		check_plan(&exact, descriptors);
		exact.memory--;
		check_plan(&exact, descriptors);
	}
}

static char *copy(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* ends where the last argument does: reading on is seen */

	if (text == NULL)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* 256: a sixteenth is whole pipes, and fewer of them than are wished for. */
	static const uint64_t descriptors[] = {
		0, 1, 2, 256, 1000, 65536, UINT32_MAX + UINT64_C(2), UINT64_MAX
	};
	char *text = copy(data, size);
	char error[OPTIONS_ERROR_SIZE], error_again[OPTIONS_ERROR_SIZE];
	struct parsed a = parse(text, size, error), b = parse(text, size, error_again);

	CHECK(a.outcome == b.outcome, "options-differ");
	CHECK(same(&a.options, &b.options), "options-differ");
	CHECK(memcmp(error, error_again, sizeof(error)) == 0, "options-differ");
	if (a.outcome == OPTIONS_WRONG)
		check_refused(error);
	else
		check_limits(&a.options);
	/* Asked for help or the version, nobody looks at what goes with what. */
	CHECK(a.outcome != OPTIONS_RUN || a.options.record == NULL || a.options.threads == 1,
	      "options-together");
	for (size_t i = 0;
	     a.outcome == OPTIONS_RUN && i < sizeof(descriptors) / sizeof(*descriptors); i++) {
		check_plan(&a.options, descriptors[i]);
		check_exact(&a.options, descriptors[i]);
	}
	for (size_t at = 0, values = 0; at < size && values < VALUES_MAX; values++) {
		check_value(text + at);
		at += strlen(text + at) + 1;
	}
	free(text);
	return 0;
}
