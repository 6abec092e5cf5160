/* The load generator: options, the clocks, and what it came to in one line of JSON. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { EXIT_WRONG = 1, EXIT_UNABLE = 2 };

static const char usage[] =
	"Usage: load MODE --connect HOST:PORT [OPTION]...\n"
	"Loads a TCP echo server (HOST is an IPv4 address), compares each byte that comes back with\n"
	"what was sent, and prints one line of JSON.\n"
	"\n"
	"  rtt    round trips, the next message of a connection after the echo of the last\n"
	"  bulk   one long stream a connection, sent and received at once, then half-close\n"
	"  churn  connects, one echo, half-close, end of stream, close\n"
	"  idle   one echo a connection, then all stay open until standard input ends\n"
	"  tail   one connection with round trips, beside connections with endless streams\n"
	"\n"
	"  --connections N  at once (64)\n"
	"  --size BYTES     of a message (64)\n"
	"  --count N        messages in all, or connections of churn (10000)\n"
	"  --bytes N        of each stream of bulk (64 MiB)\n"
	"  --window BYTES   of a stream that may be under way (1 MiB)\n"
	"  --floods N       connections beside the one that tail times (64)\n"
	"  --most S         tail ends after so many seconds, whatever the count (3600)\n"
	"  --timeout S      without progress for so long, the server has stalled (10)\n"
	"  --server PID     tells the CPU time of this process during what was measured\n"
	"  --cpu N          runs on this core only\n"
	"  --help           prints this\n"
	"\n"
	"Exit status: 0 every byte came back; 1 bytes were wrong, lost or late, or a connection was\n"
	"reset; 2 it cannot run.\n";

static const struct mode {
	const char *name;
	void (*run)(const struct load *load, struct outcome *outcome);
} modes[] = {
	{ "rtt", load_rtt },   { "bulk", load_bulk }, { "churn", load_churn },
	{ "idle", load_idle }, { "tail", load_tail },
};

__attribute__((format(printf, 1, 0))) static void complain(const char *format, va_list arguments)
{
	fputs("load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void load_failed(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(format, arguments);
	va_end(arguments);
	exit(EXIT_WRONG);
}

void load_unable(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(format, arguments);
	va_end(arguments);
	exit(EXIT_UNABLE);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		load_unable("cannot read a clock: %s", strerror(errno));
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t load_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* All threads of the process, those that have ended included, in nanoseconds. */
static uint64_t server_cpu_ns(const struct load *load)
{
	clockid_t clock;
	int error;

	if (load->server == 0)
		return 0;
	error = clock_getcpuclockid(load->server, &clock);
	if (error != 0)
		load_failed("the server is gone: %s", strerror(error));
	return clock_ns(clock);
}

void load_begin(const struct load *load, struct outcome *outcome)
{
	outcome->started_cpu_ns = server_cpu_ns(load);
	outcome->started_ns = load_now_ns();
}

void load_end(const struct load *load, struct outcome *outcome)
{
	outcome->wall_ns = load_now_ns() - outcome->started_ns;
	outcome->cpu_ns = server_cpu_ns(load) - outcome->started_cpu_ns;
}

int load_wait(const struct load *load, struct epoll_event *events)
{
	int count;

	do
		count = epoll_wait(load->epoll, events, LOAD_EVENTS_MAX, load->timeout_ms);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		load_unable("epoll_wait: %s", strerror(errno));
	if (count == 0)
		load_failed("stalled: nothing came in %d ms", load->timeout_ms);
	return count;
}

static _Noreturn void wrong_usage(const char *what, const char *value)
{
	load_unable("%s '%s' (see --help)", what, value);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < least ||
	    value > most)
		load_unable("--%s '%s': a number from %" PRIu64 " to %" PRIu64 " (see --help)",
			    option, text, least, most);
	return value;
}

static void parse_address(const char *text, struct sockaddr_in *address)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		wrong_usage("--connect: no HOST:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)number("connect", colon + 1, 1, UINT16_MAX));
	if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
		wrong_usage("--connect: no IPv4 address", host);
}

static void pin(const char *text)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)number("cpu", text, 0, CPU_SETSIZE - 1), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		load_unable("--cpu '%s': %s", text, strerror(errno));
}

