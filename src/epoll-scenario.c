/*
 * epoll-scenario: plays scenarios on the live kernel, or against a live echo server, and judges
 * what happens. Exit status: 0 all passed, 1 some failed, 2 cannot run.
 */
#include "scenario/json.h"
#include "scenario/kernel.h"
#include "scenario/live.h"
#include "scenario/on_model.h"
#include "scenario/parse.h"
#include "scenario/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#ifndef EPOLL_ECHO_VERSION
#define EPOLL_ECHO_VERSION "unreleased"
#endif

/* All scenarios of spec/epoll/, for --conformance: the assembler takes the files in as they are. */
#define TAKE(group) \
	extern const char clauses_##group[]; \
	__asm__(".pushsection .rodata\n" \
		"clauses_" #group ":\n\t" \
		".incbin \"spec/epoll/" #group ".scenario\"\n\t" \
		".byte 0\n\t" \
		".popsection")

TAKE(ctl);
TAKE(wait);
TAKE(lt);
TAKE(et);
TAKE(tcp);
TAKE(objects);
TAKE(entries);

#define TAKEN(group) \
	{ \
		"spec/epoll/" #group ".scenario", clauses_##group \
	}

static const struct {
	const char *file, *text;
} clauses[] = { TAKEN(ctl), TAKEN(wait),    TAKEN(lt),     TAKEN(et),
		TAKEN(tcp), TAKEN(objects), TAKEN(entries) };

enum { ON_KERNEL = 1, ON_MODEL = 2, ON_BOTH = ON_KERNEL | ON_MODEL };
enum { EXIT_CANNOT_RUN = 2, TIMEOUT_DEFAULT_MS = 20000, TIMEOUT_MAX_MS = 3600000, HOST_MAX = 64 };

static const char usage[] =
	"Usage: epoll-scenario [--on kernel|model|both|server=HOST:PORT] [OPTION]... FILE...\n"
	"Plays scenarios, and judges what happens; FILE may be - for standard input.\n"
	"\n"
	"  --on kernel            scenarios about descriptors, on this kernel (the default)\n"
	"  --on model             the same on the model of epoll (src/model), which skips what it lacks\n"
	"  --on both              on both of them: it passes only if it holds on each\n"
	"  --on server=HOST:PORT  scenarios about a live echo server: a numeric address\n"
	"                         ([::1]:3000) or localhost\n"
	"  --timeout SECONDS      how long a step may make no progress (default 20; server only)\n"
	"  --show                 print what comes of each step, and judge none\n"
	"  --conformance          play all clauses of spec/EPOLL.md, which are in this program, and\n"
	"                         end with how many hold, by group\n"
	"  --list [--json]        print the names of the scenarios, and play none\n"
	"  --help, --version      print this, or the version, and end\n"
	"\n"
	"A scenario opens with a line \"# name\" after a blank line; steps, one a line. About a\n"
	"live server, where the first one is connect, storm, wait, print or run:\n"
	"  connect NAME[*COUNT] [rcvbuf SIZE] [mss SIZE] [sndbuf SIZE] [async | -> connected | -> refused]\n"
	"  write NAME \"text\" [by SIZE] [then WR] [settled]\n"
	"  write NAME pattern SIZE [by SIZE] [then WR] [settled]\n"
	"  urgent NAME \"text\" [settled]\n"
	"  echo NAME SIZE [by SIZE] [then WR]\n"
	"  roundtrips NAME COUNT SIZE\n"
	"  fill NAME [max SIZE]\n"
	"  read NAME [by SIZE] [slowly] -> \"text\" | pattern SIZE | rest | EOF | reset | nothing\n"
	"  shutdown NAME WR|RD|RDWR [settled]\n"
	"  close NAME             reset NAME\n"
	"  flood NAME             stop NAME\n"
	"  storm COUNT [reset]    wait SECONDS\n"
	"  print \"text\"           run \"command\" [-> STATUS]\n"
	"\n"
	"About descriptors, where it is another one (\"child\" before a step: a child does it):\n";

static const char usage_end[] =
	"\n"
	"MASK is IN|OUT|ET and the like; EVENTS are LABEL MASK, LABEL MASK, or nothing; any step\n"
	"may be followed by -> and an errno. The output is TAP. Exit status: 0 all passed, 1 some\n"
	"failed, 2 cannot run.\n";

static struct script script;
static char texts[SCRIPT_TEXT_MAX];
static size_t texts_len;
static unsigned int worlds = ON_KERNEL;
static bool only_list, conformance, json;

