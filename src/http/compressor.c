/* SPDX-License-Identifier: MIT */
#include "http/compressor.h"

#include "base/list.h"
#include "base/log.h"
#include "http/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS  1024
#define GRAIN_S  2 /* of the coarsest clock of a file system */
#define RESTS    3 /* times as long as it has worked */
#define NICENESS 10
#define WORTH    8 /* a copy is kept if it is smaller by this part */
#define RETRY_NS 10000000000u

struct key {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
    enum encoding encoding;
};

enum copy_state {
    WAITS,  /* in `waiting`; has a descriptor */
    MADE,   /* now, by the thread */
    READY,  /* in `used` */
    USELESS /* in `used`: no smaller */
};

struct compressed {
    struct list bucket, node;
    struct key key;
    enum copy_state state;
    int fd;
    unsigned readers;
    size_t len;
    char *bytes;
};

struct compressor {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    uint64_t failed_ns; /* when a thread could not be had; 0: never */
    atomic_bool stop;
    struct memory *memory;
    size_t bytes_max;
    struct compressor_counts counts;
    unsigned waiting_count;
    struct list waiting, used; /* `used`: what was asked for longest ago first */
    struct list buckets[BUCKETS];
};

/* ---- the table; with the lock ---- */

static struct key key_of(const struct stat *stat, enum encoding encoding)
{
    return (struct key){.device = stat->st_dev,
                        .inode = stat->st_ino,
                        .size = stat->st_size,
                        .modified = stat->st_mtim,
                        .changed = stat->st_ctim,
                        .encoding = encoding};
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_key(const struct key *a, const struct key *b)
{
    return a->inode == b->inode && a->device == b->device && a->size == b->size &&
           a->encoding == b->encoding && is_time(&a->modified, &b->modified) &&
           is_time(&a->changed, &b->changed);
}

static struct list *bucket_of(struct compressor *c, const struct key *key)
{
    return &c->buckets[(key->inode * 2654435761u + key->encoding) % BUCKETS];
}

static struct compressed *find(struct compressor *c, const struct key *key)
{
    struct list *bucket = bucket_of(c, key);
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct compressed *copy = container_of(node, struct compressed, bucket);
        if (is_key(&copy->key, key))
            return copy;
    }
    return NULL;
}

static size_t size_of(const struct compressed *copy)
{
    return sizeof(*copy) + copy->len;
}

static void forget(struct compressor *c, struct compressed *copy)
{
    if (copy->state == READY || copy->state == USELESS)
        c->counts.bytes -= size_of(copy);
    if (copy->state == WAITS)
        c->waiting_count--;
    list_remove(&copy->bucket);
    list_remove(&copy->node);
    if (copy->fd >= 0)
        close(copy->fd);
    free(copy->bytes);
    free(copy);
}

/* Until there is room for so much more; false: there can't be, since the rest is being sent. */
static bool make_room(struct compressor *c, size_t bytes)
{
    for (struct list *next, *node = c->used.next;
         node != &c->used && c->counts.bytes + bytes > c->bytes_max; node = next) {
        struct compressed *copy = container_of(node, struct compressed, node);
        next = node->next;
        if (copy->readers == 0) {
            c->counts.forgotten++;
            forget(c, copy);
        }
    }
    return c->counts.bytes + bytes <= c->bytes_max;
}

static void touch(struct compressor *c, struct compressed *copy)
{
    list_remove(&copy->node);
    list_append(&c->used, &copy->node);
}

/* ---- one copy, by the thread; without the lock ---- */

