/*
 * epoll-replay: runs the engine on a recording, without a socket, and holds it to what was
 * recorded. Exit status: 0 every action is the recorded one, 1 not, or no seed, 2 no whole
 * recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/record.h"
#include "record/replay.h"
#include "record/seed.h"
#include "record/show.h"
#include "steps/text.h"

enum { EXIT_SAME = 0, EXIT_DIFFERS = 1, EXIT_CANNOT = 2 };

static const char usage[] =
	"Usage: epoll-replay [OPTION]... FILE\n"
	"Runs the engine on what epoll-echo --record FILE has recorded, and checks that it does the same\n"
	"again. Prints the steps; FILE may be - for standard input.\n"
	"\n"
	"  -q, --quiet     print the summary only\n"
	"  -n, --first N   only the first N steps\n"
	"  -s, --seed OUT  write the run to OUT, as an input of the fuzz target fuzz_engine\n"
	"  -t, --text      as text, and not as bytes; so it is too if the name of OUT ends in .steps\n"
	"  -h, --help      print this, and exit\n"
	"  -V, --version   print the version, and exit\n"
	"\n"
	"Exit status: 0 every action is the recorded one, 1 they differ, or no seed could be made,\n"
	"2 FILE is no whole recording, or wrong usage.\n";

struct options {
	const char *file, *seed;
	uint64_t first;
	bool quiet, text;
};

static struct options options = { .first = UINT64_MAX };
static struct recording opened; /* as it was opened, before its first step */
static struct replay replay;

/* Options. */

static int wrong_usage(const char *message, const char *value)
{
	fprintf(stderr, "epoll-replay: %s%s (see --help)\n", message, value);
	return EXIT_CANNOT;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), most = strlen(end);

	return length > most && strcmp(text + length - most, end) == 0;
}

