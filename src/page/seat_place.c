/* SPDX-License-Identifier: MIT */
/* seat_place.c - how many pages without a process of their own a client may have. */
#include "base/log.h"
#include "page/host.h"
#include "page/seat.h"

bool seat_take_place(struct page_host *host, const struct seat_wish *wish, struct room_place *place)
{
    if (program_limits_take_shared(program_host_room(host->spec.programs), &wish->client,
                                   host->spec.config->shared_per_client, place))
        return true;
    log_warn("program.refused", log_cause(net_client_slice(&wish->client)),
             log_slice("program", slice_of(wish->found->file)),
             log_text("reason", "too many pages"));
    program_host_counts(host->spec.programs)->refused_limit++;
    return false;
}
