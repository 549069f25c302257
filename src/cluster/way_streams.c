/* SPDX-License-Identifier: MIT */
/* way_streams.c - the streams of a way: their places, what is said on them, and who may send. */
#include "cluster/way_parts.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CREDIT_MIN = 64 << 10,
    PLACES_FIRST = 16
};

/* ---- output ---- */

void way_say(struct way *way, enum way_frame type, uint32_t stream, struct slice body)
{
    unsigned char head[WAY_HEAD_SIZE];
    way_head_write(&(struct way_head){type, stream, body.len}, head);
    struct iovec pieces[] = {{head, sizeof(head)}, {(void *)body.ptr, body.len}};
    stream_write(way->stream, pieces, body.len ? 2 : 1);
    way->said_ms = loop_now_ms(way->loop);
}

void way_say_hello(struct way *way, uint32_t expected)
{
    unsigned char body[WAY_HELLO_SIZE];
    way_hello_write(&(struct way_hello){WAY_VERSION, way->own_tag, expected}, body);
    way_say(way, WAY_HELLO, 0, slice_make((const char *)body, sizeof(body)));
}

bool way_is_full(const struct way *way)
{
    return io_is_crowded(stream_queued(way->stream), WAY_QUEUE_MAX);
}

/* ---- places ---- */

bool way_grow(struct way *way, uint32_t wanted)
{
    uint32_t places = way->places ? way->places : PLACES_FIRST;
    while (places < wanted)
        places *= 2;
    struct way_stream **streams = log_needed(realloc(way->streams, places * sizeof(*streams)));
    if (streams)
        way->streams = streams;
    uint16_t *uses = streams ? log_needed(realloc(way->uses, places * sizeof(*uses))) : NULL;
    if (!uses)
        return false;
    way->uses = uses;
    memset(streams + way->places, 0, (places - way->places) * sizeof(*streams));
    memset(uses + way->places, 0, (places - way->places) * sizeof(*uses));
    way->places = places;
    return true;
}

struct way_stream *way_find(const struct way *way, uint32_t number)
{
    uint32_t place = way_place_of(number);
    struct way_stream *s = place < way->places ? way->streams[place] : NULL;
    return s && s->number == number ? s : NULL;
}

void way_detach(struct way_stream *s)
{
    struct way *way = s->way;
    uint32_t place = way_place_of(s->number);
    list_remove(&s->waiting);
    s->way = NULL;
    way->streams[place] = NULL;
    if (place < way->free_from)
        way->free_from = place;
    if (--way->count == 0)
        way->used_ms = loop_now_ms(way->loop);
}

void way_reset_all(struct way *way)
{
    for (uint32_t i = 0; i < way->places; i++) {
        struct way_stream *s = way->streams[i];
        if (!s)
            continue;
        way_detach(s);
        s->ops->on_reset(s);
    }
}

static void put(struct way *way, uint32_t number, struct way_stream *s,
                const struct way_stream_ops *ops)
{
    *s = (struct way_stream){
        .ops = ops,
        .way = way,
        .number = number,
        .may_send = WAY_WINDOW_BYTES,
        .may_come = WAY_WINDOW_BYTES,
    };
    list_init(&s->waiting);
    way->streams[way_place_of(number)] = s;
    way->count++;
    way->used_ms = loop_now_ms(way->loop);
}

bool way_open(struct way *way, struct way_stream *s, const struct way_stream_ops *ops,
              const struct way_open *open)
{
    unsigned char body[WAY_OPEN_SIZE];
    assert(way_is_open(way) && !way->accepted);
    uint32_t place = way->free_from;
    while (place < way->places && way->streams[place])
        place++;
    if (place >= WAY_STREAMS_MAX || (place >= way->places && !way_grow(way, place + 1)))
        return false;
    way->free_from = place + 1;
    put(way, (uint32_t)way->uses[place]++ << WAY_PLACE_BITS | place, s, ops);
    way_open_write(open, body);
    way_say(way, WAY_OPEN, s->number, slice_make((const char *)body, sizeof(body)));
    return true;
}

void way_take(struct way *way, uint32_t number, struct way_stream *s,
              const struct way_stream_ops *ops)
{
    put(way, number, s, ops);
}

/* ---- a stream, for its owner ---- */

size_t way_stream_room(struct way_stream *s)
{
    if (!s->way || s->said_end)
        return 0;
    bool full = way_is_full(s->way);
    s->wants_room = true;
    if (full && list_empty(&s->waiting))
        list_append(&s->way->waiting, &s->waiting);
    return full ? 0 : s->may_send;
}

void way_stream_send(struct way_stream *s, struct slice data)
{
    assert(data.len <= s->may_send);
    s->may_send -= (uint32_t)data.len;
    while (data.len > 0) {
        struct slice piece = slice_first(data, WAY_DATA_MAX);
        way_say(s->way, WAY_DATA, s->number, piece);
        data = slice_skip(data, piece.len);
    }
}

void way_stream_took(struct way_stream *s, size_t bytes)
{
    unsigned char body[4];
    s->owed += (uint32_t)bytes;
    if (!s->way || s->heard_end || s->owed < CREDIT_MIN)
        return;
    way_number_write(s->owed, body);
    s->may_come += s->owed;
    s->owed = 0;
    way_say(s->way, WAY_WINDOW, s->number, slice_make((const char *)body, sizeof(body)));
}

void way_stream_end(struct way_stream *s)
{
    if (!s->way || s->said_end)
        return;
    s->said_end = true;
    list_remove(&s->waiting);
    way_say(s->way, WAY_END, s->number, SLICE_NONE);
    if (s->heard_end)
        way_detach(s);
}

void way_stream_reset(struct way_stream *s)
{
    struct way *way = s->way;
    if (!way)
        return;
    way_detach(s);
    way_say(way, WAY_RESET, s->number, SLICE_NONE);
}

void way_drained(struct way *way)
{
    struct list now;
    list_init(&now);
    list_splice(&now, &way->waiting);
    for (struct list *node; way->state == WAY_IS_OPEN && (node = list_pop(&now));) {
        struct way_stream *s = container_of(node, struct way_stream, waiting);
        if (way_is_full(way)) {
            list_append(&way->waiting, node);
        } else if (s->may_send) {
            s->wants_room = false;
            s->ops->on_room(s);
        }
    }
}
