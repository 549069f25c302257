/* SPDX-License-Identifier: MIT */
/* requests.c - asks an HTTP server, and checks each answer.
 *
 *     requests [--connections C] [--path P] [--status S] [--body FILE] [--close] [--upgrade] PORT
 *
 * For each number N on stdin (common.h) it asks N times in all, one request at a time on each
 * connection. An answer must have the status S, a body of its Content-Length (or in chunks), and
 * be FILE byte by byte if that is given. With --close each request has a connection of its own,
 * says `Connection: close`, and the server must close. With --upgrade each is a WebSocket handshake
 * on a connection of its own, which is reset when the right 101 has come. One thread, epoll.
 */
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    INBOX_BYTES = 256 * 1024
};

struct asker {
    int fd;
    char head[ANSWER_MAX];
    size_t head_len;
    bool in_body, done, chunked;
    uint64_t body_len, body_at;
    char tail[7]; /* of a body in chunks: what its end is known by */
};

static struct {
    uint64_t connections, status;
    const char *path, *body_file;
    bool close, upgrade;
    uint16_t port;
} o = {.connections = 1, .status = 200, .path = "/"};

static struct asker *askers;
static int epoll_fd;
static char request[1024], inbox[INBOX_BYTES];
static size_t request_len;
static char *body;
static uint64_t body_len, to_start, to_finish;

static void read_body_file(void)
{
    FILE *f = fopen(o.body_file, "rb");
    if (!f || fseek(f, 0, SEEK_END) < 0)
        die(o.body_file);
    body_len = (uint64_t)ftell(f);
    body = malloc(body_len + 1);
    rewind(f);
    if (!body || fread(body, 1, body_len, f) != body_len)
        die(o.body_file);
    fclose(f);
}

