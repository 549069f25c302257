/* SPDX-License-Identifier: MIT */
/* input_file.h - a file that the operator names: settings, certificates, keys, tokens.
 *
 * Whoever opens a FIFO waits for its writer. These files are read by the thread that hears SIGTERM,
 * also while the server runs.
 *
 * Between the check of a take-over and the execve a file may change or vanish. So the check keeps a
 * copy of each file that it reads, and the processes that take over read the copies
 * (docs/decisions/takeover.md):
 *
 *   the check     input_copies_write(fd) ──> it reads all files
 *   a new process input_copies_use(fd) ──> it reads them again ──> input_copies_done()
 *
 * Threads  One.
 */
#ifndef BASE_INPUT_FILE_H
#define BASE_INPUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#define INPUT_FILE_WAITS "it is a FIFO: reading it could wait for ever"

/* A FIFO that has a name. The pipe behind `<(command)` of a shell has its writer. */
bool input_file_waits(const char *path);

struct input_file {
    int fd; /* of a copy; -1: the file itself is read */
    char copy[32];
    const char *path; /* to be opened until input_file_done(); whether it can be is seen then */
};

/* `path` is borrowed. */
void input_file_find(struct input_file *f, const char *path);
void input_file_done(struct input_file *f);
/* All of that at once, to be read by stdio. NULL and errno; ENXIO: it is a FIFO that has a name. */
FILE *input_file_open(const char *path);
/* What to tell of that errno. */
const char *input_file_fault(int error);

/* ---- for a take-over ---- */

/* Files that are found from now on are copied to the memory file `fd` too, which stays open. */
void input_copies_write(int fd);
/* Whether each of them could be. */
bool input_copies_whole(void);
/* The descriptor stays the caller's. -1: there are no copies. */
void input_copies_use(int fd);
void input_copies_done(void);

#endif
