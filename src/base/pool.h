/* SPDX-License-Identifier: MIT */
/* pool.h - objects of one size, for one thread: connections, streams, sessions.
 *
 * Memory comes in slabs and what is freed waits for the next of its kind; slabs are kept for the
 * thread's life. Under AddressSanitizer each object is malloc's own, so that its mistakes show.
 *
 *     static _Thread_local struct pool peers = POOL_OF(struct ws_peer);
 *
 * Cost  A few instructions; no header per object.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool {
    size_t size;        /* of one object, a multiple of its alignment */
    void *free_objects; /* linked by their first word */
    char *fresh;        /* the part of the newest slab that was never used */
    size_t fresh_count;
};

#define POOL_OF(type)                                                                              \
    {                                                                                              \
        .size = sizeof(type)                                                                       \
    }

/* Not zeroed. NULL without memory. */
void *pool_take(struct pool *pool);
/* In the thread that took it. */
void pool_give(struct pool *pool, void *object);

#endif
