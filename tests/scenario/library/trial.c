/* SPDX-License-Identifier: MIT */
/* trial.c - a server by the library that does a bit of everything, for library.test.mjs.
 *
 *     trial THREADS FOLDER [SETTING...]
 *
 * Its exit status is 3 if a peer was left without on_close, or a page without on_over. */
#include <httpsocket/server.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct httpsocket_server *server;
static atomic_int gone, peers, pages, published, ended_late;

static void on_signal(int number)
{
    httpsocket_server_stop(server, number == SIGINT ? 0 : 5000);
}

static void answer(struct httpsocket_request *r, int status, const char *text)
{
    httpsocket_request_answer(r, status, "text/plain", text, strlen(text));
}

static void answer_number(struct httpsocket_request *r, int status, long long number)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", number);
    answer(r, status, text);
}

/* ---- requests ---- */

static void describe(struct httpsocket_request *r, void *user)
{
    char text[1000], address[100];
    size_t size;
    const char *agent = httpsocket_request_header(r, "user-agent", &size);
    httpsocket_request_address(r, address, sizeof(address));
    httpsocket_request_add(r, "X-Trial", "a value");
    int bad = httpsocket_request_add(r, "X-Bad", "a\r\nb: c");
    int own = httpsocket_request_add(r, "Content-Length", "7");
    snprintf(text, sizeof(text), "%s %s ?%s id=%s rest=%s agent=%.*s from=%s bad=%d own=%d %s",
             httpsocket_request_method(r), httpsocket_request_path(r), httpsocket_request_query(r),
             httpsocket_request_param(r, "id"),
             httpsocket_request_param(r, "rest") ? httpsocket_request_param(r, "rest") : "-",
             (int)size, agent ? agent : "", address, bad == -EINVAL, own == -EINVAL,
             (const char *)user);
    answer(r, 200, text);
}

static void on_whole(struct httpsocket_request *r, int error, const void *data, size_t size,
                     void *arg)
{
    (void)data, (void)arg;
    if (error == -EPIPE)
        ended_late++;
    answer_number(r, error == -EMSGSIZE ? 413 : error ? 500 : 200, (long long)size);
}

static void read_whole(struct httpsocket_request *r, void *user)
{
    (void)user;
    httpsocket_request_read(r, 100000, on_whole, NULL);
}

struct sum {
    long long bytes;
    struct httpsocket_request *request;
    struct httpsocket_timer *timer;
};

static void go_on(struct httpsocket_server *s, void *arg)
{
    struct sum *sum = arg;
    (void)s;
    sum->timer = NULL;
    httpsocket_request_resume(sum->request);
}

static void on_piece(struct httpsocket_request *r, int error, const void *data, size_t size,
                     void *arg)
{
    struct sum *sum = arg;
    (void)data;
    sum->bytes += (long long)size;
    if (!error && size) {
        httpsocket_request_pause(r); /* each piece waits for a turn */
        httpsocket_server_timer(server, 1, 0, go_on, sum, &sum->timer);
        return;
    }
    if (sum->timer)
        httpsocket_timer_stop(sum->timer);
    answer_number(r, error ? 500 : 200, sum->bytes);
    free(sum);
}

static void read_stream(struct httpsocket_request *r, void *user)
{
    (void)user;
    struct sum *sum = calloc(1, sizeof(*sum));
    sum->request = r;
    httpsocket_request_stream(r, on_piece, sum);
}

/* 30 MB, never more than the library takes. */
static void pour(struct httpsocket_request *r, void *arg)
{
    static const char block[65536];
    long *left = arg;
    while (*left > 0) {
        enum httpsocket_sent sent = httpsocket_request_write(r, block, sizeof(block));
        if (sent != HTTPSOCKET_REFUSED)
            *left -= (long)sizeof(block);
        if (sent != HTTPSOCKET_SENT)
            return;
    }
    free(left);
    httpsocket_request_end(r);
}

static void give_up(struct httpsocket_request *r, void *arg)
{
    gone++;
    free(arg);
    httpsocket_request_end(r);
}

static void flood(struct httpsocket_request *r, void *user)
{
    (void)user;
    long *left = malloc(sizeof(*left));
    *left = 480 * 65536;
    httpsocket_request_begin(r, 200, "application/octet-stream", HTTPSOCKET_LENGTH_UNKNOWN);
    httpsocket_request_on_room(r, pour, left);
    httpsocket_request_on_gone(r, give_up, left);
    pour(r, left);
}

