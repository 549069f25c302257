/* SPDX-License-Identifier: MIT */
/* json_plain.h - the bytes of a JSON string that stand for themselves; for json.c and
 * json_string.c. */
#ifndef PROTO_JSON_PLAIN_H
#define PROTO_JSON_PLAIN_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first byte in [at, end) that is a quote, a backslash or a control character, or end. */
static inline __attribute__((always_inline)) const char *json_skip_plain(const char *at,
                                                                         const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
        __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
        __m128i escape = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
        int stop = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, escape)));
        if (stop)
            return at + __builtin_ctz((unsigned)stop);
    }
#endif
    while (at < end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
        at++;
    return at;
}

#endif
