/* glib.c - a server inside of a program that lives in a GLib main loop.
 *
 * usage: glib [ADDR:PORT]      cc glib.c $(pkg-config --cflags --libs httpsocket glib-2.0) */
#include <httpsocket/server.h>

#include <glib-unix.h>
#include <stdio.h>

static GMainLoop *loop;

static gboolean on_ready(gint fd, GIOCondition condition, gpointer server)
{
    (void)fd, (void)condition;
    if (httpsocket_server_process(server, 0) == 0)
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean on_signal(gpointer server)
{
    httpsocket_server_stop(server, 5000);
    return G_SOURCE_CONTINUE;
}

/* Publishes from GLib's own timer. */
static gboolean on_tick(gpointer server)
{
    httpsocket_server_publish(server, "ticks", "tick", 4);
    return G_SOURCE_CONTINUE;
}

static void joins(struct httpsocket_peer *p)
{
    httpsocket_peer_subscribe(p, "ticks");
}

int main(int argc, char **argv)
{
    char why[200];
    struct httpsocket_server_options options = {.size = sizeof(options)};
    struct httpsocket_endpoint ticks = {.size = sizeof(ticks), .on_open = joins};
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    struct httpsocket_server *server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        fprintf(stderr, "glib: %s\n", why);
        return 1;
    }
    httpsocket_server_endpoint(server, "/ticks", &ticks);
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(httpsocket_server_fd(server), G_IO_IN, on_ready, server);
    g_unix_signal_add(SIGTERM, on_signal, server);
    g_timeout_add(20, on_tick, server);
    printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    fflush(stdout);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    httpsocket_server_free(server);
    return 0;
}
