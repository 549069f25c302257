/* SPDX-License-Identifier: MIT */
#include "access/suffixes.h"

#include <libpsl.h>
#include <pthread.h>
#include <stdlib.h>

static psl_ctx_t *list;
static struct public_suffixes suffixes;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_suffix(const void *ctx, struct slice name)
{
    char text[254];
    if (name.len >= sizeof(text))
        return true;
    *(char *)mempcpy(text, name.ptr, name.len) = '\0';
    return psl_is_public_suffix(ctx, text);
}

static void release(void)
{
    psl_free(list);
}

static void load(void)
{
    list = psl_latest(NULL);
    if (!list)
        return;
    suffixes = (struct public_suffixes){.is_suffix = is_suffix, .ctx = list};
    atexit(release);
}

const struct public_suffixes *public_suffixes(void)
{
    pthread_once(&once, load);
    return list ? &suffixes : NULL;
}