static void parse_option(struct load *load, int option, const char *name, const char *value)
{
	switch (option) {
	case 'a':
		parse_address(value, &load->address);
		break;
	case 'c':
		load->connections = (uint32_t)number(name, value, 1, LOAD_CONNECTIONS_MAX);
		break;
	case 's':
		load->size = (uint32_t)number(name, value, 1, LOAD_SIZE_MAX);
		break;
	case 'n':
		load->count = number(name, value, 1, UINT32_MAX);
		break;
	case 'b':
		load->bytes = number(name, value, 1, UINT64_MAX / 2);
		break;
	case 'w':
		load->window = number(name, value, 1, UINT32_MAX);
		break;
	case 'f':
		load->floods = (uint32_t)number(name, value, 0, LOAD_CONNECTIONS_MAX - 1);
		break;
	case 'm':
		load->most_ms = (int)number(name, value, 1, 3600) * 1000;
		break;
	case 't':
		load->timeout_ms = (int)number(name, value, 1, 3600) * 1000;
		break;
	case 'p':
		load->server = (pid_t)number(name, value, 1, INT32_MAX);
		break;
	case 'u':
		pin(value);
		break;
	case 'h':
		exit(fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_UNABLE : EXIT_SUCCESS);
	default:
		exit(EXIT_UNABLE);
	}
}

static const struct mode *parse(struct load *load, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "connect", required_argument, NULL, 'a' },
		{ "connections", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "window", required_argument, NULL, 'w' },
		{ "floods", required_argument, NULL, 'f' },
		{ "most", required_argument, NULL, 'm' },
		{ "timeout", required_argument, NULL, 't' },
		{ "server", required_argument, NULL, 'p' },
		{ "cpu", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
		parse_option(load, option, options[index].name, optarg);
	if (argc - optind != 1)
		wrong_usage("one mode is wanted, not", argc == optind ? "" : argv[optind + 1]);
	if (load->address.sin_port == 0)
		wrong_usage("--connect is wanted by", argv[optind]);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			return &modes[i];
	wrong_usage("no such mode", argv[optind]);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		load_unable("getrlimit: %s", strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		load_unable("setrlimit: %s", strerror(errno));
}

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void print(const char *mode, const struct outcome *outcome)
{
	const struct histogram *latency = &outcome->latency;

	printf("{\"mode\": \"%s\", \"messages\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"wall_ns\": %" PRIu64 ", \"server_cpu_ns\": %" PRIu64,
	       mode, outcome->messages, outcome->bytes, outcome->wall_ns, outcome->cpu_ns);
	if (latency->count > 0)
		printf(", \"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p99.9_us\": %.2f"
		       ", \"max_us\": %.2f",
		       us(histogram_at(latency, 0.5)), us(histogram_at(latency, 0.9)),
		       us(histogram_at(latency, 0.99)), us(histogram_at(latency, 0.999)),
		       us(latency->max));
	if (outcome->others.count > 0)
		printf(", \"others_p50_bytes\": %" PRIu64 ", \"others_p99_bytes\": %" PRIu64
		       ", \"others_max_bytes\": %" PRIu64,
		       histogram_at(&outcome->others, 0.5), histogram_at(&outcome->others, 0.99),
		       outcome->others.max);
	puts("}");
}

int main(int argc, char *argv[])
{
	static struct outcome outcome;
	struct load load = {
		.connections = 64,
		.size = 64,
		.count = 10000,
		.bytes = 64 << 20,
		.window = 1 << 20,
		.floods = 64,
		.most_ms = 3600 * 1000,
		.timeout_ms = 10000,
	};
	const struct mode *mode = parse(&load, argc, argv);

	raise_descriptors();
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) /* sendfile() has no flag for that */
		load_unable("cannot ignore SIGPIPE: %s", strerror(errno));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		load_unable("epoll_create1: %s", strerror(errno));
	mode->run(&load, &outcome);
	if (mode->run != load_idle)
		print(mode->name, &outcome);
	return fflush(stdout) != 0 ? EXIT_UNABLE : EXIT_SUCCESS;
}
