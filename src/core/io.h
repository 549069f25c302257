/* SPDX-License-Identifier: MIT */
/* io.h - a stream of bytes in and out of one descriptor: a socket or a pipe, driven by a loop.
 *
 *   io_open ──> receiving <──> paused          io_write at any time before io_finish
 *      │            │
 *      │            ├─ on_end (EOF or error: nothing more comes in; writing may go on after EOF)
 *      └────────────┴─ io_close (now) / io_finish (after what is queued) ──> on_gone, the last callback
 *
 * Lifetime  The caller embeds struct io. It is the loop's from io_open() until `on_gone` has run:
 *           after io_close() that is the one callback that still comes, at the end of the turn
 *           (after io_finish: when the peer has taken it all or the linger time is over), and there
 *           the owner may free it.
 * Input     Lies in the loop's buffer during its callback, or, without being copied, where the
 *           owner's `lend` says.
 * Output    Small output is corked, in chunks of a shared pool, and leaves in one send: when the
 *           io's own callback returns, or, if the output was written elsewhere (by a timer, mail,
 *           another io), in the flush phase of the turn. Output that takes the queue above
 *           IO_BATCH_MAX leaves during io_write without being copied, except for bytes that the
 *           kernel does not take: up to that size a copy is cheaper than one more system call.
 * Bounds    None here: a sender that cares looks at io_queued() and, if io_is_crowded() says so,
 *           waits for on_drain. (At IO_CORKED_MAX or below the output may be corked only, and then
 *           no on_drain is owed.)
 * Errors    By on_end. When a send fails because the peer is gone, the queue is lost (on_drain
 *           comes, if it was owed), and input that the peer had sent before is still received:
 *           on_end with the error comes after that.
 * SIGPIPE   Never by a send on a socket. Pipes and io_write_file can raise it: the process has to
 *           ignore that signal.
 * Threads   Loop thread only.
 */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/chunk.h"
#include "core/loop.h"

#include <sys/types.h>
#include <sys/uio.h>

struct pack;

struct io;
struct io_kept;
struct io_linger;

enum {
    IO_KEPT = 1 << 13 /* of enum io_flag: there is input that nobody wanted when it came */
};

enum {
    IO_CORKED_MAX = CHUNK_CAPACITY,
    IO_BATCH_MAX = 16 * CHUNK_CAPACITY
};

struct io_ops {
    /* At least one byte, in the loop's buffer or in what `lend` gave: the callee may change the
     * bytes, and copies those of the loop's buffer that it wants to keep. */
    void (*on_recv)(struct io *io, struct bytes data);
    /* error 0: the peer ended its side; we may go on writing. Otherwise a negative errno: the io is
     * of no use any more, and the owner closes it. At most once each: an error can follow a 0,
     * nothing follows an error. */
    void (*on_end)(struct io *io, int error);
    /* The queue is empty, after the kernel had refused a part of it, or it had been above
     * IO_CORKED_MAX, or had held a file. Comes in the flush phase, never from inside io_write. May
     * be NULL. */
    void (*on_drain)(struct io *io);
    /* The last callback: the memory is the owner's again, the descriptor is closed. May be NULL. */
    void (*on_gone)(struct io *io);
    /* Returns where the next bytes are to be received, and how many at most: memory that stays
     * until the next on_recv or on_end. The callee does nothing else to the io. An empty answer, or
     * NULL in place of the function, stands for the loop's buffer. */
    struct bytes (*lend)(struct io *io);
    /* io_held() has changed though the owner did nothing: input is kept that came while the io was
     * paused, or no longer. Nothing may be closed inside of it. May be NULL. */
    void (*on_kept)(struct io *io);
};

struct io {
    const struct io_ops *ops;
    struct loop *loop; /* borrowed */
    struct chunk_queue out;
    struct list dirty; /* among the loop's io with something to flush, or among the closed */
    union {
        struct io_linger *linger; /* owned; io_finish */
        struct io_kept *kept;     /* owned; before that, with IO_KEPT */
    };
    int fd;         /* owned */
    uint16_t flags; /* enum io_flag of core/backend.h */
    uint16_t error; /* positive errno of a failed send that on_end has not told yet */
};

/* Takes the descriptor (made non-blocking; regular files are no streams: -EPERM). The io begins
 * paused if `paused`. Negative errno on failure: then the descriptor is still the caller's. */
int io_open(struct loop *loop, struct io *io, int fd, const struct io_ops *ops, bool paused);

/* As io_open, for a descriptor whose kind is known and that is non-blocking already: three system
 * calls fewer. */
enum io_kind {
    IO_KIND_SOCKET,
    IO_KIND_PIPE_IN, /* the end that is read */
    IO_KIND_PIPE_OUT
};
int io_open_known(struct loop *loop, struct io *io, int fd, enum io_kind kind,
                  const struct io_ops *ops, bool paused);

/* As io_open_known(), for what will be known to have ended: until io_wake() neither bytes nor the
 * end are waited for, and what is there by then is told by io_look() alone. No system calls of its
 * own, no turn of the loop. It is paused and resumed, and writes, as any other. (A backend may not
 * know this rest: then it is an ordinary one.) */
int io_open_resting(struct loop *loop, struct io *io, int fd, enum io_kind kind,
                    const struct io_ops *ops);