static int usage_error(const char *message, const char *value)
{
	fprintf(stderr, "epoll-scenario: %s%s (see --help)\n", message, value);
	return EXIT_CANNOT_RUN;
}

/* Of a pipe that nobody reads any more nothing is said, as when SIGPIPE ends a program. */
static int finish(int status)
{
	int error = fflush(stdout) != 0 ? errno : tap_error();

	if (error == 0)
		return status;
	if (error != EPIPE)
		fprintf(stderr, "epoll-scenario: standard output: %s\n", strerror(error));
	return EXIT_CANNOT_RUN;
}

/* Options. */

static bool set_address(struct address *address, const char *host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		memcpy(&address->storage, &in, sizeof in);
		address->len = sizeof in;
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		memcpy(&address->storage, &in6, sizeof in6);
		address->len = sizeof in6;
		return true;
	}
	return false;
}

static bool take_port(const char *text, uint16_t *port)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, &end, 10);
	*port = (uint16_t)value;
	return *end == '\0' && value > 0 && value <= UINT16_MAX;
}

/* HOST:PORT, where only an address in brackets contains colons. */
static bool take_server(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	char host[HOST_MAX];
	uint16_t port;
	size_t len;

	if (!colon || (size_t)(colon - text) >= sizeof host || !take_port(colon + 1, &port))
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return false;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	return set_address(address, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port);
}

static bool take_timeout(const char *text, int64_t *timeout_ms)
{
	char *end;
	double seconds;

	if (*text < '0' || *text > '9')
		return false;
	seconds = strtod(text, &end);
	if (*end != '\0' || !(seconds >= 0.001) || !(seconds <= TIMEOUT_MAX_MS / 1000.0))
		return false;
	*timeout_ms = (int64_t)(seconds * 1000.0 + 0.5);
	return true;
}

static bool take_world(const char *text, struct address *address)
{
	static const char world[] = "server=";
	static const struct {
		const char *name;
		unsigned int worlds;
	} names[] = { { "kernel", ON_KERNEL }, { "model", ON_MODEL }, { "both", ON_BOTH } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i].name) == 0) {
			worlds = names[i].worlds;
			address->len = 0;
			return true;
		}
	return strncmp(text, world, sizeof world - 1) == 0 &&
	       take_server(text + sizeof world - 1, address);
}

static int print_usage(void)
{
	fputs(usage, stdout);
	for (uint32_t i = 0; call_syntax(i) != NULL; i++)
		printf("  %s\n", call_syntax(i));
	fputs(usage_end, stdout);
	return finish(EXIT_SUCCESS);
}

/* Returns an exit status, or -1 to go on. */
static int take_options(int argc, char **argv, struct live_options *options)
{
	static const struct option names[] = {
		{ "on", required_argument, NULL, 'o' },
		{ "timeout", required_argument, NULL, 't' },
		{ "show", no_argument, NULL, 's' },
		{ "list", no_argument, NULL, 'l' },
		{ "conformance", no_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'o' && !take_world(optarg, &options->server))
			return usage_error(
				"--on expects kernel, model, both or server=HOST:PORT, not ",
				optarg);
		if (option == 't' && !take_timeout(optarg, &options->timeout_ms))
			return usage_error("--timeout expects seconds from 0.001 to 3600, not ",
					   optarg);
		if (option == 's')
			options->show = script.lenient = true;
		if (option == 'j')
			json = true;
		if (option == 'c')
			conformance = true;
		if (option == 'l')
			only_list = true;
		if (option == 'h')
			return print_usage();
		if (option == 'v') {
			puts("epoll-scenario " EPOLL_ECHO_VERSION);
			return finish(EXIT_SUCCESS);
		}
		if (option == '?')
			return EXIT_CANNOT_RUN;
	}
	if (json && !only_list)
		return usage_error("--json is a form of --list", "");
	if (conformance && (optind < argc || options->server.len > 0))
		return usage_error("--conformance plays no FILE, and on no server", "");
	return optind < argc || conformance ? -1 : usage_error("no FILE", "");
}

/* Scripts. */

static bool cannot_read(const char *name, const char *reason)
{
	fprintf(stderr, "epoll-scenario: %s: %s\n", name, reason);
	return false;
}

static bool read_text(const char *name, FILE *file, size_t *len)
{
	size_t room = sizeof texts - texts_len;

	errno = 0;
	*len = fread(texts + texts_len, 1, room, file);
	if (ferror(file))
		return cannot_read(name, strerror(errno));
	if (*len == room)
		return cannot_read(name, "the files together reach the limit of 1 MiB");
	return true;
}

