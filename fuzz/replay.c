/*
 * Runs a fuzz target on files, or on all files of folders: what a fuzzing engine does, without the
 * engine. For Valgrind, gdb, coverage, regressions, and to measure.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { EXIT_UNABLE = 2 };

/* What a target counts besides its runs, if it counts anything. */
__attribute__((weak)) extern uint64_t fuzz_steps;

static char running[4096];
static unsigned long inputs, repeats = 1;
static struct timespec spent;

static void crashed(int number)
{
	static const char text[] = "replay: crashed on ";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	written += write(STDERR_FILENO, running, strlen(running));
	written += write(STDERR_FILENO, "\n", 1);
	(void)written;
	signal(number, SIG_DFL);
	raise(number);
}

static void unable(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(EXIT_UNABLE);
}

static void run(const uint8_t *input, size_t size)
{
	struct timespec from, to;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (unsigned long i = 0; i < repeats; i++)
		LLVMFuzzerTestOneInput(input, size);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	spent.tv_sec += to.tv_sec - from.tv_sec;
	spent.tv_nsec += to.tv_nsec - from.tv_nsec;
}

/* For a target that plays runs, which any bytes are: nobody means to give it this one. */
static bool is_text_run(const char *path)
{
	const char *end = strrchr(path, '.');

	return &fuzz_steps != NULL && end != NULL && strcmp(end, ".steps") == 0;
}

/* In memory that ends where the input does, so that reading on is seen. */
static void replay_file(const char *path, size_t size)
{
	FILE *file;
	uint8_t *input;

	if (is_text_run(path)) {
		fprintf(stderr,
			"replay: %s: a run as text; targets take bytes: build/fuzz/codec binary %s > FILE\n",
			path, path);
		exit(EXIT_UNABLE);
	}
	file = fopen(path, "rb");
	input = malloc(size);
	if (file == NULL || (input == NULL && size > 0) || fread(input, 1, size, file) != size)
		unable(path);
	fclose(file);
	snprintf(running, sizeof(running), "%s", path);
	run(input, size);
	free(input);
	inputs++;
}

static void replay(const char *path);

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, visible, alphasort);

	if (count < 0)
		unable(path);
	for (int i = 0; i < count; i++) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		replay(inner);
		free(entries[i]);
	}
	free(entries);
}

static void replay(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		unable(path);
	if (S_ISDIR(status.st_mode))
		replay_folder(path);
	else
		replay_file(path, (size_t)status.st_size);
}

static void report(void)
{
	double seconds = (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;

	printf("%lu inputs", inputs);
	if (repeats > 1)
		printf(", %lu times each: %.0f runs a second", repeats,
		       (double)inputs * (double)repeats / seconds);
	if (repeats > 1 && &fuzz_steps != NULL)
		printf(", %.2f million steps a second", (double)fuzz_steps / seconds / 1e6);
	putchar('\n');
}

static int usage(const char *program, int status)
{
	fprintf(status == 0 ? stdout : stderr,
		"Usage: %s [--repeat N] FILE|FOLDER...\n"
		"Runs the target on each input, once or N times, and with --repeat says how fast that was\n"
		"(CPU time of the target alone). A finding ends it by a signal, and names the input.\n",
		program);
	return status;
}

int main(int argc, char *argv[])
{
	static const int deadly[] = { SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE };
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(argv[0], 0);
	if (argc > 2 && strcmp(argv[1], "--repeat") == 0) {
		repeats = strtoul(argv[2], NULL, 10);
		first = 3;
	}
	if (first >= argc || repeats == 0)
		return usage(argv[0], EXIT_UNABLE);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		signal(deadly[i], crashed);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = first; i < argc; i++)
		replay(argv[i]);
	report();
	return 0;
}
