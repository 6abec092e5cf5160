/*
 * Between the text in which seeds and regressions are committed and the bytes that a fuzz target
 * takes. The ending of a name tells its form:
 *
 * .steps a run (src/steps/text.h) -> its binary form (src/steps/steps.h) .args a command line, an
 * argument a line -> the arguments, separated by NUL .hex bytes in hexadecimal, "# " comments ->
 * the bytes others are the bytes
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "steps/text.h"

enum { EXIT_WRONG = 1, EXIT_UNABLE = 2, FILE_MAX = 64 << 20 };

enum form { FORM_STEPS = 0, FORM_ARGS, FORM_HEX, FORM_PLAIN, FORM_COUNT };
static const char *const form_names[FORM_COUNT] = { "steps", "args", "hex", "plain" };

struct bytes {
	uint8_t *at;
	size_t size;
};

/* What a file is to be read as; FORM_COUNT: what its ending says. */
static enum form forced = FORM_COUNT;

/* Messages. What they return is the exit status. */

static int unable(const char *name)
{
	fprintf(stderr, "codec: %s: %s\n", name, strerror(errno));
	return EXIT_UNABLE;
}

__attribute__((format(printf, 1, 2))) static int misused(const char *format, ...)
{
	va_list arguments;

	fputs("codec: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" (see codec --help)\n", stderr);
	return EXIT_UNABLE;
}

static int wrong(const char *name, const struct steps_error *error)
{
	fprintf(stderr, "%s:%u:%u: expected %s\n", name, (unsigned)error->line,
		(unsigned)error->column, error->expected);
	return EXIT_WRONG;
}

/* Files. */

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

static const char *name_of(const char *path)
{
	return is_stdin(path) ? "stdin" : path;
}

static enum form form_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (forced != FORM_COUNT)
		return forced;
	if (is_stdin(path))
		return FORM_STEPS;
	for (enum form form = FORM_STEPS; dot != NULL && form < FORM_PLAIN; form++)
		if (strcmp(dot + 1, form_names[form]) == 0)
			return form;
	return FORM_PLAIN;
}

/* Memory for `size` bytes, which is never NULL: this ends the program instead. */
static uint8_t *allocate(size_t size)
{
	uint8_t *memory = malloc(size > 0 ? size : 1);

	if (memory != NULL)
		return memory;
	exit(unable("memory"));
}

static int read_file(const char *path, struct bytes *content)
{
	FILE *file = is_stdin(path) ? stdin : fopen(path, "rb");
	size_t room = 1 << 16, got;
	int status = 0;

	content->size = 0;
	content->at = NULL;
	if (file == NULL)
		return unable(path);
	do {
		uint8_t *more = content->size <= FILE_MAX ? realloc(content->at, room *= 2) : NULL;

		if (more == NULL) {
			errno = content->size > FILE_MAX ? EFBIG : ENOMEM;
			status = unable(name_of(path));
			break;
		}
		content->at = more;
		got = fread(content->at + content->size, 1, room - content->size, file);
		content->size += got;
	} while (got > 0);
	if (status == 0 && ferror(file) != 0)
		status = unable(name_of(path));
	if (file != stdin)
		fclose(file);
	return status;
}

/* A file that could not be written whole is removed. */
static int write_file(const char *path, struct bytes content)
{
	FILE *file = path != NULL ? fopen(path, "wb") : stdout;
	bool whole;

	if (file == NULL)
		return unable(path);
	whole = fwrite(content.at, 1, content.size, file) == content.size && fflush(file) == 0;
	if (path != NULL)
		whole = fclose(file) == 0 && whole;
	if (whole)
		return 0;
	unable(path != NULL ? path : "stdout");
	if (path != NULL)
		unlink(path);
	return EXIT_UNABLE;
}

/* From text to bytes. Each fills a result that was allocated with room enough. */

static bool read_steps(struct bytes text, struct bytes *result, struct steps_error *error)
{
	return steps_parse((const char *)text.at, text.size, result->at, text.size + STEPS_HEAD_MAX,
			   &result->size, error);
}

