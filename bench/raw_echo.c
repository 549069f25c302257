/* SPDX-License-Identifier: MIT */
/* raw_echo.c - a TCP server that sends back every byte: the limit that a protocol's echo is
 * measured against.
 *
 *     raw_echo [PORT]        (port 0 picks one; prints `listening on tcp://127.0.0.1:PORT`)
 *
 * One thread, epoll, one receive and one send for what has come. A client that does not read is not
 * read either: what the kernel did not take waits here, and receiving with it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
    int fd;
    bool waiting; /* for room to send: EPOLLOUT is set */
    size_t at, len;
    char *rest;
};

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
    close(c->fd);
    free(c->rest);
    free(c);
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

static void receive(struct connection *c)
{
    ssize_t got = recv(c->fd, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EAGAIN)
        return;
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

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *c = calloc(1, sizeof(*c));
        if (!c) {
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        want(c, EPOLLIN, EPOLL_CTL_ADD);
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
    struct sockaddr_in address;
    int listener = open_listener(argc > 1 ? strtoul(argv[1], NULL, 10) : 0, &address);
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
