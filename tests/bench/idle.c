/* Connections that had one echo and stay: their memory can be looked at, until standard input ends. */
#include <stdio.h>
#include <unistd.h>

#include "load.h"

void load_idle(const struct load *load, struct outcome *outcome)
{
	struct stream *streams;
	char byte;

	load_begin(load, outcome);
	streams = streams_open(load, load->connections);
	load_end(load, outcome);
	printf("{\"mode\": \"idle\", \"messages\": %u, \"server_cpu_ns\": %llu}\n",
	       load->connections, (unsigned long long)outcome->cpu_ns);
	if (fflush(stdout) != 0)
		load_unable("cannot tell that all are open");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	streams_close(streams, load->connections);
}
