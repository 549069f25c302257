/* echo.c - a WebSocket echo server in the ten lines that it takes, and a page beside it.
 *
 * usage: echo [ADDR:PORT]          cc echo.c $(pkg-config --cflags --libs httpsocket) -o echo */
#include <httpsocket/server.h>

#include <signal.h>
#include <stdio.h>

static struct httpsocket_server *server;

static void on_signal(int number)
{
    (void)number;
    httpsocket_server_stop(server, 5000);
}

/* A client that sends and does not read has to wait. */
static void on_message(struct httpsocket_peer *p, const void *data, size_t size, bool text)
{
    if (httpsocket_peer_send(p, data, size, text) != HTTPSOCKET_SENT)
        httpsocket_peer_pause(p);
}

static void on_drain(struct httpsocket_peer *p)
{
    httpsocket_peer_resume(p);
}

static void hello(struct httpsocket_request *r, void *user)
{
    char text[300];
    (void)user;
    int size = snprintf(text, sizeof(text), "hello, %s\n", httpsocket_request_param(r, "name"));
    httpsocket_request_answer(r, 200, "text/plain; charset=utf-8", text,
                              size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

int main(int argc, char **argv)
{
    char why[200];
    struct httpsocket_server_options options = {.size = sizeof(options)};
    struct httpsocket_endpoint echo = {
        .size = sizeof(echo), .on_message = on_message, .on_drain = on_drain};
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "echo: %s\n", why);
        return 1;
    }
    httpsocket_server_endpoint(server, "/echo", &echo);
    httpsocket_server_route(server, "GET /hello/{name}", hello, NULL);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error ? 1 : 0;
}
