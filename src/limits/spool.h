/* SPDX-License-Identifier: MIT */
/* spool.h - request bodies that are kept in files: how much, by client and in all.
 *
 * A body that counts here is on a disk, so that it is no memory, but a disk has an end too, and
 * others write to it. The account of a body grows before the bytes are written, and is closed when
 * nobody of ours has the file open any more.
 *
 * Counts   In pieces of 4 KiB, under its client's address (IPv6: its /64, and four times as much
 *          for its /48) and under the whole. Whoever grows beyond a bound is refused; nobody else
 *          loses what he has.
 * Cost     Three locks each time that it grows by a piece.
 * Threads  struct spool: any. An account: one.
 * Lifetime spool_new() before all accounts, spool_free() after. An account is embedded: zeroed, or
 *          from its first spool_grow() to spool_close().
 */
#ifndef LIMITS_SPOOL_H
#define LIMITS_SPOOL_H

#include "limits/quota.h"
#include "net/address.h"

struct spool;

struct spool_limits {
    uint64_t max;        /* bytes, all together */
    uint64_t per_client; /* one client */
};

enum spool_bound {
    SPOOL_CLIENT, /* its client keeps too much */
    SPOOL_WHOLE,  /* all together do */
    SPOOL_BOUNDS,
    SPOOL_FITS = SPOOL_BOUNDS
};

struct spool_account {
    struct quota_hold client, net, all;
    uint32_t pieces;
};

/* NULL without memory. */
struct spool *spool_new(const struct spool_limits *limits);
/* For a reload. */
void spool_set(struct spool *s, const struct spool_limits *limits);
void spool_free(struct spool *s);
/* What is counted now. */
uint64_t spool_bytes(struct spool *s);

/* The account has `bytes` in all from now on, and pays for them under the client that it began
 * with. SPOOL_FITS, or the bound that it would pass: then nothing has changed. */
enum spool_bound spool_grow(struct spool *s, struct spool_account *a,
                            const struct net_client_key *client, uint64_t bytes);
/* Allowed again. */
void spool_close(struct spool *s, struct spool_account *a);

/* The folder for such files, by TMPDIR. */
const char *spool_folder(void);
/* How much more its file system takes; 0: unknown. */
uint64_t spool_room(void);

#endif
