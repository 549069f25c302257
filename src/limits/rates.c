/* SPDX-License-Identifier: MIT */
#include "limits/rates.h"

#include "base/bucket.h"
#include "base/hash.h"
#include "base/lossy.h"
#include "base/pack.h"
#include "limits/tally.h"

#include <stdlib.h>

bool rate_parse(struct slice text, struct rate *ret)
{
    size_t comma = slice_find(text, ',');
    uint64_t per_minute, burst;
    if (slice_equal(text, SLICE_LITERAL("off"))) {
        *ret = (struct rate){0};
        return true;
    }
    if (!slice_to_uint(slice_first(text, comma), 1000000, &per_minute) || per_minute == 0)
        return false;
    burst = per_minute;
    if (comma < text.len &&
        (!slice_to_uint(slice_skip(text, comma + 1), 1000000, &burst) || burst == 0))
        return false;
    *ret = (struct rate){.per_minute = (uint32_t)per_minute, .burst = (uint32_t)burst};
    return true;
}

/* The value of an entry is its bucket. */
struct rates {
    struct lossy table;
    struct tally *tally; /* borrowed; NULL: nobody else counts */
};

struct rates *rates_new(size_t entries)
{
    struct rates *r = calloc(1, sizeof(*r));
    if (r && lossy_init(&r->table, entries))
        return r;
    free(r);
    return NULL;
}

void rates_free(struct rates *r)
{
    if (!r)
        return;
    lossy_done(&r->table);
    free(r);
}

size_t rates_bytes(const struct rates *r)
{
    return sizeof(*r) + lossy_bytes(&r->table);
}

/* Counts what was taken for the others, too. */
static void tell(struct rates *r, uint64_t hash, uint64_t token_us, uint64_t burst,
                 uint64_t full_us, uint64_t now_ms)
{
    struct tally_row row = {
        .hash = hash,
        .taken_us = token_us,
        .whole_us = token_us * burst,
        .near = 2 * (full_us - now_ms * 1000) >= token_us * burst,
    };
    tally_add(r->tally, &row, now_ms);
}

uint32_t rates_take(struct rates *r, const struct rate *rate, enum limit_kind kind,
                    struct slice key, uint64_t now_ms)
{
    if (rate->per_minute == 0)
        return 0;
    uint64_t parts[2] = {hash_shared(key), (uint64_t)kind};
    uint64_t hash = hash_shared(slice_make(parts, sizeof(parts)));
    uint64_t token_us = 60000000 / rate->per_minute;
    hash = hash ? hash : 1;
    struct lossy_hold hold = lossy_claim(&r->table, hash);
    if (hold.entry->hash != hash)
        *hold.entry = (struct lossy_entry){.hash = hash};
    uint64_t wait_us = bucket_take(&hold.entry->value, token_us, rate->burst, now_ms * 1000);
    uint64_t full_us = hold.entry->value;
    lossy_release(hold);
    if (r->tally && wait_us == 0 && kind != LIMIT_RECHECKS)
        tell(r, hash, token_us, rate->burst, full_us, now_ms);
    return (uint32_t)((wait_us + 999999) / 1000000);
}

void rates_tally(struct rates *r, struct tally *tally)
{
    r->tally = tally;
}

void rates_put(struct rates *r, uint64_t hash, uint64_t taken_us, uint64_t whole_us,
               uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000, most_us = now_us + whole_us;
    if (hash == 0 || taken_us > whole_us)
        return;
    struct lossy_hold hold = lossy_claim(&r->table, hash);
    struct lossy_entry *e = hold.entry;
    uint64_t full_us = e->hash == hash && e->value > now_us ? e->value : now_us;
    full_us = full_us + taken_us < most_us ? full_us + taken_us : most_us;
    if (e->value < full_us)
        *e = (struct lossy_entry){hash, full_us};
    lossy_release(hold);
}

void rates_pack(const struct rates *r, uint32_t tag, struct pack *p)
{
    lossy_pack(&r->table, tag, p);
}

void rates_unpack(struct rates *r, struct slice entries)
{
    lossy_unpack(&r->table, entries);
}
