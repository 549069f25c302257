/* SPDX-License-Identifier: MIT */
#include "cluster/shared_answer.h"

#include "cluster/octets.h"

bool shared_answer_write(const struct dns_answer *a, struct text *out)
{
    if (a->status != DNS_OK || a->count > DNS_DATA_MAX || a->total > UINT16_MAX)
        return false;
    octets_put(out, SHARED_ANSWER_VERSION, 1);
    octets_put(out, a->secure, 1);
    octets_put(out, a->cnames < UINT8_MAX ? a->cnames : UINT8_MAX, 1);
    octets_put(out, a->total, 2);
    octets_put(out, a->count, 1);
    for (size_t i = 0; i < a->count; i++) {
        if (a->data[i].len > UINT16_MAX)
            return false;
        octets_put(out, a->data[i].len, 2);
        text_put(out, a->data[i]);
    }
    return !out->failed && out->len <= SHARED_ANSWER_MAX;
}

bool shared_answer_read(struct slice in, uint32_t ttl_s, struct slice data[DNS_DATA_MAX],
                        struct dns_answer *ret)
{
    uint64_t version, secure, cnames, total, count, len;
    if (!octets_get(&in, 1, &version) || version != SHARED_ANSWER_VERSION ||
        !octets_get(&in, 1, &secure) || secure > 1 || !octets_get(&in, 1, &cnames) ||
        !octets_get(&in, 2, &total) || !octets_get(&in, 1, &count) || count > DNS_DATA_MAX ||
        count > total)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!octets_get(&in, 2, &len) || !octets_take(&in, len, &data[i]))
            return false;
    if (in.len > 0)
        return false;
    *ret = (struct dns_answer){
        .status = DNS_OK,
        .secure = secure,
        .cnames = (unsigned)cnames,
        .ttl = ttl_s,
        .data = data,
        .count = count,
        .total = total,
    };
    return true;
}
