/* SPDX-License-Identifier: MIT */
/* notes.h - the callbacks that a test has seen, written down as one text. */
#ifndef TESTS_NOTES_H
#define TESTS_NOTES_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends the note to `out`; text that does not fit is cut. */
static inline void note(char *out, size_t size, const char *format, ...)
{
    va_list args;
    size_t len = strlen(out);
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

#endif
