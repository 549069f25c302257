/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->len + more <= t->room)
        return true;
    if (t->fixed) {
        t->failed = true;
        return false;
    }
    size_t room = t->room ? t->room * 2 : 256;
    while (room < t->len + more)
        room *= 2;
    char *ptr = realloc(t->ptr, room);
    if (!ptr) {
        t->failed = true;
        return false;
    }
    t->ptr = ptr;
    t->room = room;
    return true;
}

void text_put(struct text *t, struct slice s)
{
    if (s.len == 0 || !reserve(t, s.len))
        return;
    memcpy(t->ptr + t->len, s.ptr, s.len);
    t->len += s.len;
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !reserve(t, (size_t)len + 1))
        return;
    va_start(args, format);
    vsnprintf(t->ptr + t->len, (size_t)len + 1, format, args);
    va_end(args);
    t->len += (size_t)len;
}

void text_done(struct text *t)
{
    if (!t->fixed)
        free(t->ptr);
    *t = (struct text){0};
}
