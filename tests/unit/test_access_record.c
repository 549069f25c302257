/* SPDX-License-Identifier: MIT */
#include "proto/access_record.h"
#include "proto/access_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_suffix(const void *ctx, struct slice name)
{
    (void)ctx;
    return slice_equal(name, slice_of("co.test")) || slice_equal(name, slice_of("example"));
}
static const struct public_suffixes suffixes = {is_suffix, NULL};

static struct origin origin(const char *text)
{
    struct origin o;
    assert_true(origin_parse(slice_of(text), &o));
    return o;
}

/* ---- patterns ---- */

static bool allows(const char *pattern, const char *page)
{
    struct access_pattern p;
    struct origin o = origin(page);
    assert_true(access_pattern_parse(slice_of(pattern), &p, NULL));
    return access_pattern_allows(&p, &o, &suffixes);
}

static bool denies(const char *pattern, const char *page)
{
    struct access_pattern p;
    struct origin o = origin(page);
    assert_true(access_pattern_parse(slice_of(pattern), &p, NULL));
    return access_pattern_denies(&p, &o);
}

static void an_allow_matches_no_more_than_it_says(void **state)
{
    (void)state;
    assert_true(allows("a.example", "https://a.example"));
    assert_true(allows("A.EXAMPLE", "https://a.example"));
    assert_false(allows("a.example", "http://a.example"));
    assert_false(allows("a.example", "https://a.example:444"));
    assert_false(allows("a.example", "https://a.example."));
    assert_false(allows("a.example", "https://nota.example"));
    assert_false(allows("a.example", "https://b.a.example"));
    assert_true(allows("*.a.example", "https://b.a.example"));
    assert_true(allows("*.a.example", "https://c.b.a.example"));
    assert_false(allows("*.a.example", "https://a.example"));
    assert_false(allows("*.a.example", "https://nota.example"));
    assert_false(allows("*.example", "https://a.example"));
    assert_false(allows("*.co.test", "https://shop.co.test"));
    assert_false(allows("*.CO.test", "https://shop.co.test"));
    assert_true(allows("http://a.example", "http://a.example"));
    assert_false(allows("http://a.example", "https://a.example"));
    assert_true(allows("a.example:8443", "https://a.example:8443"));
    assert_false(allows("a.example:8443", "http://a.example:8443"));
    assert_true(allows("a.example:*", "https://a.example:1"));
    assert_true(allows("http://*.a.example:*", "http://b.a.example:1"));
    assert_true(allows("*", "http://[::1]:81"));
    assert_false(allows("*", "null"));
}

static void a_deny_matches_no_less_than_it_says(void **state)
{
    (void)state;
    static const char *pages[] = {"https://a.example", "http://a.example:81", "https://a.example."};
    for (size_t i = 0; i < 3; i++) {
        assert_true(denies("a.example", pages[i]));
        assert_true(denies("*.a.example", pages[i]));
        assert_true(denies("*.example", pages[i]));
        assert_true(denies("a.example:*", pages[i]));
    }
    assert_true(denies("*.co.test", "https://shop.co.test"));
    assert_false(denies("a.example", "https://b.a.example"));
    assert_true(denies("http://a.example", "http://a.example:81"));
    assert_false(denies("http://a.example", "https://a.example"));
    assert_false(denies("a.example:81", "https://a.example"));
    assert_true(denies("a.example:81", "http://a.example:81"));
    assert_true(denies("*", "https://a.example"));
    assert_false(denies("*", "null"));
}

static void without_a_suffix_list_no_wildcard_allows(void **state)
{
    (void)state;
    struct access_pattern p;
    struct origin o = origin("https://b.a.example");
    assert_true(access_pattern_parse(slice_of("*.a.example"), &p, NULL));
    assert_false(access_pattern_allows(&p, &o, NULL));
}

/* ---- records ---- */

static enum access_record_status parse(const char *text, enum access_zone zone,
                                       struct access_fault *fault)
{
    struct access_record r;
    return access_record_parse(slice_of(text), zone, &r, fault);
}

