/* SPDX-License-Identifier: MIT */
/* restless.c - a server by the library whose callbacks call whatever may be called there, about
 * whatever is there, at random, for library-odd.test.mjs.
 *
 *     restless THREADS SEED [SETTING...]
 *
 * It ends with status 3 if a peer was left without on_close, or a page without on_over. */
#include <httpsocket/server.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct httpsocket_server *server;
static atomic_int peers_left, pages_left;
static atomic_int requests, peers, attached, streams;
static unsigned seed;

static void on_signal(int number)
{
    httpsocket_server_stop(server, number == SIGINT ? 0 : 500);
}

/* ---- what is there, of one thread ---- */

enum {
    MANY = 64
};

struct set {
    void *items[MANY];
    unsigned count;
};

static _Thread_local struct here {
    struct set requests, asking, peers, pages, held, timers;
    struct httpsocket_timer *slots[8]; /* NULL: free */
    unsigned random, depth;
} here;

static unsigned any(unsigned below)
{
    if (!here.random)
        here.random = seed + 1 + (unsigned)(httpsocket_server_thread(server) + 1);
    here.random = here.random * 1664525u + 1013904223u;
    return (here.random >> 8) % below;
}

static bool put(struct set *s, void *item)
{
    if (s->count == MANY)
        return false;
    s->items[s->count++] = item;
    return true;
}

static void drop(struct set *s, const void *item)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->items[i] == item)
            s->items[i--] = s->items[--s->count];
}

static void *one(const struct set *s)
{
    return s->count ? s->items[any(s->count)] : NULL;
}

static const char *topic(void)
{
    static const char *const names[] = {"a", "b", "c", "no such\n"};
    return names[any(4)];
}

static void stir(unsigned acts);

/* ---- requests ---- */

static void on_piece(struct httpsocket_request *r, int error, const void *data, size_t size,
                     void *arg)
{
    (void)r, (void)error, (void)data, (void)size, (void)arg;
    stir(2);
}

static void on_event(struct httpsocket_request *r, void *arg)
{
    (void)r, (void)arg;
    stir(2);
}

static void give_back(struct httpsocket_request *r, unsigned how)
{
    drop(&here.requests, r);
    drop(&here.asking, r);
    if (how == 0)
        httpsocket_request_answer(r, 200, "text/plain", "all", 3);
    else if (how == 1)
        httpsocket_request_end(r);
    else
        httpsocket_request_fail(r);
}

static void with_request(struct httpsocket_request *r)
{
    static const char bytes[40000];
    char text[100];
    switch (any(11)) {
    case 0:
    case 1:
    case 2:
        give_back(r, any(3));
        return;
    case 3:
        httpsocket_request_begin(r, 200, NULL, any(2) ? 50000 : HTTPSOCKET_LENGTH_UNKNOWN);
        return;
    case 4:
        httpsocket_request_write(r, bytes, any(sizeof(bytes)));
        return;
    case 5:
        httpsocket_request_read(r, any(2000) + 1, on_piece, NULL);
        return;
    case 6:
        httpsocket_request_stream(r, on_piece, NULL);
        return;
    case 7:
        httpsocket_request_pause(r);
        return;
    case 8:
        httpsocket_request_resume(r);
        return;
    case 9:
        httpsocket_request_on_gone(r, on_event, NULL);
        httpsocket_request_on_room(r, on_event, NULL);
        return;
    case 10:
        httpsocket_request_address(r, text, sizeof(text));
        httpsocket_request_add(r, "X-Any", httpsocket_request_path(r));
        httpsocket_request_header(r, "host", NULL);
        return;
    }
}

static void handle(struct httpsocket_request *r, void *user)
{
    (void)user;
    requests++;
    if (!put(&here.requests, r))
        give_back(r, 0);
    stir(4);
}

static void decide(struct httpsocket_request *r)
{
    drop(&here.asking, r);
    if (any(20) == 0)
        httpsocket_request_answer(r, 403, NULL, NULL, 0);
    else
        httpsocket_request_allow(r);
}

static void on_access(struct httpsocket_request *r)
{
    if (any(2) || !put(&here.asking, r))
        decide(r);
    stir(1);
}

/* ---- peers ---- */

