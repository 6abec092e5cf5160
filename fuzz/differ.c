/*
 * Property: whatever is done to descriptors, in whatever order, the model answers as the kernel
 * does: every result, mask, order and errno. Random programs are played on both, step by step; the
 * first one that they differ about is made as short as it can be, and printed as a scenario.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "versus.h"

enum { EXIT_DIFFERENT = 1, EXIT_CANNOT_RUN = 2, SECONDS_DEFAULT = 10 };

static const double PROGRESS_SECONDS = 5, SHORTEN_SECONDS = 30;

static const char *const mode_names[PROGRAM_MODES] = { "all", "sync", "tcp", "time", "waiters" };

struct options {
	uint64_t seed, programs;
	double seconds;
	enum program_mode mode; /* 0: all */
	uint64_t differences;
	bool print;
};

/* What was played in a mode. */
struct turn {
	uint64_t seed, programs, in_part;
	double seconds;
};

static struct turn turns[PROGRAM_MODES];
static enum program_mode mode_now;
static uint64_t found;
static double begun;
static volatile sig_atomic_t stopped;

static const char usage[] =
	"Usage: differ [OPTION]...\n"
	"Plays random programs on the model of epoll and on this kernel, and compares.\n"
	"\n"
	"  --mode MODE          what the programs are about (sync):\n"
	"                         sync     eventfds, pipes, unix sockets, instances\n"
	"                         tcp      these, and connections and listeners\n"
	"                         time     these without TCP, and timers; time passes\n"
	"                         waiters  threads that are blocked, and processes\n"
	"                         all      each of them for as long as the others\n"
	"  --seconds SECONDS    how long (10; with --programs: as long as they take)\n"
	"  --seed NUMBER        of the first program (1); the others follow\n"
	"  --programs COUNT     so many of them\n"
	"  --differences COUNT  ends after so many (1)\n"
	"  --print              prints the program of the seed, and plays none\n"
	"  --help               prints this, and ends\n"
	"\n"
	"A program is compared in part where time decides that passes here, or which of several\n"
	"threads that were woken runs first.\n"
	"Exit status: 0 they agree; 1 they do not, and it says where; 2 it cannot run.\n";

