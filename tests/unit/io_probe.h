/* SPDX-License-Identifier: MIT */
/* io_probe.h - an owner of an io that writes down what happens to the io. */
#ifndef TESTS_IO_PROBE_H
#define TESTS_IO_PROBE_H

#include "loop_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* An owner that writes down what happens to its io, and does at each callback what the test wants.
 */
struct probe {
    struct io io;
    char *received;
    size_t received_len;
    int recvs, ends, drains, last_end;
    bool *gone;
    void (*at_recv)(struct probe *p, struct bytes data);
    void (*at_end)(struct probe *p, int error);
    void (*at_drain)(struct probe *p);
    struct probe *other;
    void *storm;
    size_t left; /* a producer's */
};

static inline void on_recv(struct io *io, struct bytes data)
{
    struct probe *p = container_of(io, struct probe, io);
    p->recvs++;
    p->received = realloc(p->received, p->received_len + data.len);
    memcpy(p->received + p->received_len, data.ptr, data.len);
    p->received_len += data.len;
    memset(data.ptr, 'x', data.len); /* the owner may */
    if (p->at_recv)
        p->at_recv(p, data);
}

static inline void on_end(struct io *io, int error)
{
    struct probe *p = container_of(io, struct probe, io);
    p->ends++;
    p->last_end = error;
    if (p->at_end)
        p->at_end(p, error);
}

static inline void on_drain(struct io *io)
{
    struct probe *p = container_of(io, struct probe, io);
    p->drains++;
    assert_int_equal(io_queued(io), 0);
    if (p->at_drain)
        p->at_drain(p);
}

/* Frees everything, so that the sanitizer catches a later use of the io. */
static inline void on_gone(struct io *io)
{
    struct probe *p = container_of(io, struct probe, io);
    assert_false(*p->gone);
    *p->gone = true;
    free(p->received);
    free(p);
}

static const struct io_ops probe_ops = {on_recv, on_end, on_drain, on_gone};
static bool gone[4];

static inline struct probe *probe_open(int fd, int number, bool paused)
{
    struct probe *p = calloc(1, sizeof(*p));
    gone[number] = false;
    p->gone = &gone[number];
    assert_int_equal(io_open(loop, &p->io, fd, &probe_ops, paused), 0);
    return p;
}

static inline void probe_end(struct probe *p)
{
    bool *is_gone = p->gone;
    io_close(&p->io);
    TURN_UNTIL(*is_gone);
}

static inline bool has(const struct probe *p, const char *text)
{
    return p->received_len == strlen(text) && memcmp(p->received, text, p->received_len) == 0;
}

static inline void unix_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&address, len), 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    close(listener);
}

static inline void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads what there is now, without waiting. Returns its length, 0 at the end, or a negative errno.
 */
static inline ssize_t take(int fd, char *buffer, size_t size)
{
    ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static inline void expect(int fd, const char *text)
{
    char buffer[256];
    size_t len = 0;
    ssize_t n;
    TURN_UNTIL((n = take(fd, buffer + len, sizeof(buffer) - len)) != -EAGAIN &&
               (n <= 0 || (len += (size_t)n) >= strlen(text)));
    assert_true(n > 0 && len == strlen(text));
    assert_memory_equal(buffer, text, len);
}

static inline void expect_end(int fd)
{
    char byte;
    ssize_t n;
    TURN_UNTIL((n = take(fd, &byte, 1)) != -EAGAIN);
    assert_int_equal(n, 0);
}

/* Reads everything that is there now. Returns how much it was. */
static inline size_t consume(int fd)
{
    static char buffer[1 << 16];
    size_t sum = 0;
    for (ssize_t n; (n = take(fd, buffer, sizeof(buffer))) > 0;)
        sum += (size_t)n;
    return sum;
}

static inline void write_text(struct probe *p, const char *text)
{
    io_write_slice(&p->io, slice_of(text));
}

static inline int pieces_of_file(const char *text)
{
    char name[] = "/tmp/test_io_XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* Writes until the queue is full enough to wait. */
static inline void produce(struct probe *p)
{
    static char block[3000];
    while (p->left && io_queued(&p->io) <= IO_CORKED_MAX) {
        size_t n = p->left < sizeof(block) ? p->left : sizeof(block);
        p->left -= n;
        io_write_slice(&p->io, slice_make(block, n));
    }
}

#endif
