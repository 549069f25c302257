/* SPDX-License-Identifier: MIT */
/* rights.h - what programs may do: their limits, and as which users they run.
 *
 * Made of settings, whole and checked, and then never changed.
 *
 * Threads  Making one is the control thread's; any may look.
 */
#ifndef PROGRAM_RIGHTS_H
#define PROGRAM_RIGHTS_H

#include "base/text.h"
#include "net/process.h"

struct program_rights;

/* `may_gain`: by files that are setuid. NULL without memory. */
struct program_rights *program_rights_new(bool may_gain);
void program_rights_free(struct program_rights *rights);

/* In place of an earlier one for the same resource. */
void program_rights_limit(struct program_rights *rights, int resource, struct rlimit value);
/* `[PATTERN=]USER[:GROUP]`, names or numbers: programs whose path below the root matches, or all
 * others, run as this user, with the user's groups. The first pattern that matches counts. False
 * with `why`, which is empty without memory. After all limits. */
bool program_rights_user(struct program_rights *rights, const char *text, struct text *why);
/* Can this process start programs as these users, and end them? False with `why`. */
bool program_rights_can(const struct program_rights *rights, struct text *why);

/* `path` of a program, below the root, with its slash. `rights` may be NULL: those of any child. */
const struct process_rights *program_rights_of(const struct program_rights *rights,
                                               const char *path);

#endif
