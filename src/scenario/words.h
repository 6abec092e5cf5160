/*
 * The words of the manual pages for numbers of the kernel: bits of epoll and poll, errnos, signals.
 */
#ifndef SCENARIO_WORDS_H
#define SCENARIO_WORDS_H

#include "note.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words joined by "|", or hexadecimal digits for bits without a name; 0 is "0". */
void words_add_mask(struct note *note, uint32_t mask);

/* One such word. 0: there is none. */
uint32_t words_mask(const char *at, size_t len);

void words_add_errno(struct note *note, int error);
int words_errno(const char *at, size_t len); /* 0: there is none */

/* "USR1", without SIG. 0: it is not known. */
int words_signal(const char *at, size_t len);

/* RCVLOWAT and others, of SOL_SOCKET. -1: it is not known. */
int words_option(const char *at, size_t len);

#endif