/* Arguments are separated: the last line break ends the last one and starts none. */
static bool read_args(struct bytes text, struct bytes *result, struct steps_error *error)
{
	uint32_t line = 1;
	size_t start = 0;

	for (size_t i = 0; i < text.size; i++) {
		if (text.at[i] == '\0') {
			*error = (struct steps_error){ line, (uint32_t)(i - start) + 1,
						       "an argument without NUL" };
			return false;
		}
		result->at[i] = text.at[i] == '\n' ? 0 : text.at[i];
		if (text.at[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	result->size = text.size - (text.size > 0 && text.at[text.size - 1] == '\n');
	return true;
}

static int digit_of(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

/* The pair of digits there, or -1. */
static int pair_at(struct bytes text, size_t at)
{
	int high = digit_of(text.at[at]), low = at + 1 < text.size ? digit_of(text.at[at + 1]) : -1;

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static size_t line_end(struct bytes text, size_t at)
{
	while (at < text.size && text.at[at] != '\n')
		at++;
	return at;
}

static bool read_hex(struct bytes text, struct bytes *result, struct steps_error *error)
{
	struct steps_error place = { 1, 1, "two hexadecimal digits, or '#'" };
	size_t start = 0;

	result->size = 0;
	for (size_t i = 0; i < text.size; i++) {
		int pair = pair_at(text, i);

		if (pair >= 0) {
			result->at[result->size++] = (uint8_t)pair;
			i++;
		} else if (text.at[i] == '#') {
			i = line_end(text, i) - 1;
		} else if (text.at[i] == '\n') {
			place.line++;
			start = i + 1;
		} else if (memchr(" \t\r", text.at[i], 3) == NULL) {
			place.column = (uint32_t)(i - start) + 1;
			*error = place;
			return false;
		}
	}
	return true;
}

static bool read_plain(struct bytes text, struct bytes *result, struct steps_error *error)
{
	(void)error;
	memcpy(result->at, text.at, text.size);
	result->size = text.size;
	return true;
}

static int compile(const char *path, struct bytes *result)
{
	static bool (*const readers[FORM_COUNT])(struct bytes, struct bytes *,
						 struct steps_error *) = { read_steps, read_args,
									   read_hex, read_plain };
	struct steps_error error;
	struct bytes text;
	int status = read_file(path, &text);

	*result = (struct bytes){ NULL, 0 };
	if (status == 0) {
		result->at = allocate(text.size + STEPS_HEAD_MAX);
		if (!readers[form_of(path)](text, result, &error))
			status = wrong(name_of(path), &error);
	}
	free(text.at);
	return status;
}

static int compile_to(const char *path, const char *out)
{
	struct bytes result;
	int status = compile(path, &result);

	if (status == 0)
		status = write_file(out, result);
	free(result.at);
	return status;
}

/* From bytes to text, on standard output. */

static int show_steps(const char *name, struct bytes bytes)
{
	static char text[STEPS_TEXT_STEP_MAX];
	struct echo_config config;
	struct steps steps;
	struct step step;
	uint64_t start_ms;

	if (!steps_open(&steps, bytes.at, bytes.size, &config, &start_ms)) {
		fprintf(stderr, "codec: %s: no run of version %u in binary form\n", name,
			(unsigned)STEPS_VERSION);
		return EXIT_WRONG;
	}
	steps_print_head(text, sizeof(text), &config, start_ms);
	fputs(text, stdout);
	while (steps_next(&steps, &step)) {
		steps_print(text, sizeof(text), &step);
		fputs(text, stdout);
	}
	return 0;
}

static int show_args(const char *name, struct bytes bytes)
{
	if (bytes.size > 0 && memchr(bytes.at, '\n', bytes.size) != NULL) {
		fprintf(stderr,
			"codec: %s: an argument with a line break has no line; use --as hex\n",
			name);
		return EXIT_WRONG;
	}
	for (size_t i = 0; i < bytes.size; i++)
		putchar(bytes.at[i] == '\0' ? '\n' : bytes.at[i]);
	if (bytes.size > 0)
		putchar('\n');
	return 0;
}

static int show_hex(const char *name, struct bytes bytes)
{
	(void)name;
	for (size_t i = 0; i < bytes.size; i++)
		printf("%02x%c", bytes.at[i], i % 16 == 15 || i + 1 == bytes.size ? '\n' : ' ');
	return 0;
}

static int show_plain(const char *name, struct bytes bytes)
{
	(void)name;
	return write_file(NULL, bytes);
}

/* Commands. */

static int text(const char *path)
{
	static int (*const writers[FORM_COUNT])(
		const char *, struct bytes) = { show_steps, show_args, show_hex, show_plain };
	struct bytes bytes;
	int status = read_file(path, &bytes);

	if (status == 0)
		status = writers[forced != FORM_COUNT ? forced : FORM_STEPS](name_of(path), bytes);
	free(bytes.at);
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) && status == 0)
		status = unable("stdout");
	return status;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int binary(int count, char *paths[])
{
	int status = 0;

	if (count == 1)
		return compile_to(paths[0], NULL);
	if (count % 2 != 0)
		return misused("binary: there is no OUT for %s", paths[count - 1]);
	for (int i = 0; i < count; i += 2)
		status = worse(status, compile_to(paths[i], paths[i + 1]));
	return status;
}

static int check(int count, char *paths[])
{
	struct bytes result;
	int status = 0;

	for (int i = 0; i < count; i++) {
		if (form_of(paths[i]) == FORM_PLAIN)
			return misused("check: %s: its ending is none of .steps, .args, .hex",
				       paths[i]);
		status = worse(status, compile(paths[i], &result));
		free(result.at);
	}
	return status;
}

static const char help[] =
	"Usage: codec [--as FORM] COMMAND FILE...\n"
	"\n"
	"  text FILE                      print an input of a fuzz target as text\n"
	"  binary FILE                    write the input that a text stands for on standard output\n"
	"  binary FILE OUT [FILE OUT]...  the same, to files\n"
	"  check FILE...                  read texts, and say what is wrong with them\n"
	"\n"
	"  --as FORM  steps (a run), args (a command line, an argument a line), hex or plain.\n"
	"             Without it the ending of a text's name tells: .steps, .args, .hex, others are\n"
	"             plain; standard input is, and `text` prints, a run.\n"
	"\n"
	"FILE may be - for standard input. Exit status: 0 done, 1 the text is wrong (it is said where)\n"
	"or the bytes have no such text, 2 wrong usage, or a file cannot be read or written.\n";

static bool take_form(const char *name)
{
	for (forced = FORM_STEPS; forced < FORM_COUNT; forced++)
		if (strcmp(name, form_names[forced]) == 0)
			return true;
	return false;
}

static int command(int count, char *words[])
{
	if (count == 0)
		return misused("a command is missing");
	if (strcmp(words[0], "text") != 0 && strcmp(words[0], "binary") != 0 &&
	    strcmp(words[0], "check") != 0)
		return misused("'%s' is no command", words[0]);
	if (count == 1)
		return misused("%s: a file is missing", words[0]);
	if (words[0][0] == 'b')
		return binary(count - 1, words + 1);
	if (words[0][0] == 'c')
		return check(count - 1, words + 1);
	return count == 2 ? text(words[1]) : misused("text: one file, not %d", count - 1);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = { { "as", required_argument, NULL, 'a' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) == EOF || fflush(stdout) != 0 ? EXIT_UNABLE : 0;
		if (option == 'a' && !take_form(optarg))
			return misused("--as %s: none of steps, args, hex, plain", optarg);
		if (option == ':')
			return misused("%s: a form is missing", argv[optind - 1]);
		if (option == '?')
			return misused("%s: unknown option", argv[optind - 1]);
	}
	return command(argc - optind, argv + optind);
}
