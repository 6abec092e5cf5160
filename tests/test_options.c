/* The command line: what is understood, what is refused, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "options.h"

enum { ARGUMENTS_MAX = 8, WORD_MAX = 300, RANDOM_LINES = 20000 };

/* What became of a command line. The guard shows a message that is longer than its buffer. */
struct parsed {
	enum options_outcome outcome;
	struct options options;
	char error[OPTIONS_ERROR_SIZE];
	char guard[64];
};

static struct parsed parse(char *argv[])
{
	struct parsed parsed;
	int argc = 0;

	memset(&parsed, 0xa5, sizeof(parsed));
	while (argv[argc] != NULL)
		argc++;
	parsed.outcome = options_parse(argc, argv, &parsed.options, parsed.error);
	for (size_t i = 0; i < sizeof(parsed.guard); i++)
		assert_int_equal((unsigned char)parsed.guard[i], 0xa5);
	return parsed;
}

#define PARSE(...) parse((char *[]){ "epoll-echo", __VA_ARGS__, NULL })

static struct options accepted(struct parsed parsed)
{
	if (parsed.outcome == OPTIONS_WRONG)
		fail_msg("refused: %s", parsed.error);
	assert_int_equal(parsed.outcome, OPTIONS_RUN);
	return parsed.options;
}

static void check_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* One line: it ends within its buffer, and nothing in it moves the cursor. */
static void check_line(const char *error)
{
	size_t length = strnlen(error, OPTIONS_ERROR_SIZE);

	assert_in_range(length, 1, OPTIONS_ERROR_SIZE - 1);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)error[i] < 0x20 || error[i] == 0x7f)
			fail_msg("byte %zu of the message is the control character 0x%02x", i,
				 (unsigned char)error[i]);
}

static void check_wrong(struct parsed parsed, const char *option, const char *value)
{
	if (parsed.outcome != OPTIONS_WRONG)
		fail_msg("not refused: %s %s", option, value);
	check_line(parsed.error);
	check_contains(parsed.error, option);
	check_contains(parsed.error, value);
}

/* An option with a value, in each of the ways to give one. */
enum { WAYS = 4 };

static struct parsed parse_way(int way, char *name, char letter, char *value)
{
	/* Static, as options.address points into the command line. */
	static char joined[WORD_MAX], both[WORD_MAX];
	char short_name[] = { '-', letter, '\0' };

	snprintf(joined, sizeof(joined), "%s=%s", name, value);
	snprintf(both, sizeof(both), "-%c%s", letter, value);
	if (way == 0)
		return PARSE(name, value);
	if (way == 1)
		return PARSE(joined);
	if (way == 2 || *value == '\0') /* "-p" alone has no value to be empty */
		return PARSE(short_name, value);
	return PARSE(both);
}

static void check_refused(char *name, char letter, char *value)
{
	char quoted[WORD_MAX];

	snprintf(quoted, sizeof(quoted), "'%s'", value);
	for (int way = 0; way < WAYS; way++)
		check_wrong(parse_way(way, name, letter, value), name, quoted);
}

/*
 * ECHO-71: Wrong usage MUST give one line: and what is not wrong has the documented defaults.
 * ECHO-87: Without an idle timeout, TCP keepalive MUST be on: no idle timeout is the default.
 */
static void without_options_there_are_defaults(void **state)
{
	struct options options;

	(void)state;
	options = accepted(parse((char *[]){ "epoll-echo", NULL }));
	assert_string_equal(options.address, "0.0.0.0");
	assert_int_equal(options.port, 3000);
	assert_int_equal(options.backlog, SOMAXCONN);
	assert_int_equal(options.connections_max, 0);
	assert_int_equal(options.memory, 64 * 1024 * 1024);
	assert_int_equal(options.idle_ms, 0);
	assert_int_equal(options.drain_ms, 5000);
	assert_int_equal(options.stats_ms, 0);
	assert_null(options.record);
	assert_false(options.verbose);
	assert_false(options.json);
}

