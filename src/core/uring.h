/* SPDX-License-Identifier: MIT */
/* uring.h - what the files of the io_uring backend share; nobody else includes it.
 *
 *   uring.c          the ring, waiting, and what becomes of a completion
 *   uring_send.c     output: batched for the next submission, or sent at once
 *   uring_slots.c    which object a completion is for
 *   uring_buffers.c  the memory that the kernel receives into
 *
 * Kernel    6.1 or later: IORING_SETUP_DEFER_TASKRUN. So nothing is received, and no completion is
 *           made, but inside of wait(), by the thread that runs the loop: between two waits it is
 *           known what the kernel has taken out of a socket.
 * Memory    The kernel never looks at an object of ours: a completion names a descriptor and a
 *           generation, which a stop makes stale. Output is read by the kernel only inside of
 *           wait() (MSG_DONTWAIT), so that no queue has to outlive its io.
 */
#ifndef CORE_URING_H
#define CORE_URING_H

#include "core/backend.h"

#include <liburing.h>
#include <pthread.h>

/* ---- uring_slots.c ---- */

/* What waits for something on one descriptor. */
struct slot {
    void *object;        /* borrowed; NULL: nobody */
    uint32_t generation; /* of the object; a stop makes it stale */
    int32_t next;        /* of those with something to ask for: descriptor, -1 ends */
    uint16_t flags;      /* enum slot_flag */
    uint8_t kind;        /* enum slot_kind */
    uint8_t small;       /* how often in a row little was received */
};

enum slot_kind {
    SLOT_IO,
    SLOT_WATCH,
    SLOT_ACCEPTOR
};

enum slot_flag {
    SLOT_LISTED = 1 << 0,   /* has something to ask for */
    SLOT_IN = 1 << 1,       /* under way: a poll for input, or whatever a watch waits for */
    SLOT_RECEIVE = 1 << 2,  /* with SLOT_IN: a multishot receive in place of a poll */
    SLOT_OUT = 1 << 3,      /* under way: a poll for room to send */
    SLOT_REVOKED = 1 << 4,  /* the receive is to be cancelled, or is being cancelled */
    SLOT_WANTS_IN = 1 << 5, /* a watch's events */
    SLOT_WANTS_OUT = 1 << 6
};

struct slots {
    struct slot **pages;
    unsigned page_count;
    int32_t first; /* of those with something to ask for */
};
void slots_init(struct slots *slots);
void slots_done(struct slots *slots);
/* -ENOMEM, or -EBADF. */
int slots_take(struct slots *slots, int fd, void *object, enum slot_kind kind);
/* Of a descriptor that was taken once. */
struct slot *slots_at(const struct slots *slots, int fd);
/* NULL: it is not that object's any more. */
struct slot *slots_find(const struct slots *slots, int fd, uint32_t generation);
/* The next submission looks what the descriptor wants. */
void slots_list(struct slots *slots, int fd);

/* ---- uring_buffers.c ---- */

struct buffers {
    struct io_uring_buf_ring *ring;
    char *memory;
};
int buffers_init(struct buffers *b, struct io_uring *ring);
void buffers_done(struct buffers *b);
/* Where the bytes of a completion are, until buffers_give(). */
struct bytes buffers_data(const struct buffers *b, int res, uint32_t flags);
void buffers_give(struct buffers *b, uint32_t flags);

enum {
    BUFFER_GROUP = 0,
    BUFFER_BYTES = 4096
};

/* ---- uring_send.c ---- */

enum {
    BATCH_MAX = 1024,
    BATCH_PIECES = 4 * BATCH_MAX,
};

/* One send of the batch. */
struct sending {
    int fd;
    uint32_t generation;
    int result;   /* bytes, or negative errno */
    size_t asked; /* 0: nothing to be done */
    struct msghdr head;
};

struct batch {
    struct sending *waiting, *under_way; /* BATCH_MAX each */
    unsigned waiting_count, under_way_count;
    struct iovec *pieces;
    unsigned piece_count;
};

/* ---- uring.c ---- */

enum operation {
    OP_IN = 1,
    OP_OUT,
    OP_SEND, /* its number in the batch takes the place of the descriptor */
    OP_NONE  /* nobody waits for it */
};

struct uring {
    struct io_uring ring;
    bool enabled;
    pthread_t owner; /* once it is enabled */
    struct slots slots;
    struct buffers buffers;
    struct batch batch;
    uint64_t *cancels; /* operations of objects that were stopped */
    unsigned cancel_count;
};

/* Whether this thread may use the ring: the one that turned the loop first, or will be. */
bool uring_is_ours(const struct uring *u);
/* Room for one more operation; never NULL. */
struct io_uring_sqe *uring_sqe(struct uring *u);

static inline uint64_t uring_name(enum operation op, uint32_t generation, int fd)
{
    return (uint64_t)op << 60 | (uint64_t)(generation & 0x0fffffff) << 32 | (uint32_t)fd;
}

int batch_init(struct batch *b);
void batch_done(struct batch *b);
/* Everything that waits becomes operations: there is room for it. */
void batch_submit(struct uring *u);
/* An operation that did not do all. */
void batch_result(struct uring *u, unsigned number, int result);
/* All operations are over: reports them. */
void batch_finish(struct uring *u);

void uring_io_send(struct io *io, bool at_once);
/* There is room. */
void uring_send_on(struct io *io);

#endif
