/* client.c - talks with a program through libhttpsocket: sends an event, makes a call, and prints
 * what the program sends.
 *
 * usage: client URL          cc client.c $(pkg-config --cflags --libs httpsocket) */
#include <httpsocket.h>
#include <stdio.h>

static void heard(struct httpsocket *c, const struct httpsocket_message *m)
{
    (void)c;
    if (m->kind == HTTPSOCKET_EVENT)
        printf("%s %.*s\n", m->name, (int)m->size, (const char *)m->data);
}

static void answered(struct httpsocket *c, const struct httpsocket_message *m, void *arg)
{
    (void)arg;
    printf("the answer is %.*s\n", (int)m->size, (const char *)m->data);
    httpsocket_close(c, NULL, 0); /* when everything is delivered */
}

int main(int argc, char **argv)
{
    struct httpsocket_options options = {.size = sizeof(options), .on_message = heard};
    options.url = argc > 1 ? argv[1] : "http://localhost:8080/hello";
    char why[200];
    struct httpsocket *c = httpsocket_new(&options, why, sizeof(why));
    if (!c) {
        fprintf(stderr, "client: %s\n", why);
        return 2;
    }
    httpsocket_emit(c, "hello", "{\"name\":\"Frode\"}");
    httpsocket_call(c, "add", "[1,2,39]", 5000, answered, NULL);
    int error = httpsocket_run(c); /* reconnects as often as needed */
    unsigned code = error ? 0 : httpsocket_ended(c)->code;
    httpsocket_free(c);
    return code == 1000 ? 0 : 1;
}
