/* SPDX-License-Identifier: MIT */
#include "core/backend.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NO_WRITE = IO_FAILED | IO_SHUTDOWN | IO_FINISHING | IO_CLOSED,
    DIRECT_PIECES = 64,
    CLAIMED_MAX = 2048 /* so much may be left unused at the end of a chunk */
};

static void set(struct io *io, unsigned flags)
{
    io->flags = (uint16_t)(io->flags | flags);
}

static void unset(struct io *io, unsigned flags)
{
    io->flags = (uint16_t)(io->flags & ~flags);
}

static void flush_later(struct io *io)
{
    if (list_empty(&io->dirty))
        list_append(&io->loop->dirty, &io->dirty);
}

static void drop_queue(struct io *io)
{
    chunk_queue_clear(&io->out, &io->loop->pool);
}

/* ---- input that nobody wants yet ---- */

struct io_kept {
    int error; /* what came behind the bytes; 0: nothing */
    size_t len;
    char bytes[];
};

size_t io_kept_bytes(const struct io *io)
{
    return io->flags & IO_KEPT ? sizeof(*io->kept) + io->kept->len : 0;
}

static void tell_kept_size(struct io *io)
{
    if (io->ops->on_kept)
        io->ops->on_kept(io);
}

static struct io_kept *take_kept(struct io *io)
{
    struct io_kept *kept = io->flags & IO_KEPT ? io->kept : NULL;
    if (kept)
        io->kept = NULL;
    unset(io, IO_KEPT);
    return kept;
}

static void drop_kept(struct io *io)
{
    free(take_kept(io));
}

void io_keep(struct io *io, struct slice data, int error)
{
    if (io->flags & (IO_FINISHING | IO_CLOSED)) {
        if (error && !(io->flags & IO_CLOSED))
            io_ended(io, error);
        return;
    }
    struct io_kept *old = take_kept(io);
    size_t before = old ? old->len : 0;
    int behind = old ? old->error : 0;
    struct io_kept *kept = log_needed(malloc(sizeof(*kept) + before + data.len));
    if (kept && before)
        memcpy(kept->bytes, old->bytes, before);
    free(old);
    if (!kept) {
        io_broke(io, -ENOMEM);
        return;
    }
    if (data.len)
        memcpy(kept->bytes + before, data.ptr, data.len);
    kept->len = before + data.len;
    kept->error = error ? error : behind;
    io->kept = kept;
    set(io, IO_KEPT);
    if (!(io->flags & IO_PAUSED))
        flush_later(io);
    tell_kept_size(io);
}

struct slice io_kept_slice(const struct io_kept *rest, int *ret_error)
{
    *ret_error = rest ? rest->error : 0;
    return rest ? slice_make(rest->bytes, rest->len) : SLICE_NONE;
}

void io_kept_free(struct io_kept *rest)
{
    free(rest);
}

void io_go_on(struct io *io, struct io_kept *rest)
{
    if (!rest)
        return;
    io->kept = rest;
    set(io, IO_KEPT);
    if (!(io->flags & IO_PAUSED))
        flush_later(io);
}

static void bury(struct io *io)
{
    list_remove(&io->dirty);
    list_append(&io->loop->dead, &io->dirty);
}

/* ---- when the queue is empty ---- */

static void end_our_side(struct io *io)
{
    set(io, IO_SHUT);
    if (io->flags & IO_SOCKET) {
        shutdown(io->fd, SHUT_WR); /* -ENOTCONN: the peer was faster */
        return;
    }
    io->loop->backend->io_stop(io, false);
    set(io, IO_ENDED);
    close(io->fd);
    io->fd = -1;
}

/* The lingering close of RFC 9112, 9.6: with unread input close() would send a reset, which may
 * destroy what we sent last. */
static void finish_now(struct io *io)
{
    if (!(io->flags & IO_SOCKET) || io->flags & (IO_ENDED | IO_FAILED)) {
        io_close(io);
        return;
    }
    if (!(io->flags & IO_SHUT))
        end_our_side(io);
    io->loop->backend->io_receive(io);
}

static void settle(struct io *io)
{
    if (io->out.first || io->flags & IO_CLOSED)
        return;
    if (io->flags & IO_FINISHING) {
        finish_now(io);
        return;
    }
    if (io->flags & IO_OWES)
        flush_later(io);
    if (io->flags & IO_SHUTDOWN && !(io->flags & (IO_SHUT | IO_FAILED)))
        end_our_side(io);
}

