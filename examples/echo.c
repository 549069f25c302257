/* echo.c - a WebSocket echo server on the C code of src/: text as text, binary as binary.
 *
 *     build/examples/echo [--threads N] [--io epoll|io_uring] [PORT]
 *                             default: 1 thread, epoll, port 9001; 0 picks one
 *
 * The server accepts any path and any Origin, and messages up to 16 MiB, without extensions.
 * Benchmarks and conformance suites run against it. At BACKLOG_MAX it stops reading a client that
 * sends and does not read. SIGTERM and SIGINT close every connection with 1001, and the server
 * exits with status 0.
 */
#include "base/log.h"
#include "base/pool.h"
#include "http/server.h"
#include "net/listener.h"
#include "proto/ws_handshake.h"
#include "ws/peer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BACKLOG_MAX (1u << 20)

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

struct worker {
    struct loop *loop;
    struct listener listener;
    struct http_server http;
    struct ws_counts counts;
    struct list clients;
    struct mail stop;
    pthread_t thread;
    bool stopping;
};

struct client {
    struct list node;
    struct worker *worker;
    struct ws_peer *peer;
};

struct server {
    struct worker *workers;
    size_t count;
    struct watch signals;
};

static _Thread_local struct pool clients = POOL_OF(struct client);

/* ---- one client ---- */

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    ws_peer_send_back(peer, op, data);
    if (ws_peer_queued(peer) > BACKLOG_MAX)
        ws_peer_pause(peer);
}

static void on_drain(struct ws_peer *peer)
{
    ws_peer_resume(peer);
}

static void stop_if_empty(struct worker *w)
{
    if (w->stopping && list_empty(&w->clients))
        loop_stop(w->loop);
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct client *c = ws_peer_owner(peer);
    struct worker *w = c->worker;
    log_debug("client.ended", log_int("code", code), log_slice("reason", reason));
    list_remove(&c->node);
    pool_give(&clients, c);
    stop_if_empty(w);
}

static const struct ws_peer_ops peer_ops = {on_message, on_drain, on_end};

static void welcome(struct worker *w, struct exchange *x, const struct ws_handshake *handshake)
{
    char accept[WS_ACCEPT_SIZE];
    const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Accept"), slice_make(accept, WS_ACCEPT_SIZE)},
    };
    ws_accept_of(handshake->key, accept);
    struct client *c = pool_take(&clients);
    if (!c) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return;
    }
    struct bytes rest;
    struct stream *stream = exchange_upgrade(x, headers, 2, &rest);
    *c = (struct client){.worker = w};
    c->peer = ws_peer_new(stream, &ws_config, &w->counts, &peer_ops, c);
    if (!c->peer) {
        pool_give(&clients, c);
        return;
    }
    list_append(&w->clients, &c->node);
    ws_peer_begin(c->peer, rest);
}

static void on_request(struct http_server *server, struct exchange *x)
{
    static const struct http_header upgrade[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")},
    };
    struct ws_handshake handshake;
    switch (ws_handshake_check(x->request, &handshake)) {
    case WS_HANDSHAKE_OK:
        welcome(server->owner, x, &handshake);
        return;
    case WS_HANDSHAKE_NONE:
        exchange_answer(x, 426, SLICE_LITERAL("this is a WebSocket echo server"), upgrade, 2);
        return;
    case WS_HANDSHAKE_BAD:
        exchange_answer(x, 400, slice_of(handshake.why), NULL, 0);
        return;
    case WS_HANDSHAKE_BAD_VERSION:
        exchange_answer(x, 426, slice_of(handshake.why), upgrade, 2);
        return;
    }
}

/* ---- one worker ---- */

static void on_stream(struct listener *listener, struct stream *stream)
{
    struct worker *w = listener->owner;
    http_accept(&w->http, stream, listener->peer);
}

static void deliver_stop(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, stop);
    w->stopping = true;
    listener_stop(&w->listener);
    http_server_stop(&w->http);
    for (struct list *n = w->clients.next, *next; n != &w->clients; n = next) {
        next = n->next;
        ws_peer_close(container_of(n, struct client, node)->peer, 1001,
                      SLICE_LITERAL("the server stops"));
    }
    stop_if_empty(w);
}

