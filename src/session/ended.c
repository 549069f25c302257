/* SPDX-License-Identifier: MIT */
#include "session/ended.h"

#include "base/hash.h"
#include "base/log.h"

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
    memcpy(s->key, session->key, session->key_len);
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