/* Receives once if it rests and is not paused: on_recv or on_end come inside of this call. Not from
 * inside of a callback of an io. */
void io_look(struct io *io);
/* Its rest is over, if it does. */
void io_wake(struct io *io);

/* While paused neither bytes nor the end are reported. Pausing and resuming cost no system call
 * unless something arrives in between. */
void io_pause(struct io *io);
void io_resume(struct io *io);

/* Queues all the pieces as one; never fails and never calls back. The bytes need only live during
 * the call. Ignored after a failed send, io_shutdown, io_finish and io_close. */
void io_write(struct io *io, const struct iovec *pieces, int count);
static inline void io_write_slice(struct io *io, struct slice s)
{
    io_write(io, &(struct iovec){(void *)s.ptr, s.len}, 1);
}

/* Queues `len` bytes that the caller fills at once, before anything else is called: in place of
 * io_write(), without its copy. NULL: use io_write(); there is no room in one piece, or nothing can
 * be written, or so much waits that some should leave first. */
char *io_claim(struct io *io, size_t len);

/* As io_write(), of bytes that on_recv was given: nobody looks at them or changes them any more.
 * They leave from where they are when on_recv returns, without a copy, as far as the kernel takes
 * them. */
void io_write_back(struct io *io, struct slice bytes);

/* Queues bytes shared by many (core/chunk.h), `len` of them from `at` on: they are sent from where
 * they are. The io holds a reference until they have left. */
void io_write_part(struct io *io, struct shared_bytes *shared, size_t at, size_t len);
/* The same, for bytes that nobody else counts (io_held()). */
void io_give_part(struct io *io, struct shared_bytes *shared, size_t at, size_t len);
static inline void io_write_shared(struct io *io, struct shared_bytes *shared)
{
    io_write_part(io, shared, 0, shared->len);
}

/* Queues a part of a file (sendfile). Takes the descriptor. A file that turns out shorter ends the
 * io with -EIO. */
void io_write_file(struct io *io, int file, off_t offset, size_t len);

/* Bytes that were written and have not yet been taken by the kernel. */
static inline size_t io_queued(const struct io *io)
{
    return io->out.bytes;
}

/* Whether a sender whose own limit is `max` has to wait for on_drain, with so much `queued`. Never
 * at IO_CORKED_MAX or below, where no on_drain is owed. */
static inline bool io_is_crowded(size_t queued, size_t max)
{
    return queued > (max > IO_CORKED_MAX ? max : IO_CORKED_MAX);
}

/* Input that came while the io was paused. */
size_t io_kept_bytes(const struct io *io);

/* Memory of ours that nobody else counts: of what was written no files and no shared bytes, and
 * input that came while the io was paused. */
static inline size_t io_held(const struct io *io)
{
    return io->out.held + (io->flags & IO_KEPT ? io_kept_bytes(io) : 0);
}
/* The same with shared bytes that another holder counts: for when that one has let go of them.
 * Cost: a look at each piece of the queue. */
static inline size_t io_held_in_all(const struct io *io)
{
    return io_held(io) + chunk_queue_referred(&io->out);
}

/* Ends our side once the queue has been sent (shutdown SHUT_WR; a pipe is closed). Receiving goes
 * on. */
void io_shutdown(struct io *io);
/* The only callback after this is on_gone. Sends the queue, ends our side, discards input until the
 * peer has ended its side (closing at once could destroy output that is on its way: RFC 9112, 9.6),
 * and closes; after `linger_ms` at the latest, and at once without memory. A pipe is closed when
 * the queue is empty. */
void io_finish(struct io *io, uint64_t linger_ms);
/* Closes now; the queue is lost. Allowed again, and after io_finish, until on_gone. */
void io_close(struct io *io);

/* Sends what is corked now instead of at the end of the dispatch, as far as the kernel takes it. */
void io_flush(struct io *io);

/* Gives the descriptor back instead of closing it: no callback after this; the memory is the
 * caller's at once, also inside a callback of the io. Only with an empty queue and before io_finish
 * (-EBUSY otherwise; -ENOMEM: then on_end will come). Returns the descriptor, and in `*ret_rest`
 * what was received and has not been told, for io_go_on() or io_kept_free(); NULL: nothing. */
int io_release(struct io *io, struct io_kept **ret_rest);
/* Whether io_release() would do it now: 0, or its error. */
int io_may_release(struct io *io);
/* Right after io_open() of a descriptor that was released: on_recv gets `rest` first. */
void io_go_on(struct io *io, struct io_kept *rest);
void io_kept_free(struct io_kept *rest);
/* The bytes of it, and the error that came behind them, or 0. */
struct slice io_kept_slice(const struct io_kept *rest, int *ret_error);

/* ---- io_pack.c: for the process that takes over ---- */

/* Fields of an io that is not closed; nothing changes here. */
void io_pack(const struct io *io, struct pack *p);
/* As of a socket's io that waits for nothing, or of one that was released. */
void io_pack_socket(int fd, const struct io_kept *rest, struct pack *p);
/* The io of these fields goes on, in place of io_open(). On failure (negative errno) the descriptor
 * is closed, and there is no io. */
int io_unpack(struct loop *loop, struct io *io, struct slice in, const struct io_ops *ops);
/* Each io that lingers after io_finish(). */
void loop_each_lingering(const struct loop *loop, void (*each)(void *arg, const struct io *io),
                         void *arg);

#endif
