/* SPDX-License-Identifier: MIT */
#include "program/rights.h"

#include <stdlib.h>

struct program_rights {
    struct process_limit limits[RLIM_NLIMITS];
    struct process_rights all;
};

struct program_rights *program_rights_new(void)
{
    struct program_rights *rights = calloc(1, sizeof(*rights));
    if (rights)
        rights->all.limits = rights->limits;
    return rights;
}

void program_rights_free(struct program_rights *rights)
{
    free(rights);
}

void program_rights_limit(struct program_rights *rights, int resource, struct rlimit value)
{
    int at = 0;
    while (at < rights->all.limit_count && rights->limits[at].resource != resource)
        at++;
    rights->limits[at] = (struct process_limit){resource, value};
    if (at == rights->all.limit_count)
        rights->all.limit_count++;
}

const struct process_rights *program_rights_of(const struct program_rights *rights,
                                               const char *path)
{
    (void)path;
    return rights ? &rights->all : NULL;
}
