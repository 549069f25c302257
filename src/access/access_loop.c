/* SPDX-License-Identifier: MIT */
#include "access/access_loop.h"

static void wake(struct access *a)
{
    struct access_loop *l = container_of(a, struct access_loop, access);
    uint64_t due = access_due_ms(a), now = loop_now_ms(l->loop);
    if (due == UINT64_MAX)
        timer_stop(&l->timer);
    else
        timer_start(l->loop, &l->timer, due > now ? due - now : 0);
}

static void on_timer(struct timer *timer)
{
    struct access_loop *l = container_of(timer, struct access_loop, timer);
    access_run(&l->access, loop_now_ms(l->loop));
    wake(&l->access);
}

static void on_answers(struct watch *watch, unsigned events)
{
    (void)events;
    struct access_loop *l = container_of(watch, struct access_loop, watch);
    access_set_now(&l->access, loop_now_ms(l->loop));
    dns_process(l->dns);
    access_run(&l->access, loop_now_ms(l->loop));
    wake(&l->access);
}

int access_loop_start(struct access_loop *l, struct loop *loop, const struct access_config *config,
                      const struct dns_options *dns, struct bans *bans, struct rates *rates,
                      const char **why)
{
    *l = (struct access_loop){.loop = loop};
    int error = dns_new(dns, &l->dns, why);
    if (error)
        return error;
    watch_init(&l->watch, on_answers);
    timer_init(&l->timer, on_timer);
    error = watch_start(loop, &l->watch, dns_fd(l->dns), WATCH_READ);
    if (error) {
        *why = "the resolver can't be watched";
        dns_free(l->dns);
        return error;
    }
    access_init(&l->access, config, dns_resolver(l->dns), bans, rates, wake);
    return 0;
}

void access_loop_stop(struct access_loop *l)
{
    timer_stop(&l->timer);
    watch_stop(&l->watch);
    access_done(&l->access);
    dns_free(l->dns);
}
