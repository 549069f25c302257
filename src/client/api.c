/* SPDX-License-Identifier: MIT */
/* api.c - making, ending and driving a client.
 *
 * For users who poll, a timerfd lies in the loop's own epoll set, so that one descriptor covers
 * time too. The timerfd is set when a call from outside has given the loop something to do, and at
 * the end of each httpsocket_process(); httpsocket_run() needs none.
 */
#include "client/parts.h"

#include "base/base64url.h"
#include "base/log.h"
#include "base/utf8.h"
#include "proto/close_code.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER_MAX = 1 << 20,
    MESSAGE_SIZE_MAX = 16 << 20,
    GOODBYE_TURNS = 3
};

/* ---- time ---- */

static void clock_rang(struct watch *watch, unsigned events)
{
    uint64_t expirations;
    (void)events;
    ssize_t n = read(watch->fd, &expirations, sizeof(expirations));
    (void)n; /* it was set anew meanwhile */
}

static void set_clock(struct httpsocket *c)
{
    int wait_ms = loop_wait_ms(c->loop);
    uint64_t due = wait_ms < 0 ? UINT64_MAX : loop_now_ms(c->loop) + (uint64_t)wait_ms;
    if (due == c->clock_due_ms || (wait_ms == 0 && c->clock_due_ms < due))
        return;
    c->clock_due_ms = due;
    /* An absolute time that has passed rings at once; zero disarms. */
    struct itimerspec at = {0};
    if (wait_ms >= 0)
        at.it_value = (struct timespec){.tv_sec = (time_t)(due / 1000),
                                        .tv_nsec = (long)(due % 1000) * 1000000 + 1};
    int error = timerfd_settime(c->clock.fd, TFD_TIMER_ABSTIME, &at, NULL);
    assert(error == 0);
}

void client_wake(struct httpsocket *c)
{
    if (c->state == CLIENT_OVER)
        return;
    if (!c->processing)
        loop_refresh(c->loop);
    if (!timer_active(&c->work))
        timer_start(c->loop, &c->work, 0);
    if (!c->processing)
        set_clock(c);
}

static int start_clock(struct httpsocket *c)
{
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int error = watch_start(c->loop, &c->clock, fd, WATCH_READ);
    if (error)
        close(fd);
    return error;
}

/* ---- making ---- */

static void take_options(struct httpsocket *c, const struct httpsocket_options *options)
{
    size_t known = options->size < sizeof(c->options) ? options->size : sizeof(c->options);
    memcpy(&c->options, options, known);
    c->options.url = c->options.origin = c->options.ca_file = NULL;
    if (!c->options.buffer_max)
        c->options.buffer_max = BUFFER_MAX;
    if (!c->options.message_max)
        c->options.message_max = MESSAGE_SIZE_MAX;
    c->ws_config = (struct ws_config){
        .message_max = c->options.message_max, .close_timeout_ms = 2000, .client = true};
}

/* The URL, the origin and whom to trust; false with `why`. */
static bool take_target(struct httpsocket *c, const struct httpsocket_options *options, char *why,
                        size_t size)
{
    const char *wrong = dial_target_init(&c->target, options->url, options->origin);
    if (wrong) {
        snprintf(why, size, "%s", wrong);
        return false;
    }
    if (c->target.origin.scheme == ORIGIN_HTTP)
        return true;
    c->target.tls = tls_context_new_client(options->ca_file, true, why, size);
    return c->target.tls;
}

static bool set_up(struct httpsocket *c, const struct httpsocket_options *options, char *why,
                   size_t size)
{
    if (!take_target(c, options, why, size))
        return false;
    c->loop = loop_new();
    if (!c->loop || start_clock(c) < 0 || base64url_draw(c->key, CLIENT_KEY_LEN) != 0) {
        snprintf(why, size, "no loop: %s", strerrordesc_np(errno));
        return false;
    }
    return true;
}

static bool options_fit(const struct httpsocket_options *options)
{
    return options->size >= offsetof(struct httpsocket_options, origin) && options->url &&
           (unsigned)options->retry <= HTTPSOCKET_RETRY_NEVER;
}

static void release(struct httpsocket *c)
{
    int clock = c->clock.fd;
    watch_stop(&c->clock);
    if (clock >= 0)
        close(clock);
    loop_free(c->loop);
    outbox_window_clear(&c->out);
    dial_target_done(&c->target);
    free(c);
}

