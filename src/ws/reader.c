/* SPDX-License-Identifier: MIT */
#include "ws/parts.h"

#include "base/log.h"
#include "base/pool.h"
#include "proto/close_code.h"

#include <stdlib.h>

static _Thread_local struct pool readers = POOL_OF(struct ws_reader);

/* The rule that the first two bytes of a frame break (RFC 6455, 5.1, 5.2, 5.4), or NULL. */
static const char *refusal(const struct ws_peer *p, const char *head)
{
    const struct ws_reader *r = p->reader;
    unsigned op = head[0] & 15;
    bool masked = head[1] & 0x80;
    if (head[0] & 0x70)
        return "a reserved bit without an extension";
    if (masked == p->config->client)
        return masked ? "a frame of a server with a mask" : "a frame without a mask";
    if (op == WS_OP_CONTINUATION && !r->message_op)
        return "a continuation of no message";
    if ((op == WS_OP_TEXT || op == WS_OP_BINARY) && r->message_op)
        return "a new message inside a fragmented one";
    return NULL;
}

/* Would `more` bytes make the message longer than it may be? A reload may have lowered the limit
 * below the bytes that have been gathered. */
static bool exceeds_limit(const struct ws_peer *p, uint64_t more)
{
    uint64_t max = p->config->message_max, gathered = buffer_len(p->reader->message);
    return gathered > max || more > max - gathered;
}

static void refuse_long_message(struct ws_peer *p)
{
    if (p->ops->on_too_long)
        p->ops->on_too_long(p);
    else
        peer_fail(p, CLOSE_TOO_BIG, "a message above the limit");
}

static void begin_frame(struct ws_peer *p, const struct ws_head *head)
{
    struct ws_reader *r = p->reader;
    r->in_frame = true;
    r->fin = head->fin;
    r->op = (uint8_t)head->op;
    r->left = head->length;
    memcpy(r->mask, head->mask, sizeof(r->mask));
    if (!r->message_op)
        liveness_begin_message(p);
    if (head->op >= WS_OP_CLOSE)
        return;
    if (head->op != WS_OP_CONTINUATION) {
        r->message_op = (uint8_t)head->op;
        r->utf8 = (struct utf8_stream){0};
    }
    if (p->state == PEER_OPEN && exceeds_limit(p, head->length))
        refuse_long_message(p);
}

/* The header, if it is whole by now; returns how much of `in` belongs to it. */
static size_t read_head(struct ws_peer *p, struct slice in)
{
    struct ws_reader *r = p->reader;
    size_t had = r->head_len;
    if (had) {
        struct slice more = slice_first(in, sizeof(r->head) - had);
        memcpy(r->head + had, more.ptr, more.len);
        in = slice_make(r->head, had + more.len);
    }
    struct ws_head head;
    const char *why = in.len >= 2 ? refusal(p, in.ptr) : NULL;
    enum parse_status status = why ? PARSE_BAD : ws_head_parse(in, &head);
    if (status == PARSE_BAD) {
        peer_fail(p, CLOSE_PROTOCOL_ERROR, why ? why : head.why);
        return in.len - had;
    }
    if (status == PARSE_MORE) {
        if (!had)
            memcpy(r->head, in.ptr, in.len);
        if (!had && !r->message_op)
            liveness_begin_message(p);
        r->head_len = (uint8_t)in.len;
        return in.len - had;
    }
    r->head_len = 0;
    begin_frame(p, &head);
    return head.size - had;
}

static void deliver(struct ws_peer *p, struct bytes data)
{
    enum ws_op op = (enum ws_op)p->reader->message_op;
    p->reader->message_op = 0;
    p->counts->messages_in++;
    p->ops->on_message(p, op, data);
}

/* The account pays for it until the owner has decided who does from then on. */
static void deliver_gathered(struct ws_peer *p)
{
    struct shared_bytes *whole = p->reader->message;
    p->reader->message = NULL;
    p->reader->arriving = whole;
    deliver(p, (struct bytes){whole->bytes, whole->len});
    p->reader->arriving = NULL;
    shared_unref(whole);
    reader_count(p);
}

