/* SPDX-License-Identifier: MIT */
#include "net/process_tree.h"

#include "base/log.h"
#include "net/process_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_ROUNDS   100
#define END_ROUND_US 10000
#define LOOK_US      20000 /* in one call, for processes that fork as fast as they are looked at */

/* A process that was found as a child of `parent`. */
struct descendant {
    pid_t pid, parent;
};

struct walk {
    const struct process_tree *tree;
    pid_t self;
    int signal;
    size_t count, alive;
    uint64_t ended; /* the sum of the numbers that were listed and had ended when looked at */
    struct descendant found[PROCESS_TREE_MAX];
};

/* ---- one process ---- */

struct process_stat {
    char state;
    pid_t parent, group, session;
    unsigned flags;
    long threads;
};

/* proc(5): behind the name, which may have brackets and spaces in it. */
static bool read_stat_file(const char *path, struct process_stat *ret)
{
    char text[512];
    const char *rest = process_read_file(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    return rest &&
           sscanf(rest + 1, " %c %d %d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
                  &ret->state, &ret->parent, &ret->group, &ret->session, &ret->flags,
                  &ret->threads) == 6;
}

static bool read_stat(pid_t pid, struct process_stat *ret)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    return read_stat_file(path, ret);
}

/* The first thread may end before the others. */
static bool has_ended(const struct process_stat *stat)
{
    return (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
}

/* ---- on its way out ---- */

#define FLAG_EXITING 4 /* PF_EXITING of the kernel: set before its descriptors are closed */

static bool has_running_thread(pid_t pid)
{
    char path[64];
    struct process_stat stat;
    bool runs = false;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks && !runs && (entry = readdir(tasks));) {
        snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, atoi(entry->d_name));
        runs = read_stat_file(path, &stat) && !(stat.flags & FLAG_EXITING);
    }
    if (tasks)
        closedir(tasks);
    return runs;
}

bool process_is_exiting(pid_t pid)
{
    struct process_stat stat;
    return read_stat(pid, &stat) && stat.flags & FLAG_EXITING &&
           (stat.threads <= 1 || !has_running_thread(pid));
}

/* ---- children that somebody waits for ---- */

static struct {
    pthread_mutex_t lock;
    pid_t *pids; /* owned; rising */
    size_t count, room;
} spared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The index of the first one from `child` on. */
static size_t find_spared(pid_t child)
{
    size_t low = 0, high = spared.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spared.pids[middle] < child)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_spared(pid_t child)
{
    size_t at = find_spared(child);
    return at < spared.count && spared.pids[at] == child;
}

static bool make_room_for_spared(void)
{
    if (spared.count < spared.room)
        return true;
    size_t room = spared.room ? spared.room * 2 : 64;
    pid_t *pids = log_needed(realloc(spared.pids, room * sizeof(*pids)));
    if (!pids)
        return false;
    spared.pids = pids;
    spared.room = room;
    return true;
}

void process_tree_spare(pid_t child)
{
    pthread_mutex_lock(&spared.lock);
    if (!is_spared(child) && make_room_for_spared()) {
        size_t at = find_spared(child);
        memmove(spared.pids + at + 1, spared.pids + at, (spared.count - at) * sizeof(pid_t));
        spared.pids[at] = child;
        spared.count++;
    }
    pthread_mutex_unlock(&spared.lock);
}

void process_tree_forget(pid_t child)
{
    pthread_mutex_lock(&spared.lock);
    if (is_spared(child)) {
        size_t at = find_spared(child);
        spared.count--;
        memmove(spared.pids + at, spared.pids + at + 1, (spared.count - at) * sizeof(pid_t));
    }
    pthread_mutex_unlock(&spared.lock);
}

/* Those are other programs: with thousands of them each look would be a look at all. */
static bool is_another_program(pid_t child)
{
    pthread_mutex_lock(&spared.lock);
    bool spares = is_spared(child);
    pthread_mutex_unlock(&spared.lock);
    return spares;
}

