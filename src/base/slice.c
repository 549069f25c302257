/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include <stdlib.h>

#define EACH_BYTE(n) (UINT64_C(0x0101010101010101) * (n))

/* Of eight bytes, those that are capital ASCII letters become small ones. */
static inline uint64_t lower(uint64_t eight)
{
    uint64_t low = eight & EACH_BYTE(0x7f);
    uint64_t from_a = low + EACH_BYTE(0x80 - 'A'), above_z = low + EACH_BYTE(0x7f - 'Z');
    uint64_t capital = (from_a ^ above_z) & ~eight & EACH_BYTE(0x80);
    return eight | capital >> 2;
}

static inline bool differ(uint64_t a, uint64_t b)
{
    return a != b && lower(a) != lower(b);
}

static inline uint64_t eight_at(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof(eight));
    return eight;
}

/* Less than eight bytes. */
static inline uint64_t all_of(const char *at, size_t len)
{
    uint32_t first, last;
    if (len < 4)
        return len ? (uint64_t)(uint8_t)at[0] << 16 | (uint64_t)(uint8_t)at[len / 2] << 8 |
                         (uint8_t)at[len - 1]
                   : 0;
    memcpy(&first, at, sizeof(first));
    memcpy(&last, at + len - sizeof(last), sizeof(last));
    return (uint64_t)first << 32 | last;
}

/* The last eight bytes overlap those before. */
bool slice_same_nocase(const char *a, const char *b, size_t len)
{
    if (len < 8)
        return !differ(all_of(a, len), all_of(b, len));
    for (size_t i = 0; i < len - 8; i += 8)
        if (differ(eight_at(a + i), eight_at(b + i)))
            return false;
    return !differ(eight_at(a + len - 8), eight_at(b + len - 8));
}

struct slice slice_trim(struct slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool slice_to_uint(struct slice s, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max)
            return false;
    }
    *ret = value;
    return true;
}

size_t slice_find(struct slice s, char c)
{
    const char *found = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return found ? (size_t)(found - s.ptr) : s.len;
}

char *slice_to_string(struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct slice slice_copy(char **at, struct slice s)
{
    char *begin = *at;
    if (s.len)
        memcpy(begin, s.ptr, s.len);
    *at = begin + s.len;
    return slice_make(begin, s.len);
}
