/* All scenarios of spec/epoll/, in the program: it needs no file where it is carried to. */
#ifndef SCENARIO_CLAUSES_H
#define SCENARIO_CLAUSES_H

extern const char clauses_begin[], clauses_end[]; /* one text; not ended by NUL */

#endif
