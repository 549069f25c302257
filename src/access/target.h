/* SPDX-License-Identifier: MIT */
/* target.h - the target that a page asks the gateway to connect to: HOST:PORT, made into a name of
 * the DNS.
 *
 * The host goes through UTS 46 (non-transitional) to A-labels, lower case, one trailing dot
 * dropped. Refused are address literals in every spelling that a resolver might take for one,
 * single labels and the special-use names (RFC 6761 and its registry), `.test` and `.example`
 * aside: those are ordinary names to a client.
 *
 * Threads  Any. Cost: libidn2 for a name that is not plain ASCII; no I/O.
 */
#ifndef ACCESS_TARGET_H
#define ACCESS_TARGET_H

#include "access/reason.h"

#define TARGET_HOST_SIZE 254
#define TARGET_TEXT_SIZE (TARGET_HOST_SIZE + 6)

struct target {
    char host[TARGET_HOST_SIZE]; /* A-labels, lower case, no trailing dot, NUL-terminated */
    uint16_t port;
};

/* True, or false with *why one of ACCESS_TARGET_SYNTAX, _IP_LITERAL, _SPECIAL_NAME. *ret is set
 * with the last one too: such a name may be that of the machine itself. */
bool target_parse(struct slice text, struct target *ret, enum access_reason *why);

/* HOST:PORT. */
struct slice target_write(const struct target *t, char text[TARGET_TEXT_SIZE]);

/* Whether a host (lower case, ASCII, no trailing dot) is a single label or a special-use name. */
bool name_is_special(struct slice host);

#endif
