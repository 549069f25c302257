/* SPDX-License-Identifier: MIT */
#include "core/backend.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

enum {
    CATCH_UP_ROUNDS = 64,
    MAILS_TOGETHER = 64 /* as one callback */
};

const struct loop_backend *const loop_backends[] = {&epoll_backend, &uring_backend, NULL};

static uint64_t boot_clock(void *arg)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void bell_rang(struct watch *bell, unsigned events)
{
    (void)events;
    mailbox_silence(&bell->loop->mailbox);
}

static int set_up(struct loop *loop)
{
    loop->buffer = log_needed(malloc(LOOP_BUFFER_BYTES));
    if (!loop->buffer)
        return -ENOMEM;
    int error = loop->backend->init(loop);
    if (error)
        return error;
    error = mailbox_init(&loop->mailbox);
    return error ? error : watch_start(loop, &loop->bell, loop->mailbox.bell, WATCH_READ);
}

struct loop *loop_new_with(const struct loop_backend *backend)
{
    struct loop *loop = log_needed(calloc(1, sizeof(*loop)));
    if (!loop)
        return NULL;
    loop->backend = backend;
    loop->clock = boot_clock;
    loop->mailbox.bell = -1;
    loop->now_ms = boot_clock(NULL);
    list_init(&loop->dirty);
    list_init(&loop->dead);
    list_init(&loop->lingering);
    list_init(&loop->afters);
    timer_wheel_init(&loop->wheel, loop->now_ms);
    watch_init(&loop->bell, bell_rang);
    int error = set_up(loop);
    if (!error)
        return loop;
    loop_free(loop);
    errno = -error;
    return NULL;
}

static const struct loop_backend *chosen = &epoll_backend;

struct loop *loop_new(void)
{
    return loop_new_with(chosen);
}

/* Whether the backend works is known when it has waited once. */
static int try_out(const struct loop_backend *backend)
{
    struct loop *loop = loop_new_with(backend);
    if (!loop)
        return -errno;
    int error = loop_turn(loop, 0);
    loop_free(loop);
    return error;
}

int loop_use(const char *name)
{
    const struct loop_backend *const *b = loop_backends;
    while (*b && strcmp((*b)->name, name) != 0)
        b++;
    if (!*b)
        return -EINVAL;
    int error = try_out(*b);
    if (!error)
        chosen = *b;
    return error;
}

const char *loop_backend(const struct loop *loop)
{
    return loop->backend->name;
}

void loop_reap_now(struct loop *loop)
{
    for (;;) {
        io_reap_all(loop);
        struct reap *reap = loop->reaps;
        if (!reap)
            return;
        loop->reaps = NULL;
        loop->reap_count = 0;
        while (reap) {
            struct reap *next = reap->next;
            reap->free(reap);
            reap = next;
        }
    }
}

/* A lingering io has no owner any more that could close it. */
static void close_lingering(struct loop *loop)
{
    while (!list_empty(&loop->lingering))
        io_close(container_of(loop->lingering.next, struct io_linger, node)->io);
}

static void stand(struct loop *loop)
{
    if (loop->backend->stand)
        loop->backend->stand(loop);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->state)
        stand(loop);
    close_lingering(loop);
    loop_reap_now(loop);
    watch_stop(&loop->bell);
    if (loop->state)
        loop->backend->done(loop);
    mailbox_done(&loop->mailbox);
    chunk_pool_done(&loop->pool);
    free(loop->buffer);
    free(loop);
}

void loop_set_clock(struct loop *loop, uint64_t (*clock)(void *arg), void *arg)
{
    loop->clock = clock;
    loop->clock_arg = arg;
    loop->now_ms = clock(arg);
    timer_wheel_init(&loop->wheel, loop->now_ms);
}

void loop_woke(struct loop *loop)
{
    uint64_t now = loop->clock(loop->clock_arg);
    if (now > loop->now_ms)
        loop->now_ms = now;
}

static bool has_work(const struct loop *loop)
{
    return loop->stopping || loop->reaps || !list_empty(&loop->dirty) || !list_empty(&loop->dead) ||
           !list_empty(&loop->afters) || !mailbox_empty(&loop->mailbox);
}

static int wait_time(struct loop *loop, int max_wait_ms)
{
    if (has_work(loop))
        return 0;
    uint64_t next, max = max_wait_ms < 0 ? INT_MAX : (uint64_t)max_wait_ms;
    if (!timer_wheel_next(&loop->wheel, &next))
        return max_wait_ms;
    uint64_t wait = next > loop->now_ms ? next - loop->now_ms : 0;
    return (int)(wait < max ? wait : max);
}

static void fire_timers(struct loop *loop)
{
    struct list due;
    list_init(&due);
    timer_wheel_advance(&loop->wheel, loop->now_ms, &due);
    for (struct list *node; (node = list_pop(&due));) {
        struct timer *timer = container_of(node, struct timer, node);
        loop_count(&loop->counts.timers_fired, 1);
        timer->fire(timer);
        loop_between(loop);
    }
}

