/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/sealed.h"

#define NOW  1000000000000
#define WEEK 604800000

static const struct sealed_place here = {{"https://a.example", 17}, {"/chat", 5}};

static struct seal_keys *keys_of(const char *letters)
{
    struct seal_keys *keys = seal_keys_new();
    unsigned char key[SEAL_KEY_SIZE];
    for (; *letters; letters++) {
        memset(key, *letters, sizeof(key));
        assert_true(seal_keys_add(keys, key));
    }
    return keys;
}

static struct sealer sealer_of(const char *letters)
{
    struct sealer s = {0};
    struct seal_keys *keys = keys_of(letters);
    assert_int_equal(sealer_use(&s, keys), 0);
    seal_keys_unref(keys);
    return s;
}

static struct shared_bytes *make(struct sealer *s, struct slice state, bool binary)
{
    struct shared_bytes *sealed = sealed_make(s, &here, &(struct sealed_state){binary, state, NOW});
    assert_non_null(sealed);
    return sealed;
}

static struct slice bytes_of(const struct shared_bytes *sealed)
{
    return slice_make(sealed->bytes, sealed->len);
}

static const char *try(const struct sealer *s, const struct sealed_place *place,
                       struct slice sealed, uint64_t now_ms)
{
    struct sealed_state state;
    char *bytes = NULL;
    const char *why = sealed_open(s, place, sealed, now_ms, WEEK, &state, &bytes);
    free(bytes);
    return why;
}

static void opens_as(const struct sealer *s, struct slice sealed, struct slice state, bool binary)
{
    struct sealed_state found;
    char *bytes;
    assert_null(sealed_open(s, &here, sealed, NOW + 5, WEEK, &found, &bytes));
    assert_true(slice_equal(found.state, state));
    assert_true(found.binary == binary && found.sealed_ms == NOW);
    free(bytes);
}

static void what_is_sealed_is_opened(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct slice texts[] = {SLICE_LITERAL("{\"n\":1}"), SLICE_LITERAL(""),
                            SLICE_LITERAL("\0\1\n\xff")};
    for (size_t i = 0; i < 3; i++) {
        struct shared_bytes *sealed = make(&s, texts[i], i != 0);
        assert_int_equal(sealed->len, texts[i].len + SEALED_OVERHEAD);
        opens_as(&s, bytes_of(sealed), texts[i], i != 0);
        shared_unref(sealed);
    }
    sealer_done(&s);
}

static void nothing_of_the_state_can_be_read(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct shared_bytes *sealed = make(&s, SLICE_LITERAL("a secret of the program"), false);
    assert_null(memmem(sealed->bytes, sealed->len, "secret", 6));
    shared_unref(sealed);
    sealer_done(&s);
}

static void a_change_of_any_byte_is_noticed(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct shared_bytes *sealed = make(&s, SLICE_LITERAL("{\"n\":1}"), false);
    for (size_t i = 0; i < sealed->len; i++)
        for (int bit = 0; bit < 8; bit++) {
            sealed->bytes[i] ^= (char)(1 << bit);
            assert_non_null(try(&s, &here, bytes_of(sealed), NOW));
            sealed->bytes[i] ^= (char)(1 << bit);
        }
    assert_null(try(&s, &here, bytes_of(sealed), NOW));
    shared_unref(sealed);
    sealer_done(&s);
}

static void what_is_cut_or_longer_is_refused(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct shared_bytes *sealed = make(&s, SLICE_LITERAL("{\"n\":1}"), false);
    for (size_t len = 0; len < sealed->len; len++) {
        char *exact = malloc(len + 1); /* a read beyond it is seen */
        memcpy(exact, sealed->bytes, len);
        assert_non_null(try(&s, &here, slice_make(exact, len), NOW));
        free(exact);
    }
    char longer[256] = {0};
    memcpy(longer, sealed->bytes, sealed->len);
    assert_non_null(try(&s, &here, slice_make(longer, sealed->len + 1), NOW));
    shared_unref(sealed);
    sealer_done(&s);
}

