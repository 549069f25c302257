/* SPDX-License-Identifier: MIT */
/* ws_harness.h - one peer on a real loop and a socketpair, fed by a script. Events and answers are
 * written down as text.
 *
 * Events: `text DATA|`, `binary DATA|`, `drain|`, `end CODE REASON|`. Answers: `text DATA|`, `ping
 * DATA|`, `pong DATA|`, `close CODE REASON|`, `close|`, `eof|`.
 */
#ifndef WS_HARNESS_H
#define WS_HARNESS_H

#include "base/utf8.h"
#include "core/backend.h"
#include "ws/peer.h"

#include "every_backend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX (1 << 16)

struct text {
    size_t len;
    char bytes[TEXT_MAX];
};

struct harness {
    struct loop *loop;
    struct ws_peer *peer; /* NULL after its end */
    struct ws_config config;
    struct ws_counts counts;
    int fd; /* the client's end; -1: closed */
    struct slice input;
    size_t first, step; /* length of the first piece, and of the others; 0: all */
    size_t at;
    bool keep_open;  /* the client does not end its side after the input */
    bool deaf;       /* the client reads nothing */
    bool count_only; /* what the client hears is counted, not kept */
    uint64_t heard;
    uint64_t now_ms; /* goes on by one each turn */
    bool own_clock;  /* time is now_ms */
    uint64_t sends;  /* system calls in all */
    uint64_t timers; /* that fired, one each turn being ours */
    void (*on_message)(struct harness *h, enum ws_op op, struct bytes data); /* may be NULL */
    void (*each_turn)(struct harness *h);                                    /* may be NULL */
    struct timer feeder;
    struct text events, answers, raw;
};

