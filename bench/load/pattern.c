/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_BYTES = 256 * 1024,
    HEAD_MAX = 128,
    NUMBER_DIGITS = 5
};

size_t pattern_put_head(char *p, int op, uint64_t size, const unsigned char *mask)
{
    size_t n = 2;
    int mask_bit = mask ? 0x80 : 0;
    p[0] = (char)(0x80 | op);
    p[1] = (char)(mask_bit | (int)(size < 126 ? size : size <= 65535 ? 126 : 127));
    size_t more = size < 126 ? 0 : size <= 65535 ? 2 : 8;
    for (size_t i = 0; i < more; i++)
        p[n++] = (char)(size >> 8 * (more - 1 - i));
    if (mask)
        memcpy(p + n, mask, 4);
    return n + (mask ? 4 : 0);
}

static size_t put_redis_head(char *p, enum form form, uint64_t size)
{
    const char *what = form == FORM_PUBLISH ? "PUBLISH" : "message";
    return (size_t)sprintf(p, "*3\r\n$7\r\n%s\r\n$1\r\nt\r\n$%llu\r\n", what,
                           (unsigned long long)size);
}

static size_t put_start(char *p, enum form form, uint64_t size, const unsigned char *mask)
{
    if (form == FORM_PUBLISH || form == FORM_MESSAGE)
        return put_redis_head(p, form, size);
    return pattern_put_head(p, form == FORM_BINARY ? 2 : 1, size, mask);
}

/* Its number, then letters that depend on it. */
static void put_payload(char *p, enum form form, uint64_t size, uint64_t copy)
{
    char digits[32];
    uint64_t from = 0, to = size;
    if (form == FORM_EVENT) {
        memcpy(p, "m \"", 3);
        p[size - 1] = '"';
        from = 3;
        to = size - 1;
    }
    snprintf(digits, sizeof(digits), "%0*llx", NUMBER_DIGITS, (unsigned long long)copy & 0xfffff);
    for (uint64_t i = from; i < to; i++)
        p[i] =
            i - from < NUMBER_DIGITS ? digits[i - from] : (char)('a' + (int)((i + copy * 7) % 26));
}

struct pattern pattern_make(enum form form, uint64_t size, const unsigned char *mask,
                            uint64_t copies_min)
{
    char head[HEAD_MAX];
    bool redis = form == FORM_PUBLISH || form == FORM_MESSAGE;
    if (size < NUMBER_DIGITS + (form == FORM_EVENT ? 4 : 0))
        fail("a message needs room for its number");
    struct pattern p = {.one = put_start(head, form, size, mask) + size + (redis ? 2 : 0)};
    uint64_t copies = BATCH_BYTES / p.one + 2;
    if (copies < copies_min)
        copies = copies_min;
    p.all = copies * p.one;
    p.bytes = malloc(p.all);
    if (!p.bytes)
        die("memory");
    for (uint64_t copy = 0; copy < copies; copy++) {
        char *at = p.bytes + copy * p.one;
        at += put_start(at, form, size, mask);
        put_payload(at, form, size, copy);
        for (uint64_t i = 0; mask && i < size; i++)
            at[i] = (char)(at[i] ^ mask[i & 3]);
        if (redis)
            memcpy(at + size, "\r\n", 2);
    }
    return p;
}
