/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* SipHash-1-3 with the key 00..0f over 00, 00 01, ...: the reference's own vectors for this variant
 * start so. */
static void differs_by_key_length_and_content(void **state)
{
    (void)state;
    const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908}, other[2] = {1, 2};
    char data[64];
    for (int i = 0; i < 64; i++)
        data[i] = (char)i;
    for (size_t n = 0; n < 64; n++) {
        uint64_t h = hash_siphash13(key, slice_make(data, n));
        assert_true(h == hash_siphash13(key, slice_make(data, n)));
        assert_true(h != hash_siphash13(other, slice_make(data, n)));
        assert_true(h != hash_siphash13(key, slice_make(data, n + (n < 63))) || n == 63);
    }
    assert_true(hash_siphash13(key, slice_make(data, 0)) == 0xabac0158050fc4dc);
}

static void is_stable_in_one_process(void **state)
{
    (void)state;
    assert_true(hash_bytes(SLICE_LITERAL("a")) == hash_bytes(SLICE_LITERAL("a")));
    assert_true(hash_bytes(SLICE_LITERAL("a")) != hash_bytes(SLICE_LITERAL("b")));
}

static void a_shared_key_makes_equal_values_in_all_processes(void **state)
{
    (void)state;
    const uint64_t key[2] = {1, 2};
    uint64_t found[2];
    struct slice data = SLICE_LITERAL("some bytes");
    assert_int_equal(hash_shared(data), hash_bytes(data));
    assert_false(hash_shared_key(found));
    hash_share(key);
    assert_int_equal(hash_shared(data), hash_siphash13(key, data));
    assert_true(hash_shared_key(found));
    assert_memory_equal(found, key, sizeof(key));
    assert_int_not_equal(hash_bytes(data), hash_shared(data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differs_by_key_length_and_content),
        cmocka_unit_test(is_stable_in_one_process),
        cmocka_unit_test(a_shared_key_makes_equal_values_in_all_processes),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
