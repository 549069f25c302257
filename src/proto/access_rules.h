/* SPDX-License-Identifier: MIT */
/* access_rules.h - the operator's rules, in the form of the proposal of 2008: `allow <*> exclude
 * <evilsite.example.com>, deny <b.example>`.
 *
 *     rules = rule *( "," rule )
 *     rule  = "allow" items [ "exclude" items ] / "deny" items
 *     items = 1*( "<" pat ">" )
 *
 * Spaces, tabs and line ends may stand between any two of these. Patterns are those of
 * access_pattern.h. Those of `exclude` are read as in a deny and restrict only their own rule. A
 * `deny` that matches wins wherever it stands. Rules that can't be parsed refuse every origin.
 *
 * Pure. Cost: one pass over the text; nothing is kept between calls.
 */
#ifndef PROTO_ACCESS_RULES_H
#define PROTO_ACCESS_RULES_H

#include "proto/access_pattern.h"

/* Whether the text is well-formed; an empty text is. Otherwise *fault is set. */
bool access_rules_check(struct slice text, struct access_fault *fault);

enum access_rules_match {
    ACCESS_RULES_ALLOW,
    ACCESS_RULES_DENY,   /* also: there are allow rules and none is for this origin */
    ACCESS_RULES_SILENT, /* no rule matches this origin, and there is no allow rule */
};

enum access_rules_match access_rules_match(struct slice text, const struct origin *origin,
                                           const struct public_suffixes *suffixes);

#endif