/* Another thread works out the answer. */
static void finish(struct httpsocket_server *s, void *arg)
{
    struct httpsocket_request *r = arg;
    char text[40];
    snprintf(text, sizeof(text), "same thread: %d",
             httpsocket_server_thread(s) == (int)httpsocket_request_thread(r));
    answer(r, 200, text);
}

static void *work(void *arg)
{
    struct httpsocket_request *r = arg;
    httpsocket_server_post(server, httpsocket_request_thread(r), finish, r);
    return NULL;
}

static void in_thread(struct httpsocket_request *r, void *user)
{
    pthread_t thread;
    (void)user;
    if (pthread_create(&thread, NULL, work, r))
        answer(r, 500, "no thread");
    else
        pthread_detach(thread);
}

/* Answers a client that has gone: later, as a database would. */
static void answer_late(struct httpsocket_server *s, void *arg)
{
    (void)s;
    struct httpsocket_request *r = arg;
    size_t size;
    const char *header = httpsocket_request_header(r, "host", &size);
    if (httpsocket_request_is_gone(r) && !header && *httpsocket_request_path(r) == '/')
        ended_late++;
    answer(r, 200, "late");
}

static void went(struct httpsocket_request *r, void *arg)
{
    (void)arg;
    gone++;
    httpsocket_server_timer(server, 20, 0, answer_late, r, NULL);
}

static void wait_for_end(struct httpsocket_request *r, void *user)
{
    (void)user;
    httpsocket_request_on_gone(r, went, NULL);
}

/* Never answered: freed with the server. */
static void forget(struct httpsocket_request *r, void *user)
{
    (void)r, (void)user;
}

static void count(struct httpsocket_request *r, void *user)
{
    char text[100];
    (void)user;
    snprintf(text, sizeof(text), "gone=%d late=%d peers=%d published=%d pages=%d", gone, ended_late,
             peers, published, pages);
    answer(r, 200, text);
}

/* ---- access ---- */

static void decide(struct httpsocket_server *s, void *arg)
{
    size_t size;
    struct httpsocket_request *r = arg;
    const char *who = httpsocket_request_header(r, "authorization", &size);
    (void)s;
    if (who && size == 3 && memcmp(who, "yes", 3) == 0) {
        httpsocket_request_allow(r);
        return;
    }
    httpsocket_request_add(r, "WWW-Authenticate", "Bearer");
    answer(r, 401, "who are you?");
}

static void on_access(struct httpsocket_request *r)
{
    if (strncmp(httpsocket_request_path(r), "/secret", 7))
        httpsocket_request_allow(r);
    else
        httpsocket_server_timer(server, 5, 0, decide, r, NULL);
}

/* ---- peers ---- */

static int comes(struct httpsocket_request *r, void *user, void **peer_user)
{
    const char *query = httpsocket_request_query(r);
    (void)user, (void)peer_user;
    if (strcmp(query, "no") == 0)
        return 403;
    peers++;
    return 0;
}

static void leaves(struct httpsocket_peer *p, unsigned code, const char *reason, size_t size)
{
    (void)code, (void)reason, (void)size;
    peers--;
    if (httpsocket_peer_send(p, "x", 1, true) != HTTPSOCKET_REFUSED ||
        httpsocket_peer_subscribe(p, "late") != -EPIPE)
        abort();
}

static void echo(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    httpsocket_peer_send(p, data, size, text);
}

static void greet(struct httpsocket_peer *p)
{
    const char *chosen = httpsocket_peer_subprotocol(p);
    httpsocket_peer_send(p, chosen ? chosen : "none", chosen ? strlen(chosen) : 4, true);
}

static void close_at_once(struct httpsocket_peer *p)
{
    httpsocket_peer_send(p, "bye", 3, true);
    if (httpsocket_peer_close(p, 999, NULL) != -EINVAL)
        abort();
    httpsocket_peer_close(p, 4001, "not today");
    httpsocket_peer_close(p, 4002, "the second call");
}

static void close_on_message(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    (void)data, (void)size, (void)text;
    httpsocket_peer_close(p, 4003, "enough");
}

/* Until the library refuses; then as many as were taken, once everything has left. */
static void fill(struct httpsocket_peer *p)
{
    static const char block[10000];
    size_t taken = 0;
    while (httpsocket_peer_send(p, block, sizeof(block), false) != HTTPSOCKET_REFUSED)
        taken++;
    httpsocket_peer_set_user(p, (void *)taken);
}

