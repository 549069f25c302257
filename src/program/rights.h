/* SPDX-License-Identifier: MIT */
/* rights.h - what programs may do: their limits.
 *
 * Made of settings, whole and checked, and then never changed.
 *
 * Threads  Making one is the control thread's; any may look.
 */
#ifndef PROGRAM_RIGHTS_H
#define PROGRAM_RIGHTS_H

#include "net/process.h"

struct program_rights;

/* NULL without memory. */
struct program_rights *program_rights_new(void);
void program_rights_free(struct program_rights *rights);

/* In place of an earlier one for the same resource. */
void program_rights_limit(struct program_rights *rights, int resource, struct rlimit value);

/* `path` of a program, below the root, with its slash. `rights` may be NULL: those of any child. */
const struct process_rights *program_rights_of(const struct program_rights *rights,
                                               const char *path);

#endif
