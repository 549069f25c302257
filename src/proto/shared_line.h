/* SPDX-License-Identifier: MIT */
/* shared_line.h - the lines that a program of many pages writes on descriptor 3: `@SESSION ` and a
 * message, or a command of the process without a session.
 *
 * Pure. A bad line ends only its own session, as long as the end of the line is known.
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
 * length of the line if its end is known and its session is well-formed, otherwise 0: the session
 * at fault, or the beginning of the next line, is then unknown. */
enum parse_status shared_line_parse(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                    size_t *want, struct shared_line *ret);

/* The same by message_parse_line_escaped(). */
enum parse_status shared_line_parse_escaped(struct slice in, size_t seen, size_t max_bytes,
                                            size_t *used, size_t *want, struct shared_line *ret);

/* Whether `session` has 1 to SHARED_SESSION_MAX bytes, all of them allowed. */
bool shared_session_valid(struct slice session);

#endif
