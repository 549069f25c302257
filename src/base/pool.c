/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

#define SLAB_BYTES 16384

#ifdef __SANITIZE_ADDRESS__
#define POOL_IS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_IS_MALLOC 1
#endif
#endif

#ifdef POOL_IS_MALLOC

void *pool_take(struct pool *pool)
{
    return malloc(pool->size);
}

void pool_give(struct pool *pool, void *object)
{
    (void)pool;
    free(object);
}

#else

static void *take_fresh(struct pool *pool)
{
    if (pool->fresh_count == 0) {
        size_t count = SLAB_BYTES / pool->size > 0 ? SLAB_BYTES / pool->size : 1;
        char *slab = malloc(count * pool->size);
        if (!slab)
            return NULL;
        pool->fresh = slab;
        pool->fresh_count = count;
    }
    void *object = pool->fresh;
    pool->fresh += pool->size;
    pool->fresh_count--;
    return object;
}

void *pool_take(struct pool *pool)
{
    assert(pool->size >= sizeof(void *));
    void *object = pool->free_objects;
    if (!object)
        return take_fresh(pool);
    pool->free_objects = *(void **)object;
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    *(void **)object = pool->free_objects;
    pool->free_objects = object;
}

#endif
