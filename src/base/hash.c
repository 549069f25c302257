/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

static uint64_t process_key[2];
static pthread_once_t drawn = PTHREAD_ONCE_INIT;
/* A reader between the two stores gets one hash that is found nowhere. */
static _Atomic uint64_t shared_key[2];
static atomic_bool is_shared;

static void draw_key(void)
{
    ssize_t n;
    do {
        n = getrandom(process_key, sizeof(process_key), 0);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    assert(n == sizeof(process_key)); /* else the kernel has no such call */
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void mix(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_siphash13(const uint64_t key[2], struct slice data)
{
    struct state s = {
        .v0 = key[0] ^ 0x736f6d6570736575,
        .v1 = key[1] ^ 0x646f72616e646f6d,
        .v2 = key[0] ^ 0x6c7967656e657261,
        .v3 = key[1] ^ 0x7465646279746573,
    };
    uint64_t last = (uint64_t)data.len << 56;
    for (; data.len >= 8; data = slice_skip(data, 8)) {
        uint64_t word;
        memcpy(&word, data.ptr, 8);
        mix(&s, word);
    }
    for (size_t i = 0; i < data.len; i++)
        last |= (uint64_t)(unsigned char)data.ptr[i] << (8 * i);
    mix(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static void keep_key(void)
{
}

void hash_process_key(uint64_t ret[2])
{
    pthread_once(&drawn, draw_key);
    memcpy(ret, process_key, sizeof(process_key));
}

void hash_begin_with(const uint64_t key[2])
{
    memcpy(process_key, key, sizeof(process_key));
    pthread_once(&drawn, keep_key);
}

uint64_t hash_bytes(struct slice data)
{
    pthread_once(&drawn, draw_key);
    return hash_siphash13(process_key, data);
}

void hash_share(const uint64_t key[2])
{
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&shared_key[i], key[i], memory_order_relaxed);
    atomic_store_explicit(&is_shared, true, memory_order_release);
}

bool hash_shared_key(uint64_t ret[2])
{
    if (!atomic_load_explicit(&is_shared, memory_order_acquire))
        return false;
    for (int i = 0; i < 2; i++)
        ret[i] = atomic_load_explicit(&shared_key[i], memory_order_relaxed);
    return true;
}

uint64_t hash_shared(struct slice data)
{
    uint64_t key[2];
    return hash_shared_key(key) ? hash_siphash13(key, data) : hash_bytes(data);
}
