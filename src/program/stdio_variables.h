/* SPDX-License-Identifier: MIT */
/* stdio_variables.h - what the environment of a stdio program has so that its lines come in time
 * and as in a pipe: no colours, no pager; and, where its stdout is a pipe, by whom its buffers are
 * told to let each line go. It all passes on to what the program starts
 * (docs/decisions/stdio-pipe.md).
 *
 * LD_PRELOAD names share/lines/lines.so, for stdio of the C library. It is left out for a program
 * of another machine, whose loader would complain of it on stderr.
 *
 * Each is appended as NAME=VALUE NUL; returned is how many. Out of memory: ret->failed.
 */
#ifndef PROGRAM_STDIO_VARIABLES_H
#define PROGRAM_STDIO_VARIABLES_H

#include "base/text.h"

size_t stdio_variables_for_terminal(struct text *ret);
/* `lines`: the folder of lines.so and lines.rb; empty: there is none. `file`: the program. */
size_t stdio_variables_for_pipe(struct text *ret, struct slice lines, const char *file);

#endif
