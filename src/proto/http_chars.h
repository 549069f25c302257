/* SPDX-License-Identifier: MIT */
/* http_chars.h - which bytes may stand where in HTTP (RFC 9110, 5.5 and 5.6.2; RFC 9112, 3).
 *
 * For the parsers of this room: a table of classes, and searches for the first byte that ends a
 * run, 16 at a time where the machine can.
 */
#ifndef PROTO_HTTP_CHARS_H
#define PROTO_HTTP_CHARS_H

#include "base/slice.h"

enum {
    HTTP_TCHAR = 1,  /* token */
    HTTP_FIELD = 2,  /* field value: VCHAR, obs-text, SP, HTAB */
    HTTP_TARGET = 4, /* request target: VCHAR but `#` */
    HTTP_HEX = 8,
};

extern const uint8_t http_class[256];

static inline bool http_is(char c, uint8_t class)
{
    return http_class[(uint8_t)c] & class;
}

/* The value of a hexadecimal digit. */
static inline unsigned http_hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* The first byte in [at, end) that is not of its class, or end. */
const char *http_skip_token(const char *at, const char *end);
const char *http_skip_field(const char *at, const char *end);
const char *http_skip_target(const char *at, const char *end);

#endif
