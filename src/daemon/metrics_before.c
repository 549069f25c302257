/* SPDX-License-Identifier: MIT */
#include "daemon/metrics_before.h"

#include <stdio.h>

static struct slice cut_line(struct slice *rest)
{
    size_t len = slice_find(*rest, '\n');
    struct slice line = slice_first(*rest, len);
    *rest = slice_skip(*rest, len < rest->len ? len + 1 : len);
    return line;
}

/* `NAME{LABELS} VALUE`: behind the last space. */
static bool split(struct slice line, struct slice *name, uint64_t *value)
{
    size_t at = line.len;
    while (at > 0 && line.ptr[at - 1] != ' ')
        at--;
    *name = slice_first(line, at);
    return at > 0 && line.ptr[0] != '#' && slice_to_uint(slice_skip(line, at), UINT64_MAX, value);
}

static uint64_t find(struct slice before, struct slice name)
{
    while (before.len > 0) {
        struct slice found, line = cut_line(&before);
        uint64_t value;
        if (slice_starts_with(line, name) && split(line, &found, &value) &&
            slice_equal(found, name))
            return value;
    }
    return 0;
}

void metrics_add_before(struct slice now, struct slice before, struct text *out)
{
    bool counts = false;
    while (now.len > 0) {
        struct slice name, line = cut_line(&now);
        uint64_t value;
        if (slice_starts_with(line, SLICE_LITERAL("# TYPE ")))
            counts = slice_ends_with(line, SLICE_LITERAL(" counter"));
        if (counts && split(line, &name, &value))
            text_printf(out, "%.*s%llu\n", SLICE_ARG(name),
                        (unsigned long long)(value + find(before, name)));
        else
            text_printf(out, "%.*s\n", SLICE_ARG(line));
    }
}