static void records_are_read_as_the_grammar_says(void **state)
{
    (void)state;
    static const char *good[] = {
        "v=sa1; allow=a.example",
        "v=sa1;allow=a.example",
        "v=sa1 \t; \tallow=a.example \t;\t ",
        "v=sa1; deny=*;",
        "V=SA1; ALLOW=HTTPS://*.A.example:8443 b.example  c.example; Via=TCP,web",
        "v=sa1; note=\xc3\xbc = , * any; allow=*",
        "v=sa1; note=; allow=*",
        "v=sa1; allow=*; port=*,1-2,65535,7-7; via=web; max-age=086400",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(parse(good[i], ACCESS_FORWARD, NULL), ACCESS_RECORD_OK);
}

static void a_fault_has_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"v=sa1", 5},
        {"v=sa1;", 6},
        {"v=sa1; note=x", 13},
        {"v=sa1; port=1", 13},
        {"v=sa1, allow=*", 5},
        {"v=sa1 allow=*", 6},
        {"v=sa1;; allow=*", 6},
        {"v=sa1; allow=*;;", 15},
        {"v=sa1; allow", 7},
        {"v=sa1; allow =*", 7},
        {"v=sa1; allow= *", 13},
        {"v=sa1; allow=", 13},
        {"v=sa1; allow=a.example\tb.example", 22},
        {"v=sa1; allow=*; allow=*", 16},
        {"v=sa1; allow=*; ALLOW=*", 16},
        {"v=sa1; deny-on-tuesday=x; allow=*", 7},
        {"v=sa1; allow=<*>", 13},
        {"v=sa1; allow=a.example b\xc3\xbc", 24},
        {"v=sa1; allow=ftp://a.example", 17},
        {"v=sa1; allow=https://*", 21},
        {"v=sa1; allow=*:80", 13},
        {"v=sa1; allow=*a.example", 13},
        {"v=sa1; allow=a..example", 15},
        {"v=sa1; allow=a.example.", 23},
        {"v=sa1; allow=-a.example", 13},
        {"v=sa1; allow=a-.example", 14},
        {"v=sa1; allow=a_b.example", 14},
        {"v=sa1; allow=127.0.0.1", 21},
        {"v=sa1; allow=a.0x1f", 15},
        {"v=sa1; allow=a.example:", 23},
        {"v=sa1; allow=a.example:0", 23},
        {"v=sa1; allow=a.example:80:80", 23},
        {"v=sa1; allow=a.example/", 22},
        {"v=sa1; allow=*; port=", 21},
        {"v=sa1; allow=*; port=0", 21},
        {"v=sa1; allow=*; port=1,", 23},
        {"v=sa1; allow=*; port=1, 2", 23},
        {"v=sa1; allow=*; port=7000-6999", 21},
        {"v=sa1; allow=*; port=1-2-3", 21},
        {"v=sa1; allow=*; port=-1", 21},
        {"v=sa1; allow=*; port=65536", 21},
        {"v=sa1; allow=*; via=", 20},
        {"v=sa1; allow=*; via=udp", 20},
        {"v=sa1; allow=*; via=tcp,", 24},
        {"v=sa1; allow=*; max-age=", 24},
        {"v=sa1; allow=*; max-age=86401", 24},
        {"v=sa1; allow=*; max-age=0000001", 24},
        {"v=sa1; allow=*; max-age=-1", 24},
        {"v=sa1; host=b.test; allow=*", 7},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct access_fault fault = {.at = 999};
        if (parse(bad[i].text, ACCESS_FORWARD, &fault) != ACCESS_RECORD_BAD ||
            fault.at != bad[i].at)
            fail_msg("%s: fault at %zu, wanted %zu", bad[i].text, fault.at, bad[i].at);
        assert_non_null(fault.expected);
    }
}

