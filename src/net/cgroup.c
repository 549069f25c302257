/* SPDX-License-Identifier: MIT */
#include "net/cgroup.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME      "httpsocketd"
#define OURSELVES "0" /* numbers of children begin with 1 */

#define KEPT_SHARE 64 /* of the limit of descriptors */
#define KEPT_MAX   8  /* as many pages as are often made at once */

struct cgroup {
    int fd;
    char path[PATH_MAX];
    pthread_mutex_t lock; /* of the rest */
    unsigned spare_count;
    struct cgroup_child spares[CGROUP_SPARES_MAX]; /* those that nobody is in */
    unsigned kept_count, kept_max; /* of those whose descriptors stay open, spares among them */
};

/* ---- where we are ---- */

/* The line `0::PATH` of /proc/self/cgroup. */
static bool read_own(char path[PATH_MAX])
{
    char line[PATH_MAX];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0 && strlen(line) - 3 < PATH_MAX;
        if (found)
            strcpy(path, line + 3);
    }
    if (file)
        fclose(file);
    return found;
}

/* A line of /proc/self/mountinfo: ID PARENT DEVICE ROOT POINT OPTIONS ... - TYPE ...; of the root
 * of the hierarchy as we see it. */
static bool is_mount(char *line, char point[PATH_MAX])
{
    char root[PATH_MAX], type[32];
    const char *dash = strstr(line, " - ");
    return dash && sscanf(dash, " - %31s", type) == 1 && strcmp(type, "cgroup2") == 0 &&
           sscanf(line, "%*d %*d %*s %4095s %4095s", root, point) == 2 && strcmp(root, "/") == 0;
}

static bool find_mount(char point[PATH_MAX])
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && !found && getline(&line, &size, file) > 0)
        found = is_mount(line, point);
    free(line);
    if (file)
        fclose(file);
    return found;
}

static bool name_folder(char ret[PATH_MAX])
{
    char point[PATH_MAX], own[PATH_MAX];
    return find_mount(point) && read_own(own) &&
           snprintf(ret, PATH_MAX, "%s%s", point, strcmp(own, "/") ? own : "") < PATH_MAX;
}

static bool name_path(pid_t server, char ret[PATH_MAX])
{
    char folder[PATH_MAX];
    uint32_t random;
    return name_folder(folder) && getrandom(&random, sizeof(random), 0) == sizeof(random) &&
           snprintf(ret, PATH_MAX, "%s/" NAME ".%d.%08x", folder, server, random) < PATH_MAX;
}

/* Two descriptors each, of a limit that is the connections'. */
static unsigned count_kept_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    return limit.rlim_cur / KEPT_SHARE < KEPT_MAX ? (unsigned)(limit.rlim_cur / KEPT_SHARE)
                                                  : KEPT_MAX;
}

static struct cgroup *make(void)
{
    struct cgroup *c = log_needed(calloc(1, sizeof(*c)));
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->kept_max = count_kept_max();
    return c;
}

struct cgroup *cgroup_open(pid_t server)
{
    struct cgroup *c = make();
    errno = ENOENT;
    if (!c || !name_path(server, c->path) || mkdir(c->path, 0755) < 0) {
        free(c);
        return NULL;
    }
    c->fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->fd >= 0 && faccessat(c->fd, "cgroup.kill", W_OK, AT_EACCESS) == 0)
        return c;
    int error = errno;
    if (c->fd >= 0)
        close(c->fd);
    rmdir(c->path);
    free(c);
    errno = error;
    return NULL;
}

bool cgroup_give(struct cgroup *cgroup, uid_t user, gid_t group)
{
    if (mkdirat(cgroup->fd, OURSELVES, 0755) < 0)
        return false;
    int fd = openat(cgroup->fd, OURSELVES "/cgroup.procs", O_WRONLY | O_CLOEXEC);
    bool moved = fd >= 0 && write(fd, "0", 1) == 1;
    if (fd >= 0)
        close(fd);
    return moved && fchown(cgroup->fd, user, group) == 0 &&
           fchownat(cgroup->fd, "cgroup.procs", user, group, 0) == 0 &&
           fchownat(cgroup->fd, OURSELVES "/cgroup.procs", user, group, 0) == 0;
}

const char *cgroup_path(const struct cgroup *cgroup)
{
    return cgroup->path;
}

struct cgroup *cgroup_of(const char *path)
{
    struct cgroup *c = strlen(path) < PATH_MAX ? make() : NULL;
    if (!c)
        return NULL;
    c->fd = -1;
    strcpy(c->path, path);
    return c;
}

