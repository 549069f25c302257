/* SPDX-License-Identifier: MIT */
/* limits.c - how many programs run, in all and by client; and how often a client starts one. */
#include "page/parts.h"

#include "access/rates.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    RATE_KIND_PROGRAMS = 'p' /* beside those of access/access.h */
};

enum {
    QUOTA_ALL,
    QUOTA_CLIENT
};

struct page_limits {
    struct quota *quota;
    atomic_uint programs_max, per_client_max;
};

struct page_limits *page_limits_new(uint32_t programs_max, uint32_t programs_per_client_max)
{
    struct page_limits *limits = calloc(1, sizeof *limits);
    if (!limits)
        return NULL;
    limits->quota = quota_new();
    if (!limits->quota) {
        free(limits);
        return NULL;
    }
    page_limits_set(limits, programs_max, programs_per_client_max);
    return limits;
}

void page_limits_set(struct page_limits *limits, uint32_t programs_max,
                     uint32_t programs_per_client_max)
{
    limits->programs_max = programs_max;
    limits->per_client_max = programs_per_client_max;
}

void page_limits_free(struct page_limits *limits)
{
    if (!limits)
        return;
    quota_free(limits->quota);
    free(limits);
}

static struct slice slice_of_key(const struct net_client_key *key)
{
    return slice_make(key->bytes, sizeof key->bytes);
}

static void release(struct page_limits *limits, unsigned kind, struct slice key)
{
    struct quota_hold hold = quota_hold_of(kind, key);
    quota_release(limits->quota, &hold);
}

bool page_limits_take(struct page_limits *limits, const struct net_client_key *key)
{
    struct quota_hold hold;
    if (!quota_take(limits->quota, QUOTA_ALL, SLICE_LITERAL(""), limits->programs_max, &hold))
        return false;
    if (quota_take(limits->quota, QUOTA_CLIENT, slice_of_key(key), limits->per_client_max, &hold))
        return true;
    release(limits, QUOTA_ALL, SLICE_LITERAL(""));
    return false;
}

void page_limits_release(struct page_limits *limits, const struct net_client_key *key)
{
    release(limits, QUOTA_CLIENT, slice_of_key(key));
    release(limits, QUOTA_ALL, SLICE_LITERAL(""));
}

uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x)
{
    struct net_address peer;
    if (!host->rates || exchange_peer(x, &peer) < 0)
        return 0;
    struct net_client_key client = net_client_key_of(&peer);
    uint32_t wait_s =
        rates_take(host->rates, &host->config->rate_programs, RATE_KIND_PROGRAMS,
                   slice_make(client.bytes, sizeof client.bytes), loop_now_ms(host->loop));
    host->counts.refused_rate += wait_s > 0;
    return wait_s;
}
