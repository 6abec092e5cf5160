/*
 * The world in which scenarios judge a live echo server, whoever wrote it: steps are TCP
 * connections to it.
 *
 *      live = live_open(&options);                     all memory that it will ever use
 *      passed = live_play(live, script, scenario, &failure);    as often as there are scenarios
 *      live_close(live);
 *
 * A scenario ends at its first step that fails; its connections are closed then. Only one world at
 * a time should print, since print, run and --show write their lines as they go.
 */
#ifndef SCENARIO_LIVE_H
#define SCENARIO_LIVE_H

#include "note.h"
#include "parse.h"
#include "stream.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	FILL_QUIET_MS = 300, /* "fill": no byte taken for so long is blocked */
	STORM_BYTES = 16,    /* "storm": the round trip of each connection */
	PORT_RETRY_MS = 10   /* when no local port is free */
};

struct live_options {
	struct address server;
	int64_t timeout_ms; /* without progress */
	bool show;          /* tell what each read sees, and judge none */
};

struct live_failure {
	const struct step *step;
	struct note expected, seen;
};

struct live;

struct live *live_open(const struct live_options *options); /* NULL: no memory */
bool live_play(struct live *live, const struct script *script, const struct scenario *scenario,
	       struct live_failure *failure);
void live_close(struct live *live);

#endif
