/* SPDX-License-Identifier: MIT */
/* seats.c - chooses the kind of seat for a page, by the kind of its program. */
#include "page/host.h"
#include "page/seat.h"
#include "program/shared.h"

#include <errno.h>

#define CROWDED_WAIT_S 5

bool seat_reads_lines(const struct page_host *host, const struct site_found *found)
{
    struct program_host *programs = host->spec.programs;
    return !host->spec.seats && found->kind == SITE_PROGRAM &&
           program_kinds_is_stdio_file(program_host_config(programs)->kinds,
                                       program_host_below_root(programs, found->file));
}

bool seat_error_is_broken(int error)
{
    return error == -ENOEXEC || error == -EACCES || error == -ENOENT;
}

static struct seat *find_shared(struct page_host *host, const struct seat_wish *wish,
                                uint32_t share, enum seat_refusal *ret_refusal,
                                uint32_t *ret_wait_s)
{
    int error;
    struct shared_process *process =
        shared_pick(host->spec.programs, wish->found->file, share, ret_wait_s, &error);
    if (process && shared_crowded(process)) {
        program_host_counts(host->spec.programs)->shared_crowded++;
        *ret_refusal = SEAT_CROWDED;
        *ret_wait_s = CROWDED_WAIT_S;
        return NULL;
    }
    if (process)
        return seat_shared_new(host, wish, process);
    if (*ret_wait_s > 0)
        *ret_refusal = SEAT_HELD_BACK;
    else if (seat_error_is_broken(error))
        *ret_refusal = SEAT_BROKEN;
    return NULL;
}

struct seat *seat_find_program(struct page_host *host, const struct seat_wish *wish,
                               enum seat_refusal *ret_refusal, uint32_t *ret_wait_s)
{
    if (wish->command || seat_reads_lines(host, wish->found))
        return seat_lines_new(host, wish);
    uint32_t share = shared_share(host->spec.programs, wish->found->file);
    if (share > 0)
        return find_shared(host, wish, share, ret_refusal, ret_wait_s);
    return seat_process_new(host, wish);
}

struct seat *seat_find(struct page_host *host, const struct seat_wish *wish,
                       enum seat_refusal *ret_refusal, uint32_t *ret_wait_s)
{
    struct seat_source *source = host->spec.seats;
    *ret_refusal = SEAT_FULL;
    *ret_wait_s = 0;
    if (host->draining)
        return NULL;
    if (source)
        return source->find(source, host, wish, ret_refusal, ret_wait_s);
    return seat_find_program(host, wish, ret_refusal, ret_wait_s);
}

struct seat *seat_unpack(struct page_host *host, enum seat_kind kind, struct slice in)
{
    switch (kind) {
    case SEAT_PROCESS:
        return seat_process_unpack(host, in);
    case SEAT_LINES:
        return seat_lines_unpack(host, in);
    case SEAT_SHARED:
        return seat_shared_unpack(host, in);
    case SEAT_NONE:
        break;
    }
    return NULL;
}
