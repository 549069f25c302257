/* SPDX-License-Identifier: MIT */
/* way_input.c - what comes on a way: frames, which may be cut anywhere. */
#include "cluster/way_parts.h"

#include "base/log.h"

/* ---- input: one frame ---- */

static void cut(struct way *way, const char *why)
{
    char tag[WAY_TAG_TEXT];
    log_warn("way.broken_rules", log_text("tag", way_tag_print(way->tag, tag)),
             log_text("why", why));
    way_close(way, WAY_BROKEN_RULES);
}

static void take_hello(struct way *way, const unsigned char *body)
{
    struct way_hello hello;
    if (way->state != WAY_SHAKING || !way_hello_read(body, &hello)) {
        cut(way, "HELLO");
        return;
    }
    if (way->accepted)
        way_say_hello(way, hello.tag);
    bool meant =
        way->accepted ? !hello.expected || hello.expected == way->own_tag : hello.tag == way->tag;
    if (!meant) {
        way_close(way, WAY_ELSEWHERE);
        return;
    }
    way->tag = hello.tag;
    way->state = WAY_IS_OPEN;
    way->used_ms = loop_now_ms(way->loop);
    way->ops->on_open(way);
}

static void take_open(struct way *way, uint32_t number, const unsigned char *body)
{
    struct way_open open;
    uint32_t place = way_place_of(number);
    bool used = place < way->places && way->streams[place];
    if (!way->accepted || used || !way_open_read(body, &open)) {
        cut(way, "OPEN");
        return;
    }
    if (place < way->places || way_grow(way, place + 1))
        way->ops->on_stream(way, number, &open);
    if (way->state == WAY_IS_OPEN && !way_find(way, number))
        way_say(way, WAY_RESET, number, SLICE_NONE);
}

static void take_window(struct way *way, struct way_stream *s, const unsigned char *body)
{
    uint32_t more = way_number_read(body);
    if (more > WAY_WINDOW_BYTES - s->may_send) {
        cut(way, "WINDOW");
        return;
    }
    s->may_send += more;
    if (s->wants_room && !way_is_full(way)) {
        s->wants_room = false;
        s->ops->on_room(s);
    }
}

static void take_end(struct way *way, struct way_stream *s)
{
    if (s->heard_end) {
        cut(way, "END");
        return;
    }
    s->heard_end = true;
    bool over = s->said_end;
    if (over)
        way_detach(s);
    s->ops->on_end(s);
}

/* Of a stream that is over, but the other side does not know it yet, nothing is heard. */
static void take_of_stream(struct way *way, const struct way_head *head, const unsigned char *body)
{
    struct way_stream *s = way_find(way, head->stream);
    if (!s)
        return;
    if (head->type == WAY_WINDOW) {
        take_window(way, s, body);
    } else if (head->type == WAY_END) {
        take_end(way, s);
    } else {
        way_detach(s);
        s->ops->on_reset(s);
    }
}

static void take_small(struct way *way, const struct way_head *head, const unsigned char *body)
{
    if (way->state != WAY_IS_OPEN && head->type != WAY_HELLO) {
        cut(way, "a frame before HELLO");
        return;
    }
    if (head->type == WAY_HELLO)
        take_hello(way, body);
    else if (head->type == WAY_OPEN)
        take_open(way, head->stream, body);
    else if (head->type != WAY_PING)
        take_of_stream(way, head, body);
}

static void begin_data(struct way *way, const struct way_head *head)
{
    struct way_stream *s = way_find(way, head->stream);
    bool may = way->state == WAY_IS_OPEN && (!s || (!s->heard_end && head->len <= s->may_come));
    if (!may) {
        cut(way, "DATA");
        return;
    }
    if (s)
        s->may_come -= (uint32_t)head->len;
    way->data_left = head->len;
    way->data_stream = head->stream;
}

/* ---- input: bytes ---- */

static size_t take_data(struct way *way, struct slice in)
{
    struct slice data = slice_first(in, way->data_left);
    struct way_stream *s = way_find(way, way->data_stream);
    way->data_left -= data.len;
    if (s)
        s->ops->on_data(s, data);
    return data.len;
}

/* Fills the buffer up to `wanted` bytes; returns how many it has taken. */
static size_t gather(struct way *way, struct slice in, size_t wanted)
{
    struct slice piece = slice_first(in, wanted - way->buffered);
    memcpy(way->buffer + way->buffered, piece.ptr, piece.len);
    way->buffered += piece.len;
    return piece.len;
}

static void end_frame(struct way *way)
{
    way->buffered = 0;
    take_small(way, &way->head, way->buffer + WAY_HEAD_SIZE);
}

static void begin_frame(struct way *way)
{
    if (!way_head_read(way->buffer, &way->head)) {
        cut(way, "no frame");
    } else if (way->head.type == WAY_DATA) {
        way->buffered = 0;
        begin_data(way, &way->head);
    } else if (way->head.len == 0) {
        end_frame(way);
    }
}

/* Of a frame that may come in pieces. Returns how many bytes it has taken. */
static size_t take_frame(struct way *way, struct slice in)
{
    bool in_head = way->buffered < WAY_HEAD_SIZE;
    size_t wanted = WAY_HEAD_SIZE + (in_head ? 0 : way->head.len);
    size_t taken = gather(way, in, wanted);
    if (way->buffered == wanted && in_head)
        begin_frame(way);
    else if (way->buffered == wanted)
        end_frame(way);
    return taken;
}

void way_receive(struct way *way, struct slice in)
{
    while (in.len > 0 && way->state != WAY_CLOSED)
        in = slice_skip(in, way->data_left ? take_data(way, in) : take_frame(way, in));
}
