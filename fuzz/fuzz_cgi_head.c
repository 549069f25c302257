/* SPDX-License-Identifier: MIT */
/* A program's header block, and the place for the first element in an HTML document: the same
 * however the input is cut. */
#include "fuzz.h"

#include "proto/cgi_head.h"

static enum parse_status parse_in_pieces(struct slice in, struct cgi_head *head)
{
    uint64_t seed = fuzz_seed(in);
    size_t len = 0;
    enum parse_status status = PARSE_MORE;
    while (status == PARSE_MORE && len < in.len) {
        size_t seen = len;
        len += fuzz_step(&seed, in.len - len);
        status = cgi_head_parse(slice_first(in, len), seen, head);
    }
    return status;
}

static void check_head(struct slice in, const struct cgi_head *a, const struct cgi_head *b)
{
    struct slice whole = slice_first(in, a->size);
    FUZZ_CHECK(a->size == b->size && a->size <= in.len && a->status == b->status);
    FUZZ_CHECK(a->status >= 100 && a->status <= 599);
    FUZZ_CHECK(a->has_length == b->has_length && a->content_length == b->content_length);
    FUZZ_CHECK(slice_equal(a->reason, b->reason) && a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        FUZZ_CHECK(fuzz_inside(whole, a->headers[i].name) && http_is_token(a->headers[i].name));
        FUZZ_CHECK(fuzz_inside(whole, a->headers[i].value));
        FUZZ_CHECK(slice_equal(a->headers[i].value, b->headers[i].value));
        FUZZ_CHECK(!memchr(a->headers[i].value.ptr, '\n', a->headers[i].value.len));
    }
}

/* Once decided it stays decided; and what is stepped over is a beginning of its own. */
static void check_html(struct slice in)
{
    size_t whole = SIZE_MAX, part = SIZE_MAX, before;
    uint64_t seed = fuzz_seed(in);
    enum parse_status status = html_head_offset(in, &whole);
    FUZZ_CHECK(status != PARSE_BAD && whole <= in.len);
    html_head_offset(slice_first(in, whole), &before);
    FUZZ_CHECK(before == whole);
    for (size_t len = 0; len < in.len; len += fuzz_step(&seed, 40) + len / 16) {
        enum parse_status early = html_head_offset(slice_first(in, len), &part);
        FUZZ_CHECK(part <= len && part <= whole);
        FUZZ_CHECK(early == PARSE_MORE || (status == PARSE_OK && part == whole));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cgi_head whole, pieces;
    struct slice in = slice_make(data, size);
    enum parse_status status = cgi_head_parse(in, 0, &whole);
    FUZZ_CHECK(parse_in_pieces(in, &pieces) == status);
    if (status == PARSE_BAD)
        FUZZ_CHECK(whole.why && whole.why == pieces.why);
    if (status == PARSE_OK)
        check_head(in, &whole, &pieces);
    check_html(status == PARSE_OK ? slice_skip(in, whole.size) : in);
    return 0;
}
