/* SPDX-License-Identifier: MIT */
/* utf8_twins.h - the implementations that utf8_valid chooses from, for utf8.c, tests and
 * benchmarks. */
#ifndef BASE_UTF8_TWINS_H
#define BASE_UTF8_TWINS_H

#include "base/slice.h"

/* Reads runs of ASCII word by word and the rest byte by byte; for any machine. */
bool utf8_valid_runs(struct slice text);

#ifdef __x86_64__
/* Only where __builtin_cpu_supports("avx2"). */
bool utf8_valid_avx2(struct slice text);
#endif

#endif
