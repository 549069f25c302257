/* uv.c - a server inside of a program that lives in a libuv loop.
 *
 * usage: uv [ADDR:PORT]        cc uv.c $(pkg-config --cflags --libs httpsocket libuv) */
#include <httpsocket/server.h>

#include <stdio.h>
#include <uv.h>

static uv_poll_t ready;
static uv_signal_t ends;
static uv_timer_t clock_timer;

/* Answers when a timer of libuv fires: outside of the library's callbacks. */
static struct httpsocket_request *waiting;

static void on_clock(uv_timer_t *timer)
{
    (void)timer;
    if (waiting)
        httpsocket_request_answer(waiting, 200, "text/plain", "at last\n", 8);
    waiting = NULL;
}

static void later(struct httpsocket_request *r, void *user)
{
    (void)user;
    if (waiting) {
        httpsocket_request_answer(r, 503, "text/plain", "one at a time\n", 14);
        return;
    }
    waiting = r;
    uv_timer_start(&clock_timer, on_clock, 10, 0);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    if (httpsocket_server_process(poll->data, 0) == 0)
        return;
    uv_poll_stop(&ready);
    uv_close((uv_handle_t *)&ready, NULL);
    uv_close((uv_handle_t *)&ends, NULL);
    uv_close((uv_handle_t *)&clock_timer, NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    httpsocket_server_stop(signal->data, 5000);
}

int main(int argc, char **argv)
{
    char why[200];
    struct httpsocket_server_options options = {.size = sizeof(options)};
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    struct httpsocket_server *server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "uv: %s\n", why);
        return 1;
    }
    httpsocket_server_route(server, "GET /later", later, NULL);
    uv_loop_t *loop = uv_default_loop();
    uv_timer_init(loop, &clock_timer);
    uv_signal_init(loop, &ends);
    ends.data = server;
    uv_signal_start(&ends, on_signal, SIGTERM);
    uv_poll_init(loop, &ready, httpsocket_server_fd(server));
    ready.data = server;
    uv_poll_start(&ready, UV_READABLE, on_ready);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    httpsocket_server_free(server);
    return 0;
}
