/* SPDX-License-Identifier: MIT */
#include "dev/files.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A file that appears without its run bit gets it by IN_ATTRIB. */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR)

struct dev_folder {
    struct list node;
    int wd; /* -1: gone */
    uint32_t users;
};

struct dev_files {
    struct loop *loop; /* borrowed */
    int fd;
    struct watch watch;
    struct timer settle;
    struct list folders, files;
    uint32_t folder_count;
};

/* ---- what a change means ---- */

static const char *extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

static bool is_asset(const char *name)
{
    static const char *const known[] = {"html", "htm", "css", "js", "mjs", "svg", "wasm"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(extension(name), known[i]))
            return true;
    return false;
}

enum dev_change dev_change_of(const char *own, const char *changed, bool run)
{
    if (!strcmp(own, changed))
        return DEV_CODE;
    size_t len = strlen(changed);
    if (changed[0] == '.' || len == 0 || changed[len - 1] == '~')
        return DEV_NONE;
    if (is_asset(changed))
        return DEV_ASSETS;
    bool same = *extension(own) && !strcmp(extension(own), extension(changed));
    return same && !run ? DEV_CODE : DEV_NONE;
}

/* ---- telling ---- */

static bool ready(const struct dev_file *file)
{
    return file->pending == DEV_ASSETS || access(file->path, X_OK) == 0;
}

/* A program that is not there, or can't be run yet, waits for the next event. */
static void on_settled(struct timer *timer)
{
    struct dev_files *files = container_of(timer, struct dev_files, settle);
    struct list all;
    struct list *node;
    list_init(&all);
    list_splice(&all, &files->files);
    while ((node = list_pop(&all)) != NULL) {
        struct dev_file *file = container_of(node, struct dev_file, node);
        list_append(&files->files, &file->node);
        enum dev_change change = file->pending;
        if (change == DEV_NONE || !ready(file))
            continue;
        file->pending = DEV_NONE;
        file->on_change(file, change);
    }
}

static bool can_run(const struct dev_file *beside, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%.*s%s", (int)(beside->name - beside->path),
                       beside->path, name);
    return len > 0 && (size_t)len < sizeof(path) && access(path, X_OK) == 0;
}

static void note(struct dev_file *file, const struct inotify_event *event)
{
    if (event->mask & IN_ATTRIB) /* no change by itself, but what one may have waited for */
        return;
    enum dev_change change = dev_change_of(file->name, event->name, can_run(file, event->name));
    if (change <= file->pending)
        return;
    file->pending = change;
    snprintf(file->changed, sizeof(file->changed), "%s", event->name);
}

static void take(struct dev_files *files, const struct inotify_event *event)
{
    bool pending = false;
    if (event->mask & IN_Q_OVERFLOW)
        log_warn("dev.changes_lost", log_text("why", "too many at once"));
    for (struct list *n = files->files.next; n != &files->files; n = n->next) {
        struct dev_file *file = container_of(n, struct dev_file, node);
        if (file->folder->wd != event->wd)
            continue;
        if (event->mask & IN_IGNORED)
            file->folder->wd = -1;
        else if (event->len > 0)
            note(file, event);
        pending |= file->pending != DEV_NONE;
    }
    if (pending && !timer_active(&files->settle))
        timer_start(files->loop, &files->settle, DEV_SETTLE_MS);
}

static void on_ready(struct watch *watch, unsigned events)
{
    (void)events;
    struct dev_files *files = container_of(watch, struct dev_files, watch);
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t len = read(files->fd, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
        take(files, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

/* ---- watching ---- */

static struct dev_folder *find_folder(struct dev_files *files, int wd)
{
    for (struct list *n = files->folders.next; n != &files->folders; n = n->next) {
        struct dev_folder *folder = container_of(n, struct dev_folder, node);
        if (folder->wd == wd)
            return folder;
    }
    return NULL;
}

/* Asking twice for one folder gives the same number. NULL and errno. */
static struct dev_folder *use_folder(struct dev_files *files, const char *path)
{
    int wd = inotify_add_watch(files->fd, path, EVENTS);
    if (wd < 0)
        return NULL;
    struct dev_folder *folder = find_folder(files, wd);
    errno = ENOSPC;
    if (!folder && files->folder_count < DEV_FOLDERS_MAX) {
        folder = calloc(1, sizeof(*folder));
        if (folder) {
            folder->wd = wd;
            files->folder_count++;
            list_append(&files->folders, &folder->node);
        }
    }
    if (folder)
        folder->users++;
    else
        inotify_rm_watch(files->fd, wd);
    return folder;
}

static void leave_folder(struct dev_files *files, struct dev_folder *folder)
{
    if (--folder->users > 0)
        return;
    if (folder->wd >= 0)
        inotify_rm_watch(files->fd, folder->wd);
    files->folder_count--;
    list_remove(&folder->node);
    free(folder);
}

static int watch(struct dev_files *files, struct dev_file *file)
{
    char folder[PATH_MAX];
    if (!file->path)
        return -errno;
    file->name = strrchr(file->path, '/') + 1;
    snprintf(folder, sizeof(folder), "%.*s", (int)(file->name - file->path), file->path);
    file->folder = use_folder(files, folder);
    if (!file->folder)
        return -errno;
    file->files = files;
    list_append(&files->files, &file->node);
    return 0;
}

void dev_file_watch(struct dev_files *files, struct dev_file *file, const char *path,
                    void (*on_change)(struct dev_file *, enum dev_change))
{
    *file = (struct dev_file){.on_change = on_change};
    if (!files)
        return;
    file->path = realpath(path, NULL);
    int error = watch(files, file);
    if (error)
        log_warn("dev.not_watched", log_slice("program", slice_of(path)),
                 log_errno("error", error));
}

void dev_file_unwatch(struct dev_file *file)
{
    if (file->files) {
        list_remove(&file->node);
        leave_folder(file->files, file->folder);
    }
    free(file->path);
    *file = (struct dev_file){0};
}

struct dev_files *dev_files_new(struct loop *loop)
{
    struct dev_files *files = calloc(1, sizeof(*files));
    int fd = files ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
    if (fd >= 0) {
        *files = (struct dev_files){.loop = loop, .fd = fd};
        watch_init(&files->watch, on_ready);
        timer_init(&files->settle, on_settled);
        list_init(&files->folders);
        list_init(&files->files);
        if (watch_start(loop, &files->watch, fd, WATCH_READ) == 0)
            return files;
        close(fd);
    }
    log_warn("dev.not_watched", log_errno("error", -errno));
    free(files);
    return NULL;
}

void dev_files_free(struct dev_files *files)
{
    if (!files)
        return;
    watch_stop(&files->watch);
    timer_stop(&files->settle);
    close(files->fd);
    free(files);
}