void cgroup_reopen(struct cgroup *cgroup)
{
    cgroup->fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- of the children ---- */

static bool write_one(const struct cgroup *c, const char *file)
{
    int fd = openat(c->fd, file, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, "1", 1) == 1;
    if (fd >= 0)
        close(fd);
    return written;
}

static void name_child(uint64_t number, const char *file, char ret[64])
{
    snprintf(ret, 64, "%" PRIu64 "%s", number, file);
}

static bool take_spare(struct cgroup *c, struct cgroup_child *ret)
{
    pthread_mutex_lock(&c->lock);
    bool found = c->spare_count > 0;
    if (found)
        *ret = c->spares[--c->spare_count];
    pthread_mutex_unlock(&c->lock);
    return found;
}

static bool keep_spare(struct cgroup *c, const struct cgroup_child *child)
{
    pthread_mutex_lock(&c->lock);
    bool kept = c->spare_count < CGROUP_SPARES_MAX;
    if (kept)
        c->spares[c->spare_count++] = *child;
    pthread_mutex_unlock(&c->lock);
    return kept;
}

static bool may_keep_open(struct cgroup *c)
{
    pthread_mutex_lock(&c->lock);
    bool may = c->kept_count < c->kept_max;
    c->kept_count += may;
    pthread_mutex_unlock(&c->lock);
    return may;
}

/* With the lock. */
static void close_files(struct cgroup *c, struct cgroup_child *child)
{
    if (child->folder >= 0)
        close(child->folder);
    if (child->events >= 0)
        close(child->events);
    child->folder = child->events = -1;
    c->kept_count -= child->kept;
    child->kept = false;
}

static void close_now(struct cgroup *c, struct cgroup_child *child)
{
    pthread_mutex_lock(&c->lock);
    close_files(c, child);
    pthread_mutex_unlock(&c->lock);
}

int cgroup_make(struct cgroup *cgroup, uint64_t number, struct cgroup_child *ret)
{
    char name[64];
    struct cgroup_child child = {.number = number, .folder = -1, .events = -1};
    bool spare = take_spare(cgroup, &child);
    name_child(child.number, "", name);
    if (!spare && mkdirat(cgroup->fd, name, 0755) < 0)
        return -errno;
    if (child.folder < 0)
        child.folder = openat(cgroup->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = -errno;
    if (child.folder >= 0) {
        *ret = child;
        return 0;
    }
    cgroup_leave(cgroup, &child, false);
    return error;
}

void cgroup_entered(struct cgroup *cgroup, struct cgroup_child *child)
{
    if (child->kept)
        return;
    child->kept = may_keep_open(cgroup);
    if (!child->kept)
        close_now(cgroup, child);
    else
        child->events = openat(child->folder, "cgroup.events", O_RDONLY | O_CLOEXEC);
}

void cgroup_leave(struct cgroup *cgroup, struct cgroup_child *child, bool empty)
{
    char name[64];
    if (empty && keep_spare(cgroup, child))
        return;
    close_now(cgroup, child);
    name_child(child->number, "", name);
    unlinkat(cgroup->fd, name, AT_REMOVEDIR);
}

void cgroup_rest(struct cgroup *cgroup)
{
    pthread_mutex_lock(&cgroup->lock);
    for (unsigned i = 0; i < cgroup->spare_count; i++)
        close_files(cgroup, &cgroup->spares[i]);
    pthread_mutex_unlock(&cgroup->lock);
}

bool cgroup_kill(struct cgroup *cgroup, const struct cgroup_child *child)
{
    char name[64];
    name_child(child->number, "/cgroup.kill", name);
    return write_one(cgroup, name);
}

void cgroup_kill_all(struct cgroup *cgroup)
{
    write_one(cgroup, "cgroup.kill");
}

static ssize_t read_events(const struct cgroup *c, const struct cgroup_child *child, char *ret,
                           size_t size)
{
    char name[64];
    if (child->events >= 0)
        return pread(child->events, ret, size, 0);
    name_child(child->number, "/cgroup.events", name);
    int fd = openat(c->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, ret, size);
    close(fd);
    return n;
}

enum cgroup_state cgroup_look(const struct cgroup *cgroup, const struct cgroup_child *child)
{
    char text[256] = "";
    ssize_t n = read_events(cgroup, child, text, sizeof(text) - 1);
    if (n > 0 && strstr(text, "populated 1"))
        return CGROUP_POPULATED;
    return n > 0 && strstr(text, "populated 0") && strstr(text, "frozen 0") ? CGROUP_EMPTY
                                                                            : CGROUP_UNFIT;
}

/* All of these folders in this one whose name begins so, and what is in them; those that are not
 * empty stay. */
static void remove_folders(int parent, const char *prefix, bool deep)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* fdopendir takes it */
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        int inner = deep ? openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (inner >= 0) {
            remove_folders(inner, "", false);
            close(inner);
        }
        unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    if (folder)
        closedir(folder);
}

void cgroup_sweep(pid_t server)
{
    char path[PATH_MAX], prefix[64];
    int fd = name_folder(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    snprintf(prefix, sizeof(prefix), NAME ".%d.", server);
    remove_folders(fd, prefix, true);
    close(fd);
}

void cgroup_tidy(struct cgroup *cgroup)
{
    remove_folders(cgroup->fd, "", false);
}

void cgroup_close(struct cgroup *cgroup)
{
    if (!cgroup)
        return;
    cgroup_rest(cgroup);
    cgroup_tidy(cgroup);
    close(cgroup->fd);
    rmdir(cgroup->path);
    pthread_mutex_destroy(&cgroup->lock);
    free(cgroup);
}
