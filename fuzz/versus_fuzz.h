/* What the targets do that compare the model of epoll with this kernel: each has a mode of its own,
 * since a program of one takes ten times as long as one of another. */
#ifndef EPOLL_ECHO_FUZZ_VERSUS_FUZZ_H
#define EPOLL_ECHO_FUZZ_VERSUS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "program.h"

/* Plays the program of these bytes (program.h). A difference is an oracle that fires, and prints the
 * shortest program that shows it. */
void versus_fuzz(const uint8_t *bytes, size_t size, enum program_mode mode);

#endif
