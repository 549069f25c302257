/* SPDX-License-Identifier: MIT */
/* load.c - drives a server with messages, and checks every byte that comes back.
 *
 *     load [--kind raw|ws|session|redis] [--connections C] [--depth D] [--size S] [--path P]
 *          [--text] [--topic] [--source N] [--rate R] [--home PORT]
 *          [--patience SECONDS] PORT ...
 *
 * Opens C connections, to the ports in turns. With a home each session is made there, and comes
 * back by its port: a server that passes it on. Then, for each number N on stdin (common.h):
 *
 *   echo   keeps D messages in flight on each connection until N have come back in all
 *   topic  one more connection, to the first port, publishes N messages, D at once: the next D
 *          when all C have them
 *   rate   sends for N milliseconds R messages a second, whatever comes back, and prints beside
 *          the count the percentiles of the time from when a message was *to be* sent until it was
 *          back: 50, 99, 99.9 and 100, in microseconds (latency.h)
 *
 * For 0 the connections only stand. One thread, epoll.
 */
#include "common.h"
#include "latency.h"
#include "peer.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENING_MAX = 64 /* connections that are being opened at a time */
};

struct options {
    uint64_t connections, depth, size, rate;
    bool text, topic;
};

static struct options o = {.connections = 1, .depth = 1, .size = 20};
static struct wire wire = {.path = "/"};
static char **ports;
static uint64_t port_count;
static struct peer *peers; /* connections, then the publisher */
static struct latency latency;
static double began; /* of an open loop */

/* ---- one turn ---- */

static void on_came(struct peer *p, uint64_t came)
{
    if (!o.rate) {
        uint64_t next = came < p->to_start ? came : p->to_start;
        p->to_start -= next;
        peer_start(&wire, p, next);
        return;
    }
    double here = now();
    uint64_t place = (uint64_t)(p - peers), done = p->due - p->to_finish;
    for (uint64_t i = done - came; i < done; i++)
        latency_note(&latency, here - began - (double)(i * o.connections + place) / (double)o.rate);
}

/* Waits so long at most, in nanoseconds; returns how many messages came back. */
static uint64_t turn(int64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    uint64_t all = 0;
    int n = epoll_pwait2(wire.epoll_fd, events, EVENTS_MAX, wait_ns < 0 ? NULL : &wait, NULL);
    if (n < 0 && errno != EINTR)
        die("epoll_wait");
    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;
        if (events[i].events & ~(uint32_t)EPOLLOUT) {
            uint64_t came = peer_receive(&wire, p);
            all += came;
            if (came)
                on_came(p, came);
        }
        if (p->to_send || p->control_len)
            peer_send(&wire, p);
    }
    return all;
}

static void wait_for(uint64_t messages)
{
    double last = now();
    while (messages > 0) {
        uint64_t came = turn((int64_t)patience_s * 1000000000);
        messages -= came;
        if (came)
            last = now();
        else if (now() - last > patience_s)
            fail("%llu messages have not come back", (unsigned long long)messages);
    }
}

/* ---- runs ---- */

static void run_echo(uint64_t messages)
{
    for (uint64_t i = 0; i < o.connections; i++) {
        struct peer *p = &peers[i];
        uint64_t share = messages / o.connections + (i < messages % o.connections);
        uint64_t first = share < o.depth ? share : o.depth;
        p->to_finish = share;
        p->to_start = share - first;
        peer_start(&wire, p, first);
        peer_send(&wire, p);
    }
    wait_for(messages);
}

static void run_topic(uint64_t events)
{
    struct peer *publisher = &peers[o.connections];
    for (uint64_t done = 0; done < events; done += o.depth) {
        for (uint64_t i = 0; i < o.connections; i++)
            peers[i].to_finish = o.depth;
        peer_start(&wire, publisher, o.depth);
        peer_send(&wire, publisher);
        wait_for(o.depth * o.connections);
    }
}

/* Starts what is due by now of the open loop; returns how many are started in all. */
static uint64_t start_due(uint64_t started, uint64_t messages)
{
    uint64_t due = (uint64_t)((now() - began) * (double)o.rate) + 1;
    if (due > messages)
        due = messages;
    for (; started < due; started++) {
        struct peer *p = &peers[started % o.connections];
        p->due++;
        p->to_finish++;
        peer_start(&wire, p, 1);
        peer_send(&wire, p);
    }
    return started;
}

/* Returns how many messages there were. */
static uint64_t run_rate(uint64_t milliseconds)
{
    uint64_t messages = o.rate * milliseconds / 1000, started = 0, left = messages;
    memset(&latency, 0, sizeof(latency));
    for (uint64_t i = 0; i < o.connections; i++)
        peers[i].due = 0;
    began = now();
    while (started < messages) {
        started = start_due(started, messages);
        double next = began + (double)started / (double)o.rate - now();
        left -= turn(next > 0 ? (int64_t)(next * 1e9) : 0);
    }
    wait_for(left);
    return messages;
}

