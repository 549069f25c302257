/* SPDX-License-Identifier: MIT */
/* parts.h - what the files of this room share, from the bottom up: a file calls only those of
 * earlier lines, and the owner by its ops.
 *
 *   pipe.c, environment.c, request_json.c, command.c, kinds.c, rights.c, rest.c, worker_map.c
 *   lifecycle.c                             settles and frees
 *   stderr.c, output.c, body.c, lines.c     the descriptors
 *   brief.c                                 descriptors of programs that end at once
 *   ending.c                                the end of the process
 *   program.c                               makes, starts, disowns
 *   pack.c                                  for the process that takes over
 *   shared*.c, pool.c                       one process for many pages: shared.h
 *   host.c                                  all programs of a worker
 */
#ifndef PROGRAM_PARTS_H
#define PROGRAM_PARTS_H

#include "program/program.h"

#include <string.h>

enum {
    BRIEF_BITS = 1024
};

struct program_host {
    struct program_host_spec spec;
    struct program_counts counts;
    struct list programs;
    struct list pools; /* pool.c */
    struct room_desk room;
    struct timer rest_timer; /* runs after a program's end: cgroup_rest() */
    uint64_t dealt;          /* requests for shared programs that were given to workers */
    int null_fd;             /* stdin of programs whose request has no body */
    bool draining;
    uint8_t brief[BRIEF_BITS / 8]; /* brief.c */
};

/* program_host_below_root(), for files below host.c. */
static inline const char *below_root(const struct program_host *host, const char *file)
{
    size_t len = host->spec.root.len > 1 ? host->spec.root.len : 0;
    return strncmp(file, host->spec.root.ptr, len) == 0 && file[len] == '/' ? file + len : file;
}

/* ---- rest.c ---- */

void host_rest_init(struct program_host *host);
/* A program has ended: what is kept open for the next one is closed within a second. */
void host_rest_soon(struct program_host *host);

/* ---- pipe.c: our end of one descriptor ---- */

/* Takes *fd, and sets it to -1; no effect if that is -1 already. */
int pipe_open(struct loop *loop, struct program_pipe *pipe, int *fd, enum io_kind kind,
              const struct io_ops *ops);
/* The same, of one that is there, as io_open_resting(). */
int pipe_open_resting(struct loop *loop, struct program_pipe *pipe, int *fd, enum io_kind kind,
                      const struct io_ops *ops);
/* io_look(), io_wake(); no effect if it is not open. */
void pipe_look(struct program_pipe *pipe);
void pipe_wake(struct program_pipe *pipe);
void pipe_close(struct program_pipe *pipe);
static inline bool pipe_is_open(const struct program_pipe *pipe)
{
    return pipe->state == PIPE_OPEN;
}
/* What of `data` is still to be read. */
struct slice pipe_take(struct program_pipe *pipe, struct bytes data);
/* The process is gone: only what is in the pipe by now is still read. */
void pipe_set_last(struct program_pipe *pipe);
/* All of that has been read. */
static inline bool pipe_at_end(const struct program_pipe *pipe)
{
    return pipe->last && pipe->left == 0;
}

/* ---- lifecycle.c ---- */

void program_set_state(struct program *p, enum program_state state);
/* To be called last, whenever something happened: takes the steps that can be taken by now, tells
 * the owner, and frees what is over. */
void program_settle(struct program *p);

/* ---- program.c ---- */

/* As program_new(), but counted nowhere. */
struct program *program_make(struct program_host *host, enum program_kind kind, struct slice file,
                             const struct program_ops *ops, void *owner);

/* ---- stderr.c, output.c, body.c, lines.c ---- */

extern const struct io_ops program_stderr_io_ops, program_output_io_ops, program_body_io_ops,
    program_lines_io_ops;
void program_stderr_init(struct program *p);
/* The beginning of a line that has come. */
void program_stderr_keep(struct program *p, struct slice begin);
/* Logs what waits for the log, and reads on: the program has ended. */
void program_stderr_hurry(struct program *p);
/* They are at their end. */
void program_stderr_end(struct program *p);
void program_output_end(struct program *p);
void program_lines_end(struct program *p);
/* The end of an io is our fault: not the program's, nor a sign of its end. */
bool program_fault_is_ours(int error);
/* Its end is known, or not waited for any more: tells the owner of a line that was cut short. */
void program_lines_judge(struct program *p);
/* Gives the owner what it takes by now. */
void program_lines_deliver(struct program *p);
/* The process of PROGRAM_LINES is gone: takes what is left of its output. */
void program_lines_last(struct program *p);

/* ---- brief.c ---- */

/* Its descriptors rest: it is likely to end at once. To be asked once its file was looked at. */
bool program_is_brief(const struct program *p);
/* It has been started. */
void program_brief_start(struct program *p);
/* Time is over for a program that rests; or it has ended, and what it left has been looked at. */
void program_brief_over(struct program *p);
/* It has ended: takes what it left while it rested. */
void program_brief_end(struct program *p);

/* ---- ending.c ---- */

void program_ending_init(struct program *p);
/* One that was stopped runs on, so that it can end. */
void program_continue(struct program *p);
void program_exited(struct process *process, int status);

/* ---- pool.c ---- */

void program_pools_free(struct program_host *host);
/* No process takes more pages; those without any are let go. */
void program_pools_retire(struct program_host *host);

#endif
