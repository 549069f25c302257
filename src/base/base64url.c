/* SPDX-License-Identifier: MIT */
#include "base/base64url.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64url_value(char c)
{
    const char *found = memchr(letters, c, 64);
    return found ? (int)(found - letters) : -1;
}

size_t base64url_span(struct slice s)
{
    size_t len = 0;
    while (len < s.len && base64url_value(s.ptr[len]) >= 0)
        len++;
    return len;
}

void base64url_write(const uint8_t *raw, size_t len, char *out)
{
    assert(len % 3 == 0);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t three = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = letters[three >> shift & 63];
    }
}

void base64url_encode(const uint8_t *raw, size_t len, char *out)
{
    char last[4];
    size_t rest = len % 3, whole = len - rest;
    uint8_t three[3] = {0};
    base64url_write(raw, whole, out);
    if (!rest)
        return;
    memcpy(three, raw + whole, rest);
    base64url_write(three, 3, last);
    memcpy(out + whole / 3 * 4, last, rest + 1);
}

ssize_t base64url_decode(struct slice s, uint8_t *out)
{
    uint32_t bits = 0;
    size_t len = 0;
    if (s.len % 4 == 1)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        int value = base64url_value(s.ptr[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4)
            out[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    unsigned spare = s.len % 4 == 2 ? 15 : s.len % 4 == 3 ? 3 : 0;
    return bits & spare ? -1 : (ssize_t)len;
}

int base64url_draw(char *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len)
        return -errno;
    for (size_t i = 0; i < len; i++)
        out[i] = letters[(unsigned char)out[i] & 63];
    return 0;
}
