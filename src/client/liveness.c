/* SPDX-License-Identifier: MIT */
/* liveness.c - is the server alive? A server is dead if it says nothing for twice its ping, or does
 * not answer ours. And the other way round: while the user has paused nothing is read, so that no
 * ping is answered; then we say `.pong` unasked. */
#include "client/parts.h"

enum {
    ANSWER_MS = 5000,
    LATE_MS = 1000 /* a timer so late says that we slept, not that the server is dead */
};

static uint64_t limit_ms(const struct httpsocket *c)
{
    return c->welcome.ping_ms * 2;
}

static void silence_over(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, silence);
    uint64_t silent = loop_now_ms(c->loop) - c->heard_ms, limit = limit_ms(c);
    if (c->asked) {
        link_drop(c, "no answer to a ping");
    } else if (silent < limit) {
        timer_start(c->loop, timer, limit - silent);
    } else if (silent < limit + LATE_MS) {
        link_drop(c, "nothing heard");
    } else {
        c->asked = true;
        link_say(c, ".ping");
        timer_start(c->loop, timer, ANSWER_MS);
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
    timer_start(c->loop, &c->silence, limit_ms(c));
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
        timer_start(c->loop, &c->silence, limit_ms(c));
}
