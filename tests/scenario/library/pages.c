/* SPDX-License-Identifier: MIT */
/* pages.c - pages of the server library, each path with a handler that a test wants.
 *
 *   /talk    tells what it hears as events `told`; answers calls, now and later; obeys
 *   /echo    sends back what it hears
 *   /keep    saves what it hears, and tells what a page before it has saved
 *   /slow    streams its answer, by a timer
 *   /flood   sends until it is told to wait, and on when there is room
 */
#include <httpsocket/server.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct httpsocket_server *server;
static struct httpsocket_page *kept; /* of the call that is answered later */
static uint64_t kept_call;
static atomic_int pages_now;

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 1000);
}

static void answer(struct httpsocket_page *p, struct httpsocket_request *r)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "<title>%s %s %s</title>", httpsocket_request_method(r),
                       httpsocket_request_path(r),
                       httpsocket_request_param(r, "id") ? httpsocket_request_param(r, "id") : "-");
    pages_now++;
    if (strcmp(httpsocket_request_query(r), "no") == 0)
        httpsocket_page_answer(p, 401, NULL, "no", 2);
    else
        httpsocket_page_answer(p, 200, "text/html", text, (size_t)len);
}

static void over(struct httpsocket_page *p)
{
    (void)p;
    pages_now--;
}

static void closed(struct httpsocket_page *p, const char *reason)
{
    (void)p;
    fprintf(stderr, "closed %s\n", reason);
}

static void tell(struct httpsocket_page *p, const char *what, const char *more, size_t size)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s %.*s", what, (int)size, more);
    httpsocket_page_emit_text(p, "told", text, (size_t)len);
}

static void opened(struct httpsocket_page *p, bool resumed)
{
    tell(p, "open", resumed ? "resumed" : "", resumed ? 7 : 0);
}

static void lost(struct httpsocket_page *p, const char *reason)
{
    tell(p, "lost", reason, strlen(reason));
}

static void answer_later(struct httpsocket_server *s, void *arg)
{
    char text[32];
    (void)s, (void)arg;
    if (!kept)
        return;
    snprintf(text, sizeof(text), "later: %d", httpsocket_page_reply(kept, kept_call, "\"late\""));
    fprintf(stderr, "%s\n", text);
    httpsocket_page_release(kept);
    kept = NULL;
}

static void called(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    if (strcmp(m->name, "parts") == 0) {
        struct httpsocket_message part = {
            .kind = HTTPSOCKET_PART, .call = m->call, .data = "1", .size = 1};
        httpsocket_page_send(p, &part);
        part.data = "null";
        part.size = 4;
        httpsocket_page_send(p, &part);
        httpsocket_page_reply(p, m->call, "2");
    } else if (strcmp(m->name, "later") == 0) {
        kept = p;
        kept_call = m->call;
        httpsocket_page_hold(p);
        httpsocket_server_timer(server, 50, 0, answer_later, NULL, NULL);
    } else if (strcmp(m->name, "pages") == 0) {
        char text[32];
        snprintf(text, sizeof(text), "%d", pages_now);
        httpsocket_page_reply(p, m->call, text);
    } else {
        httpsocket_page_refuse(p, m->call, "no such call");
    }
}

static void leaves(struct httpsocket_page *p)
{
    pages_now--; /* no callback follows */
    httpsocket_page_leave(p);
}

static void heard(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    uint64_t call;
    char *json = strndup(m->data, m->size);
    if (m->kind == HTTPSOCKET_CALL)
        called(p, m);
    else if (m->kind != HTTPSOCKET_EVENT)
        tell(p, "answer", m->data, m->size);
    else if (strcmp(m->name, "close") == 0)
        httpsocket_page_close(p, "enough");
    else if (strcmp(m->name, "leave") == 0)
        leaves(p);
    else if (strcmp(m->name, "ask") == 0)
        httpsocket_page_call(p, "question", json, &call);
    else if (strcmp(m->name, "join") == 0)
        httpsocket_page_subscribe(p, "room");
    else if (strcmp(m->name, "say") == 0)
        httpsocket_page_publish(p, "room", "said", json);
    else
        tell(p, m->name, m->data, m->size);
    free(json);
}

static void topic(struct httpsocket_page *p, const struct httpsocket_topic_event *e)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%s %s %.*s%s", e->topic, e->lost ? "lost" : e->name,
                       (int)e->size, (const char *)e->data, e->self ? " self" : "");
    tell(p, "topic", text, (size_t)len);
}

static void stream(struct httpsocket_page *p, uint32_t number, const char *name, const void *json,
                   size_t size)
{
    (void)json, (void)size;
    if (strcmp(name, "up") == 0)
        httpsocket_page_stream_accept(p, number, "{\"ok\":1}");
    else
        httpsocket_page_stream_reset(p, number, "not-wanted");
}

/* Sends back what it gets, in capitals, as much as there is room for; a test sends little. */
static void stream_data(struct httpsocket_page *p, uint32_t number, const void *data, size_t size)
{
    if (size == 0)
        httpsocket_page_stream_end(p, number);
    else
        httpsocket_page_stream_write(p, number, data, size);
}

