/* SPDX-License-Identifier: MIT */
/* allocations.c - takes the place of glibc's allocator and counts the calls. Not under a sanitizer,
 * which has an allocator of its own. */
#include "driver.h"

#include <stdlib.h>

static unsigned long count;

unsigned long counts_allocations(void)
{
    return count;
}

#ifndef __SANITIZE_ADDRESS__
#define SEEN __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

SEEN void *malloc(size_t size)
{
    count++;
    return __libc_malloc(size);
}

SEEN void *calloc(size_t n, size_t size)
{
    count++;
    return __libc_calloc(n, size);
}

SEEN void *realloc(void *old, size_t size)
{
    count++;
    return __libc_realloc(old, size);
}
#endif
