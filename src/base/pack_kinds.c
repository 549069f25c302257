/* SPDX-License-Identifier: MIT */
#include "base/pack_kinds.h"

#include <stdio.h>

/* A build whose formats are others, for tests. */
#ifndef PACK_TEST_AHEAD
#define PACK_TEST_AHEAD 0
#endif
#ifndef PACK_TEST_VERSION
#define PACK_TEST_VERSION HTTPSOCKET_VERSION
#endif

const char *pack_version(void)
{
    return PACK_TEST_VERSION;
}

static const struct kind {
    const char *name;
    unsigned written, oldest;
} kinds[] = {
#define PACK_KIND(name, written, oldest)                                                           \
    {#name, (written) + PACK_TEST_AHEAD, (oldest) + PACK_TEST_AHEAD},
#include "base/pack_kinds.def"
#undef PACK_KIND
};

enum {
    KINDS = sizeof(kinds) / sizeof(*kinds)
};

void pack_kinds_print(struct text *out)
{
    for (size_t i = 0; i < KINDS; i++)
        text_printf(out, "%s %u %u\n", kinds[i].name, kinds[i].oldest, kinds[i].written);
}

void pack_kinds_written(struct text *out)
{
    for (size_t i = 0; i < KINDS; i++)
        text_printf(out, "%s %u\n", kinds[i].name, kinds[i].written);
}

static const struct kind *find(struct slice name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (slice_equal(slice_of(kinds[i].name), name))
            return &kinds[i];
    return NULL;
}

static struct slice cut(struct slice *rest, char end)
{
    size_t len = slice_find(*rest, end);
    struct slice word = slice_first(*rest, len);
    *rest = slice_skip(*rest, len < rest->len ? len + 1 : len);
    return word;
}

static bool read_number(struct slice word, unsigned *ret)
{
    uint64_t number;
    if (!slice_to_uint(word, 1000000, &number))
        return false;
    *ret = (unsigned)number;
    return true;
}

/* The line of this kind; oldest and newest are 0 if there is none. */
static void look_up(struct slice printed, const struct kind *kind, unsigned *oldest,
                    unsigned *newest)
{
    *oldest = *newest = 0;
    while (printed.len > 0) {
        struct slice line = cut(&printed, '\n');
        bool named = slice_equal(cut(&line, ' '), slice_of(kind->name));
        if (named && read_number(cut(&line, ' '), oldest) && read_number(line, newest))
            return;
    }
}

bool pack_kinds_fit(struct slice printed, struct text *ret_why)
{
    for (size_t i = 0; i < KINDS; i++) {
        unsigned oldest, newest;
        look_up(printed, &kinds[i], &oldest, &newest);
        if (kinds[i].written >= oldest && kinds[i].written <= newest)
            continue;
        text_printf(ret_why, "it reads %s of version %u to %u, not %u", kinds[i].name, oldest,
                    newest, kinds[i].written);
        return false;
    }
    return true;
}

bool pack_kinds_read(struct slice written, struct text *ret_why)
{
    while (written.len > 0) {
        unsigned version = 0;
        struct slice line = cut(&written, '\n');
        struct slice name = cut(&line, ' ');
        const struct kind *kind = find(name);
        if (kind && read_number(line, &version) && version >= kind->oldest &&
            version <= kind->written)
            continue;
        text_printf(ret_why, "%.*s of version %u can't be read", SLICE_ARG(name), version);
        return false;
    }
    return true;
}
