/* SPDX-License-Identifier: MIT */
#include "http/access_log.h"

#include "base/log.h"
#include "base/log_sink.h"
#include "base/text.h"
#include "proto/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOM     (1u << 20)
#define CLOSE_MS 1000

/* Bytes that a text of the client's takes at most, escaped: so a line of all of them is whole. */
#define TARGET_MAX 2048
#define HEADER_MAX 600
#define METHOD_MAX 64

struct access_log {
    struct log_sink *sink;
    enum access_log_format format;
    char path[]; /* "-": stdout */
};

static bool is_stdout(const struct access_log *log)
{
    return strcmp(log->path, "-") == 0;
}

static int open_file(const struct access_log *log)
{
    if (is_stdout(log))
        return STDOUT_FILENO;
    /* A FIFO is opened for reading too: so it needs no reader, and outlives each. */
    struct stat status;
    bool is_fifo = stat(log->path, &status) == 0 && S_ISFIFO(status.st_mode);
    int fd =
        open(log->path,
             (is_fifo ? O_RDWR | O_NONBLOCK : O_WRONLY) | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
             0640);
    return fd < 0 ? -errno : fd;
}

/* The file itself has no line for it that its readers would know. */
static size_t say_lost(char line[LOG_SINK_LINE_MAX], uint64_t lines)
{
    (void)line;
    log_warn("log.access_lost", log_int("lines", lines));
    return 0;
}

struct access_log *access_log_open(const char *path, enum access_log_format format, int *error)
{
    size_t size = strlen(path) + 1;
    struct access_log *log = log_needed(calloc(1, sizeof(*log) + size));
    *error = -ENOMEM;
    if (!log)
        return NULL;
    log->format = format;
    memcpy(log->path, path, size);
    int fd = open_file(log);
    if (fd >= 0)
        log->sink = log_sink_new(&(struct log_sink_spec){
            .fd = fd, .owns_fd = !is_stdout(log), .room = ROOM, .say_lost = say_lost});
    if (log->sink)
        return log;
    if (fd < 0)
        *error = fd;
    else if (!is_stdout(log))
        close(fd);
    free(log);
    return NULL;
}

int access_log_reopen(struct access_log *log)
{
    if (is_stdout(log))
        return 0;
    int fd = open_file(log);
    if (fd < 0)
        return fd;
    log_sink_use(log->sink, fd);
    return 0;
}

/* ---- a line ---- */

static struct slice header(const struct access_log_entry *e, const char *name)
{
    return e->head ? http_head_find(e->head, slice_of(name)) : SLICE_NONE;
}

/* As much of the beginning of `s` as takes at most `max` bytes when `put` has written it. */
static void put_cut(struct text *line, struct slice s, size_t max,
                    void (*put)(struct text *line, struct slice s))
{
    size_t before = line->len;
    for (s = slice_first(s, max);; s.len /= 2) {
        put(line, s);
        if (!line->failed && line->len - before <= max)
            return;
        line->len = before;
        line->failed = false;
    }
}

static void put_escaped(struct text *line, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            text_printf(line, "\\x%02X", c);
        else
            text_put(line, slice_make(s.ptr + i, 1));
    }
}

static void put_quoted(struct text *line, struct slice s)
{
    text_put(line, SLICE_LITERAL(" \""));
    put_cut(line, s.len > 0 ? s : SLICE_LITERAL("-"), HEADER_MAX, put_escaped);
    text_put(line, SLICE_LITERAL("\""));
}

static void put_combined(struct text *line, const struct access_log_entry *e, struct slice client,
                         const struct tm *utc)
{
    char stamp[64];
    strftime(stamp, sizeof(stamp), "%d/%b/%Y:%H:%M:%S +0000", utc);
    text_printf(line, "%.*s - - [%s]", SLICE_ARG(client), stamp);
    if (e->head) {
        text_put(line, SLICE_LITERAL(" \""));
        put_cut(line, e->head->method, METHOD_MAX, put_escaped);
        text_put(line, SLICE_LITERAL(" "));
        put_cut(line, e->head->target, TARGET_MAX, put_escaped);
        text_printf(line, " HTTP/1.%d\"", e->head->minor);
    } else {
        put_quoted(line, SLICE_NONE);
    }
    text_printf(line, " %d %llu", e->status, (unsigned long long)e->bytes);
    put_quoted(line, header(e, "referer"));
    put_quoted(line, header(e, "user-agent"));
}

static void put_member(struct text *line, const char *name, struct slice value, size_t max)
{
    if (!value.ptr)
        return;
    text_printf(line, ",\"%s\":", name);
    put_cut(line, value, max, json_text_put);
}

static void put_json(struct text *line, const struct access_log_entry *e, struct slice client,
                     const struct tm *utc)
{
    char stamp[64];
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", utc);
    json_text_begin(line);
    json_text_string(line, "time", slice_of(stamp));
    json_text_string(line, "address", client);
    if (e->head) {
        put_member(line, "method", e->head->method, METHOD_MAX);
        put_member(line, "target", e->head->target, TARGET_MAX);
        put_member(line, "host", e->head->host, HEADER_MAX);
        json_text_string(line, "protocol",
                         e->head->minor ? SLICE_LITERAL("HTTP/1.1") : SLICE_LITERAL("HTTP/1.0"));
    }
    json_text_number(line, "status", e->status);
    json_text_number(line, "bytes", (int64_t)e->bytes);
    json_text_number(line, "ms", (int64_t)e->ms);
    put_member(line, "referer", header(e, "referer"), HEADER_MAX);
    put_member(line, "agent", header(e, "user-agent"), HEADER_MAX);
    json_text_end(line);
}

void access_log_write(struct access_log *log, const struct access_log_entry *e)
{
    char bytes[LOG_SINK_LINE_MAX], address[NET_ADDRESS_TEXT_MAX];
    struct text line = TEXT_IN(bytes);
    struct slice client = SLICE_LITERAL("-");
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    if (e->client)
        client = slice_make(address, net_address_print_host(e->client, address));
    if (log->format == ACCESS_LOG_JSON)
        put_json(&line, e, client, &utc);
    else
        put_combined(&line, e, client, &utc);
    text_put(&line, SLICE_LITERAL("\n"));
    log_sink_put(log->sink, text_slice(&line), false);
}

uint64_t access_log_lost(struct access_log *log)
{
    return log_sink_lost(log->sink);
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    log_sink_close(log->sink, CLOSE_MS);
    free(log);
}
