/* SPDX-License-Identifier: MIT */
/* guard.h - script access of one thread under one set of settings: its evaluation and its resolver.
 *
 * A reload makes another guard; checks that are under way and connections that are watched keep
 * theirs, which ends with the last of them.
 *
 *     thread ──┐
 *     check  ──┼── guard_ref, guard_unref ──> guard        tables: shared by all threads
 *     watch  ──┘
 *
 * Threads  The thread of its loop. It may be made by another one, before that one runs.
 * Memory   Some 40 KiB, and what libunbound caches.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include "access/access_loop.h"
#include "daemon/config.h"

/* What all guards share. Outlives them. */
struct guard_tables {
    struct bans *bans;
    struct rates *rates;
};

struct guard {
    struct access_loop loop;
    struct access_config config;
    uint32_t references;
    struct reap reap;
};

/* With one reference. `config` is read, not kept. `counts` outlives the guard. NULL with `why`. */
struct guard *guard_new(struct loop *loop, const struct config *config,
                        const struct guard_tables *tables, struct access_counts *counts,
                        struct text *why);
struct guard *guard_ref(struct guard *guard);
/* Accepts NULL. The last one frees at the end of the turn: allowed inside a verdict's callback. */
void guard_unref(struct guard *guard);

static inline struct access *guard_access(struct guard *guard)
{
    return &guard->loop.access;
}

/* Whether a guard of this config can be made, by making one. False with `why`. */
bool guard_try(const struct config *config, struct text *why);

#endif
