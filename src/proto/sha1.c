/* SPDX-License-Identifier: MIT */
#include "proto/sha1.h"

#include <stdatomic.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

enum {
    BLOCK = 64
};

/* What the hash begins with. */
static const uint32_t first_state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

static inline uint32_t turn(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static inline uint32_t big_endian(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline void put_state(const uint32_t state[5], uint8_t ret[SHA1_SIZE])
{
    for (size_t i = 0; i < 5; i++) {
        ret[4 * i] = (uint8_t)(state[i] >> 24);
        ret[4 * i + 1] = (uint8_t)(state[i] >> 16);
        ret[4 * i + 2] = (uint8_t)(state[i] >> 8);
        ret[4 * i + 3] = (uint8_t)state[i];
    }
}

/* The next word of the schedule, in the place of the one that is 16 rounds old. */
static inline uint32_t word(uint32_t w[16], unsigned t)
{
    if (t >= 16)
        w[t & 15] = turn(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
    return w[t & 15];
}

static inline uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return (d ^ (b & (c ^ d))) + 0x5a827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60)
        return ((b & c) | (d & (b ^ c))) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

#define ROUND(t, a, b, c, d, e)                                                                    \
    do {                                                                                           \
        e += turn(a, 5) + mix(t, b, c, d) + word(w, t);                                            \
        b = turn(b, 30);                                                                           \
    } while (0)

/* Five rounds at a time, in which the variables change their places instead of their values. Where
 * `w` is known to the compiler, so is the whole schedule. */
__attribute__((always_inline)) static inline void rounds(uint32_t state[5], uint32_t w[16])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
#pragma GCC unroll 16
    for (unsigned t = 0; t < 80; t += 5) {
        ROUND(t, a, b, c, d, e);
        ROUND(t + 1, e, a, b, c, d);
        ROUND(t + 2, d, e, a, b, c);
        ROUND(t + 3, c, d, e, a, b);
        ROUND(t + 4, b, c, d, e, a);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static void add_text(uint32_t state[5], const char text[SHA1_TEXT])
{
    uint32_t w[16];
    for (size_t t = 0; t < 15; t++)
        w[t] = big_endian(text + 4 * t);
    w[15] = 0x80000000;
    rounds(state, w);
}

/* Only the length in bits is left. */
static void add_length(uint32_t state[5])
{
    uint32_t w[16] = {[15] = 8 * SHA1_TEXT};
    rounds(state, w);
}

void sha1_of_60_plain(const char text[SHA1_TEXT], uint8_t ret[SHA1_SIZE])
{
    uint32_t state[5];
    memcpy(state, first_state, sizeof(state));
    add_text(state, text);
    add_length(state);
    put_state(state, ret);
}

#ifdef __x86_64__
#define SHANI __attribute__((target("sha,ssse3,sse4.1")))

/* GCC 12 has no word for it in __builtin_cpu_supports(). */
bool sha1_has_shani(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29 &&
           __builtin_cpu_supports("sse4.1");
}

/* Four words of the block, the first one on top. */
SHANI static inline __m128i four_words(const char *at)
{
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), order);
}

SHANI static inline __m128i next_four(__m128i w[4], unsigned i)
{
    if (i >= 4)
        w[i & 3] = _mm_sha1msg2_epu32(
            _mm_xor_si128(_mm_sha1msg1_epu32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3]),
            w[(i + 3) & 3]);
    return w[i & 3];
}

/* Four rounds. `e`, turned by 30 bits, is added to the first of them. */
#define ROUNDS(i, part)                                                                            \
    do {                                                                                           \
        __m128i sum = i ? _mm_sha1nexte_epu32(e, next_four(w, i)) : _mm_add_epi32(e, w[0]);        \
        e = abcd;                                                                                  \
        abcd = _mm_sha1rnds4_epu32(abcd, sum, part);                                               \
    } while (0)

SHANI static inline void add_block(uint32_t state[5], const char block[BLOCK])
{
    __m128i *places = (__m128i *)(void *)state, w[4];
    __m128i before = _mm_shuffle_epi32(_mm_loadu_si128(places), 0x1b), abcd = before;
    __m128i e_before = _mm_set_epi32((int)state[4], 0, 0, 0), e = e_before;
    for (size_t i = 0; i < 4; i++)
        w[i] = four_words(block + 16 * i);
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; i++)
        ROUNDS(i, 0);
#pragma GCC unroll 5
    for (unsigned i = 5; i < 10; i++)
        ROUNDS(i, 1);
#pragma GCC unroll 5
    for (unsigned i = 10; i < 15; i++)
        ROUNDS(i, 2);
#pragma GCC unroll 5
    for (unsigned i = 15; i < 20; i++)
        ROUNDS(i, 3);
    e = _mm_sha1nexte_epu32(e, e_before);
    _mm_storeu_si128(places, _mm_shuffle_epi32(_mm_add_epi32(abcd, before), 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

SHANI void sha1_of_60_shani(const char text[SHA1_TEXT], uint8_t ret[SHA1_SIZE])
{
    static const char length[BLOCK] = {
        [62] = 8 * SHA1_TEXT >> 8, [63] = (char)(8 * SHA1_TEXT & 255)};
    char block[BLOCK] = {[SHA1_TEXT] = (char)0x80};
    uint32_t state[5];
    memcpy(state, first_state, sizeof(state));
    memcpy(block, text, SHA1_TEXT);
    add_block(state, block);
    add_block(state, length);
    put_state(state, ret);
}
#endif

/* ---- the choice ---- */

static sha1_fn first;
static _Atomic(sha1_fn *) best = first;

static void first(const char text[SHA1_TEXT], uint8_t ret[SHA1_SIZE])
{
    sha1_fn *found = sha1_of_60_plain;
#ifdef __x86_64__
    if (sha1_has_shani())
        found = sha1_of_60_shani;
#endif
    atomic_store_explicit(&best, found, memory_order_relaxed);
    found(text, ret);
}

void sha1_of_60(const char text[SHA1_TEXT], uint8_t ret[SHA1_SIZE])
{
    atomic_load_explicit(&best, memory_order_relaxed)(text, ret);
}