static void with_peer(struct httpsocket_peer *p)
{
    static const char bytes[70000];
    switch (any(8)) {
    case 0:
        if (any(4) == 0)
            httpsocket_peer_close(p, any(2) ? 4000 : 1000, "enough");
        return;
    case 1:
        httpsocket_peer_pause(p);
        return;
    case 2:
    case 3:
        httpsocket_peer_resume(p);
        return;
    case 4:
        httpsocket_peer_subscribe(p, topic());
        return;
    case 5:
        httpsocket_peer_unsubscribe(p, topic());
        return;
    default:
        httpsocket_peer_send(p, bytes, any(10) ? any(200) : any(sizeof(bytes)), any(2));
        return;
    }
}

static int on_handshake(struct httpsocket_request *r, void *user, void **peer_user)
{
    (void)r, (void)user, (void)peer_user;
    stir(2);
    return any(10) ? 0 : 403;
}

static void on_open(struct httpsocket_peer *p)
{
    peers_left++;
    peers++;
    put(&here.peers, p);
    with_peer(p);
    stir(2);
}

static void on_message(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    (void)data, (void)size, (void)text;
    with_peer(p);
    stir(3);
}

static void on_drain(struct httpsocket_peer *p)
{
    with_peer(p);
    stir(2);
}

static void on_unsubscribed(struct httpsocket_peer *p, const char *name)
{
    httpsocket_peer_subscribe(p, name);
    with_peer(p);
    stir(2);
}

static void on_close(struct httpsocket_peer *p, unsigned code, const char *reason, size_t size)
{
    (void)code, (void)reason, (void)size;
    with_peer(p);
    stir(2);
    with_peer(p);
    drop(&here.peers, p);
    peers_left--;
}

/* ---- pages ---- */

/* Those who hold the page hold it until now. */
static void let_go(struct httpsocket_server *s, void *arg)
{
    unsigned count = 0;
    (void)s;
    for (unsigned i = 0; i < here.held.count; i++)
        count += here.held.items[i] == arg;
    drop(&here.held, arg);
    while (count--)
        httpsocket_page_release(arg);
}

static void leave(struct httpsocket_page *p)
{
    drop(&here.pages, p);
    httpsocket_page_leave(p); /* who holds it has it still */
    let_go(server, p);
}

static void release(struct httpsocket_page *p)
{
    for (unsigned i = 0; i < here.held.count; i++) {
        if (here.held.items[i] != p)
            continue;
        here.held.items[i] = here.held.items[--here.held.count];
        httpsocket_page_release(p);
        return;
    }
}

static void command(struct httpsocket_page *p)
{
    static const char *const all[][2] = {
        {"listen", "{\"on\":\"click\",\"select\":\"#a\"}"},
        {"dom", "{\"select\":\"#a\",\"text\":\"x\"}"},
        {"save", "{\"n\":1}"},
        {"save", "null"},
        {"subscribe", "{\"topic\":\"a\",\"history\":3,\"watch\":true,\"presence\":{}}"},
        {"subscribe", "{\"topic\":\"b\",\"to\":\"page\"}"},
        {"confirm", "1"},
        {"close", "{\"reason\":\"command\"}"},
        {"nonsense", "{"},
    };
    unsigned i = any(9);
    if (i != 7 || any(5) == 0)
        httpsocket_page_command(p, all[i][0], all[i][1]);
}

static void with_answer(struct httpsocket_page *p)
{
    static const char bytes[40000];
    switch (any(5)) {
    case 0:
        httpsocket_page_add(p, "X-Any", "1");
        return;
    case 1:
        httpsocket_page_answer(p, any(10) ? 200 : 401, "text/html", "<p>all", 6);
        return;
    case 2:
        httpsocket_page_begin(p, 200, "text/html", HTTPSOCKET_LENGTH_UNKNOWN);
        return;
    case 3:
        httpsocket_page_write(p, bytes, any(sizeof(bytes)));
        return;
    case 4:
        httpsocket_page_end(p);
        return;
    }
}

static void with_stream(struct httpsocket_page *p)
{
    static const char bytes[20000];
    uint32_t stream = any(4) + 1;
    switch (any(5)) {
    case 0:
    case 1:
        httpsocket_page_stream_accept(p, stream, any(2) ? NULL : "{\"a\":1}");
        return;
    case 2:
        httpsocket_page_stream_write(p, stream, bytes, any(sizeof(bytes)));
        return;
    case 3:
        httpsocket_page_stream_end(p, stream);
        return;
    case 4:
        httpsocket_page_stream_reset(p, stream, any(2) ? NULL : "enough");
        return;
    }
}

