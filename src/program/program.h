/* SPDX-License-Identifier: MIT */
/* program.h - one process with its descriptors, from its start until none that descends from it is
 * left.
 *
 *   NEW ──program_start──> RUNNING ──program_let_go──> EOF_SENT ──eof-grace──> TERM_SENT ──term-grace──> KILL_SENT
 *    │                        │                           │                       │                        │
 *    │                        └── its first process ends: as program_let_go, for those that it has started │
 *    │                                                    └──── none of those is left ──────────────────────┴──> GONE
 *    └── program_disown
 *
 * What a program writes: stdout, an answer (RFC 3875, section 6); stderr, lines for the log; and
 * lines on descriptor 3, or on stdout if it is of the kind PROGRAM_LINES. What it reads: a
 * request's body on stdin, and lines on descriptor 3, or on stdin if it is of the kind
 * PROGRAM_LINES.
 *
 * A program knows nothing of sessions, exchanges and WebSockets. It speaks
 * up by struct program_ops.
 *
 * Lifetime  program_new() to on_over, the last callback. The owner may change: program_own().
 * Bounds    Lines and output are read only while the owner takes them, so that the program's write
 *           blocks. What the owner writes is queued without a bound: it looks at program_queued().
 * Threads   Loop thread only.
 */
#ifndef PROGRAM_PROGRAM_H
#define PROGRAM_PROGRAM_H

#include "base/text.h"
#include "core/chunk.h"
#include "core/io.h"
#include "net/process.h"
#include "program/host.h"
#include "program/request.h"
#include "proto/status.h"

enum program_kind {
    PROGRAM_PAGE,   /* answers on stdout, talks on descriptor 3 */
    PROGRAM_SHARED, /* talks with many pages on descriptor 3; what it writes on stdout is dropped */
    PROGRAM_LINES,  /* reads lines on stdin, writes lines on stdout; has no descriptor 3 */
};

enum program_state {
    PROGRAM_NEW,
    PROGRAM_RUNNING,
    PROGRAM_EOF_SENT,
    PROGRAM_TERM_SENT,
    PROGRAM_KILL_SENT,
    PROGRAM_GONE
};

/* The fate of the next line of a program. */
enum program_reading {
    PROGRAM_READ,
    PROGRAM_WAIT, /* nobody takes it now: its write blocks */
    PROGRAM_DROP  /* nobody ever will */
};

/* Slices are valid during the call. */
struct program_ops {
    enum program_reading (*reading)(const struct program *p);
    /* The next line is the first of `in`, or not all of it is there (PARSE_MORE). `seen` bytes were
     * there when that was said last. PARSE_OK: *used bytes were taken. PARSE_BAD: no line of the
     * program means anything from now on. */
    enum parse_status (*on_line)(struct program *p, struct slice in, size_t seen, size_t *used);
    /* The program's lines end with this beginning of one, and the program has not failed itself. */
    void (*on_last_line)(struct program *p, struct slice line);
    /* We can't go on with it: a negative errno. Its lines and its answer are not whole. */
    void (*on_fault)(struct program *p, int error);
    /* Of PROGRAM_PAGE: its answer. */
    void (*on_output)(struct program *p, struct slice data);
    void (*on_output_end)(struct program *p);
    void (*on_stderr)(struct program *p, struct slice line);
    /* The program has taken all lines, but for IO_CORKED_MAX bytes at most. */
    void (*on_drain)(struct program *p);
    /* The program has taken the request's body so far, or wants no more of the body. */
    void (*on_body_drain)(struct program *p);
    /* Something happened or ended, and this is the last call that comes of it. */
    void (*on_settle)(struct program *p);
    /* Its memory is freed after this. */
    void (*on_over)(struct program *p);
};

#define PROGRAM_MARK_MAX 16

/* Of a file: two that are alike are the same. Zeros: there was none. */
struct program_version {
    uint64_t device, inode, size;
    int64_t changed_s;
    uint32_t changed_ns;
    uint32_t root_len; /* how much of its path was the folder that is served */
};

/* Our end of one of its descriptors: parts.h. */
struct program_pipe {
    struct io io;
    enum {
        PIPE_NONE,
        PIPE_OPEN,
        PIPE_CLOSED /* on_gone is still to come */
    } state;
    bool last; /* the process is gone: `left` more bytes are read, then the pipe is closed, whoever
                  else holds the other end */
    size_t left;
};

/* Others than this room read `host`, `owner`, `kind`, `file`, `pid` and `state`, and set `mark` and
 * `watched`. */
struct program {
    struct list node; /* program_host.programs */
    struct program_host *host;
    const struct program_ops *ops;
    void *owner;
    struct reap reap;
    enum program_kind kind;
    enum program_state state;
    struct slice file;                     /* owned, NUL-terminated */
    const struct program_command *command; /* borrowed until program_start(); NULL: a file */
    char mark[PROGRAM_MARK_MAX];           /* of its session, for the log; empty: none */
    struct room_place place;               /* among the programs of its client, and of all */
    pid_t pid;                             /* 0: not started */
    void *watched;                         /* the watcher's own */
    struct program_version version;        /* of the file, when it was started */