/* Takes the descriptor. */
static int worker_start(struct worker *w, int fd)
{
    list_init(&w->clients);
    w->loop = loop_new();
    if (!w->loop) {
        close(fd);
        return -errno;
    }
    http_server_init(&w->http, w->loop, &http_limits, on_request, w);
    return listener_start(w->loop, &w->listener, fd, NULL, on_stream, w);
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    int error = loop_run(w->loop);
    if (error)
        log_error("loop.failed", log_errno("error", error));
    return NULL;
}

/* ---- the whole ---- */

static void on_signal(struct watch *watch, unsigned events)
{
    (void)events;
    struct server *server = container_of(watch, struct server, signals);
    watch_stop(watch);
    for (size_t i = 0; i < server->count; i++)
        loop_post(server->workers[i].loop, &server->workers[i].stop, deliver_stop);
}

/* Blocked before any thread is made, so that every thread leaves them to the descriptor. */
static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The first listener picks the port, the others join it. */
static int start_workers(struct server *server, struct net_address *address)
{
    int first, fd;
    int error = listener_open(address, &first);
    for (size_t i = 0; i < server->count && !error; i++) {
        fd = first;
        error = i == 0 ? 0 : listener_open_more(first, &fd);
        if (!error)
            error = worker_start(&server->workers[i], fd);
    }
    return error;
}

static int start_threads(struct server *server)
{
    int error = 0;
    for (size_t i = 1; i < server->count && !error; i++)
        error = -pthread_create(&server->workers[i].thread, NULL, worker_main, &server->workers[i]);
    return error;
}

/* Returns when all have stopped. */
static int serve(struct server *server, struct net_address *address)
{
    char text[NET_ADDRESS_TEXT_MAX];
    int fd = signals_open();
    int error = start_workers(server, address);
    watch_init(&server->signals, on_signal);
    if (!error)
        error = watch_start(server->workers[0].loop, &server->signals, fd, WATCH_READ);
    if (!error)
        error = start_threads(server);
    if (error)
        return error;
    net_address_print(address, text);
    printf("listening on ws://%s\n", text);
    fflush(stdout);
    worker_main(&server->workers[0]);
    for (size_t i = 1; i < server->count; i++)
        pthread_join(server->workers[i].thread, NULL);
    for (size_t i = 0; i < server->count; i++)
        loop_free(server->workers[i].loop);
    close(fd);
    return 0;
}

/* Connections are descriptors: takes as many as the host allows. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int usage(void)
{
    fputs("usage: echo [--threads N] [--io epoll|io_uring] [PORT]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t threads = 1, port = 9001;
    int i = 1;
    if (i + 1 < argc && strcmp(argv[i], "--threads") == 0) {
        if (!slice_to_uint(slice_of(argv[i + 1]), 256, &threads) || threads == 0)
            return usage();
        i += 2;
    }
    if (i + 1 < argc && strcmp(argv[i], "--io") == 0) {
        int error = loop_use(argv[i + 1]);
        if (error) {
            fprintf(stderr, "echo: %s: %s\n", argv[i + 1], strerror(-error));
            return error == -EINVAL ? usage() : 1;
        }
        i += 2;
    }
    if (i < argc && !slice_to_uint(slice_of(argv[i++]), 65535, &port))
        return usage();
    if (i < argc)
        return usage();
    raise_file_limit();
    static struct server server;
    server = (struct server){.count = threads, .workers = calloc(threads, sizeof(struct worker))};
    struct net_address address = {
        .len = sizeof(address.v4),
        .v4 = {.sin_family = AF_INET,
               .sin_port = htons((uint16_t)port),
               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
    };
    int error = server.workers ? serve(&server, &address) : -ENOMEM;
    if (error)
        fprintf(stderr, "echo: port %u: %s\n", (unsigned)port, strerror(-error));
    else
        free(server.workers);
    return error ? 1 : 0;
}
