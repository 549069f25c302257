/* SPDX-License-Identifier: MIT */
/* ended.h - how the sessions that ended a short while ago have ended, for clients that lost their
 * connection with the close frame on it, and come back to a session that is gone.
 *
 * The last ENDED_MAX of them, for ENDED_MS: a flood of sessions that end makes it forget earlier.
 *
 * Memory   None before the first session has ended, then about 112 KiB a worker.
 * Cost     A look-up compares ENDED_MAX numbers; only for a session that is not there.
 * Threads  Loop thread only.
 */
#ifndef SESSION_ENDED_H
#define SESSION_ENDED_H

#include "session/entry.h"

struct pack;

#define ENDED_MAX        512
#define ENDED_MS         120000
#define ENDED_REASON_MAX 120

struct ended_session;

struct ended {
    struct ended_session *ring; /* owned; NULL: none has ended */
    uint64_t last;              /* the number of the last one */
};

void ended_done(struct ended *e);
/* Returns the number of this end; 0: it is not noted, for want of memory, or since no key is bound,
 * so that nobody could ask. */
uint64_t ended_note(struct ended *e, const struct entry *session, unsigned code,
                    struct slice reason, uint64_t now_ms);
/* The client has heard of this end. */
void ended_forget(struct ended *e, uint64_t number);
/* The end of the session of this id, or, with `id` SLICE_NONE, of this key; 0: not known, or the
 * key is another one. `reason` is valid until the next session ends. */
unsigned ended_find(const struct ended *e, struct slice id, struct slice key, uint64_t now_ms,
                    struct slice *reason);

/* For the process that takes over. */
void ended_pack(const struct ended *e, struct pack *p);
void ended_unpack(struct ended *e, struct slice in);

#endif
