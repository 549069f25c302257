/* SPDX-License-Identifier: MIT */
#include "net/pty.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void what_goes_in_comes_out_then_eio(void **state)
{
    (void)state;
    int master, slave;
    char in[256], out[sizeof(in) + 1];
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (char)i; /* ^C, ^D, ^Z, LF, CR, DEL and all */
    assert_int_equal(pty_open(&master, &slave), 0);
    assert_true(isatty(slave));
    assert_int_equal(read(master, out, sizeof(out)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(slave, in, sizeof(in)), sizeof(in));
    assert_int_equal(close(slave), 0);
    assert_int_equal(read(master, out, sizeof(out)), sizeof(in));
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(read(master, out, sizeof(out)), -1);
    assert_int_equal(errno, EIO);
    close(master);
}

static void the_slave_is_for_writing_alone(void **state)
{
    (void)state;
    int master, slave;
    char c;
    assert_int_equal(pty_open(&master, &slave), 0);
    assert_int_equal(read(slave, &c, 1), -1);
    assert_int_equal(errno, EBADF);
    close(slave);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_then_eio),
        cmocka_unit_test(the_slave_is_for_writing_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
