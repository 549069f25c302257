/* SPDX-License-Identifier: MIT */
/* state.h - the state of a session's program on its way to the client, and back from it
 * (docs/protocol.md, section 12). Private to this room; owners call session_save(),
 * session_cover().
 *
 *     session_save ──> waits ──> sealed, under way ──`.saved?N`──> asked ──`.stored N`──> the client's
 *                      ^   a newer one takes its place
 *
 * One state is under way at a time and one waits, whatever the program does. A large one goes in
 * pieces, one after the other's `.pong`, so that messages overtake it. What the client has not
 * answered goes again on the next wire, or a newer state in its place.
 *
 * Order    A state leaves when the wire has got all messages that were sent before it.
 * Bounds   Two states, of which the owner bounds each.
 * Memory   None before the first state; then some 150 B, and what is under way.
 */
#ifndef SESSION_STATE_H
#define SESSION_STATE_H

#include "session/parts.h"

/* False without memory. For a session that is restored, at its beginning. */
bool session_state_await(struct session *s);
/* Its wire has come, and messages have been sent again; its wire is gone. */
void session_state_attached(struct session *s);
void session_state_detached(struct session *s);
/* Something may go out now. */
void session_state_pump(struct session *s);
/* What there is goes out at once: the session ends. */
void session_state_flush(struct session *s);
/* `.stored N`; `.pong`; `.restore`. They may end the session. */
void session_state_stored(struct session *s, struct slice number);
void session_state_ponged(struct session *s);
void session_state_restore(struct session *s, struct slice message);
/* The client has not sent its `.restore` in time. */
bool session_state_is_late(const struct session *s);
size_t session_state_held(const struct session *s);
/* For the process that takes over. False without memory. */
void session_state_pack(const struct session *s, struct pack *p);
bool session_state_unpack(struct session *s, struct slice in);
void session_state_go_on(struct session *s);
void session_state_free(struct session *s);

#endif
