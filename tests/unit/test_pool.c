/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 2000

struct thing {
    uint64_t words[9];
};

static void objects_in_use_never_overlap(void **state)
{
    (void)state;
    struct pool pool = POOL_OF(struct thing);
    static struct thing *things[COUNT];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            things[i] = pool_take(&pool);
            assert_non_null(things[i]);
            memset(things[i], (int)(i & 0xff), sizeof(*things[i]));
        }
        for (size_t i = 0; i < COUNT; i++)
            for (size_t w = 0; w < 9; w++)
                assert_true(things[i]->words[w] == (i & 0xff) * 0x0101010101010101u);
        for (size_t i = 0; i < COUNT; i++)
            pool_give(&pool, things[(i * 7) % COUNT]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(objects_in_use_never_overlap)};
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
