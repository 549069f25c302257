/* SPDX-License-Identifier: MIT */
/* base64url.h - the 64 letters of which ids and keys are made: A-Z a-z 0-9 - _ (RFC 4648, 5). These
 * letters need no escape in a URL, a header or a line of descriptor 3.
 *
 * Pure, except base64url_draw().
 */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/slice.h"

#include <sys/types.h>

/* The value of a letter, 0 to 63; -1 for any other byte. */
int base64url_value(char c);

/* How many letters `s` begins with. */
size_t base64url_span(struct slice s);

/* Writes 4 letters to `out` for each 3 bytes of `raw`; `len` is a multiple of 3. */
void base64url_write(const uint8_t *raw, size_t len, char *out);

/* Any number of bytes, without padding: BASE64URL_LEN(len) letters. */
#define BASE64URL_LEN(len) (((len)*4 + 2) / 3)
void base64url_encode(const uint8_t *raw, size_t len, char *out);
/* What base64url_encode() has written, and nothing else: writes at most 3 bytes for 4 letters, and
 * returns how many, or -1. */
ssize_t base64url_decode(struct slice letters, uint8_t *out);

/* Draws `len` unpredictable letters, 6 random bits each. Returns 0 or a negative errno. */
int base64url_draw(char *out, size_t len);

#endif
