/* SPDX-License-Identifier: MIT */
/* raw_echo.c - a TCP server that only moves bytes: the limit that servers are measured against.
 *
 *     raw_echo [PORT]                    sends back every byte
 *     raw_echo --topic [PORT]            sends what comes to all other connections
 *     raw_echo --through PROGRAM [PORT]  gives each connection a program, and moves the bytes
 *                                        between it and the program's descriptor 3
 *
 * Port 0 picks one; prints `listening on tcp://127.0.0.1:PORT`. One thread, epoll, one receive and
 * one send for what has come. A client of the echo that does not read is not read either: what the
 * kernel did not take waits here, and receiving with it. Topics and programs are not given more
 * than the kernel takes: that ends this server.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX   256
#define BUFFER_BYTES (256 * 1024)

struct connection {
    struct connection *next, *previous; /* of all */
    struct connection *other;           /* where its bytes go: echo: itself */
    int fd;
    bool waiting; /* for room to send: EPOLLOUT is set */
    size_t at, len;
    char *rest;
};

static struct connection all = {.next = &all, .previous = &all};
static bool is_topic;
static char *program; /* NULL: none */
static int epoll_fd;
static char buffer[BUFFER_BYTES];

static void want(struct connection *c, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, how, c->fd, &event) < 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

static void end(struct connection *c)
{
    if (c->other != c) /* a program ends with its client; the client then gets EPOLLHUP */
        shutdown(c->other->fd, SHUT_RDWR);
    c->other->other = c->other;
    c->next->previous = c->previous;
    c->previous->next = c->next;
    close(c->fd);
    free(c->rest);
    free(c);
}

static struct connection *begin(int fd)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c) {
        perror("calloc");
        exit(1);
    }
    c->fd = fd;
    c->other = c;
    c->next = &all;
    c->previous = all.previous;
    all.previous->next = c;
    all.previous = c;
    want(c, EPOLLIN, EPOLL_CTL_ADD);
    return c;
}

/* Sends what it can of the bytes; returns how many, or -1 if the connection is broken. */
static ssize_t send_some(int fd, const char *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

static void keep_rest(struct connection *c, const char *bytes, size_t len)
{
    c->rest = malloc(len);
    if (!c->rest) {
        perror("malloc");
        exit(1);
    }
    memcpy(c->rest, bytes, len);
    c->at = 0;
    c->len = len;
    c->waiting = true;
    want(c, EPOLLOUT, EPOLL_CTL_MOD);
}

static void send_whole(struct connection *c, size_t len)
{
    if (send_some(c->fd, buffer, len) != (ssize_t)len) {
        fputs("raw_echo: more than the kernel takes\n", stderr);
        exit(1);
    }
}

static void send_to_others(const struct connection *c, size_t len)
{
    for (struct connection *to = all.next; to != &all; to = to->next)
        if (to != c)
            send_whole(to, len);
}

static void receive(struct connection *c)
{
    ssize_t got = recv(c->fd, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0 && (is_topic || c->other != c)) {
        is_topic ? send_to_others(c, (size_t)got) : send_whole(c->other, (size_t)got);
        return;
    }
    ssize_t sent = got > 0 ? send_some(c->fd, buffer, (size_t)got) : -1;
    if (sent < 0)
        end(c);
    else if (sent < got)
        keep_rest(c, buffer + sent, (size_t)(got - sent));
}

static void send_rest(struct connection *c)
{
    ssize_t sent = send_some(c->fd, c->rest + c->at, c->len - c->at);
    if (sent < 0) {
        end(c);
        return;
    }
    c->at += (size_t)sent;
    if (c->at < c->len)
        return;
    free(c->rest);
    c->rest = NULL;
    c->waiting = false;
    want(c, EPOLLIN, EPOLL_CTL_MOD);
}

/* Returns our end of its descriptor 3. */
static int start_program(void)
{
    int pair[2];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        perror("socketpair");
        exit(1);
    }
    fcntl(pair[1], F_SETFL, 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], 3);
    if (posix_spawn(&pid, program, &actions, NULL, (char *[]){program, NULL}, environ)) {
        perror(program);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    return pair[0];
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct connection *c = begin(fd);
        if (program) {
            c->other = begin(start_program());
            c->other->other = c;
        }
    }
}

static int open_listener(unsigned long port, struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) < 0) {
        perror("raw_echo: listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int at = 1;
    if (at < argc && strcmp(argv[at], "--topic") == 0) {
        is_topic = true;
        at++;
    } else if (at + 1 < argc && strcmp(argv[at], "--through") == 0) {
        program = argv[at + 1];
        at += 2;
    }
    signal(SIGCHLD, SIG_IGN);
    struct sockaddr_in address;
    int listener = open_listener(at < argc ? strtoul(argv[at], NULL, 10) : 0, &address);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    printf("listening on tcp://127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                accept_all(listener);
            else if (c->waiting)
                send_rest(c);
            else
                receive(c);
        }
    }
}
