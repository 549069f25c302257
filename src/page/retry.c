/* SPDX-License-Identifier: MIT */
#include "page/retry.h"

#include "page/host.h"

enum {
    RETRY_S = 5,
    BACK_A_SECOND = 4,
    SPREAD_S = 60
};

uint32_t page_retry_spread_s(struct page_host *host, uint32_t wait_s)
{
    uint64_t second = loop_now_ms(host->spec.loop) / 1000;
    if (second != host->sent_away_second)
        host->sent_away = 0;
    host->sent_away_second = second;
    uint32_t number = host->sent_away++;
    uint32_t rate = host->back_a_second ? host->back_a_second : BACK_A_SECOND;
    bool few = number < rate * SPREAD_S;
    return wait_s + (few ? number / rate : number % SPREAD_S);
}

uint32_t page_retry_s(struct page_host *host)
{
    return page_retry_spread_s(host, host->draining && host->retry_s ? host->retry_s : RETRY_S);
}
