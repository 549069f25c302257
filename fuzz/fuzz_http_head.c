/* SPDX-License-Identifier: MIT */
/* The request head: the same verdict however it is cut, slices inside the input, and what was
 * parsed, written out again, parses as the same. */
#include "fuzz.h"

#include "proto/http_head.h"
#include "proto/ws_handshake.h"

static enum parse_status parse_in_pieces(struct slice in, struct http_head *head, size_t *ret_len)
{
    uint64_t seed = fuzz_seed(in);
    size_t seen = 0, len = 0;
    enum parse_status status = PARSE_MORE;
    while (status == PARSE_MORE && len < in.len) {
        size_t step = fuzz_step(&seed, in.len - len);
        seen = len;
        len += step;
        status = http_head_parse(slice_first(in, len), seen, head);
    }
    *ret_len = len;
    return status;
}

static void check_same(const struct http_head *a, const struct http_head *b)
{
    FUZZ_CHECK(slice_equal(a->method, b->method) && slice_equal(a->target, b->target));
    FUZZ_CHECK(slice_equal(a->host, b->host) && a->minor == b->minor);
    FUZZ_CHECK(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
    FUZZ_CHECK(a->expect_continue == b->expect_continue && a->body == b->body);
    FUZZ_CHECK(a->content_length == b->content_length && a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        FUZZ_CHECK(slice_equal(a->headers[i].name, b->headers[i].name));
        FUZZ_CHECK(slice_equal(a->headers[i].value, b->headers[i].value));
    }
}

static void check_inside(struct slice in, const struct http_head *head)
{
    struct slice whole = slice_first(in, head->size);
    FUZZ_CHECK(head->size <= in.len && head->header_count <= HTTP_HEADERS_MAX);
    FUZZ_CHECK(fuzz_inside(whole, head->method) && fuzz_inside(whole, head->target));
    FUZZ_CHECK(!head->host.ptr || fuzz_inside(whole, head->host));
    for (size_t i = 0; i < head->header_count; i++) {
        FUZZ_CHECK(fuzz_inside(whole, head->headers[i].name));
        FUZZ_CHECK(fuzz_inside(whole, head->headers[i].value));
        FUZZ_CHECK(http_is_token(head->headers[i].name));
    }
}

static size_t put(char *out, size_t at, struct slice s)
{
    memcpy(out + at, s.ptr, s.len);
    return at + s.len;
}

static void check_round_trip(const struct http_head *head)
{
    char *text = malloc(head->size + 4 * head->header_count + 64);
    size_t n = put(text, 0, head->method);
    n = put(text, n, SLICE_LITERAL(" "));
    n = put(text, n, head->target);
    n = put(text, n, head->minor ? SLICE_LITERAL(" HTTP/1.1\r\n") : SLICE_LITERAL(" HTTP/1.0\r\n"));
    for (size_t i = 0; i < head->header_count; i++) {
        n = put(text, n, head->headers[i].name);
        n = put(text, n, SLICE_LITERAL(": "));
        n = put(text, n, head->headers[i].value);
        n = put(text, n, SLICE_LITERAL("\r\n"));
    }
    n = put(text, n, SLICE_LITERAL("\r\n"));
    struct http_head again;
    FUZZ_CHECK(http_head_parse(slice_make(text, n), 0, &again) == PARSE_OK);
    FUZZ_CHECK(again.size == n);
    check_same(head, &again);
    free(text);
}

/* A decoded path is absolute, holds no dot segment, and is itself when decoded once more. */
static void check_path(struct slice target)
{
    struct slice path, query;
    size_t len, len_again;
    if (!http_target_split(target, &path, &query))
        return;
    char *out = malloc(path.len + 1), *escaped = malloc(3 * path.len + 1);
    char *again = malloc(3 * path.len + 1);
    if (http_path_decode(path, out, &len)) {
        FUZZ_CHECK(len >= 1 && len <= path.len && out[0] == '/');
        size_t n = 0;
        for (size_t i = 0; i < len; i++) {
            if (out[i] == '/')
                escaped[n++] = '/';
            else
                n += (size_t)sprintf(escaped + n, "%%%02x", (uint8_t)out[i]);
        }
        out[len] = '\0';
        FUZZ_CHECK(strlen(out) == len && !strchr(out, '\\') && !strstr(out, "//"));
        FUZZ_CHECK(!strstr(out, "/../") && !strstr(out, "/./"));
        FUZZ_CHECK(http_path_decode(slice_make(escaped, n), again, &len_again));
        FUZZ_CHECK(slice_equal(slice_make(out, len), slice_make(again, len_again)));
    }
    free(out);
    free(escaped);
    free(again);
}

static void check_handshake(const struct http_head *head)
{
    struct ws_handshake handshake;
    struct slice rest, name;
    size_t at = 0;
    if (ws_handshake_check(head, &handshake) != WS_HANDSHAKE_OK)
        return;
    FUZZ_CHECK(head->upgrade && head->minor == 1);
    while (ws_subprotocol_next(head, &at, &rest, &name))
        FUZZ_CHECK(http_is_token(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head whole, pieces;
    struct slice in = slice_make(data, size);
    size_t len;
    enum parse_status status = http_head_parse(in, 0, &whole);
    FUZZ_CHECK(parse_in_pieces(in, &pieces, &len) == status);
    if (status == PARSE_BAD)
        FUZZ_CHECK(whole.status == pieces.status && whole.why == pieces.why && whole.why);
    if (status != PARSE_OK)
        return 0;
    FUZZ_CHECK(whole.size == pieces.size && whole.size <= len);
    check_same(&whole, &pieces);
    check_inside(in, &whole);
    check_round_trip(&whole);
    check_path(whole.target);
    check_handshake(&whole);
    return 0;
}
