/* SPDX-License-Identifier: MIT */
/* tests/vectors/channels.json against the C codec, both ways; the JavaScript side runs the same
 * rows. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/channel_frame.h"
#include "vectors.h"

static const char *const types[] = {
    [CHANNEL_OPEN] = "open",   [CHANNEL_OPENED] = "opened", [CHANNEL_DATA] = "data",
    [CHANNEL_STATE] = "state", [CHANNEL_END] = "end",       [CHANNEL_RESET] = "reset",
    [CHANNEL_GONE] = "gone",
};

static bool is_body(const json_t *parsed, struct slice body)
{
    struct slice base64 = vector_text(parsed, "bytes");
    if (!base64.ptr)
        return slice_equal(body, vector_text(parsed, "json"));
    struct slice bytes = vector_bytes(base64);
    bool same = slice_equal(body, bytes);
    free((char *)bytes.ptr);
    return same;
}

static bool is_parsed(const json_t *parsed, const struct channel_frame *f)
{
    bool state = f->type == CHANNEL_STATE;
    return slice_equal(vector_text(parsed, "type"), slice_of(types[f->type])) &&
           json_integer_value(json_object_get(parsed, "channel")) == f->channel &&
           vector_is_number(vector_text(parsed, "received"), state, f->received) &&
           vector_is_number(vector_text(parsed, "limit"), state, f->limit) &&
           is_body(parsed, f->body);
}

static bool is_written(struct slice in, const struct channel_frame *f)
{
    char head[CHANNEL_HEAD_MAX];
    size_t len = channel_frame_head(f, head);
    return len + f->body.len == in.len && memcmp(head, in.ptr, len) == 0;
}

static void run_row(size_t number, const json_t *row)
{
    struct channel_frame f = {0};
    struct slice in = vector_bytes(vector_text(row, "base64"));
    enum parse_status status = channel_frame_parse(in, &f);
    bool valid = json_is_true(json_object_get(row, "valid"));
    const char *why = json_string_value(json_object_get(row, "why"));
    if ((status == PARSE_OK) != valid)
        fail_msg("row %zu, %s: %s", number, why, status == PARSE_OK ? "accepted" : f.why);
    if (valid && !is_parsed(json_object_get(row, "parsed"), &f))
        fail_msg("row %zu, %s: parsed as something else", number, why);
    if (valid && !is_written(in, &f))
        fail_msg("row %zu, %s: written in another way", number, why);
    free((char *)in.ptr);
}

static void every_row_of_the_shared_vectors(void **state)
{
    (void)state;
    vectors_each(CHANNEL_VECTORS, 50, run_row);
}

static void a_first_byte_below_a_space_is_a_streams(void **state)
{
    (void)state;
    assert_true(channel_frame_is(slice_make("\0", 1)));
    assert_true(channel_frame_is(slice_make("\x1f", 1)));
    assert_false(channel_frame_is(slice_make(" ", 1)));
    assert_false(channel_frame_is(slice_make("\xff", 1)));
    assert_false(channel_frame_is(SLICE_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_shared_vectors),
        cmocka_unit_test(a_first_byte_below_a_space_is_a_streams),
    };
    return cmocka_run_group_tests_name("channel_frame", tests, NULL, NULL);
}
