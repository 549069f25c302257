/* SPDX-License-Identifier: MIT */
/* Masking (RFC 6455, 5.3): the widest twin that the machine has is chosen at the first call.
 *
 * Data of any length is blocks from its beginning on and one block at its end. The last block
 * overlaps the one before, so it is read and masked before anything is written, and written last.
 *
 * The result of each function here has the bits of all blocks that are there now, so its top bits
 * say whether all is ASCII. */
#include "proto/ws_frame.h"

#include <stdatomic.h>

#include "proto/ws_mask_twins.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#endif

#define NOT_ASCII UINT64_C(0x8080808080808080)

typedef uint32_t block __attribute__((vector_size(16)));

static inline uint32_t word_of(const uint8_t mask[4])
{
    uint32_t word;
    memcpy(&word, mask, 4);
    return word;
}

/* The mask as it lies over the payload from `offset` on. */
static inline uint32_t turned(uint32_t mask, uint64_t offset)
{
    unsigned bits = 8 * (offset & 3);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return mask << bits | mask >> (-bits & 31);
#else
    return mask >> bits | mask << (-bits & 31);
#endif
}

static inline uint64_t twice(uint32_t mask)
{
    return (uint64_t)mask << 32 | mask;
}

void ws_mask_plain(char *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(data[i] ^ mask[(offset + i) & 3]);
}

/* ---- less than a block ---- */

static inline uint64_t mask_bytes(char *data, size_t len, uint32_t mask)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)(data[i] ^ ((const char *)&mask)[i & 3]);
        seen |= (uint8_t)data[i];
    }
    return seen;
}

static inline uint64_t mask_words(char *data, size_t len, uint32_t mask)
{
    uint64_t first, last;
    memcpy(&first, data, 8);
    memcpy(&last, data + len - 8, 8);
    first ^= twice(mask);
    last ^= twice(turned(mask, len));
    memcpy(data, &first, 8);
    memcpy(data + len - 8, &last, 8);
    return first | last;
}

/* ---- blocks ---- */

static inline block load(const char *from)
{
    block b;
    memcpy(&b, from, sizeof(b));
    return b;
}

static inline void store(char *to, block b)
{
    memcpy(to, &b, sizeof(b));
}

static inline uint64_t seen_in_block(block b)
{
    uint64_t halves[2];
    memcpy(halves, &b, sizeof(b));
    return halves[0] | halves[1];
}

static inline uint64_t mask_blocks(char *data, size_t len, uint32_t mask)
{
    uint32_t turn = turned(mask, len);
    block wide = {mask, mask, mask, mask}, last_wide = {turn, turn, turn, turn};
    char *last = data + len - sizeof(block);
    block last_block = load(last) ^ last_wide, seen = last_block;
    for (; data < last; data += sizeof(block)) {
        block b = load(data) ^ wide;
        store(data, b);
        seen |= b;
    }
    store(last, last_block);
    return seen_in_block(seen);
}

static inline uint64_t mask_any(char *data, size_t len, uint32_t mask)
{
    if (len >= sizeof(block))
        return mask_blocks(data, len, mask);
    return len >= 8 ? mask_words(data, len, mask) : mask_bytes(data, len, mask);
}

uint64_t ws_mask_blocks(char *data, size_t len, uint32_t mask)
{
    return mask_any(data, len, mask);
}

#ifdef __x86_64__
AVX2 static inline __m256i mask_wide(char *data, __m256i wide)
{
    __m256i *at = (__m256i *)(void *)data, v = _mm256_xor_si256(_mm256_loadu_si256(at), wide);
    _mm256_storeu_si256(at, v);
    return v;
}

AVX2 static inline uint64_t seen_in(__m256i v)
{
    __m128i half = _mm_or_si128(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return (uint64_t)(_mm_cvtsi128_si64(half) | _mm_extract_epi64(half, 1));
}

AVX2 uint64_t ws_mask_avx2(char *data, size_t len, uint32_t mask)
{
    if (len < 32)
        return mask_any(data, len, mask);
    char *last = data + len - 32, *fours = data + (len - 32) / 128 * 128;
    __m256i wide = _mm256_set1_epi32((int)mask), a, b, c, d;
    __m256i last_wide = _mm256_set1_epi32((int)turned(mask, len));
    __m256i last_block = _mm256_xor_si256(_mm256_loadu_si256((__m256i *)(void *)last), last_wide);
    __m256i seen = last_block;
    for (; data < fours; data += 128) {
        a = mask_wide(data, wide);
        b = mask_wide(data + 32, wide);
        c = mask_wide(data + 64, wide);
        d = mask_wide(data + 96, wide);
        seen = _mm256_or_si256(_mm256_or_si256(seen, a), _mm256_or_si256(_mm256_or_si256(b, c), d));
    }
    for (; data < last; data += 32)
        seen = _mm256_or_si256(seen, mask_wide(data, wide));
    _mm256_storeu_si256((__m256i *)(void *)last, last_block);
    return seen_in(seen);
}
#endif

/* ---- the choice ---- */

static ws_mask_fn mask_first;
static _Atomic(ws_mask_fn *) mask_best = mask_first;

static uint64_t mask_first(char *data, size_t len, uint32_t mask)
{
    ws_mask_fn *best = ws_mask_blocks;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        best = ws_mask_avx2;
#endif
    atomic_store_explicit(&mask_best, best, memory_order_relaxed);
    return best(data, len, mask);
}

static inline uint64_t mask_best_way(char *data, size_t len, uint32_t mask)
{
    if (len < 128)
        return mask_any(data, len, mask);
    return atomic_load_explicit(&mask_best, memory_order_relaxed)(data, len, mask);
}

void ws_mask(char *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    mask_best_way(data, len, turned(word_of(mask), offset));
}

bool ws_mask_ascii(char *data, size_t len, const uint8_t mask[4])
{
    return (mask_best_way(data, len, word_of(mask)) & NOT_ASCII) == 0;
}
