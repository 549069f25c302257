/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/pool.h"
#include "net/tls_stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

/* From this size on bytes are encrypted only as the queue drains. */
#define TLS_PART_MIN 65536

static_assert(sizeof(struct stream) <= 128, "stream.h promises at most 128 B");

static _Thread_local struct pool streams = POOL_OF(struct stream);

static void stream_free(struct stream *s)
{
    tls_free(s->tls);
    pool_give(&streams, s);
}

static void reaped(struct reap *reap)
{
    stream_free(container_of(reap, struct stream, reap));
}

static struct stream *stream_of(struct io *io)
{
    return container_of(io, struct stream, io);
}

static void plain_recv(struct io *io, struct bytes data)
{
    struct stream *s = stream_of(io);
    s->ops->on_recv(s, data);
}

static void plain_end(struct io *io, int error)
{
    struct stream *s = stream_of(io);
    s->ops->on_end(s, error);
}

static void plain_drain(struct io *io)
{
    struct stream *s = stream_of(io);
    if (s->ops->on_drain)
        s->ops->on_drain(s);
}

static struct bytes plain_lend(struct io *io)
{
    struct stream *s = stream_of(io);
    return s->ops->lend ? s->ops->lend(s) : (struct bytes){NULL, 0};
}

static void secure_recv(struct io *io, struct bytes data)
{
    tls_stream_receive(stream_of(io), slice_from_bytes(data));
}

static void secure_end(struct io *io, int error)
{
    tls_stream_ended(stream_of(io), error);
}

static void secure_drain(struct io *io)
{
    tls_stream_drained(stream_of(io));
}

static void kept(struct io *io)
{
    struct stream *s = stream_of(io);
    if (s->ops->on_grown)
        s->ops->on_grown(s);
}

static void gone(struct io *io)
{
    stream_free(stream_of(io));
}

static const struct io_ops plain_ops = {plain_recv, plain_end, plain_drain, gone, plain_lend, kept};
static const struct io_ops secure_ops = {secure_recv, secure_end, secure_drain, gone, NULL, kept};

static void nobody_recv(struct stream *s, struct bytes data)
{
    (void)s;
    (void)data;
}

static void nobody_end(struct stream *s, int error)
{
    (void)s;
    (void)error;
}

/* The callbacks of a stream that has no owner yet, or no longer. */
static const struct stream_ops nobody = {.on_recv = nobody_recv, .on_end = nobody_end};

/* Takes over `fd` and `tls`. `known`: that it is a non-blocking socket. */
static struct stream *stream_make(struct loop *loop, int fd, struct tls *tls, bool known)
{
    const struct io_ops *ops = tls ? &secure_ops : &plain_ops;
    bool paused = tls && tls_has_input(tls);
    struct stream *s = log_needed(pool_take(&streams));
    if (!s)
        goto fail;
    *s = (struct stream){.ops = &nobody, .tls = tls};
    int error = known ? io_open_known(loop, &s->io, fd, IO_KIND_SOCKET, ops, paused)
                      : io_open(loop, &s->io, fd, ops, paused);
    if (error < 0) {
        log_lack("open a connection", error);
        goto fail;
    }
    if (tls)
        tls_stream_start(s);
    return s;

fail:
    if (s)
        pool_give(&streams, s);
    tls_free(tls);
    close(fd);
    return NULL;
}

static struct stream *make_server(struct loop *loop, int fd, struct tls_context *context,
                                  bool known)
{
    struct tls *tls = context ? tls_new_server(context) : NULL;
    if (context && !tls) {
        close(fd);
        return NULL;
    }
    return stream_make(loop, fd, tls, known);
}

struct stream *stream_new(struct loop *loop, int fd, struct tls_context *context)
{
    return make_server(loop, fd, context, false);
}

struct stream *stream_new_known(struct loop *loop, int fd, struct tls_context *context)
{
    return make_server(loop, fd, context, true);
}

struct stream *stream_new_client(struct loop *loop, int fd, struct tls_context *context,
                                 const char *host)
{
    struct tls *tls = tls_new_client(context, host);
    if (!tls) {
        close(fd);
        return NULL;
    }
    return stream_make(loop, fd, tls, false);
}

void stream_own(struct stream *s, const struct stream_ops *ops, void *owner)
{
    s->ops = ops;
    s->owner = owner;
}

void stream_write(struct stream *s, const struct iovec *pieces, int count)
{
    if (s->tls)
        tls_stream_write(s, pieces, count);
    else
        io_write(&s->io, pieces, count);
}

void stream_write_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len)
{
    if (s->tls && len >= TLS_PART_MIN)
        tls_stream_write_part(s, shared, at, len);
    else if (s->tls)
        stream_write_slice(s, slice_make(shared->bytes + at, len));
    else
        io_write_part(&s->io, shared, at, len);
}

void stream_give_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len)
{
    if (s->tls)
        stream_write_slice(s, slice_make(shared->bytes + at, len));
    else
        io_give_part(&s->io, shared, at, len);
}

void stream_write_file(struct stream *s, int file, off_t offset, size_t len)
{
    if (s->tls)
        tls_stream_write_file(s, file, offset, len);
    else
        io_write_file(&s->io, file, offset, len);
}

