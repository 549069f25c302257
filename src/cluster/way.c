/* SPDX-License-Identifier: MIT */
#include "cluster/way.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_MS = 3000,
    HANDSHAKE_MS = 5000,
    LOOK_MS = 500,
    SPEAK_MS = 2000,
    SILENT_MS = 8000,
    IDLE_MS = 60000,
    CREDIT_MIN = 64 << 10,
    PLACES_FIRST = 16,
    PLACE_BITS = 16
};

const char *way_end_token(enum way_end end)
{
    static const char *const tokens[] = {
        [WAY_STOPPED] = "stopped",
        [WAY_IDLE] = "idle",
        [WAY_REFUSED] = "refused",
        [WAY_UNREACHABLE] = "unreachable",
        [WAY_NO_KEY] = "no-key",
        [WAY_ELSEWHERE] = "another-server",
        [WAY_LOST] = "lost",
        [WAY_SILENT] = "silent",
        [WAY_BROKEN_RULES] = "broken-rules",
    };
    return tokens[end];
}

const char *way_tag_print(uint32_t tag, char ret[WAY_TAG_TEXT])
{
    snprintf(ret, WAY_TAG_TEXT, "%08x", tag);
    return ret;
}

/* ---- output ---- */

static void say(struct way *way, enum way_frame type, uint32_t stream, struct slice body)
{
    unsigned char head[WAY_HEAD_SIZE];
    way_head_write(&(struct way_head){type, stream, body.len}, head);
    struct iovec pieces[] = {{head, sizeof(head)}, {(void *)body.ptr, body.len}};
    stream_write(way->stream, pieces, body.len ? 2 : 1);
    way->said_ms = loop_now_ms(way->loop);
}

static void say_hello(struct way *way, uint32_t expected)
{
    unsigned char body[WAY_HELLO_SIZE];
    way_hello_write(&(struct way_hello){WAY_VERSION, way->own_tag, expected}, body);
    say(way, WAY_HELLO, 0, slice_make((const char *)body, sizeof(body)));
}

static bool is_full(const struct way *way)
{
    return io_is_crowded(stream_queued(way->stream), WAY_QUEUE_MAX);
}

/* ---- the end ---- */

static void free_way(struct reap *reap)
{
    struct way *way = container_of(reap, struct way, reap);
    free(way->streams);
    free(way->uses);
    free(way);
}

static uint32_t place_of(uint32_t number)
{
    return number & ((1u << PLACE_BITS) - 1);
}

/* From here on the owner has it. */
static void detach(struct way_stream *s)
{
    struct way *way = s->way;
    uint32_t place = place_of(s->number);
    list_remove(&s->waiting);
    s->way = NULL;
    way->streams[place] = NULL;
    if (place < way->free_from)
        way->free_from = place;
    if (--way->count == 0)
        way->used_ms = loop_now_ms(way->loop);
}

static void reset_all(struct way *way)
{
    for (uint32_t i = 0; i < way->places; i++) {
        struct way_stream *s = way->streams[i];
        if (!s)
            continue;
        detach(s);
        s->ops->on_reset(s);
    }
}

void way_close(struct way *way, enum way_end end)
{
    if (way->state == WAY_CLOSED)
        return;
    if (way->state == WAY_CONNECTING)
        connector_cancel(&way->connector);
    way->state = WAY_CLOSED;
    timer_stop(&way->timer);
    reset_all(way);
    if (way->stream && (end == WAY_STOPPED || end == WAY_IDLE || end == WAY_ELSEWHERE))
        stream_finish(way->stream, LOOK_MS);
    else if (way->stream)
        stream_close(way->stream);
    way->stream = NULL;
    way->ops->on_closed(way, end);
    loop_reap(way->loop, &way->reap, free_way);
}

/* ---- places ---- */

static bool grow(struct way *way, uint32_t wanted)
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

static struct way_stream *find(const struct way *way, uint32_t number)
{
    uint32_t place = place_of(number);
    struct way_stream *s = place < way->places ? way->streams[place] : NULL;
    return s && s->number == number ? s : NULL;
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
    way->streams[place_of(number)] = s;
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
    if (place >= WAY_STREAMS_MAX || (place >= way->places && !grow(way, place + 1)))
        return false;
    way->free_from = place + 1;
    put(way, (uint32_t)way->uses[place]++ << PLACE_BITS | place, s, ops);
    way_open_write(open, body);
    say(way, WAY_OPEN, s->number, slice_make((const char *)body, sizeof(body)));
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
    bool full = is_full(s->way);
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
        say(s->way, WAY_DATA, s->number, piece);
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
    say(s->way, WAY_WINDOW, s->number, slice_make((const char *)body, sizeof(body)));
}

void way_stream_end(struct way_stream *s)
{
    if (!s->way || s->said_end)
        return;
    s->said_end = true;
    list_remove(&s->waiting);
    say(s->way, WAY_END, s->number, SLICE_NONE);
    if (s->heard_end)
        detach(s);
}

void way_stream_reset(struct way_stream *s)
{
    struct way *way = s->way;
    if (!way)
        return;
    detach(s);
    say(way, WAY_RESET, s->number, SLICE_NONE);
}

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
        say_hello(way, hello.tag);
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
    uint32_t place = place_of(number);
    bool used = place < way->places && way->streams[place];
    if (!way->accepted || used || !way_open_read(body, &open)) {
        cut(way, "OPEN");
        return;
    }
    if (place < way->places || grow(way, place + 1))
        way->ops->on_stream(way, number, &open);
    if (way->state == WAY_IS_OPEN && !find(way, number))
        say(way, WAY_RESET, number, SLICE_NONE);
}

