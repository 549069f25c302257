/* SPDX-License-Identifier: MIT */
/* random.h - numbers for the properties of codecs, the same in each run; and the size of a table.
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(table) (sizeof(table) / sizeof(*(table)))

/* xorshift64*, seeded by the test, so that a failure can be repeated. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline size_t random_below(uint64_t *state, size_t bound)
{
    return bound ? (size_t)(next_random(state) % bound) : 0;
}

#endif
