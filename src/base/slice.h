/* SPDX-License-Identifier: MIT */
/* slice.h - bytes that another object owns.
 *
 * A slice is a borrowed view and never frees its bytes. The function that hands out a slice says
 * how long the slice is valid. A slice is not NUL-terminated and is passed by value.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* Bytes that the receiver may change in place, such as a receive buffer during its callback. */
struct bytes {
    char *ptr;
    size_t len;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})
#define SLICE_NONE          ((struct slice){NULL, 0})
/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline struct slice slice_make(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_from_bytes(struct bytes b)
{
    return (struct slice){b.ptr, b.len};
}

/* The bytes after the first `n`; `n` must not exceed the length. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return (struct slice){s.ptr + n, s.len - n};
}

static inline struct slice slice_first(struct slice s, size_t n)
{
    return (struct slice){s.ptr, n < s.len ? n : s.len};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

static inline bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0;
}

/* ASCII letters compare without case; every other byte by its value (RFC 9110, 5.1). */
bool slice_same_nocase(const char *a, const char *b, size_t len);
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && slice_same_nocase(a.ptr, b.ptr, a.len);
}

/* `s` without the spaces and tabs at both ends (OWS of RFC 9110). */
struct slice slice_trim(struct slice s);

/* Parses decimal digits without a sign. Returns false and leaves *ret untouched if `s` is empty,
 * holds any other byte, or is above `max`. */
bool slice_to_uint(struct slice s, uint64_t max, uint64_t *ret);

/* The index of the first `c`, or s.len. */
size_t slice_find(struct slice s, char c);

/* Copies `s` to *at and moves *at behind the copy, for texts that are allocated with their owner.
 */
struct slice slice_copy(char **at, struct slice s);

/* A NUL-terminated copy on the heap, which the caller frees. NULL without memory. */
char *slice_to_string(struct slice s);

#endif