static void with_page(struct httpsocket_page *p)
{
    uint64_t call;
    switch (any(16)) {
    case 0:
        if (any(6) == 0)
            leave(p);
        return;
    case 1:
        if (any(6) == 0)
            httpsocket_page_close(p, any(2) ? NULL : "enough");
        return;
    case 2:
        httpsocket_page_emit(p, "event", "{\"a\":[1,2]}");
        return;
    case 3:
        httpsocket_page_emit_text(p, "text", "a\nb", 3);
        return;
    case 4:
        httpsocket_page_call(p, "call", NULL, &call);
        return;
    case 5:
        httpsocket_page_reply(p, any(4), any(2) ? "1" : "{");
        return;
    case 6:
        httpsocket_page_refuse(p, any(4), "no");
        return;
    case 7:
        httpsocket_page_subscribe(p, topic());
        return;
    case 8:
        httpsocket_page_unsubscribe(p, topic());
        return;
    case 9:
        httpsocket_page_pause(p);
        return;
    case 10:
        httpsocket_page_resume(p);
        httpsocket_page_pause_body(p, any(3) == 0);
        return;
    case 11:
        if (put(&here.held, p))
            httpsocket_page_hold(p);
        return;
    case 12:
        httpsocket_page_save_bytes(p, "\0\1", any(3));
        return;
    case 13:
        with_stream(p);
        return;
    case 14:
        command(p);
        return;
    case 15:
        with_answer(p);
        return;
    }
}

static void page_asked(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)r;
    pages_left++;
    put(&here.pages, p);
    httpsocket_page_set_user(p, &pages_left);
    if (any(4))
        httpsocket_page_answer(p, 200, "text/html", "<p>page", 7);
    stir(3);
}

static void page_piece(struct httpsocket_page *p, const void *data, size_t size)
{
    (void)p, (void)data, (void)size;
    stir(2);
}

static void page_event(struct httpsocket_page *p)
{
    (void)p;
    stir(3);
}

static void page_attached(struct httpsocket_page *p, bool resumed)
{
    (void)p, (void)resumed;
    attached++;
    stir(3);
}

static void page_detached(struct httpsocket_page *p, const char *reason)
{
    (void)p, (void)reason;
    stir(2);
}

static void page_heard(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    if (m->kind == HTTPSOCKET_CALL && any(2))
        httpsocket_page_reply(p, m->call, "1");
    stir(3);
}

static void page_restored(struct httpsocket_page *p, const char *why, uint64_t resent,
                          const void *state, size_t size, bool bytes)
{
    (void)p, (void)why, (void)resent, (void)state, (void)size, (void)bytes;
    stir(2);
}

static void page_topic(struct httpsocket_page *p, const struct httpsocket_topic_event *event)
{
    (void)event;
    httpsocket_page_emit(p, "topic", NULL);
    if (any(4) == 0)
        stir(1);
}

static void page_command(struct httpsocket_page *p, const char *name, const void *json, size_t size)
{
    (void)p, (void)name, (void)json, (void)size;
    stir(1);
}

static void page_stream(struct httpsocket_page *p, uint32_t stream, const char *name,
                        const void *json, size_t size)
{
    (void)name, (void)json, (void)size;
    streams++;
    if (any(4))
        httpsocket_page_stream_accept(p, stream, NULL);
    stir(2);
}

static void page_stream_data(struct httpsocket_page *p, uint32_t stream, const void *data,
                             size_t size)
{
    httpsocket_page_stream_write(p, stream, data, size);
    stir(2);
}

static void page_stream_event(struct httpsocket_page *p, uint32_t stream)
{
    (void)p, (void)stream;
    stir(2);
}

static void page_over(struct httpsocket_page *p)
{
    drop(&here.pages, p);
    pages_left--;
    with_answer(p);
    stir(2);
    if (httpsocket_server_post(server, httpsocket_page_thread(p), let_go, p) < 0)
        let_go(server, p);
}

/* `leave` has no on_over: the page counts no more. */
static void with_any_page(void)
{
    struct httpsocket_page *p = one(&here.pages);
    unsigned before = here.pages.count;
    if (!p)
        return;
    with_page(p);
    if (here.pages.count < before)
        pages_left--;
}

/* ---- the rest ---- */

static void on_work(struct httpsocket_server *s, void *arg)
{
    (void)s, (void)arg;
    stir(3);
}

static void on_timer(struct httpsocket_server *s, void *arg)
{
    struct httpsocket_timer **slot = arg, *t = *slot;
    (void)s;
    *slot = NULL;
    drop(&here.timers, slot);
    if (any(2))
        httpsocket_timer_stop(t);
    stir(3);
}

static void start_timer(void)
{
    struct httpsocket_timer **slot = &here.slots[any(8)];
    if (!*slot && httpsocket_server_timer(server, any(3), 0, on_timer, slot, slot) == 0)
        put(&here.timers, slot);
}