static bool read_all(int fd, char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(fd, bytes + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* What was read is one state of the file if nothing has changed since. */
static bool is_still(int fd, const struct key *key)
{
    struct stat stat;
    struct key now;
    if (fstat(fd, &stat) != 0)
        return false;
    now = key_of(&stat, key->encoding);
    return is_key(&now, key);
}

/* -E2BIG: it is not worth it; any other error: next time perhaps. */
static int make(struct compressor *c, struct compressed *copy)
{
    size_t size = (size_t)copy->key.size, room = size - size / WORTH;
    char *plain = malloc(size), *out = malloc(room);
    int error = plain && out ? 0 : -ENOMEM;
    if (!error && (!read_all(copy->fd, plain, size) || !is_still(copy->fd, &copy->key)))
        error = -ESTALE;
    if (!error)
        error = compress_bytes(copy->key.encoding, slice_make(plain, size), out, &room, &c->stop);
    free(plain);
    if (error) {
        free(out);
        return error;
    }
    char *fitting = realloc(out, room);
    copy->bytes = fitting ? fitting : out;
    copy->len = room;
    return 0;
}

/* ---- the thread ---- */

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* With the lock, which it gives up meanwhile. */
static void rest(struct compressor *c, uint64_t ns)
{
    uint64_t end = now_ns(CLOCK_MONOTONIC) + ns;
    struct timespec until = {(time_t)(end / 1000000000), (long)(end % 1000000000)};
    while (!c->stop &&
           pthread_cond_clockwait(&c->wake, &c->mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
        ;
}

static void settle(struct compressor *c, struct compressed *copy, int error)
{
    close(copy->fd);
    copy->fd = -1;
    copy->state = error ? USELESS : READY;
    if ((error && error != -E2BIG) || !make_room(c, size_of(copy))) {
        copy->state = MADE;
        forget(c, copy);
        return;
    }
    c->counts.bytes += size_of(copy);
    c->counts.made += !error;
    touch(c, copy);
}

static void work(struct compressor *c)
{
    struct compressed *copy = container_of(c->waiting.next, struct compressed, node);
    list_remove(&copy->node);
    list_init(&copy->node);
    copy->state = MADE;
    c->waiting_count--;
    pthread_mutex_unlock(&c->mutex);
    uint64_t begun = now_ns(CLOCK_THREAD_CPUTIME_ID);
    int error = make(c, copy);
    uint64_t cost = now_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
    pthread_mutex_lock(&c->mutex);
    settle(c, copy, error);
    rest(c, RESTS * cost);
}

static void *run(void *arg)
{
    struct compressor *c = arg;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS); /* of this thread */
    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        if (list_empty(&c->waiting))
            pthread_cond_wait(&c->wake, &c->mutex);
        else
            work(c);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

static int create(struct compressor *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Begun when there is something to do: a server of pages alone never has it. */
static bool start(struct compressor *c)
{
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (c->has_thread || (c->failed_ns && now - c->failed_ns < RETRY_NS))
        return c->has_thread;
    int error = create(c);
    if (error)
        log_warn("site.not_compressed", log_errno("error", -error),
                 log_text("why", "there is no thread to do it: files are sent as they are"));
    c->has_thread = error == 0;
    c->failed_ns = now;
    return c->has_thread;
}

/* ---- asking ---- */

static bool may_change_unseen(const struct stat *stat)
{
    return stat->st_ctim.tv_sec + GRAIN_S >= time(NULL);
}

static bool may_begin(struct compressor *c, const struct stat *stat)
{
    return c->waiting_count < COMPRESSOR_WAITING && !may_change_unseen(stat) &&
           (!c->memory || !memory_is_short(c->memory));
}

static void add(struct compressor *c, const struct key *key, int fd)
{
    struct compressed *copy = log_needed(calloc(1, sizeof(*copy)));
    if (!copy)
        return;
    copy->key = *key;
    copy->state = WAITS;
    copy->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy->fd < 0) {
        free(copy);
        return;
    }
    list_append(bucket_of(c, key), &copy->bucket);
    list_append(&c->waiting, &copy->node);
    c->waiting_count++;
    pthread_cond_signal(&c->wake);
}

bool compressor_takes(const struct compressor *c, const struct stat *stat)
{
    return c && __atomic_load_n(&c->bytes_max, __ATOMIC_RELAXED) > 0 &&
           stat->st_size >= COMPRESSOR_MIN && stat->st_size <= COMPRESSOR_MAX;
}

void compressor_ask(struct compressor *c, const struct stat *stat, enum encoding encoding, int fd)
{
    struct key key = key_of(stat, encoding);
    pthread_mutex_lock(&c->mutex);
    if (may_begin(c, stat) && !find(c, &key) && start(c))
        add(c, &key, fd);
    pthread_mutex_unlock(&c->mutex);
}

struct compressed *compressor_find(struct compressor *c, const struct stat *stat,
                                   enum encoding encoding, bool *ret_unknown)
{
    struct key key = key_of(stat, encoding);
    pthread_mutex_lock(&c->mutex);
    struct compressed *copy = find(c, &key);
    if (copy && (copy->state == READY || copy->state == USELESS))
        touch(c, copy);
    *ret_unknown = !copy && may_begin(c, stat);
    bool ready = copy && copy->state == READY;
    if (ready)
        copy->readers++;
    pthread_mutex_unlock(&c->mutex);
    return ready ? copy : NULL;
}

struct slice compressed_bytes(const struct compressed *copy)
{
    return slice_make(copy->bytes, copy->len);
}

void compressor_give_back(struct compressor *c, struct compressed *copy)
{
    pthread_mutex_lock(&c->mutex);
    copy->readers--;
    if (c->counts.bytes > c->bytes_max)
        make_room(c, 0);
    pthread_mutex_unlock(&c->mutex);
}

struct compressor_counts compressor_count(struct compressor *c)
{
    pthread_mutex_lock(&c->mutex);
    struct compressor_counts counts = c->counts;
    pthread_mutex_unlock(&c->mutex);
    return counts;
}

/* ---- made and freed ---- */

struct compressor *compressor_new(size_t bytes_max, struct memory *memory)
{
    struct compressor *c = log_needed(calloc(1, sizeof(*c)));
    if (!c)
        return NULL;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    c->memory = memory;
    c->bytes_max = bytes_max;
    list_init(&c->waiting);
    list_init(&c->used);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&c->buckets[i]);
    return c;
}

void compressor_limit(struct compressor *c, size_t bytes_max)
{
    pthread_mutex_lock(&c->mutex);
    __atomic_store_n(&c->bytes_max, bytes_max, __ATOMIC_RELAXED);
    make_room(c, 0);
    pthread_mutex_unlock(&c->mutex);
}

static void stop(struct compressor *c)
{
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    if (c->has_thread)
        pthread_join(c->thread, NULL);
}

void compressor_free(struct compressor *c)
{
    if (!c)
        return;
    stop(c);
    while (!list_empty(&c->waiting))
        forget(c, container_of(c->waiting.next, struct compressed, node));
    while (!list_empty(&c->used))
        forget(c, container_of(c->used.next, struct compressed, node));
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->wake);
    free(c);
}
