/* SPDX-License-Identifier: MIT */
/* Masking (RFC 6455, 5.3): the widest twin that the machine has is chosen at the first call. */
#include "proto/ws_frame.h"

#include <stdatomic.h>

#include "proto/ws_mask_twins.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* The mask as it lies over the payload from `offset` on, as a word of memory. */
static inline uint32_t turned(const uint8_t mask[4], uint64_t offset)
{
    uint32_t word;
    unsigned bits = 8 * (offset & 3);
    memcpy(&word, mask, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return word << bits | word >> (-bits & 31);
#else
    return word >> bits | word << (-bits & 31);
#endif
}

void ws_mask_plain(char *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(data[i] ^ mask[(offset + i) & 3]);
}

/* Eight bytes at a time, then four, then the rest. */
void ws_mask_words(char *data, size_t len, uint32_t mask)
{
    uint64_t wide = (uint64_t)mask << 32 | mask;
    for (; len >= 8; data += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        word ^= wide;
        memcpy(data, &word, 8);
    }
    if (len >= 4) {
        uint32_t word;
        memcpy(&word, data, 4);
        word ^= mask;
        memcpy(data, &word, 4);
        data += 4;
        len -= 4;
    }
    ws_mask_plain(data, len, (const uint8_t *)&mask, 0);
}

#ifdef __x86_64__
void ws_mask_sse2(char *data, size_t len, uint32_t mask)
{
    __m128i wide = _mm_set1_epi32((int)mask);
    for (; len >= 16; data += 16, len -= 16) {
        __m128i *at = (__m128i *)(void *)data;
        _mm_storeu_si128(at, _mm_xor_si128(_mm_loadu_si128(at), wide));
    }
    ws_mask_words(data, len, mask);
}

__attribute__((target("avx2"))) void ws_mask_avx2(char *data, size_t len, uint32_t mask)
{
    __m256i wide = _mm256_set1_epi32((int)mask);
    for (; len >= 128; data += 128, len -= 128) {
        __m256i *at = (__m256i *)(void *)data;
        __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1);
        __m256i c = _mm256_loadu_si256(at + 2), d = _mm256_loadu_si256(at + 3);
        _mm256_storeu_si256(at, _mm256_xor_si256(a, wide));
        _mm256_storeu_si256(at + 1, _mm256_xor_si256(b, wide));
        _mm256_storeu_si256(at + 2, _mm256_xor_si256(c, wide));
        _mm256_storeu_si256(at + 3, _mm256_xor_si256(d, wide));
    }
    ws_mask_sse2(data, len, mask);
}
#endif

static ws_mask_fn mask_first;
static _Atomic(ws_mask_fn *) mask_best = mask_first;

static void mask_first(char *data, size_t len, uint32_t mask)
{
    ws_mask_fn *best = ws_mask_words;
#ifdef __x86_64__
    best = __builtin_cpu_supports("avx2") ? ws_mask_avx2 : ws_mask_sse2;
#endif
    atomic_store_explicit(&mask_best, best, memory_order_relaxed);
    best(data, len, mask);
}

void ws_mask(char *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    uint32_t word = turned(mask, offset);
    if (len < 32)
        ws_mask_words(data, len, word);
    else
        atomic_load_explicit(&mask_best, memory_order_relaxed)(data, len, word);
}
