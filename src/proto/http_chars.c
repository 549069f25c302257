/* SPDX-License-Identifier: MIT */
#include "proto/http_chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Classes by name; each row of the table is 16 bytes of ASCII. */
#define T (HTTP_TCHAR | HTTP_FIELD | HTTP_TARGET)
#define H (T | HTTP_HEX)
#define V (HTTP_FIELD | HTTP_TARGET)
#define F HTTP_FIELD
#define N (HTTP_TCHAR | HTTP_FIELD) /* the number sign: it would begin a fragment */

/* clang-format off */
const uint8_t http_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, F, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    F, T, V, N, T, T, T, T, V, V, T, T, V, T, T, V, /*   ! " # $ % & ' ( ) * + , - . / */
    H, H, H, H, H, H, H, H, H, H, V, V, V, V, V, V, /* 0-9 : ; < = > ? */
    V, H, H, H, H, H, H, T, T, T, T, T, T, T, T, T, /* @ A-O */
    T, T, T, T, T, T, T, T, T, T, T, V, V, V, T, T, /* P-Z [ \ ] ^ _ */
    T, H, H, H, H, H, H, T, T, T, T, T, T, T, T, T, /* ` a-o */
    T, T, T, T, T, T, T, T, T, T, T, V, T, V, T, 0, /* p-z { | } ~ DEL */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
};
/* clang-format on */

static const char *skip_class(const char *at, const char *end, uint8_t class)
{
    while (at < end && http_is(*at, class))
        at++;
    return at;
}

#ifdef __SSE2__
/* One bit for each of 16 bytes that is no letter, digit or hyphen: nearly all tokens have only
 * those. */
static inline unsigned not_word(__m128i v)
{
    __m128i letter = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    __m128i hyphen = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_or_si128(digit, hyphen))) ^ 0xffff;
}

/* One bit for each of 16 bytes that is a control character other than HTAB. */
static inline unsigned not_field(__m128i v)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}

/* One bit for each byte that a request target can't hold; signed, so that obs-text is below '!'. */
static inline unsigned not_target(__m128i v)
{
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8('!'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    __m128i fragment = _mm_cmpeq_epi8(v, _mm_set1_epi8('#'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(del, fragment)));
}

const char *http_skip_token(const char *at, const char *end)
{
    for (; end - at >= 16; at += 16) {
        unsigned stop = not_word(_mm_loadu_si128((const __m128i *)(const void *)at));
        if (stop)
            return skip_class(at + __builtin_ctz(stop), end, HTTP_TCHAR);
    }
    return skip_class(at, end, HTTP_TCHAR);
}

const char *http_skip_field(const char *at, const char *end)
{
    for (; end - at >= 16; at += 16) {
        unsigned stop = not_field(_mm_loadu_si128((const __m128i *)(const void *)at));
        if (stop)
            return at + __builtin_ctz(stop);
    }
    return skip_class(at, end, HTTP_FIELD);
}

const char *http_skip_target(const char *at, const char *end)
{
    for (; end - at >= 16; at += 16) {
        unsigned stop = not_target(_mm_loadu_si128((const __m128i *)(const void *)at));
        if (stop)
            return at + __builtin_ctz(stop);
    }
    return skip_class(at, end, HTTP_TARGET);
}
#else
const char *http_skip_token(const char *at, const char *end)
{
    return skip_class(at, end, HTTP_TCHAR);
}

const char *http_skip_field(const char *at, const char *end)
{
    return skip_class(at, end, HTTP_FIELD);
}

const char *http_skip_target(const char *at, const char *end)
{
    return skip_class(at, end, HTTP_TARGET);
}
#endif