/* A message whose payload is all here: nothing is copied. */
static void take_whole(struct ws_peer *p, struct bytes data)
{
    if (p->reader->message_op == WS_OP_TEXT && !utf8_valid(slice_from_bytes(data)))
        peer_fail(p, CLOSE_INVALID_DATA, "text that is not UTF-8");
    else
        deliver(p, data);
}

/* How much of the message may still come: unknown before its last fragment. */
static uint64_t still_expected(const struct ws_reader *r)
{
    return r->fin ? r->left : UINT64_MAX;
}

static void take_data(struct ws_peer *p, struct bytes data)
{
    struct ws_reader *r = p->reader;
    bool last = r->fin && r->left == 0, text = r->message_op == WS_OP_TEXT;
    if (exceeds_limit(p, data.len)) { /* the frame began under a higher limit */
        refuse_long_message(p);
        return;
    }
    if (last && !r->message) {
        take_whole(p, data);
        return;
    }
    if (text && (!utf8_stream_next(&r->utf8, slice_from_bytes(data)) ||
                 (last && !utf8_stream_whole(&r->utf8)))) {
        peer_fail(p, CLOSE_INVALID_DATA, "text that is not UTF-8");
        return;
    }
    if (data.len && !buffer_append(&r->message, slice_from_bytes(data), still_expected(r)))
        peer_fail(p, CLOSE_INTERNAL_ERROR, "out of memory");
    else if (last)
        deliver_gathered(p);
    else
        reader_count(p);
}

/* After our own close frame the application wants nothing any more. */
static void ignore_data(struct ws_reader *r)
{
    if (r->fin && r->left == 0)
        r->message_op = 0;
}

/* Theirs (RFC 6455, 5.5.1, 7.4): answered with the same code. */
static void take_close(struct ws_peer *p, struct slice body)
{
    if (p->state == PEER_CLOSING) {
        p->answered = true;
        peer_part(p, p->close_code, SLICE_NONE);
        return;
    }
    if (body.len == 0) {
        sender_close(p, CLOSE_NO_STATUS, SLICE_NONE);
        peer_part(p, CLOSE_NO_STATUS, SLICE_NONE);
        return;
    }
    const uint8_t *b = (const uint8_t *)body.ptr;
    unsigned code = body.len >= 2 ? (unsigned)(b[0] << 8 | b[1]) : 0;
    if (body.len < 2) {
        peer_fail(p, CLOSE_PROTOCOL_ERROR, "a close frame of one byte");
    } else if (!ws_close_code_valid(code)) {
        peer_fail(p, CLOSE_PROTOCOL_ERROR, "a close code that must not be sent");
    } else if (!utf8_valid(slice_skip(body, 2))) {
        peer_fail(p, CLOSE_INVALID_DATA, "a close reason that is not UTF-8");
    } else {
        sender_close(p, code, SLICE_NONE);
        peer_part(p, code, slice_skip(body, 2));
    }
}

static void take_control_whole(struct ws_peer *p, struct slice body)
{
    if (p->reader->op == WS_OP_CLOSE)
        take_close(p, body);
    else if (p->reader->op == WS_OP_PING)
        sender_pong(p, body);
}

static void take_control(struct ws_peer *p, struct slice body)
{
    struct ws_reader *r = p->reader;
    if (r->left == 0 && !r->control) {
        take_control_whole(p, body);
        return;
    }
    if (body.len && !buffer_append(&r->control, body, r->left)) {
        peer_fail(p, CLOSE_INTERNAL_ERROR, "out of memory");
        return;
    }
    if (r->left > 0)
        return;
    struct shared_bytes *whole = r->control;
    r->control = NULL;
    take_control_whole(p, slice_make(whole->bytes, whole->len));
    free(whole);
}

static void turn_mask(uint8_t mask[4], size_t by)
{
    uint8_t turned[4];
    for (size_t i = 0; i < 4; i++)
        turned[i] = mask[(i + by) & 3];
    memcpy(mask, turned, 4);
}

