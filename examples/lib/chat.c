/* chat.c - rooms to talk in, for as many people as the machine has descriptors: `ulimit -n` first.
 *
 * usage: chat [ADDR:PORT [THREADS]]        cc chat.c $(pkg-config --cflags --libs httpsocket)
 *
 * Whoever opens http://localhost:8080/ROOM is in ROOM. Each thread serves its share of the people;
 * a message goes to each of them once, however many threads there are. */
#include <httpsocket/server.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page[] =
    "<!doctype html><title>chat</title><ul id=log></ul><form><input id=line autofocus></form>"
    "<script>"
    "const chat = new WebSocket('ws' + location.href.slice(4));"
    "chat.onmessage = m => { const li = document.createElement('li'); li.textContent = m.data;"
    " log.append(li) };"
    "document.forms[0].onsubmit = () => (chat.send(line.value), line.value = '', false)"
    "</script>\n";

static struct httpsocket_server *server;

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 5000);
}

static void show(struct httpsocket_request *r, void *user)
{
    (void)user;
    httpsocket_request_answer(r, 200, "text/html; charset=utf-8", page, sizeof(page) - 1);
}

/* The room's name is the topic; names that are no topics are refused by on_open. */
static int comes(struct httpsocket_request *r, void *user, void **peer_user)
{
    (void)user;
    *peer_user = strdup(httpsocket_request_param(r, "room"));
    return *peer_user ? 0 : 503;
}

static void opens(struct httpsocket_peer *p)
{
    if (httpsocket_peer_subscribe(p, httpsocket_peer_user(p)) < 0)
        httpsocket_peer_close(p, 4000, "no such room");
}

static void says(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    int error = text ? httpsocket_server_publish(server, httpsocket_peer_user(p), data, size)
                     : 0; /* nobody can read bytes */
    if (error < 0)
        httpsocket_peer_close(p, 1013, "too much is said");
}

static void leaves(struct httpsocket_peer *p, unsigned code, const char *reason, size_t size)
{
    (void)code, (void)reason, (void)size;
    free(httpsocket_peer_user(p));
}

int main(int argc, char **argv)
{
    char why[200];
    struct httpsocket_server_options options = {.size = sizeof(options)};
    struct httpsocket_endpoint chat = {.size = sizeof(chat),
                                       .message_max = 4096,
                                       .on_request = comes,
                                       .on_open = opens,
                                       .on_message = says,
                                       .on_close = leaves};
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    options.threads = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    options.peers_per_client = 100000; /* many people behind one proxy */
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "chat: %s\n", why);
        return 1;
    }
    httpsocket_server_route(server, "GET /{room}", show, NULL);
    httpsocket_server_endpoint(server, "/{room}", &chat);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error ? 1 : 0;
}
