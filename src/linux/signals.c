#include "signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../core/echo.h"

enum { SIGNALS_AT_ONCE = 8 };

/* A read that fails, interrupted or with nothing to read, is made again when the descriptor, which
 * is level-triggered, is reported again: no signal is lost by it. */
uint32_t signals_requests(int fd)
{
	struct signalfd_siginfo info[SIGNALS_AT_ONCE];
	ssize_t size = read(fd, info, sizeof(info));
	uint32_t requests = 0;

	for (size_t i = 0; size > 0 && i < (size_t)size / sizeof(info[0]); i++) {
		if (info[i].ssi_signo == SIGUSR1)
			requests |= ECHO_REQUEST_REPORT;
		else if ((requests & ECHO_REQUEST_STOP) != 0)
			requests |= ECHO_REQUEST_ABORT; /* the second one, in one breath */
		else
			requests |= ECHO_REQUEST_STOP;
	}
	return requests;
}
