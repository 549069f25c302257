/* SPDX-License-Identifier: MIT */
#include "core/embedded.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void clock_rang(struct watch *watch, unsigned events)
{
    uint64_t expirations;
    (void)events;
    ssize_t n = read(watch->fd, &expirations, sizeof(expirations));
    (void)n; /* it was set anew meanwhile */
}

int embedded_start(struct embedded *e, struct loop *loop)
{
    *e = (struct embedded){.loop = loop, .due_ms = UINT64_MAX};
    watch_init(&e->clock, clock_rang);
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int error = watch_start(loop, &e->clock, fd, WATCH_READ);
    if (error)
        close(fd);
    return error;
}

void embedded_stop(struct embedded *e)
{
    if (!e->loop || e->clock.fd < 0)
        return;
    int fd = e->clock.fd;
    watch_stop(&e->clock);
    close(fd);
}

void embedded_set(struct embedded *e)
{
    int wait_ms = loop_wait_ms(e->loop);
    uint64_t due = wait_ms < 0 ? UINT64_MAX : loop_now_ms(e->loop) + (uint64_t)wait_ms;
    if (due == e->due_ms || (wait_ms == 0 && e->due_ms < due))
        return;
    e->due_ms = due;
    /* An absolute time that has passed rings at once; zero disarms. */
    struct itimerspec at = {0};
    if (wait_ms >= 0)
        at.it_value = (struct timespec){.tv_sec = (time_t)(due / 1000),
                                        .tv_nsec = (long)(due % 1000) * 1000000 + 1};
    int error = timerfd_settime(e->clock.fd, TFD_TIMER_ABSTIME, &at, NULL);
    assert(error == 0);
}

int embedded_turn(struct embedded *e, int timeout_ms)
{
    e->due_ms = UINT64_MAX - 1; /* whatever it was */
    int error = loop_turn(e->loop, timeout_ms);
    embedded_set(e);
    return error;
}
