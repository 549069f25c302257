/* SPDX-License-Identifier: MIT */
/* base64url.h - the 64 letters of which ids and keys are made: A-Z a-z 0-9 - _ (RFC 4648, 5). They
 * stand as they are in a URL, a header and a line of descriptor 3.
 *
 * Pure, but for base64url_draw.
 */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/slice.h"

/* The place of a letter in the alphabet, 0 to 63; -1: no letter. */
int base64url_value(char c);

/* How many letters `s` begins with. */
size_t base64url_span(struct slice s);

/* 4 letters to `out` for each 3 bytes of `raw`; `len` is a multiple of 3. */
void base64url_write(const uint8_t *raw, size_t len, char *out);

/* `len` letters that nobody can foresee, 6 bits each. 0 or a negative errno. */
int base64url_draw(char *out, size_t len);

#endif