static void another_version_is_as_if_absent(void **state)
{
    (void)state;
    static const char *foreign[] = {
        "",        "v=spf1 -all", "v=sa10; allow=*",       "v=sa2; allow=*", "v=sa1.1; x",
        " v=sa1;", "v=sa",        "allow=*; v=sa1; port=1"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
        assert_int_equal(parse(foreign[i], ACCESS_FORWARD, NULL), ACCESS_RECORD_FOREIGN);
}

static void a_list_holds_32_patterns(void **state)
{
    (void)state;
    char text[256] = "v=sa1; allow=*";
    for (int i = 1; i < 32; i++)
        strcat(text, " *");
    assert_int_equal(parse(text, ACCESS_FORWARD, NULL), ACCESS_RECORD_OK);
    strcat(text, " *");
    assert_int_equal(parse(text, ACCESS_FORWARD, NULL), ACCESS_RECORD_BAD);
}

static void blocked_ports_count_only_when_listed_singly(void **state)
{
    (void)state;
    assert_true(access_ports_have(slice_of("7000-7010"), 7010));
    assert_false(access_ports_have(slice_of("7000-7010"), 7011));
    assert_true(access_ports_have(slice_of("*"), 443));
    assert_false(access_ports_have(slice_of("*"), 6667));
    assert_false(access_ports_have(slice_of("6000-7000"), 6667));
    assert_false(access_ports_have(slice_of("6667-6667"), 6667));
    assert_true(access_ports_have(slice_of("6000-7000,6667"), 6667));
    assert_false(access_ports_have(SLICE_NONE, 443));
}

/* ---- sets ---- */

static struct access_answer ask(const char **texts, size_t count, enum access_zone zone,
                                const char *page, enum access_via via, uint16_t port)
{
    struct slice txt[32];
    for (size_t i = 0; i < count; i++)
        txt[i] = slice_of(texts[i]);
    struct origin o = origin(page);
    struct access_question q = {&o, via, slice_of("b.test"), port, &suffixes};
    return access_records_match(txt, count, zone, &q);
}
#define ASK(zone, page, via, port, ...)                                                            \
    ask((const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),     \
        zone, page, via, port)                                                                     \
        .match

static void several_records_are_a_union(void **state)
{
    (void)state;
    const char *a = "https://a.example";
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_TCP, 7000, "v=sa1; allow=a.example; port=22",
                         "v=sa1; allow=*; port=7000"),
                     ACCESS_MATCH_ALLOWED);
    assert_int_equal(ASK(ACCESS_FORWARD, "https://c.example", ACCESS_VIA_TCP, 22,
                         "v=sa1; allow=a.example; port=22", "v=sa1; allow=*; port=7000"),
                     ACCESS_MATCH_PORT_NOT_LISTED);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_TCP, 7000,
                         "v=sa1; allow=a.example; port=7000", "v=sa1; deny=a.example; port=1"),
                     ACCESS_MATCH_ORIGIN_DENIED);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_TCP, 7000, "v=sa1; allow=a.example"),
                     ACCESS_MATCH_PORT_NOT_LISTED);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, "v=sa1; allow=a.example"),
                     ACCESS_MATCH_ALLOWED);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, "v=sa1; allow=a.example; via=tcp"),
                     ACCESS_MATCH_ORIGIN_NOT_ALLOWED);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, "v=sa1; allow=*", "v=sa1; typo=1"),
                     ACCESS_MATCH_BAD_RECORD);
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, "v=spf1", "other"),
                     ACCESS_MATCH_NO_RECORD);
}

static void a_reverse_record_must_name_the_host(void **state)
{
    (void)state;
    const char *a = "https://a.example";
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=b.test"),
                     ACCESS_MATCH_ALLOWED);
    assert_int_equal(
        ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=b.test:7000; port=7000"),
        ACCESS_MATCH_ALLOWED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7001, "v=sa1; host=b.test:7000"),
                     ACCESS_MATCH_HOST_NOT_NAMED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7001, "v=sa1; host=b.test; port=7000"),
                     ACCESS_MATCH_PORT_NOT_LISTED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=c.test"),
                     ACCESS_MATCH_HOST_NOT_NAMED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=https://b.test"),
                     ACCESS_MATCH_HOST_NOT_NAMED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; allow=*"),
                     ACCESS_MATCH_HOST_NOT_NAMED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=*; deny=a.example"),
                     ACCESS_MATCH_ORIGIN_DENIED);
    assert_int_equal(ASK(ACCESS_REVERSE, a, ACCESS_VIA_TCP, 7000, "v=sa1; host=*; allow=c.example"),
                     ACCESS_MATCH_ORIGIN_NOT_ALLOWED);
}

