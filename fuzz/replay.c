/*
 * Runs a fuzz target on files, or on all files of folders, once each: what a fuzzing engine does, without
 * the engine. For Valgrind, gdb, coverage, and regressions.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX = 64 << 20, EXIT_UNABLE = 2 };

static char running[4096];
static unsigned long inputs;

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

/* In memory that ends where the input does, so that reading on is seen. */
static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes, *input;
	size_t size;

	bytes = malloc(INPUT_MAX);
	if (file == NULL || bytes == NULL)
		unable(path);
	size = fread(bytes, 1, INPUT_MAX, file);
	if (ferror(file) != 0)
		unable(path);
	fclose(file);
	input = malloc(size);
	if (input == NULL && size > 0)
		unable(path);
	if (size > 0)
		memcpy(input, bytes, size);
	free(bytes);
	snprintf(running, sizeof(running), "%s", path);
	LLVMFuzzerTestOneInput(input, size);
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
		replay_file(path);
}

int main(int argc, char *argv[])
{
	static const int deadly[] = { SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE };

	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		printf("Usage: %s FILE|FOLDER...\n"
		       "Runs the target on each input once. A finding ends it by a signal, and names the "
		       "input.\n",
		       argv[0]);
		return argc < 2 ? EXIT_UNABLE : 0;
	}
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		signal(deadly[i], crashed);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%lu inputs\n", inputs);
	return 0;
}
