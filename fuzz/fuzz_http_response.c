/* SPDX-License-Identifier: MIT */
/* The head of a response: nothing is decided before it is whole that changes later. */
#include "fuzz.h"

#include "proto/ws_client.h"

static void check_whole(struct slice in, const struct http_response *r)
{
    struct slice whole = slice_first(in, r->size);
    FUZZ_CHECK(r->size <= in.len && slice_ends_with(whole, SLICE_LITERAL("\r\n\r\n")));
    FUZZ_CHECK(r->status >= 100 && r->status <= 999);
    for (size_t i = 0; i < r->header_count; i++) {
        FUZZ_CHECK(fuzz_inside(whole, r->headers[i].name) && http_is_token(r->headers[i].name));
        FUZZ_CHECK(!memchr(r->headers[i].value.ptr, '\n', r->headers[i].value.len));
    }
    if (!ws_response_refusal(r, "dGhlIHNhbXBsZSBub25jZQ==", SLICE_LITERAL("httpsocket.v1")))
        FUZZ_CHECK(r->status == 101);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_response whole, part;
    struct slice in = slice_make(data, size);
    enum parse_status status = http_response_parse(in, &whole);
    if (status == PARSE_OK)
        check_whole(in, &whole);
    uint64_t seed = fuzz_seed(in);
    for (size_t len = 0; len < in.len; len += fuzz_step(&seed, in.len - len)) {
        enum parse_status early = http_response_parse(slice_first(in, len), &part);
        FUZZ_CHECK(early == PARSE_MORE || early == status);
        FUZZ_CHECK(early != PARSE_OK || part.size == whole.size);
    }
    return 0;
}
