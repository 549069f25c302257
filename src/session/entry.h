/* SPDX-License-Identifier: MIT */
/* entry.h - a session's place in the table: its id and key, and the links. Private to this room. */
#ifndef SESSION_ENTRY_H
#define SESSION_ENTRY_H

#include "session/session.h"

struct ended;

enum {
    ENTRY_SHORT_KEY = 23 /* bytes: that of client.js has 22 */
};

struct entry {
    struct entry *next_by_id, *next_by_key;
    uint64_t id_hash, key_hash;
    char id[SESSION_ID_LEN];
    union {
        char short_key[ENTRY_SHORT_KEY];
        char *long_key; /* owned */
    };
    uint8_t key_len; /* 0: not bound */
};

struct session *session_of_entry(struct entry *e);

/* Draws the id. -ENOSPC if the table is full. */
int entry_add(struct session_table *t, struct entry *e);
/* The same with an id that it had already; there is always room. */
void entry_put(struct session_table *t, struct entry *e, struct slice id);
static inline struct slice entry_key(const struct entry *e)
{
    return slice_make(e->key_len > ENTRY_SHORT_KEY ? e->long_key : e->short_key, e->key_len);
}
/* To be called once. False without memory. */
bool entry_bind_key(struct session_table *t, struct entry *e, struct slice key);
/* Whether `key` is the one that is bound, in a time that tells nothing about it. */
bool entry_has_key(const struct entry *e, struct slice key);
void entry_remove(struct session_table *t, struct entry *e);
/* In no table, or removed: frees what it owns. */
void entry_done(struct entry *e);
/* For clients that come back without having heard of the end; its number, or 0. */
uint64_t entry_note_end(struct session_table *t, const struct entry *e, unsigned code,
                        struct slice reason, uint64_t now_ms);

/* For pack.c. */
struct ended *session_table_ends(const struct session_table *t);

#endif
