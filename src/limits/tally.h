/* SPDX-License-Identifier: MIT */
/* tally.h - what was taken of buckets (rates.h) and other servers have not been told yet.
 *
 * A row is one bucket. Amounts are times: how long the bucket needs to gain what was taken, and to
 * gain all that it holds. Only what matters is told: a row of which the share was taken that makes
 * up a quarter of the bucket if all servers take as much, or whose bucket is half empty. What stays
 * below for so long that the bucket has gained it anyway is forgotten. So N servers together let
 * pass at most about twice what one does, however a client spreads over them, and much less where
 * it matters, at busy keys.
 *
 * Memory   Fixed at tally_new(): TALLY_ROWS of 40 bytes. Under a flood of keys the row of which
 *          least was taken makes room, so busy keys stay.
 * Threads  Any: striped locks.
 * Cost     tally_add(): a lock and two or three cache lines. tally_collect(): looks at all rows.
 */
#ifndef LIMITS_TALLY_H
#define LIMITS_TALLY_H

#include "base/slice.h"

enum {
    TALLY_ROWS = 4096,
    TALLY_TELL_MAX = 1024 /* rows that are collected at a time, at most */
};

struct tally;

struct tally_row {
    uint64_t hash; /* 0: free */
    uint64_t taken_us, whole_us;
    uint64_t since_ms;
    bool near; /* half of the bucket, or more, is used up */
};

struct tally *tally_new(void); /* NULL without memory */
void tally_free(struct tally *t);

/* Adds row->taken_us. `since_ms` is not read. */
void tally_add(struct tally *t, const struct tally_row *row, uint64_t now_ms);

/* Takes out what `servers` servers are to know, TALLY_TELL_MAX shared out among them at most, where
 * most was taken first. Returns how many rows. */
size_t tally_collect(struct tally *t, uint32_t servers, uint64_t now_ms,
                     struct tally_row ret[TALLY_TELL_MAX]);

#endif
