#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/address.h"
#include "record/name.h"

const char options_help[] =
	"Usage: epoll-echo [OPTION]...\n"
	"Serves TCP echo on Linux epoll: every byte comes back, once and in order.\n"
	"\n"
	"  -a, --address A          listen on this IPv4 or IPv6 address (0.0.0.0); :: serves both\n"
	"  -p, --port N             listen on this port (3000); 0 takes a free one\n"
	"  -b, --backlog N          connections that may wait to be accepted (4096)\n"
	"  -c, --max-connections N  serve at most so many at once (as many as descriptors, memory\n"
	"                           and 65536 allow)\n"
	"  -t, --threads N          serve in N threads, 1 to 64 (1); each has its share of the connections\n"
	"                           and the memory\n"
	"  -m, --memory SIZE        user memory to stay within (64M); K, M and G are powers of 1024\n"
	"  -P, --pipes N            pipes for long streams, at most: 0 to 64 (16)\n"
	"  -i, --idle-timeout S     end connections without traffic for S seconds (0: never)\n"
	"  -d, --drain-timeout S    after SIGTERM, cut off what is open after S seconds (5)\n"
	"  -v, --verbose            tell each registration, event, echo and close on stderr\n"
	"  -l, --log-format FORMAT  text or json (text)\n"
	"  -s, --stats S            print the statistics every S seconds (0: on SIGUSR1 only)\n"
	"  -r, --record FILE        record the run for epoll-replay; %p is the process (no recording)\n"
	"  -h, --help               print this, and exit\n"
	"  -V, --version            print the version, and exit\n"
	"\n"
	"SIGTERM or SIGINT drains and exits, a second one exits at once; SIGUSR1 prints statistics.\n"
	"Exit status: 0 drained, 1 could not serve or was made to stop, 2 wrong usage.\n";

