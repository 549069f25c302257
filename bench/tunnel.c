/* SPDX-License-Identifier: MIT */
/* tunnel.c - bytes through a gateway: a fast client of byte streams, and of other people's proxies.
 *
 *     tunnel tcp     PORT TARGET DIRECTION STREAMS BYTES
 *         connections through a proxy that frames nothing
 *     tunnel ws      PORT TARGET DIRECTION STREAMS BYTES
 *         WebSockets, one a stream, as websockify has them
 *     tunnel session PORT TARGET DIRECTION STREAMS BYTES
 *         one session of httpsocket.v1, a channel a stream
 *     tunnel latency PORT TARGET MIB       STREAMS EVENTS
 *         events through /echo beside streams; the first one stalls
 *
 * DIRECTION is d (from the target) or u; BYTES are for each stream. MIB a second are granted
 * to the streams that don't stall, together; 0: as many as come. The target is
 * tunnel_target.c at the port TARGET of this machine, which httpsocketd knows as bench.test.
 * Prints the seconds it took; latency: the median and the 99th percentile in microseconds,
 * and the MiB per second of the streams.
 *
 * Its masks are zero, so that this side costs little more than its system calls. One thread, poll.
 */
#include "proto/channel_frame.h"
#include "proto/ws_client.h"
#include "proto/ws_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 65536,
    INBOX = 1 << 20,
    WINDOW = 1 << 20,
    TOLD_AT = 65536, /* bytes received: docs/protocol.md, "When to send STATE" */
    WISH_SIZE = 9,   /* as tunnel_target.c reads it */
    STREAMS_MAX = 64,
    EVENTS_MAX = 1000000
};

/* ---- a connection: what is to be sent is small things, then at most one piece ---- */

struct connection {
    int fd;
    bool framed; /* WebSocket messages */
    char small[65536];
    size_t small_len;
    size_t piece_left; /* bytes of `piece` that follow */
    char inbox[INBOX];
    size_t inbox_len;
};

/* One stream. */
struct tunnel {
    struct connection *c;
    uint32_t number; /* of its channel; 0: it is the connection */
    uint64_t to_send, to_receive;
    uint64_t sent, limit;             /* with a channel */
    uint64_t received, granted, told; /* with a channel */
    bool asked, opened, done, stalled;
};

static char piece[PIECE];
static struct connection *connections[STREAMS_MAX];
static struct tunnel tunnels[STREAMS_MAX];
static int connection_count, tunnel_count;
static uint64_t bytes_down;
static uint64_t budget = UINT64_MAX; /* of each stream */
static void (*on_text)(struct slice text);

