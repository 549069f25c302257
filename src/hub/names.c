/* SPDX-License-Identifier: MIT */
#include "hub/names.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16

static struct name_entry **bucket(const struct names *names, uint64_t hash)
{
    return &names->buckets[hash & (names->bucket_count - 1)];
}

static void link_entry(struct names *names, struct name_entry *entry)
{
    struct name_entry **head = bucket(names, entry->hash);
    entry->next = *head;
    *head = entry;
}

static bool resize(struct names *names, uint32_t bucket_count)
{
    struct names old = *names;
    struct name_entry **buckets = calloc(bucket_count, sizeof(struct name_entry *));
    if (!buckets)
        return false;
    names->buckets = buckets;
    names->bucket_count = bucket_count;
    for (uint32_t i = 0; i < old.bucket_count; i++) {
        struct name_entry *next;
        for (struct name_entry *entry = old.buckets[i]; entry; entry = next) {
            next = entry->next;
            link_entry(names, entry);
        }
    }
    free(old.buckets);
    return true;
}

struct name_entry *names_find(const struct names *names, struct slice name, uint64_t hash)
{
    if (!names->count)
        return NULL;
    struct name_entry *entry = *bucket(names, hash);
    while (entry && (entry->hash != hash || !slice_equal(entry->name, name)))
        entry = entry->next;
    return entry;
}

bool names_add(struct names *names, struct name_entry *entry)
{
    if (!names->bucket_count && !resize(names, BUCKETS_FIRST))
        return false;
    if (names->count >= names->bucket_count)
        resize(names, names->bucket_count * 2);
    link_entry(names, entry);
    names->count++;
    return true;
}

void names_remove(struct names *names, struct name_entry *entry)
{
    struct name_entry **at = bucket(names, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    names->count--;
}

struct name_entry *names_any(const struct names *names)
{
    for (uint32_t i = 0; names->count && i < names->bucket_count; i++)
        if (names->buckets[i])
            return names->buckets[i];
    return NULL;
}

void names_done(struct names *names)
{
    free(names->buckets);
    *names = (struct names){0};
}