static const struct option long_options[] = {
	{ "address", required_argument, NULL, 'a' },
	{ "port", required_argument, NULL, 'p' },
	{ "backlog", required_argument, NULL, 'b' },
	{ "max-connections", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' },
	{ "pipes", required_argument, NULL, 'P' },
	{ "memory", required_argument, NULL, 'm' },
	{ "idle-timeout", required_argument, NULL, 'i' },
	{ "drain-timeout", required_argument, NULL, 'd' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "log-format", required_argument, NULL, 'l' },
	{ "stats", required_argument, NULL, 's' },
	{ "record", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char short_options[] = ":a:p:b:c:t:P:m:i:d:vl:s:r:hV";

/* Reads decimal digits; false: none, or beyond `most`. */
static bool digits(const char **text, uint64_t most, uint64_t *value)
{
	const char *p = *text;

	*value = 0;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (*value > (most - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	*text = p;
	return true;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	return digits(&text, most, value) && *text == '\0' && *value >= least;
}

bool options_size(const char *text, uint64_t *size)
{
	static const char *const units[][3] = {
		{ "", "B", "" }, { "K", "KiB", "k" }, { "M", "MiB", "m" }, { "G", "GiB", "g" }
	};

	if (!digits(&text, UINT64_MAX, size) || *size == 0)
		return false;
	for (unsigned power = 0; power < 4; power++) {
		for (unsigned i = 0; i < 3; i++) {
			if (strcmp(text, units[power][i]) != 0)
				continue;
			if (*size > UINT64_MAX >> (10 * power))
				return false;
			*size <<= 10 * power;
			return true;
		}
	}
	return false;
}

bool options_seconds(const char *text, uint64_t *ms)
{
	uint64_t seconds, thousandths = 0;

	if (!digits(&text, OPTIONS_SECONDS_LIMIT, &seconds))
		return false;
	if (*text == '.') {
		uint64_t place = 100;

		for (text++; *text >= '0' && *text <= '9' && place > 0; text++, place /= 10)
			thousandths += place * (uint64_t)(*text - '0');
		if (text[-1] == '.')
			return false;
	}
	*ms = seconds * 1000 + thousandths;
	return *text == '\0' && *ms <= OPTIONS_SECONDS_LIMIT * UINT64_C(1000);
}

static bool is_address(const char *text)
{
	struct sockaddr_storage address;
	socklen_t length;

	return address_parse(text, 0, &address, &length);
}

static bool is_log_format(const char *text, bool *json)
{
	*json = strcmp(text, "json") == 0;
	return *json || strcmp(text, "text") == 0;
}

/* The number of the process is not known here, but how long it can get. */
static bool is_record_name(const char *text)
{
	char name[OPTIONS_NAME_SIZE];

	return record_name(name, sizeof(name), text, LONG_MAX);
}

/* Sets one option; NULL, or what its value would have had to be. */
static const char *set_option(struct options *options, int option, const char *value)
{
	uint64_t n = 0;

	switch (option) {
	case 'a':
		options->address = value;
		return is_address(value) ? NULL : "an IPv4 or IPv6 address";
	case 'p':
		if (!number(value, 0, UINT16_MAX, &n))
			return "a port, 0 to 65535";
		options->port = (uint16_t)n;
		return NULL;
	case 'b':
		if (!number(value, 1, OPTIONS_BACKLOG_LIMIT, &n))
			return "a number, 1 to 65535";
		options->backlog = (int)n;
		return NULL;
	case 'c':
		if (!number(value, 1, OPTIONS_CONNECTIONS_LIMIT, &n))
			return "a number, 1 to 65536";
		options->connections_max = (uint32_t)n;
		return NULL;
	case 't':
		if (!number(value, 1, OPTIONS_THREADS_LIMIT, &n))
			return "a number, 1 to 64";
		options->threads = (uint32_t)n;
		return NULL;
	case 'P':
		if (!number(value, 0, OPTIONS_PIPES_LIMIT, &n))
			return "a number, 0 to 64";
		options->pipes = (uint32_t)n;
		return NULL;
	case 'm':
		return options_size(value, &options->memory) ? NULL : "a size, such as 64M";
	case 'i':
		return options_seconds(value, &options->idle_ms) ? NULL : "seconds, 0 to 86400";
	case 'd':
		return options_seconds(value, &options->drain_ms) ? NULL : "seconds, 0 to 86400";
	case 's':
		return options_seconds(value, &options->stats_ms) ? NULL : "seconds, 0 to 86400";
	case 'l':
		return is_log_format(value, &options->json) ? NULL : "text or json";
	case 'r':
		options->record = value;
		return is_record_name(value) ? NULL : "a file name, with %p or %% if need be";
	default:
		options->verbose = true; /* 'v' */
		return NULL;
	}
}

/* The long name of an option; NULL: there is none. */
static const char *long_name(int option)
{
	for (const struct option *o = long_options; o->name != NULL; o++)
		if (o->val == option)
			return o->name;
	return NULL;
}

/* What the user typed goes into the message: it stays one line, whatever that was. */
__attribute__((format(printf, 2, 3))) static enum options_outcome wrong(
	char error[OPTIONS_ERROR_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, OPTIONS_ERROR_SIZE, format, arguments);
	va_end(arguments);
	for (char *p = error; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return OPTIONS_WRONG;
}

static enum options_outcome wrong_option(char *argv[], int option, char *error)
{
	const char *given = argv[optind - 1];

	/* getopt_long(3): optopt is 0 for a long option that does not exist, and the letter of one
	 * that does for a value that it does not take. */
	if (option == ':')
		return wrong(error, "option '--%s' needs a value", long_name(optopt));
	if (optopt == 0)
		return wrong(error, "unknown option '%.100s'", given);
	if (long_name(optopt) != NULL)
		return wrong(error, "option '%.100s' takes no value", given);
	return wrong(error, "unknown option '-%c'", optopt);
}

enum options_outcome options_parse(int argc, char *argv[], struct options *options,
				   char error[OPTIONS_ERROR_SIZE])
{
	int option;

	*options = (struct options){
		.address = "0.0.0.0",
		.port = 3000,
		.backlog = SOMAXCONN,
		.threads = 1,
		.pipes = 16,
		.memory = UINT64_C(64) << 20,
		.drain_ms = 5000,
	};
	optind = 0; /* getopt_long(3): starts afresh, as a test has to */
	opterr = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		const char *wanted;

		if (option == 'h')
			return OPTIONS_HELP;
		if (option == 'V')
			return OPTIONS_VERSION;
		if (option == '?' || option == ':')
			return wrong_option(argv, option, error);
		wanted = set_option(options, option, optarg);
		if (wanted != NULL)
			return wrong(error, "--%s '%.100s' is not %s", long_name(option), optarg,
				     wanted);
	}
	if (optind < argc)
		return wrong(error, "unexpected argument '%.100s'", argv[optind]);
	if (options->record != NULL && options->threads > 1)
		return wrong(error,
			     "--record '%.100s' does not go with --threads '%u': "
			     "a recording is the run of one thread",
			     options->record, (unsigned)options->threads);
	return OPTIONS_RUN;
}
