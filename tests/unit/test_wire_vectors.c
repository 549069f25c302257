/* SPDX-License-Identifier: MIT */
/* tests/vectors/wire.json against the C parser: the rows are the test; the JavaScript side runs the
 * same ones. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "proto/message.h"
#include "vectors.h"

static const char *const kinds[] = {
    [MESSAGE_EVENT] = "event",     [MESSAGE_CALL] = "call",       [MESSAGE_ANSWER] = "answer",
    [MESSAGE_PART] = "part",       [MESSAGE_FAILURE] = "failure", [MESSAGE_CONTROL] = "control",
    [MESSAGE_COMMAND] = "command",
};

static bool is_payload(const json_t *parsed, const struct message *m)
{
    struct slice base64 = vector_text(parsed, "bytes");
    if (!base64.ptr)
        return !m->binary && slice_equal(m->body, vector_text(parsed, "json"));
    struct slice bytes = vector_bytes(base64);
    bool same = m->binary && slice_equal(m->body, bytes);
    free((char *)bytes.ptr);
    return same;
}

static bool is_parsed(const json_t *parsed, const struct message *m)
{
    bool ack = slice_equal(vector_text(parsed, "kind"), SLICE_LITERAL("ack"));
    if (ack)
        return m->kind == MESSAGE_CONTROL && slice_equal(m->head, SLICE_LITERAL(".ack")) &&
               vector_is_number(vector_text(parsed, "count"), true, m->call);
    bool control = m->kind == MESSAGE_CONTROL || m->kind == MESSAGE_COMMAND;
    return slice_equal(vector_text(parsed, "kind"), slice_of(kinds[m->kind])) &&
           slice_equal(vector_text(parsed, control ? "word" : "name"), m->name) &&
           vector_is_number(vector_text(parsed, "call"), m->kind != MESSAGE_EVENT && !control,
                            m->call) &&
           is_payload(parsed, m);
}

static void run_row(size_t number, const json_t *row)
{
    struct message m = {0};
    bool binary = slice_equal(vector_text(row, "frame"), SLICE_LITERAL("binary"));
    struct slice in =
        binary ? vector_bytes(vector_text(row, "base64")) : vector_text(row, "message");
    assert_non_null(in.ptr);
    assert_true(binary || utf8_valid(in));
    enum parse_status status = binary ? message_parse_binary(in, &m) : message_parse_text(in, &m);
    bool valid = json_is_true(json_object_get(row, "valid"));
    const char *why = json_string_value(json_object_get(row, "why"));
    if ((status == PARSE_OK) != valid)
        fail_msg("row %zu, %s: %s", number, why, status == PARSE_OK ? "accepted" : m.why);
    if (valid && !is_parsed(json_object_get(row, "parsed"), &m))
        fail_msg("row %zu, %s: parsed as something else", number, why);
    if (binary)
        free((char *)in.ptr);
}

static void every_row_of_the_shared_vectors(void **state)
{
    (void)state;
    vectors_each(WIRE_VECTORS, 100, run_row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_of_the_shared_vectors)};
    return cmocka_run_group_tests_name("wire_vectors", tests, NULL, NULL);
}
