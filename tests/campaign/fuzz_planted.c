/*
 * A target with two planted findings, for tests of the campaign: one that an engine arrives at
 * within moments, and one that it does not arrive at, since it would have to invert a hash.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "oracle.h"
#include "planted.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An engine that dies by itself, for who asks for it. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (getenv("PLANTED_DIES") != NULL)
		raise(SIGKILL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (planted_bug(data, size))
		oracle("planted", "%zu <bytes> & more", size);
	if (planted_hash(data, size) == UINT64_C(0x1bcc5e8c08fdb451))
		oracle("unreachable", "%zu bytes", size);
	return 0;
}
