/* SPDX-License-Identifier: MIT */
/* close_code.h - the close codes of WebSockets, by their names in close_codes.def.
 *
 * Pure. The enum has only the codes that mean something here: a peer may send any other, so codes
 * that come from a peer are plain `unsigned`.
 */
#ifndef PROTO_CLOSE_CODE_H
#define PROTO_CLOSE_CODE_H

#include <stdbool.h>

enum close_code {
#define CLOSE_CODE(name, code, then, then_retry, kept, tokens, text) CLOSE_##name = code,
#include "proto/close_codes.def"
#undef CLOSE_CODE
};

/* What a client does next. close_code_then() and close_code_kept() take any code, also one without
 * a name. */
enum close_then {
    THEN_RESUME, /* the connection is lost, the session is not */
    THEN_WAIT,   /* like THEN_RESUME, but not at once, and not before the N of `retry=N` */
    THEN_FINAL   /* the session is over */
};

enum close_then close_code_then(unsigned code, bool has_retry);

/* What a client remembers for N seconds, for its other connections to the same target. */
enum close_kept {
    KEEP_NOTHING,
    KEEP_BAN,  /* no connection is made */
    KEEP_SPARE /* the server is out of order: a new connection waits as well */
};

enum close_kept close_code_kept(unsigned code);

/* A refusal that has an HTTP status, as a close code: 503 is 1013, any other 4000 + status. */
unsigned close_code_of_status(int status);

/* The HTTP status of such a code, the inverse of close_code_of_status(); 409 for a code that has no
 * status of its own. */
int close_code_status(unsigned code);

#endif
