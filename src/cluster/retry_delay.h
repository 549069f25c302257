/* SPDX-License-Identifier: MIT */
/* retry_delay.h - how long to wait before a broker is tried again: a random part of a delay that
 * doubles, so that a thousand servers do not come at a time. */
#ifndef CLUSTER_RETRY_DELAY_H
#define CLUSTER_RETRY_DELAY_H

#include <stdint.h>

enum {
    RETRY_FIRST_MS = 50,
    RETRY_LONGEST_MS = 2000
};

/* From 0 to min(2 s, 50 ms x 2^failures); `chance` is any number. */
static inline uint64_t retry_delay(unsigned failures, uint32_t chance)
{
    uint64_t whole = failures < 6 ? (uint64_t)RETRY_FIRST_MS << failures : RETRY_LONGEST_MS;
    return chance % (whole + 1);
}

/* The same with a chance of its own. */
uint64_t retry_delay_drawn(unsigned failures);

#endif
