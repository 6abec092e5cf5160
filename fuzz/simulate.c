/* Plays runs of the simulated world by their seeds, and tells what they came to. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "simulation.h"

enum { EXIT_FOUND = 1, EXIT_CANNOT_RUN = 2, RUNS_DEFAULT = 300, PROGRESS_SECONDS = 5 };

static const double NS_PER_HOUR = 3600e9, HOURS_PER_YEAR = 24 * 365.25;

static const char usage[] =
	"Usage: tests/simulate [OPTION]...\n"
	"Runs the engine of the server in a simulated world: on the model of epoll, with simulated\n"
	"clients, calls that fail, and virtual time. A seed tells all of a run.\n"
	"\n"
	"  --seed N         plays run N again, and prints each call of it; alone\n"
	"  --runs COUNT     plays so many runs (300)\n"
	"  --hours HOURS    plays runs until so much virtual time has passed\n"
	"  --seconds COUNT  plays runs for so long\n"
	"  --first N        the first of them (1); the others follow\n"
	"  --all            goes on after a finding\n"
	"  --help           prints this\n"
	"\n"
	"Exit status: 0 nothing was found; 1 something was; 2 wrong usage, or it cannot write.\n";

struct options {
	uint64_t first, runs;
	double hours, seconds;
	bool print, all;
};

static uint64_t seed_now;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* An assertion has trapped: which run was it? */
static void trapped(int number)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "simulate: seed %" PRIu64 ": trapped\n", seed_now);
	ssize_t written = write(STDERR_FILENO, text, (size_t)len);

	(void)written;
	signal(number, SIG_DFL);
	raise(number);
}

/* What cannot be told was not found to be sound. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "simulate: standard output: %s\n", strerror(errno));
	return EXIT_CANNOT_RUN;
}

static _Noreturn void wrong(const char *option, const char *value, const char *expected)
{
	fprintf(stderr, "simulate: %s: '%s' is no %s (see --help)\n", option, value, expected);
	exit(EXIT_CANNOT_RUN);
}

static uint64_t whole(const char *option, const char *text, uint64_t least)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno != 0 || *end != '\0' || number < least)
		wrong(option, text,
		      least > 0 ? "whole number from 1 up" : "whole number from 0 up");
	return number;
}

static double real(const char *option, const char *text)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(number) || number <= 0)
		wrong(option, text, "number above 0");
	return number;
}

static _Noreturn void refuse(const char *what)
{
	fprintf(stderr, "simulate: %s (see --help)\n", what);
	exit(EXIT_CANNOT_RUN);
}

static struct options take_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "runs", required_argument, NULL, 'r' },
		{ "hours", required_argument, NULL, 'h' },
		{ "seconds", required_argument, NULL, 't' },
		{ "first", required_argument, NULL, 'f' },
		{ "all", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, '?' + 256 },
		{ 0 },
	};
	struct options options = { .first = 1 };
	int option, given = 0;

	for (; (option = getopt_long(argc, argv, "", names, NULL)) != -1; given++) {
		switch (option) {
		case 's':
			options.first = whole("--seed", optarg, 0);
			options.print = true;
			break;
		case 'r':
			options.runs = whole("--runs", optarg, 1);
			break;
		case 'h':
			options.hours = real("--hours", optarg);
			break;
		case 't':
			options.seconds = real("--seconds", optarg);
			break;
		case 'f':
			options.first = whole("--first", optarg, 0);
			break;
		case 'a':
			options.all = true;
			break;
		case '?' + 256:
			fputs(usage, stdout);
			exit(finish(EXIT_SUCCESS));
		default:
			exit(EXIT_CANNOT_RUN);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "simulate: unexpected '%s' (see --help)\n", argv[optind]);
		exit(EXIT_CANNOT_RUN);
	}
	if (options.print && given > 1)
		refuse("--seed: it plays one run, and goes with no other option");
	if (options.runs == 0 && options.hours == 0 && options.seconds == 0)
		options.runs = options.print ? 1 : RUNS_DEFAULT;
	return options;
}

static void tell(const struct simulation_figures *sum, uint64_t runs, uint64_t found,
		 double seconds)
{
	double hours = (double)sum->virtual_ns / NS_PER_HOUR;
	double calls = (double)(sum->server_calls + sum->client_calls);

	printf("%" PRIu64 " runs, %" PRIu64 " clients, %.1f MB echoed, %.1f virtual hours; %" PRIu64
	       " found\n",
	       runs, sum->clients, (double)sum->bytes_echoed / 1e6, hours, found);
	printf("%.1f s: %.2f million simulated calls a second, %.0f %% of them the server's; %.2f years an hour\n",
	       seconds, calls / seconds / 1e6,
	       calls > 0 ? 100 * (double)sum->server_calls / calls : 0,
	       hours / HOURS_PER_YEAR * 3600 / seconds);
}

/* At least one: where nothing was played, nothing was found either. */
static bool goes_on(const struct options *options, uint64_t runs,
		    const struct simulation_figures *sum, double seconds)
{
	if (runs == 0)
		return true;
	return (options->runs == 0 || runs < options->runs) &&
	       (options->hours == 0 || (double)sum->virtual_ns < options->hours * NS_PER_HOUR) &&
	       (options->seconds == 0 || seconds < options->seconds);
}

int main(int argc, char **argv)
{
	struct options options = take_options(argc, argv);
	struct simulation_figures sum = { 0 };
	double start = now(), told = start;
	uint64_t runs = 0, found = 0;

	signal(SIGILL, trapped);
	signal(SIGTRAP, trapped);
	signal(SIGSEGV, trapped);
	while (goes_on(&options, runs, &sum, now() - start) && (found == 0 || options.all)) {
		struct simulation_finding finding;

		seed_now = options.first + runs++;
		if (!simulate(choices_of_seed(seed_now), SIMULATION_FULL,
			      options.print ? stdout : NULL, &sum, &finding)) {
			found++;
			printf("seed %" PRIu64 ": %s: %s\n", seed_now, finding.name,
			       finding.detail);
			fflush(stdout);
		}
		if (isatty(STDERR_FILENO) && now() - told >= PROGRESS_SECONDS) {
			told = now();
			fprintf(stderr,
				"simulate: %" PRIu64 " runs, %.1f virtual hours, %" PRIu64
				" found\n",
				runs, (double)sum.virtual_ns / NS_PER_HOUR, found);
		}
	}
	tell(&sum, runs, found, now() - start);
	return finish(found > 0 ? EXIT_FOUND : EXIT_SUCCESS);
}
