/* SPDX-License-Identifier: MIT */
/* log.h - one line per event, on stderr.
 *
 * An event has a dotted name (`session.closed`) and key=value pairs. Every text value is cut at 256
 * bytes. A value of more than one word is quoted and escaped (UTF-8 stays), whatever its source, so
 * that no peer can forge a line. log_text takes a C string, log_slice a slice. A line holds 4 KiB;
 * fields that do not fit are left out and `cut=true` says so.
 *
 * Text: `2026-11-23T15:00:00.123Z info session.closed id=3f reason=gone`; json: one object per line
 * with `time`, `level`, `event` and the keys.
 *
 *     log_info("program.started", log_int("pid", pid), log_text("path", path));
 *
 * A line that a peer can cause as often as it likes names it, by log_cause(): beyond the share of
 * that peer the lines of this event are left out and counted.
 *
 * Threads  Any. One write(2) per line, so that lines never mix. After log_start() a thread writes
 *          (log_sink.h): no other thread waits for a stderr that stalls. `log.lost lines=N` says
 *          how many lines found no room meanwhile.
 * Cost     Below the level: one comparison, arguments not evaluated.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
    LOG_NOTHING
};
enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
};

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_INT,
    LOG_KIND_SLICE,
    LOG_KIND_ERRNO,
    LOG_KIND_CAUSE
};

struct log_field {
    enum log_kind kind;
    const char *key;
    int64_t number;
    struct slice slice;
};

#define log_int(k, v) ((struct log_field){.kind = LOG_KIND_INT, .key = (k), .number = (int64_t)(v)})
#define log_text(k, v)                                                                             \
    ((struct log_field){.kind = LOG_KIND_SLICE, .key = (k), .slice = slice_of(v)})
#define log_slice(k, v) ((struct log_field){.kind = LOG_KIND_SLICE, .key = (k), .slice = (v)})
/* `v` is a positive or negative errno; the text is strerror's. */
#define log_errno(k, v) ((struct log_field){.kind = LOG_KIND_ERRNO, .key = (k), .number = (v)})

/* Whose doing the line is, such as the bytes of a net_client_key: not written. The line counts
 * against the share of that cause (log_share.h), so that no peer floods the log. */
#define log_cause(v) ((struct log_field){.kind = LOG_KIND_CAUSE, .slice = (v)})

/* Passes on what an allocation gave. Of NULL the log says which function needed the memory:
 * `memory.failed by=FUNCTION`. */
#define log_needed(memory) log_needed_by((memory), __func__)
void *log_needed_by(void *memory, const char *function);
/* As log_needed(), for a call that gave this errno. Others than those of a lack (memory,
 * descriptors, room) are passed over: they are the other side's doing. */
void log_lack(const char *what, int error);

#define log_at(level, event, ...)                                                                  \
    do {                                                                                           \
        if ((level) >= log_threshold)                                                              \
            log_write((level), (event), (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});      \
    } while (0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

extern enum log_level log_threshold;

/* To be called before any thread is started. */
void log_setup(enum log_level threshold, enum log_format format);
/* For a library: nothing is logged, unless log_setup() was called. */
void log_silence(void);

/* For a process without threads: a line for which stderr has no room now is lost, and counted, so
 * that no line is waited for. */
void log_never_wait(void);
/* Lines go by way of a thread from now on. Call before the threads that log are started, and
 * log_stop() after they have ended. Without memory for it the log goes on as it was. */
void log_start(void);
/* Writes what waits, within a second: a stderr that stalls does not keep the process. */
void log_stop(void);
/* Whether stderr takes lines more slowly than they come: see log_sink_is_crowded(). */
bool log_is_crowded(void);
/* How many lines were lost since log_start(). */
uint64_t log_lost(void);

/* The array ends with a field of kind LOG_KIND_END. Used through the macros. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* `debug`, `info`, `warn`, `error`, `nothing`; false and *ret untouched for anything else. */
bool log_level_parse(struct slice name, enum log_level *ret);

#endif
