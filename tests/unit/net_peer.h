/* SPDX-License-Identifier: MIT */
/* net_peer.h - the owner of a stream in tests: remembers what it received, and echoes if told so.
 *
 * wait_for(CONDITION) turns the loop until the condition holds; the test's alarm ends one that
 * never does.
 */
#ifndef TEST_NET_PEER_H
#define TEST_NET_PEER_H

#include "net/address.h"
#include "net/stream.h"

#include "descriptors.h"
#include "every_backend.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct peer {
    struct stream *stream;
    char *data;
    size_t len, room;
    int receives, ends, drains;
    int end;   /* the last one's error */
    bool echo; /* send back what comes, and end when the other side has */
    bool close_at_end;
    void (*hook)(struct peer *p);
};

static struct loop *loop;
static int descriptors_before;

#define wait_for(condition)                                                                        \
    do {                                                                                           \
        while (!(condition))                                                                       \
            assert_int_equal(loop_turn(loop, -1), 0);                                              \
    } while (0)

static inline void peer_recv(struct stream *s, struct bytes data)
{
    struct peer *p = s->owner;
    assert_true(data.len > 0);
    assert_int_equal(p->ends, 0);
    if (p->len + data.len > p->room) {
        p->room = 2 * (p->len + data.len);
        p->data = realloc(p->data, p->room);
    }
    memcpy(p->data + p->len, data.ptr, data.len);
    p->len += data.len;
    p->receives++;
    if (p->echo)
        stream_write_slice(s, slice_from_bytes(data));
    memset(data.ptr, 0xee, data.len); /* it is ours during the call */
    if (p->hook)
        p->hook(p);
}

static inline void peer_end(struct stream *s, int error)
{
    struct peer *p = s->owner;
    p->ends++;
    p->end = error;
    if (p->echo && error == 0)
        stream_shutdown(s);
    if (p->close_at_end) {
        stream_close(s);
        p->stream = NULL;
    }
}

static inline void peer_drain(struct stream *s)
{
    struct peer *p = s->owner;
    p->drains++;
}

static const struct stream_ops peer_ops = {peer_recv, peer_end, peer_drain};

static inline void peer_own(struct peer *p, struct stream *s)
{
    assert_non_null(s);
    p->stream = s;
    stream_own(s, &peer_ops, p);
}

static inline void peer_done(struct peer *p)
{
    if (p->stream)
        stream_close(p->stream);
    free(p->data);
    *p = (struct peer){0};
}

static inline bool peer_got(const struct peer *p, const char *text)
{
    return p->len == strlen(text) && memcmp(p->data, text, p->len) == 0;
}

static inline void peer_say(struct peer *p, const char *text)
{
    stream_write_slice(p->stream, slice_of(text));
}

static inline void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

/* Bytes that differ at each place, so that what is lost, doubled or moved shows. */
static inline char *make_noise(size_t len, unsigned seed)
{
    char *noise = malloc(len);
    uint64_t x = seed * 2654435761U + 1;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        noise[i] = (char)x;
    }
    return noise;
}

static inline struct net_address address_of(const char *text)
{
    struct net_address a;
    const char *why;
    assert_int_equal(net_address_parse(slice_of(text), &a, &why), 0);
    return a;
}

/* A loop, and a minute for the test to be over. */
static inline int net_begin(void **state)
{
    (void)state;
    alarm(60);
    descriptors_before = count_descriptors();
    loop = loop_new();
    return loop ? 0 : -1;
}

/* All that was opened since has been closed. */
static inline int net_finish(void **state)
{
    (void)state;
    loop_free(loop);
    alarm(0);
    return count_descriptors() == descriptors_before ? 0 : -1;
}

#define net_test(f) cmocka_unit_test_setup_teardown(f, net_begin, net_finish)

#endif