static void tell(struct httpsocket_peer *p)
{
    char text[40];
    size_t taken = (size_t)httpsocket_peer_user(p);
    int size = snprintf(text, sizeof(text), "%zu", taken);
    if (taken)
        httpsocket_peer_send(p, text, (size_t)size, true);
    httpsocket_peer_set_user(p, NULL);
}

static void joins(struct httpsocket_peer *p)
{
    if (httpsocket_peer_subscribe(p, "a topic"))
        httpsocket_peer_subscribe(p, "news");
    httpsocket_peer_send(p, "joined", 6, true);
}

static void publishes(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    if (size == 5 && memcmp(data, "leave", 5) == 0)
        httpsocket_peer_unsubscribe(p, "news");
    else if (text)
        httpsocket_server_publish(server, "news", data, size);
    else
        httpsocket_server_publish_bytes(server, "news", data, size);
}

static void *publish_from_thread(void *arg)
{
    (void)arg;
    char text[20];
    for (int i = 0; i < 100; i++) {
        int size = snprintf(text, sizeof(text), "%d", i);
        while (httpsocket_server_publish(server, "news", text, (size_t)size) == -EAGAIN)
            continue;
        published++;
    }
    return NULL;
}

static void publish_hundred(struct httpsocket_request *r, void *user)
{
    pthread_t thread;
    (void)user;
    if (pthread_create(&thread, NULL, publish_from_thread, NULL) == 0)
        pthread_detach(thread);
    httpsocket_request_end(r);
}

/* ---- pages ---- */

static void page_begins(struct httpsocket_page *p, struct httpsocket_request *r)
{
    char text[200];
    size_t size;
    const char *cookie = httpsocket_request_header(r, "cookie", &size);
    int len = snprintf(text, sizeof(text), "page %s %s %.*s %d", httpsocket_request_method(r),
                       httpsocket_request_param(r, "id"), (int)size, cookie ? cookie : "",
                       httpsocket_page_is_direct(p));
    pages++;
    httpsocket_page_set_user(p, httpsocket_page_handler_user(p));
    if (!strcmp(httpsocket_request_query(r), "no")) {
        httpsocket_page_answer(p, 403, "text/plain", "no", 2);
        return;
    }
    httpsocket_page_add(p, "X-Page", "yes");
    httpsocket_page_answer(p, 200, "text/plain", text, (size_t)len);
    if (httpsocket_page_answer(p, 200, NULL, NULL, 0) >= 0)
        abort();
    httpsocket_page_emit(p, "early", "1"); /* waits for the document */
    httpsocket_page_subscribe(p, "pages");
}

static void page_opens(struct httpsocket_page *p, bool resumed)
{
    httpsocket_page_emit(p, "open", resumed ? "true" : "false");
}

static void page_hears(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    uint64_t call;
    char json[200];
    snprintf(json, sizeof(json), "%.*s", (int)m->size, (const char *)m->data);
    if (m->kind == HTTPSOCKET_CALL && !strcmp(m->name, "double")) {
        snprintf(json, sizeof(json), "%d", 2 * atoi(json));
        httpsocket_page_reply(p, m->call, json);
    } else if (m->kind == HTTPSOCKET_CALL) {
        httpsocket_page_refuse(p, m->call, "no such call");
    } else if (m->kind == HTTPSOCKET_ANSWER) {
        httpsocket_page_emit(p, "answered", json);
    } else if (m->kind != HTTPSOCKET_EVENT) {
        return;
    } else if (!strcmp(m->name, "ask")) {
        httpsocket_page_call(p, "question", "[1]", &call);
    } else if (!strcmp(m->name, "publish")) {
        httpsocket_page_publish(p, "pages", "news", json);
    } else if (!strcmp(m->name, "bad")) {
        if (httpsocket_page_emit(p, "x", "{") != -EINVAL ||
            httpsocket_page_emit(p, ".x", "1") != -EINVAL)
            abort();
        httpsocket_page_emit(p, "good", NULL);
    } else if (!strcmp(m->name, "end")) {
        httpsocket_page_close(p, "enough");
        httpsocket_page_close(p, "twice");
    } else {
        struct httpsocket_message echo = *m;
        echo.name = m->name;
        httpsocket_page_send(p, &echo);
    }
}

