/* SPDX-License-Identifier: MIT */
#include "base/log_sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S   1000000000L
#define STALLED_MS 1000
#define REST_MS    5  /* between two writes, while lines come one after the other: */
#define OFTEN_MS   20 /* less than this after another */

struct log_sink {
    pthread_mutex_t mutex;
    pthread_cond_t waiting; /* for the thread: there is something to do */
    pthread_cond_t ended;   /* for log_sink_close */
    pthread_t thread;
    struct log_sink_spec spec;
    int writing_fd; /* what the thread writes to at this moment; -1: nothing */
    bool retired;   /* that one is no longer the sink's: the thread closes it after the write */
    enum {
        SINK_BUSY,
        SINK_IDLE,   /* waits for a line */
        SINK_RESTING /* lets lines gather */
    } state;         /* of the thread; whoever wakes it makes it busy */
    bool often;      /* the last two writes were close together */
    bool closing, over, abandoned;
    uint64_t lost, lost_unsaid;
    uint64_t moved_ms; /* when the descriptor took lines last */
    size_t begin, len; /* of the lines in `ring` */
    char ring[];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the ring, under the mutex ---- */

static void ring_put_bytes(struct log_sink *s, struct slice line)
{
    size_t end = (s->begin + s->len) % s->spec.room;
    size_t first = s->spec.room - end < line.len ? s->spec.room - end : line.len;
    memcpy(s->ring + end, line.ptr, first);
    memcpy(s->ring, line.ptr + first, line.len - first);
    s->len += line.len;
}

static void ring_put(struct log_sink *s, struct slice line)
{
    bool cut = line.len > LOG_SINK_LINE_MAX;
    ring_put_bytes(s, cut ? slice_first(line, LOG_SINK_LINE_MAX - 1) : line);
    if (cut)
        ring_put_bytes(s, SLICE_LITERAL("\n"));
}

/* As many whole lines as fit; at least one, since no line is longer. */
static struct slice ring_take(struct log_sink *s, char lines[LOG_SINK_LINE_MAX])
{
    size_t len = s->len < LOG_SINK_LINE_MAX ? s->len : LOG_SINK_LINE_MAX;
    size_t first = s->spec.room - s->begin < len ? s->spec.room - s->begin : len;
    memcpy(lines, s->ring + s->begin, first);
    memcpy(lines + first, s->ring, len - first);
    const char *last = memrchr(lines, '\n', len);
    len = (size_t)(last - lines) + 1;
    s->begin = (s->begin + len) % s->spec.room;
    s->len -= len;
    return slice_make(lines, len);
}

static size_t count_lines(struct slice lines)
{
    size_t count = 0;
    for (size_t i = 0; i < lines.len; i++)
        count += lines.ptr[i] == '\n';
    return count;
}

static void lose(struct log_sink *s, size_t lines)
{
    s->lost += lines;
    s->lost_unsaid += lines;
}

/* Not before a quarter of the room is free: a descriptor that is a little too slow costs some lines
 * in a row and one note, not a line and a note in turn. */
static void say_lost(struct log_sink *s)
{
    char line[LOG_SINK_LINE_MAX];
    size_t free_room = s->spec.room - s->len;
    if (s->lost_unsaid == 0 || free_room < sizeof(line) || free_room < s->spec.room / 4)
        return;
    ring_put(s, slice_make(line, s->spec.say_lost(line, s->lost_unsaid)));
    s->lost_unsaid = 0;
}

/* ---- the thread ---- */

/* Returns false if the descriptor takes no more. A descriptor that somebody made non-blocking is
 * waited for. */
static bool write_all(int fd, struct slice lines)
{
    while (lines.len > 0) {
        ssize_t n = write(fd, lines.ptr, lines.len);
        if (n >= 0)
            lines = slice_skip(lines, (size_t)n);
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

/* Lines that were refused are told of when a line is put next: at once, the note would be refused
 * as well. */
static void write_some(struct log_sink *s)
{
    char room[LOG_SINK_LINE_MAX];
    struct slice lines = ring_take(s, room);
    int fd = s->writing_fd = s->spec.fd;
    pthread_mutex_unlock(&s->mutex);
    bool taken = write_all(fd, lines);
    pthread_mutex_lock(&s->mutex);
    if (s->retired)
        close(fd);
    s->writing_fd = -1;
    s->retired = false;
    uint64_t now = now_ms();
    s->often = now - s->moved_ms < OFTEN_MS;
    s->moved_ms = now;
    if (!taken)
        lose(s, count_lines(lines));
    else if (s->len == 0)
        say_lost(s);
}

static void free_sink(struct log_sink *s)
{
    if (s->spec.owns_fd)
        close(s->spec.fd);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->waiting);
    pthread_cond_destroy(&s->ended);
    free(s);
}

static struct timespec in_ms(uint32_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * (NS_PER_S / 1000);
    if (t.tv_nsec >= NS_PER_S) {
        t.tv_nsec -= NS_PER_S;
        t.tv_sec++;
    }
    return t;
}

static void wait_for_lines(struct log_sink *s)
{
    s->state = SINK_IDLE;
    while (s->state == SINK_IDLE && !s->closing)
        pthread_cond_wait(&s->waiting, &s->mutex);
    s->state = SINK_BUSY;
}

/* To be woken and to write costs more than to make a line: what comes meanwhile goes at once. */
static void rest(struct log_sink *s)
{
    struct timespec until = in_ms(REST_MS);
    int error = 0;
    s->state = SINK_RESTING;
    while (s->state == SINK_RESTING && !s->closing && !error)
        error = pthread_cond_clockwait(&s->waiting, &s->mutex, CLOCK_MONOTONIC, &until);
    s->state = SINK_BUSY;
}

static void *run(void *argument)
{
    struct log_sink *s = argument;
    pthread_mutex_lock(&s->mutex);
    while (s->len > 0 || !s->closing) {
        if (s->len == 0) {
            wait_for_lines(s);
            continue;
        }
        write_some(s);
        if (s->spec.gathers && s->often && s->len < LOG_SINK_LINE_MAX)
            rest(s);
    }
    s->over = true;
    bool abandoned = s->abandoned;
    pthread_cond_signal(&s->ended);
    pthread_mutex_unlock(&s->mutex);
    if (abandoned)
        free_sink(s);
    return NULL;
}

/* Has the thread to be woken for what was put? Then the caller does so. */
static bool shall_wake(struct log_sink *s, bool at_once)
{
    bool hurry = at_once || s->len > s->spec.room / 4;
    if (s->state == SINK_BUSY || (s->state == SINK_RESTING && !hurry))
        return false;
    s->state = SINK_BUSY;
    return true;
}

/* ---- from outside ---- */

static int start_thread(struct log_sink *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct log_sink *log_sink_new(const struct log_sink_spec *spec)
{
    struct log_sink *s = calloc(1, sizeof(*s) + spec->room);
    if (!s)
        return NULL;
    s->spec = *spec;
    s->writing_fd = -1;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->waiting, NULL);
    pthread_cond_init(&s->ended, NULL);
    if (start_thread(s) != 0) {
        s->spec.owns_fd = false;
        free_sink(s);
        return NULL;
    }
    return s;
}

/* The thread is woken without the mutex, for which it would only wait. */
bool log_sink_put(struct log_sink *s, struct slice line, bool at_once)
{
    pthread_mutex_lock(&s->mutex);
    say_lost(s);
    bool room = s->lost_unsaid == 0 && s->spec.room - s->len >= 2 * LOG_SINK_LINE_MAX,
         wakes = false;
    if (room) {
        ring_put(s, line);
        wakes = shall_wake(s, at_once);
    } else {
        lose(s, 1);
    }
    pthread_mutex_unlock(&s->mutex);
    if (wakes)
        pthread_cond_signal(&s->waiting);
    return room;
}

void log_sink_use(struct log_sink *s, int fd)
{
    pthread_mutex_lock(&s->mutex);
    if (s->spec.owns_fd && s->spec.fd == s->writing_fd)
        s->retired = true;
    else if (s->spec.owns_fd)
        close(s->spec.fd);
    s->spec.fd = fd;
    s->spec.owns_fd = true;
    pthread_mutex_unlock(&s->mutex);
}

bool log_sink_is_crowded(struct log_sink *s)
{
    pthread_mutex_lock(&s->mutex);
    bool crowded = s->len > s->spec.room / 2 && now_ms() - s->moved_ms < STALLED_MS;
    pthread_mutex_unlock(&s->mutex);
    return crowded;
}

uint64_t log_sink_lost(struct log_sink *s)
{
    pthread_mutex_lock(&s->mutex);
    uint64_t lost = s->lost;
    pthread_mutex_unlock(&s->mutex);
    return lost;
}

void log_sink_close(struct log_sink *s, uint32_t patience_ms)
{
    if (!s)
        return;
    struct timespec until = in_ms(patience_ms);
    pthread_mutex_lock(&s->mutex);
    s->closing = true;
    pthread_cond_signal(&s->waiting);
    while (!s->over && pthread_cond_clockwait(&s->ended, &s->mutex, CLOCK_MONOTONIC, &until) == 0)
        ;
    s->abandoned = !s->over;
    if (s->abandoned) {
        pthread_detach(s->thread);
        pthread_mutex_unlock(&s->mutex);
        return;
    }
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    free_sink(s);
}
