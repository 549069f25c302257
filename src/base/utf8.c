/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdatomic.h>

#include "base/utf8_twins.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A lead byte fixes how many bytes follow and the bounds of the first of them (RFC 3629, 4). */
static bool take_lead(struct utf8_stream *u, uint8_t c)
{
    if (c < 0xc2 || c > 0xf4)
        return false;
    u->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static inline bool take_byte(struct utf8_stream *u, uint8_t c)
{
    if (u->need == 0)
        return c < 0x80 || take_lead(u, c);
    if (c < u->low || c > u->high)
        return false;
    u->need--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

static bool take_bytes(struct utf8_stream *u, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!take_byte(u, (uint8_t)text.ptr[i]))
            return false;
    return true;
}

bool utf8_valid_plain(struct slice text)
{
    struct utf8_stream u = {0};
    return take_bytes(&u, text) && utf8_stream_whole(&u);
}

/* How many bytes of ASCII `text` begins with, at least: whole words of the machine. */
static size_t ascii_length(struct slice text)
{
    size_t len = 0;
#ifdef __SSE2__
    for (; text.len - len >= 16; len += 16)
        if (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(text.ptr + len))))
            return len;
#endif
    for (uint64_t word; text.len - len >= 8; len += 8) {
        memcpy(&word, text.ptr + len, 8);
        if (word & UINT64_C(0x8080808080808080))
            return len;
    }
    return len;
}

/* For machines without AVX2, and for short texts: runs of ASCII quickly, the rest byte by byte. */
bool utf8_valid_runs(struct slice text)
{
    struct utf8_stream u = {0};
    while (text.len) {
        text = slice_skip(text, ascii_length(text));
        struct slice some = slice_first(text, 16);
        if (!take_bytes(&u, some))
            return false;
        text = slice_skip(text, some.len);
        while (u.need && text.len) {
            if (!take_byte(&u, (uint8_t)text.ptr[0]))
                return false;
            text = slice_skip(text, 1);
        }
    }
    return utf8_stream_whole(&u);
}

typedef bool valid_fn(struct slice text);

static valid_fn valid_first;
static _Atomic(valid_fn *) valid_best = valid_first;

static bool valid_first(struct slice text)
{
    valid_fn *best = utf8_valid_runs;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        best = utf8_valid_avx2;
#endif
    atomic_store_explicit(&valid_best, best, memory_order_relaxed);
    return best(text);
}

/* Of less than 32 bytes. */
static bool is_short_ascii(struct slice text)
{
    uint64_t all = 0, word;
    if (text.len < 8) {
        for (size_t i = 0; i < text.len; i++)
            all |= (uint8_t)text.ptr[i];
        return all < 0x80;
    }
    for (size_t at = 0; at + 8 <= text.len; at += 8) {
        memcpy(&word, text.ptr + at, 8);
        all |= word;
    }
    memcpy(&word, text.ptr + text.len - 8, 8);
    return ((all | word) & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(struct slice text)
{
    if (text.len < 32)
        return is_short_ascii(text) || utf8_valid_runs(text);
    return atomic_load_explicit(&valid_best, memory_order_relaxed)(text);
}

/* How many bytes at the end of `text` begin a character that goes on after it. */
static size_t begun_length(struct slice text)
{
    for (size_t n = 1; n <= 3 && n <= text.len; n++) {
        uint8_t c = (uint8_t)text.ptr[text.len - n];
        if (c >= 0xc0)
            return n < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u) ? n : 0;
        if (c < 0x80)
            return 0;
    }
    return 0;
}

bool utf8_stream_next(struct utf8_stream *u, struct slice piece)
{
    while (u->need && piece.len) {
        if (!take_byte(u, (uint8_t)piece.ptr[0]))
            return false;
        piece = slice_skip(piece, 1);
    }
    size_t begun = begun_length(piece);
    struct slice whole = slice_first(piece, piece.len - begun);
    return utf8_valid(whole) && take_bytes(u, slice_skip(piece, whole.len));
}

size_t utf8_next(struct slice text, uint32_t *ret)
{
    struct utf8_stream u = {0};
    if (text.len == 0)
        return 0;
    uint8_t lead = (uint8_t)text.ptr[0];
    if (!take_byte(&u, lead) || text.len <= u.need)
        return 0;
    size_t len = 1u + u.need;
    uint32_t code = len == 1 ? lead : lead & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!take_byte(&u, (uint8_t)text.ptr[i]))
            return 0;
        code = code << 6 | ((uint8_t)text.ptr[i] & 63);
    }
    *ret = code;
    return len;
}

struct slice utf8_first(struct slice text, size_t max)
{
    if (text.len <= max)
        return text;
    size_t len = max;
    while (len > 0 && max - len < 3 && ((uint8_t)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return slice_first(text, len);
}