static void send_queue(struct io *io)
{
    io->loop->backend->io_send(io, false);
    if (io->out.first && !(io->flags & IO_BATCHED))
        set(io, IO_OWES);
}

/* What is lent leaves now, or is copied. */
static void send_lent(struct io *io)
{
    struct iovec pieces[DIRECT_PIECES];
    size_t bytes;
    int count = chunk_queue_pieces(&io->out, pieces, DIRECT_PIECES, &bytes);
    ssize_t n = count ? io->loop->backend->io_send_now(io, pieces, count) : -EAGAIN;
    unset(io, IO_LENT);
    if (n >= 0)
        io_sent(io, (size_t)n);
    else if (n != -EAGAIN)
        io_send_failed(io, (int)n);
    if (!chunk_queue_keep(&io->out, &io->loop->pool))
        io_send_failed(io, -ENOMEM);
}

/* As far as the kernel takes it. */
static void send_now(struct io *io)
{
    if (io->flags & IO_LENT)
        send_lent(io);
    if (io->out.first && !(io->flags & (IO_SENDING | IO_CLOSED)))
        send_queue(io);
}

/* ---- callbacks ---- */

/* False: the io has been released or closed. */
static bool dispatched(struct loop *loop, struct io *io)
{
    if (loop->dispatching != io)
        return false;
    loop->dispatching = NULL;
    send_now(io);
    return !(io->flags & IO_CLOSED);
}

static void tell_end(struct io *io, int error)
{
    struct loop *loop = io->loop;
    io->error = 0;
    if (error)
        unset(io, IO_OWES);
    loop->dispatching = io;
    io->ops->on_end(io, error);
    dispatched(loop, io);
}

static void tell_drain(struct io *io)
{
    struct loop *loop = io->loop;
    unset(io, IO_OWES);
    if (!io->ops->on_drain)
        return;
    loop->dispatching = io;
    io->ops->on_drain(io);
    dispatched(loop, io);
}

bool io_received(struct io *io, struct bytes data)
{
    struct loop *loop = io->loop;
    loop_count(&loop->counts.receives, 1);
    loop_count(&loop->counts.bytes_in, data.len);
    if (io->flags & IO_FINISHING)
        return true;
    loop->dispatching = io;
    loop->received = data;
    io->ops->on_recv(io, data);
    loop->received.len = 0;
    bool is_there = dispatched(loop, io);
    loop_run_afters(loop);
    return is_there && io_receives(io) && !loop_is_urgent(loop);
}

bool io_received_elsewhere(struct io *io, struct bytes data)
{
    struct loop *loop = io->loop;
    for (bool goes_on = true; goes_on;) {
        struct bytes piece = data, room = io->ops->lend ? io_room(io) : data;
        if (room.ptr != loop->buffer && io->ops->lend) {
            piece = (struct bytes){room.ptr, room.len < data.len ? room.len : data.len};
            memcpy(piece.ptr, data.ptr, piece.len);
        }
        data = (struct bytes){data.ptr + piece.len, data.len - piece.len};
        loop->in_pieces = data.len ? io : NULL;
        loop->pieces = data;
        goes_on = io_received(io, piece);
        bool was_taken = data.len && !loop->in_pieces;
        loop->in_pieces = NULL;
        if (was_taken)
            return false;
        if (!data.len)
            return goes_on;
    }
    io_keep(io, slice_from_bytes(data), 0);
    return false;
}

void io_ended(struct io *io, int error)
{
    set(io, IO_ENDED);
    if (error && (error != -EIO || io->flags & IO_SOCKET)) /* EIO: a terminal's other end */
        log_lack("receive", error);
    if (error) {
        set(io, IO_FAILED);
        drop_queue(io);
    }
    if (io->flags & IO_FINISHING) {
        if (error || !io->out.first)
            io_close(io);
        return;
    }
    if (error)
        io->loop->backend->io_stop(io, false);
    tell_end(io, io->error ? -io->error : error);
}

void io_sent(struct io *io, size_t n)
{
    loop_count(&io->loop->counts.bytes_out, n);
    chunk_queue_advance(&io->out, &io->loop->pool, n);
    settle(io);
}

void io_refused(struct io *io)
{
    unset(io, IO_BATCHED);
    set(io, IO_SENDING | IO_OWES);
}

/* Input that the peer sent before it went is still read. The error is told after that, unless no
 * more input comes anyway or the fault is not the peer's. */