    /* ending.c */
    struct process process;
    int status;  /* of the first process, when `exited` */
    bool exited; /* the first process is reaped */
    bool dying;  /* it was seen to be about to end */
    bool let_go;
    bool answering;          /* its answer may be finished before the end goes on */
    bool resting;            /* its descriptors are not watched yet: brief.c */
    struct timer end_timer;  /* the next step */
    struct timer poll_timer; /* are all gone? Before its exit, while it rests: the end of that */
    uint64_t started_ms;
    uint32_t poll_ms;
    int kills; /* rounds of SIGKILL for what the first process has started */

    struct program_pipe body, output, lines,
        err; /* for PROGRAM_LINES `body` is stdin, `lines` stdout */

    /* lines.c */
    char *line; /* owned: the beginning of a line whose end has not come */
    size_t line_len, line_size, line_seen;
    size_t line_most; /* ever in `line`: so much of it is real memory */
    bool taking;      /* the owner is in on_line: what has come stays where it is */
    bool shut;        /* end of file has been sent */

    /* stderr.c */
    char *err_line; /* owned: as above */
    size_t err_len;
    struct text err_rest; /* what waits until the log is less crowded; then nothing is read */
    size_t err_budget;    /* bytes that may still be logged in this second */
    struct timer err_timer;
};

struct program_spec {
    struct program_host *host;
    enum program_kind kind;
    const char *file;                      /* absolute; of `command` if there is one */
    const struct program_command *command; /* NULL: the file itself, in its own folder */
    struct net_client_key client;
};

/* Counts it against the limits. NULL: draining, over a limit, or without memory. */
struct program *program_new(const struct program_spec *spec, const struct program_ops *ops,
                            void *owner);
void program_own(struct program *p, const struct program_ops *ops, void *owner);
/* Nobody wants it: it is let go and ends by itself. No callback any more. */
void program_disown(struct program *p);

/* Starts it. `request` NULL: a process for many pages. `body` is an open file with
 * the request's whole body, which is taken in any case, or -1. 0, or a negative
 * errno: then it is to be disowned. */
int program_start(struct program *p, const struct program_request *request, int body);

/* Is the file another one than it was when the program was started? Where the folder that is served
 * has moved since, the file of the same name in the new one counts. False if there is no file. */
bool program_file_changed(const struct program *p);

/* ---- lines.c: to the program and from it ---- */

/* Writes one line, whole, with its LF. Without effect when !program_open(). */
void program_write(struct program *p, const struct slice *pieces, int count);
void program_write_shared(struct program *p, struct shared_bytes *line);
/* A part of a line, by reference; nobody else counts the bytes (program_held()). */
void program_give_part(struct program *p, struct shared_bytes *shared, size_t at, size_t len);
/* False: it takes no more lines, ever. */
bool program_open(const struct program *p);
/* Bytes that it has not taken. */
size_t program_queued(const struct program *p);
/* Memory that is held for it and of it: what it has not taken, the beginning of a line. */
size_t program_held(const struct program *p);
/* Has it taken all but what one send makes? */
bool program_has_taken(const struct program *p);
/* Has it read all that was written, itself? A system call. */
bool program_has_read(const struct program *p);
/* Does it wait for its next line, having read all, and is all read that it has written? Then it is
 * done with what it was told. False also where that can't be seen: it polls, or has threads. Some
 * system calls; one if it is false. */
bool program_is_waiting(const struct program *p);
/* Sends what it would take at once. */
void program_flush(struct program *p);
/* To be called when the answer of ops->reading may have changed. May deliver lines. Not from
 * inside of on_line. */
void program_resume(struct program *p);
/* End of file for the program, after what is queued. */
void program_shut(struct program *p);
/* program_shut(); SIGTERM and SIGKILL follow, once the answer is complete. */
void program_let_go(struct program *p);

/* ---- body.c, output.c: a request and its answer ---- */

/* False: more than a pipe's worth waits: the next data should wait for on_body_drain. */
bool program_body(struct program *p, struct slice data);
void program_body_end(struct program *p);
/* No more of the body will come. */
void program_body_stop(struct program *p);
/* While paused its write blocks. */
void program_output_pause(struct program *p, bool paused);
/* Its answer is complete, or nobody wants it any more. */
void program_answered(struct program *p);

/* ---- ending.c ---- */

/* SIGKILL now, if it has been started. Calls nobody: what comes of it comes later. */
void program_kill(struct program *p);
/* Nothing more comes from it, nothing is written to it. */
bool program_is_over(const struct program *p);
/* All that it wrote has been read, and it is gone. */
bool program_is_silent(const struct program *p);
/* Its lines are at their end, and its fate is known or matters no more. */
bool program_has_ended(const struct program *p);
/* Whether its output has ended by its own will: to be asked when stdout is at its end. */
enum program_fate {
    PROGRAM_WILLING,
    PROGRAM_DYING, /* how is known in a moment: on_settle comes */
    PROGRAM_KILLED /* by a signal */
};
enum program_fate program_fate(struct program *p);
/* We can't go on with it, and the log says why. */
void program_log_fault(const struct program *p, int error);
/* The reason that a page is told for its end: `program-failed status=N`, `program-failed signal=N`,
 * or `program-exit` for status 0. */
struct slice program_end_reason(const struct program *p, char text[64]);

/* ---- pack.c: for the process that takes over ---- */

/* Fields of a program that has been started; nothing changes here. */
void program_pack(const struct program *program, struct pack *p);
/* The program of these fields, in place of program_new() and program_start(). NULL: it can't be
 * read, or there is no memory; its process is let go. */
struct program *program_unpack(struct program_host *host, struct slice in,
                               const struct program_ops *ops, void *owner);

#endif
