/* SPDX-License-Identifier: MIT */
/* console.h - the developer's console: every message between the pages of this server and their
 * programs, as it happens, and faults on request.
 *
 *     GET  /.httpsocket/console/events     text/event-stream: one record a message
 *     POST /.httpsocket/console/fault      {"session":MARK,"latency":300} or
 *                                          {"session":MARK,"cut":2000}
 *
 * Records and faults travel by topics of their own, whose names no program can say: whoever looks
 * is told of the pages of all workers, in one order, with the short history that topics have. When
 * more happens than can be passed on, records are left out and counted.
 *
 * Bounds   CONSOLE_WATCHERS_MAX clients that look, in each worker; DATA_MAX bytes of each message.
 * Threads  The worker's.
 */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include "dev/parts.h"
#include "hub/hub.h"
#include "program/program.h"

struct console {
    struct dev *dev;
    struct hub_client *client; /* publishes records, hears of faults; NULL before console_begin() */
    uint64_t left_out;
    struct list watchers;
    uint32_t watcher_count;
};

struct topic_subscription console_subscription(struct slice topic);
struct topic_publication console_publication(struct slice topic, struct slice event,
                                             struct slice data);

/* ---- console.c: accept NULL for the console ---- */

struct console *console_new(struct dev *dev);
void console_free(struct console *c);
/* Turns away all clients that look. */
void console_drop(struct console *c);
void console_message(struct console *c, struct page *p, bool from_program, const struct message *m);
/* Something that happened, such as `connected`. */
void console_note(struct console *c, struct page *p, const char *what, struct slice text);
void console_stderr(struct console *c, const struct program *p, struct slice line);
/* The client of the exchange looks from now on. Takes the exchange. */
void console_watch(struct console *c, struct exchange *x);

/* ---- fault.c ---- */

/* From the first page on: by then all workers are there. */
void console_begin(struct console *c);
/* `console/events` or `console/fault`: takes the exchange. False: neither. */
bool console_request(struct console *c, struct exchange *x, struct slice name);
/* Each message of this connection waits so long, either way. */
void fault_delay(struct loop *loop, struct page_wire *wire, uint32_t latency_ms);

#endif
