/* SPDX-License-Identifier: MIT */
/* shared_line.h - what a program that has many pages writes on descriptor 3: `@SESSION ` and a
 * message, or a command of its own without a session.
 *
 * Pure. A line that is wrong costs its session, and not the others', as long as its end is known.
 */
#ifndef PROTO_SHARED_LINE_H
#define PROTO_SHARED_LINE_H

#include "proto/message.h"

/* Bytes of SESSION: A-Z a-z 0-9 - _. */
#define SHARED_SESSION_MAX 64

struct shared_line {
    struct slice session; /* empty: a command of the process */
    struct message m;
};

/* As message_parse_line; `max_bytes` is for the message alone. PARSE_BAD: `m.why`; *used is the
 * length of the line if its end is known and its session is well-formed, otherwise 0: then nobody
 * can tell whose fault it is, or where the next line begins. */
enum parse_status shared_line_parse(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                    size_t *want, struct shared_line *ret);

/* Is it one, with bytes that it may have? */
bool shared_session_valid(struct slice session);

#endif
