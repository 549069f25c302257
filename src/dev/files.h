/* SPDX-License-Identifier: MIT */
/* files.h - files on disk whose change concerns somebody, by inotify: only in dev mode.
 *
 * A folder is watched, not a file, since editors put a new file in the place of the old one. Some
 * events come for one saving: each watcher is told once, DEV_SETTLE_MS after the first.
 *
 * Lifetime  The caller embeds struct dev_file, from dev_file_watch() to dev_file_unwatch().
 * Bounds    DEV_FOLDERS_MAX folders a worker; what can't be watched is in the log.
 * Threads   Loop thread only.
 * Cost      Each change: one look at every watched file of the worker.
 */
#ifndef DEV_FILES_H
#define DEV_FILES_H

#include "core/loop.h"

#include <limits.h>

enum {
    DEV_SETTLE_MS = 50,
    DEV_FOLDERS_MAX = 256
};

enum dev_change {
    DEV_NONE,
    DEV_ASSETS, /* what the page may have loaded: .html .htm .css .js .mjs .svg .wasm */
    DEV_CODE    /* the program's file, or a source beside it */
};

/* What it means for the program `own` that the file `changed` in its folder has changed: a file
 * with the extension of the program is a source of it, unless it can be `run` by itself. Hidden
 * files and backups mean nothing. */
enum dev_change dev_change_of(const char *own, const char *changed, bool run);

struct dev_files;
struct dev_folder;

struct dev_file {
    struct list node;
    struct dev_files *files; /* borrowed; NULL: not watched */
    struct dev_folder *folder;
    char *path;       /* owned, without symbolic links */
    const char *name; /* its last part */
    enum dev_change pending;
    char changed[NAME_MAX + 1]; /* the file that has, while pending */
    /* May unwatch this one, and free it. After DEV_CODE the file is there and can be run. */
    void (*on_change)(struct dev_file *file, enum dev_change change);
};

/* NULL, and a line in the log, if the system lets us watch nothing. */
struct dev_files *dev_files_new(struct loop *loop);
/* Nobody is watching any more. Accepts NULL. */
void dev_files_free(struct dev_files *files);

/* Whether it works is in the log. `files` may be NULL: then nothing happens, ever. */
void dev_file_watch(struct dev_files *files, struct dev_file *file, const char *path,
                    void (*on_change)(struct dev_file *, enum dev_change));
/* Also when it is not watched. */
void dev_file_unwatch(struct dev_file *file);

#endif
