/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ACK_EVERY = 64
};

/* ---- a session's wire ---- */

static struct line *line_of(const struct session_wire *wire)
{
    return container_of(wire, struct line, wire);
}

static void wire_send(struct session_wire *wire, bool binary, const struct slice *pieces,
                      size_t count)
{
    ws_peer_send(line_of(wire)->peer, binary ? WS_OP_BINARY : WS_OP_TEXT, pieces, count);
}

static void wire_send_frames(struct session_wire *wire, struct shared_bytes *frames, size_t at,
                             size_t len, uint32_t count)
{
    ws_peer_send_frames(line_of(wire)->peer, frames, at, len, count, true);
}

static size_t wire_queued(const struct session_wire *wire)
{
    return ws_peer_queued(line_of(wire)->peer);
}

static size_t wire_held(const struct session_wire *wire)
{
    return ws_peer_held(line_of(wire)->peer);
}

static void wire_close(struct session_wire *wire, unsigned code, struct slice reason)
{
    (void)wire, (void)code;
    counts_fail(reason.len ? reason.ptr : "closed");
}

static const struct session_wire_ops wire_ops = {
    .send = wire_send,
    .send_frames = wire_send_frames,
    .queued = wire_queued,
    .held = wire_held,
    .close = wire_close,
};

static void on_frame(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct line *line = ws_peer_owner(peer);
    session_receive(&line->wire, op == WS_OP_BINARY, data);
}

static void on_drain(struct ws_peer *peer)
{
    session_drained(&((struct line *)ws_peer_owner(peer))->wire);
}

static void on_peer_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    (void)peer, (void)code;
    counts_fail(reason.ptr);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_frame, .on_drain = on_drain, .on_end = on_peer_end};

/* ---- its owner ---- */

static void ignore_attach(struct session *s, bool resumed)
{
    (void)s, (void)resumed;
}

static void ignore(struct session *s)
{
    (void)s;
}

void crowd_turn(void *arg)
{
    if (loop_turn(((struct crowd *)arg)->loop, 0))
        counts_fail("no turn");
}

/* ---- the clients ---- */

size_t crowd_frame(char *out, struct slice text)
{
    struct ws_head head = {.fin = true,
                           .op = WS_OP_TEXT,
                           .masked = true,
                           .mask = {0x37, 0xfa, 0x21, 0x3d},
                           .length = text.len};
    size_t at = ws_head_write_full(out, &head);
    memcpy(out + at, text.ptr, text.len);
    ws_mask(out + at, text.len, head.mask, 0);
    return at + text.len;
}

void crowd_write(int fd, const char *bytes, size_t len)
{
    if (len && write(fd, bytes, len) != (ssize_t)len)
        counts_fail("write");
}

/* Counts messages of the program; those of the protocol begin with a dot. */
void crowd_hear(struct line *line)
{
    static char in[CROWD_BUFFER];
    ssize_t n = read(line->fd, in, sizeof(in));
    if (n < 0 && errno == EAGAIN)
        return;
    struct slice rest = slice_make(in, n > 0 ? (size_t)n : 0);
    struct ws_head head;
    for (; rest.len && ws_head_parse(rest, &head) == PARSE_OK;
         rest = slice_skip(rest, head.size + (size_t)head.length))
        line->heard += rest.ptr[head.size] != '.';
    if (rest.len || n <= 0)
        counts_fail("read");
}

void crowd_acknowledge(struct line *line)
{
    char text[32], frame[64];
    if (!line->session || line->heard - line->acked < ACK_EVERY)
        return;
    line->acked = line->heard;
    int len = snprintf(text, sizeof(text), ".ack %u", line->acked);
    crowd_write(line->fd, frame, crowd_frame(frame, slice_make(text, (size_t)len)));
}

void crowd_each(struct crowd *s, void (*act)(struct line *line))
{
    for (unsigned i = 0; i < s->line_count; i++)
        act(&s->lines[i]);
}

void crowd_has_heard(const struct crowd *s, unsigned count)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (s->lines[i].heard != count)
            counts_fail("a message that has not come");
}

/* ---- set-up ---- */

static void open_line(struct crowd *s, struct line *line, bool plain, const struct session_ops *ops)
{
    int fd;
    line->crowd = s;
    counts_pair(&fd, &line->fd);
    struct stream *stream = stream_new(s->loop, fd, NULL);
    line->peer = stream ? ws_peer_new(stream, &s->ws_config, &s->ws_counts, &peer_ops, line) : NULL;
    if (!line->peer)
        counts_fail("no peer");
    ws_peer_begin(line->peer, (struct bytes){NULL, 0});
    if (plain)
        return;
    struct session_spec spec = {.config = &s->config,
                                .counts = &s->counts,
                                .table = s->table,
                                .ops = ops,
                                .owner = line,
                                .origin = SLICE_LITERAL("https://a.example"),
                                .path = SLICE_LITERAL("/p")};
    line->session = session_new(s->loop, &spec);
    if (!line->session)
        counts_fail("no session");
    line->wire.ops = &wire_ops;
    session_attach(line->session, &line->wire, SLICE_LITERAL("abcdefghijklmnopqrstuv"), 0);
}

struct crowd *crowd_open(unsigned lines, unsigned depth, bool plain,
                         void (*on_message)(struct session *s, const struct message *m))
{
    struct crowd *s = calloc(1, sizeof(*s));
    if (!s)
        counts_fail("memory");
    s->ws_config = (struct ws_config){.message_max = 16u << 20,
                                      .ping_interval_ms = 20000,
                                      .pong_timeout_ms = 20000,
                                      .close_timeout_ms = 5000,
                                      .message_window_ms = 10000,
                                      .message_timeout_ms = 60000,
                                      .least_rate = 1024,
                                      .queue_max = 16u << 20};
    s->config = (struct session_config){.buffer_max = 1u << 20,
                                        .window = 1u << 20,
                                        .message_max = 1u << 20,
                                        .attach_timeout_ms = 30000,
                                        .detach_timeout_ms = 600000,
                                        .goodbye_timeout_ms = 5000,
                                        .ping_ms = 20000};
    s->session_ops = (struct session_ops){.on_message = on_message,
                                          .on_attach = ignore_attach,
                                          .on_writable = ignore,
                                          .on_over = ignore};
    s->loop = counts_loop();
    s->table = session_table_new(0, lines);
    s->line_count = lines;
    s->depth = depth;
    for (unsigned i = 0; i < lines; i++)
        open_line(s, &s->lines[i], plain, &s->session_ops);
    crowd_turn(s);
    return s;
}

void crowd_begin(struct line *line)
{
    crowd_hear(line);
    line->heard = 0;
}
