/* SPDX-License-Identifier: MIT */
#include "ws/masks.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

static atomic_uint forks; /* between the first process and this one; 0: they are not counted */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static _Thread_local struct {
    uint32_t keys[MASKS_AT_ONCE];
    unsigned left;
    unsigned forks; /* when the keys were fetched */
} pool;

static void forked(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void count_forks(void)
{
    atomic_store_explicit(&forks, pthread_atfork(NULL, NULL, forked) == 0, memory_order_relaxed);
}

/* Not inlined: most frames find a key. */
__attribute__((noinline)) static void fetch(void)
{
    pthread_once(&once, count_forks);
    pool.forks = atomic_load_explicit(&forks, memory_order_relaxed);
    pool.left = pool.forks ? MASKS_AT_ONCE : 1;
    ssize_t n = getrandom(pool.keys, pool.left * sizeof(pool.keys[0]), 0);
    assert(n == (ssize_t)(pool.left * sizeof(pool.keys[0])));
}

void masks_take(uint8_t ret[4])
{
    if (pool.left == 0 || pool.forks != atomic_load_explicit(&forks, memory_order_relaxed))
        fetch();
    uint32_t *key = &pool.keys[--pool.left];
    memcpy(ret, key, sizeof(*key));
    *key = 0;
}
