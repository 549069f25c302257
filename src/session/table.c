/* SPDX-License-Identifier: MIT */
#include "session/table.h"

#include "base/base64url.h"
#include "base/hash.h"
#include "base/log.h"
#include "session/ended.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define BUCKETS_FIRST 64

struct session_table {
    struct entry **by_id, **by_key;
    uint32_t buckets; /* a power of two */
    uint32_t count, count_max;
    uint16_t worker;
    uint32_t tag;
    struct ended ended;
};

static bool is_word(struct slice s)
{
    return base64url_span(s) == s.len;
}

static uint32_t value_of(char c)
{
    return (uint32_t)base64url_value(c);
}

static uint32_t bucket(const struct session_table *t, uint64_t hash)
{
    return (uint32_t)hash & (t->buckets - 1);
}

static void link_id(struct session_table *t, struct entry *e)
{
    struct entry **head = &t->by_id[bucket(t, e->id_hash)];
    e->next_by_id = *head;
    *head = e;
}

static void link_key(struct session_table *t, struct entry *e)
{
    struct entry **head = &t->by_key[bucket(t, e->key_hash)];
    e->next_by_key = *head;
    *head = e;
}

/* Doubles the buckets. Without memory the table only gets slower. */
static void grow(struct session_table *t)
{
    struct session_table old = *t;
    struct entry **by_id = log_needed(calloc(old.buckets * 2, sizeof(struct entry *)));
    struct entry **by_key = log_needed(calloc(old.buckets * 2, sizeof(struct entry *)));
    if (!by_id || !by_key) {
        free(by_id);
        free(by_key);
        return;
    }
    t->by_id = by_id;
    t->by_key = by_key;
    t->buckets *= 2;
    for (uint32_t i = 0; i < old.buckets; i++) {
        for (struct entry *e = old.by_id[i], *next; e; e = next) {
            next = e->next_by_id;
            link_id(t, e);
        }
        for (struct entry *e = old.by_key[i], *next; e; e = next) {
            next = e->next_by_key;
            link_key(t, e);
        }
    }
    free(old.by_id);
    free(old.by_key);
}

struct session_table *session_table_new(uint16_t worker, uint32_t sessions_max)
{
    struct session_table *t = log_needed(calloc(1, sizeof(*t)));
    if (!t)
        return NULL;
    *t = (struct session_table){
        .by_id = log_needed(calloc(BUCKETS_FIRST, sizeof(struct entry *))),
        .by_key = log_needed(calloc(BUCKETS_FIRST, sizeof(struct entry *))),
        .buckets = BUCKETS_FIRST,
        .count_max = sessions_max,
        .worker = worker,
    };
    if (!t->by_id || !t->by_key) {
        session_table_free(t);
        return NULL;
    }
    return t;
}

void session_table_use_tag(struct session_table *t, uint32_t tag)
{
    t->tag = tag;
}

void session_table_free(struct session_table *t)
{
    if (!t)
        return;
    assert(t->count == 0);
    ended_done(&t->ended);
    free(t->by_id);
    free(t->by_key);
    free(t);
}

void entry_put(struct session_table *t, struct entry *e, struct slice id)
{
    memcpy(e->id, id.ptr, SESSION_ID_LEN);
    e->id_hash = hash_bytes(id);
    if (t->count >= t->buckets)
        grow(t);
    link_id(t, e);
    t->count++;
}

struct ended *session_table_ends(const struct session_table *t)
{
    return (struct ended *)&t->ended;
}

int entry_add(struct session_table *t, struct entry *e)
{
    if (t->count >= t->count_max)
        return -ENOSPC;
    unsigned char raw[18];
    if (getrandom(raw, 16, 0) != 16) /* a sandbox that forbids it */
        return -EAGAIN;
    for (int i = 0; t->tag && i < 4; i++)
        raw[12 + i] = (unsigned char)(t->tag >> (24 - 8 * i));
    raw[16] = (unsigned char)(t->worker >> 8);
    raw[17] = (unsigned char)t->worker;
    char id[SESSION_ID_LEN];
    base64url_write(raw, sizeof(raw), id);
    entry_put(t, e, slice_make(id, sizeof(id)));
    return 0;
}

