/* SPDX-License-Identifier: MIT */
/* vectors.h - the files of tests/vectors that are JSON: an array with an object for each case. */
#ifndef UNIT_VECTORS_H
#define UNIT_VECTORS_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/slice.h"

/* Without `key`: SLICE_NONE. */
static inline struct slice vector_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value ? slice_make(json_string_value(value), json_string_length(value)) : SLICE_NONE;
}

/* The bytes of a Base64 text, on the heap. */
static inline struct slice vector_bytes(struct slice base64)
{
    unsigned char *bytes = malloc(base64.len + 1);
    int len = EVP_DecodeBlock(bytes, (const unsigned char *)base64.ptr, (int)base64.len);
    assert_true(len >= 0);
    while (base64.len && base64.ptr[base64.len - 1] == '=') {
        base64.len--;
        len--;
    }
    return slice_make(bytes, (size_t)len);
}

/* Is a number of the vectors, a string of digits, this one; or absent where there is none? */
static inline bool vector_is_number(struct slice digits, bool present, uint64_t number)
{
    uint64_t value;
    if (!digits.ptr)
        return !present;
    return present && slice_to_uint(digits, UINT64_MAX, &value) && value == number;
}

static inline void vectors_each(const char *file, size_t at_least,
                                void (*run)(size_t number, const json_t *row))
{
    json_error_t error;
    json_t *rows = json_load_file(file, JSON_ALLOW_NUL, &error);
    if (!rows)
        fail_msg("%s:%d: %s", file, error.line, error.text);
    assert_true(json_array_size(rows) > at_least);
    for (size_t i = 0; i < json_array_size(rows); i++)
        run(i + 1, json_array_get(rows, i));
    json_decref(rows);
}

#endif
