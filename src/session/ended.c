/* SPDX-License-Identifier: MIT */
#include "session/ended.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"

#include <stdlib.h>

struct ended_session {
    uint64_t key_hash;
    uint64_t number;
    uint64_t until_ms; /* 0: free */
    uint16_t code;
    uint8_t key_len, reason_len;
    char id[SESSION_ID_LEN];
    char key[SESSION_KEY_MAX];
    char reason[ENDED_REASON_MAX];
};

/* Of one end that is packed. */
enum {
    END = 1, /* the field of each, the oldest first */
    END_ID = 1,
    END_KEY,
    END_CODE,
    END_REASON,
    END_UNTIL_MS,
};

void ended_done(struct ended *e)
{
    free(e->ring);
    *e = (struct ended){0};
}

uint64_t ended_note(struct ended *e, const struct entry *session, unsigned code,
                    struct slice reason, uint64_t now_ms)
{
    if (session->key_len == 0)
        return 0;
    if (!e->ring)
        e->ring = log_needed(calloc(ENDED_MAX, sizeof(*e->ring)));
    if (!e->ring)
        return 0;
    reason = slice_first(reason, ENDED_REASON_MAX);
    struct ended_session *s = &e->ring[++e->last % ENDED_MAX];
    *s = (struct ended_session){
        .number = e->last,
        .key_hash = session->key_hash,
        .until_ms = now_ms + ENDED_MS,
        .code = (uint16_t)code,
        .key_len = session->key_len,
        .reason_len = (uint8_t)reason.len,
    };
    memcpy(s->id, session->id, SESSION_ID_LEN);
    memcpy(s->key, entry_key(session).ptr, session->key_len);
    if (reason.len)
        memcpy(s->reason, reason.ptr, reason.len);
    return s->number;
}

void ended_forget(struct ended *e, uint64_t number)
{
    struct ended_session *s = e->ring ? &e->ring[number % ENDED_MAX] : NULL;
    if (s && s->number == number)
        s->until_ms = 0;
}

static bool is(const struct ended_session *s, struct slice id, struct slice key)
{
    return slice_equal(slice_make(s->key, s->key_len), key) &&
           (!id.ptr || slice_equal(slice_make(s->id, SESSION_ID_LEN), id));
}

unsigned ended_find(const struct ended *e, struct slice id, struct slice key, uint64_t now_ms,
                    struct slice *reason)
{
    uint64_t key_hash = hash_bytes(key);
    for (uint32_t i = 0; e->ring && i < ENDED_MAX; i++) {
        const struct ended_session *s = &e->ring[i];
        if (s->key_hash != key_hash || s->until_ms <= now_ms || !is(s, id, key))
            continue;
        *reason = slice_make(s->reason, s->reason_len);
        return s->code;
    }
    return 0;
}

/* ---- for the process that takes over ---- */

static void pack_end_of(const struct ended_session *s, struct pack *p)
{
    size_t begun = pack_begin(p, END);
    pack_slice(p, END_ID, slice_make(s->id, SESSION_ID_LEN));
    pack_slice(p, END_KEY, slice_make(s->key, s->key_len));
    pack_number(p, END_CODE, s->code);
    pack_slice(p, END_REASON, slice_make(s->reason, s->reason_len));
    pack_number(p, END_UNTIL_MS, s->until_ms);
    pack_end(p, begun);
}

void ended_pack(const struct ended *e, struct pack *p)
{
    for (uint64_t i = 1; e->ring && i <= ENDED_MAX; i++) {
        const struct ended_session *s = &e->ring[(e->last + i) % ENDED_MAX];
        if (s->until_ms > 0)
            pack_end_of(s, p);
    }
}

void ended_unpack(struct ended *e, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);) {
        struct slice id = packed_slice(field.value, END_ID);
        struct slice key = packed_slice(field.value, END_KEY);
        uint64_t until_ms = packed_number(field.value, END_UNTIL_MS);
        if (field.tag != END || id.len != SESSION_ID_LEN || key.len > SESSION_KEY_MAX)
            continue;
        struct entry entry = {.key_hash = hash_bytes(key), .key_len = (uint8_t)key.len};
        memcpy(entry.id, id.ptr, id.len);
        if (key.len > ENTRY_SHORT_KEY)
            entry.long_key = (char *)key.ptr; /* for this call */
        else
            memcpy(entry.short_key, key.ptr, key.len);
        ended_note(e, &entry, (unsigned)packed_number(field.value, END_CODE),
                   packed_slice(field.value, END_REASON),
                   until_ms > ENDED_MS ? until_ms - ENDED_MS : 0);
    }
}