/* -1: to be run; otherwise the exit status. */
static int read_options(int argc, char *argv[])
{
	static const struct option names[] = {
		{ "quiet", no_argument, NULL, 'q' },
		{ "first", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "text", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":qn:s:thV", names, NULL)) != -1) {
		switch (option) {
		case 'q':
			options.quiet = true;
			break;
		case 'n':
			if (!number(optarg, &options.first))
				return wrong_usage("--first needs a number of steps, not ", optarg);
			break;
		case 's':
			options.seed = optarg;
			break;
		case 't':
			options.text = true;
			break;
		case 'h':
			return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_CANNOT : 0;
		case 'V':
			puts("epoll-replay " EPOLL_ECHO_VERSION);
			return fflush(stdout) != 0 ? EXIT_CANNOT : 0;
		case ':':
			return wrong_usage("a value is missing after ", argv[optind - 1]);
		default:
			return wrong_usage("unknown option or value: ", argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return wrong_usage("needs one FILE", "");
	options.file = argv[optind];
	if (options.seed != NULL && ends_in(options.seed, ".steps"))
		options.text = true;
	return -1;
}

/* Files and memory. */

static int cannot(const char *what, const char *name)
{
	fprintf(stderr, "epoll-replay: cannot %s %s: %s\n", what, name, strerror(errno));
	return EXIT_CANNOT;
}

/* A recording has a largest size; what is larger is read so far that this can be told. */
static bool read_whole(int fd, uint8_t *bytes, size_t room, size_t *size)
{
	ssize_t count;

	*size = 0;
	do {
		count = read(fd, bytes + *size, room - *size);
		if (count > 0)
			*size += (size_t)count;
	} while ((count > 0 && *size < room) || (count < 0 && errno == EINTR));
	return count >= 0;
}

static int wrong_recording(const struct recording *recording)
{
	fprintf(stderr, "epoll-replay: %s: byte %zu: %s\n", options.file, recording->offset,
		recording->error);
	return EXIT_CANNOT;
}

static int open_recording(void)
{
	size_t room = RECORD_SIZE_MAX + 1, size;
	uint8_t *bytes = malloc(room);
	int fd = strcmp(options.file, "-") == 0 ? STDIN_FILENO : open(options.file, O_RDONLY);

	if (fd < 0 || bytes == NULL || !read_whole(fd, bytes, room, &size))
		return cannot("read", options.file);
	if (size == room) {
		fprintf(stderr, "epoll-replay: %s: larger than any recording\n", options.file);
		return EXIT_CANNOT;
	}
	return recording_open(&opened, bytes, size) ? EXIT_SAME : wrong_recording(&opened);
}

/* Memory that is not touched costs nothing, and the engine touches no buffer. */
static void *reserve(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* An engine whose assertion fails traps: that is a finding, and not the end of this program. */

static sigjmp_buf trap;
static volatile sig_atomic_t completing;

static void trapped(int number_of_signal)
{
	if (completing != 0)
		siglongjmp(trap, 1);
	signal(number_of_signal, SIG_DFL);
	raise(number_of_signal);
}

static void catch_traps(void)
{
	struct sigaction action = { .sa_handler = trapped, .sa_flags = SA_NODEFER };

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
}

static bool completes(void)
{
	if (sigsetjmp(trap, 0) != 0) {
		completing = 0;
		return false;
	}
	completing = 1;
	replay_complete(&replay);
	completing = 0;
	return true;
}

/* Seeds. */

static struct {
	char *bytes; /* or text */
	size_t size, room;
	uint64_t now_ms;
} seed;

/* A seed that grows beyond its room is made, and then refused. */
static bool seed_grows(size_t more)
{
	seed.size += more;
	return more > 0;
}

static bool seed_begin(const struct echo_config *config)
{
	char *at = seed.bytes;

	seed.size = 0;
	seed.now_ms = opened.start_ms;
	return seed_grows(
		options.text ? steps_print_head(at, seed.room, config, opened.start_ms)
			     : steps_put_head((uint8_t *)at, seed.room, config, opened.start_ms));
}

static bool seed_add(void)
{
	static struct step step;
	char *at = seed.bytes + seed.size;
	size_t room = seed.room - seed.size;

	seed_step(&replay, seed.now_ms, &step);
	seed.now_ms = replay.recording.now_ms;
	return seed_grows(options.text ? steps_print(at, room, &step)
				       : steps_put((uint8_t *)at, room, &step));
}

static bool write_seed(void)
{
	FILE *out = fopen(options.seed, "wb");
	bool written;

	if (out == NULL)
		return false;
	written = fwrite(seed.bytes, 1, seed.size, out) == seed.size;
	return fclose(out) == 0 && written;
}

static int no_seed(const char *why)
{
	fprintf(stderr, "epoll-replay: no seed: %s\n", why);
	return EXIT_DIFFERS;
}

/* Replaying. */

enum ended { ENDED_SAME = 1, ENDED_DIFFERS, ENDED_WRONG, ENDED_TRAPPED, ENDED_UNSEEDED };

/* One pass over the recording; what it does besides is print the steps, or add them to the seed. */
static enum ended pass(const struct echo_config *config, void *memory, bool show, bool add)
{
	replay_start(&replay, &opened, config, memory);
	while (replay.steps < options.first) {
		switch (replay_next(&replay)) {
		case REPLAY_SAME:
			return ENDED_SAME;
		case REPLAY_DIFFERS:
			return ENDED_DIFFERS;
		case REPLAY_WRONG:
			return ENDED_WRONG;
		case REPLAY_STEP:
			break;
		}
		if (show)
			show_step(stdout, &replay);
		if (add && !seed_add())
			return ENDED_UNSEEDED;
		if (!completes())
			return ENDED_TRAPPED;
	}
	return ENDED_SAME;
}

/* The run in the seed's configuration has to be the same run, as far as it went. */
static int make_seed(enum ended expected)
{
	uint64_t steps = replay.steps;
	struct echo_config config;
	const char *misfit = seed_config(&replay, &config);
	enum ended ended;
	void *memory;

	if (misfit != NULL)
		return no_seed(misfit);
	seed.room = SEED_SIZE_MAX;
	seed.bytes = malloc(seed.room);
	memory = reserve(replay_memory_size(&config));
	if (seed.bytes == NULL || memory == NULL || !seed_begin(&config))
		return no_seed("there is no memory for it");
	ended = pass(&config, memory, false, true);
	if (ended == ENDED_UNSEEDED)
		return no_seed("it would be larger than any seed; take its beginning (--first)");
	if (ended != expected || replay.steps != steps)
		return no_seed("with the slots and buffers of a seed it is another run");
	if (!write_seed()) {
		cannot("write", options.seed);
		return EXIT_DIFFERS;
	}
	printf("%s: %zu bytes, %" PRIu32 " slots, %" PRIu32 " buffers\n", options.seed, seed.size,
	       config.connections_max, config.buffers_max);
	return EXIT_SAME;
}

static int report_difference(void)
{
	fprintf(stderr, "epoll-replay: %s: step %" PRIu64 ": another %s: expected ", options.file,
		replay.steps + 1, replay.difference);
	if (replay.recorded)
		show_action(stderr, &replay, &replay.step.action);
	else
		fputs("the end", stderr);
	fputs(", seen ", stderr);
	if (replay.more)
		show_action(stderr, &replay, &replay.action);
	else
		fputs("the end", stderr);
	fputc('\n', stderr);
	return EXIT_DIFFERS;
}

static int report_trap(void)
{
	fprintf(stderr,
		"epoll-replay: %s: step %" PRIu64
		": the engine stops here: an assertion of it fails\n",
		options.file, replay.steps + 1);
	return EXIT_DIFFERS;
}

static const char *how_it_ended(void)
{
	static const char *const stopped[] = {
		[ECHO_RUNNING] = "the server was running",
		[ECHO_STOPPED] = "the server stopped in order",
		[ECHO_ABORTED] = "the server was made to stop at once",
		[ECHO_DEFUNCT] = "the listener or the epoll instance broke",
	};

	switch (replay.recording.how) {
	case RECORD_STOPPED:
		return stopped[replay.recording.ending];
	case RECORD_OVERFLOW:
		return "the file was written too slowly, and the rest was not recorded";
	case RECORD_FULL:
		return "it reached its largest size, and the rest was not recorded";
	case RECORD_CUT:
		return "the server died";
	case RECORD_UNWRITTEN:
		return "the file could not be written further, and the rest was not recorded";
	case RECORD_END_COUNT:
		break;
	}
	return "only the beginning was looked at";
}

static void summarise(void)
{
	uint64_t ms = replay.recording.now_ms - replay.recording.start_ms;

	printf("%s: %" PRIu64 " steps in %" PRIu64 " ms, %" PRIu64 " connections, at most %" PRIu32
	       " at once: every action is the recorded one\n",
	       options.file, replay.steps, ms, replay.accepted, replay.connections_peak);
	printf("%s: the end: %s\n", options.file, how_it_ended());
}

static int run(void)
{
	void *memory = reserve(replay_memory_size(&opened.config));
	enum ended ended;
	int status = EXIT_SAME;

	if (memory == NULL)
		return cannot("reserve the memory for", options.file);
	catch_traps();
	ended = pass(&opened.config, memory, !options.quiet, false);
	if (ended == ENDED_WRONG)
		return wrong_recording(&replay.recording);
	if (ended == ENDED_DIFFERS)
		return report_difference();
	if (ended == ENDED_TRAPPED)
		status = report_trap();
	else
		summarise();
	if (options.seed != NULL && make_seed(ended) != EXIT_SAME)
		status = EXIT_DIFFERS;
	return status;
}

int main(int argc, char *argv[])
{
	int status = read_options(argc, argv);

	if (status >= 0)
		return status;
	status = open_recording();
	if (status == EXIT_SAME)
		status = run();
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		return cannot("write to", "standard output");
	return status;
}
