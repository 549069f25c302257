/* SPDX-License-Identifier: MIT */
#include "page/coverage.h"

#include <assert.h>
#include <string.h>

static void drop_first(struct coverage *c)
{
    c->gap_count--;
    memmove(c->gaps, c->gaps + 1, c->gap_count * sizeof(c->gaps[0]));
}

static void join_first(struct coverage *c)
{
    c->gaps[1].count += c->gaps[0].count;
    drop_first(c);
}

void coverage_add_gap(struct coverage *c, uint64_t after)
{
    struct coverage_gap *last = c->gap_count > 0 ? &c->gaps[c->gap_count - 1] : NULL;
    if (last && last->after == after) {
        last->count++;
        return;
    }
    if (c->gap_count == COVERAGE_GAPS)
        join_first(c);
    c->gaps[c->gap_count++] = (struct coverage_gap){after, 1};
}

void coverage_confirm(struct coverage *c, uint64_t confirmed)
{
    assert(confirmed >= c->confirmed);
    c->confirmed = confirmed;
    while (c->gap_count > 0 && c->gaps[0].after <= confirmed) {
        c->passed += c->gaps[0].count;
        drop_first(c);
    }
}
