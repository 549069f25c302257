/* SPDX-License-Identifier: MIT */
/* UTF-8, 32 bytes at a time, by the method of Keiser and Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2021): three table look-ups, by the two halves of each byte's predecessor
 * and by its own upper half, name the faults that each of them would allow; a fault that all three
 * name is one. Whether a byte must be the third or fourth of a character is compared separately. */
#include "base/utf8_twins.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* Faults of two bytes in a row. */
enum {
    TOO_SHORT = 1 << 0,    /* a lead byte, then no continuation */
    TOO_LONG = 1 << 1,     /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,   /* E0 80..9F */
    TOO_LARGE = 1 << 3,    /* F4 90..BF, F5..FF 90..BF */
    SURROGATE = 1 << 4,    /* ED A0..BF */
    OVERLONG_2 = 1 << 5,   /* C0..C1 80..BF */
    TOO_LARGE_80 = 1 << 6, /* F5..FF 80..8F */
    OVERLONG_4 =
        1 << 6,         /* F0 80..8F: shares the bit, the lower half of the lead tells them apart */
    TWO_CONTS = 1 << 7, /* two continuations: right only as a third or fourth byte */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTS,
    PAST_F4 = ANY_LOW | TOO_LARGE | TOO_LARGE_80,
};

/* A table of 16, in both lanes. */
AVX2 static inline __m256i look_up(const uint8_t table[16], __m256i index)
{
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), index);
}

AVX2 static inline __m256i upper_half(__m256i v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
}

/* The bytes that stand `n` before those of v, over the border of the blocks. */
#define BEFORE(v, last, n)                                                                         \
    _mm256_alignr_epi8((v), _mm256_permute2x128_si256((last), (v), 0x21), 16 - (n))

AVX2 static inline __m256i pair_faults(__m256i v, __m256i before)
{
    static const uint8_t lead_high[16] = {
        [0 ... 7] = TOO_LONG,
        [8 ... 11] = TWO_CONTS,
        [12] = TOO_SHORT | OVERLONG_2,
        [13] = TOO_SHORT,
        [14] = TOO_SHORT | OVERLONG_3 | SURROGATE,
        [15] = TOO_SHORT | TOO_LARGE | TOO_LARGE_80 | OVERLONG_4,
    };
    static const uint8_t lead_low[16] = {
        [0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
        [1] = ANY_LOW | OVERLONG_2,
        [2 ... 3] = ANY_LOW,
        [4] = ANY_LOW | TOO_LARGE,
        [5 ... 12] = PAST_F4,
        [13] = PAST_F4 | SURROGATE,
        [14 ... 15] = PAST_F4,
    };
    static const uint8_t next_high[16] = {
        [0 ... 7] = TOO_SHORT,
        [8] = TOO_LONG | TWO_CONTS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE_80 | OVERLONG_4,
        [9] = TOO_LONG | TWO_CONTS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
        [10 ... 11] = TOO_LONG | TWO_CONTS | OVERLONG_2 | SURROGATE | TOO_LARGE,
        [12 ... 15] = TOO_SHORT,
    };
    __m256i low = _mm256_and_si256(before, _mm256_set1_epi8(15));
    __m256i faults =
        _mm256_and_si256(look_up(lead_high, upper_half(before)), look_up(lead_low, low));
    return _mm256_and_si256(faults, look_up(next_high, upper_half(v)));
}

/* The faults of a block. TWO_CONTS, the top bit, is one exactly where no third or fourth byte is
 * due: the two cancel out. */
AVX2 static inline __m256i block_faults(__m256i v, __m256i last)
{
    __m256i third = _mm256_subs_epu8(BEFORE(v, last, 2), _mm256_set1_epi8((char)(0xe0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(BEFORE(v, last, 3), _mm256_set1_epi8((char)(0xf0 - 0x80)));
    __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(pair_faults(v, BEFORE(v, last, 1)), due);
}

/* Of less than 32 bytes. */
AVX2 static inline bool ends_in_ascii(struct slice text)
{
    uint64_t first = 0, last = 0;
    if (text.len >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)text.ptr);
        __m128i w = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + text.len - 16));
        return _mm_movemask_epi8(_mm_or_si128(v, w)) == 0;
    }
    if (text.len >= 8) {
        memcpy(&first, text.ptr, 8);
        memcpy(&last, text.ptr + text.len - 8, 8);
    } else {
        for (size_t i = 0; i < text.len; i++)
            first |= (uint8_t)text.ptr[i];
    }
    return ((first | last) & UINT64_C(0x8080808080808080)) == 0;
}

AVX2 bool utf8_valid_avx2(struct slice text)
{
    __m256i faults = _mm256_setzero_si256(), last = _mm256_setzero_si256();
    uint32_t last_high = 0; /* which bytes of the last block are not ASCII */
    for (; text.len >= 32; text = slice_skip(text, 32)) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)text.ptr);
        uint32_t high = (uint32_t)_mm256_movemask_epi8(v);
        if (high | last_high)
            faults = _mm256_or_si256(faults, block_faults(v, last));
        last = v;
        last_high = high;
    }
    if (!last_high && ends_in_ascii(text))
        return _mm256_testz_si256(faults, faults);
    /* The rest, filled up with NUL, which no character that is still open can be followed by. */
    char rest[32] = {0};
    memcpy(rest, text.ptr, text.len);
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)rest);
    faults = _mm256_or_si256(faults, block_faults(v, last));
    return _mm256_testz_si256(faults, faults);
}
#endif
