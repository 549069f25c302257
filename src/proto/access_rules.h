/* SPDX-License-Identifier: MIT */
/* access_rules.h - the operator's rules, in the form of 2008: `allow <*> exclude
 * <evilsite.example.com>, deny <b.example>`.
 *
 *     rules = rule *( "," rule )
 *     rule  = "allow" items [ "exclude" items ] / "deny" items
 *     items = 1*( "<" pat ">" )
 *
 * Spaces, tabs and line ends may stand between any two of these. Patterns are those of
 * access_pattern.h; `exclude` is read as a deny, for its own rule. A `deny` that matches wins
 * wherever it stands. What can't be read refuses everybody.
 *
 * Pure. Cost: one pass over the text; nothing is kept between calls.
 */
#ifndef PROTO_ACCESS_RULES_H
#define PROTO_ACCESS_RULES_H

#include "proto/access_pattern.h"

/* Whether the text is well-formed; no rule at all is. *fault is set if not. */
bool access_rules_check(struct slice text, struct access_fault *fault);

enum access_rules_match {
    ACCESS_RULES_ALLOW,
    ACCESS_RULES_DENY,   /* also: there are allow rules and none is for this origin */
    ACCESS_RULES_SILENT, /* no rule is about this origin, and none says who may */
};

enum access_rules_match access_rules_match(struct slice text, const struct origin *origin,
                                           const struct public_suffixes *suffixes);

#endif
