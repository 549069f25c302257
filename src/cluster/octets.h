/* SPDX-License-Identifier: MIT */
/* octets.h - numbers as octets, the first one the highest, for what servers tell each other.
 *
 * Pure.
 */
#ifndef CLUSTER_OCTETS_H
#define CLUSTER_OCTETS_H

#include "base/text.h"

/* The lowest `octets` (at most 8) of the number. */
static inline void octets_put(struct text *out, uint64_t number, int octets)
{
    unsigned char bytes[8];
    for (int i = 0; i < octets; i++)
        bytes[i] = (unsigned char)(number >> (8 * (octets - 1 - i)));
    text_put(out, slice_make(bytes, (size_t)octets));
}

/* Takes the number off *in. False, and all is untouched: there is not so much. */
static inline bool octets_get(struct slice *in, int octets, uint64_t *ret)
{
    uint64_t number = 0;
    if (in->len < (size_t)octets)
        return false;
    for (int i = 0; i < octets; i++)
        number = number << 8 | (unsigned char)in->ptr[i];
    *in = slice_skip(*in, (size_t)octets);
    *ret = number;
    return true;
}

/* The same of so many bytes. */
static inline bool octets_take(struct slice *in, size_t len, struct slice *ret)
{
    if (in->len < len)
        return false;
    *ret = slice_first(*in, len);
    *in = slice_skip(*in, len);
    return true;
}

#endif
