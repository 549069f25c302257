/* tally.c - a page and its program in C: clicks that are counted here, and a room to talk in.
 *
 * usage: tally [ADDR:PORT [THREADS [KEYFILE]]]
 *               cc tally.c $(pkg-config --cflags --libs httpsocket)
 *
 * The button has no script: this program listens to its clicks, and changes the document. The count
 * is saved in the page, and goes on after a restart with the same KEYFILE. What one page
 * says all pages hear, whatever thread they are on. */
#include <httpsocket/server.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char html[] =
    "<!doctype html><title>a page in C</title><script src=\"/.httpsocket/client.js\"></script>"
    "<h1>A page in C</h1>"
    "<p><button id=more>click</button> <output id=count>0</output></p>"
    "<ul id=log></ul><form id=talk><input name=line placeholder=\"say something\"></form>"
    "<script>"
    "const server = document.serverConnection;"
    "server.onsaid = text => { const li = document.createElement('li'); li.textContent = text;"
    " log.append(li) };"
    "talk.onsubmit = () => (server.send('say', talk.line.value), talk.reset(), false)"
    "</script>\n";

struct visit {
    long clicks;
};

static struct httpsocket_server *server;

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 5000);
}

static void asked(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)r;
    httpsocket_page_set_user(p, calloc(1, sizeof(struct visit)));
    httpsocket_page_answer(p, 200, "text/html; charset=utf-8", html, sizeof(html) - 1);
}

static void show_count(struct httpsocket_page *p)
{
    char text[32];
    struct visit *v = httpsocket_page_user(p);
    snprintf(text, sizeof(text), "%ld", v ? v->clicks : 0);
    httpsocket_page_set_text(p, "#count", text);
}

/* A page that comes again has what it had; a new one is told what is wanted of it. */
static void opened(struct httpsocket_page *p, bool resumed)
{
    if (resumed)
        return;
    httpsocket_page_command(p, "listen", "{\"on\":\"click\",\"select\":\"#more\",\"as\":\"more\"}");
    httpsocket_page_command(p, "subscribe", "{\"topic\":\"room\",\"history\":10,\"to\":\"page\"}");
    show_count(p);
}

static void restored(struct httpsocket_page *p, const char *why, uint64_t resent, const void *state,
                     size_t size, bool bytes)
{
    char text[32];
    struct visit *v = httpsocket_page_user(p);
    (void)why, (void)resent, (void)bytes; /* `clicked` saves JSON */
    snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)state);
    if (v)
        v->clicks = atol(text);
}

static void clicked(struct httpsocket_page *p)
{
    char text[32];
    struct visit *v = httpsocket_page_user(p);
    if (!v)
        return;
    snprintf(text, sizeof(text), "%ld", ++v->clicks);
    httpsocket_page_command(p, "save", text);
    show_count(p);
}

/* What was said is a JSON string already. */
static void said(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    char *json = strndup(m->data, m->size);
    if (json)
        httpsocket_page_publish(p, "room", "said", json);
    free(json);
}

static void heard(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    if (m->kind == HTTPSOCKET_CALL)
        httpsocket_page_refuse(p, m->call, "nothing is to be called here");
    else if (m->kind == HTTPSOCKET_EVENT && strcmp(m->name, "more") == 0)
        clicked(p);
    else if (m->kind == HTTPSOCKET_EVENT && strcmp(m->name, "say") == 0 && !m->bytes)
        said(p, m);
}

static void closed(struct httpsocket_page *p)
{
    free(httpsocket_page_user(p));
}

int main(int argc, char **argv)
{
    char why[256], key[512];
    const char *settings[] = {NULL, NULL};
    struct httpsocket_server_options options = {.size = sizeof(options), .settings = settings};
    struct httpsocket_page_handler page = {.size = sizeof(page),
                                           .on_request = asked,
                                           .on_attach = opened,
                                           .on_restore = restored,
                                           .on_message = heard,
                                           .on_over = closed};
    options.listen = argc > 1 ? argv[1] : NULL;
    options.threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (argc > 3) { /* a file with a key: states are taken by the next process, too */
        snprintf(key, sizeof(key), "state-key=%s", argv[3]);
        settings[0] = key;
    }
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server || httpsocket_server_page(server, "/", &page) < 0) {
        fprintf(stderr, "tally: %s\n", server ? "no page" : why);
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error != 0;
}
