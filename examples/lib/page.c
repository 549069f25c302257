/* page.c - a page whose program is C functions in this process: buttons that all visitors share.
 *
 * usage: page [ADDR:PORT]      cc page.c $(pkg-config --cflags --libs httpsocket)
 *
 * Open http://localhost:8080/ in two windows. The page needs no script of its own: the program
 * listens to the button, and writes into the document. */
#include <httpsocket/server.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char document[] =
    "<!doctype html>\n"
    "<title>counter</title>\n"
    "<script src='/.httpsocket/client.js'></script>\n"
    "<p><button id='up'>one more</button> <output id='count'></output>\n";

static struct httpsocket_server *server;
static long count; /* the server has one thread */

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 5000);
}

static void show(struct httpsocket_page *p)
{
    char json[100];
    snprintf(json, sizeof(json), "{\"select\":\"#count\",\"text\":\"%ld\"}", count);
    httpsocket_page_command(p, "dom", json);
}

static void on_request(struct httpsocket_page *p, struct httpsocket_request *r)
{
    (void)r;
    httpsocket_page_answer(p, 200, "text/html; charset=utf-8", document, sizeof(document) - 1);
    httpsocket_page_command(p, "listen", "{\"on\":\"click\",\"select\":\"#up\"}");
    httpsocket_page_subscribe(p, "count");
}

static void on_attach(struct httpsocket_page *p, bool resumed)
{
    (void)resumed;
    show(p);
}

/* `click` of the button; `add` of whoever calls, such as `httpsocket call URL add 5`. */
static void on_message(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    long more = 1;
    char json[30];
    if (m->kind != HTTPSOCKET_EVENT && m->kind != HTTPSOCKET_CALL)
        return;
    if (m->kind == HTTPSOCKET_CALL) {
        snprintf(json, sizeof(json), "%.*s", (int)m->size, (const char *)m->data);
        if (strcmp(m->name, "add") || sscanf(json, "%ld", &more) != 1) {
            httpsocket_page_refuse(p, m->call, "add N, please");
            return;
        }
    }
    count += more;
    snprintf(json, sizeof(json), "%ld", count);
    if (m->kind == HTTPSOCKET_CALL)
        httpsocket_page_reply(p, m->call, json);
    httpsocket_page_publish(p, "count", "count", json);
}

static void on_topic(struct httpsocket_page *p, const struct httpsocket_topic_event *event)
{
    (void)event;
    show(p);
}

int main(int argc, char **argv)
{
    char why[200];
    struct httpsocket_server_options options = {.size = sizeof(options)};
    struct httpsocket_page_handler page = {.size = sizeof(page),
                                           .on_request = on_request,
                                           .on_attach = on_attach,
                                           .on_message = on_message,
                                           .on_topic = on_topic};
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "page: %s\n", why);
        return 1;
    }
    httpsocket_server_page(server, "/", &page);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error ? 1 : 0;
}
