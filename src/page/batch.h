/* SPDX-License-Identifier: MIT */
/* batch.h - events of a topic that came together, as frames for the WebSockets of pages: made for
 * the first page that gets them, and sent to all pages from where they are.
 */
#ifndef PAGE_BATCH_H
#define PAGE_BATCH_H

#include "hub/hub.h"
#include "session/outbox.h"

/* Each as the message `NAME DATA` of a session, and how many bytes these are. False: they have to
 * go one by one, since there is no memory or one is longer than SESSION_SHARED_MAX. The batch keeps
 * the reference. */
size_t batch_payload(const struct hub_batch *batch);
bool batch_for_sessions(struct hub_batch *batch, struct outbox_frames *ret);

/* Each as clients of the plain form get it. False: they have to go one by one, since there is no
 * memory, or not all of them can be sent to such a client. */
bool batch_for_plain(struct hub_batch *batch, size_t message_max, struct outbox_frames *ret);

#endif
