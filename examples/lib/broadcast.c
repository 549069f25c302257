/* broadcast.c - tells every WebSocket something each second, 10 000 of them or more, in ten lines.
 *
 * usage: broadcast [ADDR:PORT]     cc broadcast.c $(pkg-config --cflags --libs httpsocket)
 *
 * Each connection is a descriptor: raise `ulimit -n` first. */
#include <httpsocket/server.h>
#include <stdio.h>

static void tell(struct httpsocket_server *s, void *topic)
{
    httpsocket_server_publish(s, topic, "tick", 4);
}

int main(int argc, char **argv)
{
    struct httpsocket_server_options o = {.size = sizeof(o), .listen = argc > 1 ? argv[1] : NULL};
    struct httpsocket_server *s = httpsocket_server_new(&o, NULL, 0);
    struct httpsocket_endpoint news = {.size = sizeof(news), .topic = "news"};
    httpsocket_server_endpoint(s, "/", &news);
    httpsocket_server_timer(s, 1000, 1000, tell, "news", NULL);
    dprintf(1, "listening on http://%s\n", httpsocket_server_address(s, 0));
    return httpsocket_server_run(s) ? 1 : 0;
}
