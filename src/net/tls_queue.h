/* SPDX-License-Identifier: MIT */
/* tls_queue.h - output of a TLS stream that can't be encrypted yet: the handshake is not done, or a
 * file stands before it.
 *
 * Bytes are copied, shared bytes are referred to, files are read piece by piece. No bound of its
 * own, as core/io.h.
 */
#ifndef NET_TLS_QUEUE_H
#define NET_TLS_QUEUE_H

#include "base/list.h"
#include "base/slice.h"
#include "core/chunk.h"

#include <sys/types.h>
#include <sys/uio.h>

struct tls_queue {
    struct list items;
    size_t bytes;     /* of all items */
    size_t elsewhere; /* of files and shared bytes */
    size_t referred;  /* memory of shared bytes, which another holder counts */
};

void tls_queue_init(struct tls_queue *q);
void tls_queue_done(struct tls_queue *q);

/* 0 or -ENOMEM. */
int tls_queue_add(struct tls_queue *q, const struct iovec *pieces, int count);
/* Takes a reference of its own. */
int tls_queue_add_shared(struct tls_queue *q, struct shared_bytes *shared, size_t at, size_t len);
/* Takes the descriptor, also on failure. */
int tls_queue_add_file(struct tls_queue *q, int file, off_t offset, size_t len);

/* Takes up to `size` bytes off the queue. Returns how many, 0 if the queue is empty, or a negative
 * errno (-EIO: a file turned out shorter). */
ssize_t tls_queue_take(struct tls_queue *q, char *out, size_t size);

#endif
