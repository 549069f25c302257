/* SPDX-License-Identifier: MIT */
/* programs.h - how many page programs run, in all and by client address.
 *
 * Lifetime  Made before the workers, freed after them.
 * Threads   Any.
 */
#ifndef LIMITS_PROGRAMS_H
#define LIMITS_PROGRAMS_H

#include "net/address.h"

struct program_limits;

/* NULL without memory. */
struct program_limits *program_limits_new(uint32_t programs_max, uint32_t programs_per_client_max);
/* For a reload: programs that run already go on. */
void program_limits_set(struct program_limits *limits, uint32_t programs_max,
                        uint32_t programs_per_client_max);
void program_limits_free(struct program_limits *limits);

/* Counts one more program of this client. False: a limit is reached. */
bool program_limits_take(struct program_limits *limits, const struct net_client_key *key);
void program_limits_release(struct program_limits *limits, const struct net_client_key *key);

#endif
