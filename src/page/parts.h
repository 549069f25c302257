/* SPDX-License-Identifier: MIT */
/* parts.h - struct page, its life and its process. Private to this room, as the headers beside it
 * that have no public function.
 *
 *   SPOOLING ──page_start──> RUNNING ──page_let_go──> EOF_SENT ──eof_grace──> TERM_SENT ──term_grace──> KILL_SENT
 *      │                        │                         │                     │                       │
 *      │                        └── the leader exits: as page_let_go, for what is left of its group      │
 *      │                                                  │                     │                       │
 *      └── the client is gone, or no program starts ──────┴── leader and group are gone ────────────────┴──> GONE
 *
 * SPOOLING: a chunked body is gathered; there is no program yet.
 *
 * The states are those of the program's process (ending.c makes the transitions from RUNNING on);
 * the answer has its own, in answer.c. A page is freed (page_settle) when its process is gone and
 * nobody holds it any more: descriptors, exchange, session, plain WebSocket.
 *
 * What was written before the end is read to its end: the session is concluded when the process is
 * gone and descriptor 3 is at its end.
 */
#ifndef PAGE_PARTS_H
#define PAGE_PARTS_H

#include "core/io.h"
#include "net/process.h"
#include "page/page.h"

enum page_state {
    PAGE_SPOOLING,
    PAGE_RUNNING,
    PAGE_EOF_SENT,
    PAGE_TERM_SENT,
    PAGE_KILL_SENT,
    PAGE_GONE
};

enum page_kind {
    PAGE_ORDINARY, /* a request, a page with a session */
    PAGE_HEAD,     /* no body, no session */
    PAGE_DIRECT,   /* a client of httpsocket.v1 without a page */
    PAGE_PLAIN,    /* a WebSocket client without our subprotocol */
    PAGE_SHARED,   /* no client's: a process that has many pages */
};

/* Our end of one of the program's descriptors. */
struct page_pipe {
    struct io io;
    enum {
        PIPE_NONE,
        PIPE_OPEN,
        PIPE_CLOSED /* on_gone is still to come */
    } state;
    bool last; /* the process is gone: `left` more bytes are read, then it is closed, whoever else
                  holds the other end */
    size_t left;
};

struct page_answer;
struct page_shared;
struct page_member;

struct page {
    struct list node; /* page_host.pages */
    struct list
        connecting; /* page_host.connecting: a direct client is not let in; `session` lives */
    struct page_host *host;
    struct reap reap;
    enum page_state state;
    enum page_kind kind;
    char mark[SESSION_LOG_ID_LEN + 1]; /* of the session, for log lines; empty: none */

    char *text;        /* owned: the strings below are parts of it */
    struct slice file; /* also NUL-terminated */
    struct slice origin;
    struct slice key;                   /* of PAGE_DIRECT */
    char address[NET_ADDRESS_TEXT_MAX]; /* of the last client */
    size_t script_len;
    const struct page_stdio_command *command; /* borrowed, until it is started; NULL: a file */

    struct exchange *x;         /* NULL: the answer is complete, or the client is gone */
    struct page_answer *answer; /* owned; NULL: what comes on stdout is dropped */
    struct session *session;    /* until on_over */
    struct ws_peer *plain;
    struct page_grant *grant; /* of `x` while it waits, of `plain`; NULL: none */
    bool same_origin;
    struct page_shared *shared; /* owned; a process that has many pages; NULL: it has one */
    struct page_member *member; /* owned; one of those pages: it has no process; NULL: none */
    bool said;                  /* it has begun to write on descriptor 3 */
    bool stdio;                 /* stdio.c: `events` is its stdout, `in` its stdin */
    bool session_done;          /* session_end or session_abort has been called */
    bool attached;              /* has been, at least once */
    bool spoke;                 /* the program has written a message on descriptor 3 */
    uint32_t problems;          /* of the page with what the program wanted of it, so far */
    bool excess;                /* it was logged that stdout goes on after the answer */
    bool shut;                  /* end of file was sent on descriptor 3 */
    bool let_go;

    struct process process;
    bool exited;  /* the leader is reaped */
    bool started; /* a process was made */
    bool counted; /* in program_limits */
    bool freeing;
    int status;
    struct net_client_key client;      /* who started it, for program_limits */
    struct net_client_key last_client; /* whose connection is the last one */
    struct timer answer_timer;         /* for the header block */
    struct timer leave_timer; /* for the first connection of a client that broke off before it */
    struct timer end_timer;   /* ending.c: the next step */
    struct timer poll_timer;  /* ending.c: is the group gone? */
    uint32_t poll_ms;