static void die(const char *what)
{
    fprintf(stderr, "tunnel: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct connection *dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct connection *c = calloc(1, sizeof(*c));
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
        die(strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    connections[connection_count++] = c;
    return c;
}

static void put(struct connection *c, const void *bytes, size_t len)
{
    if (c->piece_left || c->small_len + len > sizeof(c->small))
        die("too much to send at once");
    memcpy(c->small + c->small_len, bytes, len);
    c->small_len += len;
}

static void put_head(struct connection *c, enum ws_op op, uint64_t len)
{
    char head[WS_HEAD_MAX];
    if (c->framed)
        put(c, head,
            ws_head_write_full(
                head, &(struct ws_head){.fin = true, .op = op, .masked = true, .length = len}));
}

static void put_text(struct connection *c, const char *text)
{
    put_head(c, WS_OP_TEXT, strlen(text));
    put(c, text, strlen(text));
}

static bool busy(const struct connection *c)
{
    return c->small_len + c->piece_left > 0;
}

/* A part of what there is to send. */
static void flush(struct connection *c)
{
    struct iovec parts[] = {{c->small, c->small_len},
                            {piece + PIECE - c->piece_left, c->piece_left}};
    ssize_t n = writev(c->fd, parts, 2);
    if (n < 0 && errno != EAGAIN)
        die(strerror(errno));
    size_t sent = n < 0 ? 0 : (size_t)n;
    size_t small = sent < c->small_len ? sent : c->small_len;
    memmove(c->small, c->small + small, c->small_len - small);
    c->small_len -= small;
    c->piece_left -= sent - small;
}

/* ---- what a stream sends ---- */

static void put_wish(struct tunnel *t, char direction, uint64_t count)
{
    char wish[WISH_SIZE] = {direction};
    for (int i = 1; i < WISH_SIZE; i++)
        wish[i] = (char)(count >> (64 - 8 * i));
    put(t->c, wish, sizeof(wish));
    t->asked = true;
}

static void put_frame_head(struct tunnel *t, enum channel_frame_type type, size_t body)
{
    char head[CHANNEL_HEAD_MAX];
    struct channel_frame f = {
        .type = type, .channel = t->number, .received = t->received, .limit = t->granted};
    size_t len = channel_frame_head(&f, head);
    put_head(t->c, WS_OP_BINARY, len + body);
    put(t->c, head, len);
}

static void put_data_head(struct tunnel *t, size_t len)
{
    if (t->number)
        put_frame_head(t, CHANNEL_DATA, len);
    else
        put_head(t->c, WS_OP_BINARY, len);
}

/* The most that may be granted to a stream now. */
static uint64_t most(const struct tunnel *t)
{
    uint64_t all = t->stalled ? WINDOW : t->received + WINDOW;
    return all < budget || t->stalled ? all : budget;
}

static void put_state(struct tunnel *t)
{
    t->granted = most(t);
    t->told = t->received;
    put_frame_head(t, CHANNEL_STATE, 0);
}

/* How much it would send next, if its connection has nothing else: a wish is not cut. */
static size_t next_len(const struct tunnel *t)
{
    uint64_t credit = t->number ? t->limit - t->sent : PIECE;
    uint64_t left = t->to_send < credit ? t->to_send : credit;
    if (!t->opened)
        return 0;
    if (!t->asked)
        return credit < WISH_SIZE ? 0 : WISH_SIZE;
    return left < PIECE ? (size_t)left : PIECE;
}

static bool send_next(struct tunnel *t, char direction, uint64_t count)
{
    size_t len = next_len(t);
    if (len == 0)
        return false;
    put_data_head(t, len);
    t->sent += len;
    if (!t->asked) {
        put_wish(t, direction, count);
        return true;
    }
    t->to_send -= len;
    t->c->piece_left = len;
    return true;
}

/* ---- what comes ---- */

static void got(struct tunnel *t, size_t len)
{
    bytes_down += len;
    t->received += len;
    if (len > t->to_receive)
        die("more bytes than were asked for");
    t->to_receive -= len;
    t->done = t->to_receive == 0;
}

static struct tunnel *by_number(uint32_t number)
{
    if (number < 1 || number > (uint32_t)tunnel_count)
        die("a frame of no channel");
    return &tunnels[number - 1];
}

static void take_frame(struct slice message)
{
    struct channel_frame f;
    if (channel_frame_parse(message, &f) != PARSE_OK)
        die("a malformed frame");
    struct tunnel *t = by_number(f.channel);
    if (f.type == CHANNEL_DATA) {
        got(t, f.body.len);
        if (budget == UINT64_MAX && t->received - t->told >= TOLD_AT && !t->stalled)
            put_state(t);
    } else if (f.type == CHANNEL_OPENED) {
        t->opened = true;
        put_state(t);
    } else if (f.type == CHANNEL_STATE) {
        t->limit = f.limit;
    } else if (f.type == CHANNEL_RESET) {
        fprintf(stderr, "%.*s\n", SLICE_ARG(f.body));
        die("a stream was reset");
    }
}

static void take_text(struct connection *c, struct slice text)
{
    if (slice_equal(text, SLICE_LITERAL(".ping")))
        put_text(c, ".pong");
    else if (on_text)
        on_text(text);
}

static void die_closed(struct slice body)
{
    const uint8_t *code = (const uint8_t *)body.ptr;
    if (body.len < 2)
        die("the server has closed");
    fprintf(stderr, "tunnel: the server has closed: %d %.*s\n", code[0] << 8 | code[1],
            SLICE_ARG(slice_skip(body, 2)));
    exit(1);
}

static void take_message(struct connection *c, const struct ws_head *head, struct slice body)
{
    if (head->op == WS_OP_TEXT)
        take_text(c, body);
    else if (head->op == WS_OP_CLOSE)
        die_closed(body);
    else if (head->op == WS_OP_PING)
        put_head(c, WS_OP_PONG, 0); /* httpsocketd's have nothing in them */
    else if (tunnels[0].number)
        take_frame(body);
    else
        for (int i = 0; i < tunnel_count; i++)
            if (tunnels[i].c == c)
                got(&tunnels[i], body.len);
}

static void take_messages(struct connection *c)
{
    struct slice rest = slice_make(c->inbox, c->inbox_len);
    struct ws_head head;
    while (ws_head_parse(rest, &head) == PARSE_OK && rest.len - head.size >= head.length) {
        take_message(c, &head, slice_make(rest.ptr + head.size, head.length));
        rest = slice_skip(rest, head.size + head.length);
    }
    memmove(c->inbox, rest.ptr, rest.len);
    c->inbox_len = rest.len;
}

static void receive(struct connection *c)
{
    ssize_t n = recv(c->fd, c->inbox + c->inbox_len, INBOX - c->inbox_len, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die(n ? strerror(errno) : "the connection has ended");
    c->inbox_len += (size_t)n;
    if (c->framed) {
        take_messages(c);
        return;
    }
    for (int i = 0; i < tunnel_count; i++)
        if (tunnels[i].c == c)
            got(&tunnels[i], c->inbox_len);
    c->inbox_len = 0;
}

/* ---- opening ---- */

static void shake_hands(struct connection *c, const char *path, const char *subprotocols,
                        const char *chosen)
{
    struct ws_request request = {
        .target = slice_of(path),
        .host = SLICE_LITERAL("bench.test"),
        .origin = SLICE_LITERAL("http://bench.test"),
        .subprotocols = slice_of(subprotocols),
    };
    struct http_response response;
    char text[2048];
    ws_key_of((const uint8_t *)"0123456789abcdef", request.key);
    size_t len = ws_request_write(&request, text, sizeof(text));
    if (send(c->fd, text, len, 0) != (ssize_t)len)
        die("the handshake can't be sent");
    while (http_response_parse(slice_make(c->inbox, c->inbox_len), &response) == PARSE_MORE) {
        ssize_t n = recv(c->fd, c->inbox + c->inbox_len, INBOX - c->inbox_len, 0);
        if (n <= 0)
            die("no response to the handshake");
        c->inbox_len += (size_t)n;
    }
    const char *why = ws_response_refusal(&response, request.key, slice_of(chosen));
    if (why)
        die(why);
    c->inbox_len -= response.size;
    memmove(c->inbox, c->inbox + response.size, c->inbox_len);
    c->framed = true;
}

static void open_channel(struct tunnel *t, int target)
{
    char json[128];
    int len = snprintf(json, sizeof(json), "{\"kind\":\"tcp\",\"host\":\"bench.test\",\"port\":%d}",
                       target);
    put_frame_head(t, CHANNEL_OPEN, (size_t)len);
    put(t->c, json, (size_t)len);
}

static struct connection *open_session(int port, const char *path)
{
    struct connection *c = dial(port);
    char offer[64];
    snprintf(offer, sizeof(offer), "httpsocket.v1, key.%022llx", (unsigned long long)now_ns());
    shake_hands(c, path, offer, "httpsocket.v1");
    return c;
}

static void open_all(const char *kind, int port, int target, int streams)
{
    bool session = !strcmp(kind, "session");
    struct connection *c = session ? open_session(port, "/.httpsocket/connect") : NULL;
    for (int i = 0; i < streams; i++) {
        struct tunnel *t = &tunnels[tunnel_count++];
        t->number = session ? (uint32_t)i + 1 : 0;
        t->c = session ? c : dial(port);
        t->opened = !session;
        if (session)
            open_channel(t, target);
        else if (!strcmp(kind, "ws"))
            shake_hands(t->c, "/websockify", "binary", "binary");
    }
    for (int i = 0; i < connection_count; i++)
        fcntl(connections[i]->fd, F_SETFL, O_NONBLOCK);
}

/* ---- driving ---- */

static void wait_and_move(int timeout_ms)
{
    struct pollfd waits[STREAMS_MAX];
    for (int i = 0; i < connection_count; i++)
        waits[i] =
            (struct pollfd){.fd = connections[i]->fd,
                            .events = (short)(POLLIN | (busy(connections[i]) ? POLLOUT : 0))};
    poll(waits, (nfds_t)connection_count, timeout_ms);
    for (int i = 0; i < connection_count; i++) {
        struct connection *c = connections[i];
        if (busy(c))
            flush(c);
        if (waits[i].revents & (POLLIN | POLLHUP | POLLERR) && !c->piece_left)
            receive(c);
    }
}

/* Fills what has nothing to send, the streams in turns. */
static void send_on(char direction, uint64_t count)
{
    static int turn;
    for (int i = 0; i < tunnel_count; i++) {
        struct tunnel *t = &tunnels[(turn + i) % tunnel_count];
        if (busy(t->c) || !send_next(t, direction, count))
            continue;
        flush(t->c);
        if (t->number)
            turn = (turn + i + 1) % tunnel_count;
    }
}

static bool all_done(void)
{
    for (int i = 0; i < tunnel_count; i++)
        if (!tunnels[i].done)
            return false;
    return true;
}

static bool can_send(void)
{
    for (int i = 0; i < tunnel_count; i++)
        if (!busy(tunnels[i].c) && tunnels[i].to_send && next_len(&tunnels[i]))
            return true;
    return false;
}

static void transfer(char direction, uint64_t count)
{
    for (int i = 0; i < tunnel_count; i++) {
        tunnels[i].to_send = direction == 'u' ? count : 0;
        tunnels[i].to_receive = direction == 'u' ? 1 : count;
    }
    uint64_t began = now_ns();
    while (!all_done()) {
        send_on(direction, count);
        wait_and_move(can_send() ? 0 : 10000);
    }
    printf("%.6f\n", (double)(now_ns() - began) / 1e9);
}

/* ---- latency ---- */

static struct connection *events;
static uint64_t sent_ns, heard_count;
static uint64_t latencies[EVENTS_MAX];
static bool waiting;

static void on_event(struct slice text)
{
    char ack[32];
    if (!waiting || !slice_starts_with(text, SLICE_LITERAL("tick ")))
        return;
    waiting = false;
    latencies[heard_count++] = now_ns() - sent_ns;
    snprintf(ack, sizeof(ack), ".ack %llu", (unsigned long long)heard_count);
    put_text(events, ack);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void tick(void)
{
    char text[32];
    snprintf(text, sizeof(text), "tick %llu", (unsigned long long)heard_count);
    put_text(events, text);
    sent_ns = now_ns();
    waiting = true;
    flush(events);
}

/* What has become due since `began_ns`. */
static void grant(uint64_t began_ns, uint64_t bytes_per_second)
{
    uint64_t us = (now_ns() - began_ns) / 1000;
    budget = us * bytes_per_second / 1000000 / (uint64_t)(tunnel_count - 1);
    for (int i = 0; i < tunnel_count; i++)
        if (tunnels[i].opened && most(&tunnels[i]) >= tunnels[i].granted + PIECE / 4)
            put_state(&tunnels[i]);
}

static void measure_latency(uint64_t bytes_per_second, uint64_t count)
{
    uint64_t began = now_ns(), next_ns = began + 200000000; /* until the streams are at speed */
    uint64_t warm_ns = next_ns, down = 0;
    while (heard_count < count) {
        uint64_t now = now_ns();
        if (now < warm_ns)
            down = bytes_down;
        send_on('d', UINT64_MAX >> 1);
        if (bytes_per_second && tunnel_count > 1 && !busy(events))
            grant(began, bytes_per_second);
        if (!waiting && now >= next_ns && !busy(events)) {
            tick();
            next_ns = now + 2000000;
        }
        wait_and_move(waiting || now + 1000000 < next_ns ? 1 : 0);
    }
    double seconds = (double)(now_ns() - warm_ns) / 1e9;
    qsort(latencies, heard_count, sizeof(*latencies), compare);
    printf("%.1f %.1f %.0f\n", (double)latencies[heard_count / 2] / 1e3,
           (double)latencies[heard_count * 99 / 100] / 1e3,
           (double)(bytes_down - down) / seconds / 1048576);
}

static void latency(int port, int target, uint64_t mib, int streams, uint64_t count)
{
    events = open_session(port, "/echo");
    on_text = on_event;
    for (int i = 0; i < streams; i++) {
        struct tunnel *t = &tunnels[tunnel_count++];
        *t = (struct tunnel){.c = events, .number = (uint32_t)i + 1, .stalled = i == 0};
        t->to_receive = UINT64_MAX;
        open_channel(t, target);
    }
    fcntl(events->fd, F_SETFL, O_NONBLOCK);
    measure_latency(mib << 20, count);
}

int main(int argc, char **argv)
{
    if (argc != 7)
        die("usage: tunnel KIND PORT TARGET DIRECTION STREAMS BYTES");
    int port = atoi(argv[2]), target = atoi(argv[3]), streams = atoi(argv[5]);
    uint64_t count = strtoull(argv[6], NULL, 10);
    if (streams < 0 || streams > STREAMS_MAX)
        die("0 to 64 streams");
    memset(piece, 'x', sizeof(piece));
    if (!strcmp(argv[1], "latency")) {
        latency(port, target, strtoull(argv[4], NULL, 10), streams,
                count < EVENTS_MAX ? count : EVENTS_MAX);
    } else {
        open_all(argv[1], port, target, streams);
        transfer(argv[4][0], count);
    }
}