static void deliver_mail(struct loop *loop)
{
    if (mailbox_empty(&loop->mailbox))
        return;
    struct mail *mail = mailbox_take(&loop->mailbox);
    for (unsigned count = 1; mail; count++) {
        struct mail *next = mail->next;
        loop_count(&loop->counts.mails, 1);
        mail->deliver(mail);
        if (!next || count % MAILS_TOGETHER == 0)
            loop_run_afters(loop);
        mail = next;
    }
}

bool loop_has_mail(const struct loop *loop)
{
    return !mailbox_empty(&loop->mailbox);
}

bool loop_deliver(struct loop *loop)
{
    bool had = loop_has_mail(loop);
    deliver_mail(loop);
    loop_run_afters(loop);
    loop_reap_now(loop);
    return had;
}

int loop_fd(const struct loop *loop)
{
    return loop->backend->fd(loop);
}

void loop_refresh(struct loop *loop)
{
    loop_woke(loop);
}

int loop_wait_ms(struct loop *loop)
{
    loop_refresh(loop);
    if (loop->backend->settle)
        loop->backend->settle(loop);
    return wait_time(loop, -1);
}

/* Whether the process did not run, as a timer says that is long due. `before_ms` spares a loop that
 * never waits for so long the look at the wheel. */
static bool was_paused(struct loop *loop, uint64_t before_ms)
{
    uint64_t next;
    return loop->now_ms - before_ms >= LOOP_PAUSE_MS && timer_wheel_next(&loop->wheel, &next) &&
           next + LOOP_PAUSE_MS <= loop->now_ms;
}

/* What came during a pause is read before a timer judges that nothing came. The first wait after it
 * may have been interrupted, or have had more to report than it can at a time. */
static int catch_up(struct loop *loop)
{
    const struct loop_counts *counts = &loop->counts;
    for (int round = 0; round < CATCH_UP_ROUNDS; round++) {
        uint64_t before = counts->receives + counts->accepts;
        int error = loop->backend->wait(loop, 0);
        if (error || counts->receives + counts->accepts == before)
            return error;
    }
    return 0;
}

int loop_turn(struct loop *loop, int max_wait_ms)
{
    uint64_t before_ms = loop->now_ms;
    int error = loop->backend->wait(loop, wait_time(loop, max_wait_ms));
    if (!error && was_paused(loop, before_ms))
        error = catch_up(loop);
    if (error)
        return error;
    loop_count(&loop->counts.turns, 1);
    fire_timers(loop);
    deliver_mail(loop);
    loop_run_afters(loop);
    io_flush_all(loop);
    loop_reap_now(loop);
    loop_run_afters(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    int error = 0;
    do {
        error = loop_turn(loop, -1);
    } while (!error && !loop->stopping);
    loop->stopping = false;
    stand(loop);
    return error;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

const struct loop_counts *loop_counts(const struct loop *loop)
{
    return &loop->counts;
}

void loop_reap(struct loop *loop, struct reap *reap, void (*free_it)(struct reap *))
{
    reap->free = free_it;
    reap->next = loop->reaps;
    loop->reaps = reap;
    loop->reap_count++;
}

void loop_after_init(struct loop_after *after, struct loop *loop,
                     void (*run)(struct loop_after *after))
{
    *after = (struct loop_after){.loop = loop, .run = run};
    list_init(&after->node);
}

void loop_after_append(struct loop_after *after)
{
    list_append(&after->loop->afters, &after->node);
}

void loop_trim(struct loop *loop)
{
    chunk_pool_done(&loop->pool);
}

void loop_set_urgent(struct loop *loop, struct loop_urgent *urgent)
{
    loop->urgent = urgent;
}

void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms)
{
    timer_stop(timer);
    timer->due_ms = delay_ms < UINT64_MAX - loop->now_ms ? loop->now_ms + delay_ms : UINT64_MAX;
    timer_wheel_add(&loop->wheel, timer);
}

void timer_start_at(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
    if (due_ms)
        timer_start(loop, timer, due_ms > loop->now_ms ? due_ms - loop->now_ms : 0);
}

void loop_post(struct loop *loop, struct mail *mail, void (*deliver)(struct mail *))
{
    mail->deliver = deliver;
    mailbox_post(&loop->mailbox, mail);
}

void watch_init(struct watch *watch, void (*ready)(struct watch *, unsigned events))
{
    *watch = (struct watch){.fd = -1, .ready = ready};
}

int watch_start(struct loop *loop, struct watch *watch, int fd, unsigned events)
{
    watch_stop(watch);
    watch->loop = loop;
    watch->fd = fd;
    int error = loop->backend->watch_start(watch, events);
    if (error)
        watch->fd = -1;
    return error;
}

void watch_stop(struct watch *watch)
{
    if (watch->fd < 0)
        return;
    watch->loop->backend->watch_stop(watch);
    watch->fd = -1;
}
