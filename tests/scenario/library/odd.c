/* SPDX-License-Identifier: MIT */
/* odd.c - a server by the library whose program does odd things, for library-odd.test.mjs.
 *
 *     odd HOW [SETTING...]
 *
 * HOW `here`: the server runs in the thread that has made it; `elsewhere`: in another one; `again`:
 * here, with work that never ends */
#include <httpsocket/server.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct httpsocket_server *server;

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 5000);
}

static void expect(const char *what, int error, int expected)
{
    if (error == expected)
        return;
    fprintf(stderr, "odd: %s: %d, not %d\n", what, error, expected);
    exit(1);
}

/* ---- requests ---- */

struct waiting {
    struct httpsocket_request *request;
    struct httpsocket_timer *timer;
};

static void answer_waiting(struct httpsocket_server *s, void *arg)
{
    struct waiting *w = arg;
    (void)s;
    httpsocket_timer_stop(w->timer);
    httpsocket_request_answer(w->request, 200, "text/plain", "stopped", 7);
    free(w);
}

static void wait_once(struct httpsocket_request *r, void *user)
{
    struct waiting *w = malloc(sizeof(*w));
    (void)user;
    w->request = r;
    httpsocket_server_timer(server, 1, 0, answer_waiting, w, &w->timer);
}

static void refuse(struct httpsocket_request *r, void *user)
{
    (void)user;
    if (!httpsocket_request_header(r, "host", NULL) || httpsocket_request_header(r, NULL, NULL) ||
        httpsocket_request_param(r, NULL))
        abort();
    expect("a field without a name", httpsocket_request_add(r, NULL, "1"), -EINVAL);
    expect("a field without a value", httpsocket_request_add(r, "X", NULL), -EINVAL);
    httpsocket_request_answer(r, 413, NULL, NULL, 0);
}

static void allow(struct httpsocket_server *s, void *arg)
{
    (void)s;
    httpsocket_request_allow(arg);
}

static void on_access(struct httpsocket_request *r)
{
    httpsocket_server_timer(server, 1, 0, allow, r, NULL);
}

/* ---- peers ---- */

static void subscribe(struct httpsocket_peer *p, const void *data, size_t size, bool is_text)
{
    char topic[100], text[100];
    (void)is_text;
    snprintf(topic, sizeof(topic), "%.*s", (int)size, (const char *)data);
    int error = httpsocket_peer_subscribe(p, topic);
    int len = snprintf(text, sizeof(text), "%s: %d", topic, error);
    httpsocket_peer_send(p, text, (size_t)len, true);
}

static void unsubscribed(struct httpsocket_peer *p, const char *topic)
{
    char text[100];
    int len = snprintf(text, sizeof(text), "%s: lost", topic);
    httpsocket_peer_send(p, text, (size_t)len, true);
}

/* ---- pages ---- */

static void page_asked(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)r;
    expect("a field before the answer", httpsocket_page_add(p, "X-Early", "1"), 0);
    expect("a field with a line of its own", httpsocket_page_add(p, "X", "1\r\nY: 2"), -EINVAL);
    httpsocket_page_answer(p, 200, "text/plain", "page", 4);
    expect("a field after the answer", httpsocket_page_add(p, "X-Late", "1"), -EALREADY);
    expect("a second answer", httpsocket_page_answer(p, 200, NULL, NULL, 0), -EALREADY);
}

static void page_attached(struct httpsocket_page *p, bool resumed)
{
    char name[130];
    (void)resumed;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct httpsocket_message m = {.kind = HTTPSOCKET_CALL, .name = name, .call = 1};
    expect("no message", httpsocket_page_send(p, NULL), -EINVAL);
    expect("a call by a long name", httpsocket_page_send(p, &m), -EINVAL);
    expect("an event without a name", httpsocket_page_emit(p, NULL, "1"), -EINVAL);
    expect("a command without a name", httpsocket_page_command(p, NULL, "1"), -EINVAL);
    expect("a topic without a name", httpsocket_page_subscribe(p, NULL), -EINVAL);
    expect("the same at its end", httpsocket_page_unsubscribe(p, NULL), -EINVAL);
    expect("the same, published", httpsocket_page_publish(p, NULL, "x", NULL), -EINVAL);
    expect("a call whose number nobody wants", httpsocket_page_call(p, "q", NULL, NULL), 0);
}

static void answers_as_a_route(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)p;
    httpsocket_request_answer(r, 200, NULL, NULL, 0);
}

/* ---- work that never ends ---- */

static void again(struct httpsocket_server *s, void *arg)
{
    int error = httpsocket_server_post(s, 0, again, arg);
    if (error)
        fprintf(stderr, "again: %d\n", error);
}

/* ---- the whole ---- */

