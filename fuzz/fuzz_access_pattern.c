/* SPDX-License-Identifier: MIT */
/* Patterns and origins: an allow never reaches further than the same pattern as a deny; an origin
 * that is read is the same when it is written and read again. Input: PATTERN LF ORIGIN. */
#include "fuzz.h"

#include "proto/access_pattern.h"

static bool is_suffix(const void *ctx, struct slice name)
{
    (void)ctx;
    for (size_t i = 0; i < name.len; i++)
        FUZZ_CHECK(!(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'));
    return slice_equal(name, SLICE_LITERAL("co.test"));
}
static const struct public_suffixes suffixes = {is_suffix, NULL};

static void check_origin(const struct origin *o)
{
    char text[ORIGIN_TEXT_SIZE];
    struct origin again;
    struct slice written = origin_write(o, text), rest;
    FUZZ_CHECK(written.len < sizeof(text) && text[written.len] == '\0');
    FUZZ_CHECK(origin_parse(written, &again));
    if (o->scheme == ORIGIN_OPAQUE)
        return;
    FUZZ_CHECK(origin_equal(o, &again) && o->authority.port);
    FUZZ_CHECK(origin_parse_url(written, &again, &rest) && rest.len == 0);
    FUZZ_CHECK(origin_equal(o, &again));
    FUZZ_CHECK(strlen(o->authority.host) == o->authority.host_len);
}

static void check_both(const struct access_pattern *p, const struct origin *o)
{
    bool allows = access_pattern_allows(p, o, &suffixes);
    FUZZ_CHECK(!allows || access_pattern_denies(p, o));
    FUZZ_CHECK(!access_pattern_allows(p, o, NULL) || allows);
    if (o->scheme == ORIGIN_OPAQUE)
        FUZZ_CHECK(!access_pattern_denies(p, o));
    else if (p->everything)
        FUZZ_CHECK(allows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct slice pattern = slice_first(in, slice_find(in, '\n'));
    struct slice page = slice_skip(in, pattern.len);
    page = slice_skip(page, page.len > 0);
    struct access_pattern p;
    struct access_fault fault = {.at = SIZE_MAX};
    struct origin o;
    bool good = access_pattern_parse(pattern, &p, &fault);
    FUZZ_CHECK(good || (fault.at <= pattern.len && fault.expected));
    bool known = origin_parse(page, &o);
    if (known)
        check_origin(&o);
    if (good && known)
        check_both(&p, &o);
    bool list = access_patterns_check(pattern, &fault);
    FUZZ_CHECK(!good || list);
    return 0;
}
