/* SPDX-License-Identifier: MIT */
#include "limits/programs.h"

#include "limits/quota.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    NET_SHARES = 4 /* of an IPv6 /48: as many as so many of its /64 may have */
};

struct program_limits {
    struct quota *quota;
    atomic_uint programs_max, per_client_max;
};

struct program_limits *program_limits_new(uint32_t programs_max, uint32_t programs_per_client_max)
{
    struct program_limits *limits = calloc(1, sizeof(*limits));
    if (!limits)
        return NULL;
    limits->quota = quota_new();
    if (!limits->quota) {
        free(limits);
        return NULL;
    }
    program_limits_set(limits, programs_max, programs_per_client_max);
    return limits;
}

void program_limits_set(struct program_limits *limits, uint32_t programs_max,
                        uint32_t programs_per_client_max)
{
    limits->programs_max = programs_max;
    limits->per_client_max = programs_per_client_max;
}

void program_limits_free(struct program_limits *limits)
{
    if (!limits)
        return;
    quota_free(limits->quota);
    free(limits);
}

static void release(struct program_limits *limits, enum limit_kind kind, struct slice key)
{
    struct quota_hold hold = quota_hold_of(kind, key);
    quota_release(limits->quota, &hold);
}

/* A household has an IPv6 net of many /64: all together they have a larger share, and no more. */
static bool take_of_client(struct program_limits *limits, const struct net_client_key *key)
{
    struct net_client_key wide = net_client_key_wide(key);
    struct quota_hold hold;
    uint32_t max = limits->per_client_max;
    uint32_t wide_max = max > UINT32_MAX / NET_SHARES ? UINT32_MAX : max * NET_SHARES;
    if (!quota_take(limits->quota, LIMIT_PROGRAMS_OF_CLIENT, net_client_slice(key), max, &hold))
        return false;
    if (quota_take(limits->quota, LIMIT_PROGRAMS_OF_NET, net_client_slice(&wide), wide_max, &hold))
        return true;
    release(limits, LIMIT_PROGRAMS_OF_CLIENT, net_client_slice(key));
    return false;
}

bool program_limits_take(struct program_limits *limits, const struct net_client_key *key)
{
    struct quota_hold hold;
    if (!quota_take(limits->quota, LIMIT_PROGRAMS, SLICE_LITERAL(""), limits->programs_max, &hold))
        return false;
    if (!take_of_client(limits, key)) {
        release(limits, LIMIT_PROGRAMS, SLICE_LITERAL(""));
        return false;
    }
    return true;
}

void program_limits_release(struct program_limits *limits, const struct net_client_key *key)
{
    struct net_client_key wide = net_client_key_wide(key);
    release(limits, LIMIT_PROGRAMS_OF_NET, net_client_slice(&wide));
    release(limits, LIMIT_PROGRAMS_OF_CLIENT, net_client_slice(key));
    release(limits, LIMIT_PROGRAMS, SLICE_LITERAL(""));
}