static void it_is_of_one_origin_and_path(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct shared_bytes *sealed = make(&s, SLICE_LITERAL("1"), false);
    struct sealed_place others[] = {
        {SLICE_LITERAL("https://b.example"), here.path},
        {SLICE_LITERAL("http://a.example"), here.path},
        {here.origin, SLICE_LITERAL("/chat/")},
        {here.origin, SLICE_LITERAL("/cha")},
        {here.origin, SLICE_LITERAL("")},
        {SLICE_LITERAL(""), SLICE_LITERAL("")},
        {SLICE_LITERAL("https://a.example\n/cha"), SLICE_LITERAL("t")},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_non_null(try(&s, &others[i], bytes_of(sealed), NOW));
    shared_unref(sealed);
    sealer_done(&s);
}

static void it_grows_too_old(void **state)
{
    (void)state;
    struct sealer s = sealer_of("k");
    struct shared_bytes *sealed = make(&s, SLICE_LITERAL("1"), false);
    assert_null(try(&s, &here, bytes_of(sealed), NOW + WEEK));
    assert_string_equal(try(&s, &here, bytes_of(sealed), NOW + WEEK + 1), "it is too old");
    assert_null(try(&s, &here, bytes_of(sealed), NOW - 3600000)); /* a clock that is behind */
    assert_null(try(&s, &here, bytes_of(sealed), 0));
    shared_unref(sealed);
    sealer_done(&s);
}

static void keys_are_rotated(void **state)
{
    (void)state;
    struct sealer old = sealer_of("a"), both = sealer_of("ba"), now = sealer_of("b"), none = {0};
    struct shared_bytes *by_old = make(&old, SLICE_LITERAL("1"), false);
    struct shared_bytes *by_both = make(&both, SLICE_LITERAL("2"), false);
    opens_as(&both, bytes_of(by_old), SLICE_LITERAL("1"), false);
    opens_as(&now, bytes_of(by_both), SLICE_LITERAL("2"), false);
    assert_string_equal(try(&now, &here, bytes_of(by_old), NOW), "its key is not among ours");
    assert_non_null(try(&none, &here, bytes_of(by_old), NOW));
    assert_null(sealed_make(&none, &here, &(struct sealed_state){0}));
    shared_unref(by_old);
    shared_unref(by_both);
    sealer_done(&old);
    sealer_done(&both);
    sealer_done(&now);
}

static void two_machines_and_two_runs_share_a_key(void **state)
{
    (void)state;
    struct sealer one = sealer_of("k"), other = sealer_of("k");
    struct shared_bytes *a = make(&one, SLICE_LITERAL("1"), false);
    struct shared_bytes *b = make(&other, SLICE_LITERAL("1"), false);
    opens_as(&other, bytes_of(a), SLICE_LITERAL("1"), false);
    opens_as(&one, bytes_of(b), SLICE_LITERAL("1"), false);
    assert_true(memcmp(a->bytes, b->bytes, a->len) != 0); /* no salt twice */
    shared_unref(a);
    a = make(&one, SLICE_LITERAL("1"), false);
    shared_unref(b);
    b = make(&one, SLICE_LITERAL("1"), false);
    assert_true(memcmp(a->bytes, b->bytes, a->len) != 0); /* no nonce twice */
    shared_unref(a);
    shared_unref(b);
    sealer_done(&one);
    sealer_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_is_opened),
        cmocka_unit_test(nothing_of_the_state_can_be_read),
        cmocka_unit_test(a_change_of_any_byte_is_noticed),
        cmocka_unit_test(what_is_cut_or_longer_is_refused),
        cmocka_unit_test(it_is_of_one_origin_and_path),
        cmocka_unit_test(it_grows_too_old),
        cmocka_unit_test(keys_are_rotated),
        cmocka_unit_test(two_machines_and_two_runs_share_a_key),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
