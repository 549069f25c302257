/* SPDX-License-Identifier: MIT */
/* programs.h - what the operator says of programs that are not like others.
 *
 * shared  one process has many pages: files of the folder that is served
 * stdio   reads and writes lines and knows nothing of us: a command for a path, or files of the
 *         folder that is served
 *
 * Made of settings, whole and checked, and then never changed.
 *
 * Errors   page_programs_add_*: false with what was expected in `why`.
 * Threads  Making one is the control thread's; any may look.
 */
#ifndef PAGE_PROGRAMS_H
#define PAGE_PROGRAMS_H

#include "base/slice.h"
#include "base/text.h"

struct page_programs;

/* A command that is a stdio program, for WebSockets to `path` and below. */
struct page_stdio_command {
    struct slice path; /* without a slash at its end: the root is empty */
    char **argv;       /* NULL-terminated */
    char *file;        /* absolute */
};

/* NULL without memory. */
struct page_programs *page_programs_new(void);
void page_programs_free(struct page_programs *programs);

/* `[PATH=]COMMAND`: the words as a shell sees them, with quotes and variables, but no more of it.
 * PATH begins with a slash and ends at the first `=` before any space. */
bool page_programs_add_stdio(struct page_programs *programs, const char *text, struct text *why);
/* A pattern for the path of a file below the root, such as `/feeds/x-*`: `*` and `?` match no
 * slash; what matches a folder stands for all in it. */
bool page_programs_add_stdio_files(struct page_programs *programs, const char *pattern,
                                   struct text *why);

/* `PATTERN[=N]`: such files are shared programs, with N processes (1 to PAGE_PROCESSES_MAX; without
 * it 1). */
bool page_programs_add_shared(struct page_programs *programs, const char *text, struct text *why);

/* The command with the longest path that covers this one, or NULL. */
const struct page_stdio_command *page_programs_stdio(const struct page_programs *programs,
                                                     struct slice path);
/* `file`: its path below the root, with its slash. */
bool page_programs_is_stdio_file(const struct page_programs *programs, const char *file);
bool page_programs_any_shared(const struct page_programs *programs);
/* How many processes this file has together; 0: it is not shared. */
uint32_t page_programs_shared(const struct page_programs *programs, const char *file);

#endif
