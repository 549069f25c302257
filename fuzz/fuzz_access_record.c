/* SPDX-License-Identifier: MIT */
/* The script-access record: a fault lies within the record, what is read lies within it too, and a
 * set with one that can't be read allows nobody, nor does a `deny` that is added widen anything. */
#include "fuzz.h"

#include "proto/access_record.h"

enum {
    SET_MAX = 3
};

static bool is_suffix(const void *ctx, struct slice name)
{
    (void)ctx;
    return slice_equal(name, SLICE_LITERAL("co.test"));
}
static const struct public_suffixes suffixes = {is_suffix, NULL};

static struct origin page(uint64_t *seed)
{
    static const char *const pages[] = {"https://a.example",   "http://a.example:81",
                                        "https://b.a.example", "https://shop.co.test",
                                        "https://a.example.",  "null"};
    struct origin o;
    FUZZ_CHECK(origin_parse(slice_of(pages[fuzz_step(seed, 6) - 1]), &o));
    return o;
}

static void check_parse(struct slice text, enum access_zone zone)
{
    struct access_record r;
    struct access_fault fault;
    enum access_record_status status = access_record_parse(text, zone, &r, &fault);
    if (status == ACCESS_RECORD_BAD)
        FUZZ_CHECK(fault.at <= text.len && fault.expected);
    if (status != ACCESS_RECORD_OK)
        return;
    const struct slice lists[] = {r.allow, r.deny, r.host};
    for (size_t i = 0; i < 3; i++)
        FUZZ_CHECK(!lists[i].ptr ||
                   (fuzz_inside(text, lists[i]) && access_patterns_check(lists[i], &fault)));
    FUZZ_CHECK(!r.port.ptr || (fuzz_inside(text, r.port) && r.port.len));
    FUZZ_CHECK(r.via >= 1 && r.via <= 3);
    FUZZ_CHECK(r.max_age == ACCESS_NO_MAX_AGE || r.max_age <= ACCESS_MAX_AGE_MAX);
    FUZZ_CHECK(zone == ACCESS_REVERSE || (!r.host.ptr && (r.allow.ptr || r.deny.ptr)));
}

static enum access_match match(const struct slice *set, size_t count, enum access_zone zone,
                               const struct origin *o, enum access_via via, uint16_t port)
{
    struct access_question q = {o, via, SLICE_LITERAL("b.test"), port, &suffixes};
    struct access_answer a = access_records_match(set, count, zone, &q);
    FUZZ_CHECK(count == 0 || a.record < count);
    return a.match;
}

static void check_set(const struct slice *set, size_t count, enum access_zone zone, uint64_t *seed)
{
    struct origin o = page(seed);
    enum access_via via = fuzz_step(seed, 2) == 1 ? ACCESS_VIA_TCP : ACCESS_VIA_WEB;
    uint16_t port = (uint16_t)fuzz_step(seed, 65535);
    enum access_match before = match(set, count, zone, &o, via, port);
    struct access_record r;
    for (size_t i = 0; i < count; i++)
        if (access_record_parse(set[i], zone, &r, NULL) == ACCESS_RECORD_BAD)
            FUZZ_CHECK(before != ACCESS_MATCH_ALLOWED);
    FUZZ_CHECK(o.scheme != ORIGIN_OPAQUE || before != ACCESS_MATCH_ALLOWED);

    struct slice more[SET_MAX + 1];
    memcpy(more, set, count * sizeof(*set));
    more[count] = SLICE_LITERAL("v=sa1; deny=*.a.example shop.co.test");
    enum access_match after = match(more, count + 1, zone, &o, via, port);
    FUZZ_CHECK(after != ACCESS_MATCH_ALLOWED || before == ACCESS_MATCH_ALLOWED);

    struct slice turned[SET_MAX];
    for (size_t i = 0; i < count; i++)
        turned[i] = set[count - 1 - i];
    FUZZ_CHECK(match(turned, count, zone, &o, via, port) == before);
}

/* Records are separated by LF. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), set[SET_MAX];
    uint64_t seed = fuzz_seed(rest);
    size_t count = 0;
    while (rest.len && count < SET_MAX) {
        set[count] = slice_first(rest, slice_find(rest, '\n'));
        rest = slice_skip(rest, set[count].len);
        rest = slice_skip(rest, rest.len > 0);
        check_parse(set[count], ACCESS_FORWARD);
        check_parse(set[count++], ACCESS_REVERSE);
    }
    check_set(set, count, ACCESS_FORWARD, &seed);
    check_set(set, count, ACCESS_REVERSE, &seed);
    return 0;
}
