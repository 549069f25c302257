/* SPDX-License-Identifier: MIT */
/* race.h - a connection to the quickest of several addresses (happy eyeballs, RFC 8305): each
 * attempt begins when the one before has failed, or has not answered for 250 ms.
 *
 * The addresses are taken in the order given; the caller interleaves the families.
 *
 * Lifetime  The caller embeds struct race; it is ours from race_start() until on_decided has run or
 *           race_stop() returns. `addresses` is copied.
 * Threads   Loop thread only.
 */
#ifndef NET_RACE_H
#define NET_RACE_H

#include "net/connector.h"

enum {
    RACE_ADDRESSES_MAX = 16
};

struct race;

struct race_attempt {
    struct connector connector;
    struct race *race; /* borrowed: it embeds us */
};

struct race {
    struct loop *loop; /* borrowed; NULL: never started */
    /* The winner's descriptor, as connector.h has it, or the negative errno of the last failure. */
    void (*on_decided)(struct race *race, int fd_or_error);
    uint64_t timeout_ms;
    struct net_address addresses[RACE_ADDRESSES_MAX];
    struct race_attempt attempts[RACE_ADDRESSES_MAX];
    size_t count, begun, failed;
    struct timer stagger; /* until the next attempt, though the last one has not answered */
};

/* At least one address, at most RACE_ADDRESSES_MAX; `timeout_ms` is for each. Answers exactly once,
 * never from inside this call. */
void race_start(struct loop *loop, struct race *race, const struct net_address *addresses,
                size_t count, uint64_t timeout_ms,
                void (*on_decided)(struct race *race, int fd_or_error));
/* No callback after this. Allowed for a race that is zeroed or has answered. */
void race_stop(struct race *race);

#endif
