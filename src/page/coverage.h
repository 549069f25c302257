/* SPDX-License-Identifier: MIT */
/* coverage.h - how many messages of a client its program is done with, as the session counts them.
 *
 * A program counts the events, calls and answers that it is told; the session counts these and each
 * `.problem` of the client. The gaps between the two are few: GAPS of them are kept, and of more
 * some are joined, so that less is covered than could be. Then a message is sent again, and none is
 * lost.
 *
 * Pure. Zeroed is ready.
 */
#ifndef PAGE_COVERAGE_H
#define PAGE_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    COVERAGE_GAPS = 16
};

struct coverage {
    uint64_t confirmed; /* so many that the program counts */
    uint64_t passed;    /* the sum of the gaps up to there */
    uint32_t gap_count;
    struct coverage_gap {
        uint64_t after, count;
    } gaps[COVERAGE_GAPS]; /* behind that, in order */
};

/* A message that the program does not count, after so many that it does. */
void coverage_add_gap(struct coverage *c, uint64_t after);
/* The program is done with so many. Not less than before. */
void coverage_confirm(struct coverage *c, uint64_t confirmed);
/* What the session counts for that. */
static inline uint64_t coverage_count(const struct coverage *c)
{
    return c->confirmed + c->passed;
}

#endif