static void nothing_names_the_opaque_origin(void **state)
{
    (void)state;
    assert_int_equal(ASK(ACCESS_FORWARD, "null", ACCESS_VIA_WEB, 1, "v=sa1; allow=*"),
                     ACCESS_MATCH_ORIGIN_NOT_ALLOWED);
    assert_int_equal(ASK(ACCESS_REVERSE, "null", ACCESS_VIA_TCP, 1, "v=sa1; host=b.test"),
                     ACCESS_MATCH_ORIGIN_NOT_ALLOWED);
}

static void a_set_has_limits(void **state)
{
    (void)state;
    char big[1100], *filler = malloc(9000);
    const char *many[20];
    strcpy(big, "v=sa1; allow=*; note=");
    size_t head = strlen(big);
    memset(big + head, 'x', sizeof(big) - head);
    big[1024] = '\0';
    const char *a = "https://a.example";
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, big), ACCESS_MATCH_ALLOWED);
    for (int i = 0; i < 20; i++)
        many[i] = i < 4 ? big : "v=sa1; allow=*";
    assert_int_equal(ask(many, 4, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_ALLOWED);
    assert_int_equal(ask(many, 5, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_TOO_LARGE);
    assert_int_equal(ask(many + 4, 8, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_ALLOWED);
    assert_int_equal(ask(many + 4, 9, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_TOO_LARGE);
    for (int i = 5; i < 20; i++)
        many[i] = "foreign";
    assert_int_equal(ask(many + 4, 16, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_ALLOWED);
    many[3] = "foreign";
    assert_int_equal(ask(many + 3, 17, ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1).match,
                     ACCESS_MATCH_TOO_LARGE);
    strcpy(big + 1024, "x");
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, big), ACCESS_MATCH_TOO_LARGE);
    memset(filler, 'x', 9000);
    filler[8192 - strlen(many[4])] = '\0';
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, filler, many[4]),
                     ACCESS_MATCH_ALLOWED);
    filler[8192 - strlen(many[4])] = 'x';
    filler[8192 - strlen(many[4]) + 1] = '\0';
    assert_int_equal(ASK(ACCESS_FORWARD, a, ACCESS_VIA_WEB, 1, filler, many[4]),
                     ACCESS_MATCH_TOO_LARGE);
    free(filler);
}

static void the_longest_max_age_is_told(void **state)
{
    (void)state;
    const char *set[] = {"v=sa1; allow=*; max-age=5", "v=sa1; deny=x.example; max-age=600",
                         "v=sa1; allow=*"};
    assert_int_equal(ask(set, 3, ACCESS_FORWARD, "https://a.example", ACCESS_VIA_WEB, 1).max_age,
                     600);
    assert_true(ask(set + 2, 1, ACCESS_FORWARD, "https://a.example", ACCESS_VIA_WEB, 1).max_age ==
                ACCESS_NO_MAX_AGE);
}

/* ---- rules ---- */

static enum access_rules_match rules(const char *text, const char *page)
{
    struct origin o = origin(page);
    return access_rules_match(slice_of(text), &o, &suffixes);
}

