/* SPDX-License-Identifier: MIT */
/* json.h - validates JSON (RFC 8259), and writes and reads its strings.
 *
 * Values are never built: the server passes them on. Pure, no allocation, no recursion.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include "base/slice.h"

#define JSON_DEPTH_MAX 512

/* Whether `text` is one JSON value, on one line (whitespace is space and tab), in valid UTF-8, and
 * with arrays and objects nested at most `depth_max` (up to JSON_DEPTH_MAX) deep. A value without
 * arrays and objects has depth 0. One pass; strings go 16 bytes at a time where the machine can. */
bool json_valid(struct slice text, unsigned depth_max);

/* How long the string of `len` bytes may be at most. */
#define JSON_QUOTED_MAX(len) (6 * (len) + 2)
/* Writes `text`, which is UTF-8, as a JSON string with its quotes; `out` needs
 * JSON_QUOTED_MAX(text.len) bytes. Returns the length. Control characters are escaped, so it stays
 * on one line. */
size_t json_quote(struct slice text, char *out);

/* Whether `text` stands for itself between the quotes of a JSON string: json_quote() would only
 * copy it. */
bool json_is_plain(struct slice text);

/* The text of a JSON string value (unescaped, as UTF-8) into `out` of at least json.len bytes.
 * False if it is no valid JSON string. Lone surrogates become U+FFFD. */
bool json_unquote(struct slice json, char *out, size_t *ret_len);
/* The same, of a value that json_valid() has accepted: without a second look. */
bool json_unquote_valid(struct slice json, char *out, size_t *ret_len);
/* The text of a string that json_valid() has accepted, as a part of `json`. False if it has
 * escapes, or is no string. */
bool json_plain_text(struct slice json, struct slice *ret);

#endif
