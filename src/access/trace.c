/* SPDX-License-Identifier: MIT */
#include "access/trace.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    TEXT_SIZE = 512
};

/* Control bytes become `.`: the text may hold what others published in DNS. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '.';
}

void access_trace(struct access_trace *trace, const char *what, const char *format, ...)
{
    char text[TEXT_SIZE];
    if (!trace)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    make_printable(text);
    trace->step(trace, what, text);
}
