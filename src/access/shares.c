/* SPDX-License-Identifier: MIT */
#include "access/shares.h"

#include <string.h>

static struct share *share_of(const struct list *node)
{
    return container_of(node, struct share, node);
}

static bool same_client(const struct net_client_key *a, const struct net_client_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void shares_init(struct shares *shares)
{
    shares->count = 0;
    list_init(&shares->all);
}

uint32_t shares_of_client(const struct shares *shares, const struct net_client_key *client)
{
    for (struct list *node = shares->all.next; node != &shares->all; node = node->next)
        if (same_client(&share_of(node)->client, client))
            return share_of(node)->of_client;
    return 0;
}

uint32_t shares_of_origin(const struct shares *shares, const struct origin *origin)
{
    uint32_t count = 0;
    for (struct list *node = shares->all.next; node != &shares->all; node = node->next)
        count += origin_equal(share_of(node)->origin, origin);
    return count;
}

static void set_count(struct shares *shares, const struct net_client_key *client, uint32_t count)
{
    for (struct list *node = shares->all.next; node != &shares->all; node = node->next)
        if (same_client(&share_of(node)->client, client))
            share_of(node)->of_client = count;
}

void shares_join(struct shares *shares, struct share *share, const struct net_client_key *client,
                 const struct origin *origin)
{
    *share = (struct share){.client = *client, .origin = origin};
    uint32_t count = shares_of_client(shares, client) + 1;
    list_append(&shares->all, &share->node);
    shares->count++;
    set_count(shares, client, count);
}

void shares_leave(struct shares *shares, struct share *share)
{
    if (list_empty(&share->node))
        return;
    list_remove(&share->node);
    shares->count--;
    set_count(shares, &share->client, share->of_client - 1);
}

void shares_wait(struct shares *shares, struct share *share, const struct net_client_key *client)
{
    struct net_client_key before = share->client;
    uint32_t had = share->of_client, have = shares_of_client(shares, client) + 1;
    if (list_empty(&share->node) || same_client(&before, client) || have >= had)
        return;
    share->client = *client;
    set_count(shares, client, have);
    set_count(shares, &before, had - 1);
}

struct share *shares_greediest(const struct shares *shares, const struct net_client_key *client,
                               const struct origin *origin)
{
    uint32_t most = shares_of_client(shares, client) + 1;
    struct share *chosen = NULL;
    for (struct list *node = shares->all.next; node != &shares->all; node = node->next) {
        struct share *share = share_of(node);
        if (share->of_client <= most || (origin && !origin_equal(share->origin, origin)))
            continue;
        most = share->of_client;
        chosen = share;
    }
    return chosen;
}
