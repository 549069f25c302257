/* SPDX-License-Identifier: MIT */
/* policy_doubts.c - verdicts that refuse what they allowed, told to the evaluations of all servers.
 * Nobody is refused for it: each looks again by itself, at the answers that are shared.
 *
 * An announcement: by which way, the port, the length of the origin, the origin, the host. */
#include "cluster/policy_parts.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    TOLD_EACH_US = 20000, /* 50 a second; beyond, the others find out when their verdicts end */
    TOLD_BURST = 200
};

struct doubt {
    struct mail mail;
    struct policy *policy;
    struct text message; /* owned */
};

static void deliver_doubt(struct mail *mail)
{
    struct doubt *d = container_of(mail, struct doubt, mail);
    struct policy *p = d->policy;
    if (p->state == POLICY_THERE &&
        bucket_take(&p->doubt_full_us, TOLD_EACH_US, TOLD_BURST, policy_now_ms(p) * 1000) == 0) {
        policy_announce(p, &d->message);
        p->counts.doubts_told++;
    } else {
        p->counts.left_out++;
    }
    text_done(&d->message);
    free(d);
}

void policy_tell_refusal(struct policy *p, const struct verdict_question *q)
{
    char text[ORIGIN_TEXT_SIZE];
    struct slice origin = origin_write(q->origin, text);
    struct doubt *d = atomic_load(&p->there) ? log_needed(calloc(1, sizeof(*d))) : NULL;
    if (!d)
        return;
    d->policy = p;
    octets_put(&d->message, POLICY_DOUBT, 1);
    octets_put(&d->message, q->via, 1);
    octets_put(&d->message, q->target->port, 2);
    octets_put(&d->message, origin.len, 2);
    text_put(&d->message, origin);
    text_put(&d->message, slice_of(q->target->host));
    loop_post(p->loop, &d->mail, deliver_doubt);
}

void policy_doubt_heard(struct policy *p, struct slice in)
{
    struct slice text;
    struct origin origin;
    struct target target = {0};
    uint64_t via, port, origin_len;
    if (!octets_get(&in, 1, &via) || !octets_get(&in, 2, &port) ||
        !octets_get(&in, 2, &origin_len) || !octets_take(&in, origin_len, &text) ||
        !origin_parse(text, &origin) || in.len >= sizeof(target.host) || !p->spec.doubt)
        return;
    target.port = (uint16_t)port;
    memcpy(target.host, in.ptr, in.len);
    p->counts.doubts_heard++;
    p->spec.doubt(p->spec.owner, &(struct verdict_question){
                                     .origin = &origin,
                                     .via = (enum access_via)via,
                                     .target = &target,
                                 });
}
