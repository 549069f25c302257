/* broadcast.c - tells something to every WebSocket, 10 000 or more of them, each second.
 *
 * usage: broadcast [ADDR:PORT]     cc broadcast.c $(pkg-config --cflags --libs httpsocket) */
#include <httpsocket/server.h>
#include <stdio.h>

static void joins(struct httpsocket_peer *p)
{
    httpsocket_peer_subscribe(p, "news");
}

static void tell(struct httpsocket_server *s, void *arg)
{
    (void)arg;
    httpsocket_server_publish(s, "news", "tick", 4);
}

int main(int argc, char **argv)
{
    struct httpsocket_endpoint news = {.size = sizeof(news), .on_open = joins};
    struct httpsocket_server_options options = {
        .size = sizeof(options), .listen = argc > 1 ? argv[1] : NULL, .peers_per_client = 100000};
    struct httpsocket_server *s = httpsocket_server_new(&options, NULL, 0);
    if (!s)
        return 1;
    httpsocket_server_endpoint(s, "/", &news);
    httpsocket_server_timer(s, 1000, 1000, tell, NULL, NULL);
    printf("listening on http://%s\n", httpsocket_server_address(s, 0));
    fflush(stdout);
    return httpsocket_server_run(s);
}
