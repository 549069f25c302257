/* SPDX-License-Identifier: MIT */
/* ws_mask_twins.h - the implementations that ws_mask chooses from, for ws_mask.c, tests and
 * benchmarks. `mask` is the word of memory that lies over the first four bytes of data. The result
 * has a top bit in one of its bytes if what is there now is not all ASCII. */
#ifndef PROTO_WS_MASK_TWINS_H
#define PROTO_WS_MASK_TWINS_H

#include "base/slice.h"

typedef uint64_t ws_mask_fn(char *data, size_t len, uint32_t mask);

ws_mask_fn ws_mask_blocks; /* 16 bytes at a time, on any machine */
#ifdef __x86_64__
ws_mask_fn ws_mask_avx2; /* only where __builtin_cpu_supports("avx2") */
#endif

#endif