/* ---- its children ---- */

static void add(struct walk *w, pid_t pid, pid_t parent)
{
    if (parent == w->self && is_another_program(pid))
        return;
    if (w->count < PROCESS_TREE_MAX)
        w->found[w->count++] = (struct descendant){pid, parent};
}

/* Of text whose numbers are each followed by a space; *number is the one that goes on. */
static void add_numbers(struct walk *w, pid_t parent, const char *text, ssize_t len, pid_t *number)
{
    for (ssize_t i = 0; i < len; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            *number = *number * 10 + (text[i] - '0');
        } else if (*number > 0) {
            add(w, *number, parent);
            *number = 0;
        }
    }
}

static int open_children(pid_t pid, pid_t thread)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, thread);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void read_children(struct walk *w, pid_t pid, int fd)
{
    char text[4096];
    pid_t number = 0;
    off_t at = 0;
    for (ssize_t n; w->count < PROCESS_TREE_MAX && (n = pread(fd, text, sizeof(text), at)) > 0;
         at += n)
        add_numbers(w, pid, text, n, &number);
}

/* Children belong to the thread that has started them. */
static void add_children_of_thread(struct walk *w, pid_t pid, pid_t thread)
{
    int fd = open_children(pid, thread);
    if (fd < 0)
        return;
    read_children(w, pid, fd);
    close(fd);
}

/* The list of our orphans is read whenever a child has ended: once they are adopted it is open. */
static struct {
    pid_t pid; /* whose list it is */
    int fd;
} orphans = {.fd = -1};

static void add_orphans(struct walk *w)
{
    if (orphans.pid == w->self && orphans.fd >= 0)
        read_children(w, w->self, orphans.fd);
    else
        add_children_of_thread(w, w->self, w->self);
}

