/* SPDX-License-Identifier: MIT */
#include "limits/rates.h"

#include "base/bucket.h"
#include "base/hash.h"
#include "base/lossy.h"
#include "base/pack.h"

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
};

struct rates *rates_new(size_t entries)
{
    struct rates *r = malloc(sizeof(*r));
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

static uint32_t take(uint64_t *full_us, const struct rate *rate, uint64_t now_us)
{
    uint64_t wait_us = bucket_take(full_us, 60000000 / rate->per_minute, rate->burst, now_us);
    return (uint32_t)((wait_us + 999999) / 1000000);
}

uint32_t rates_take(struct rates *r, const struct rate *rate, enum limit_kind kind,
                    struct slice key, uint64_t now_ms)
{
    if (rate->per_minute == 0)
        return 0;
    uint64_t parts[2] = {hash_bytes(key), (uint64_t)kind};
    uint64_t hash = hash_bytes(slice_make(parts, sizeof(parts)));
    hash = hash ? hash : 1;
    struct lossy_hold hold = lossy_claim(&r->table, hash);
    if (hold.entry->hash != hash)
        *hold.entry = (struct lossy_entry){.hash = hash};
    uint32_t wait_s = take(&hold.entry->value, rate, now_ms * 1000);
    lossy_release(hold);
    return wait_s;
}

void rates_pack(const struct rates *r, uint32_t tag, struct pack *p)
{
    lossy_pack(&r->table, tag, p);
}

void rates_unpack(struct rates *r, struct slice entries)
{
    lossy_unpack(&r->table, entries);
}