static bool parse_text(const char *name, const char *text, size_t len)
{
	struct parse_error error;

	if (parse(&script, name, text, len, &error))
		return true;
	fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": expected %s\n", name, error.line, error.column,
		error.expected);
	return false;
}

static bool load(const char *name)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(name, "re");
	const char *text = texts + texts_len;
	size_t len = 0;
	bool good;

	if (!file)
		return cannot_read(name, strerror(errno));
	good = read_text(name, file, &len);
	if (!is_stdin)
		fclose(file);
	texts_len += len;
	if (!good)
		return false;
	return parse_text(is_stdin ? "stdin" : name, text, len);
}

static bool load_clauses(void)
{
	for (size_t i = 0; i < sizeof clauses / sizeof clauses[0]; i++)
		if (!parse_text(clauses[i].file, clauses[i].text, strlen(clauses[i].text)))
			return false;
	return true;
}

/* Playing. */

static void tell(const char *file, uint32_t line, const struct text *source, const char *expected,
		 const char *seen)
{
	struct note note;

	note_clear(&note);
	note_add(&note, "  %s:%" PRIu32 ": %.*s", file, line, (int)source->len, source->at);
	tap_comment(note.text);
	note_clear(&note);
	note_add(&note, "  expected: %s", expected);
	tap_comment(note.text);
	note_clear(&note);
	note_add(&note, "  seen: %s", seen);
	tap_comment(note.text);
}

static enum outcome_how play_live(struct live *live, const struct scenario *scenario,
				  uint32_t number)
{
	struct live_failure failure;
	bool passed = live_play(live, &script, scenario, &failure);

	tap_point(passed, number, scenario->name.at, scenario->name.len);
	if (!passed)
		tell(scenario->file, failure.step->line, &failure.step->source,
		     failure.expected.text, failure.seen.text);
	return passed ? OUTCOME_PASSED : OUTCOME_FAILED;
}

static void tell_outcome(const struct scenario *scenario, const struct outcome *outcome)
{
	const struct call *call = outcome->call;

	if (outcome->how == OUTCOME_FAILED)
		tell(scenario->file, call->line, &call->source, outcome->expected.text,
		     outcome->seen.text);
	if (outcome->how == OUTCOME_BROKEN && call != NULL)
		tell(scenario->file, call->line, &call->source, "a call that can be made",
		     outcome->why.text);
	if (outcome->how == OUTCOME_BROKEN && call == NULL)
		tap_comment(outcome->why.text);
}

static bool has_failed(const struct outcome *outcome)
{
	return outcome->how == OUTCOME_FAILED || outcome->how == OUTCOME_BROKEN;
}

/* On one of them. What is shown is printed on the way. */
static void play_on(unsigned int world, const struct scenario *scenario, bool show,
		    struct outcome *outcome)
{
	if (show && worlds == ON_BOTH)
		tap_comment(world == ON_MODEL ? "on the model:" : "on the kernel:");
	if (world == ON_MODEL)
		on_model_play(&script, scenario, show, outcome);
	else
		kernel_play(&script, scenario, show, outcome);
}

/* One point for all worlds: a failure on one decides, and then what one has skipped. */
static enum outcome_how play_calls(const struct scenario *scenario, bool show, uint32_t number)
{
	static const unsigned int each[] = { ON_KERNEL, ON_MODEL };
	static struct outcome outcomes[2];
	const struct outcome *worst = NULL;

	for (unsigned int i = 0; i < 2; i++) {
		if ((worlds & each[i]) == 0)
			continue;
		play_on(each[i], scenario, show, &outcomes[i]);
		if (worst == NULL || (!has_failed(worst) && outcomes[i].how != OUTCOME_PASSED))
			worst = &outcomes[i];
	}
	if (worst->how == OUTCOME_SKIPPED) {
		tap_skip(number, scenario->name.at, scenario->name.len, worst->why.text);
		return worst->how;
	}
	tap_point(!has_failed(worst), number, scenario->name.at, scenario->name.len);
	for (unsigned int i = 0; i < 2; i++) {
		if ((worlds & each[i]) == 0 || !has_failed(&outcomes[i]))
			continue;
		if (worlds == ON_BOTH)
			tap_comment(i == 0 ? "on the kernel:" : "on the model:");
		tell_outcome(scenario, &outcomes[i]);
	}
	return worst->how;
}

/* Conformance: how many clauses of each group hold. A group is what its numbers have in common. */

enum { GROUPS_SHOWN_MAX = 64 };

