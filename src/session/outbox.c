/* SPDX-License-Identifier: MIT */
#include "session/outbox.h"

#include "base/heap.h"
#include "base/log.h"
#include "base/pool.h"

#include <assert.h>
#include <stddef.h>

enum {
    SMALL_MAX = 2048, /* a larger frame has a block of its own */
    ROOM_FIRST = 448, /* for frames: of a block that follows none */
    ROOM_MAX = 8192 - 80
};

static_assert(offsetof(struct shared_bytes, bytes) % _Alignof(max_align_t) == 0,
              "a block begins where the bytes do");

static _Thread_local struct pool blocks = POOL_OF(struct outbox_block);

/* With what the heap adds to each block. */
static size_t cost_of(const struct outbox_block *b)
{
    size_t own = b->of_pool ? sizeof(*b) : 0;
    return own + sizeof(*b->shared) + b->shared->room + HEAP_HEAD;
}

static void append(struct outbox *o, struct outbox_block *b)
{
    if (o->last)
        o->last->next = b;
    else
        o->first = b;
    o->last = b;
    o->held += cost_of(b);
}

static void note(struct outbox *o, uint32_t count, size_t payload)
{
    o->sent += count;
    o->bytes += payload;
}

size_t outbox_frame_head(char out[WS_HEAD_MAX], bool binary, size_t len)
{
    return ws_head_write(out, binary ? WS_OP_BINARY : WS_OP_TEXT, len);
}

/* ---- frames of its own ---- */

static size_t room_for(const struct outbox *o, size_t frame)
{
    size_t room = o->last && o->last->open ? ROOM_MAX : ROOM_FIRST;
    return frame > SMALL_MAX || frame > room ? frame : room;
}

static struct outbox_block *open_block(struct outbox *o, size_t frame)
{
    size_t room = sizeof(struct outbox_block) + room_for(o, frame);
    struct shared_bytes *shared = shared_new(room);
    if (!shared)
        return NULL;
    struct outbox_block *b = (struct outbox_block *)(void *)shared->bytes;
    *b = (struct outbox_block){
        .shared = shared, .at = sizeof(*b), .end = sizeof(*b), .open = frame <= SMALL_MAX};
    append(o, b);
    return b;
}

static bool has_room(const struct outbox_block *b, size_t frame)
{
    return b && b->open && frame <= SMALL_MAX && frame <= b->shared->room - b->end;
}

struct outbox_place outbox_push(struct outbox *o, bool binary, const struct slice *pieces,
                                size_t count)
{
    char head[WS_HEAD_MAX];
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    size_t head_len = outbox_frame_head(head, binary, len);
    struct outbox_block *b = o->last;
    if (!has_room(b, head_len + len))
        b = open_block(o, head_len + len);
    if (!b)
        return (struct outbox_place){0};
    struct outbox_place place = {b, b->end};
    char *at = b->shared->bytes + b->end;
    memcpy(at, head, head_len);
    at += head_len;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(at, pieces[i].ptr, pieces[i].len);
        at += pieces[i].len;
    }
    b->end += (uint32_t)(head_len + len);
    b->count++;
    b->payload += (uint32_t)len;
    note(o, 1, len);
    return place;
}

/* ---- frames of many ---- */

struct outbox_place outbox_push_frames(struct outbox *o, const struct outbox_frames *frames)
{
    struct outbox_block *b = log_needed(pool_take(&blocks));
    if (!b)
        return (struct outbox_place){0};
    *b = (struct outbox_block){
        .shared = frames->shared,
        .end = frames->shared->len,
        .count = frames->count,
        .payload = frames->payload,
        .of_pool = true,
    };
    frames->shared->refs++;
    append(o, b);
    note(o, frames->count, frames->payload);
    return (struct outbox_place){b, b->at};
}

/* ---- one message after the other ---- */

struct outbox_place outbox_begin(const struct outbox *o)
{
    return (struct outbox_place){o->first, o->first ? o->first->at : 0};
}

/* Of a frame that was made here: not masked, its length in the shortest form. */
struct outbox_message outbox_at(struct outbox_place place)
{
    const unsigned char *frame = (unsigned char *)place.block->shared->bytes + place.at;
    uint32_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    size_t len = head == 2 ? frame[1] : 0;
    for (uint32_t i = 2; i < head; i++)
        len = len << 8 | frame[i];
    return (struct outbox_message){
        .binary = (frame[0] & 15) == WS_OP_BINARY,
        .head = head,
        .len = len,
        .data = (const char *)frame + head,
    };
}

struct outbox_place outbox_behind(struct outbox_place place)
{
    struct outbox_message m = outbox_at(place);
    uint32_t at = place.at + m.head + (uint32_t)m.len;
    struct outbox_block *next = place.block->next;
    if (at < place.block->end)
        return (struct outbox_place){place.block, at};
    return (struct outbox_place){next, next ? next->at : 0};
}

/* ---- acknowledged ---- */

bool outbox_serves(const struct outbox *o, uint64_t received)
{
    return received >= o->acked && received <= o->sent;
}

static void drop_first(struct outbox *o)
{
    struct outbox_block *b = o->first;
    struct shared_bytes *shared = b->shared;
    o->first = b->next;
    if (!o->first)
        o->last = NULL;
    o->bytes -= b->payload;
    o->held -= cost_of(b);
    o->acked += b->count;
    if (b->of_pool)
        pool_give(&blocks, b);
    shared_unref(shared);
}

static void drop_message(struct outbox *o)
{
    struct outbox_block *b = o->first;
    struct outbox_message m = outbox_at(outbox_begin(o));
    b->at += m.head + (uint32_t)m.len;
    b->count--;
    b->payload -= (uint32_t)m.len;
    o->bytes -= m.len;
    o->acked++;
}

bool outbox_ack(struct outbox *o, uint64_t received)
{
    if (!outbox_serves(o, received))
        return false;
    while (o->acked < received && received - o->acked >= o->first->count)
        drop_first(o);
    while (o->acked < received)
        drop_message(o);
    return true;
}

void outbox_clear(struct outbox *o)
{
    while (o->first)
        drop_first(o);
}
