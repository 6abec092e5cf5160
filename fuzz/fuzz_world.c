/*
 * Property: whatever clients do, and whichever calls fail, each client gets back exactly what it
 * sent unless somebody reset, nothing leaks, nobody starves, and when the server sleeps there is
 * nothing left that it could do.
 */
#include "oracle.h"
#include "simulation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct simulation_figures figures = { 0 };
	struct simulation_finding finding;

	if (!simulate(choices_of_bytes(data, size), SIMULATION_SHORT, NULL, &figures, &finding))
		oracle(finding.name, "%s", finding.detail);
	return 0;
}
