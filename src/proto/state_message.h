/* SPDX-License-Identifier: MIT */
/* state_message.h - the messages by which a program's state goes to its client and comes back
 * (docs/protocol.md, section 12). `.stored N` and `.restored` are ordinary control messages.
 *
 * Pure: parsing gives slices into the input. The state is sealed, and so it is bytes here.
 */
#ifndef PROTO_STATE_MESSAGE_H
#define PROTO_STATE_MESSAGE_H

#include "base/slice.h"
#include "proto/status.h"

/* The first byte of a binary message that is a piece of a state: more of it follows. */
#define STATE_MORE 19

/* `.saved?N`, for a text message; for a binary one LF and bytes follow. */
#define STATE_SAVED_MAX (7 + 16 + 1)
/* Writes it, without a NUL to count; returns its length. `covers` is at most MESSAGE_CALL_MAX. */
size_t state_saved_write(uint64_t covers, char ret[STATE_SAVED_MAX]);

/* `.restore JSON` of the client: so long at most before its LF. */
#define STATE_RESTORE_HEAD_MAX 128

enum state_why {
    STATE_WHY_DEPLOY,
    STATE_WHY_CRASH,
    STATE_WHY_CHANGED,
    STATE_WHY_GONE
};

struct state_restore {
    enum state_why why;
    uint64_t resent;
    struct slice sealed; /* not empty */
    const char *fault;   /* with PARSE_BAD: a static text */
};

/* Whether a binary message begins as one. */
bool state_is_restore(struct slice data);
/* A whole binary message; never PARSE_MORE. */
enum parse_status state_parse_restore(struct slice data, struct state_restore *ret);

const char *state_why_name(enum state_why why);

#endif
