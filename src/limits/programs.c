/* SPDX-License-Identifier: MIT */
#include "limits/programs.h"

#include "limits/quota.h"

#include <stdatomic.h>
#include <stdlib.h>

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

static struct slice slice_of_key(const struct net_client_key *key)
{
    return slice_make(key->bytes, sizeof(key->bytes));
}

static void release(struct program_limits *limits, enum limit_kind kind, struct slice key)
{
    struct quota_hold hold = quota_hold_of(kind, key);
    quota_release(limits->quota, &hold);
}

bool program_limits_take(struct program_limits *limits, const struct net_client_key *key)
{
    struct quota_hold hold;
    if (!quota_take(limits->quota, LIMIT_PROGRAMS, SLICE_LITERAL(""), limits->programs_max, &hold))
        return false;
    if (quota_take(limits->quota, LIMIT_PROGRAMS_OF_CLIENT, slice_of_key(key),
                   limits->per_client_max, &hold))
        return true;
    release(limits, LIMIT_PROGRAMS, SLICE_LITERAL(""));
    return false;
}

void program_limits_release(struct program_limits *limits, const struct net_client_key *key)
{
    release(limits, LIMIT_PROGRAMS_OF_CLIENT, slice_of_key(key));
    release(limits, LIMIT_PROGRAMS, SLICE_LITERAL(""));
}