void io_send_failed(struct io *io, int error)
{
    bool peer_gone = error == -EPIPE || error == -ECONNRESET;
    log_lack("send", error);
    set(io, peer_gone ? IO_FAILED : IO_FAILED | IO_ENDED);
    io->error = (uint16_t)-error;
    drop_queue(io);
    if (io->flags & IO_ENDED)
        flush_later(io);
    settle(io);
}

void io_broke(struct io *io, int error)
{
    set(io, IO_ENDED);
    io_send_failed(io, error);
}

/* ---- phases of the turn ---- */

/* The io may be gone afterwards. */
static void tell_kept(struct io *io)
{
    struct io_kept *kept = take_kept(io);
    int error = kept->error;
    tell_kept_size(io);
    if (kept->len && error)
        io_keep(io, SLICE_NONE, error); /* comes next */
    else if (io_receives(io))
        io->loop->backend->io_receive(io);
    if (kept->len)
        io_received_elsewhere(io, (struct bytes){kept->bytes, kept->len});
    else
        io_ended(io, error);
    free(kept);
}

static void flush(struct io *io)
{
    if (io->flags & IO_KEPT && !(io->flags & (IO_PAUSED | IO_CLOSED))) {
        if (io->out.first || io->error || io->flags & IO_OWES)
            flush_later(io);
        tell_kept(io);
        return;
    }
    if (io->out.first && !(io->flags & IO_SENDING))
        send_queue(io);
    if (io->flags & (IO_FINISHING | IO_CLOSED))
        return;
    if (io->error && io->flags & IO_ENDED) {
        io->loop->backend->io_stop(io, false);
        tell_end(io, -io->error);
        return;
    }
    if (io->out.first || !(io->flags & IO_OWES))
        return;
    list_remove(&io->dirty);
    tell_drain(io);
}

/* Only what is there at the beginning: io that write on in on_drain take turns with everybody else.
 */
void io_flush_all(struct loop *loop)
{
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &loop->dirty);
    for (struct list *node; (node = list_pop(&todo));) {
        flush(container_of(node, struct io, dirty));
        loop_between(loop);
    }
}

void io_reap_all(struct loop *loop)
{
    for (struct list *node; (node = list_pop(&loop->dead));) {
        struct io *io = container_of(node, struct io, dirty);
        chunk_queue_clear(&io->out, &loop->pool);
        if (io->fd >= 0)
            close(io->fd);
        io->fd = -1;
        if (io->ops->on_gone)
            io->ops->on_gone(io);
    }
}

/* ---- what the owner calls ---- */

static void linger_over(struct timer *timer)
{
    io_close(container_of(timer, struct io_linger, timer)->io);
}

bool io_linger_start(struct io *io, uint64_t due_ms)
{
    struct io_linger *linger = log_needed(malloc(sizeof(*linger)));
    if (!linger)
        return false;
    linger->io = io;
    timer_init(&linger->timer, linger_over);
    timer_start_at(io->loop, &linger->timer, due_ms ? due_ms : 1);
    list_append(&io->loop->lingering, &linger->node);
    io->linger = linger;
    return true;
}

void io_linger_stop(struct io *io)
{
    if (!io->linger)
        return;
    timer_stop(&io->linger->timer);
    list_remove(&io->linger->node);
    free(io->linger);
    io->linger = NULL;
}

/* The flags a descriptor begins with, or a negative errno. */
static int examine(int fd)
{
    struct stat st;
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0 || fstat(fd, &st))
        return -errno;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return -EPERM;
    if (!(mode & O_NONBLOCK) && fcntl(fd, F_SETFL, mode | O_NONBLOCK))
        return -errno;
    return (S_ISSOCK(st.st_mode) ? IO_SOCKET : 0) | ((mode & O_ACCMODE) == O_WRONLY ? IO_ENDED : 0);
}

static void init(struct loop *loop, struct io *io, int fd, int flags, const struct io_ops *ops)
{
    *io = (struct io){.ops = ops, .loop = loop, .fd = fd, .flags = (uint16_t)flags};
    list_init(&io->dirty);
}

static int open_with(struct loop *loop, struct io *io, int fd, int flags, const struct io_ops *ops,
                     bool paused)
{
    init(loop, io, fd, flags | (paused ? IO_PAUSED : 0), ops);
    return loop->backend->io_start(io);
}

