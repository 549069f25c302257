/* SPDX-License-Identifier: MIT */
/* policy_rates.c - what was taken of buckets here is told each second, what others took is counted.
 *
 * An announcement: the sender, and of each bucket its hash, what was taken and what it holds. */
#include "cluster/policy_parts.h"

static void put_row(struct text *out, const struct tally_row *row)
{
    octets_put(out, row->hash, 8);
    octets_put(out, row->taken_us < row->whole_us ? row->taken_us : row->whole_us, 8);
    octets_put(out, row->whole_us, 8);
}

void policy_rates_tell(struct policy *p)
{
    struct tally_row rows[TALLY_TELL_MAX];
    struct text out = {0};
    if (p->servers < 2)
        return;
    size_t count = tally_collect(p->tally, p->servers, policy_now_ms(p), rows);
    if (count == 0)
        return;
    octets_put(&out, POLICY_RATES, 1);
    text_put(&out, slice_make(p->sender, POLICY_SENDER));
    for (size_t i = 0; i < count; i++)
        put_row(&out, &rows[i]);
    policy_announce(p, &out);
    p->counts.rates_told += count;
    text_done(&out);
}

void policy_rates_heard(struct policy *p, struct slice in)
{
    struct slice sender;
    uint64_t hash, taken_us, whole_us;
    if (!octets_take(&in, POLICY_SENDER, &sender) ||
        slice_equal(sender, slice_make(p->sender, POLICY_SENDER)))
        return;
    while (octets_get(&in, 8, &hash) && octets_get(&in, 8, &taken_us) &&
           octets_get(&in, 8, &whole_us)) {
        rates_put(p->spec.rates, hash, taken_us, whole_us, policy_now_ms(p));
        p->counts.rates_heard++;
    }
}
