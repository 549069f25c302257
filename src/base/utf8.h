/* SPDX-License-Identifier: MIT */
/* utf8.h - validates UTF-8 (RFC 3629), a whole text at once or piece by piece.
 *
 * Pure. utf8_valid reads 32 bytes at a time where the machine can (run-time dispatch);
 * utf8_valid_plain is the oracle of the tests.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

bool utf8_valid(struct slice text);
bool utf8_valid_plain(struct slice text);

/* State between pieces of one text; zeroed at the beginning. */
struct utf8_stream {
    uint8_t need;      /* continuation bytes that are still to come */
    uint8_t low, high; /* bounds of the next one */
};

/* False at the first invalid byte (RFC 6455 wants to fail fast). */
bool utf8_stream_next(struct utf8_stream *u, struct slice piece);
/* True if the pieces so far end between two characters. */
static inline bool utf8_stream_whole(const struct utf8_stream *u)
{
    return u->need == 0;
}

/* The length of the character at the beginning of `text`, 1 to 4, and its code point; 0 if there is
 * none or it is not valid. */
size_t utf8_next(struct slice text, uint32_t *ret);

/* The beginning of a valid `text`, at most `max` bytes of it, that ends between two characters. */
struct slice utf8_first(struct slice text, size_t max);

#endif