/* As much of the frame's payload as is here; returns its length. */
static size_t read_payload(struct ws_peer *p, struct bytes in)
{
    struct ws_reader *r = p->reader;
    struct bytes part = {in.ptr, in.len < r->left ? in.len : (size_t)r->left};
    if (!p->config->client)
        ws_mask(part.ptr, part.len, r->mask, 0);
    r->left -= part.len;
    if (r->left > 0)
        turn_mask(r->mask, part.len);
    else
        r->in_frame = false;
    if (r->op < WS_OP_CLOSE) {
        p->alive_ms = loop_now_ms(stream_loop(p->stream));
        p->reader->pace.moved += part.len;
    }
    if (r->op >= WS_OP_CLOSE)
        take_control(p, slice_from_bytes(part));
    else if (p->state == PEER_OPEN)
        take_data(p, part);
    else
        ignore_data(r);
    return part.len;
}

static struct bytes bytes_skip(struct bytes b, size_t n)
{
    return (struct bytes){b.ptr + n, b.len - n};
}

static bool reading(const struct ws_peer *p)
{
    return p->state != PEER_GONE && !p->paused;
}

/* Returns what is left because the owner has paused. */
static struct bytes read_frames(struct ws_peer *p, struct bytes in)
{
    while (in.len && reading(p)) {
        if (!p->reader->in_frame)
            in = bytes_skip(in, read_head(p, slice_from_bytes(in)));
        if (p->reader->in_frame && p->state != PEER_GONE)
            in = bytes_skip(in, read_payload(p, in));
        if (!reader_is_under_way(p) && reading(p))
            in = whole_take(p, in);
    }
    return in;
}

/* Takes all that is not whole messages, with a reader on the stack if the peer has none: what is
 * whole by the end needs no other. */
static struct bytes read_with_reader(struct ws_peer *p, struct bytes in)
{
    struct ws_reader fresh = {0};
    bool had = p->reader;
    if (!had)
        p->reader = &fresh;
    in = read_frames(p, in);
    bool under_way = p->state != PEER_GONE && reader_is_under_way(p);
    if (had && !under_way)
        reader_free(p);
    if (had)
        return in;
    p->reader = NULL;
    if (under_way && reader_make(p)) {
        *p->reader = fresh;
    } else if (under_way) {
        free(fresh.message);
        free(fresh.control);
        peer_fail(p, CLOSE_INTERNAL_ERROR, "out of memory");
    }
    return in;
}

void reader_take(struct ws_peer *p, struct bytes in)
{
    struct bytes rest = p->reader ? in : whole_take(p, in);
    if (rest.len && reading(p))
        rest = read_with_reader(p, rest);
    if (p->state != PEER_GONE && rest.len && !buffer_append(&p->held, slice_from_bytes(rest), 0))
        peer_fail(p, CLOSE_INTERNAL_ERROR, "out of memory");
    if (rest.len)
        reader_count(p);
    if (reader_is_under_way(p))
        liveness_watch_pace(p);
}

struct ws_reader *reader_make(struct ws_peer *p)
{
    p->reader = log_needed(pool_take(&readers));
    if (p->reader)
        *p->reader = (struct ws_reader){0};
    return p->reader;
}

void reader_free(struct ws_peer *p)
{
    if (p->reader)
        pool_give(&readers, p->reader);
    p->reader = NULL;
}

bool reader_is_under_way(const struct ws_peer *p)
{
    const struct ws_reader *r = p->reader;
    return r && (r->message_op || r->in_frame || r->head_len);
}

void reader_count(struct ws_peer *p)
{
    size_t gathered = p->reader ? buffer_cost(p->reader->message) : 0;
    if (p->account)
        memory_hold(p->account, &p->counted, gathered + buffer_cost(p->held));
}

void reader_release(struct ws_peer *p)
{
    struct shared_bytes *held = p->held;
    p->held = NULL;
    reader_take(p, (struct bytes){held->bytes, held->len});
    free(held);
    reader_count(p);
    peer_settle(p);
}

void reader_forget(struct ws_peer *p)
{
    struct ws_reader *r = p->reader;
    if (!r)
        return;
    free(r->message);
    free(r->control);
    r->message = r->control = NULL;
}
