/* SPDX-License-Identifier: MIT */
/* kinds.h - what the operator says of programs that are not like others.
 *
 * shared  one process has many pages: files of the folder that is served
 * stdio   reads and writes lines and knows nothing of us: a command for a path, or files of the
 *         folder that is served
 *
 * Made of settings, whole and checked, and then never changed.
 *
 * Errors   program_kinds_add_*: false with what was expected in `why`.
 * Threads  Making one is the control thread's; any may look.
 */
#ifndef PROGRAM_KINDS_H
#define PROGRAM_KINDS_H

#include "base/slice.h"
#include "base/text.h"

struct program_kinds;

/* What the stdout of a stdio program is. */
enum program_stdout {
    PROGRAM_STDOUT_AS_SET, /* as of the setting for all */
    PROGRAM_STDOUT_PIPE,
    PROGRAM_STDOUT_TERMINAL,
};

/* A command that is a stdio program, for WebSockets to `path` and below. */
struct program_command {
    struct slice path; /* without a slash at its end: the root is empty */
    char **argv;       /* NULL-terminated */
    char *file;        /* absolute */
    enum program_stdout out;
};

/* NULL without memory. */
struct program_kinds *program_kinds_new(void);
void program_kinds_free(struct program_kinds *programs);

/* `[OUTPUT:][PATH=]COMMAND`: the words as a shell sees them, with quotes and variables, but no more
 * of it. OUTPUT is `pipe` or `terminal`. PATH begins with a slash and ends at the first `=` before
 * any space. */
bool program_kinds_add_stdio(struct program_kinds *programs, const char *text, struct text *why);
/* `[PATH=]NAME`: a subprotocol of WebSocket that stdio programs at PATH and below speak. */
bool program_kinds_add_subprotocol(struct program_kinds *programs, const char *text,
                                   struct text *why);
/* `[OUTPUT:]PATTERN`, a pattern for the path of a file below the root, such as `/feeds/x-*`: `*`
 * and `?` match no slash; what matches a folder stands for all in it. */
bool program_kinds_add_stdio_files(struct program_kinds *programs, const char *pattern,
                                   struct text *why);

/* `PATTERN[=N]`: such files are shared programs, with N processes (1 to
 * PROGRAM_PROCESSES_MAX; without it 1). */
bool program_kinds_add_shared(struct program_kinds *programs, const char *text, struct text *why);

/* The command with the longest path that covers this one, or NULL. */
const struct program_command *program_kinds_stdio(const struct program_kinds *programs,
                                                  struct slice path);
/* Whether a stdio program at this path speaks the subprotocol. Those of the longest PATH count. */
bool program_kinds_speaks(const struct program_kinds *programs, struct slice path,
                          struct slice subprotocol);
/* `file`: its path below the root, with its slash. */
bool program_kinds_is_stdio_file(const struct program_kinds *programs, const char *file);
enum program_stdout program_kinds_file_stdout(const struct program_kinds *programs,
                                              const char *file);
bool program_kinds_any_shared(const struct program_kinds *programs);
/* How many processes this file has together; 0: it is not shared. */
uint32_t program_kinds_shared(const struct program_kinds *programs, const char *file);

#endif