/* ECHO-71: Wrong usage MUST give one line: and right usage gives none, in every way to write it. */
static void every_option_is_understood(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		assert_string_equal(accepted(parse_way(way, "--address", 'a', "::1")).address,
				    "::1");
		assert_int_equal(accepted(parse_way(way, "--port", 'p', "65535")).port, 65535);
		assert_int_equal(accepted(parse_way(way, "--backlog", 'b', "7")).backlog, 7);
		assert_int_equal(
			accepted(parse_way(way, "--max-connections", 'c', "65536")).connections_max,
			65536);
		assert_int_equal(accepted(parse_way(way, "--memory", 'm', "5M")).memory, 5 << 20);
		assert_int_equal(accepted(parse_way(way, "--idle-timeout", 'i', "1.5")).idle_ms,
				 1500);
		assert_int_equal(accepted(parse_way(way, "--drain-timeout", 'd', "0")).drain_ms, 0);
		assert_int_equal(accepted(parse_way(way, "--stats", 's', "60")).stats_ms, 60000);
		assert_string_equal(accepted(parse_way(way, "--record", 'r', "run.%p")).record,
				    "run.%p");
		assert_true(accepted(parse_way(way, "--log-format", 'l', "json")).json);
		assert_false(accepted(parse_way(way, "--log-format", 'l', "text")).json);
	}
	for (int way = 0; way < WAYS; way++) {
		assert_int_equal(accepted(parse_way(way, "--threads", 't', "8")).threads, 8);
		assert_int_equal(accepted(parse_way(way, "--pipes", 'P', "8")).pipes, 8);
	}
	assert_int_equal(accepted(PARSE("--port", "1")).threads, 1);
	assert_int_equal(accepted(PARSE("--port", "1")).pipes, 16);
	assert_true(accepted(PARSE("--verbose")).verbose);
	assert_true(accepted(PARSE("-v")).verbose);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_wrong_port_is_refused(void **state)
{
	char *values[] = { "70000", "65536", "-1",   "",    "12Q",  "0x10",
			   "+5",    " 5",    "5 ",   "5.0", "http", "99999999999999999999",
			   "1e3",   "1,000", "3000;" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_refused("--port", 'p', values[i]);
	assert_int_equal(accepted(PARSE("--port", "0")).port, 0);
	assert_int_equal(accepted(PARSE("--port", "00080")).port, 80);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_wrong_number_is_refused(void **state)
{
	char *values[] = { "0",
			   "-1",
			   "",
			   "12Q",
			   "0x10",
			   "+5",
			   " 5",
			   "5 ",
			   "1.5",
			   "1K",
			   "18446744073709551616",
			   "4294967297",
			   "many" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		check_refused("--backlog", 'b', values[i]);
		check_refused("--max-connections", 'c', values[i]);
		check_refused("--threads", 't', values[i]);
	}
	for (size_t i = 1; i < sizeof(values) / sizeof(values[0]); i++)
		check_refused("--pipes", 'P', values[i]);
	check_refused("--pipes", 'P', "65");
	check_refused("--threads", 't', "65");
	check_refused("--backlog", 'b', "65536");
	check_refused("--max-connections", 'c', "65537");
	assert_int_equal(accepted(PARSE("--backlog", "65535")).backlog, OPTIONS_BACKLOG_LIMIT);
	assert_int_equal(accepted(PARSE("--backlog", "1")).backlog, 1);
	assert_int_equal(accepted(PARSE("--max-connections", "1")).connections_max, 1);
	assert_int_equal(accepted(PARSE("--threads", "64")).threads, OPTIONS_THREADS_LIMIT);
	assert_int_equal(accepted(PARSE("--pipes", "64")).pipes, OPTIONS_PIPES_LIMIT);
	assert_int_equal(accepted(PARSE("--pipes", "0")).pipes, 0);
}

/* ECHO-158: ... pairs that do not fit MUST be wrong usage: a recording is the run of one engine. */
static void several_threads_are_not_recorded(void **state)
{
	(void)state;
	check_wrong(PARSE("--record", "run", "--threads", "2"), "--record 'run'", "--threads '2'");
	check_wrong(PARSE("-t64", "-rrun"), "--record 'run'", "--threads '64'");
	assert_string_equal(accepted(PARSE("--record", "run", "--threads", "1")).record, "run");
	assert_string_equal(accepted(PARSE("-t2", "-rrun", "-t1")).record, "run");
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void an_address_that_does_not_parse_is_refused(void **state)
{
	char *values[] = { "1.2.3",
			   "localhost",
			   "::g",
			   "",
			   "1.2.3.4.5",
			   "256.1.1.1",
			   "1.2.3.4 ",
			   " 1.2.3.4",
			   "[::1]",
			   "1:2:3:4:5:6:7:8:9",
			   ":::",
			   "::1%",
			   "1.2.3.4%lo",
			   "01.2.3.4",
			   "0x7f.1",
			   "127.0.0.1:80",
			   "::1%no-such-interface",
			   "2130706433" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_refused("--address", 'a', values[i]);
}

/* ECHO-71: Wrong usage MUST give one line: and none for an address of either family. */
static void an_address_that_parses_is_taken(void **state)
{
	char *values[] = { "127.0.0.1",   "0.0.0.0",          "255.255.255.255", "::",        "::1",
			   "2001:db8::1", "::ffff:127.0.0.1", "1:2:3:4:5:6:7:8", "fe80::1%lo" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_string_equal(accepted(PARSE("--address", values[i])).address, values[i]);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_wrong_log_format_is_refused(void **state)
{
	char *values[] = { "xml", "", "JSON", "json ", "jso", "text,json" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_refused("--log-format", 'l', values[i]);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_wrong_file_name_is_refused(void **state)
{
	char *values[] = { "", "%", "run.%", "run.%d", "%%%", "%P" };
	static char value[OPTIONS_NAME_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_refused("--record", 'r', values[i]);
	assert_string_equal(accepted(PARSE("--record", "100%%")).record, "100%%");
	memset(value, 'n', sizeof(value) - 1);
	check_wrong(PARSE("--record", value), "--record", "'nnnnnnnn");
	value[OPTIONS_NAME_SIZE - 1] = '\0';
	assert_string_equal(accepted(PARSE("--record", value)).record, value);
}

static void check_size(const char *text, uint64_t expected)
{
	uint64_t size = 0;

	if (!options_size(text, &size))
		fail_msg("refused: \"%s\"", text);
	assert_int_equal(size, expected);
}

/* ECHO-71: Wrong usage MUST give one line: sizes are bytes, or powers of 1024. */
static void sizes_are_understood(void **state)
{
	(void)state;
	check_size("1", 1);
	check_size("65536", 65536);
	check_size("65536B", 65536);
	check_size("64K", 65536);
	check_size("64k", 65536);
	check_size("64KiB", 65536);
	check_size("1M", 1 << 20);
	check_size("1m", 1 << 20);
	check_size("1MiB", 1 << 20);
	check_size("2G", UINT64_C(2) << 30);
	check_size("2g", UINT64_C(2) << 30);
	check_size("2GiB", UINT64_C(2) << 30);
	check_size("007", 7);
	check_size("18446744073709551615", UINT64_MAX);
	check_size("17179869183G", UINT64_C(17179869183) << 30);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_wrong_size_is_refused(void **state)
{
	char *values[] = { "0",
			   "00",
			   "0K",
			   "",
			   "K",
			   "KiB",
			   "12Q",
			   "0x10",
			   "-1",
			   "+5",
			   " 5",
			   "5 ",
			   "1.5M",
			   "1 K",
			   "1e3",
			   "1KB",
			   "1Ki",
			   "1kiB",
			   "1KiBx",
			   "1KK",
			   "1T",
			   "1b",
			   "64Mx",
			   "inf",
			   "1,0",
			   "17179869184G",
			   "18014398509481984K",
			   "18446744073709551616",
			   "99999999999999999999999999999999999999999" };
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (options_size(values[i], &size))
			fail_msg("not refused: \"%s\"", values[i]);
		check_refused("--memory", 'm', values[i]);
	}
}

static void check_seconds(const char *text, uint64_t expected)
{
	uint64_t ms = 0;

	if (!options_seconds(text, &ms))
		fail_msg("refused: \"%s\"", text);
	assert_int_equal(ms, expected);
}

/* ECHO-71: Wrong usage MUST give one line: seconds may have milliseconds. */
static void seconds_are_understood(void **state)
{
	(void)state;
	check_seconds("0", 0);
	check_seconds("5", 5000);
	check_seconds("05", 5000);
	check_seconds("0.25", 250);
	check_seconds("0.001", 1);
	check_seconds("0.010", 10);
	check_seconds("1.5", 1500);
	check_seconds("86399.999", 86399999);
	check_seconds("86400", 86400000);
	check_seconds("86400.000", 86400000);
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void wrong_seconds_are_refused(void **state)
{
	char *values[] = {
		"1e3", "-1",    "86401", "0.0005", "86400.001", "1.", ".",
		".5",  "",      "5s",    "+5",     " 5",        "5 ", "1,5",
		"0x1", "1.2.3", "nan",   "1.-5",   "1.5x",      "5m", "99999999999999999999"
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (options_seconds(values[i], &ms))
			fail_msg("not refused: \"%s\"", values[i]);
		check_refused("--idle-timeout", 'i', values[i]);
		check_refused("--drain-timeout", 'd', values[i]);
		check_refused("--stats", 's', values[i]);
	}
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void an_unknown_option_is_named(void **state)
{
	(void)state;
	check_wrong(PARSE("--bogus"), "'--bogus'", "unknown option");
	check_wrong(PARSE("--bogus=5"), "'--bogus=5'", "unknown option");
	check_wrong(PARSE("-x"), "'-x'", "unknown option");
	check_wrong(PARSE("-:"), "'-:'", "unknown option");
	check_wrong(PARSE("-W"), "'-W'", "unknown option");
	check_wrong(PARSE("--port", "1", "--bogus"), "'--bogus'", "unknown option");
	check_wrong(PARSE("argument", "--bogus"), "'--bogus'", "unknown option");
	check_wrong(PARSE("--Port", "1"), "'--Port'", "unknown option");
}

/* ECHO-71: Wrong usage MUST give one line that names the option: also one among several letters,
 * whatever stood before them. */
static void an_unknown_letter_is_named_among_others(void **state)
{
	(void)state;
	check_wrong(PARSE("-vx"), "'-x'", "unknown option");
	check_wrong(PARSE("-xv"), "'-x'", "unknown option");
	check_wrong(PARSE("--port=1", "-vx"), "'-x'", "unknown option");
	check_wrong(PARSE("--verbose", "-xv"), "'-x'", "unknown option");
	check_wrong(PARSE("--port", "1", "-xv"), "'-x'", "unknown option");
}

/* ECHO-71: Wrong usage MUST give one line that names the option. */
static void a_missing_value_is_told(void **state)
{
	static char *const options[][3] = {
		{ "--address", "-a" },         { "--port", "-p" },       { "--backlog", "-b" },
		{ "--max-connections", "-c" }, { "--memory", "-m" },     { "--idle-timeout", "-i" },
		{ "--drain-timeout", "-d" },   { "--log-format", "-l" }, { "--stats", "-s" },
		{ "--record", "-r" },          { "--threads", "-t" },    { "--pipes", "-P" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		check_wrong(PARSE(options[i][0]), options[i][0], "needs a value");
		check_wrong(PARSE(options[i][1]), options[i][0], "needs a value");
		check_wrong(PARSE("-v", options[i][1]), options[i][0], "needs a value");
	}
}

/* ECHO-71: Wrong usage MUST give one line that names the option and the value. */
static void a_value_that_is_not_wanted_is_told(void **state)
{
	(void)state;
	check_wrong(PARSE("--verbose=yes"), "'--verbose=yes'", "takes no value");
	check_wrong(PARSE("--verbose="), "'--verbose='", "takes no value");
	check_wrong(PARSE("--help=me"), "'--help=me'", "takes no value");
	check_wrong(PARSE("--version=2"), "'--version=2'", "takes no value");
}

/* ECHO-71: Wrong usage MUST give one line that names the value, and an empty one is a value. */
static void an_empty_value_is_a_value(void **state)
{
	(void)state;
	check_wrong(PARSE("--port="), "--port", "''");
	check_wrong(PARSE("--port", ""), "--port", "''");
	check_wrong(PARSE("-p", ""), "--port", "''");
	check_wrong(PARSE("--memory="), "--memory", "''");
	check_wrong(PARSE("--address="), "--address", "''");
}

/* ECHO-71: Wrong usage MUST give one line that names the value. */
static void an_argument_is_refused(void **state)
{
	(void)state;
	check_wrong(PARSE("3000"), "unexpected argument", "'3000'");
	check_wrong(PARSE("--port", "1", "extra", "more"), "unexpected argument", "'extra'");
	check_wrong(PARSE("extra", "--port", "1"), "unexpected argument", "'extra'");
	check_wrong(PARSE("--", "--port"), "unexpected argument", "'--port'");
	check_wrong(PARSE("-"), "unexpected argument", "'-'");
	check_wrong(PARSE(""), "unexpected argument", "''");
	accepted(PARSE("--verbose", "--"));
}

/* ECHO-71: Wrong usage MUST give one line that names the option: an abbreviation is taken where
 * only one option begins with it. */
static void an_abbreviation_is_taken_if_it_is_clear(void **state)
{
	(void)state;
	assert_int_equal(accepted(PARSE("--po", "4000")).port, 4000);
	assert_int_equal(accepted(PARSE("--mem=1M")).memory, 1 << 20);
	check_wrong(PARSE("--po", "x"), "--port", "'x'");
	check_wrong(PARSE("--m", "1"), "'--m'", "unknown option");
	check_wrong(PARSE("--ver"), "'--ver'", "unknown option");
}

/* ECHO-71: Wrong usage MUST give one line: of two values the later one counts, and both are
 * looked at. */
static void the_later_value_counts(void **state)
{
	(void)state;
	assert_int_equal(accepted(PARSE("-p", "1", "--port=2", "-p3")).port, 3);
	assert_false(accepted(PARSE("--log-format", "json", "-l", "text")).json);
	assert_true(accepted(PARSE("-v", "-v")).verbose);
	assert_string_equal(accepted(PARSE("-a", "::1", "-a", "127.0.0.1")).address, "127.0.0.1");
	check_wrong(PARSE("-p", "x", "-p", "1"), "--port", "'x'");
	check_wrong(PARSE("-p", "1", "-p", "x"), "--port", "'x'");
}

/* ECHO-71: Wrong usage MUST give one line: after the help or the version nothing is looked at,
 * and what is wrong before them is told. */
static void help_and_version_end_the_reading(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--help").outcome, OPTIONS_HELP);
	assert_int_equal(PARSE("-h").outcome, OPTIONS_HELP);
	assert_int_equal(PARSE("-vh").outcome, OPTIONS_HELP);
	assert_int_equal(PARSE("--version").outcome, OPTIONS_VERSION);
	assert_int_equal(PARSE("-V").outcome, OPTIONS_VERSION);
	assert_int_equal(PARSE("--help", "--bogus").outcome, OPTIONS_HELP);
	assert_int_equal(PARSE("--version", "--help").outcome, OPTIONS_VERSION);
	check_wrong(PARSE("--port=x", "--help"), "--port", "'x'");
}

/* ECHO-76: The help, the version and the manual page MUST name every option. */
static void the_help_names_every_option(void **state)
{
	static const char *const names[] = {
		"  -a, --address A ",         "  -p, --port N ",      "  -b, --backlog N ",
		"  -c, --max-connections N ", "  -m, --memory SIZE ", "  -i, --idle-timeout S ",
		"  -d, --drain-timeout S ",   "  -v, --verbose ",     "  -l, --log-format FORMAT ",
		"  -s, --stats S ",           "  -r, --record FILE ", "  -h, --help ",
		"  -V, --version ",           "  -t, --threads N ",   "  -P, --pipes N ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_contains(options_help, names[i]);
	assert_int_equal(options_help[strlen(options_help) - 1], '\n');
}

/* ECHO-71: Wrong usage MUST give one line that names the option: however long the value is. */
static void a_long_value_does_not_make_a_long_message(void **state)
{
	static char value[4096], option[4096] = "--";

	(void)state;
	memset(value, '9', sizeof(value) - 1);
	memset(option + 2, 'o', sizeof(option) - 3);
	check_wrong(PARSE("--max-connections", value), "--max-connections", "'9999999999");
	check_wrong(PARSE("--max-connections", value), "is not", "1 to 65536");
	check_wrong(PARSE("--drain-timeout", value), "--drain-timeout", "'9999999999");
	check_wrong(PARSE("--address", value), "--address", "'9999999999");
	check_wrong(PARSE(value), "unexpected argument", "'9999999999");
	check_wrong(PARSE(option), "unknown option", "'--oooooooo");
}

/* ECHO-71: Wrong usage MUST give one line: whatever bytes the value holds, the terminal shows one
 * line and does nothing else. */
static void a_value_cannot_break_the_line(void **state)
{
	static char *const values[] = { "1\n2", "\n", "5\r", "\t5", "\033[2J", "\x7f", "a\x01z" };
	char option[WORD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		check_wrong(PARSE("--port", values[i]), "--port", "'");
		check_wrong(PARSE("--memory", values[i]), "--memory", "'");
		check_wrong(PARSE("--address", values[i]), "--address", "'");
		check_wrong(PARSE("--stats", values[i]), "--stats", "'");
		check_wrong(PARSE("--log-format", values[i]), "--log-format", "'");
		snprintf(option, sizeof(option), "%%%s", values[i]);
		check_wrong(PARSE("--record", option), "--record", "'");
		check_wrong(PARSE(values[i]), "unexpected argument", "'");
		snprintf(option, sizeof(option), "--x%s", values[i]);
		check_wrong(PARSE(option), "unknown option", "'--x");
		snprintf(option, sizeof(option), "--verbose=%s", values[i]);
		check_wrong(PARSE(option), "takes no value", "'--verbose=");
	}
	check_wrong(PARSE("-\n"), "unknown option", "'-");
	check_wrong(PARSE("-\033"), "unknown option", "'-");
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* A word of a command line: something like an option, or a few letters of those that matter. */
static void random_word(uint64_t *seed, char word[WORD_MAX])
{
	static const char *const wholes[] = { "--port",         "--memory", "--stats",
					      "--address",      "-v",       "--log-format",
					      "--idle-timeout", "json",     "64M",
					      "--record" };
	static const char letters[] = "0123456789.-+=:KMGieBapbcmidvlsrhVx% ";
	size_t length = next_random(seed) % 12;

	if (next_random(seed) % 3 == 0) {
		snprintf(word, WORD_MAX, "%s",
			 wholes[next_random(seed) % (sizeof(wholes) / sizeof(wholes[0]))]);
		return;
	}
	for (size_t i = 0; i < length; i++)
		word[i] = letters[next_random(seed) % (sizeof(letters) - 1)];
	word[length] = '\0';
}

static void check_bounds(const struct options *options)
{
	assert_in_range(options->backlog, 1, OPTIONS_BACKLOG_LIMIT);
	assert_in_range(options->connections_max, 0, OPTIONS_CONNECTIONS_LIMIT);
	assert_in_range(options->memory, 1, UINT64_MAX);
	assert_in_range(options->idle_ms, 0, OPTIONS_SECONDS_LIMIT * 1000);
	assert_in_range(options->drain_ms, 0, OPTIONS_SECONDS_LIMIT * 1000);
	assert_in_range(options->stats_ms, 0, OPTIONS_SECONDS_LIMIT * 1000);
}

/* ECHO-71: Wrong usage MUST give one line: any other command line gives options within their
 * bounds. */
static void any_command_line_is_one_or_the_other(void **state)
{
	static char words[ARGUMENTS_MAX][WORD_MAX];
	uint64_t seed = 20;
	uint32_t wrong = 0, run = 0;

	(void)state;
	for (uint32_t line = 0; line < RANDOM_LINES; line++) {
		char *argv[ARGUMENTS_MAX + 2] = { "epoll-echo" };
		uint32_t count = next_random(&seed) % 4;
		struct parsed parsed;

		for (uint32_t i = 0; i < count; i++) {
			random_word(&seed, words[i]);
			argv[i + 1] = words[i];
		}
		parsed = parse(argv);
		if (parsed.outcome == OPTIONS_WRONG) {
			check_line(parsed.error);
			wrong++;
		} else if (parsed.outcome == OPTIONS_RUN) {
			check_bounds(&parsed.options);
			run++;
		}
	}
	assert_true(wrong > RANDOM_LINES / 10); /* the lines are not all of one kind */
	assert_true(run > RANDOM_LINES / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_there_are_defaults),
		cmocka_unit_test(every_option_is_understood),
		cmocka_unit_test(a_wrong_port_is_refused),
		cmocka_unit_test(a_wrong_number_is_refused),
		cmocka_unit_test(several_threads_are_not_recorded),
		cmocka_unit_test(an_address_that_does_not_parse_is_refused),
		cmocka_unit_test(an_address_that_parses_is_taken),
		cmocka_unit_test(a_wrong_log_format_is_refused),
		cmocka_unit_test(a_wrong_file_name_is_refused),
		cmocka_unit_test(sizes_are_understood),
		cmocka_unit_test(a_wrong_size_is_refused),
		cmocka_unit_test(seconds_are_understood),
		cmocka_unit_test(wrong_seconds_are_refused),
		cmocka_unit_test(an_unknown_option_is_named),
		cmocka_unit_test(an_unknown_letter_is_named_among_others),
		cmocka_unit_test(a_missing_value_is_told),
		cmocka_unit_test(a_value_that_is_not_wanted_is_told),
		cmocka_unit_test(an_empty_value_is_a_value),
		cmocka_unit_test(an_argument_is_refused),
		cmocka_unit_test(an_abbreviation_is_taken_if_it_is_clear),
		cmocka_unit_test(the_later_value_counts),
		cmocka_unit_test(help_and_version_end_the_reading),
		cmocka_unit_test(the_help_names_every_option),
		cmocka_unit_test(a_long_value_does_not_make_a_long_message),
		cmocka_unit_test(a_value_cannot_break_the_line),
		cmocka_unit_test(any_command_line_is_one_or_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