static void run(uint64_t work)
{
    double start = now();
    if (o.rate) {
        work = run_rate(work);
        printf("%llu %.6f ", (unsigned long long)work, now() - start);
        latency_print(&latency);
    } else {
        o.topic ? run_topic(work) : run_echo(work);
        printf("%llu %.6f\n", (unsigned long long)work, now() - start);
    }
    fflush(stdout);
}

/* Answers pings until there is an order. */
static bool wait_for_order(uint64_t *work)
{
    struct pollfd both[2] = {{STDIN_FILENO, POLLIN, 0}, {wire.epoll_fd, POLLIN, 0}};
    for (;;) {
        if (poll(both, 2, -1) < 0)
            die("poll");
        if (both[0].revents)
            return read_order(work);
        turn(0);
    }
}

/* ---- the command ---- */

static enum kind kind_of(const char *name)
{
    static const char *const names[] = {"raw", "ws", "session", "redis"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum kind)i;
    fail("no such kind: %s", name);
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"kind", required_argument, NULL, 'k'},     {"connections", required_argument, NULL, 'c'},
        {"depth", required_argument, NULL, 'd'},    {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},     {"source", required_argument, NULL, 'f'},
        {"home", required_argument, NULL, 'h'},     {"path", required_argument, NULL, 'p'},
        {"text", no_argument, NULL, 't'},           {"topic", no_argument, NULL, 'T'},
        {"patience", required_argument, NULL, 'P'}, {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'k':
            wire.kind = kind_of(optarg);
            break;
        case 'c':
            o.connections = number(optarg);
            break;
        case 'd':
            o.depth = number(optarg);
            break;
        case 's':
            o.size = number(optarg);
            break;
        case 'r':
            o.rate = number(optarg);
            break;
        case 'f':
            wire.source = (unsigned)number(optarg);
            break;
        case 'h':
            wire.home = (uint16_t)number(optarg);
            break;
        case 'p':
            wire.path = optarg;
            break;
        case 't':
            o.text = true;
            break;
        case 'T':
            o.topic = true;
            break;
        case 'P':
            patience_s = (unsigned)number(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (optind >= argc || !o.connections || !o.depth) {
        fputs("usage: load [OPTIONS] PORT ... (see the head of load.c)\n", stderr);
        exit(2);
    }
    ports = argv + optind;
    port_count = (uint64_t)(argc - optind);
}

static void make_patterns(void)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    enum form out = o.text ? FORM_TEXT : FORM_BINARY, back = out;
    uint64_t copies = 2 * o.depth + 2;
    if (wire.kind == KIND_SESSION)
        out = back = FORM_EVENT;
    if (wire.kind == KIND_REDIS) {
        out = FORM_PUBLISH;
        back = FORM_MESSAGE;
    }
    bool framed = wire.kind != KIND_REDIS;
    wire.out = pattern_make(out, o.size, framed ? mask : NULL, copies);
    wire.back = pattern_make(back, o.size, wire.kind == KIND_RAW ? mask : NULL, copies);
    /* Both have as many copies, so that a message's number is the same. */
    uint64_t least = wire.out.all / wire.out.one, other = wire.back.all / wire.back.one;
    least = least < other ? least : other;
    wire.out.all = least * wire.out.one;
    wire.back.all = least * wire.back.one;
}

static void open_range(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        uint64_t place = peers[i].publisher ? 0 : i % port_count;
        peers[i].port = (uint16_t)number(ports[place]);
        peer_connect(&wire, &peers[i], i);
    }
    for (uint64_t i = from; i < to; i++)
        peer_welcome(&wire, &peers[i], o.topic ? 0 : i);
}

static void open_publisher(void)
{
    const char *path = wire.path;
    char *own;
    if (asprintf(&own, "%s?publish", path) < 0)
        die("memory");
    wire.path = own;
    peers[o.connections].publisher = true;
    open_range(o.connections, o.connections + 1);
    wire.path = path;
    free(own);
}

static void open_peers(void)
{
    raise_file_limit();
    wire.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    peers = calloc(o.connections + 1, sizeof(*peers));
    if (!peers)
        die("memory");
    for (uint64_t i = 0; i < o.connections; i += OPENING_MAX)
        open_range(i, i + OPENING_MAX < o.connections ? i + OPENING_MAX : o.connections);
    if (o.topic)
        open_publisher();
}

int main(int argc, char **argv)
{
    uint64_t work;
    parse(argc, argv);
    make_patterns();
    prctl(PR_SET_TIMERSLACK, 1UL);
    open_peers();
    say_ready();
    while (wait_for_order(&work))
        run(work);
    for (uint64_t i = 0; i < o.connections + (o.topic ? 1 : 0); i++)
        peer_close(&wire, &peers[i]);
    return 0;
}
