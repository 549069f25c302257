/* SPDX-License-Identifier: MIT */
/* close_code.h - the close codes of WebSockets, by their names in close_codes.def.
 *
 * Pure. The enum has only the codes that mean something here: a peer may send any other, so codes
 * that come from a peer are plain `unsigned`.
 */
#ifndef PROTO_CLOSE_CODE_H
#define PROTO_CLOSE_CODE_H

enum close_code {
#define CLOSE_CODE(name, code, then, then_retry, kept, tokens, text) CLOSE_##name = code,
#include "proto/close_codes.def"
#undef CLOSE_CODE
};

/* A refusal that has an HTTP status, as a close code: 503 is 1013, any other 4000 + status. */
unsigned close_code_of_status(int status);

/* The way back; 409 for a code that has no status of its own. */
int close_code_status(unsigned code);

#endif
