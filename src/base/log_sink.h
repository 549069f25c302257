/* SPDX-License-Identifier: MIT */
/* log_sink.h - lines on their way to a descriptor that may stall: a pipe that nobody reads, a
 * terminal after Ctrl-S, a full or slow disk.
 *
 * A thread of the sink writes; whoever puts a line never waits for the descriptor. Lines that find
 * no room, and lines that the descriptor refuses, are lost: they are counted, and as soon as there
 * is room again one line says how many are missing.
 *
 * Lifetime  From log_sink_new() to log_sink_close().
 * Threads   Any, for log_sink_put, _use and _lost. The sink's thread takes no signals.
 * Memory    The room that the maker gives, at once.
 * Cost      A put copies the line under a mutex; a system call only if the thread sleeps. The
 *           thread writes as many whole lines at once as PIPE_BUF holds, so that lines of several
 *           processes in one pipe never mix. One that gathers writes every 5 ms only while lines
 *           come less than 20 ms after another: they are lost if the process is killed meanwhile.
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include "base/slice.h"

/* With its LF. A longer line is cut. */
#define LOG_SINK_LINE_MAX 4096

struct log_sink;

struct log_sink_spec {
    int fd; /* borrowed, unless `owns_fd` */
    bool owns_fd;
    bool gathers; /* see Cost */
    size_t room;  /* bytes of lines that wait: at least 2 * LOG_SINK_LINE_MAX */
    /* Writes the line, with its LF, that says that so many lines are missing. Returns its length.
     * Called by any thread, under the sink's mutex. */
    size_t (*say_lost)(char line[LOG_SINK_LINE_MAX], uint64_t lines);
};

/* NULL without memory or a thread; then the descriptor is the caller's in any case. */
struct log_sink *log_sink_new(const struct log_sink_spec *spec);
/* A whole line with its LF. `at_once`: it does not wait for others. Returns false if the line is
 * lost. */
bool log_sink_put(struct log_sink *sink, struct slice line, bool at_once);
/* Lines that are put from now on go to `fd`, which the sink owns from here on. What waits for the
 * descriptor before goes there too: a file that was renamed is written no longer. */
void log_sink_use(struct log_sink *sink, int fd);
/* Whether more than half of the room is taken although the descriptor takes lines: whoever can put
 * lines later should. False once the descriptor has stalled for a second: there is no use in
 * waiting. */
bool log_sink_is_crowded(struct log_sink *sink);
/* How many lines were lost so far. */
uint64_t log_sink_lost(struct log_sink *sink);
/* Writes what waits, for `patience_ms` at most, and ends the thread. A thread that its descriptor
 * holds longer is left behind: it frees the sink when the descriptor lets it go. */
void log_sink_close(struct log_sink *sink, uint32_t patience_ms);

#endif
