/* SPDX-License-Identifier: MIT */
/* every_backend.h - a group of tests runs once over every backend of the loop: loop_new() makes one
 * on it meanwhile. */
#ifndef TESTS_EVERY_BACKEND_H
#define TESTS_EVERY_BACKEND_H

#include "core/backend.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define run_group_on_every_backend(noun, tests, begin, end)                                        \
    ({                                                                                             \
        int failures = 0;                                                                          \
        for (const struct loop_backend *const *backend_ = loop_backends; *backend_; backend_++) {  \
            char name[64];                                                                         \
            snprintf(name, sizeof(name), "%s on %s", noun, (*backend_)->name);                     \
            if (loop_use((*backend_)->name))                                                       \
                print_message("[  SKIPPED ] %s: this machine has no %s\n", noun,                   \
                              (*backend_)->name);                                                  \
            else                                                                                   \
                failures += cmocka_run_group_tests_name(name, tests, begin, end);                  \
        }                                                                                          \
        failures;                                                                                  \
    })

#define run_on_every_backend(noun, tests) run_group_on_every_backend(noun, tests, NULL, NULL)

#endif
