/* SPDX-License-Identifier: MIT */
/* tests/vectors/ends.json and statuses.json against the C client: the rows are the test; the
 * JavaScript side runs the same ones. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/backoff.h"
#include "client/dial.h"
#include "client/end.h"
#include "vectors.h"

#define JITTER_MS 250 /* at most, of a first attempt */

static const char *const thens[] = {
    [THEN_RESUME] = "resume", [THEN_WAIT] = "wait", [THEN_FINAL] = "final"};
static const char *const keeps[] = {
    [KEEP_NOTHING] = "nothing", [KEEP_BAN] = "ban", [KEEP_SPARE] = "spare"};

static bool is(const json_t *row, const char *key, const char *text)
{
    return slice_equal(vector_text(row, key), slice_of(text));
}

/* The seconds of `key`; -1 where the row has none. */
static int64_t seconds_of(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* What is kept for no time is not kept. */
static enum close_kept kept(const struct end *end)
{
    return end->retry_s > 0 ? close_code_kept(end->code) : KEEP_NOTHING;
}

static bool waits_as_long(const struct end *end, int64_t wait_s)
{
    struct backoff backoff = {0};
    uint64_t pause = backoff_delay_after(&backoff, end, 0, 0);
    if (wait_s < 0)
        return pause <= JITTER_MS;
    uint64_t least = (uint64_t)wait_s * 1000;
    return pause >= least && pause <= least + JITTER_MS;
}

static void run_row(size_t number, const json_t *row)
{
    const char *why = json_string_value(json_object_get(row, "why"));
    unsigned code = (unsigned)json_integer_value(json_object_get(row, "code"));
    struct end end = end_make(code, vector_text(row, "reason"));
    if (!is(row, "token", end.reason) || end.retry_s != seconds_of(row, "retry"))
        fail_msg("row %zu, %s: '%s', %lld s", number, why, end.reason, (long long)end.retry_s);
    if (!is(row, "then", thens[end_then(&end)]))
        fail_msg("row %zu, %s: %u is %s", number, why, code, thens[end_then(&end)]);
    if (!is(row, "kept", keeps[kept(&end)]))
        fail_msg("row %zu, %s: %u keeps %s", number, why, code, keeps[kept(&end)]);
    if (end_then(&end) != THEN_FINAL && !waits_as_long(&end, seconds_of(row, "wait")))
        fail_msg("row %zu, %s: not the time that it should wait", number, why);
}

static void every_row_of_the_shared_vectors(void **state)
{
    (void)state;
    vectors_each(END_VECTORS, 60, run_row);
}

/* ---- what a refused handshake means ---- */

static void run_status(size_t number, const json_t *row)
{
    const char *why = json_string_value(json_object_get(row, "why"));
    int status = (int)json_integer_value(json_object_get(row, "status"));
    struct slice token = vector_text(row, "reason"), retry = vector_text(row, "retryAfter");
    char head[512];
    struct http_response response;
    snprintf(head, sizeof(head), "HTTP/1.1 %d x\r\n%s%.*s%s%s%.*s%s\r\n", status,
             token.len ? "Script-Access-Reason: " : "", SLICE_ARG(token), token.len ? "\r\n" : "",
             retry.len ? "Retry-After: " : "", SLICE_ARG(retry), retry.len ? "\r\n" : "");
    assert_int_equal(http_response_parse(slice_of(head), &response), PARSE_OK);
    struct end end = dial_refusal(&response);
    if (end.code != (unsigned)json_integer_value(json_object_get(row, "code")))
        fail_msg("row %zu, %s: %d is %u", number, why, status, end.code);
    if (!is(row, "then", thens[end_then(&end)]))
        fail_msg("row %zu, %s: %d is %s", number, why, status, thens[end_then(&end)]);
}

static void a_status_of_a_proxy_ends_no_session(void **state)
{
    (void)state;
    vectors_each(STATUS_VECTORS, 20, run_status);
}

/* ---- no code is forgotten ---- */

static const unsigned codes[] = {
#define CLOSE_CODE(name, code, then, then_retry, kept, tokens, text) code,
#include "proto/close_codes.def"
#undef CLOSE_CODE
};

#define CODES (sizeof(codes) / sizeof(*codes))

static bool seen[CODES][2]; /* without and with `retry=N` */

static void note_row(size_t number, const json_t *row)
{
    (void)number;
    struct slice reason = vector_text(row, "reason");
    bool has_retry = slice_ends_with(reason, SLICE_LITERAL("retry=30"));
    for (size_t i = 0; i < CODES; i++)
        if (codes[i] == json_integer_value(json_object_get(row, "code")))
            seen[i][has_retry] = true;
}

static void every_named_code_has_a_row_with_and_without_retry(void **state)
{
    (void)state;
    vectors_each(END_VECTORS, 60, note_row);
    for (size_t i = 0; i < CODES; i++)
        if (!seen[i][false] || !seen[i][true])
            fail_msg("%u of close_codes.def is missing in ends.json", codes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_shared_vectors),
        cmocka_unit_test(a_status_of_a_proxy_ends_no_session),
        cmocka_unit_test(every_named_code_has_a_row_with_and_without_retry),
    };
    return cmocka_run_group_tests_name("end_vectors", tests, NULL, NULL);
}
