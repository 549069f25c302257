/* SPDX-License-Identifier: MIT */
#include "base/lossy.h"
#include "base/pack.h"

#include <stdlib.h>
#include <string.h>

enum {
    SET_BYTES = LOSSY_SET * sizeof(struct lossy_entry)
};

bool lossy_init(struct lossy *t, size_t entries)
{
    t->sets = 1;
    while (t->sets * LOSSY_SET < entries)
        t->sets *= 2;
    t->entries = aligned_alloc(SET_BYTES, lossy_bytes(t));
    if (!t->entries)
        return false;
    memset(t->entries, 0, lossy_bytes(t));
    for (int i = 0; i < LOSSY_LOCKS; i++)
        pthread_mutex_init(&t->locks[i], NULL);
    return true;
}

void lossy_done(struct lossy *t)
{
    for (int i = 0; i < LOSSY_LOCKS; i++)
        pthread_mutex_destroy(&t->locks[i]);
    free(t->entries);
}

size_t lossy_bytes(const struct lossy *t)
{
    return t->sets * SET_BYTES;
}

struct lossy_hold lossy_claim(struct lossy *t, uint64_t hash)
{
    size_t index = hash & (t->sets - 1);
    struct lossy_entry *set = t->entries + index * LOSSY_SET;
    struct lossy_hold hold = {set, &t->locks[index % LOSSY_LOCKS]};
    pthread_mutex_lock(hold.lock);
    for (int i = 0; i < LOSSY_SET; i++) {
        if (set[i].hash == hash) {
            hold.entry = &set[i];
            break;
        }
        if (set[i].value < hold.entry->value)
            hold.entry = &set[i];
    }
    return hold;
}

uint64_t lossy_find(struct lossy *t, uint64_t hash)
{
    struct lossy_hold hold = lossy_claim(t, hash);
    uint64_t value = hold.entry->hash == hash ? hold.entry->value : 0;
    lossy_release(hold);
    return value;
}

static pthread_mutex_t *lock_set(struct lossy *t, size_t set)
{
    pthread_mutex_t *lock = &t->locks[set % LOSSY_LOCKS];
    pthread_mutex_lock(lock);
    return lock;
}

void lossy_clear(struct lossy *t)
{
    for (size_t set = 0; set < t->sets; set++) {
        pthread_mutex_t *lock = lock_set(t, set);
        memset(t->entries + set * LOSSY_SET, 0, SET_BYTES);
        pthread_mutex_unlock(lock);
    }
}

void lossy_look(struct lossy *t, size_t set, struct lossy_entry *ret)
{
    pthread_mutex_t *lock = lock_set(t, set);
    memcpy(ret, t->entries + set * LOSSY_SET, SET_BYTES);
    pthread_mutex_unlock(lock);
}

void lossy_pack(const struct lossy *t, uint32_t tag, struct pack *p)
{
    struct text all = {0};
    size_t count = lossy_bytes(t) / sizeof(*t->entries);
    for (size_t i = 0; i < count; i++)
        if (t->entries[i].hash)
            text_put(&all, slice_make((const char *)&t->entries[i], sizeof(*t->entries)));
    p->failed |= all.failed;
    pack_slice(p, tag, text_slice(&all));
    text_done(&all);
}

void lossy_unpack(struct lossy *t, struct slice entries)
{
    struct lossy_entry entry;
    for (; entries.len >= sizeof(entry); entries = slice_skip(entries, sizeof(entry))) {
        memcpy(&entry, entries.ptr, sizeof(entry));
        struct lossy_hold hold = lossy_claim(t, entry.hash ? entry.hash : 1);
        if (hold.entry->hash == entry.hash || hold.entry->value < entry.value)
            *hold.entry = entry;
        lossy_release(hold);
    }
}