int io_open(struct loop *loop, struct io *io, int fd, const struct io_ops *ops, bool paused)
{
    int flags = examine(fd);
    return flags < 0 ? flags : open_with(loop, io, fd, flags, ops, paused);
}

static const int known_flags[] = {
    [IO_KIND_SOCKET] = IO_SOCKET,
    [IO_KIND_PIPE_IN] = 0,
    [IO_KIND_PIPE_OUT] = IO_ENDED,
};

int io_open_known(struct loop *loop, struct io *io, int fd, enum io_kind kind,
                  const struct io_ops *ops, bool paused)
{
    return open_with(loop, io, fd, known_flags[kind], ops, paused);
}

int io_open_resting(struct loop *loop, struct io *io, int fd, enum io_kind kind,
                    const struct io_ops *ops)
{
    if (!loop->backend->io_look)
        return io_open_known(loop, io, fd, kind, ops, false);
    init(loop, io, fd, known_flags[kind] | IO_RESTING, ops);
    return 0;
}

void io_look(struct io *io)
{
    if (!(io->flags & IO_RESTING))
        return;
    unset(io, IO_RESTING);
    bool wanted = io_receives(io);
    set(io, IO_RESTING);
    if (wanted)
        io->loop->backend->io_look(io);
}

void io_wake(struct io *io)
{
    if (!(io->flags & IO_RESTING))
        return;
    unset(io, IO_RESTING);
    if (io_receives(io))
        io->loop->backend->io_receive(io);
}

void io_pause(struct io *io)
{
    set(io, IO_PAUSED);
}

void io_resume(struct io *io)
{
    unset(io, IO_PAUSED);
    if (io->flags & IO_KEPT)
        flush_later(io);
    if (io_receives(io))
        io->loop->backend->io_receive(io);
}

/* Something was queued: it leaves when the io's own callback returns, or else in the flush phase.
 */
static void queued(struct io *io)
{
    if (io->out.bytes > IO_CORKED_MAX)
        set(io, IO_OWES);
    if (io->loop->dispatching != io && !(io->flags & IO_SENDING))
        flush_later(io);
}

static size_t total(const struct iovec *pieces, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    return len;
}

/* Sends what is corked and the pieces after it in one system call. Returns how many bytes of the
 * pieces have left; a failure is noted in the io. */
static size_t send_directly(struct io *io, const struct iovec *pieces, int count)
{
    struct iovec all[DIRECT_PIECES];
    size_t corked;
    int first = chunk_queue_pieces(&io->out, all, DIRECT_PIECES, &corked);
    if (corked < io->out.bytes || count > DIRECT_PIECES - first)
        return 0;
    memcpy(all + first, pieces, sizeof(*pieces) * (size_t)count);
    ssize_t n = io->loop->backend->io_send_now(io, all, first + count);
    if (n == -EAGAIN)
        return 0;
    if (n < 0) {
        io_send_failed(io, (int)n);
        return 0;
    }
    loop_count(&io->loop->counts.bytes_out, (size_t)n);
    size_t from_queue = (size_t)n < corked ? (size_t)n : corked;
    chunk_queue_advance(&io->out, &io->loop->pool, from_queue);
    return (size_t)n - from_queue;
}

void io_write(struct io *io, const struct iovec *pieces, int count)
{
    size_t len = total(pieces, count), sent = 0;
    if (io->flags & NO_WRITE || !len)
        return;
    if (io->out.bytes <= IO_BATCH_MAX && io->out.bytes + len > IO_BATCH_MAX &&
        (!(io->flags & IO_SENDING) || io->flags & IO_BATCHED))
        sent = send_directly(io, pieces, count);
    if (io->flags & IO_FAILED || sent == len)
        return;
    if (chunk_queue_copy(&io->out, &io->loop->pool, pieces, count, sent))
        queued(io);
    else
        io_send_failed(io, -ENOMEM);
}

/* Whether the bytes may leave from where they are when the callback returns. */
static bool may_lend(const struct io *io, struct slice bytes)
{
    const struct loop *loop = io->loop;
    size_t at = (size_t)((uintptr_t)bytes.ptr - (uintptr_t)loop->received.ptr);
    return loop->dispatching == io && !(io->flags & (NO_WRITE | IO_SENDING)) &&
           at < loop->received.len && bytes.len <= loop->received.len - at;
}

