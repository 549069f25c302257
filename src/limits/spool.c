/* SPDX-License-Identifier: MIT */
#include "limits/spool.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum {
    PIECE = 4096,
    NET_SHARES = 4 /* of an IPv6 /48: as many as so many of its /64 may have */
};

struct spool {
    struct quota *quota;
    atomic_uint max, per_client, per_net; /* pieces */
};

/* At least one: a body of one byte takes as much. */
static uint32_t pieces_of(uint64_t bytes)
{
    uint64_t pieces = bytes / PIECE + (bytes % PIECE > 0);
    return pieces < UINT32_MAX ? (uint32_t)pieces + (pieces == 0) : UINT32_MAX;
}

struct spool *spool_new(const struct spool_limits *limits)
{
    struct spool *s = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->quota = quota_new();
    if (!s->quota) {
        free(s);
        return NULL;
    }
    spool_set(s, limits);
    return s;
}

void spool_set(struct spool *s, const struct spool_limits *limits)
{
    uint32_t max = pieces_of(limits->max), per_client = pieces_of(limits->per_client);
    s->max = max;
    s->per_client = per_client;
    s->per_net = per_client > UINT32_MAX / NET_SHARES ? UINT32_MAX : per_client * NET_SHARES;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    quota_free(s->quota);
    free(s);
}

static struct quota_hold hold_of_all(void)
{
    return quota_hold_of(LIMIT_SPOOLED, SLICE_LITERAL(""));
}

uint64_t spool_bytes(struct spool *s)
{
    struct quota_hold all = hold_of_all();
    return (uint64_t)quota_count(s->quota, &all) * PIECE;
}

static void begin(struct spool_account *a, const struct net_client_key *client)
{
    struct net_client_key wide = net_client_key_wide(client);
    a->client = quota_hold_of(LIMIT_SPOOLED_OF_CLIENT, net_client_slice(client));
    a->net = quota_hold_of(LIMIT_SPOOLED_OF_NET, net_client_slice(&wide));
    a->all = hold_of_all();
}

static enum spool_bound add(struct spool *s, const struct spool_account *a, uint32_t more)
{
    if (!quota_take_many(s->quota, &a->client, more, s->per_client))
        return SPOOL_CLIENT;
    if (!quota_take_many(s->quota, &a->net, more, s->per_net)) {
        quota_release_many(s->quota, &a->client, more);
        return SPOOL_CLIENT;
    }
    if (quota_take_many(s->quota, &a->all, more, s->max))
        return SPOOL_FITS;
    quota_release_many(s->quota, &a->client, more);
    quota_release_many(s->quota, &a->net, more);
    return SPOOL_WHOLE;
}

enum spool_bound spool_grow(struct spool *s, struct spool_account *a,
                            const struct net_client_key *client, uint64_t bytes)
{
    uint32_t wanted = pieces_of(bytes);
    if (wanted <= a->pieces)
        return SPOOL_FITS;
    if (a->pieces == 0)
        begin(a, client);
    enum spool_bound bound = add(s, a, wanted - a->pieces);
    if (bound == SPOOL_FITS)
        a->pieces = wanted;
    return bound;
}

void spool_close(struct spool *s, struct spool_account *a)
{
    if (a->pieces == 0)
        return;
    quota_release_many(s->quota, &a->client, a->pieces);
    quota_release_many(s->quota, &a->net, a->pieces);
    quota_release_many(s->quota, &a->all, a->pieces);
    a->pieces = 0;
}

const char *spool_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder ? folder : "/tmp";
}

uint64_t spool_room(void)
{
    struct statvfs fs;
    return statvfs(spool_folder(), &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}
