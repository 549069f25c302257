/* SPDX-License-Identifier: MIT */
/* tests/vectors/state.json: what the server reads, and what it writes. The JavaScript side runs the
 * same rows from its own side. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/message.h"
#include "proto/state_message.h"
#include "vectors.h"

static bool is(const json_t *object, const char *key, const char *text)
{
    return slice_equal(vector_text(object, key), slice_of(text));
}

static const char *run_restore(const json_t *parsed, struct slice in)
{
    struct state_restore r;
    if (state_parse_restore(in, &r) != PARSE_OK)
        return parsed ? r.fault : NULL;
    if (!parsed)
        return "accepted";
    struct slice bytes = vector_bytes(vector_text(parsed, "bytes"));
    bool same = is(parsed, "kind", "restore") && is(parsed, "why", state_why_name(r.why)) &&
                vector_is_number(vector_text(parsed, "resent"), true, r.resent) &&
                slice_equal(bytes, r.sealed);
    free((char *)bytes.ptr);
    return same ? NULL : "parsed as something else";
}

static const char *run_stored(const json_t *parsed, struct slice in)
{
    struct message m;
    uint64_t count;
    bool good = message_parse_text(in, &m) == PARSE_OK && m.kind == MESSAGE_CONTROL &&
                slice_equal(m.name, SLICE_LITERAL("stored")) &&
                slice_to_uint(m.body, MESSAGE_CALL_MAX, &count) &&
                vector_is_number(vector_text(parsed, "count"), true, count);
    return good ? NULL : "not read";
}

/* Only what is valid: that is what we write. */
static const char *run_saved(const json_t *parsed, bool binary, struct slice in)
{
    char head[STATE_SAVED_MAX];
    uint64_t count;
    if (!parsed || !is(parsed, "kind", "saved"))
        return NULL;
    if (!slice_to_uint(vector_text(parsed, "count"), MESSAGE_CALL_MAX, &count))
        return "no count";
    struct slice written = slice_make(head, state_saved_write(count, head));
    bool same = binary ? slice_equal(written, slice_first(in, slice_find(in, '\n')))
                       : slice_equal(written, in);
    return same ? NULL : "written as something else";
}

static void run_row(size_t number, const json_t *row)
{
    bool binary = is(row, "frame", "binary");
    struct slice in =
        binary ? vector_bytes(vector_text(row, "base64")) : vector_text(row, "message");
    const json_t *parsed = json_object_get(row, "parsed");
    assert_true(json_is_true(json_object_get(row, "valid")) == (parsed != NULL));
    const char *wrong = is(row, "side", "server") ? run_saved(parsed, binary, in)
                        : binary                  ? run_restore(parsed, in)
                                                  : run_stored(parsed, in);
    if (wrong)
        fail_msg("row %zu, %s: %s", number, json_string_value(json_object_get(row, "why")), wrong);
    if (binary)
        free((char *)in.ptr);
}

static void every_row_of_the_shared_vectors(void **state)
{
    (void)state;
    vectors_each(STATE_VECTORS, 40, run_row);
}

static void a_piece_is_no_frame_of_an_older_kind(void **state)
{
    (void)state;
    assert_true(STATE_MORE > MESSAGE_PART_LAST_BINARY && STATE_MORE < 0x20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_shared_vectors),
        cmocka_unit_test(a_piece_is_no_frame_of_an_older_kind),
    };
    return cmocka_run_group_tests_name("state_vectors", tests, NULL, NULL);
}
