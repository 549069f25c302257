/* SPDX-License-Identifier: MIT */
/* names.h - things found by name: a hash table whose entries are embedded in what it finds.
 *
 * Threads  One.
 * Memory   The buckets. Without memory to grow, the table only gets slower.
 */
#ifndef HUB_NAMES_H
#define HUB_NAMES_H

#include "base/slice.h"

struct name_entry {
    struct name_entry *next;
    uint64_t hash;     /* hash_bytes(name) */
    struct slice name; /* lives as long as what embeds the entry */
};

struct names {
    struct name_entry **buckets; /* owned */
    uint32_t bucket_count;       /* a power of two; 0: none yet */
    uint32_t count;
};

struct name_entry *names_find(const struct names *names, struct slice name, uint64_t hash);
/* `entry` is filled in, and no other has its name. False without memory for the first buckets. */
bool names_add(struct names *names, struct name_entry *entry);
void names_remove(struct names *names, struct name_entry *entry);
/* Any entry; NULL if there is none. For taking down. */
struct name_entry *names_any(const struct names *names);
/* Frees the buckets. */
void names_done(struct names *names);

#endif
