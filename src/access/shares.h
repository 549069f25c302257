/* SPDX-License-Identifier: MIT */
/* shares.h - the look-ups that run, by the client whom each is charged to: which one gives way
 * where there are too many.
 *
 * One gives way only to a client that has at least two fewer, so that the other way round nothing
 * would be won. It is the one that has run for longest: an answer that comes at all comes soon.
 *
 * Pure. Cost: joining, leaving and each question look at all that run.
 */
#ifndef ACCESS_SHARES_H
#define ACCESS_SHARES_H

#include "base/list.h"
#include "net/address.h"
#include "proto/origin.h"

struct shares {
    struct list all; /* those that run for longest first */
    size_t count;
};

/* A look-up that runs. */
struct share {
    struct list node; /* in none: it does not run */
    struct net_client_key client;
    const struct origin *origin; /* borrowed: of the object that embeds the share */
    uint32_t of_client;          /* how many its client has */
};

void shares_init(struct shares *shares);
void shares_join(struct shares *shares, struct share *share, const struct net_client_key *client,
                 const struct origin *origin);
/* Without effect on one that does not run. */
void shares_leave(struct shares *shares, struct share *share);
/* `client` waits for this look-up too: it is charged to whoever of the two has fewer. Without
 * effect on one that does not run. */
void shares_wait(struct shares *shares, struct share *share, const struct net_client_key *client);

uint32_t shares_of_client(const struct shares *shares, const struct net_client_key *client);
uint32_t shares_of_origin(const struct shares *shares, const struct origin *origin);
/* The one that gives way to `client`, of those of `origin` (NULL: of all); NULL: none does. */
struct share *shares_greediest(const struct shares *shares, const struct net_client_key *client,
                               const struct origin *origin);

#endif
