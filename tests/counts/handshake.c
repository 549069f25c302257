/* SPDX-License-Identifier: MIT */
/* handshake.c - rows: from an accepted socket, whose other end is known, to an open WebSocket, as
 * net/listener.c and examples/echo.c do it; and from the client's close frame to the end. */
#include "driver.h"

#include "http/server.h"
#include "proto/ws_handshake.h"
#include "ws/peer.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    ROUNDS = 50
};

static const char plain_request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char browser_request[] =
    "GET /chat HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\n"
    "Origin: https://www.example.com\r\nSec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: nb-NO,nb;q=0.9,en;q=0.8\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

static const struct ws_config ws_config = {
    .message_max = 16u << 20,
    .ping_interval_ms = 20000,
    .pong_timeout_ms = 20000,
    .close_timeout_ms = 5000,
};

static const struct http_limits http_limits = {
    .head_max = 16384,
    .body_max = 65536,
    .head_timeout_ms = 10000,
    .body_timeout_ms = 10000,
    .idle_timeout_ms = 30000,
    .write_timeout_ms = 30000,
    .departed_timeout_ms = 5000,
    .connections_max = 100000,
};

struct scene {
    struct http_server http;
    struct ws_counts counts;
    struct ws_peer *peer;
    int fd; /* the server's end of the next connection */
};

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    (void)peer;
    (void)op;
    (void)data;
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    (void)code;
    (void)reason;
    ((struct scene *)ws_peer_owner(peer))->peer = NULL;
}

static const struct ws_peer_ops ops = {.on_message = on_message, .on_end = on_end};

static void on_request(struct http_server *server, struct exchange *x)
{
    struct scene *s = server->owner;
    struct ws_handshake handshake;
    if (ws_handshake_check(x->request, &handshake) != WS_HANDSHAKE_OK)
        counts_fail("no handshake");
    char accept[WS_ACCEPT_SIZE];
    ws_accept_of(handshake.key, accept);
    const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Accept"), slice_make(accept, WS_ACCEPT_SIZE)},
    };
    struct bytes rest;
    struct stream *stream = exchange_upgrade(x, headers, 2, &rest);
    s->peer = ws_peer_new(stream, &ws_config, &s->counts, &ops, s);
    if (!s->peer)
        counts_fail("no peer");
    ws_peer_begin(s->peer, rest);
}

static void turn(void *arg)
{
    struct scene *s = arg;
    if (loop_turn(s->http.loop, 0))
        counts_fail("no turn");
}

static void shake_hands(void *arg)
{
    struct scene *s = arg;
    const struct net_address peer = net_address_loopback(AF_INET, 1);
    struct stream *stream = stream_new_known(s->http.loop, s->fd, NULL);
    if (!stream)
        counts_fail("no stream");
    http_accept(&s->http, stream, &peer);
    turn(s);
}

static void part(struct scene *s, int client, bool counts)
{
    static const char frame[] = "\x88\x82\0\0\0\0\x03\xe8";
    char answer[16];
    if (write(client, frame, sizeof(frame) - 1) != (ssize_t)sizeof(frame) - 1)
        counts_fail("write");
    counted(counts, turn, s);
    if (read(client, answer, sizeof(answer)) != 4)
        counts_fail("no close frame");
    close(client);
    counted(counts, turn, s);
}

/* What is counted is the beginning of the connection, or its end. */
static void round_trip(struct scene *s, struct slice request, bool counts, bool counts_end)
{
    char answer[1024];
    int client;
    counts_pair(&s->fd, &client);
    if (write(client, request.ptr, request.len) != (ssize_t)request.len)
        counts_fail("write");
    counted(counts, shake_hands, s);
    ssize_t n = read(client, answer, sizeof(answer));
    if (n < 12 || memcmp(answer, "HTTP/1.1 101", 12) != 0)
        counts_fail("refused");
    part(s, client, counts_end);
    if (s->peer)
        counts_fail("no end");
    turn(s);
}

static unsigned run(struct slice request, bool end)
{
    struct scene *s = calloc(1, sizeof(*s));
    if (!s)
        counts_fail("memory");
    http_server_init(&s->http, counts_loop(), &http_limits, on_request, s);
    for (int i = 0; i < 3; i++)
        round_trip(s, request, false, false);
    for (int i = 0; i < ROUNDS; i++)
        round_trip(s, request, !end, end);
    return ROUNDS;
}

static unsigned run_plain(void)
{
    return run(slice_make(plain_request, sizeof(plain_request) - 1), false);
}

static unsigned run_browser(void)
{
    return run(slice_make(browser_request, sizeof(browser_request) - 1), false);
}

static unsigned run_end(void)
{
    return run(slice_make(plain_request, sizeof(plain_request) - 1), true);
}

const struct counts_row handshake_rows[] = {
    {"handshake", run_plain},
    {"handshake-browser", run_browser},
    {"close", run_end},
    {0},
};