static void echo(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    httpsocket_page_send(p, m);
}

/* ---- a flood ---- */

struct flood {
    long sent;
};

static void keep(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    char json[100];
    snprintf(json, sizeof(json), "%.*s", (int)m->size, (const char *)m->data);
    if (strcmp(m->name, "bytes") == 0)
        httpsocket_page_save_bytes(p, "\0\"\xff", 3);
    else
        httpsocket_page_command(p, "save", json);
}

static void restored(struct httpsocket_page *p, const char *why, uint64_t resent, const void *state,
                     size_t size, bool bytes)
{
    char json[200];
    snprintf(json, sizeof(json), "[\"%s\",%d,%s,%.*s]", why, (int)resent, bytes ? "true" : "false",
             bytes ? 1 : (int)size, bytes ? "0" : (const char *)state);
    httpsocket_page_emit(p, "restored", json);
    if (!bytes)
        return;
    struct httpsocket_message m = {.name = "bytes", .bytes = true, .data = state, .size = size};
    httpsocket_page_send(p, &m);
}

static void go_on(struct httpsocket_page *p)
{
    char text[32];
    struct flood *f = httpsocket_page_user(p);
    while (f->sent < 20000) {
        snprintf(text, sizeof(text), "%ld", f->sent);
        int sent = httpsocket_page_emit(p, "n", text);
        if (sent < 0)
            return;
        f->sent++;
    }
}

static void flood_begins(struct httpsocket_page *p, struct httpsocket_request *r)
{
    httpsocket_page_set_user(p, calloc(1, sizeof(struct flood)));
    answer(p, r);
    go_on(p);
}

static void flood_ends(struct httpsocket_page *p)
{
    free(httpsocket_page_user(p));
    over(p);
}

/* ---- a slow answer ---- */

static void write_more(struct httpsocket_server *s, void *arg)
{
    struct httpsocket_page *p = arg;
    (void)s;
    httpsocket_page_write(p, "<p>second", 9);
    httpsocket_page_end(p);
    httpsocket_page_release(p);
}

static void slow(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)r;
    pages_now++;
    httpsocket_page_begin(p, 200, "text/html", HTTPSOCKET_LENGTH_UNKNOWN);
    httpsocket_page_write(p, "<p>first", 8);
    httpsocket_page_hold(p);
    httpsocket_server_timer(server, 50, 0, write_more, p, NULL);
}

static void body(struct httpsocket_page *p, const void *data, size_t size)
{
    (void)data;
    size_t total = (size_t)httpsocket_page_user(p) + size;
    httpsocket_page_set_user(p, (void *)total);
    if (size)
        return;
    char text[32];
    int len = snprintf(text, sizeof(text), "%zu", total);
    httpsocket_page_answer(p, 200, "text/html", text, (size_t)len);
}

static void wait_for_body(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)p, (void)r;
    pages_now++;
}

int main(int argc, char **argv)
{
    char why[256];
    struct httpsocket_page_handler talk = {.size = sizeof(talk),
                                           .on_request = answer,
                                           .on_attach = opened,
                                           .on_detach = lost,
                                           .on_message = heard,
                                           .on_topic = topic,
                                           .on_stream = stream,
                                           .on_stream_data = stream_data,
                                           .on_close = closed,
                                           .on_over = over};
    struct httpsocket_page_handler echoes = {.size = sizeof(echoes),
                                             .on_request = answer,
                                             .on_message = echo,
                                             .on_close = closed,
                                             .on_over = over};
    struct httpsocket_page_handler keeps = {.size = sizeof(keeps),
                                            .on_request = answer,
                                            .on_message = keep,
                                            .on_restore = restored,
                                            .on_over = over};
    struct httpsocket_page_handler floods = {.size = sizeof(floods),
                                             .on_request = flood_begins,
                                             .on_room = go_on,
                                             .on_over = flood_ends};
    struct httpsocket_page_handler slows = {
        .size = sizeof(slows), .on_request = slow, .on_close = closed, .on_over = over};
    struct httpsocket_page_handler posts = {.size = sizeof(posts),
                                            .on_request = wait_for_body,
                                            .on_body = body,
                                            .on_close = closed,
                                            .on_over = over};
    const char *settings[] = {"log-level=info", "buffer-max=64K", argc > 3 ? argv[3] : NULL, NULL};
    struct httpsocket_server_options options = {.size = sizeof(options),
                                                .listen = argc > 1 ? argv[1] : "127.0.0.1:0",
                                                .threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
                                                .settings = settings};
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "pages: %s\n", why);
        return 1;
    }
    if (httpsocket_server_page(server, "/talk/{id}", &talk) ||
        httpsocket_server_page(server, "/echo", &echoes) ||
        httpsocket_server_page(server, "/keep", &keeps) ||
        httpsocket_server_page(server, "/flood", &floods) ||
        httpsocket_server_page(server, "/slow", &slows) ||
        httpsocket_server_page(server, "/post", &posts))
        return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    fprintf(stderr, "left %d\n", pages_now);
    return error != 0;
}