bool entry_bind_key(struct session_table *t, struct entry *e, struct slice key)
{
    assert(key.len <= SESSION_KEY_MAX && e->key_len == 0);
    char *copy = key.len > ENTRY_SHORT_KEY ? log_needed(malloc(key.len)) : e->short_key;
    if (!copy)
        return false;
    memcpy(copy, key.ptr, key.len);
    if (copy != e->short_key)
        e->long_key = copy;
    e->key_len = (uint8_t)key.len;
    e->key_hash = hash_bytes(key);
    link_key(t, e);
    return true;
}

/* The hash, whose key nobody knows, comes first: so how long the comparison takes tells nobody how
 * much of a guess is right. */
static bool is_key(const struct entry *e, uint64_t hash, struct slice key)
{
    return e->key_hash == hash && slice_equal(entry_key(e), key);
}

bool entry_has_key(const struct entry *e, struct slice key)
{
    return is_key(e, hash_bytes(key), key);
}

void entry_remove(struct session_table *t, struct entry *e)
{
    struct entry **at = &t->by_id[bucket(t, e->id_hash)];
    while (*at != e)
        at = &(*at)->next_by_id;
    *at = e->next_by_id;
    t->count--;
    if (e->key_len == 0)
        return;
    at = &t->by_key[bucket(t, e->key_hash)];
    while (*at != e)
        at = &(*at)->next_by_key;
    *at = e->next_by_key;
}

void entry_done(struct entry *e)
{
    if (e->key_len > ENTRY_SHORT_KEY)
        free(e->long_key);
}

uint64_t entry_note_end(struct session_table *t, const struct entry *e, unsigned code,
                        struct slice reason, uint64_t now_ms)
{
    return ended_note(&t->ended, e, code, reason, now_ms);
}

void session_table_end_heard(struct session_table *t, uint64_t number)
{
    ended_forget(&t->ended, number);
}

unsigned session_table_ended(const struct session_table *t, struct slice id, struct slice key,
                             uint64_t now_ms, struct slice *reason)
{
    return ended_find(&t->ended, id, key, now_ms, reason);
}

struct session *session_table_find(struct session_table *t, struct slice id)
{
    uint64_t hash = hash_bytes(id);
    for (struct entry *e = t->by_id[bucket(t, hash)]; e; e = e->next_by_id)
        if (e->id_hash == hash && slice_equal(slice_make(e->id, SESSION_ID_LEN), id))
            return session_of_entry(e);
    return NULL;
}

struct session *session_table_find_key(struct session_table *t, struct slice key)
{
    uint64_t hash = hash_bytes(key);
    for (struct entry *e = t->by_key[bucket(t, hash)]; e; e = e->next_by_key)
        if (is_key(e, hash, key))
            return session_of_entry(e);
    return NULL;
}

uint32_t session_table_count(const struct session_table *t)
{
    return t->count;
}

void session_table_each(struct session_table *t, void (*each)(struct session *s, void *arg),
                        void *arg)
{
    for (uint32_t i = 0; i < t->buckets; i++) {
        for (struct entry *e = t->by_id[i], *next; e; e = next) {
            next = e->next_by_id;
            each(session_of_entry(e), arg);
        }
    }
}

bool session_id_valid(struct slice id)
{
    return id.len == SESSION_ID_LEN && is_word(id);
}

bool session_key_valid(struct slice key)
{
    return key.len >= SESSION_KEY_MIN && key.len <= SESSION_KEY_MAX && is_word(key);
}

uint16_t session_id_worker(struct slice id)
{
    /* The last 16 of the 144 bits: a part of the third but last character, and the last two. */
    uint32_t low = value_of(id.ptr[21]) << 12 | value_of(id.ptr[22]) << 6 | value_of(id.ptr[23]);
    return (uint16_t)low;
}

uint32_t session_id_tag(struct slice id)
{
    /* The 12 bytes before the tag are the first 16 characters. */
    uint32_t tag = 0;
    for (int i = 16; i < 21; i++)
        tag = tag << 6 | value_of(id.ptr[i]);
    return tag << 2 | value_of(id.ptr[21]) >> 4;
}

void session_log_id(const struct session *s, char ret[SESSION_LOG_ID_LEN + 1])
{
    snprintf(ret, SESSION_LOG_ID_LEN + 1, "%08x",
             (unsigned)(hash_bytes(session_id(s)) & 0xffffffff));
}
