/* SPDX-License-Identifier: MIT */
/* access_loop.h - script access driven by a loop, with the real DNS: what a worker owns.
 *
 *     struct access_loop l;
 *     access_loop_start(&l, loop, &config, &dns, bans, rates, &why);
 *     access_check(&l.access, &request->check, loop_now_ms(loop));
 *
 * Lifetime  Between start and stop; config, bans, rates and loop outlive it.
 * Threads   Loop thread only. Started after any fork, and in the worker itself: the resolver is its
 *           own. Bans and rates may be shared by all workers.
 */
#ifndef ACCESS_ACCESS_LOOP_H
#define ACCESS_ACCESS_LOOP_H

#include "access/access.h"
#include "access/dns.h"
#include "core/loop.h"

struct access_loop {
    struct access access;
    struct dns *dns;
    struct loop *loop; /* borrowed: outlives us */
    struct watch watch;
    struct timer timer;
};

/* 0, or a negative errno with *why set (a static text). */
int access_loop_start(struct access_loop *l, struct loop *loop, const struct access_config *config,
                      const struct dns_options *dns, struct bans *bans, struct rates *rates,
                      const char **why);
/* Every check must have been answered or cancelled, every lease ended. */
void access_loop_stop(struct access_loop *l);

#endif