__attribute__((format(printf, 1, 2))) static _Noreturn void refuse(const char *format, ...)
{
	va_list arguments;

	fputs("differ: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" (see differ --help)\n", stderr);
	exit(EXIT_CANNOT_RUN);
}

/* What cannot be told was not compared. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "differ: standard output: %s\n", strerror(errno));
	return EXIT_CANNOT_RUN;
}

static enum program_mode mode_of(const char *text)
{
	for (int i = 0; i < PROGRAM_MODES; i++)
		if (strcmp(text, mode_names[i]) == 0)
			return (enum program_mode)i;
	refuse("--mode is sync, tcp, time, waiters or all, not '%s'", text);
}

static uint64_t number_of(const char *option, const char *text, uint64_t least)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least)
		refuse("--%s expects a number from %" PRIu64 " up, not '%s'", option, least, text);
	return value;
}

static double seconds_of(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end != '\0' || !isfinite(value) || value <= 0)
		refuse("--seconds expects a number above 0, not '%s'", text);
	return value;
}

static struct options take_options(int argc, char **argv)
{
	static const struct option names[] = { { "mode", required_argument, NULL, 'm' },
					       { "seconds", required_argument, NULL, 't' },
					       { "seed", required_argument, NULL, 's' },
					       { "programs", required_argument, NULL, 'n' },
					       { "differences", required_argument, NULL, 'd' },
					       { "print", no_argument, NULL, 'p' },
					       { "help", no_argument, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	struct options options = {
		.seed = 1, .programs = UINT64_MAX, .mode = PROGRAM_SYNC, .differences = 1
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'm')
			options.mode = mode_of(optarg);
		if (option == 't')
			options.seconds = seconds_of(optarg);
		if (option == 's')
			options.seed = number_of("seed", optarg, 0);
		if (option == 'n')
			options.programs = number_of("programs", optarg, 1);
		if (option == 'd')
			options.differences = number_of("differences", optarg, 1);
		if (option == 'p')
			options.print = true;
		if (option == 'h') {
			fputs(usage, stdout);
			exit(finish(EXIT_SUCCESS));
		}
		if (option == '?')
			exit(EXIT_CANNOT_RUN);
	}
	if (optind < argc)
		refuse("it takes no '%s'", argv[optind]);
	if (options.print && options.mode == 0)
		refuse("--print is of one mode");
	if (options.seconds == 0)
		options.seconds = options.programs == UINT64_MAX ? SECONDS_DEFAULT : INFINITY;
	return options;
}

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

/* An assertion of the model did not hold, or worse. */
static void crashed(int number)
{
	char text[96];
	int len = snprintf(text, sizeof(text),
			   "\ndiffer: crashed in --mode %s --seed %" PRIu64 "\n",
			   mode_names[mode_now], turns[mode_now].seed);
	ssize_t written = write(STDERR_FILENO, text, (size_t)len);

	(void)written;
	signal(number, SIG_DFL);
	raise(number);
}

/* Which of several threads that were woken runs first is not compared: on one processor they run
 * in the order in which they were. */
static void stay_on_one_processor(void)
{
	cpu_set_t set;
	int here = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(here >= 0 ? (size_t)here : 0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void print_program(const struct options *options)
{
	static struct program program;
	static bool left_out[PROGRAM_LINES_MAX];

	printf("# --mode %s --seed %" PRIu64 "\n", mode_names[options->mode], options->seed);
	program_make(&program, options->seed, options->mode);
	versus_print(stdout, &program, left_out, NULL);
}

static uint64_t programs_played(void)
{
	uint64_t count = 0;

	for (int i = 0; i < PROGRAM_MODES; i++)
		count += turns[i].programs;
	return count;
}

static void tell(FILE *file, const char *before, const char *after)
{
	double seconds = versus_now() - begun;
	uint64_t count = programs_played();

	fprintf(file,
		"%s%" PRIu64 " programs, %" PRIu64 " steps, %" PRIu64
		" differences, %.1f s: %.0f programs/s%s",
		before, count, versus_steps, found, seconds, (double)count / seconds, after);
	fflush(file);
}

static void show_progress(void)
{
	static double shown;
	double now = versus_now();

	if (shown == 0)
		shown = begun;
	if (now - shown < PROGRESS_SECONDS || !isatty(STDERR_FILENO))
		return;
	shown = now;
	tell(stderr, "\r", " ");
}

/* False: the generator has made what is no scenario, or what cannot be played here. */
static bool play_one(enum program_mode mode, struct turn *turn)
{
	static struct program program;
	static bool left_out[PROGRAM_LINES_MAX];
	static struct versus versus;
	bool timed = mode == PROGRAM_TIME;

	program_make(&program, turn->seed, mode);
	memset(left_out, 0, sizeof(left_out));
	versus_play(&program, left_out, timed, &versus);
	if (versus.how == VERSUS_LATE || versus.how == VERSUS_RACE)
		turn->in_part++;
	if (versus.how == VERSUS_DIFFER && !versus_again(&program, left_out, timed, &versus))
		versus.how = VERSUS_AGREE;
	if (versus.how == VERSUS_DIFFER) {
		found++;
		versus_shorten(&program, left_out, timed, SHORTEN_SECONDS, &versus);
	}
	if (versus.how == VERSUS_DIFFER || versus.how == VERSUS_REFUSED) {
		printf("\n# --mode %s --seed %" PRIu64 ": %s\n", mode_names[mode], turn->seed,
		       versus.why);
		versus_print(stdout, &program, left_out, &versus);
	}
	turn->seed++;
	turn->programs++;
	return versus.how != VERSUS_REFUSED;
}

/* The one that was played for the shortest time. */
static enum program_mode next_mode(void)
{
	enum program_mode next = PROGRAM_SYNC;

	for (int i = PROGRAM_SYNC; i < PROGRAM_MODES; i++)
		if (turns[i].seconds < turns[next].seconds)
			next = (enum program_mode)i;
	return next;
}

/* At least one: of no program nothing can be said. */
static bool goes_on(const struct options *options)
{
	if (programs_played() == 0)
		return true;
	return found < options->differences && programs_played() < options->programs &&
	       versus_now() - begun < options->seconds;
}

int main(int argc, char **argv)
{
	struct options options = take_options(argc, argv);
	bool all = options.mode == 0, legal = true;

	if (options.print) {
		print_program(&options);
		return finish(EXIT_SUCCESS);
	}
	if (!versus_open())
		refuse("out of memory");
	if (all || options.mode == PROGRAM_WAITERS)
		stay_on_one_processor();
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	signal(SIGILL, crashed);
	signal(SIGTRAP, crashed);
	signal(SIGSEGV, crashed);
	begun = versus_now();
	for (int i = 0; i < PROGRAM_MODES; i++)
		turns[i].seed = options.seed;
	while (legal && stopped == 0 && goes_on(&options)) {
		double start = versus_now();

		mode_now = all ? next_mode() : options.mode;
		legal = play_one(mode_now, &turns[mode_now]);
		turns[mode_now].seconds += versus_now() - start;
		show_progress();
	}
	if (isatty(STDERR_FILENO))
		fputs("\r", stderr);
	tell(stdout, "", "\n");
	for (int i = PROGRAM_SYNC; i < PROGRAM_MODES; i++)
		if (all || turns[i].in_part > 0)
			printf("  %s: %" PRIu64 " programs in %.1f s, %" PRIu64
			       " of them in part\n",
			       mode_names[i], turns[i].programs, turns[i].seconds,
			       turns[i].in_part);
	return finish(!legal ? EXIT_CANNOT_RUN : found > 0 ? EXIT_DIFFERENT : EXIT_SUCCESS);
}
