/* SPDX-License-Identifier: MIT */
/* load.c - drives an echo server with a fixed number of messages and checks every byte that comes
 * back.
 *
 *     load [--raw] [--connections C] [--depth D] [--size S] [--messages N] [--warm-up N] PORT
 *
 * Opens C connections and keeps D messages of S bytes in flight on each until N have come back in
 * all. Prints `ready` after the warm-up, waits for a line on stdin, and prints `MESSAGES SECONDS`
 * when all are back: whoever watches the server's CPU time reads it at these two moments. Then it
 * keeps the connections until stdin ends.
 *
 * Frames are masked beforehand, in batches, so that this side costs little more than its system
 * calls. With --raw the same bytes go to a server that sends back bytes. One thread, epoll. Any
 * wrong byte ends it with status 1.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_BYTES (256 * 1024)
#define EVENTS_MAX  256
#define HEAD_MAX    14

struct options {
    bool raw;
    uint64_t connections, depth, size, messages, warm_up;
    uint16_t port;
};

/* Copies of one message, one behind the other, at least twice. */
struct pattern {
    char *bytes;
    size_t one; /* length of one copy */
    size_t all;
};

struct connection {
    int fd;
    uint32_t events;
    uint64_t to_start, to_finish; /* messages of this run */
    uint64_t to_send;             /* bytes of messages that were started */
    size_t send_at, receive_at;   /* in their patterns */
};

static struct pattern out, back;
static struct connection *connections;
static int epoll_fd;
static char inbox[BATCH_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- what goes out and what has to come back ---- */

static size_t put_head(char *p, uint64_t size, const unsigned char *mask)
{
    size_t n = 2;
    int mask_bit = mask ? 0x80 : 0;
    p[0] = (char)0x82;
    p[1] = (char)(mask_bit | (int)(size < 126 ? size : size <= 65535 ? 126 : 127));
    size_t more = size < 126 ? 0 : size <= 65535 ? 2 : 8;
    for (size_t i = 0; i < more; i++)
        p[n++] = (char)(size >> 8 * (more - 1 - i));
    if (mask)
        memcpy(p + n, mask, 4);
    return n + (mask ? 4 : 0);
}

static struct pattern make_pattern(uint64_t size, const unsigned char *mask)
{
    char head[HEAD_MAX];
    struct pattern p = {.one = put_head(head, size, mask) + size};
    size_t copies = BATCH_BYTES / p.one + 2;
    p.all = copies * p.one;
    p.bytes = malloc(p.all);
    if (!p.bytes)
        die("memory");
    size_t at = put_head(p.bytes, size, mask);
    for (uint64_t i = 0; i < size; i++)
        p.bytes[at + i] = (char)(('a' + (int)(i % 26)) ^ (mask ? mask[i & 3] : 0));
    for (size_t i = 1; i < copies; i++)
        memcpy(p.bytes + i * p.one, p.bytes, p.one);
    return p;
}

static void make_patterns(const struct options *o)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    out = make_pattern(o->size, mask);
    back = make_pattern(o->size, o->raw ? mask : NULL);
}

/* ---- connecting ---- */

static void shake_hands(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char answer[4096];
    size_t len = 0;
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
        die("handshake");
    while (len < 4 || memcmp(answer + len - 4, "\r\n\r\n", 4) != 0) {
        ssize_t n = len < sizeof(answer) ? recv(fd, answer + len, sizeof(answer) - len, 0) : 0;
        if (n <= 0)
            die("handshake");
        len += (size_t)n;
    }
    if (memcmp(answer, "HTTP/1.1 101 ", 13) != 0) {
        fprintf(stderr, "load: refused: %.*s\n", (int)len, answer);
        exit(1);
    }
}

static void open_connection(struct connection *c, const struct options *o)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(o->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!o->raw)
        shake_hands(c->fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->events = EPOLLIN;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll");
}

static void open_connections(const struct options *o)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(o->connections, sizeof(*connections));
    if (!connections)
        die("memory");
    for (uint64_t i = 0; i < o->connections; i++)
        open_connection(&connections[i], o);
}

/* ---- running ---- */

static void want(struct connection *c, uint32_t events)
{
    if (c->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    c->events = events;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        die("epoll");
}

static void send_more(struct connection *c)
{
    while (c->to_send > 0) {
        size_t chunk = out.all - c->send_at;
        if (chunk > c->to_send)
            chunk = c->to_send;
        ssize_t n = send(c->fd, out.bytes + c->send_at, chunk, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            die("send");
        c->to_send -= (uint64_t)n;
        c->send_at = (c->send_at + (size_t)n) % out.one;
    }
    want(c, c->to_send > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void start_messages(struct connection *c, uint64_t count)
{
    if (count > c->to_start)
        count = c->to_start;
    c->to_start -= count;
    c->to_send += count * out.one;
}

static void check(struct connection *c, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t chunk = back.all - c->receive_at < len - at ? back.all - c->receive_at : len - at;
        if (memcmp(bytes + at, back.bytes + c->receive_at, chunk) != 0) {
            fprintf(stderr, "load: a wrong byte came back\n");
            exit(1);
        }
        at += chunk;
        c->receive_at = (c->receive_at + chunk) % back.one;
    }
}

/* Returns how many messages came back whole. */
static uint64_t receive(struct connection *c)
{
    ssize_t n = recv(c->fd, inbox, sizeof(inbox), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        die(n == 0 ? "the server ended the connection" : "receive");
    uint64_t came = (c->receive_at + (size_t)n) / back.one;
    check(c, inbox, (size_t)n);
    if (came > c->to_finish) {
        fprintf(stderr, "load: more came back than was sent\n");
        exit(1);
    }
    c->to_finish -= came;
    start_messages(c, came);
    return came;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const struct options *o, uint64_t messages)
{
    for (uint64_t i = 0; i < o->connections; i++) {
        struct connection *c = &connections[i];
        c->to_start = messages / o->connections + (i < messages % o->connections);
        c->to_finish = c->to_start;
        start_messages(c, o->depth);
        send_more(c);
    }
    while (messages > 0) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                messages -= receive(c);
            send_more(c);
        }
    }
}

/* ---- the command ---- */

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end) {
        fprintf(stderr, "load: not a number: %s\n", text);
        exit(2);
    }
    return n;
}

static struct options parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"raw", no_argument, NULL, 'r'},
        {"connections", required_argument, NULL, 'c'},
        {"depth", required_argument, NULL, 'd'},
        {"size", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'm'},
        {"warm-up", required_argument, NULL, 'w'},
        {0},
    };
    struct options o = {.connections = 1, .depth = 1, .size = 20, .messages = 100000};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == '?')
            exit(2);
        if (c == 'r')
            o.raw = true;
        else
            *(c == 'c'   ? &o.connections
              : c == 'd' ? &o.depth
              : c == 's' ? &o.size
              : c == 'm' ? &o.messages
                         : &o.warm_up) = number(optarg);
    }
    if (optind + 1 != argc || o.connections == 0 || o.depth == 0) {
        fputs("usage: load [--raw] [--connections C] [--depth D] [--size S] [--messages N] "
              "[--warm-up N] PORT\n",
              stderr);
        exit(2);
    }
    o.port = (uint16_t)number(argv[optind]);
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    make_patterns(&o);
    open_connections(&o);
    run(&o, o.warm_up);
    puts("ready");
    fflush(stdout);
    while (getchar() != '\n')
        if (feof(stdin))
            return 0;
    double start = now();
    run(&o, o.messages);
    printf("%llu %.6f\n", (unsigned long long)o.messages, now() - start);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