static inline void text_add(struct text *t, const void *bytes, size_t len)
{
    if (len > TEXT_MAX - 1 - t->len)
        len = TEXT_MAX - 1 - t->len;
    if (len)
        memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static inline void text_print(struct text *t,
                                                                    const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    text_add(t, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static inline void harness_on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct harness *h = ws_peer_owner(peer);
    text_print(&h->events, "%s ", op == WS_OP_TEXT ? "text" : "binary");
    text_add(&h->events, data.ptr, data.len);
    text_add(&h->events, "|", 1);
    if (h->on_message)
        h->on_message(h, op, data);
}

static inline void harness_on_drain(struct ws_peer *peer)
{
    struct harness *h = ws_peer_owner(peer);
    text_print(&h->events, "drain|");
}

static inline void harness_on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct harness *h = ws_peer_owner(peer);
    text_print(&h->events, "end %u %.*s|", code, SLICE_ARG(reason));
    h->peer = NULL;
}

static inline void harness_feed(struct harness *h)
{
    size_t left = h->input.len - h->at, piece = h->at == 0 ? h->first : h->step;
    if (piece == 0 || piece > left)
        piece = left;
    ssize_t n = send(h->fd, h->input.ptr + h->at, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        h->at += (size_t)n;
    else if (errno != EAGAIN)
        h->at = h->input.len; /* the peer has gone before the end of the script */
    if (h->at == h->input.len && !h->keep_open)
        shutdown(h->fd, SHUT_WR);
}

/* False once the other side has ended. */
static inline bool harness_hear(struct harness *h)
{
    char piece[65536];
    ssize_t n = recv(h->fd, piece, sizeof(piece), MSG_DONTWAIT);
    h->heard += n > 0 ? (uint64_t)n : 0;
    if (n > 0 && !h->count_only)
        text_add(&h->raw, piece, (size_t)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static inline void harness_turn(struct timer *timer)
{
    struct harness *h = container_of(timer, struct harness, feeder);
    h->now_ms++;
    if (h->each_turn)
        h->each_turn(h);
    if (h->at < h->input.len)
        harness_feed(h);
    if (!h->deaf && !harness_hear(h))
        loop_stop(h->loop);
    else
        timer_start(h->loop, &h->feeder, 0);
}

static inline uint64_t harness_clock(void *argument)
{
    return ((struct harness *)argument)->now_ms;
}

static inline void harness_init(struct harness *h, struct slice input)
{
    *h = (struct harness){
        .input = input,
        .config = {.message_max = 1000, .close_timeout_ms = 200},
    };
}

static inline void harness_name_frame(struct text *t, const struct ws_head *head, const char *body)
{
    int len = (int)head->length;
    if (head->op == WS_OP_CLOSE && len == 0)
        text_print(t, "close|");
    else if (head->op == WS_OP_CLOSE)
        text_print(t, "close %u %.*s|", (unsigned)((uint8_t)body[0] << 8 | (uint8_t)body[1]),
                   len - 2, body + 2);
    else
        text_print(t, "%s %.*s|",
                   head->op == WS_OP_PING   ? "ping"
                   : head->op == WS_OP_PONG ? "pong"
                   : head->op == WS_OP_TEXT ? "text"
                                            : "binary",
                   len, body);
}

/* Writes the frames that the other side got as text: a server's frames are never masked, a client's
 * always are, and none is fragmented here. */
static inline void harness_read_answers(struct harness *h)
{
    struct slice rest = slice_make(h->raw.bytes, h->raw.len);
    struct ws_head head;
    while (rest.len) {
        assert_int_equal(ws_head_parse(rest, &head), PARSE_OK);
        assert_int_equal(head.masked, h->config.client);
        assert_true(head.fin);
        assert_int_equal(head.rsv, 0);
        assert_true(rest.len - head.size >= head.length);
        if (head.masked)
            ws_mask_plain(h->raw.bytes + h->raw.len - rest.len + head.size, (size_t)head.length,
                          head.mask, 0);
        harness_name_frame(&h->answers, &head, rest.ptr + head.size);
        rest = slice_skip(rest, head.size + (size_t)head.length);
    }
}

/* Runs until the server's side of the socket has ended. */
static inline void harness_run(struct harness *h)
{
    static const struct ws_peer_ops ops = {harness_on_message, harness_on_drain, harness_on_end};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    h->fd = pair[0];
    h->loop = loop_new();
    assert_non_null(h->loop);
    if (h->own_clock)
        loop_set_clock(h->loop, harness_clock, h);
    struct stream *stream = stream_new(h->loop, pair[1], NULL);
    assert_non_null(stream);
    h->peer = ws_peer_new(stream, &h->config, &h->counts, &ops, h);
    assert_non_null(h->peer);
    ws_peer_begin(h->peer, (struct bytes){0});
    timer_init(&h->feeder, harness_turn);
    timer_start(h->loop, &h->feeder, 0);
    assert_int_equal(loop_run(h->loop), 0);
    timer_stop(&h->feeder);
    h->sends = loop_counts(h->loop)->sends;
    h->timers = loop_counts(h->loop)->timers_fired;
    close(h->fd);
    assert_null(h->peer);
    assert_int_equal(h->counts.peers_now, 0);
    loop_free(h->loop);
    harness_read_answers(h);
}

/* ---- a client's frames ---- */

struct frame {
    int first; /* FIN, RSV and opcode; 0 with a payload of NULL ends a script; -1: `payload` goes as
                  it is */
    const char *payload;
    size_t len;
    bool unmasked;
};

#define F(first, text)                                                                             \
    {                                                                                              \
        (first), (text), sizeof(text) - 1, false                                                   \
    }
#define UNMASKED(first, text)                                                                      \
    {                                                                                              \
        (first), (text), sizeof(text) - 1, true                                                    \
    }
#define RAW(text)                                                                                  \
    {                                                                                              \
        -1, (text), sizeof(text) - 1, false                                                        \
    }

static inline void script_add(struct text *t, const struct frame *f)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char head[WS_HEAD_MAX];
    struct ws_head h = {.fin = f->first & 0x80,
                        .rsv = (uint8_t)(f->first >> 4 & 7),
                        .op = (enum ws_op)(f->first & 15),
                        .masked = !f->unmasked,
                        .length = f->len};
    size_t at = t->len;
    if (f->first < 0) {
        text_add(t, f->payload, f->len);
        return;
    }
    memcpy(h.mask, mask, 4);
    text_add(t, head, ws_head_write_full(head, &h));
    at = t->len;
    text_add(t, f->payload, f->len);
    if (!f->unmasked)
        ws_mask_plain(t->bytes + at, f->len, mask, 0);
}

#endif
