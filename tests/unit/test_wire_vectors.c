/* tests/vectors/wire.json against the C parser: the rows are the test; the JavaScript side runs the
 * same ones. */
#include <jansson.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "proto/message.h"

static struct slice text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value ? slice_make(json_string_value(value), json_string_length(value)) : SLICE_NONE;
}

/* The bytes of a Base64 text, on the heap. */
static struct slice bytes_of(struct slice base64)
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

static const char *const kinds[] = {
    [MESSAGE_EVENT] = "event", [MESSAGE_CALL] = "call",       [MESSAGE_ANSWER] = "answer",
    [MESSAGE_PART] = "part",   [MESSAGE_FAILURE] = "failure", [MESSAGE_CONTROL] = "control",
};

/* Is a number of the vectors, a string of digits, this one; or absent where there is none? */
static bool is_number(struct slice digits, bool present, uint64_t number)
{
    uint64_t value;
    if (!digits.ptr)
        return !present;
    return present && slice_to_uint(digits, UINT64_MAX, &value) && value == number;
}

static bool is_payload(const json_t *parsed, const struct message *m)
{
    struct slice base64 = text_of(parsed, "bytes");
    if (!base64.ptr)
        return !m->binary && slice_equal(m->body, text_of(parsed, "json"));
    struct slice bytes = bytes_of(base64);
    bool same = m->binary && slice_equal(m->body, bytes);
    free((char *)bytes.ptr);
    return same;
}

static bool is_parsed(const json_t *parsed, const struct message *m)
{
    bool ack = slice_equal(text_of(parsed, "kind"), SLICE_LITERAL("ack"));
    if (ack)
        return m->kind == MESSAGE_CONTROL && slice_equal(m->head, SLICE_LITERAL(".ack")) &&
               is_number(text_of(parsed, "count"), true, m->call);
    bool control = m->kind == MESSAGE_CONTROL;
    return slice_equal(text_of(parsed, "kind"), slice_of(kinds[m->kind])) &&
           slice_equal(text_of(parsed, control ? "word" : "name"), m->name) &&
           is_number(text_of(parsed, "call"), m->kind != MESSAGE_EVENT && !control, m->call) &&
           is_payload(parsed, m);
}

static void run_row(size_t number, const json_t *row)
{
    struct message m = {0};
    bool binary = slice_equal(text_of(row, "frame"), SLICE_LITERAL("binary"));
    struct slice in = binary ? bytes_of(text_of(row, "base64")) : text_of(row, "message");
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
    json_error_t error;
    json_t *rows = json_load_file(WIRE_VECTORS, JSON_ALLOW_NUL, &error);
    if (!rows)
        fail_msg("%s:%d: %s", WIRE_VECTORS, error.line, error.text);
    assert_true(json_array_size(rows) > 100);
    for (size_t i = 0; i < json_array_size(rows); i++)
        run_row(i + 1, json_array_get(rows, i));
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_of_the_shared_vectors)};
    return cmocka_run_group_tests_name("wire_vectors", tests, NULL, NULL);
}
