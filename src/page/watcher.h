/* SPDX-License-Identifier: MIT */
/* watcher.h - a watcher sees pages while they are developed, and may do some things to them.
 *
 * A page calls its watcher by struct page_watcher_ops; without a watcher nothing of this costs more
 * than a look at a pointer.
 */
#ifndef PAGE_WATCHER_H
#define PAGE_WATCHER_H

#include "page/page.h"
#include "proto/message.h"

struct page;
struct page_wire;

enum page_event {
    PAGE_CONNECTED,    /* text: the client's address */
    PAGE_RESUMED,      /* text: the client's address */
    PAGE_DISCONNECTED, /* text: why */
    PAGE_GREETED,      /* a client has got `.welcome`: the time for page_tell() */
};

/* Slices are valid during the call. */
struct page_watcher_ops {
    /* Its program is about to be started, or joined. */
    void (*on_begin)(struct page_watcher *w, struct page *p);
    /* The page is over. The last call for it; also without on_begin. */
    void (*on_over)(struct page_watcher *w, struct page *p);
    /* A line of the program's stderr, or about what the program did wrong. */
    void (*on_line)(struct page_watcher *w, struct page *p, struct slice line);
    void (*on_message)(struct page_watcher *w, struct page *p, bool from_program,
                       const struct message *m);
    void (*on_event)(struct page_watcher *w, struct page *p, enum page_event event,
                     struct slice text);
    /* The page's session is about to end so. */
    void (*on_end)(struct page_watcher *w, struct page *p, unsigned code, struct slice reason);
    /* The program gave no answer: answers in its place, and takes the exchange. `end` is how the
     * program ended; empty if it runs. */
    void (*on_no_answer)(struct page_watcher *w, struct page *p, struct exchange *x, int status,
                         const char *why, struct slice end);
    /* May its session have a connection now? */
    bool (*admits)(struct page_watcher *w, struct page *p);
    /* Its session has this connection now. */
    void (*on_wire)(struct page_watcher *w, struct page *p, struct page_wire *wire);
};

struct page_watcher {
    const struct page_watcher_ops *ops;
};

/* ---- what it may ask of a page, and do to it ---- */

/* The watcher's own, to read and write. */
void **page_watched(struct page *p);
struct page_host *page_host_of(const struct page *p);
struct slice page_file(const struct page *p); /* of its program; NUL-terminated */
const char *page_mark(const struct page *p);  /* of its session, as in the log; may be empty */
int page_pid(const struct page *p);           /* of its program; 0: none */
/* Has its end been told? Then page_stop() has no effect. */
bool page_has_ended(const struct page *p);
/* Is a client connected? */
bool page_present(const struct page *p);
/* A control message to its client, not numbered and not kept. False: nobody is there. */
bool page_tell(struct page *p, struct slice text);
/* Ends its session and lets its program go. To be followed by page_settle(). */
void page_stop(struct page *p, unsigned code, struct slice reason);
void page_settle(struct page *p);
/* The page with this mark, or NULL. */
struct page *page_find(struct page_host *host, struct slice mark);
/* Its connection is lost. No effect without one. */
void page_cut(struct page *p);
/* Its connection, or NULL. */
struct page_wire *page_wire_of(struct page *p);

/* ---- what it may do to a connection ---- */

/* Stands between a session and its WebSocket. */
struct page_wire_filter {
    /* Takes a copy of the message, to page_wire_pass() it later. False: it passes at once. */
    bool (*take)(struct page_wire_filter *f, bool to_page, bool binary, const struct slice *pieces,
                 size_t count);
    /* The connection is about to be closed properly: what is for the page passes now. */
    void (*hurry)(struct page_wire_filter *f);
    /* The connection is gone: the last call. */
    void (*drop)(struct page_wire_filter *f);
};

/* NULL: it has none. */
struct page_wire_filter *page_wire_filter(const struct page_wire *wire);
/* At most once a wire. */
void page_wire_set_filter(struct page_wire *wire, struct page_wire_filter *filter);
/* May change the data, and may end the wire: then `drop` has been called. */
void page_wire_pass(struct page_wire *wire, bool to_page, bool binary, struct bytes data);

#endif
