/*
 * The assembler takes the files in as they are. Each heading has to follow a blank line, so the
 * files are parted by one.
 */
#include "clauses.h"

#define TAKE(group) ".incbin \"spec/epoll/" group ".scenario\"\n\t.ascii \"\\n\"\n\t"

__asm__(".pushsection .rodata\n\t"
	".global clauses_begin\nclauses_begin:\n\t" TAKE("ctl") TAKE("wait") TAKE("lt") TAKE("et")
		TAKE("tcp") TAKE("objects") TAKE("entries") ".global clauses_end\nclauses_end:\n\t"
							    ".byte 0\n\t"
							    ".popsection");