static void take_window(struct way *way, struct way_stream *s, const unsigned char *body)
{
    uint32_t more = way_number_read(body);
    if (more > WAY_WINDOW_BYTES - s->may_send) {
        cut(way, "WINDOW");
        return;
    }
    s->may_send += more;
    if (s->wants_room && !is_full(way)) {
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
        detach(s);
    s->ops->on_end(s);
}

/* Of a stream that is over, but the other side does not know it yet, nothing is heard. */
static void take_of_stream(struct way *way, const struct way_head *head, const unsigned char *body)
{
    struct way_stream *s = find(way, head->stream);
    if (!s)
        return;
    if (head->type == WAY_WINDOW) {
        take_window(way, s, body);
    } else if (head->type == WAY_END) {
        take_end(way, s);
    } else {
        detach(s);
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
    struct way_stream *s = find(way, head->stream);
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
    struct way_stream *s = find(way, way->data_stream);
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

static void on_recv(struct stream *stream, struct bytes data)
{
    struct way *way = stream->owner;
    struct slice in = slice_from_bytes(data);
    way->heard_ms = loop_now_ms(way->loop);
    while (in.len > 0 && way->state != WAY_CLOSED)
        in = slice_skip(in, way->data_left ? take_data(way, in) : take_frame(way, in));
}

/* A stranger may try often: the log has a share for each address. */
static void say_refused(struct way *way)
{
    struct net_address peer = {0};
    char text[NET_ADDRESS_TEXT_MAX];
    const char *why = stream_tls_error(way->stream);
    stream_peer(way->stream, &peer);
    struct net_client_key client = net_client_key_of(&peer);
    log_warn("way.refused", log_cause(net_client_slice(&client)),
             log_slice("address", slice_make(text, net_address_print(&peer, text))),
             log_text("why", why ? why : "TLS"));
}

static void on_end(struct stream *stream, int error)
{
    struct way *way = stream->owner;
    bool no_key = way->state == WAY_SHAKING && error == -EPROTO;
    if (no_key)
        say_refused(way);
    way_close(way, no_key ? WAY_NO_KEY : WAY_LOST);
}

static void on_drain(struct stream *stream)
{
    struct way *way = stream->owner;
    struct list now;
    list_init(&now);
    list_splice(&now, &way->waiting);
    for (struct list *node; way->state == WAY_IS_OPEN && (node = list_pop(&now));) {
        struct way_stream *s = container_of(node, struct way_stream, waiting);
        if (is_full(way)) {
            list_append(&way->waiting, node);
        } else if (s->may_send) {
            s->wants_room = false;
            s->ops->on_room(s);
        }
    }
}

static void on_secure(struct stream *stream)
{
    struct way *way = stream->owner;
    if (!way->accepted)
        say_hello(way, way->tag);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
};

/* ---- time ---- */

static void look(struct timer *timer)
{
    struct way *way = container_of(timer, struct way, timer);
    uint64_t now = loop_now_ms(way->loop);
    if (now - timer->due_ms > LOOP_PAUSE_MS) /* we did not run: what has come is read first */
        way->heard_ms = now;
    timer_start(way->loop, timer, LOOK_MS);
    if (way->state == WAY_SHAKING) {
        if (now - way->began_ms >= HANDSHAKE_MS)
            way_close(way, WAY_UNREACHABLE);
        return;
    }
    if (now - way->heard_ms >= SILENT_MS)
        way_close(way, WAY_SILENT);
    else if (!way->accepted && way->count == 0 && now - way->used_ms >= IDLE_MS)
        way_close(way, WAY_IDLE);
    else if (now - way->said_ms >= SPEAK_MS)
        say(way, WAY_PING, 0, SLICE_NONE);
}

/* ---- the beginning ---- */

static struct way *new_way(struct loop *loop, uint32_t own_tag, const struct way_ops *ops,
                           void *owner)
{
    struct way *way = log_needed(calloc(1, sizeof(*way)));
    if (!way)
        return NULL;
    way->owner = owner;
    way->ops = ops;
    way->loop = loop;
    way->own_tag = own_tag;
    list_init(&way->node);
    list_init(&way->waiting);
    timer_init(&way->timer, look);
    return way;
}

static void begin(struct way *way, struct stream *stream)
{
    way->stream = stream;
    way->state = WAY_SHAKING;
    way->began_ms = way->heard_ms = way->said_ms = loop_now_ms(way->loop);
    stream_own(stream, &stream_ops, way);
    timer_start(way->loop, &way->timer, LOOK_MS);
}

static void on_connected(struct connector *connector, int fd_or_error)
{
    struct way *way = container_of(connector, struct way, connector);
    struct stream *stream =
        fd_or_error >= 0 ? stream_new_client(way->loop, fd_or_error, way->tls, "") : NULL;
    if (stream)
        begin(way, stream);
    else
        way_close(way, fd_or_error == -ECONNREFUSED ? WAY_REFUSED : WAY_UNREACHABLE);
}

struct way *way_connect(struct loop *loop, struct tls_context *tls,
                        const struct net_address *address, uint32_t own_tag, uint32_t tag,
                        const struct way_ops *ops, void *owner)
{
    struct way *way = new_way(loop, own_tag, ops, owner);
    if (!way)
        return NULL;
    way->tag = tag;
    way->tls = tls;
    way->state = WAY_CONNECTING;
    connector_start(loop, &way->connector, address, CONNECT_MS, on_connected);
    return way;
}

struct way *way_accept(struct stream *stream, uint32_t own_tag, const struct way_ops *ops,
                       void *owner)
{
    struct way *way = new_way(stream_loop(stream), own_tag, ops, owner);
    if (!way) {
        stream_close(stream);
        return NULL;
    }
    way->accepted = true;
    begin(way, stream);
    return way;
}