    int spool; /* SPOOLING: the body so far; -1 */
    uint64_t spooled;
    struct page_pipe in, out, err, events;

    char *line; /* owned: the beginning of a message on descriptor 3 whose end has not come */
    size_t line_len, line_size, line_seen;
    uint32_t untaken; /* messages of the session that the kernel has not taken yet */

    char *err_line; /* owned, as above for stderr */
    size_t err_len;
    size_t err_budget; /* bytes that may still be logged in this second */
    struct timer err_timer;

    struct hub_client
        *topics; /* owned; NULL: it has said nothing of topics, or its session is over */

    uint32_t fault_latency_ms; /* on purpose: the console */
    uint64_t fault_until_ms;   /* no connection before */

    struct page_dev *dev; /* owned; NULL: not in dev mode */

    struct {
        enum {
            PAGE_TCP_DNS, /* the program has no say */
            PAGE_TCP_ASK,
            PAGE_TCP_REFUSE
        } mode;
        uint32_t retry_s; /* of PAGE_TCP_REFUSE */
        uint64_t last_id;
        struct list
            questions; /* struct program_question; those that the program has not answered */
    } tcp;

    struct {
        struct list all;
        uint32_t last; /* the number of the last one */
        uint32_t held; /* how many of them hold bytes that the page does not take */
    } streams;
};

/* ---- page.c: its life ---- */

/* What a page is made from. */
struct page_spec {
    struct page_host *host;
    struct exchange *x;
    const struct site_found *found;
    struct slice origin, key;
    enum page_kind kind;
    const struct page_stdio_command *stdio; /* NULL: none */
    struct page *process;                   /* the page is one of this one's; NULL: of its own */
};
/* Counts it against the limits and takes the exchange. NULL and the exchange is still the caller's:
 * over a limit, draining, or without memory. */
struct page *page_new(const struct page_spec *spec);
/* `file` without the folder that is served, from a slash on. */
const char *page_below_root(const struct page_host *host, const char *file);
/* What a refusal for want of room says about coming back. */
uint32_t page_retry_s(const struct page_host *host);
/* `x` is its client's connection now. */
void page_name_client(struct page *p, struct exchange *x);
void page_set_state(struct page *p, enum page_state state);
/* To be called last, whenever something ended: draws the conclusions, and frees the page in the
 * end. */
void page_settle(struct page *p);
/* Tells the session, or the plain WebSocket, how it ends. Once; no effect after that. */
void page_end_session(struct page *p, unsigned code, struct slice reason);
/* The program broke a rule: its session ends as failed, and it is let go. */
void page_fail(struct page *p, struct slice reason);
/* The same at once: what it has not got is given up. */
void page_abort_session(struct page *p, unsigned code, struct slice reason);
bool page_answered(const struct page *p);
/* What the page is told of a program that has exited: `program-failed status=N` or `signal=N`;
 * `program-exit` for status 0. */
struct slice page_exit_reason(const struct page *p, char text[64]);

/* ---- start.c: descriptors and process ---- */

/* Makes its session; no effect on the kinds that have none. 0 or a negative errno. */
int page_make_session(struct page *p);
/* Starts the program for the request of `p->x`. 0 or a negative errno: then nothing was started. */
int page_start(struct page *p);
/* A descriptor's `on_gone` and end, for all four. */
void page_pipe_close(struct page_pipe *pipe);
static inline bool page_pipe_open(const struct page_pipe *pipe)
{
    return pipe->state == PIPE_OPEN;
}
/* What of `data` is still to be read. */
struct slice page_pipe_take(struct page_pipe *pipe, struct slice data);
/* All that was to be read has been read. */
static inline bool page_pipe_at_end(const struct page_pipe *pipe)
{
    return pipe->last && pipe->left == 0;
}
/* The process is gone: only what is in the pipe by now is still read. */
void page_pipe_set_last(struct page_pipe *pipe);

/* ---- ending.c: the process's end ---- */

void page_ending_init(struct page *p);
/* End of file on descriptor 3; SIGTERM and SIGKILL follow once the answer is complete. */
void page_let_go(struct page *p);
/* SIGKILL now. */
void page_kill(struct page *p);
void page_exited(struct process *process, int status);
/* Starts the timers that can be started by now. */
void page_ending_advance(struct page *p);

/* ---- open.c ---- */

/* The client of `x` starts one more program: 0, or how long it must wait. */
uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x);

#endif
