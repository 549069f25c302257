/* SPDX-License-Identifier: MIT */
/* table.h - the sessions of one worker, found by id, or by key while the client may not yet know
 * the id.
 *
 * An id is 18 bytes in base64url: 16 of getrandom(2), then the worker's index, so that any worker
 * can tell which worker has the session. In a cluster the last 4 of the 16 are the tag of the
 * server that made the session, a random number of its own. Comparison by hash of the whole id; ids
 * are never logged: session_log_id() is a short one-way mark for log lines.
 */
#ifndef SESSION_TABLE_H
#define SESSION_TABLE_H

#include "session/session.h"

struct session_table *session_table_new(uint16_t worker, uint32_t sessions_max);
/* The tag of ids that are made from now on; 0, as at first: none. */
void session_table_use_tag(struct session_table *t, uint32_t tag);
/* All sessions must be over. */
void session_table_free(struct session_table *t);
/* NULL if there is none. */
struct session *session_table_find(struct session_table *t, struct slice id);
/* A session started for a connection without a page, whose client has not yet come back with the
 * id. */
struct session *session_table_find_key(struct session_table *t, struct slice key);
uint32_t session_table_count(const struct session_table *t);
/* Calls `each` for each session; `each` may end sessions. */
void session_table_each(struct session_table *t, void (*each)(struct session *s, void *arg),
                        void *arg);

/* How a session has ended a short while ago: that of this id, or, with `id` SLICE_NONE, of this
 * key. The key must be its own in both cases. 0: not known; otherwise the close code, with its
 * `reason`, which is valid until the next session ends. */
unsigned session_table_ended(const struct session_table *t, struct slice id, struct slice key,
                             uint64_t now_ms, struct slice *reason);
/* The client has heard of the end that its wire has the number of. */
void session_table_end_heard(struct session_table *t, uint64_t number);

bool session_id_valid(struct slice id);
bool session_key_valid(struct slice key);
/* The worker whose table has the session of this id, which must be valid. */
uint16_t session_id_worker(struct slice id);
/* The tag of the server that made this valid id: of one without a cluster a random number. */
uint32_t session_id_tag(struct slice id);

#define SESSION_LOG_ID_LEN 8
void session_log_id(const struct session *s, char ret[SESSION_LOG_ID_LEN + 1]);

#endif