static void add_children(struct walk *w, pid_t pid, long threads)
{
    char path[32];
    if (threads == 1) {
        add_children_of_thread(w, pid, pid);
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return;
    for (struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.')
            add_children_of_thread(w, pid, (pid_t)atoi(entry->d_name));
    closedir(tasks);
}

/* ---- whose it is ---- */

enum whose {
    OURS,
    OTHERS,
    UNKNOWN /* it is about to end, and has no environment any more; its children are not ours yet */
};

static bool is_leaving(pid_t pid)
{
    struct process_stat stat;
    return !read_stat(pid, &stat) || stat.flags & FLAG_EXITING;
}

static enum whose whose(const struct process_tree *tree, pid_t orphan,
                        const struct process_stat *stat)
{
    if (!tree->mark)
        return OURS;
    switch (mark_look(orphan, tree->mark)) {
    case MARK_SAME:
        return OURS;
    case MARK_OTHER:
        return OTHERS;
    case MARK_NONE:
        break;
    }
    if (stat->session == tree->leader)
        return OURS;
    return is_leaving(orphan) ? UNKNOWN : OTHERS;
}

static bool keeps(struct walk *w, pid_t orphan)
{
    struct process_stat stat;
    if (orphan == w->tree->leader)
        return false;
    if (!read_stat(orphan, &stat) || has_ended(&stat)) {
        w->ended += (uint64_t)orphan;
        return false;
    }
    enum whose is = whose(w->tree, orphan, &stat);
    w->alive += is == UNKNOWN;
    return is == OURS;
}

/* What is in `found` by now are all our orphans: those of the tree stay. */
static void keep_own(struct walk *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++)
        if (keeps(w, w->found[i].pid))
            w->found[kept++] = w->found[i];
    w->count = kept;
}

/* ---- all of them ---- */

/* By descriptor: the number may be another process's by now. That one has another parent, or is
 * another child of the same, which belongs here as well; an orphan is looked at once more. */
static void visit(struct walk *w, const struct descendant *d)
{
    struct process_stat stat;
    int fd = pidfd_open(d->pid, 0);
    bool known =
        fd >= 0 && read_stat(d->pid, &stat) && !has_ended(&stat) && stat.parent == d->parent;
    enum whose is = known && d->parent == getpid() ? whose(w->tree, d->pid, &stat) : OURS;
    if (!known)
        w->ended += (uint64_t)d->pid;
    else
        w->alive += is != OTHERS;
    if (known && is == OURS) {
        add_children(w, d->pid, stat.threads);
        if (w->signal && stat.group != w->tree->leader)
            pidfd_send_signal(fd, w->signal, NULL, 0);
    }
    if (fd >= 0)
        close(fd);
}

static void walk_once(struct walk *w)
{
    struct process_stat stat;
    w->count = w->alive = 0;
    w->ended = 0;
    add_orphans(w);
    keep_own(w);
    if (!w->tree->leader_reaped && read_stat(w->tree->leader, &stat))
        add_children(w, w->tree->leader, stat.threads);
    for (size_t i = 0; i < w->count && (w->signal || w->alive == 0); i++) {
        struct descendant d = w->found[i];
        visit(w, &d);
    }
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Who ended between the list and the look may have forked in between, and the child is not in the
 * list: so it is looked again, until two looks meet the same ended ones. */
size_t process_tree_signal(const struct process_tree *tree, int signal)
{
    bool again = signal == 0 || signal == SIGKILL; /* the others are told once */
    uint64_t before = 0, until = now_us() + LOOK_US;
    struct walk w;
    w.tree = tree;
    w.self = getpid();
    w.signal = signal;
    do {
        walk_once(&w);
        if (!again || w.ended == before || (w.alive > 0 && !signal))
            return w.alive;
        before = w.ended;
    } while (now_us() < until);
    return w.alive ? w.alive : 1;
}

static bool kill_marked(pid_t pid)
{
    int fd = mark_is_ours(pid) ? pidfd_open(pid, 0) : -1;
    if (fd < 0)
        return false;
    bool ours = mark_is_ours(pid); /* still: the number is held now */
    if (ours)
        pidfd_send_signal(fd, SIGKILL, NULL, 0);
    close(fd);
    return ours;
}

size_t process_tree_kill_all(void)
{
    size_t killed = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && pid != getpid())
            killed += kill_marked(pid);
    }
    closedir(proc);
    return killed;
}

/* ---- orphans ---- */

int process_tree_adopt(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return -errno;
    orphans.pid = getpid();
    orphans.fd = open_children(orphans.pid, orphans.pid);
    return 0;
}

/* ---- reaped ---- */

static void reap_if_not_spared(pid_t child)
{
    if (!is_spared(child))
        waitpid(child, NULL, WNOHANG | __WNOTHREAD);
}

/* One that is spared stands before the others: all are looked at. */
static void reap_others(void)
{
    char path[64], text[4096];
    pid_t number = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (ssize_t n; (n = read(fd, text, sizeof(text))) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (text[i] - '0');
            } else if (number > 0) {
                reap_if_not_spared(number);
                number = 0;
            }
        }
    }
    close(fd);
}

/* The next one that has ended; it is not reaped yet. 0: there is none. */
static pid_t next_ended(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0 ? info.si_pid
                                                                                   : 0;
}

void process_tree_reap(void)
{
    pthread_mutex_lock(&spared.lock);
    pid_t pid;
    while ((pid = next_ended()) > 0 && !is_spared(pid))
        waitpid(pid, NULL, WNOHANG | __WNOTHREAD);
    if (pid > 0)
        reap_others();
    pthread_mutex_unlock(&spared.lock);
}

void process_tree_end(void)
{
    const struct process_tree all = {.leader_reaped = true};
    for (int round = 0; round < END_ROUNDS && process_tree_signal(&all, SIGKILL) > 0; round++) {
        usleep(END_ROUND_US);
        process_tree_reap();
    }
    process_tree_reap();
    if (orphans.fd >= 0)
        close(orphans.fd);
    orphans.fd = -1;
}