static void stop_timer(void)
{
    struct httpsocket_timer **slot = one(&here.timers);
    if (!slot)
        return;
    drop(&here.timers, slot);
    httpsocket_timer_stop(*slot);
    *slot = NULL;
}

static void with_server(void)
{
    char bytes[300] = {0};
    switch (any(5)) {
    case 0:
        httpsocket_server_post(server, any(httpsocket_server_threads(server)), on_work, NULL);
        return;
    case 1:
        start_timer();
        return;
    case 2:
        stop_timer();
        return;
    default:
        httpsocket_server_publish(server, topic(), bytes, any(sizeof(bytes)));
        return;
    }
}

static void act(void)
{
    struct httpsocket_page *held = one(&here.held);
    struct httpsocket_request *asking = one(&here.asking), *r = one(&here.requests);
    struct httpsocket_peer *peer = one(&here.peers);
    switch (any(8)) {
    case 0:
        if (held && any(2))
            release(held);
        else if (held)
            with_answer(held), with_stream(held);
        return;
    case 1:
        if (asking)
            decide(asking);
        return;
    case 2:
    case 3:
        if (r)
            with_request(r);
        return;
    case 4:
        if (peer)
            with_peer(peer);
        return;
    case 5:
        with_server();
        return;
    default:
        with_any_page();
        return;
    }
}

static void stir(unsigned acts)
{
    if (here.depth > 3)
        return;
    here.depth++;
    for (; acts; acts--)
        act();
    here.depth--;
}

/* What nobody would ever touch again, at rest: it is stirred now and then. */
static void on_clock(struct httpsocket_server *s, void *arg)
{
    (void)s, (void)arg;
    while (here.asking.count > 8)
        decide(here.asking.items[0]);
    while (here.requests.count > 8)
        give_back(here.requests.items[0], 0);
    stir(4);
}

static void on_start(struct httpsocket_server *s, unsigned thread)
{
    (void)thread;
    httpsocket_server_timer(s, 5, 5, on_clock, NULL, NULL);
}

/* A thread that is not the server's. */
static void *foreign(void *arg)
{
    atomic_bool *ended = arg;
    while (!*ended) {
        httpsocket_server_post(server, any(httpsocket_server_threads(server)), on_work, NULL);
        httpsocket_server_publish(server, topic(), "from outside", any(13));
        usleep(2000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    atomic_bool ended = false;
    char why[200];
    struct httpsocket_server_options options = {
        .size = sizeof(options), .listen = "127.0.0.1:0", .on_start = on_start, .gateway = true};
    struct httpsocket_endpoint peer = {.size = sizeof(peer),
                                       .queue_max = 100000,
                                       .on_request = on_handshake,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_drain = on_drain,
                                       .on_unsubscribed = on_unsubscribed,
                                       .on_close = on_close};
    struct httpsocket_page_handler page = {.size = sizeof(page),
                                           .on_request = page_asked,
                                           .on_body = page_piece,
                                           .on_answer_room = page_event,
                                           .on_attach = page_attached,
                                           .on_detach = page_detached,
                                           .on_message = page_heard,
                                           .on_room = page_event,
                                           .on_restore = page_restored,
                                           .on_topic = page_topic,
                                           .on_command = page_command,
                                           .on_close = page_detached,
                                           .on_over = page_over,
                                           .on_stream = page_stream,
                                           .on_stream_data = page_stream_data,
                                           .on_stream_room = page_stream_event};
    if (argc < 3)
        return 2;
    options.threads = (unsigned)atoi(argv[1]);
    seed = (unsigned)atoi(argv[2]);
    options.settings = (const char *const *)argv + 3;
    if (seed % 2)
        options.on_access = on_access;
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "restless: %s\n", why);
        return 1;
    }
    httpsocket_server_route(server, "/request", handle, NULL);
    httpsocket_server_endpoint(server, "/peer", &peer);
    httpsocket_server_page(server, "/page", &page);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    if (pthread_create(&thread, NULL, foreign, &ended))
        return 1;
    int error = httpsocket_server_run(server);
    ended = true;
    pthread_join(thread, NULL);
    httpsocket_server_free(server);
    fprintf(stderr, "met: %d requests, %d peers, %d pages, %d streams\n", requests, peers, attached,
            streams);
    if (peers_left || pages_left)
        fprintf(stderr, "left: %d peers, %d pages\n", peers_left, pages_left);
    return error ? 1 : peers_left || pages_left ? 3 : 0;
}