static void page_topic(struct httpsocket_page *p, const struct httpsocket_topic_event *event)
{
    char json[200];
    snprintf(json, sizeof(json), "[\"%s\",\"%s\",%.*s]", event->topic, event->name,
             (int)event->size, (const char *)event->data);
    httpsocket_page_emit(p, "topic", json);
}

static void page_over(struct httpsocket_page *p)
{
    if (httpsocket_page_user(p) != (void *)&pages ||
        httpsocket_page_emit(p, "late", NULL) != -ENOTCONN)
        abort();
    pages--;
}

static void add_pages(const char *path)
{
    static const struct httpsocket_page_handler handler = {
        .size = sizeof(handler),
        .user = &pages,
        .on_request = page_begins,
        .on_attach = page_opens,
        .on_message = page_hears,
        .on_topic = page_topic,
        .on_over = page_over,
    };
    int error = httpsocket_server_page(server, path, &handler);
    if (error)
        abort();
}

/* ---- the whole ---- */

static void check(int error)
{
    if (!error)
        return;
    fprintf(stderr, "trial: %s\n", strerror(-error));
    exit(1);
}

static void expect(int error, int expected)
{
    if (error != expected)
        check(error ? error : -EPROTO);
}

static void add_endpoint(const char *path, void (*opens)(struct httpsocket_peer *),
                         void (*hears)(struct httpsocket_peer *, const void *, size_t, bool))
{
    struct httpsocket_endpoint e = {.size = sizeof(e),
                                    .subprotocols = "v2 v1",
                                    .message_max = 1000,
                                    .queue_max = 1 << 18,
                                    .on_request = comes,
                                    .on_open = opens,
                                    .on_message = hears,
                                    .on_drain = tell,
                                    .on_close = leaves};
    check(httpsocket_server_endpoint(server, path, &e));
}

static void add_routes(const char *folder)
{
    check(httpsocket_server_route(server, "/things/{id}", describe, "any"));
    check(httpsocket_server_route(server, "GET /things/{id}", describe, "get"));
    check(httpsocket_server_route(server, "GET /things/{id}/{rest...}", describe, "rest"));
    check(httpsocket_server_route(server, "GET /things/own", describe, "own"));
    expect(httpsocket_server_route(server, "GET /things/{other}", describe, ""), -EEXIST);
    expect(httpsocket_server_route(server, "GET things", describe, ""), -EINVAL);
    expect(httpsocket_server_route(server, "GET /a/{b...}/c", describe, ""), -EINVAL);
    expect(httpsocket_server_route(server, "GET /.httpsocket/x", describe, ""), -EINVAL);
    check(httpsocket_server_route(server, "POST /whole", read_whole, NULL));
    check(httpsocket_server_route(server, "POST /stream", read_stream, NULL));
    check(httpsocket_server_route(server, "GET /flood", flood, NULL));
    check(httpsocket_server_route(server, "GET /thread", in_thread, NULL));
    check(httpsocket_server_route(server, "GET /wait", wait_for_end, NULL));
    check(httpsocket_server_route(server, "POST /wait", wait_for_end, NULL));
    check(httpsocket_server_route(server, "GET /never", forget, NULL));
    check(httpsocket_server_route(server, "GET /counts", count, NULL));
    check(httpsocket_server_route(server, "GET /secret/{id}", describe, "secret"));
    check(httpsocket_server_route(server, "POST /publish", publish_hundred, NULL));
    check(httpsocket_server_folder(server, "/files", folder));
    expect(httpsocket_server_folder(server, "/none", "/there/is/none"), -ENOENT);
    add_pages("/page/{id}");
    add_pages("/secret/page/{id}");
    add_endpoint("/echo", greet, echo);
    add_endpoint("/secret", greet, echo);
    add_endpoint("/closed", close_at_once, NULL);
    add_endpoint("/closes", NULL, close_on_message);
    add_endpoint("/fill", fill, NULL);
    add_endpoint("/topic", joins, publishes);
}

int main(int argc, char **argv)
{
    char why[200];
    if (argc < 3)
        return 2;
    struct httpsocket_server_options options = {.size = sizeof(options),
                                                .listen = "127.0.0.1:0",
                                                .threads = (unsigned)atoi(argv[1]),
                                                .settings = (const char *const *)argv + 3,
                                                .on_access = on_access};
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "trial: %s\n", why);
        return 1;
    }
    add_routes(argv[2]);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error ? 1 : peers || pages ? 3 : 0;
}
