/* SPDX-License-Identifier: MIT */
/* latency.h - how long each message took, in steps of 1/32 of the value. */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum {
    LATENCY_STEPS = 32,
    LATENCY_ROWS = 40
};

struct latency {
    uint64_t count, most_ns;
    uint64_t cells[LATENCY_ROWS * LATENCY_STEPS];
};

static inline void latency_note(struct latency *l, double seconds)
{
    uint64_t ns = seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
    uint64_t cell = ns;
    if (ns >= 2 * LATENCY_STEPS) {
        unsigned shift = 63u - 5u - (unsigned)__builtin_clzll(ns);
        cell = (uint64_t)shift * LATENCY_STEPS + (ns >> shift);
    }
    if (cell >= LATENCY_ROWS * LATENCY_STEPS)
        cell = LATENCY_ROWS * LATENCY_STEPS - 1;
    l->cells[cell]++;
    l->count++;
    l->most_ns = ns > l->most_ns ? ns : l->most_ns;
}

/* Nanoseconds: the upper end of the cell that has it. */
static inline double latency_at(const struct latency *l, double share)
{
    uint64_t want = (uint64_t)(share * (double)l->count), seen = 0;
    for (uint64_t cell = 0; cell < LATENCY_ROWS * LATENCY_STEPS; cell++) {
        seen += l->cells[cell];
        if (seen <= want)
            continue;
        if (cell < 2 * LATENCY_STEPS)
            return (double)cell;
        unsigned shift = (unsigned)(cell / LATENCY_STEPS) - 1;
        uint64_t top = ((cell % LATENCY_STEPS + LATENCY_STEPS + 1) << shift) - 1;
        return (double)(top < l->most_ns ? top : l->most_ns);
    }
    return (double)l->most_ns;
}

static inline void latency_print(const struct latency *l)
{
    printf("%.1f %.1f %.1f %.1f\n", latency_at(l, 0.5) / 1e3, latency_at(l, 0.99) / 1e3,
           latency_at(l, 0.999) / 1e3, (double)l->most_ns / 1e3);
}
