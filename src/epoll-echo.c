/* The server: options, wiring, exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"
#include "core/echo.h"
#include "linux/system.h"
#include "log.h"
#include "narrate.h"
#include "options.h"
#include "record/record.h"
#include "record/recorder.h"
#include "threads.h"

enum { EXIT_ORDERLY = 0, EXIT_UNABLE = 1, EXIT_USAGE = 2 };

static struct linux_system sys;
static struct log logger;
static struct recorder recorder;
static struct threads threads;

static int wrong_usage(const char *error)
{
	fprintf(stderr, "epoll-echo: %s (see --help)\n", error);
	return EXIT_USAGE;
}

static int unable(const struct sockaddr_storage *address, const char *what)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *reason = strerror(errno);

	address_format(address, text);
	fprintf(stderr, "epoll-echo: cannot %s on %s: %s\n", what, text, reason);
	return EXIT_UNABLE;
}

/* One line, whatever the name is. */
static int unable_to_record(const char *name, const char *reason)
{
	fputs("epoll-echo: cannot record to ", stderr);
	for (; *name != '\0'; name++)
		fputc((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name, stderr);
	fprintf(stderr, ": %s\n", reason);
	return EXIT_UNABLE;
}

static void announce(void)
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(&sys.address, text);
	log_add(&logger,
		logger.json ? "{\"event\":\"listening\",\"address\":\"%s\",\"port\":%u}"
			    : "epoll-echo: listening on %s",
		text, address_port(&sys.address));
	log_end(&logger);
}

/* The server goes on without it. */
static void recording_ended(const char *reason)
{
	if (reason == NULL)
		return;
	log_add(&logger,
		logger.json ? "{\"event\":\"recording ended\",\"reason\":\"%s\"}"
			    : "epoll-echo: the recording ends early: %s",
		reason);
	log_end(&logger);
}

static void report(const struct echo_stats *stats, const struct echo_engine *engine)
{
	struct narrate_stats now = narrate_take(&logger, stats, engine);

	narrate_stats(&logger, 0, &now);
}

/* Apart from main(), which compilers take to be cold. */
__attribute__((noinline)) static enum echo_ending serve(struct echo_engine *engine, bool verbose)
{
	struct echo_stats stats = { 0 };
	struct echo_action action;

	while (echo_next(engine, &action)) {
		struct echo_result result = linux_perform(&sys, &action);

		echo_observe(&stats, &action, &result);
		if (recorder.on)
			recording_ended(recorder_add(&recorder, &action, &result));
		if (verbose)
			narrate(&logger, &action, &result);
		if (action.op == ECHO_OP_REPORT)
			report(&stats, engine);
		echo_complete(engine, &action, &result);
	}
	return echo_ending(engine);
}

static int exit_status(enum echo_ending ending)
{
	if (ending == ECHO_STOPPED)
		return EXIT_ORDERLY;
	log_add(&logger,
		logger.json ? "{\"event\":\"stopped\",\"reason\":\"%s\"}"
			    : "epoll-echo: stopped: %s",
		ending == ECHO_ABORTED ? "a second signal, connections were abandoned"
				       : "the listener or the epoll instance is broken");
	log_end(&logger);
	return EXIT_UNABLE;
}

/* The engine, from its start to its end. */
static enum echo_ending run(const struct options *options, const struct echo_config *config,
			    void *memory)
{
	uint64_t now_ms = linux_now_ms();

	if (options->record != NULL)
		recorder_start(&recorder, config, now_ms);
	return serve(echo_init(memory, config, now_ms), options->verbose);
}

/* Descriptors that are left for connections. */
static uint64_t descriptors_left(uint32_t count)
{
	uint64_t all = linux_raise_descriptors(), other = LINUX_DESCRIPTORS;

	if (count > 1)
		other += THREADS_DESCRIPTORS + (uint64_t)SHARE_DESCRIPTORS * count;
	return all > other ? all - other : 0;
}

/* Several engines, from their start to their end. */
static int start_threads(const struct options *options, const struct echo_config *config,
			 const struct sockaddr_storage *address, socklen_t length)
{
	const char *failed = linux_listen(&sys, address, length, options->backlog);
	int status;

	if (failed == NULL)
		failed = threads_start(&threads, options, config, &sys);
	if (failed != NULL)
		return unable(address, failed);
	log_open(&logger, STDERR_FILENO, options->json);
	announce();
	status = exit_status(threads_serve(&threads, &logger));
	linux_close(&sys);
	log_close(&logger);
	return status;
}

static int start(const struct options *options)
{
	uint64_t descriptors = descriptors_left(options->threads);
	struct sockaddr_storage address;
	struct echo_config config;
	char error[OPTIONS_ERROR_SIZE];
	enum echo_ending ending;
	const char *failed = NULL;
	socklen_t length = 0;
	void *memory;
	int status;

	if (!budget_plan(options, descriptors, &config, error))
		return wrong_usage(error);
	address_parse(options->address, options->port, &address, &length);
	if (options->threads > 1)
		return start_threads(options, &config, &address, length);
	/* Before there is memory that a fork would commit twice. */
	if (options->record != NULL)
		failed = recorder_open(&recorder, options->record, RECORD_SIZE_MAX);
	if (failed != NULL)
		return unable_to_record(options->record, failed);
	memory = linux_memory(echo_memory_size(&config));
	if (memory == NULL)
		return unable(&address, "have the memory to listen");
	failed = linux_open(&sys, &address, length, options->backlog);
	if (failed != NULL)
		return unable(&address, failed);
	config.pipes_max = linux_open_pipes(&sys, config.pipes_max, config.buffer_size);
	log_open(&logger, STDERR_FILENO, options->json);
	announce();
	ending = run(options, &config, memory);
	status = exit_status(ending);
	linux_close(&sys);
	recording_ended(recorder_close(&recorder, ending));
	log_close(&logger);
	return status;
}

int main(int argc, char *argv[])
{
	struct options options;
	char error[OPTIONS_ERROR_SIZE];

	linux_standard_descriptors();
	switch (options_parse(argc, argv, &options, error)) {
	case OPTIONS_HELP:
		return fputs(options_help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_UNABLE : 0;
	case OPTIONS_VERSION:
		return puts("epoll-echo " EPOLL_ECHO_VERSION) < 0 || fflush(stdout) != 0;
	case OPTIONS_WRONG:
		return wrong_usage(error);
	case OPTIONS_RUN:
		break;
	}
	return start(&options);
}
