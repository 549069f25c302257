/* SPDX-License-Identifier: MIT */
/* chunk.h - output that waits for the kernel: copied bytes, shared bytes, parts of files, in order.
 *
 * Memory   Chunks come from a pool of the loop: in steady state nothing is allocated. The pool
 *          keeps a bounded number of free ones; beyond it malloc and free do the work.
 * Threads  Loop thread only.
 */
#ifndef CORE_CHUNK_H
#define CORE_CHUNK_H

#include "base/slice.h"

#include <sys/types.h>
#include <sys/uio.h>

/* How many bytes a chunk holds, without its header. */
enum {
    CHUNK_CAPACITY = 8192 - 48
};

enum chunk_kind {
    CHUNK_BYTES,
    CHUNK_SHARED,
    CHUNK_REFERRED, /* shared, and another holder counts them */
    CHUNK_LENT,     /* in a buffer of somebody else, for the length of a callback */
    CHUNK_FILE
};

/* Bytes that many queues hold at a time. The count is not atomic: all holders live on one loop. */
struct shared_bytes {
    uint32_t refs;
    uint32_t len;
    uint32_t room; /* what `bytes` has room for */
    uint32_t unused;
    char bytes[]; /* aligned for any object */
};
struct shared_bytes *shared_new(size_t len); /* one reference; NULL without memory */
void shared_unref(struct shared_bytes *shared);

struct chunk {
    struct chunk *next;
    enum chunk_kind kind;
    int file; /* CHUNK_FILE: owned */
    union {
        struct shared_bytes *shared; /* CHUNK_SHARED, CHUNK_REFERRED: one reference */
        const char *lent;            /* CHUNK_LENT: borrowed until chunk_queue_keep() */
    };
    size_t held;      /* by it, until it is wholly sent */
    off_t begin, end; /* what is left, counted in bytes[], shared->bytes, lent[] or the file */
    char bytes[];
};

struct chunk_pool {
    struct chunk *whole, *headers; /* free ones with room for bytes, and without */
    unsigned whole_count, header_count;
};
void chunk_pool_done(struct chunk_pool *pool);

struct chunk_queue {
    struct chunk *first, *last;
    size_t bytes;
    size_t held; /* memory: chunks, whole, and what they refer to that nobody else counts */
};

/* Appends `len` bytes that the caller fills at once. NULL: the last chunk has no room for them. */
static inline char *chunk_queue_claim(struct chunk_queue *q, size_t len)
{
    struct chunk *c = q->last;
    if (!c || c->kind != CHUNK_BYTES || len > CHUNK_CAPACITY - (size_t)c->end)
        return NULL;
    char *room = c->bytes + c->end;
    c->end += (off_t)len;
    q->bytes += len;
    return room;
}
/* The same in a new chunk; at most CHUNK_CAPACITY. NULL without memory. */
char *chunk_queue_claim_new(struct chunk_queue *q, struct chunk_pool *pool, size_t len);

/* Appends the pieces without their first `skip` bytes. False without memory: then a part may have
 * been appended. */
bool chunk_queue_copy(struct chunk_queue *q, struct chunk_pool *pool, const struct iovec *pieces,
                      int count, size_t skip);
/* `len` bytes from `at` on. Takes one reference of its own; small bytes are copied where there is
 * room, and those that go on where the last ones end are one piece with them. `elsewhere`: another
 * holder counts them. */
bool chunk_queue_share(struct chunk_queue *q, struct chunk_pool *pool, struct shared_bytes *shared,
                       size_t at, size_t len, bool elsewhere);
/* By reference: to be sent or kept before the bytes change. */
bool chunk_queue_lend(struct chunk_queue *q, struct chunk_pool *pool, struct slice bytes);
/* Copies what is lent and has not left. False without memory: then a part of the queue is lost. */
bool chunk_queue_keep(struct chunk_queue *q, struct chunk_pool *pool);
/* Takes over the descriptor, on success only. */
bool chunk_queue_file(struct chunk_queue *q, struct chunk_pool *pool, int file, off_t offset,
                      size_t len);

/* The rest of a chunk that is no file. */
struct iovec chunk_bytes(const struct chunk *c);

/* Points at most `max` pieces at the bytes at the head, up to the first file; returns their number
 * and the sum of their lengths. */
int chunk_queue_pieces(const struct chunk_queue *q, struct iovec *pieces, int max,
                       size_t *ret_bytes);

/* Memory of shared bytes that another holder counts, for as long as there is one. Cost: a look at
 * each chunk. */
size_t chunk_queue_referred(const struct chunk_queue *q);

/* `n` bytes have left. */
void chunk_queue_advance(struct chunk_queue *q, struct chunk_pool *pool, size_t n);
void chunk_queue_clear(struct chunk_queue *q, struct chunk_pool *pool);

#endif