struct httpsocket *httpsocket_new(const struct httpsocket_options *options, char *why,
                                  size_t why_size)
{
    char nowhere[1];
    if (!why)
        why = nowhere, why_size = sizeof(nowhere);
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT); /* a library has no log */
    struct httpsocket *c = calloc(1, sizeof(*c));
    if (!c) {
        snprintf(why, why_size, "no memory");
        return NULL;
    }
    watch_init(&c->clock, clock_rang);
    list_init(&c->calls);
    streams_set_up(c);
    c->clock_due_ms = UINT64_MAX;
    c->next_call = CLIENT_CALLS_FROM;
    if (!options_fit(options)) {
        snprintf(why, why_size, "options without size or url, or with an unknown retry");
        release(c);
        return NULL;
    }
    take_options(c, options);
    if (!set_up(c, options, why, why_size)) {
        release(c);
        return NULL;
    }
    link_start(c);
    set_clock(c);
    return c;
}

/* ---- ending ---- */

/* Says the goodbye without waiting: as much as the kernel takes now is sent. */
static void say_goodbye(struct httpsocket *c)
{
    if (c->state == CLIENT_OPEN)
        link_say(c, ".bye {\"reason\":\"client-left\"}");
    if (c->peer)
        ws_peer_close(c->peer, CLOSE_GOING_AWAY, SLICE_NONE);
    int error = loop_turn(c->loop, 0);
    (void)error;
}

void httpsocket_free(struct httpsocket *c)
{
    if (!c)
        return;
    assert(!c->processing);
    c->processing = true;
    c->options = (struct httpsocket_options){.retry = HTTPSOCKET_RETRY_NEVER};
    calls_drop(c);
    tcp_drop(c);
    if (c->peer)
        say_goodbye(c);
    struct end end = {.code = CLOSE_GOING_AWAY};
    link_end(c, &end);
    for (int i = 0; i < GOODBYE_TURNS && loop_turn(c->loop, 0) == 0; i++)
        continue;
    if (c->parting)
        ws_peer_drop(c->parting);
    release(c);
}

int httpsocket_close(struct httpsocket *c, const char *reason, uint64_t timeout_ms)
{
    const char *text = reason ? reason : "closed";
    if (strlen(text) >= sizeof(c->close_reason) || !utf8_valid(slice_of(text)))
        return -EINVAL;
    if (c->finishing || c->state == CLIENT_OVER)
        return 0;
    c->finishing = true;
    snprintf(c->close_reason, sizeof(c->close_reason), "%s", text);
    loop_refresh(c->loop);
    if (timeout_ms)
        timer_start(c->loop, &c->finish, timeout_ms);
    client_wake(c);
    return 0;
}

/* ---- driving ---- */

static int turn(struct httpsocket *c, int timeout_ms)
{
    c->processing = true;
    int error = loop_turn(c->loop, timeout_ms);
    c->processing = false;
    return error ? error : c->state == CLIENT_OVER;
}

int httpsocket_process(struct httpsocket *c, int timeout_ms)
{
    if (c->state == CLIENT_OVER)
        return 1;
    c->clock_due_ms = UINT64_MAX - 1; /* whatever it was */
    int result = turn(c, timeout_ms);
    set_clock(c);
    return result;
}

int httpsocket_run(struct httpsocket *c)
{
    int result = c->state == CLIENT_OVER;
    while (result == 0)
        result = turn(c, -1);
    return result < 0 ? result : 0;
}

int httpsocket_fd(const struct httpsocket *c)
{
    return loop_fd(c->loop);
}

/* ---- asking and telling ---- */

void *httpsocket_user(const struct httpsocket *c)
{
    return c->options.user;
}

void httpsocket_pause(struct httpsocket *c)
{
    if (c->paused)
        return;
    c->paused = true;
    if (c->state != CLIENT_OPEN && c->state != CLIENT_LEAVING)
        return;
    loop_refresh(c->loop);
    ws_peer_pause(c->peer);
    client_liveness_paused(c);
    client_wake(c);
}

void httpsocket_resume(struct httpsocket *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (c->state != CLIENT_OPEN && c->state != CLIENT_LEAVING)
        return;
    loop_refresh(c->loop);
    ws_peer_resume(c->peer);
    client_liveness_paused(c);
    client_wake(c);
}

bool httpsocket_connected(const struct httpsocket *c)
{
    return c->state == CLIENT_OPEN || c->state == CLIENT_LEAVING;
}

const struct httpsocket_end *httpsocket_ended(const struct httpsocket *c)
{
    return c->state == CLIENT_OVER ? &c->public_end : NULL;
}
