/* SPDX-License-Identifier: MIT */
/* access_steps.h - the steps of one check and their order, for access.c alone.
 *
 * A step looks at one thing. It says whether the next step follows, whether the check is decided
 * (the result is then set), or whether an answer has to come first.
 */
#ifndef ACCESS_ACCESS_STEPS_H
#define ACCESS_ACCESS_STEPS_H

#include "access/access.h"

enum step {
    STEP_NEXT,
    STEP_DECIDED,
    STEP_WAIT
};
typedef enum step step_fn(struct access *a, struct access_check *c);

/* By enum access_path; each list ends with NULL. */
extern step_fn *const *const access_steps[];

void access_check_set_state(struct access_check *c, enum access_check_state state);

/* Sets the refusal; STEP_DECIDED. */
enum step step_refuse(struct access_check *c, enum access_reason reason, uint32_t retry_s);

/* Takes over what a look-up found: STEP_NEXT if it allows, else STEP_DECIDED. */
enum step step_take_outcome(struct access_check *c, const struct lookup_outcome *outcome);

/* The question of the check to the verdicts; `web` holds the target of a web request. */
struct verdict_question step_question(const struct access_check *c, struct target *web);

#endif