static void make_request(void)
{
    static const char upgrade[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: " WEBSOCKET_KEY "\r\n";
    int n =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: bench\r\nAccept: */*\r\n"
                 "%s%s\r\n",
                 o.path, o.port, o.upgrade ? upgrade : "", o.close ? "Connection: close\r\n" : "");
    request_len = (size_t)n;
}

/* ---- asking ---- */

static void ask(struct asker *a)
{
    a->head_len = 0;
    a->in_body = a->done = false;
    to_start--;
    if (send(a->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        die("send");
}

static void open_asker(struct asker *a)
{
    a->fd = connect_to(o.port, 0, false);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = a};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, a->fd, &event) < 0)
        die("epoll");
}

static bool each_its_own(void)
{
    return o.close || o.upgrade;
}

static void finish(struct asker *a)
{
    to_finish--;
    if (each_its_own()) {
        setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(a->fd);
        a->fd = -1;
    }
    if (!to_start)
        return;
    if (each_its_own())
        open_asker(a);
    ask(a);
}

/* ---- the answer ---- */

static void check_head(struct asker *a)
{
    char *length = strcasestr(a->head, "\r\nContent-Length:");
    a->chunked = strcasestr(a->head, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
    uint64_t status = strtoul(a->head + 9, NULL, 10);
    if (status != o.status)
        fail("not %llu but: %.*s", (unsigned long long)o.status, 200, a->head);
    if (o.upgrade) {
        if (!is_websocket_answer(a->head))
            fail("a wrong handshake: %s", a->head);
        a->body_len = 0;
    } else if (a->chunked) {
        memset(a->tail, 0, sizeof(a->tail));
    } else if (!length) {
        fail("no Content-Length: %s", a->head);
    } else {
        a->body_len = strtoull(length + 17, NULL, 10);
    }
    if (body && (a->chunked || a->body_len != body_len))
        fail("%llu bytes instead of %llu", (unsigned long long)a->body_len,
             (unsigned long long)body_len);
    a->in_body = true;
    a->body_at = 0;
}

/* Returns how many of the bytes belong to the head. */
static size_t take_head(struct asker *a, const char *bytes, size_t len)
{
    size_t room = ANSWER_MAX - 1 - a->head_len, n = len < room ? len : room, had = a->head_len;
    memcpy(a->head + had, bytes, n);
    a->head_len += n;
    a->head[a->head_len] = '\0';
    char *end = strstr(a->head, "\r\n\r\n");
    if (!end && a->head_len == ANSWER_MAX - 1)
        fail("a head without end");
    if (!end)
        return n;
    size_t whole = (size_t)(end + 4 - a->head);
    a->head[whole] = '\0';
    check_head(a);
    return whole - had;
}

/* A body in chunks is looked at no further than for its end. */
static void take_chunks(struct asker *a, const char *bytes, size_t len)
{
    static const char end[] = "\r\n0\r\n\r\n";
    size_t n = len < sizeof(a->tail) ? len : sizeof(a->tail);
    memmove(a->tail, a->tail + n, sizeof(a->tail) - n);
    memcpy(a->tail + sizeof(a->tail) - n, bytes + len - n, n);
    a->done = memcmp(a->tail, end, sizeof(a->tail)) == 0;
}

static void take(struct asker *a, const char *bytes, size_t len)
{
    if (!a->in_body) {
        size_t n = take_head(a, bytes, len);
        bytes += n;
        len -= n;
    }
    if (!a->in_body)
        return;
    if (a->chunked) {
        take_chunks(a, bytes, len);
        return;
    }
    if (len > a->body_len - a->body_at)
        fail("more came than the answer has");
    if (body && memcmp(bytes, body + a->body_at, len) != 0)
        fail("a wrong byte came back");
    a->body_at += len;
    a->done = a->body_at == a->body_len;
}

static void receive(struct asker *a)
{
    ssize_t n = recv(a->fd, inbox, sizeof(inbox), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0)
        die("receive");
    if (n == 0 && !(a->done && o.close))
        fail("the server ended the connection");
    if (n > 0)
        take(a, inbox, (size_t)n);
    if (a->done && (!o.close || n == 0))
        finish(a);
}

static void run(uint64_t requests)
{
    to_start = to_finish = requests;
    for (uint64_t i = 0; i < o.connections && to_start; i++) {
        if (askers[i].fd < 0)
            open_asker(&askers[i]);
        ask(&askers[i]);
    }
    while (to_finish) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, (int)patience_s * 1000);
        if (n == 0)
            fail("%llu answers have not come", (unsigned long long)to_finish);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++)
            receive(events[i].data.ptr);
    }
}

/* ---- the command ---- */

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"connections", required_argument, NULL, 'c'},
        {"path", required_argument, NULL, 'p'},
        {"status", required_argument, NULL, 's'},
        {"body", required_argument, NULL, 'b'},
        {"close", no_argument, NULL, 'C'},
        {"upgrade", no_argument, NULL, 'u'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.connections = number(optarg);
            break;
        case 'p':
            o.path = optarg;
            break;
        case 's':
            o.status = number(optarg);
            break;
        case 'b':
            o.body_file = optarg;
            break;
        case 'C':
            o.close = true;
            break;
        case 'u':
            o.upgrade = true;
            break;
        default:
            exit(2);
        }
    }
    if (optind + 1 != argc || !o.connections) {
        fputs("usage: requests [OPTIONS] PORT (see the head of requests.c)\n", stderr);
        exit(2);
    }
    o.status = o.upgrade ? 101 : o.status;
    o.port = (uint16_t)number(argv[optind]);
}

int main(int argc, char **argv)
{
    uint64_t work;
    parse(argc, argv);
    if (o.body_file)
        read_body_file();
    make_request();
    raise_file_limit();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    askers = calloc(o.connections, sizeof(*askers));
    if (!askers)
        die("memory");
    for (uint64_t i = 0; i < o.connections; i++)
        askers[i].fd = -1;
    say_ready();
    while (read_order(&work)) {
        double start = now();
        run(work);
        printf("%llu %.6f\n", (unsigned long long)work, now() - start);
        fflush(stdout);
    }
    return 0;
}