static void serve_nothing(void)
{
    struct httpsocket_endpoint endpoint = {.size = sizeof(endpoint)};
    struct httpsocket_page_handler page = {.size = sizeof(page), .on_request = page_asked};
    expect("a route of nothing", httpsocket_server_route(NULL, "/", wait_once, NULL), -EINVAL);
    expect("a folder of nothing", httpsocket_server_folder(NULL, "/", "/"), -EINVAL);
    expect("an endpoint of nothing", httpsocket_server_endpoint(NULL, "/", &endpoint), -EINVAL);
    expect("a page of nothing", httpsocket_server_page(NULL, "/", &page), -EINVAL);
    expect("work of nothing", httpsocket_server_post(NULL, 0, allow, NULL), -EINVAL);
    expect("a timer of nothing", httpsocket_server_timer(NULL, 0, 0, allow, NULL, NULL), -EINVAL);
    expect("news of nothing", httpsocket_server_publish(NULL, "a", "x", 1), -EINVAL);
    expect("nothing starts", httpsocket_server_start(NULL), -EINVAL);
    expect("nothing runs", httpsocket_server_run(NULL), -EINVAL);
    expect("nothing goes on", httpsocket_server_process(NULL, 0), -EINVAL);
    expect("nothing is waited for", httpsocket_server_fd(NULL), -EINVAL);
    httpsocket_server_stop(NULL, 0);
    httpsocket_server_free(NULL);
    if (httpsocket_server_address(NULL, 0))
        abort();
}

static void add_nothing(void)
{
    struct httpsocket_endpoint no_topic = {.size = sizeof(no_topic), .topic = "no topic"};
    struct httpsocket_page_handler no_page = {.size = sizeof(no_page)};
    expect("no folder", httpsocket_server_folder(server, "/x", NULL), -EINVAL);
    expect("no prefix", httpsocket_server_folder(server, NULL, "/"), -EINVAL);
    expect("no topic", httpsocket_server_endpoint(server, "/x", &no_topic), -EINVAL);
    expect("no endpoint", httpsocket_server_endpoint(server, "/x", NULL), -EINVAL);
    expect("no page", httpsocket_server_page(server, "/x", NULL), -EINVAL);
    expect("an empty page", httpsocket_server_page(server, "/x", &no_page), -EINVAL);
    expect("no handler", httpsocket_server_route(server, "/x", NULL, NULL), -EINVAL);
    expect("no work", httpsocket_server_post(server, 0, NULL, NULL), -EINVAL);
    expect("no work later", httpsocket_server_timer(server, 1, 0, NULL, NULL, NULL), -EINVAL);
    expect("no topic", httpsocket_server_publish(server, NULL, "x", 1), -EINVAL);
    httpsocket_timer_stop(NULL);
    if (httpsocket_server_new(NULL, NULL, 0))
        abort();
}

static void add_routes(void)
{
    struct httpsocket_endpoint topics = {
        .size = sizeof(topics), .on_message = subscribe, .on_unsubscribed = unsubscribed};
    struct httpsocket_endpoint all = {.size = sizeof(all), .topic = "all"};
    struct httpsocket_page_handler page = {
        .size = sizeof(page), .on_request = page_asked, .on_attach = page_attached};
    struct httpsocket_page_handler wrong = {.size = sizeof(wrong),
                                            .on_request = answers_as_a_route};
    add_nothing();
    serve_nothing();
    expect("/timer", httpsocket_server_route(server, "GET /timer", wait_once, NULL), 0);
    expect("/refuse", httpsocket_server_route(server, "POST /refuse", refuse, NULL), 0);
    expect("/topics", httpsocket_server_endpoint(server, "/topics", &topics), 0);
    expect("/all", httpsocket_server_endpoint(server, "/all", &all), 0);
    expect("/page", httpsocket_server_page(server, "/page", &page), 0);
    expect("/wrong", httpsocket_server_page(server, "/wrong", &wrong), 0);
}

static void *run(void *arg)
{
    (void)arg;
    if (httpsocket_server_run(server))
        abort();
    return NULL;
}

/* ---- in another thread than its maker's, who is a stranger to it then ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool started;

static void on_start(struct httpsocket_server *s, unsigned thread)
{
    (void)s, (void)thread;
    pthread_mutex_lock(&lock);
    started = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void run_elsewhere(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL))
        abort();
    pthread_mutex_lock(&lock);
    while (!started)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    fprintf(stderr, "thread %d\n", httpsocket_server_thread(server));
    expect("a timer", httpsocket_server_timer(server, 0, 0, allow, NULL, NULL), -EPERM);
    expect("news", httpsocket_server_publish(server, "news", "x", 1), 0);
    fflush(stdout);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    char why[200];
    if (argc < 2)
        return 2;
    bool elsewhere = !strcmp(argv[1], "elsewhere");
    struct httpsocket_server_options options = {.size = sizeof(options),
                                                .listen = "127.0.0.1:0",
                                                .settings = (const char *const *)argv + 2,
                                                .on_start = on_start,
                                                .on_access = on_access};
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "odd: %s\n", why);
        return 1;
    }
    add_routes();
    signal(SIGTERM, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    if (!strcmp(argv[1], "again"))
        again(server, NULL);
    if (elsewhere)
        run_elsewhere();
    else
        run(NULL);
    httpsocket_server_free(server);
    return 0;
}
