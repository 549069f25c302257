/* SPDX-License-Identifier: MIT */
/* script_access.h - script access of one thread under one set of settings: its evaluation and its
 * resolver.
 *
 * A reload makes a new one. Checks that are under way and connections that are watched keep the old
 * one, which is freed with the last of them.
 *
 *     thread ──┐
 *     check  ──┼── script_access_ref, _unref ──> script_access        tables: shared by all threads
 *     grant  ──┘
 *
 * Threads  The thread of its loop. Another thread may make it before that thread runs.
 * Memory   Some 40 KiB, and what libunbound caches.
 */
#ifndef SERVE_SCRIPT_ACCESS_H
#define SERVE_SCRIPT_ACCESS_H

#include "access/access_loop.h"
#include "cluster/shared_dns.h"
#include "serve/config.h"

/* Shared by all threads; outlives their script access. */
struct script_access_tables {
    struct bans *bans;
    struct rates *rates;
    struct policy *policy; /* shared with other servers; NULL: this one is alone */
};

struct script_access {
    struct access_loop loop;
    struct access_config config;
    struct shared_dns *shared; /* NULL: this server is alone */
    uint32_t references;
    struct reap reap;
};

/* With one reference. `config` is read, not kept. `counts` outlives it. NULL with `why`. */
struct script_access *script_access_new(struct loop *loop, const struct config *config,
                                        const struct script_access_tables *tables,
                                        struct access_counts *counts, struct text *why);
struct script_access *script_access_ref(struct script_access *s);
/* Accepts NULL. The last reference frees it at the end of the turn: allowed inside a verdict's
 * callback. */
void script_access_unref(struct script_access *s);

static inline struct access *script_access_get(struct script_access *s)
{
    return &s->loop.access;
}

/* Whether script access can be made of this config: reads the settings and makes a resolver. False
 * with `why`. */
bool script_access_try(const struct config *config, struct text *why);

#endif
