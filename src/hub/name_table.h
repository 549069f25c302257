/* SPDX-License-Identifier: MIT */
/* name_table.h - a hash table by name, whose entries are embedded in the objects that it finds.
 *
 * Threads  One.
 * Memory   The buckets. Without memory to grow, the table only gets slower.
 */
#ifndef HUB_NAME_TABLE_H
#define HUB_NAME_TABLE_H

#include "base/slice.h"

struct name_entry {
    struct name_entry *next;
    uint64_t hash;     /* hash_bytes(name) */
    struct slice name; /* lives as long as the embedding object */
};

struct name_table {
    struct name_entry **buckets; /* owned */
    uint32_t bucket_count;       /* a power of two; 0: none yet */
    uint32_t count;
};

struct name_entry *name_table_find(const struct name_table *table, struct slice name,
                                   uint64_t hash);
/* `entry` is filled in, and no other has its name. False without memory for the first buckets. */
bool name_table_add(struct name_table *table, struct name_entry *entry);
void name_table_remove(struct name_table *table, struct name_entry *entry);
/* Any entry; NULL if the table is empty. For taking a table down. */
struct name_entry *name_table_any(const struct name_table *table);
/* Frees the buckets. */
void name_table_done(struct name_table *table);

#endif
