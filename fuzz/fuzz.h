/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets share: a check that stops, and pieces to cut an input into.
 *
 * A target is one function, LLVMFuzzerTestOneInput. libFuzzer drives it (tools/fuzz), and so does
 * corpus_main.c, which runs the corpus of each target as a unit test under any compiler.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Does `inner` lie within `outer`? */
static inline bool fuzz_inside(struct slice outer, struct slice inner)
{
    return inner.ptr >= outer.ptr && inner.len <= outer.len &&
           (size_t)(inner.ptr - outer.ptr) <= outer.len - inner.len;
}

/* A seed that depends on the input alone, so that a finding can be repeated. */
static inline uint64_t fuzz_seed(struct slice in)
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < in.len; i++)
        seed = (seed ^ (uint8_t)in.ptr[i]) * 0x100000001b3;
    return seed | 1;
}

/* A pseudo-random number from 1 to `max`; small ones are as likely as all others together. */
static inline size_t fuzz_step(uint64_t *seed, size_t max)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    size_t bound = *seed & 1 && max > 4 ? 4 : max;
    return bound ? (size_t)(*seed >> 8) % bound + 1 : 1;
}

#endif
