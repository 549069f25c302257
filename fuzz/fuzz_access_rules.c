/* SPDX-License-Identifier: MIT */
/* The operator's rules: what can't be read denies, a `deny` that is added never widens, and the
 * check and the match agree on what can be read. */
#include "fuzz.h"

#include "proto/access_rules.h"

static bool is_suffix(const void *ctx, struct slice name)
{
    (void)ctx;
    return slice_equal(name, SLICE_LITERAL("co.test"));
}
static const struct public_suffixes suffixes = {is_suffix, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const pages[] = {"https://a.example", "http://b.a.example:81", "null"};
    static const char added[] = ", deny <*.a.example>";
    struct slice text = slice_make(data, size);
    struct access_fault fault = {.at = SIZE_MAX};
    bool good = access_rules_check(text, &fault);
    FUZZ_CHECK(good || (fault.at <= text.len && fault.expected));
    char *more = malloc(size + sizeof(added));
    *(char *)mempcpy(mempcpy(more, data, size), added, sizeof(added) - 1) = '\0';
    for (size_t i = 0; i < 3; i++) {
        struct origin o;
        FUZZ_CHECK(origin_parse(slice_of(pages[i]), &o));
        enum access_rules_match before = access_rules_match(text, &o, &suffixes);
        enum access_rules_match after =
            access_rules_match(slice_make(more, size + sizeof(added) - 1), &o, &suffixes);
        FUZZ_CHECK(good || before == ACCESS_RULES_DENY);
        FUZZ_CHECK(o.scheme != ORIGIN_OPAQUE || before != ACCESS_RULES_ALLOW);
        FUZZ_CHECK(after != ACCESS_RULES_ALLOW || before == ACCESS_RULES_ALLOW);
        if (o.scheme != ORIGIN_OPAQUE && slice_trim(text).len)
            FUZZ_CHECK(after == ACCESS_RULES_DENY);
    }
    free(more);
    return 0;
}
