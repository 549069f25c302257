/* SPDX-License-Identifier: MIT */
/* tests/vectors/lines.json against the server's side of descriptor 3: the rows are the test; the
 * helpers of sdk/ run the same ones. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/message.h"
#include "proto/shared_line.h"
#include "vectors.h"

#define LIMIT 4096 /* of a row that names none */

static const char *const kinds[] = {
    [MESSAGE_EVENT] = "event",     [MESSAGE_CALL] = "call",       [MESSAGE_ANSWER] = "answer",
    [MESSAGE_PART] = "part",       [MESSAGE_FAILURE] = "failure", [MESSAGE_CONTROL] = "control",
    [MESSAGE_COMMAND] = "command",
};

static bool is(const json_t *object, const char *key, const char *text)
{
    return slice_equal(vector_text(object, key), slice_of(text));
}

static bool flag(const json_t *row, const char *key)
{
    return json_is_true(json_object_get(row, key));
}

/* The line of a row, or SLICE_NONE; on the heap. */
static struct slice line_of(const json_t *row)
{
    struct slice text = vector_text(row, "line"), base64 = vector_text(row, "base64");
    if (base64.ptr)
        return vector_bytes(base64);
    return text.ptr ? slice_make(memcpy(malloc(text.len), text.ptr, text.len), text.len)
                    : SLICE_NONE;
}

struct found {
    enum parse_status status;
    size_t used;
    struct shared_line line;
};

static struct found parse(struct slice in, size_t seen, const json_t *row)
{
    const json_t *limit = json_object_get(row, "limit");
    size_t max = limit ? (size_t)json_integer_value(limit) : LIMIT, want = 0;
    struct found f = {.line.session = SLICE_LITERAL("")};
    f.status = flag(row, "shared") ? shared_line_parse(in, seen, max, &f.used, &want, &f.line)
                                   : message_parse_line(in, seen, max, &f.used, &want, &f.line.m);
    if (f.status == PARSE_MORE)
        assert_true(want > in.len);
    return f;
}

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

static bool is_parsed(const json_t *parsed, const struct shared_line *line)
{
    const struct message *m = &line->m;
    bool word = m->kind == MESSAGE_CONTROL || m->kind == MESSAGE_COMMAND;
    return slice_equal(line->session, vector_text(parsed, "session")) &&
           is(parsed, "kind", kinds[m->kind]) &&
           slice_equal(m->name, vector_text(parsed, word ? "word" : "name")) &&
           vector_is_number(vector_text(parsed, "call"), m->kind != MESSAGE_EVENT && !word,
                            m->call) &&
           is_payload(parsed, m);
}

/* The line of a message, as the server writes it, is that of the row. */
static bool is_written(const struct shared_line *line, struct slice in)
{
    struct message_line head;
    message_line_head(&line->m, &head);
    size_t lead = line->session.len ? line->session.len + 2 : 0;
    size_t len = lead + head.before_len + line->m.body.len + 1;
    struct slice before = slice_make(head.before, head.before_len);
    return in.len == len && slice_starts_with(slice_skip(in, lead), before) &&
           slice_ends_with(in, SLICE_LITERAL("\n"));
}

static bool comes_from(const json_t *row, const char *side)
{
    return is(row, "from", side) || is(row, "from", "both");
}

static void check_row(size_t number, const json_t *row, struct slice in)
{
    const char *why = json_string_value(json_object_get(row, "why"));
    bool valid = flag(row, "valid");
    struct found f = parse(in, 0, row);
    if (f.status != (valid ? PARSE_OK : PARSE_BAD))
        fail_msg("row %zu, %s: %s", number, why,
                 f.status == PARSE_BAD  ? f.line.m.why
                 : f.status == PARSE_OK ? "accepted"
                                        : "more is awaited");
    if (valid && (f.used != in.len || !is_parsed(json_object_get(row, "parsed"), &f.line)))
        fail_msg("row %zu, %s: parsed as something else", number, why);
    if (valid && comes_from(row, "server") && !is_written(&f.line, in))
        fail_msg("row %zu, %s: written as something else", number, why);
}

/* Byte by byte the answer is the same, and no earlier one is that the line is whole. */
static void check_splits(size_t number, const json_t *row, struct slice in)
{
    enum parse_status status = PARSE_MORE;
    for (size_t len = 1; len <= in.len && status == PARSE_MORE; len++) {
        struct found f = parse(slice_first(in, len), len - 1, row);
        status = f.status;
        assert_true(status != PARSE_OK || len == in.len);
    }
    if ((status == PARSE_OK) != flag(row, "valid"))
        fail_msg("row %zu: byte by byte it is another", number);
}

static void run_row(size_t number, const json_t *row)
{
    struct slice in = line_of(row);
    if (in.ptr)
        check_row(number, row, in);
    if (in.ptr)
        check_splits(number, row, in);
    free((char *)in.ptr);
}

static void every_line_of_the_shared_vectors(void **state)
{
    (void)state;
    vectors_each(LINE_VECTORS, 200, run_row);
}

static void run_name(size_t number, const json_t *row)
{
    struct slice name = vector_text(row, "name");
    if (name.ptr && message_is_name(name))
        fail_msg("row %zu: a name", number);
}

static void no_name_that_is_none(void **state)
{
    (void)state;
    vectors_each(LINE_VECTORS, 200, run_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_shared_vectors),
        cmocka_unit_test(no_name_that_is_none),
    };
    return cmocka_run_group_tests_name("line_vectors", tests, NULL, NULL);
}
