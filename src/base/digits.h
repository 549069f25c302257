/* SPDX-License-Identifier: MIT */
/* digits.h - a number as decimal text, where snprintf() would take ten times as long. */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include "base/slice.h"

#include <stdint.h>

enum {
    DIGITS_MAX = 20
};

/* The digits of `n`, at the end of `room`. */
static inline struct slice digits_of(uint64_t n, char room[DIGITS_MAX])
{
    char *end = room + DIGITS_MAX, *at = end;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    return slice_make(at, (size_t)(end - at));
}

#endif
