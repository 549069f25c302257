/* SPDX-License-Identifier: MIT */
/* pack.c - WebSockets, for the process that takes over: in the midst of a frame, too. */
#include "ws/parts.h"

#include "base/log.h"
#include "base/pack.h"

#include <stdlib.h>

enum {
    STREAM = 1,
    STATE,
    RECEIVED_MS,
    PINGED_MS, /* or when it is closed, in PEER_CLOSING */
    ALIVE_MS,
    PACE_BEGAN_MS,
    PACE_MOVED,
    MESSAGE_LEFT_MS,
    HELD,
    CLOSE_CODE,
    FLAGS,
    /* the reader */
    MESSAGE,
    CONTROL,
    LEFT,
    MASK,
    UTF8,
    OP,
    MESSAGE_OP,
    IN_FRAME,
    FIN,
    HEAD,
};

enum {
    FLAG_ANSWERED = 1,
    FLAG_PAUSED = 2,
    FLAG_CHOKED = 4,
    FLAG_STOPPED = 8,
    FLAG_OVERFULL = 16,
    FLAG_WAITED = 32,
};

static struct slice bytes_of(const struct shared_bytes *b)
{
    return b ? slice_make(b->bytes, b->len) : SLICE_NONE;
}

static void pack_reader(const struct ws_reader *r, struct pack *p)
{
    if (!r)
        return;
    pack_number(p, PACE_BEGAN_MS, r->pace.began_ms);
    pack_number(p, PACE_MOVED, r->pace.moved);
    pack_number(p, MESSAGE_LEFT_MS, r->message_left_ms);
    pack_slice(p, MESSAGE, bytes_of(r->message));
    pack_slice(p, CONTROL, bytes_of(r->control));
    pack_number(p, LEFT, r->left);
    pack_slice(p, MASK, slice_make((const char *)r->mask, sizeof(r->mask)));
    pack_slice(
        p, UTF8,
        slice_make((const char[]){(char)r->utf8.need, (char)r->utf8.low, (char)r->utf8.high}, 3));
    pack_number(p, OP, r->op);
    pack_number(p, MESSAGE_OP, r->message_op);
    pack_number(p, IN_FRAME, r->in_frame);
    pack_number(p, FIN, r->fin);
    pack_slice(p, HEAD, slice_make(r->head, r->head_len));
}

static uint64_t flags_of(const struct ws_peer *w)
{
    return (w->answered ? FLAG_ANSWERED : 0U) | (w->paused ? FLAG_PAUSED : 0U) |
           (w->choked ? FLAG_CHOKED : 0U) | (w->stopped ? FLAG_STOPPED : 0U) |
           (w->overfull ? FLAG_OVERFULL : 0U) | (w->waited ? FLAG_WAITED : 0U);
}

bool ws_peer_may_pack(const struct ws_peer *w)
{
    return w->stream && stream_may_pack(w->stream);
}

void ws_peer_pack(const struct ws_peer *w, struct pack *p)
{
    size_t stream = pack_begin(p, STREAM);
    stream_pack(w->stream, p);
    pack_end(p, stream);
    pack_number(p, STATE, w->state);
    pack_number(p, RECEIVED_MS, w->received_ms);
    pack_number(p, PINGED_MS, w->pinged_ms);
    pack_number(p, ALIVE_MS, w->alive_ms);
    pack_slice(p, HELD, bytes_of(w->held));
    pack_number(p, CLOSE_CODE, w->close_code);
    pack_number(p, FLAGS, flags_of(w));
    pack_reader(w->reader, p);
}

/* ---- read ---- */

static bool gather(struct shared_bytes **ret, struct slice bytes)
{
    return !bytes.len || buffer_append(ret, bytes, UINT64_MAX);
}

static bool unpack_reader(struct ws_peer *w, struct slice in)
{
    struct slice mask = packed_slice(in, MASK), utf8 = packed_slice(in, UTF8);
    struct slice head = packed_slice(in, HEAD);
    bool under_way = packed_number(in, MESSAGE_OP) || packed_number(in, IN_FRAME) || head.len > 0;
    struct ws_reader *r = under_way ? reader_make(w) : NULL;
    if (!r)
        return !under_way;
    if (mask.len != sizeof(r->mask) || utf8.len != 3 || head.len > sizeof(r->head))
        return false;
    memcpy(r->mask, mask.ptr, mask.len);
    r->utf8 =
        (struct utf8_stream){(uint8_t)utf8.ptr[0], (uint8_t)utf8.ptr[1], (uint8_t)utf8.ptr[2]};
    if (head.len)
        memcpy(r->head, head.ptr, head.len);
    r->head_len = (uint8_t)head.len;
    r->pace = (struct pace){packed_number(in, PACE_BEGAN_MS), packed_number(in, PACE_MOVED)};
    r->message_left_ms = (uint32_t)packed_number(in, MESSAGE_LEFT_MS);
    r->left = packed_number(in, LEFT);
    r->op = (uint8_t)packed_number(in, OP);
    r->message_op = (uint8_t)packed_number(in, MESSAGE_OP);
    r->in_frame = packed_number(in, IN_FRAME);
    r->fin = packed_number(in, FIN);
    return gather(&r->message, packed_slice(in, MESSAGE)) &&
           gather(&r->control, packed_slice(in, CONTROL));
}

static void unpack_flags(struct ws_peer *w, uint64_t flags)
{
    w->answered = flags & FLAG_ANSWERED;
    w->paused = flags & FLAG_PAUSED;
    w->choked = flags & FLAG_CHOKED;
    w->stopped = flags & FLAG_STOPPED;
    w->overfull = flags & FLAG_OVERFULL;
    w->waited = flags & FLAG_WAITED;
}

struct ws_peer *ws_peer_unpack(struct loop *loop, struct slice in, const struct ws_config *config,
                               struct ws_counts *counts, const struct ws_peer_ops *ops, void *owner)
{
    uint64_t state = packed_number(in, STATE);
    struct stream *stream = stream_unpack(loop, packed_slice(in, STREAM));
    struct ws_peer *w = stream ? ws_peer_new(stream, config, counts, ops, owner) : NULL;
    if (!w)
        return NULL;
    w->state = state < PEER_GONE ? (uint8_t)state : (uint8_t)PEER_CLOSING;
    w->received_ms = packed_number(in, RECEIVED_MS);
    w->pinged_ms = packed_number(in, PINGED_MS);
    w->alive_ms = packed_number(in, ALIVE_MS);
    w->close_code = (uint16_t)packed_number(in, CLOSE_CODE);
    unpack_flags(w, packed_number(in, FLAGS));
    if (!unpack_reader(w, in) || !gather(&w->held, packed_slice(in, HELD))) {
        ws_peer_drop(w);
        return NULL;
    }
    liveness_arm(w);
    return w;
}
