/* SPDX-License-Identifier: MIT */
/* access_pattern.h - the patterns by which a script-access record or rule names origins.
 *
 *     pat = "*" / [("https"/"http") "://"] ["*."] a-label-name [":" (port/"*")]
 *
 * One pattern reads differently in an allow and in a deny, each time the safe way:
 *
 *   An allow matches no more than it says: `a.example` is https on 443; `*.a.example` is not
 *   `a.example`; a wildcard over one label or over a public suffix matches nothing.
 *
 *   A deny matches no less: `a.example` is every scheme and port, with a trailing dot too;
 *   `*.a.example` is `a.example` too.
 *
 * The opaque origin matches neither. Pure; a pattern borrows the text it was read from.
 */
#ifndef PROTO_ACCESS_PATTERN_H
#define PROTO_ACCESS_PATTERN_H

#include "proto/origin.h"

/* The most patterns that a list may have. */
#define ACCESS_PATTERNS_MAX 32

struct access_pattern {
    bool everything;           /* `*`; nothing else is set */
    bool wildcard;             /* `*.` stood before the name */
    bool any_port;             /* `:*` */
    uint16_t port;             /* 0: none was given */
    enum origin_scheme scheme; /* ORIGIN_OPAQUE: none was given */
    struct slice name;         /* as written: letters of either case */
};

/* Answers whether a name (lower case, no trailing dot) is a public suffix such as `co.uk`. Without
 * a list (NULL) every name counts as a public suffix. */
struct public_suffixes {
    bool (*is_suffix)(const void *ctx, struct slice name);
    const void *ctx; /* borrowed: lives as long as the program */
};

/* Where in a text a parser stopped, and what it expected there. */
struct access_fault {
    size_t at;
    const char *expected;
};

/* Parses one pattern and nothing else. On failure returns false, leaves *ret untouched and sets
 * *fault, unless that is NULL. */
bool access_pattern_parse(struct slice text, struct access_pattern *ret,
                          struct access_fault *fault);

/* Takes the next pattern off a list that access_patterns_check() has accepted. False at the end of
 * the list. */
bool access_pattern_next(struct slice *rest, struct access_pattern *ret);

/* 1 to ACCESS_PATTERNS_MAX patterns, separated by spaces, none before the first or after the last.
 */
bool access_patterns_check(struct slice list, struct access_fault *fault);

bool access_pattern_allows(const struct access_pattern *p, const struct origin *o,
                           const struct public_suffixes *suffixes);
bool access_pattern_denies(const struct access_pattern *p, const struct origin *o);

/* Whether the pattern names a target, as in `host=`. A pattern with a scheme names no target; one
 * without a port names every port. */
bool access_pattern_names(const struct access_pattern *p, struct slice host, uint16_t port,
                          const struct public_suffixes *suffixes);

bool access_patterns_allow(struct slice list, const struct origin *o,
                           const struct public_suffixes *suffixes);
bool access_patterns_deny(struct slice list, const struct origin *o);
bool access_patterns_name(struct slice list, struct slice host, uint16_t port,
                          const struct public_suffixes *suffixes);

#endif
