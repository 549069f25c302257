/* SPDX-License-Identifier: MIT */
/* access_log.h - one line a request, for the tools that read such lines.
 *
 *   combined  192.0.2.7 - - [29/Nov/2026:15:00:00 +0000] "GET /a HTTP/1.1" 200 17 "referer" "agent"
 *             Bytes that could end a field or control a terminal are written as \xHH.
 *   json      one object: time, address, method, target, host, protocol, status, bytes, ms,
 *             referer, agent
 *
 * A request is logged when its answer is complete, given up, or has become a WebSocket (101). 499
 * is the status of a request whose client left before an answer began, as nginx has it. A line
 * holds 4 KiB: a target is cut at 2 KiB, another text of the client's at 600 bytes.
 *
 * Lifetime  Made before the servers that use it, closed after the last of them has let it go.
 * Threads   Any, except for reopening and closing: one thread.
 * Cost      A system call for the client's address, a copy under a mutex. A file that stalls costs
 *           lines (log_sink.h), not service.
 */
#ifndef HTTP_ACCESS_LOG_H
#define HTTP_ACCESS_LOG_H

#include "net/address.h"
#include "proto/http_head.h"

enum access_log_format {
    ACCESS_LOG_COMBINED,
    ACCESS_LOG_JSON
};

struct access_log;

struct access_log_entry {
    const struct net_address *client; /* NULL: unknown */
    const struct http_head *head;     /* NULL: the client sent none that can be read */
    int status;
    uint64_t bytes; /* of the answer's body, given to the connection */
    uint64_t ms;    /* from the request's head to the end of the answer */
};

/* `path` is created or appended to, with mode 0640; "-" is stdout. Returns NULL with *error set. */
struct access_log *access_log_open(const char *path, enum access_log_format format, int *error);
/* Opens the path once more, after it was renamed. Returns 0, or a negative errno and the old file
 * stays. */
int access_log_reopen(struct access_log *log);
void access_log_write(struct access_log *log, const struct access_log_entry *entry);
uint64_t access_log_lost(struct access_log *log);
void access_log_close(struct access_log *log);

#endif
