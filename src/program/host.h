/* SPDX-License-Identifier: MIT */
/* host.h - what all programs of one worker share.
 *
 * Threads  Loop thread only; limits and worker_map are shared by all workers.
 */
#ifndef PROGRAM_HOST_H
#define PROGRAM_HOST_H

#include "core/loop.h"
#include "limits/memory.h"
#include "limits/programs.h"
#include "net/address.h"
#include "program/kinds.h"
#include "program/rights.h"
#include "program/worker_map.h"

struct program;
struct program_host;

struct program_config {
    uint32_t eof_grace_ms;  /* from end of file on descriptor 3 to SIGTERM */
    uint32_t term_grace_ms; /* from SIGTERM to SIGKILL */
    uint32_t line_max;      /* bytes of one message on descriptor 3 */
    bool stdio_terminal;    /* the stdout of PROGRAM_LINES, unless its kind says which */
    bool dev;               /* a shared process whose file has changed takes no more pages */
    /* Borrowed: changes with the settings, and is asked only while something is started. */
    const struct program_kinds *kinds;
    const struct program_rights *rights; /* as above; NULL: those of any child */
    uint32_t shared_idle_ms;             /* a shared process without a page is let go after this */
    size_t shared_page_max; /* bytes that one page of a shared process has not acknowledged */
    size_t shared_max;      /* bytes that all its pages together have not acknowledged */
};

struct program_counts {
    uint64_t started, now, refused_limit, failed_start, protocol_errors, killed;
    uint64_t shared_now, shared_pages_now, shared_overflows, shared_late_lines, shared_held_back,
        shared_crowded;
};

/* A watcher sees programs while they are developed. */
struct program_watcher {
    void (*on_start)(const struct program_watcher *w, struct program *p); /* is about to start */
    void (*on_stderr)(const struct program_watcher *w, struct program *p, struct slice line);
    void (*on_over)(const struct program_watcher *w,
                    struct program *p); /* also if it never started */
};

/* Pointers are borrowed: they outlive the host. */
struct program_host_spec {
    struct loop *loop;
    const struct program_config *config;
    struct program_limits *limits;
    struct memory_desk *memory; /* NULL: nothing is counted */
    struct worker_map *worker_map;
    uint32_t worker, workers;              /* which of how many we are */
    struct slice server_name;              /* SERVER_SOFTWARE */
    struct slice root;                     /* DOCUMENT_ROOT; absolute */
    struct slice sdk;                      /* HTTPSOCKET_SDK; may be empty */
    struct slice lines;                    /* stdio_variables.h; may be empty */
    struct cgroup *cgroup;                 /* for programs; NULL: none */
    const struct program_watcher *watcher; /* NULL: nobody watches */
};

/* NULL and errno. */
struct program_host *program_host_new(const struct program_host_spec *spec);
/* Once the loop has ended. Accepts NULL. */
void program_host_free(struct program_host *host);

const struct program_config *program_host_config(const struct program_host *host);
struct program_counts *program_host_counts(struct program_host *host);
/* Where its programs, and pages of shared ones, are counted. */
struct room_desk *program_host_room(struct program_host *host);
struct loop *program_host_loop(const struct program_host *host);
/* The folder that is served is another one from now on. `root` is borrowed. */
void program_host_set_root(struct program_host *host, struct slice root);
/* `file` without the folder that is served, from a slash on; whole if it lies elsewhere. */
const char *program_host_below_root(const struct program_host *host, const char *file);

/* Starts nothing any more. Shared processes are let go after their pages; all others are the
 * business of their owners. */
void program_host_drain(struct program_host *host);
bool program_host_draining(const struct program_host *host);
bool program_host_empty(const struct program_host *host);
/* Kills what is still there. The loop must go on running until the processes are reaped. */
void program_host_stop(struct program_host *host);

/* ---- pool.c: for the process that takes over ---- */

struct pack;
/* Shared processes; all others are the business of their owners. */
void program_host_pack(const struct program_host *host, struct pack *p);
void program_host_unpack(struct program_host *host, struct slice in);
/* Once their pages are there. */
void program_host_go_on(struct program_host *host);

#endif