void io_write_back(struct io *io, struct slice bytes)
{
    if (!may_lend(io, bytes) || !chunk_queue_lend(&io->out, &io->loop->pool, bytes)) {
        io_write_slice(io, bytes);
        return;
    }
    set(io, IO_LENT | (io->out.bytes > IO_CORKED_MAX ? IO_OWES : 0));
}

static char *claim_new(struct io *io, size_t len)
{
    if (len > CHUNK_CAPACITY || (len > CLAIMED_MAX && io->out.first))
        return NULL;
    return chunk_queue_claim_new(&io->out, &io->loop->pool, len);
}

/* Not inlined: nearly all claims are one of many in a callback. */
__attribute__((noinline)) static char *claim_otherwise(struct io *io, size_t len)
{
    if (io->flags & NO_WRITE || io->out.bytes + len > IO_BATCH_MAX || !len)
        return NULL;
    char *room = chunk_queue_claim(&io->out, len);
    if (!room)
        room = claim_new(io, len);
    if (room)
        queued(io);
    return room;
}

char *io_claim(struct io *io, size_t len)
{
    bool corked = io->loop->dispatching == io && !(io->flags & NO_WRITE) &&
                  io->out.bytes + len <= IO_CORKED_MAX;
    char *room = corked ? chunk_queue_claim(&io->out, len) : NULL;
    return room ? room : claim_otherwise(io, len);
}

static void share(struct io *io, struct shared_bytes *shared, size_t at, size_t len, bool elsewhere)
{
    if (io->flags & NO_WRITE || !len)
        return;
    if (chunk_queue_share(&io->out, &io->loop->pool, shared, at, len, elsewhere))
        queued(io);
    else
        io_send_failed(io, -ENOMEM);
}

void io_write_part(struct io *io, struct shared_bytes *shared, size_t at, size_t len)
{
    share(io, shared, at, len, true);
}

void io_give_part(struct io *io, struct shared_bytes *shared, size_t at, size_t len)
{
    share(io, shared, at, len, false);
}

void io_write_file(struct io *io, int file, off_t offset, size_t len)
{
    if (io->flags & NO_WRITE || !len) {
        close(file);
        return;
    }
    if (chunk_queue_file(&io->out, &io->loop->pool, file, offset, len)) {
        set(io, IO_OWES);
        queued(io);
        return;
    }
    close(file);
    io_send_failed(io, -ENOMEM);
}

void io_shutdown(struct io *io)
{
    set(io, IO_SHUTDOWN);
    settle(io);
}

void io_finish(struct io *io, uint64_t linger_ms)
{
    if (io->flags & (IO_FINISHING | IO_CLOSED))
        return;
    drop_kept(io);
    set(io, IO_FINISHING);
    unset(io, IO_RESTING);
    if (io_linger_start(io, loop_now_ms(io->loop) + linger_ms))
        settle(io);
    else
        io_close(io);
}

void io_close(struct io *io)
{
    if (io->flags & IO_CLOSED)
        return;
    drop_kept(io);
    set(io, IO_CLOSED);
    io_linger_stop(io);
    if (io->fd >= 0)
        io->loop->backend->io_stop(io, false);
    drop_queue(io);
    list_remove(&io->dirty);
    bury(io);
}

void io_flush(struct io *io)
{
    if (io->flags & IO_LENT)
        send_lent(io);
    bool waits_for_room = io->flags & IO_SENDING && !(io->flags & IO_BATCHED);
    if (io->out.first && !waits_for_room && !(io->flags & IO_CLOSED))
        io->loop->backend->io_send(io, true);
}

/* All that was received and has not been told. */
static int gather(struct io *io)
{
    struct loop *loop = io->loop;
    if (loop->in_pieces == io) {
        loop->in_pieces = NULL;
        io_keep(io, slice_from_bytes(loop->pieces), 0);
    }
    if (loop->backend->io_gather && !loop->backend->io_gather(io))
        return -EBUSY;
    return io->flags & IO_FAILED && io->error == ENOMEM ? -ENOMEM : 0;
}

int io_may_release(struct io *io)
{
    bool is_free = !io->out.first && !(io->flags & (IO_CLOSED | IO_FINISHING));
    return is_free ? gather(io) : -EBUSY;
}

int io_release(struct io *io, struct io_kept **ret_rest)
{
    int error = io_may_release(io);
    if (error)
        return error;
    *ret_rest = take_kept(io);
    io->loop->backend->io_stop(io, true);
    list_remove(&io->dirty);
    if (io->loop->dispatching == io)
        io->loop->dispatching = NULL;
    return io->fd;
}
