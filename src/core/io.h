/* io.h - a stream of bytes in and out of one descriptor: a socket or a pipe, driven by a loop.
 *
 *   io_open ──> receiving <──> paused          io_write at any time before io_finish
 *      │            │
 *      │            ├─ on_end (EOF or error: nothing more comes in; writing may go on after EOF)
 *      └────────────┴─ io_close (now) / io_finish (after what is queued) ──> gone: no callback any more
 *
 * Lifetime  The caller embeds struct io. It is the loop's from io_open() until `on_gone` has run: after io_close() that is the one
 *           callback that still comes, at the end of the turn (with io_finish: when the queue is empty or the linger time is over), and there the
 *           owner may free it.
 * Memory    What is written is sent at once where the kernel takes it; only what it does not take is copied, to chunks of a shared pool.
 *           There is no bound here: a sender that cares looks at io_queued() and waits for on_drain.
 * Threads   Loop thread only.
 */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/loop.h"

#include <sys/types.h>
#include <sys/uio.h>

struct io;
struct chunk;

struct io_ops {
    /* At least one byte, in the loop's buffer: the callee may change it, and copies what it wants to keep. */
    void (*on_recv)(struct io *io, struct bytes data);
    /* error 0: the peer ended its side. Otherwise a negative errno (also of a failed send): the io is of no use any more. Once. */
    void (*on_end)(struct io *io, int error);
    /* The queue, which had not been empty at the end of a dispatch, is empty. May be NULL. */
    void (*on_drain)(struct io *io);
    /* The last callback: the memory is the owner's again, the descriptor is closed. May be NULL. */
    void (*on_gone)(struct io *io);
};

struct io {
    const struct io_ops *ops;
    struct loop *loop; /* borrowed */
    struct chunk *out_first, *out_last;
    size_t out_bytes;
    struct list dirty; /* in the loop's list of io with output to flush */
    int fd;            /* owned */
    uint32_t flags;    /* core/io.c's */
};

/* Takes the descriptor (made non-blocking; regular files are no streams). Receiving does not start by itself if `paused`.
 * Negative errno on failure: then the descriptor is still the caller's. */
int io_open(struct loop *loop, struct io *io, int fd, const struct io_ops *ops, bool paused);

void io_pause(struct io *io);
void io_resume(struct io *io);

/* Queues all the pieces as one; never fails and never calls back: an error comes by on_end. During the io's own dispatch output is corked and
 * leaves with one system call when the callback returns; large output leaves without being copied (the bytes need only live during
 * the call). Ignored after on_end with an error, io_close and io_finish. */
void io_write(struct io *io, const struct iovec *pieces, int count);
static inline void io_write_slice(struct io *io, struct slice s)
{
    io_write(io, &(struct iovec){(void *)s.ptr, s.len}, 1);
}

/* Queues bytes shared by many: `shared->bytes` are sent from where they are. The io holds a reference until they have left. */
struct shared_bytes {
    uint32_t refs;
    uint32_t len;
    char bytes[];
};
struct shared_bytes *shared_new(size_t len); /* one reference; NULL without memory */
void shared_unref(struct shared_bytes *shared);
void io_write_shared(struct io *io, struct shared_bytes *shared);

/* Queues a part of a file (sendfile on sockets). Takes the descriptor. A file that turns out shorter ends the io with -EIO. */
void io_write_file(struct io *io, int file, off_t offset, size_t len);

/* Bytes that were written and have not yet been taken by the kernel. */
static inline size_t io_queued(const struct io *io)
{
    return io->out_bytes;
}

/* After what is queued, ends our side (shutdown SHUT_WR; for a pipe: closes it). Receiving goes on. */
void io_shutdown(struct io *io);
/* A lingering close (RFC 9112, 9.6; RFC 6455, 7.1.1): after what is queued ends our side, discards what still comes (also if paused) until the
 * peer has ended its side, then closes; after `linger_ms` at the latest. To close with unread bytes would make the kernel send a reset, and the peer
 * would lose our last words. For a pipe: after what is queued. */
void io_finish(struct io *io, uint64_t linger_ms);
/* Closes now; what is queued is lost. */
void io_close(struct io *io);

/* Gives the descriptor back instead of closing it: no callback after this; the memory is the caller's at once. Only with an empty queue (-EBUSY
 * otherwise). Returns the descriptor. */
int io_release(struct io *io);

#endif
