/* SPDX-License-Identifier: MIT */
/* pool.h - allocates objects of one size, for one thread: connections, streams, sessions.
 *
 * Memory is allocated in slabs. A freed object waits for the next pool_take(); slabs are kept until
 * the thread ends. Under AddressSanitizer each object has a malloc of its own, so that misuse is
 * detected.
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
/* To be called in the thread that took the object. */
void pool_give(struct pool *pool, void *object);

#endif
