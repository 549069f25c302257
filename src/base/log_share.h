/* SPDX-License-Identifier: MIT */
/* log_share.h - how many lines of the log one cause may have.
 *
 * Each cause has a share of each event, and all causes together have a larger one of it: a peer
 * that floods the log hides its own lines, and not those of others. What is left out is counted by
 * event, and told by log_share_tell(), which is to be called every few seconds.
 *
 *     log.left_out event=tcp.closed lines=33412
 *
 * Memory   Fixed: 128 KiB for the shares, and a row for each event. Under a flood from more causes
 *          than fit, the share that is least used is forgotten.
 * Threads  Any.
 * Cost     Of a line with a cause: two hashes, two cache lines, a clock. Of others: nothing.
 */
#ifndef BASE_LOG_SHARE_H
#define BASE_LOG_SHARE_H

#include "base/slice.h"

enum {
    LOG_SHARE_BURST = 50,     /* lines of one event and one cause at once, */
    LOG_SHARE_PER_SECOND = 2, /* and then a second */
    LOG_SHARE_ALL_BURST = 2000,
    LOG_SHARE_ALL_PER_SECOND = 200 /* of one event, whatever the cause */
};

/* To be called before any thread is started. Without memory there are no shares, and no line is
 * left out. */
void log_share_start(void);

/* May this cause have one more line of the event? If not, the line is counted as left out. `event`
 * is a literal. */
bool log_share_take(const char *event, struct slice cause);

/* Writes `log.left_out` (warn) for each event of which lines were left out since the last call. */
void log_share_tell(void);
/* All lines that were left out since the start. */
uint64_t log_share_left_out(void);

#endif
