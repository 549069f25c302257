/* SPDX-License-Identifier: MIT */
#include "program/diagnosis.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BEGINNING_MAX 256

static struct slice read_beginning(const char *file, char bytes[BEGINNING_MAX])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, BEGINNING_MAX);
    if (fd >= 0)
        close(fd);
    return slice_make(bytes, n > 0 ? (size_t)n : 0);
}

/* The path after `#!`; SLICE_NONE if the file does not begin so. */
static struct slice interpreter_of(struct slice line)
{
    if (!slice_starts_with(line, SLICE_LITERAL("#!")))
        return SLICE_NONE;
    line = slice_trim(slice_skip(line, 2));
    size_t len = 0;
    while (len < line.len && line.ptr[len] != ' ' && line.ptr[len] != '\t')
        len++;
    return slice_first(line, len);
}

static void say_missing(struct slice beginning, struct text *out)
{
    struct slice line = slice_first(beginning, slice_find(beginning, '\n'));
    struct slice interpreter = interpreter_of(line);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        text_put(out,
                 SLICE_LITERAL("its first line ends in CR LF: save the file with LF line ends"));
    else if (interpreter.ptr)
        text_printf(out, "its interpreter `%.*s` is not installed", SLICE_ARG(interpreter));
    else
        text_put(out, SLICE_LITERAL("the loader that the binary asks for is not installed"));
}

static void say_not_executable(struct slice beginning, struct text *out)
{
    if (slice_starts_with(beginning, SLICE_LITERAL("\xef\xbb\xbf#!")))
        text_put(out, SLICE_LITERAL("a byte order mark stands before its `#!`: save the file "
                                    "without one"));
    else if (slice_starts_with(beginning, SLICE_LITERAL("\177ELF")))
        text_put(out, SLICE_LITERAL("it is a binary for another kind of machine"));
    else
        text_put(out, SLICE_LITERAL("it needs a first line that names its interpreter, such as "
                                    "`#!/usr/bin/env python3`"));
}

static void say_denied(const char *file, struct slice beginning, struct text *out)
{
    struct slice line = slice_first(beginning, slice_find(beginning, '\n'));
    struct slice interpreter = interpreter_of(line);
    if (access(file, X_OK) != 0)
        text_printf(out, "the server may not run it: chmod +x %s", file);
    else if (interpreter.ptr)
        text_printf(out, "the server may not run its interpreter `%.*s`", SLICE_ARG(interpreter));
}

void program_diagnose(const char *file, int error, struct text *out)
{
    char bytes[BEGINNING_MAX];
    struct slice beginning = read_beginning(file, bytes);
    if (error == -ENOENT && beginning.len > 0)
        say_missing(beginning, out);
    else if (error == -ENOEXEC)
        say_not_executable(beginning, out);
    else if (error == -EACCES)
        say_denied(file, beginning, out);
}