size_t stream_queued(const struct stream *s)
{
    return io_queued(&s->io) + (s->tls ? tls_queued(s->tls) : 0);
}

size_t stream_held(const struct stream *s)
{
    return io_held(&s->io) + (s->tls ? tls_held(s->tls) : 0);
}

size_t stream_held_in_all(const struct stream *s)
{
    return io_held_in_all(&s->io) + (s->tls ? tls_held(s->tls) + s->tls->queue.referred : 0);
}

void stream_keep_shallow(struct stream *s, unsigned bytes)
{
    setsockopt(s->io.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void stream_pause(struct stream *s)
{
    if (s->tls)
        tls_stream_pause(s);
    else
        io_pause(&s->io);
}

void stream_resume(struct stream *s)
{
    if (s->tls)
        tls_stream_resume(s);
    else
        io_resume(&s->io);
}

void stream_shutdown(struct stream *s)
{
    if (s->tls)
        tls_stream_shutdown(s);
    else
        io_shutdown(&s->io);
}

void stream_finish(struct stream *s, uint64_t linger_ms)
{
    s->ops = &nobody;
    if (s->tls)
        tls_stream_finish(s, linger_ms);
    else
        io_finish(&s->io, linger_ms);
}

void stream_close(struct stream *s)
{
    s->ops = &nobody;
    if (s->tls)
        tls_stream_close(s);
    else
        io_close(&s->io);
}

void stream_reset(struct stream *s)
{
    setsockopt(s->io.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    stream_close(s);
}

bool stream_secure(const struct stream *s)
{
    return s->tls != NULL;
}

bool stream_shakes_hands(const struct stream *s)
{
    return s->tls && tls_shakes_hands(s->tls);
}

const char *stream_tls_error(const struct stream *s)
{
    return s->tls ? tls_error(s->tls) : NULL;
}

static int ask_name(int (*ask)(int, struct sockaddr *, socklen_t *), int fd,
                    struct net_address *ret)
{
    struct net_address a = {.len = sizeof(a.un)};
    if (ask(fd, &a.any, &a.len) < 0)
        return -errno;
    *ret = a;
    return 0;
}

int stream_peer(const struct stream *s, struct net_address *ret)
{
    return ask_name(getpeername, s->io.fd, ret);
}

int stream_local(const struct stream *s, struct net_address *ret)
{
    return ask_name(getsockname, s->io.fd, ret);
}

bool stream_peer_gone(const struct stream *s)
{
    struct pollfd look = {.fd = s->io.fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0;
}

bool stream_broken(const struct stream *s)
{
    struct pollfd look = {.fd = s->io.fd};
    return poll(&look, 1, 0) > 0;
}

uint64_t stream_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t stream_arrived_ms(const struct stream *s)
{
    uint64_t now = stream_clock_ms();
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    getsockopt(s->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return now - info.tcpi_last_data_recv;
}

int stream_detach(struct stream *s, struct stream_parcel *ret)
{
    io_flush(&s->io); /* such as session tickets, right behind the handshake */
    int error = stream_queued(s) > 0 ? -EBUSY : io_may_release(&s->io);
    if (!error && s->tls)
        error = tls_stream_stop(s);
    if (error)
        return error;
    struct loop *loop = stream_loop(s);
    struct io_kept *rest;
    int fd = io_release(&s->io, &rest);
    assert(fd >= 0); /* nothing has happened since it might */
    *ret = (struct stream_parcel){fd, s->tls, rest};
    s->tls = NULL;
    loop_reap(loop, &s->reap, reaped);
    return 0;
}

struct stream *stream_adopt(struct loop *loop, struct stream_parcel *parcel)
{
    struct stream *s = stream_make(loop, parcel->fd, parcel->tls, true);
    if (s)
        io_go_on(&s->io, parcel->rest);
    else
        io_kept_free(parcel->rest);
    return s;
}

void stream_parcel_drop(struct stream_parcel *parcel)
{
    tls_free(parcel->tls);
    io_kept_free(parcel->rest);
    close(parcel->fd);
}

/* ---- for the process that takes over ---- */

void stream_pack(const struct stream *s, struct pack *p)
{
    io_pack(&s->io, p);
}

void stream_parcel_pack(const struct stream_parcel *parcel, struct pack *p)
{
    io_pack_socket(parcel->fd, parcel->rest, p);
}

struct stream *stream_unpack(struct loop *loop, struct slice in)
{
    struct stream *s = log_needed(pool_take(&streams));
    if (!s)
        return NULL; /* the descriptor stays open as long as this process: there is no memory */
    *s = (struct stream){.ops = &nobody};
    int error = io_unpack(loop, &s->io, in, &plain_ops);
    if (!error)
        return s;
    log_lack("take over a connection", error);
    pool_give(&streams, s);
    return NULL;
}

struct lingering {
    struct pack *p;
    uint32_t tag;
};

static void pack_lingering(void *arg, const struct io *io)
{
    const struct lingering *l = arg;
    if (io->ops != &plain_ops)
        return;
    size_t field = pack_begin(l->p, l->tag);
    io_pack(io, l->p);
    pack_end(l->p, field);
}

void streams_pack_lingering(const struct loop *loop, uint32_t tag, struct pack *p)
{
    struct lingering l = {p, tag};
    loop_each_lingering(loop, pack_lingering, &l);
}
