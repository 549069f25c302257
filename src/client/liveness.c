/* SPDX-License-Identifier: MIT */
/* liveness.c - is the server alive? A server is dead if it says nothing for twice its ping, or does
 * not answer ours. And the other way round: while the user has paused nothing is read, so that no
 * ping is answered; then we say `.pong` unasked. */
#include "client/parts.h"

enum {
    ANSWER_MS = 5000
};

static uint64_t limit_ms(const struct httpsocket *c)
{
    return c->welcome.ping_ms * 2;
}

/* Life is bytes, not messages: those of an unfinished message count, and those of ours that the
 * server takes, since its answer to a ping waits behind them. */
static void look_for_bytes(struct httpsocket *c)
{
    uint64_t alive = ws_peer_alive_ms(c->peer);
    if (alive <= c->heard_ms)
        return;
    c->heard_ms = alive;
    c->asked = false;
}

/* Bytes that move are seen between two looks. */
static void look_again(struct httpsocket *c, uint64_t silent)
{
    uint64_t left = limit_ms(c) - silent, step = limit_ms(c) / 4 + 1;
    timer_start(c->loop, &c->silence, left < step ? left : step);
}

static void ask(struct httpsocket *c)
{
    c->asked = true;
    link_say(c, ".ping");
    timer_start(c->loop, &c->silence, ANSWER_MS);
}

static void silence_over(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, silence);
    uint64_t now = loop_now_ms(c->loop), late = now - timer->due_ms;
    look_for_bytes(c);
    uint64_t silent = now - c->heard_ms;
    if (late >= LOOP_PAUSE_MS && silent < limit_ms(c)) { /* we slept: nobody listened */
        c->heard_ms += late < silent ? late : silent;
        look_again(c, now - c->heard_ms);
    } else if (late >= LOOP_PAUSE_MS) {
        ask(c);
    } else if (c->asked) {
        link_drop(c, "no answer to a ping");
    } else if (silent < limit_ms(c)) {
        look_again(c, silent);
    } else {
        link_drop(c, "nothing heard");
    }
}

static void beat(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, beat);
    link_say(c, ".pong");
    timer_start(c->loop, timer, c->welcome.ping_ms / 2);
}

void client_liveness_init(struct httpsocket *c)
{
    timer_init(&c->silence, silence_over);
    timer_init(&c->beat, beat);
}

void client_liveness_heard(struct httpsocket *c)
{
    c->heard_ms = loop_now_ms(c->loop);
    if (!c->asked)
        return;
    c->asked = false;
    look_again(c, 0);
}

void client_liveness_start(struct httpsocket *c)
{
    c->heard_ms = loop_now_ms(c->loop);
    c->asked = false;
    client_liveness_paused(c);
}

void client_liveness_stop(struct httpsocket *c)
{
    timer_stop(&c->silence);
    timer_stop(&c->beat);
}

void client_liveness_paused(struct httpsocket *c)
{
    client_liveness_stop(c);
    c->asked = false;
    c->heard_ms = loop_now_ms(c->loop);
    if (c->paused)
        timer_start(c->loop, &c->beat, c->welcome.ping_ms / 2);
    else
        look_again(c, 0);
}
