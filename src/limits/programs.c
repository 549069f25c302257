/* SPDX-License-Identifier: MIT */
#include "limits/programs.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    NET_SHARES = 4 /* of an IPv6 /48: as many as so many of its /64 may have */
};

struct program_limits {
    struct room *room;
    atomic_uint programs_max, per_client_max;
};

struct program_limits *program_limits_new(uint32_t programs_max, uint32_t programs_per_client_max)
{
    struct program_limits *limits = log_needed(calloc(1, sizeof(*limits)));
    if (!limits)
        return NULL;
    limits->room = room_new();
    if (!limits->room) {
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
    room_free(limits->room);
    free(limits);
}

struct room *program_limits_room(struct program_limits *limits)
{
    return limits->room;
}

/* A household has an IPv6 net of many /64: all together they have a larger share, and no more. */
static uint32_t of_net(uint32_t max)
{
    return max > UINT32_MAX / NET_SHARES ? UINT32_MAX : max * NET_SHARES;
}

bool program_limits_take(struct program_limits *limits, struct room_desk *desk,
                         const struct net_client_key *client, struct room_place *place)
{
    struct net_client_key wide = net_client_key_wide(client);
    uint32_t max = limits->per_client_max;
    struct room_limit all[] = {
        {LIMIT_PROGRAMS_OF_CLIENT, net_client_slice(client), max},
        {LIMIT_PROGRAMS_OF_NET, net_client_slice(&wide), of_net(max)},
        {LIMIT_PROGRAMS, SLICE_LITERAL(""), limits->programs_max},
    };
    return room_take(desk, all, 3, place);
}

bool program_limits_take_shared(struct room_desk *desk, const struct net_client_key *client,
                                uint32_t per_client_max, struct room_place *place)
{
    struct room_limit of_client = {LIMIT_SHARED_PAGES, net_client_slice(client), per_client_max};
    return room_take(desk, &of_client, 1, place);
}