static struct {
	struct text name;
	uint32_t held, skipped, count;
} groups[GROUPS_SHOWN_MAX];

static struct text group_of(const struct text *name)
{
	size_t len = 0, dash = 0;

	for (; len < name->len && name->at[len] != ':'; len++)
		if (name->at[len] == '-')
			dash = len;
	return (struct text){ name->at, dash };
}

static void count(const struct scenario *scenario, enum outcome_how how)
{
	struct text name = group_of(&scenario->name);
	uint32_t i = 0;

	while (i < GROUPS_SHOWN_MAX - 1 && groups[i].count > 0 &&
	       (groups[i].name.len != name.len ||
		memcmp(groups[i].name.at, name.at, name.len) != 0))
		i++;
	groups[i].name = name;
	groups[i].count++;
	groups[i].held += how == OUTCOME_PASSED;
	groups[i].skipped += how == OUTCOME_SKIPPED;
}

static void tell_count(const struct text *name, uint32_t held, uint32_t skipped, uint32_t count)
{
	printf("# %-12.*s %" PRIu32 " of %" PRIu32 " clauses hold", (int)name->len, name->at, held,
	       count);
	if (skipped > 0)
		printf(", %" PRIu32 " skipped", skipped);
}

static void tell_groups(void)
{
	uint32_t held = 0, skipped = 0, all = 0;
	struct utsname kernel;

	for (uint32_t i = 0; i < GROUPS_SHOWN_MAX && groups[i].count > 0; i++) {
		tell_count(&groups[i].name, groups[i].held, groups[i].skipped, groups[i].count);
		putchar('\n');
		held += groups[i].held;
		skipped += groups[i].skipped;
		all += groups[i].count;
	}
	tell_count(&(struct text){ "all", 3 }, held, skipped, all);
	if ((worlds & ON_MODEL) != 0)
		printf(", on the model");
	if ((worlds & ON_KERNEL) != 0 && uname(&kernel) == 0)
		printf("%s on %s %s %s", worlds == ON_BOTH ? " and" : ",", kernel.sysname,
		       kernel.release, kernel.machine);
	putchar('\n');
}

static void list_as_json(void)
{
	for (uint32_t i = 0; i < script.scenarios_count; i++) {
		const struct scenario *scenario = &script.scenarios[i];

		printf("%s{\"name\": ", i == 0 ? "[" : ",\n ");
		json_put(scenario->name.at, scenario->name.len);
		printf(", \"file\": ");
		json_put(scenario->file, strlen(scenario->file));
		printf(", \"line\": %" PRIu32 "}", scenario->line);
	}
	puts("]");
}

static int list(void)
{
	if (json)
		list_as_json();
	for (uint32_t i = 0; !json && i < script.scenarios_count; i++)
		printf("%.*s\n", (int)script.scenarios[i].name.len, script.scenarios[i].name.at);
	return finish(EXIT_SUCCESS);
}

static int play(const struct live_options *options)
{
	bool on_server = options->server.len > 0;
	struct live *live = on_server ? live_open(options) : NULL;
	int status = EXIT_SUCCESS;

	if (on_server ? !live : !kernel_open())
		return usage_error("out of memory", "");
	tap_plan(script.scenarios_count);
	for (uint32_t i = 0; i < script.scenarios_count && tap_error() == 0; i++) {
		const struct scenario *scenario = &script.scenarios[i];
		enum outcome_how how = OUTCOME_SKIPPED;

		if (scenario->of_calls == on_server)
			tap_skip(
				i + 1, scenario->name.at, scenario->name.len,
				on_server
					? "it is about descriptors: --on kernel plays it"
					: "it is about a live server: --on server=HOST:PORT plays it");
		else if (on_server)
			how = play_live(live, scenario, i + 1);
		else
			how = play_calls(scenario, options->show, i + 1);
		if (how != OUTCOME_PASSED && how != OUTCOME_SKIPPED)
			status = EXIT_FAILURE;
		count(scenario, how);
	}
	if (conformance)
		tell_groups();
	if (live)
		live_close(live);
	return finish(status);
}

/* As many connections as the hard limit allows; where that is not enough, connect says so. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct live_options options = { .timeout_ms = TIMEOUT_DEFAULT_MS };
	int status = take_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (conformance && !load_clauses())
		return EXIT_CANNOT_RUN;
	while (optind < argc)
		if (!load(argv[optind++]))
			return EXIT_CANNOT_RUN;
	if (only_list)
		return list();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide how commands end */
	raise_descriptors();
	return play(&options);
}
