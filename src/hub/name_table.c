/* SPDX-License-Identifier: MIT */
#include "hub/name_table.h"

#include "base/log.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16

static struct name_entry **bucket(const struct name_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static void link_entry(struct name_table *table, struct name_entry *entry)
{
    struct name_entry **head = bucket(table, entry->hash);
    entry->next = *head;
    *head = entry;
}

static bool resize(struct name_table *table, uint32_t bucket_count)
{
    struct name_table old = *table;
    struct name_entry **buckets = log_needed(calloc(bucket_count, sizeof(struct name_entry *)));
    if (!buckets)
        return false;
    table->buckets = buckets;
    table->bucket_count = bucket_count;
    for (uint32_t i = 0; i < old.bucket_count; i++) {
        struct name_entry *next;
        for (struct name_entry *entry = old.buckets[i]; entry; entry = next) {
            next = entry->next;
            link_entry(table, entry);
        }
    }
    free(old.buckets);
    return true;
}

struct name_entry *name_table_find(const struct name_table *table, struct slice name, uint64_t hash)
{
    if (!table->count)
        return NULL;
    struct name_entry *entry = *bucket(table, hash);
    while (entry && (entry->hash != hash || !slice_equal(entry->name, name)))
        entry = entry->next;
    return entry;
}

bool name_table_add(struct name_table *table, struct name_entry *entry)
{
    if (!table->bucket_count && !resize(table, BUCKETS_FIRST))
        return false;
    if (table->count >= table->bucket_count)
        resize(table, table->bucket_count * 2);
    link_entry(table, entry);
    table->count++;
    return true;
}

void name_table_remove(struct name_table *table, struct name_entry *entry)
{
    struct name_entry **at = bucket(table, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

struct name_entry *name_table_any(const struct name_table *table)
{
    for (uint32_t i = 0; table->count && i < table->bucket_count; i++)
        if (table->buckets[i])
            return table->buckets[i];
    return NULL;
}

void name_table_done(struct name_table *table)
{
    free(table->buckets);
    *table = (struct name_table){0};
}