static void rules_have_the_form_of_2008(void **state)
{
    (void)state;
    const char *a = "https://a.example", *evil = "http://evilsite.example.com:81";
    assert_int_equal(rules("allow <*> exclude <evilsite.example.com>", a), ACCESS_RULES_ALLOW);
    assert_int_equal(rules("allow <*> exclude <evilsite.example.com>", evil), ACCESS_RULES_DENY);
    assert_int_equal(rules("deny <a.example>, allow <*>", a), ACCESS_RULES_DENY);
    assert_int_equal(rules("allow <*>,deny <a.example>", a), ACCESS_RULES_DENY);
    assert_int_equal(rules("allow <b.example>", a), ACCESS_RULES_DENY);
    assert_int_equal(rules("deny <b.example>", a), ACCESS_RULES_SILENT);
    assert_int_equal(rules("", a), ACCESS_RULES_SILENT);
    assert_int_equal(rules("ALLOW\n<b.example><a.example>\n", a), ACCESS_RULES_ALLOW);
    assert_int_equal(rules("allow <*> exclude <a.example>, allow <a.example>", a),
                     ACCESS_RULES_ALLOW);
    assert_int_equal(rules("allow <*>", "null"), ACCESS_RULES_DENY);
}

static void a_typing_error_in_the_rules_denies(void **state)
{
    (void)state;
    static const char *bad[] = {"alow <*>",
                                "allow *",
                                "allow <*",
                                "allow",
                                "allow <>",
                                "allow <*>,",
                                "allow <*> <",
                                ", allow <*>",
                                "allow < * >",
                                "allow <*> deny <b.example>",
                                "deny <*.> , allow <*>",
                                "allow <*> exclude",
                                "allow <*>; allow <*>",
                                "allowed <*>",
                                "exclude <b.example>"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct access_fault fault;
        assert_false(access_rules_check(slice_of(bad[i]), &fault));
        assert_true(fault.at <= strlen(bad[i]));
        assert_int_equal(rules(bad[i], "https://a.example"), ACCESS_RULES_DENY);
    }
}

/* ---- properties, over random sets (the seed is printed) ---- */

static const char *pick(const char *const *from, size_t count)
{
    return from[(size_t)rand() % count];
}
#define PICK(array) pick(array, sizeof(array) / sizeof(*(array)))

static const char *const patterns[] = {"*",
                                       "a.example",
                                       "*.a.example",
                                       "http://a.example",
                                       "a.example:8443",
                                       "a.example:*",
                                       "b.a.example",
                                       "*.co.test",
                                       "shop.co.test",
                                       "*.example",
                                       "https://b.a.example:*"};
static const char *const pages[] = {"https://a.example",
                                    "http://a.example",
                                    "https://b.a.example",
                                    "https://a.example:8443",
                                    "https://shop.co.test",
                                    "https://a.example.",
                                    "null"};
static const char *const ports[] = {"*", "7000", "22", "1-1024", "6667,7000-7010"};
static const char *const odd[] = {
    "",          "; typo=x",  ";;",          "; allow=<*>",  "; port=0", "; deny=a.example",
    "; via=web", "; via=tcp", "; max-age=7", "; note=\xff;", " x"};
static const char *const versions[] = {"v=sa1", "v=sa1", "v=sa1", "v=sa1", "v=sa2", "v=spf1"};

static void random_record(char text[512])
{
    int n = sprintf(text, "%s", PICK(versions));
    if (rand() % 4)
        n += sprintf(text + n, "; allow=%s %s", PICK(patterns), PICK(patterns));
    if (rand() % 4 == 0)
        n += sprintf(text + n, "; deny=%s", PICK(patterns));
    if (rand() % 2)
        n += sprintf(text + n, "; port=%s", PICK(ports));
    if (rand() % 3 == 0)
        sprintf(text + n, "%s", PICK(odd));
}

static unsigned seed(void)
{
    const char *given = getenv("TEST_SEED");
    unsigned value =
        given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)(uintptr_t)&value ^ (unsigned)rand();
    print_message("# TEST_SEED=%u\n", value);
    srand(value);
    return value;
}

