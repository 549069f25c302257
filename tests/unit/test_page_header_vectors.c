/* SPDX-License-Identifier: MIT */
/* tests/vectors/lines.json against sdk/c/httpsocket_page.h: what comes from the server, and what a
 * program says. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "httpsocket_page.h"
#include "vectors.h"

static const char *const kinds[] = {
    [HS_EVENT] = "event",   [HS_CALL] = "call", [HS_SERVER] = "server",
    [HS_ANSWER] = "answer", [HS_PART] = "part", [HS_FAILURE] = "failure",
};

static struct hs_page page;
static int server; /* the other end of the page's descriptor */

static int set_up(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    char number[16];
    snprintf(number, sizeof(number), "%d", pair[0]);
    setenv("HTTPSOCKET_FD", number, 1);
    hs_init(&page);
    server = pair[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hs_done(&page);
    close(server);
    return 0;
}

static bool is(const json_t *object, const char *key, const char *text)
{
    return slice_equal(vector_text(object, key), slice_of(text));
}

static bool flag(const json_t *row, const char *key)
{
    return json_is_true(json_object_get(row, key));
}

static bool comes_from(const json_t *row, const char *side)
{
    return is(row, "from", side) || is(row, "from", "both");
}

static const char *why_of(const json_t *row)
{
    return json_string_value(json_object_get(row, "why"));
}

/* On the heap. */
static struct slice line_of(const json_t *row)
{
    struct slice text = vector_text(row, "line"), base64 = vector_text(row, "base64");
    if (base64.ptr)
        return vector_bytes(base64);
    return slice_make(memcpy(malloc(text.len), text.ptr, text.len), text.len);
}

/* ---- what comes ---- */

static bool is_payload(const json_t *parsed, const struct hs_message *m)
{
    struct slice base64 = vector_text(parsed, "bytes"), json = vector_text(parsed, "json");
    struct slice data = slice_make(m->data, m->size);
    if (!base64.ptr)
        return !m->bytes && m->bare == !json.ptr &&
               slice_equal(data, json.ptr ? json : SLICE_LITERAL("null"));
    struct slice bytes = vector_bytes(base64);
    bool same = m->bytes && slice_equal(data, bytes);
    free((char *)bytes.ptr);
    return same;
}

static bool is_parsed(const json_t *parsed, const struct hs_message *m)
{
    struct slice word = vector_text(parsed, "word");
    struct slice session = vector_text(parsed, "session");
    bool named = word.ptr ? m->kind == HS_SERVER && *m->name == '.' &&
                                slice_equal(slice_of(m->name + 1), word)
                          : is(parsed, "kind", kinds[m->kind]) &&
                                slice_equal(slice_of(m->name), vector_text(parsed, "name"));
    bool numbered = m->kind == HS_CALL || m->kind >= HS_ANSWER;
    return named && slice_equal(slice_of(m->session), session) &&
           vector_is_number(vector_text(parsed, "call"), numbered, m->call) &&
           is_payload(parsed, m);
}

/* 0 and the one message of the line, to be freed, or a negative errno. An answer is of a call that
 * waits. */
static int take(const json_t *row, struct slice in, struct hs_item **ret)
{
    struct hs_page p = {.in = (char *)in.ptr, .in_len = in.len, .asking = true};
    slice_to_uint(vector_text(json_object_get(row, "parsed"), "call"), UINT64_MAX, &p.calls);
    p.last = &p.first;
    p.answers_last = &p.answers;
    size_t at = 0;
    int status = hs_take(&p, &at);
    *ret = p.first ? p.first : p.answers;
    if (status == 1)
        assert_true(at == in.len && *ret);
    if (p.first)
        hs_saving_forget(&p, p.first->message.session);
    return status == 1 ? 0 : status == 0 ? -EAGAIN : status;
}

static void check_read(size_t number, const json_t *row, struct slice in)
{
    struct hs_item *item = NULL;
    bool valid = flag(row, "valid");
    int error = take(row, in, &item);
    if (error != (valid ? 0 : -EPROTO))
        fail_msg("row %zu, %s: %s", number, why_of(row), error ? strerror(-error) : "accepted");
    if (valid && !is_parsed(json_object_get(row, "parsed"), &item->message))
        fail_msg("row %zu, %s: parsed as something else", number, why_of(row));
    free(item);
}

/* JSON is the program's own affair. */
static void run_read(size_t number, const json_t *row)
{
    if (!comes_from(row, "server") || is(row, "level", "json"))
        return;
    struct slice in = line_of(row);
    check_read(number, row, in);
    free((char *)in.ptr);
}

static void every_line_of_the_server_is_read(void **state)
{
    (void)state;
    vectors_each(LINE_VECTORS, 200, run_read);
}

/* ---- what is said ---- */

static int say(const char *head, const struct slice *bytes, const char *json)
{
    return bytes ? hs_post_bytes(&page, head, bytes->ptr, bytes->len) : hs_post(&page, head, json);
}

static void run_said(size_t number, const json_t *row)
{
    if (!flag(row, "said"))
        return;
    const json_t *parsed = json_object_get(row, "parsed");
    struct slice in = line_of(row), session = vector_text(parsed, "session");
    struct slice text = slice_skip(in, session.len ? session.len + 2 : 0);
    size_t head_len = slice_find(text, ' ');
    size_t lf = slice_find(text, '\n');
    struct slice base64 = vector_text(parsed, "bytes");
    struct slice bytes = base64.ptr ? vector_bytes(base64) : SLICE_NONE;
    char head[400], got[1000];
    snprintf(head, sizeof(head), "%.*s",
             SLICE_ARG(slice_first(text, head_len < lf ? head_len : lf)));
    assert_int_equal(hs_to(&page, session.ptr ? session.ptr : ""), 0);
    assert_int_equal(say(head, base64.ptr ? &bytes : NULL, vector_text(parsed, "json").ptr), 0);
    ssize_t len = recv(server, got, sizeof(got), 0);
    if (!slice_equal(slice_make(got, (size_t)len), in))
        fail_msg("row %zu, %s: said as '%.*s'", number, why_of(row), (int)len, got);
    free((char *)bytes.ptr);
    free((char *)in.ptr);
}

static void every_line_is_said_as_it_stands(void **state)
{
    (void)state;
    vectors_each(LINE_VECTORS, 200, run_said);
}

static void run_name(size_t number, const json_t *row)
{
    struct slice name = vector_text(row, "name");
    if (!name.ptr || memchr(name.ptr, '\0', name.len)) /* C has no such name */
        return;
    if (hs_send(&page, name.ptr, "1") != -EINVAL ||
        hs_send_bytes(&page, name.ptr, "", 0) != -EINVAL)
        fail_msg("row %zu, %s: sent", number, why_of(row));
}

static void no_event_is_sent_by_a_name_that_is_none(void **state)
{
    (void)state;
    vectors_each(LINE_VECTORS, 200, run_name);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_line_of_the_server_is_read),
        TEST(every_line_is_said_as_it_stands),
        TEST(no_event_is_sent_by_a_name_that_is_none),
    };
    return cmocka_run_group_tests_name("page_header_vectors", tests, NULL, NULL);
}
