/* SPDX-License-Identifier: MIT */
/* api.c - making, ending and driving a client. */
#include "client/parts.h"

#include "base/base64url.h"
#include "base/log.h"
#include "base/utf8.h"
#include "proto/close_code.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BUFFER_MAX = 1 << 20,
    MESSAGE_SIZE_MAX = 16 << 20,
    GOODBYE_TURNS = 3
};

/* ---- time ---- */

void client_wake(struct httpsocket *c)
{
    if (c->state == CLIENT_OVER)
        return;
    if (!c->processing)
        loop_refresh(c->loop);
    if (!timer_active(&c->work))
        timer_start(c->loop, &c->work, 0);
    if (!c->processing)
        embedded_set(&c->embedded);
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
    if (!c->loop || embedded_start(&c->embedded, c->loop) < 0 ||
        base64url_draw(c->key, CLIENT_KEY_LEN) != 0) {
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
    embedded_stop(&c->embedded);
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
    log_silence(); /* a library has no log */
    struct httpsocket *c = calloc(1, sizeof(*c));
    if (!c) {
        snprintf(why, why_size, "no memory");
        return NULL;
    }
    list_init(&c->calls);
    streams_set_up(c);
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
    embedded_set(&c->embedded);
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

int httpsocket_process(struct httpsocket *c, int timeout_ms)
{
    if (c->state == CLIENT_OVER)
        return 1;
    c->processing = true;
    int error = embedded_turn(&c->embedded, timeout_ms);
    c->processing = false;
    return error ? error : c->state == CLIENT_OVER;
}

int httpsocket_run(struct httpsocket *c)
{
    int error = 0;
    c->processing = true;
    while (!error && c->state != CLIENT_OVER)
        error = loop_turn(c->loop, -1);
    c->processing = false;
    return error;
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
