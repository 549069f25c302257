/* SPDX-License-Identifier: MIT */
/* parts.h - what the files of this room share, from the bottom up: files.c, delay.c, console.c,
 * fault.c, failure.c, wait.c, dev.c.
 */
#ifndef DEV_PARTS_H
#define DEV_PARTS_H

#include "dev/dev.h"
#include "dev/files.h"

struct console;

struct dev {
    struct page_watcher page_watcher;
    struct program_watcher program_watcher;
    struct loop *loop; /* borrowed, as the next three */
    struct hub *hub;
    struct page_host *pages;
    struct program_host *programs;
    struct dev_files *files; /* NULL: nothing can be watched */
    struct console *console; /* NULL without memory */
    struct list waits;       /* wait.c */
    uint32_t wait_count;
    bool draining;
};

enum {
    DEV_LINES = 100,
    DEV_LINE_MAX = 240, /* bytes */
    DEV_REASON_MAX = 128,
    DEV_VERSION_MAX = 24
};

/* All that is known of one page. */
struct dev_page {
    struct dev_file file;
    struct page *page;
    char version[DEV_VERSION_MAX]; /* of the program's file when it was started */
    bool reload;                   /* has not been told yet */
    bool stale;                    /* the program is not what its file says */
    char changed[NAME_MAX + 1];
    char failed[DEV_REASON_MAX]; /* empty: it has not, or it was told */
    uint64_t lines, told;        /* so many in all, and so many of them told or given up */
    struct timer tell_timer;     /* once for all lines of one turn */
    size_t lens[DEV_LINES];
    char texts[DEV_LINES][DEV_LINE_MAX];
    uint32_t latency_ms;   /* on purpose: fault.c */
    uint64_t cut_until_ms; /* no connection before */
};

static inline struct dev_page *dev_page_of(struct page *p)
{
    return *page_watched(p);
}
static inline struct slice dev_line_at(const struct dev_page *d, uint64_t number)
{
    return slice_make(d->texts[number % DEV_LINES], d->lens[number % DEV_LINES]);
}
static inline uint64_t dev_first_line(const struct dev_page *d)
{
    return d->lines > DEV_LINES ? d->lines - DEV_LINES : 0;
}

/* ---- failure.c: the server's answer in place of the program's ---- */

/* Shows the stderr. Takes the exchange. `d` NULL: without memory for it. */
void dev_answer_failure(struct page *p, const struct dev_page *d, struct exchange *x, int status,
                        const char *why, struct slice end);

/* ---- wait.c: a failed page waits for a change ---- */

/* Of the program's file. */
struct slice dev_version(const char *file, char out[DEV_VERSION_MAX]);
void dev_waits_drop(struct dev *dev);

#endif