static void adding_a_deny_never_widens(void **state)
{
    (void)state;
    seed();
    int allowed = 0;
    for (int round = 0; round < 50000; round++) {
        char text[5][512];
        const char *set[5];
        size_t count = (size_t)rand() % 3 + 1;
        for (size_t i = 0; i < count; i++) {
            random_record(text[i]);
            set[i] = text[i];
        }
        enum access_via via = rand() % 2 ? ACCESS_VIA_TCP : ACCESS_VIA_WEB;
        const char *page = PICK(pages);
        uint16_t port = rand() % 2 ? 7000 : 22;
        enum access_match before = ask(set, count, ACCESS_FORWARD, page, via, port).match;
        allowed += before == ACCESS_MATCH_ALLOWED;

        /* As a record of its own, and as a tag of the first record. */
        sprintf(text[count], "v=sa1; deny=%s", PICK(patterns));
        set[count] = text[count];
        enum access_match after = ask(set, count + 1, ACCESS_FORWARD, page, via, port).match;
        assert_true(after != ACCESS_MATCH_ALLOWED || before == ACCESS_MATCH_ALLOWED);
        struct access_record first;
        if (access_record_parse(slice_of(text[0]), ACCESS_FORWARD, &first, NULL) !=
                ACCESS_RECORD_OK ||
            first.deny.ptr)
            continue;
        sprintf(text[0] + strlen(text[0]), "; deny=%s", PICK(patterns));
        after = ask(set, count, ACCESS_FORWARD, page, via, port).match;
        assert_true(after != ACCESS_MATCH_ALLOWED || before == ACCESS_MATCH_ALLOWED);
    }
    assert_true(allowed > 1000); /* the property would be empty otherwise */
}

static void an_unparsable_record_never_allows(void **state)
{
    (void)state;
    seed();
    int unparsable = 0;
    for (int round = 0; round < 50000; round++) {
        char text[2][512];
        const char *set[2] = {text[0], text[1]};
        random_record(text[0]);
        random_record(text[1]);
        for (int i = rand() % 3; i > 0; i--)
            text[0][(size_t)rand() % strlen(text[0])] = (char)(rand() % 255 + 1);
        struct access_record r;
        if (access_record_parse(slice_of(text[0]), ACCESS_FORWARD, &r, NULL) != ACCESS_RECORD_BAD)
            continue;
        unparsable++;
        assert_int_not_equal(ask(set, 2, ACCESS_FORWARD, PICK(pages), ACCESS_VIA_WEB, 7000).match,
                             ACCESS_MATCH_ALLOWED);
    }
    assert_true(unparsable > 1000);
}

static void the_order_of_records_does_not_matter(void **state)
{
    (void)state;
    seed();
    for (int round = 0; round < 20000; round++) {
        char text[2][512];
        random_record(text[0]);
        random_record(text[1]);
        const char *page = PICK(pages);
        const char *set[2] = {text[0], text[1]}, *other[2] = {text[1], text[0]};
        assert_int_equal(ask(set, 2, ACCESS_FORWARD, page, ACCESS_VIA_TCP, 7000).match,
                         ask(other, 2, ACCESS_FORWARD, page, ACCESS_VIA_TCP, 7000).match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allow_matches_no_more_than_it_says),
        cmocka_unit_test(a_deny_matches_no_less_than_it_says),
        cmocka_unit_test(without_a_suffix_list_no_wildcard_allows),
        cmocka_unit_test(records_are_read_as_the_grammar_says),
        cmocka_unit_test(a_fault_has_its_place),
        cmocka_unit_test(another_version_is_as_if_absent),
        cmocka_unit_test(a_list_holds_32_patterns),
        cmocka_unit_test(blocked_ports_count_only_when_listed_singly),
        cmocka_unit_test(several_records_are_a_union),
        cmocka_unit_test(a_reverse_record_must_name_the_host),
        cmocka_unit_test(nothing_names_the_opaque_origin),
        cmocka_unit_test(a_set_has_limits),
        cmocka_unit_test(the_longest_max_age_is_told),
        cmocka_unit_test(rules_have_the_form_of_2008),
        cmocka_unit_test(a_typing_error_in_the_rules_denies),
        cmocka_unit_test(adding_a_deny_never_widens),
        cmocka_unit_test(an_unparsable_record_never_allows),
        cmocka_unit_test(the_order_of_records_does_not_matter),
    };
    return cmocka_run_group_tests_name("access_record", tests, NULL, NULL);
}
