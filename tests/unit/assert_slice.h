/* SPDX-License-Identifier: MIT */
/* assert_slice.h - a slice is this text, or the test fails and shows both. */
#ifndef TESTS_ASSERT_SLICE_H
#define TESTS_ASSERT_SLICE_H

#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline void assert_slice(struct slice s, const char *wanted)
{
    if (!slice_equal(s, slice_of(wanted)))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(s), wanted);
}

#endif
