/*
 * The simulated world: the engine runs on the model of epoll instead of on Linux, and clients that
 * are simulated connect, write, half-close, reset, stop reading, and come in thousands. The model
 * decides which events arrive, and when a call would block or is short. Calls are interrupted or
 * fail, wake-ups come for nothing, as the choices of the run say. Time is virtual.
 *
 * Other than the hostile world (world.h), this one can see a wake-up that is lost: whenever the
 * server goes to sleep, nothing may be left that it could do.
 */
#ifndef EPOLL_ECHO_FUZZ_SIMULATION_H
#define EPOLL_ECHO_FUZZ_SIMULATION_H

#include "choices.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a run came to. Calls of the server are counted apart from those of its clients. */
struct simulation_figures {
	uint64_t server_calls, client_calls, clients, bytes_echoed, virtual_ns;
};

struct simulation_finding {
	const char *name; /* of what does not hold; NULL: all does */
	char detail[256];
};

/* Fuzzers want many runs that are short; the others have now and then thousands of clients. */
enum simulation_scale { SIMULATION_SHORT = 1, SIMULATION_FULL };

/*
 * Plays one run to its end, or to what it finds. `trace`: prints each call there; NULL: none.
 * Figures are added to those of earlier runs. False: there is a finding.
 */
bool simulate(struct choices choices, enum simulation_scale scale, FILE *trace,
	      struct simulation_figures *figures, struct simulation_finding *finding);

#endif
