/* SPDX-License-Identifier: MIT */
#include "cluster/retry_delay.h"

#include <sys/random.h>

uint64_t retry_delay_drawn(unsigned failures)
{
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
        chance = UINT32_MAX / 3;
    return retry_delay(failures, chance);
}
