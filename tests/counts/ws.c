/* SPDX-License-Identifier: MIT */
/* ws.c - rows: a WebSocket message that is sent back, as examples/echo.c does it. */
#include "driver.h"

#include "ws/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 64,
    HEAD_MAX = 14,
    STEP = 100000 /* bytes at a time: every kernel's buffer holds them, and frames are cut */
};

struct echo {
    bool client, text;
    size_t size;     /* of a message */
    unsigned depth;  /* messages in flight on one connection */
    unsigned lines;  /* connections */
    unsigned rounds; /* that are counted */
};

struct line {
    struct ws_peer *peer;
    int fd; /* the other end */
};

struct scene {
    struct loop *loop;
    struct ws_config config;
    struct ws_counts counts;
    struct line lines[CONNECTIONS_MAX];
    char *out, *back; /* what is in flight on one connection, each way */
    size_t out_len, back_len;
};

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    ws_peer_send_back(peer, op, data);
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    (void)peer;
    (void)code;
    errno = 0;
    counts_fail(reason.ptr);
}

static const struct ws_peer_ops ops = {.on_message = on_message, .on_end = on_end};

static void fill(char *ret, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret[i] = (char)('a' + i % 26);
}

/* `depth` frames; returns their length. */
static size_t put_frames(char *out, const struct echo *e, bool masked)
{
    struct ws_head head = {.fin = true,
                           .op = e->text ? WS_OP_TEXT : WS_OP_BINARY,
                           .masked = masked,
                           .mask = {0x37, 0xfa, 0x21, 0x3d},
                           .length = e->size};
    size_t at = 0;
    for (unsigned i = 0; i < e->depth; i++) {
        at += ws_head_write_full(out + at, &head);
        fill(out + at, e->size);
        if (masked)
            ws_mask(out + at, e->size, head.mask, 0);
        at += e->size;
    }
    return at;
}

static void open_line(struct scene *s, struct line *line)
{
    int fd;
    counts_pair(&fd, &line->fd);
    struct stream *stream = stream_new(s->loop, fd, NULL);
    line->peer = stream ? ws_peer_new(stream, &s->config, &s->counts, &ops, s) : NULL;
    if (!line->peer)
        counts_fail("no peer");
    ws_peer_begin(line->peer, (struct bytes){NULL, 0});
}

static struct scene *open_scene(const struct echo *e)
{
    struct scene *s = calloc(1, sizeof(*s));
    size_t room = e->depth * (e->size + HEAD_MAX);
    if (!s || !(s->out = malloc(room)) || !(s->back = malloc(room)))
        counts_fail("memory");
    s->config = (struct ws_config){.message_max = 16u << 20,
                                   .ping_interval_ms = 20000,
                                   .pong_timeout_ms = 20000,
                                   .close_timeout_ms = 5000,
                                   .message_window_ms = 10000,
                                   .message_timeout_ms = 60000,
                                   .least_rate = 1024,
                                   .queue_max = 16u << 20,
                                   .client = e->client};
    s->loop = counts_loop();
    s->out_len = put_frames(s->out, e, !e->client);
    s->back_len = put_frames(s->back, e, false);
    for (unsigned i = 0; i < e->lines; i++)
        open_line(s, &s->lines[i]);
    return s;
}

static void turn(void *arg)
{
    struct scene *s = arg;
    if (loop_turn(s->loop, 0))
        counts_fail("no turn");
}

/* Sends the next of a line's bytes. */
static void say(const struct scene *s, const struct line *line, size_t *sent)
{
    size_t left = s->out_len - *sent, len = left < STEP ? left : STEP;
    if (len && write(line->fd, s->out + *sent, len) != (ssize_t)len)
        counts_fail("write");
    *sent += len;
}

/* What a client sends comes back under a mask that nobody foresees. */
static void hear(const struct scene *s, const struct line *line, bool masked, size_t *heard)
{
    static char in[1 << 20];
    ssize_t n = read(line->fd, in, sizeof(in));
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        counts_fail("read");
    if (!masked && memcmp(in, s->back + *heard, (size_t)n) != 0)
        counts_fail("a wrong byte");
    *heard += (size_t)n;
}

/* All lines have their messages in flight once. */
static void round_trip(struct scene *s, const struct echo *e, bool counts)
{
    size_t sent[CONNECTIONS_MAX] = {0}, heard[CONNECTIONS_MAX] = {0}, back = s->back_len;
    bool done = false;
    if (e->client)
        back += (size_t)4 * e->depth;
    while (!done) {
        done = true;
        for (unsigned i = 0; i < e->lines; i++)
            say(s, &s->lines[i], &sent[i]);
        counted(counts, turn, s);
        for (unsigned i = 0; i < e->lines; i++) {
            hear(s, &s->lines[i], e->client, &heard[i]);
            done = done && heard[i] == back;
        }
    }
}

static unsigned run(struct echo e)
{
    struct scene *s = open_scene(&e);
    round_trip(s, &e, false);
    round_trip(s, &e, false);
    for (unsigned i = 0; i < e.rounds; i++)
        round_trip(s, &e, true);
    return e.rounds * e.lines * e.depth;
}

/* On one connection, or one of 64 with a message each. */
#define ROW(function, ...)                                                                         \
    static unsigned function(void)                                                                 \
    {                                                                                              \
        return run((struct echo){__VA_ARGS__});                                                    \
    }

ROW(one_20, .size = 20, .depth = 1, .lines = 64, .rounds = 20)
ROW(sixteen_20, .size = 20, .depth = 16, .lines = 64, .rounds = 10)
ROW(many_20, .size = 20, .depth = 256, .lines = 8, .rounds = 10)
ROW(text_20, .text = true, .size = 20, .depth = 256, .lines = 8, .rounds = 10)
ROW(one_1k, .size = 1024, .depth = 1, .lines = 64, .rounds = 20)
ROW(text_1k, .text = true, .size = 1024, .depth = 1, .lines = 64, .rounds = 20)
ROW(one_16k, .size = 16384, .depth = 1, .lines = 8, .rounds = 20)
ROW(text_16k, .text = true, .size = 16384, .depth = 1, .lines = 8, .rounds = 20)
ROW(sixteen_16k, .size = 16384, .depth = 16, .lines = 1, .rounds = 20)
ROW(client_20, .client = true, .size = 20, .depth = 16, .lines = 16, .rounds = 10)
ROW(client_1k, .client = true, .size = 1024, .depth = 1, .lines = 16, .rounds = 10)

const struct counts_row ws_rows[] = {
    {"echo-20-1", one_20},         {"echo-20-16", sixteen_20},      {"echo-20-256", many_20},
    {"echo-text-20-256", text_20}, {"echo-1024-1", one_1k},         {"echo-text-1024-1", text_1k},
    {"echo-16384-1", one_16k},     {"echo-text-16384-1", text_16k}, {"echo-16384-16", sixteen_16k},
    {"client-20-16", client_20},   {"client-1024-1", client_1k},    {0},
};
