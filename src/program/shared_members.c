/* SPDX-License-Identifier: MIT */
#include "program/shared_members.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16 /* a power of two */

bool shared_members_init(struct shared_members *all)
{
    *all = (struct shared_members){.bucket_count = BUCKETS_FIRST};
    list_init(&all->list);
    all->buckets = log_needed(calloc(BUCKETS_FIRST, sizeof(*all->buckets)));
    return all->buckets;
}

void shared_members_done(struct shared_members *all)
{
    free(all->buckets);
}

static struct shared_member **bucket_of(const struct shared_members *all, struct slice id)
{
    return &all->buckets[hash_bytes(id) & (all->bucket_count - 1)];
}

static void put_in_bucket(struct shared_members *all, struct shared_member *m)
{
    struct shared_member **head = bucket_of(all, shared_member_id(m));
    m->next = *head;
    *head = m;
}

/* Without memory the table only gets slower. */
static void grow(struct shared_members *all)
{
    struct shared_member **buckets =
        log_needed(calloc((size_t)all->bucket_count * 2, sizeof(*buckets)));
    if (!buckets)
        return;
    free(all->buckets);
    all->buckets = buckets;
    all->bucket_count *= 2;
    for (struct list *node = all->list.next; node != &all->list; node = node->next)
        put_in_bucket(all, container_of(node, struct shared_member, node));
}

void shared_members_add(struct shared_members *all, struct shared_member *m)
{
    if (all->count >= all->bucket_count)
        grow(all);
    put_in_bucket(all, m);
    list_append(&all->list, &m->node);
    all->count++;
}

void shared_members_remove(struct shared_members *all, struct shared_member *m)
{
    struct shared_member **at = bucket_of(all, shared_member_id(m));
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    list_remove(&m->node);
    all->count--;
    all->last = NULL;
}

struct shared_member *shared_members_find(struct shared_members *all, struct slice id)
{
    struct shared_member *m = all->last;
    if (m && slice_equal(shared_member_id(m), id))
        return m;
    m = *bucket_of(all, id);
    while (m && !slice_equal(shared_member_id(m), id))
        m = m->next;
    if (m)
        all->last = m;
    return m;
}
