/* SPDX-License-Identifier: MIT */
/* programs.h - how many page programs run, in all and by client address, and how many pages of
 * shared ones a client has.
 *
 * Lifetime  Made before the workers, freed after them.
 * Threads   Any; a desk and its places are one worker's.
 */
#ifndef LIMITS_PROGRAMS_H
#define LIMITS_PROGRAMS_H

#include "limits/room.h"
#include "net/address.h"

struct program_limits;

/* NULL without memory. */
struct program_limits *program_limits_new(uint32_t programs_max, uint32_t programs_per_client_max);
/* For a reload: programs that run already go on. */
void program_limits_set(struct program_limits *limits, uint32_t programs_max,
                        uint32_t programs_per_client_max);
void program_limits_free(struct program_limits *limits);
struct room *program_limits_room(struct program_limits *limits);

/* Counts one more program of this client: room_take(). */
bool program_limits_take(struct program_limits *limits, struct room_desk *desk,
                         const struct net_client_key *client, struct room_place *place);
/* Counts one more page of a shared program. */
bool program_limits_take_shared(struct room_desk *desk, const struct net_client_key *client,
                                uint32_t per_client_max, struct room_place *place);

#endif
