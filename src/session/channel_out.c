/* SPDX-License-Identifier: MIT */
#include "session/channel_out.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

enum {
    COPIED_AT_LEAST = 4096 - 64 /* room for the next small writes */
};

struct piece {
    struct piece *next;
    struct shared_bytes *shared; /* one reference */
    uint64_t begin;              /* its first byte's position */
    uint32_t at, len;            /* in `shared` */
    uint32_t room;               /* behind that, for copies: nobody else writes there */
};

static _Thread_local struct pool pieces = POOL_OF(struct piece);

static uint64_t end_of(const struct piece *p)
{
    return p->begin + p->len;
}

/* Takes the caller's reference, on success only. */
static struct piece *append(struct channel_out *out, struct shared_bytes *shared, size_t at)
{
    struct piece *p = log_needed(pool_take(&pieces));
    if (!p)
        return NULL;
    *p = (struct piece){.shared = shared, .begin = out->written, .at = (uint32_t)at};
    if (out->last)
        out->last->next = p;
    else
        out->first = p;
    out->last = p;
    if (!out->at)
        out->at = p;
    return p;
}

static void extend(struct channel_out *out, struct piece *p, size_t len)
{
    p->len += (uint32_t)len;
    out->written += len;
    if (!out->at)
        out->at = p;
}

/* Fills what an earlier copy has left free. Returns how much went there. */
static size_t fill_last(struct channel_out *out, struct slice data)
{
    struct piece *p = out->last;
    if (!p || !p->room)
        return 0;
    size_t n = data.len < p->room ? data.len : p->room;
    memcpy(p->shared->bytes + p->at + p->len, data.ptr, n);
    p->room -= (uint32_t)n;
    extend(out, p, n);
    return n;
}

bool channel_out_copy(struct channel_out *out, struct slice data)
{
    assert(!out->ended);
    data = slice_skip(data, fill_last(out, data));
    if (!data.len)
        return true;
    size_t size = data.len > COPIED_AT_LEAST ? data.len : COPIED_AT_LEAST;
    struct shared_bytes *shared = shared_new(size);
    struct piece *p = shared ? append(out, shared, 0) : NULL;
    if (!p) {
        if (shared)
            shared_unref(shared);
        return false;
    }
    p->room = (uint32_t)size;
    fill_last(out, data);
    return true;
}

bool channel_out_share(struct channel_out *out, struct shared_bytes *shared, size_t at, size_t len)
{
    assert(!out->ended && at + len <= shared->len);
    if (!len)
        return true;
    struct piece *p = append(out, shared, at);
    if (!p)
        return false;
    shared->refs++;
    extend(out, p, len);
    return true;
}

static void drop_first(struct channel_out *out)
{
    struct piece *p = out->first;
    out->first = p->next;
    if (!out->first)
        out->last = NULL;
    if (out->at == p)
        out->at = out->first;
    shared_unref(p->shared);
    pool_give(&pieces, p);
}

void channel_out_clear(struct channel_out *out)
{
    while (out->first)
        drop_first(out);
}

size_t channel_out_kept(const struct channel_out *out)
{
    return out->acked < out->written ? (size_t)(out->written - out->acked) : 0;
}

bool channel_out_complete(const struct channel_out *out)
{
    return out->ended && out->acked > out->written;
}

/* Finds the piece that holds `next` again. */
static void seek(struct channel_out *out)
{
    out->at = out->first;
    while (out->at && end_of(out->at) <= out->next)
        out->at = out->at->next;
}

static bool is_forward(const struct channel_out *out, uint64_t received, uint64_t limit)
{
    return received >= out->acked && limit >= out->limit;
}

static void forget(struct channel_out *out, uint64_t received)
{
    out->acked = received;
    while (out->first && end_of(out->first) <= received)
        drop_first(out);
}

bool channel_out_heard(struct channel_out *out, uint64_t received, uint64_t limit)
{
    if (!is_forward(out, received, limit) || received > out->next)
        return false;
    out->limit = limit;
    forget(out, received);
    return true;
}

bool channel_out_resume(struct channel_out *out, uint64_t received, uint64_t limit)
{
    if (!is_forward(out, received, limit) || received > out->sent)
        return false;
    out->limit = limit;
    forget(out, received);
    out->next = received;
    seek(out);
    return true;
}

struct channel_part channel_out_part(const struct channel_out *out, size_t max)
{
    if (!out->at || out->next >= out->limit)
        return (struct channel_part){0};
    uint64_t len = end_of(out->at) - out->next, allowed = out->limit - out->next;
    if (len > allowed)
        len = allowed;
    return (struct channel_part){
        .shared = out->at->shared,
        .at = out->at->at + (size_t)(out->next - out->at->begin),
        .len = len < max ? (size_t)len : max,
    };
}

bool channel_out_end_due(const struct channel_out *out)
{
    return out->ended && out->next == out->written;
}

void channel_out_advance(struct channel_out *out, size_t n)
{
    out->next += n;
    if (out->sent < out->next)
        out->sent = out->next;
    if (out->at && end_of(out->at) <= out->next)
        out->at = out->at->next;
}

/* ---- for the process that takes over ---- */

enum {
    OUT_ACKED = 1,
    OUT_NEXT,
    OUT_SENT,
    OUT_LIMIT,
    OUT_ENDED,
    OUT_FROM,  /* where OUT_BYTES begin */
    OUT_BYTES, /* one after the other */
};

void channel_out_pack(const struct channel_out *out, struct pack *p)
{
    pack_number(p, OUT_ACKED, out->acked);
    pack_number(p, OUT_NEXT, out->next);
    pack_number(p, OUT_SENT, out->sent);
    pack_number(p, OUT_LIMIT, out->limit);
    pack_number(p, OUT_ENDED, out->ended);
    /* `acked` counts the END, too */
    pack_number(p, OUT_FROM, out->acked < out->written ? out->acked : out->written);
    for (const struct piece *piece = out->first; piece; piece = piece->next) {
        struct slice bytes = slice_make(piece->shared->bytes + piece->at, piece->len);
        size_t known = piece->begin < out->acked ? (size_t)(out->acked - piece->begin) : 0;
        pack_slice(p, OUT_BYTES, slice_skip(bytes, known));
    }
}

bool channel_out_unpack(struct channel_out *out, struct slice in)
{
    struct slice rest = in;
    *out = (struct channel_out){.acked = packed_number(in, OUT_ACKED)};
    out->written = packed_number(in, OUT_FROM);
    for (struct packed field; packed_next(&rest, &field);)
        if (field.tag == OUT_BYTES && !channel_out_copy(out, field.value))
            return false;
    out->next = packed_number(in, OUT_NEXT);
    out->sent = packed_number(in, OUT_SENT);
    out->limit = packed_number(in, OUT_LIMIT);
    out->ended = packed_number(in, OUT_ENDED);
    seek(out);
    return true;
}
