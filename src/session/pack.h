/* SPDX-License-Identifier: MIT */
/* pack.h - sessions, for the process that takes over (docs/decisions/takeover.md). */
#ifndef SESSION_PACK_H
#define SESSION_PACK_H

#include "session/session.h"

struct pack;

/* Fields of a session that is not LEAVING and not OVER; nothing changes here. */
void session_pack(const struct session *s, struct pack *p);
/* The session of these fields, in place of session_new(); `spec` without origin and path. It has
 * the streams that it had, each to be reclaimed by its owner, and no wire: either session_go_on()
 * or session_miss_wire() follows, once the owner is whole. NULL: it can't be read, or there is no
 * memory. */
struct session *session_unpack(struct loop *loop, const struct session_spec *spec, struct slice in);
/* NULL: it is not attached. */
struct session_wire *session_wire_of(const struct session *s);
/* Its wire has come over. */
void session_go_on(struct session *s, struct session_wire *wire);
/* No wire has come over: if there was one, the owner hears on_detach. */
void session_miss_wire(struct session *s, const char *reason);
/* The stream of this number, which is its owner's again; NULL: there is none. */
struct channel *session_reclaim(struct session *s, uint32_t number, const struct channel_ops *ops,
                                void *owner);
/* Resets the streams that nobody has reclaimed. */
void session_reset_unclaimed(struct session *s, struct slice json);

/* How sessions have ended. */
void session_table_pack(const struct session_table *t, struct pack *p);
void session_table_unpack(struct session_table *t, struct slice in);

#endif
