/* SPDX-License-Identifier: MIT */
/* value.h - how settings are written: numbers, sizes with units, times with units. */
#ifndef SERVE_VALUE_H
#define SERVE_VALUE_H

#include "base/slice.h"

/* `4096`, `64K`, `16M`, `1G` (powers of 1024). False and *ret untouched for anything else, or on
 * overflow. */
bool value_size(struct slice text, uint64_t *ret);

/* `500ms`, `10s`, `5min`, `2h`, `7d`; a bare number is seconds. In milliseconds. */
bool value_time(struct slice text, uint64_t *ret_ms);

/* The shortest writing that value_size and value_time read back; `out` needs 32 bytes. */
void value_print_size(uint64_t bytes, char out[32]);
void value_print_time(uint64_t ms, char out[32]);

#endif
