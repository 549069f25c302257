/* SPDX-License-Identifier: MIT */
/* page.h - page programs: a process that answers a request and goes on talking with its page (the
 * contract, section 2).
 *
 * One struct page a program: stdin (the request's body), stdout (a CGI answer, streamed), stderr
 * (the log), descriptor 3 (events), and the session or plain WebSocket that it talks with.
 *
 * Threads  Loop thread only; struct program_limits is shared by all workers.
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "access/program_question.h"
#include "http/exchange.h"
#include "http/site.h"
#include "hub/hub.h"
#include "limits/programs.h"
#include "limits/quota.h"
#include "limits/rates.h"
#include "page/places.h"
#include "page/programs.h"
#include "session/channels.h"
#include "session/table.h"
#include "ws/peer.h"

struct page_config {
    uint32_t answer_timeout_ms; /* for the program's header block: 504 */
    uint32_t eof_grace_ms;      /* from end of file on fd 3 to SIGTERM */
    uint32_t term_grace_ms;     /* from SIGTERM to SIGKILL */
    uint32_t line_max;          /* bytes of one message on fd 3 */
    uint32_t out_max;           /* bytes that wait for a program which does not read */
    size_t topic_backlog;       /* the same, until it misses events of topics */
    struct rate rate_programs;  /* started by one client */
    uint32_t lobbies_per_client;
    bool dev; /* dev.h; fixed */
    /* Borrowed: changes with the settings, and is asked only while something is started. */
    const struct page_programs *programs;
    bool stdio_pipe;            /* the stdout of stdio programs is a pipe, not a terminal */
    uint32_t shared_per_client; /* pages of shared programs */
    uint32_t shared_idle_ms;    /* a shared program without a page is let go after this */
    size_t shared_page_max;     /* bytes that one page of a shared program has not acknowledged */
    size_t shared_max;          /* the same of all its pages together */
};

struct page_counts {
    uint64_t started, now, refused_limit, refused_rate, failed_start, failed_answer,
        protocol_errors, killed, problems;
    uint64_t shared_now, shared_pages_now, shared_overflows, shared_late_lines, shared_held_back;
};

/* Who opens a stream: a page with its program, or one without (`/.httpsocket/connect`). */
struct page_opener {
    struct slice origin;
    bool same_origin;     /* as the server that it reached */
    struct slice address; /* of its client */
    struct net_client_key client;
    /* Asks the program, or answers in its place. NULL: there is none. */
    void (*ask)(void *owner, struct program_question *question);
    void *owner; /* lives as long as the channel */
};

/* All that the pages of one worker share. Fill in what is borrowed, then page_host_init(). */
struct page_host {
    struct loop *loop; /* borrowed, like all pointers here */
    const struct page_config *config;
    const struct session_config *session_config;
    const struct ws_config *ws_config;
    struct program_limits *limits;
    struct rates *rates; /* NULL: none are kept */
    /* A program refuses a handshake by 401: for how long, and from which path down (empty: that one
     * only). May be NULL. */
    void (*on_denied)(struct page_host *host, struct exchange *x, uint32_t max_age_s,
                      struct slice policy_path);
    /* A page opens a TCPConnection: takes the channel. NULL: there are none. */
    void (*on_tcp)(struct page_host *host, struct channel *c, struct slice json,
                   const struct page_opener *opener);
    struct quota *quota; /* of sessions without a program, and of pages of shared ones */
    struct page_places *places;
    uint32_t worker, workers; /* which of how many we are */
    /* Gives an unanswered request, whose body nobody has begun to read, to another worker, or
     * answers that it can't be. Takes the exchange. */
    void (*hand_over)(struct page_host *host, struct exchange *x, uint32_t worker);
    struct session_table *sessions;
    struct hub *hub; /* topics */
    struct page_counts counts;
    struct session_counts session_counts;
    struct ws_counts ws_counts;
    struct slice server_name; /* SERVER_SOFTWARE */
    struct slice root;        /* DOCUMENT_ROOT; absolute */
    struct slice sdk;         /* HTTPSOCKET_SDK; may be empty */
    struct list pages;
    struct list lobbies; /* sessions without a program */
    /* The rest is the room's own. */
    struct list connecting;       /* pages whose direct client has not been let in, there or not */
    struct list wires;            /* WebSockets of sessions, and refused ones that still close */
    int null_fd;                  /* stdin of programs whose request has no body */
    struct dev_files *dev_files;  /* NULL: not in dev mode, or nothing can be watched */
    struct list dev_waits;        /* clients that wait for a change */
    struct page_console *console; /* NULL: not in dev mode */
    struct list pools;            /* shared.c */
    uint64_t dealt;               /* requests for shared programs that were given to workers */
    uint32_t dev_wait_count;
    bool draining;
    uint32_t retry_s;
    void (*on_empty)(struct page_host *);
};

/* 0, or a negative errno if /dev/null can't be opened. */
int page_host_init(struct page_host *host);
/* Once the loop has ended. */
void page_host_done(struct page_host *host);

/* A request for a page: starts the program, streams its answer. Takes the exchange. `origin` is the
 * page's own origin (scheme://host[:port]). */
void page_open(struct page_host *host, struct exchange *x, const struct site_found *found,
               struct slice origin);

/* A request for a path where nothing is: if a stdio program listens there for WebSockets, says so
 * (426), and takes the exchange. */
bool page_open_none(struct page_host *host, struct exchange *x);

/* Is there any shared program, so that it's worth while to ask where one is? */
bool page_any_shared(const struct page_host *host);
/* The worker to which a request for this program belongs, because it has processes of it. False:
 * the program is not shared. `key` of a handshake; may be SLICE_NONE. */
bool page_worker_for(struct page_host *host, const struct site_found *found, struct slice key,
                     uint32_t *ret);

struct session_wire;

/* The page's end of the grant by which a client of another origin was let in (access/grant.h has the
 * whole). Embedded by the giver; a connection holds it until the connection is over. */
struct page_grant {
    /* The connection is over, or came to nothing. The last call; from inside page_connect() and
     * page_grant_revoke() too. */
    void (*on_over)(struct page_grant *grant);
    /* The room's own: what it stands for. */
    struct session_wire *wire;
    struct page *page;
};

/* Takes it back: closes the connection with 4403, `TOKEN retry=N`, and ends its session. */
void page_grant_revoke(struct page_grant *grant, struct slice token, uint32_t retry_s);

/* Who has been let in. */
struct page_client {
    struct slice origin; /* of the page; SLICE_NONE: no page's script */
    bool same_origin;
    struct page_grant *grant; /* NULL: nothing can revoke it */
};

/* A WebSocket handshake for a program (already checked: version, Host, script access). Attaches to
 * the session that it names, starts a program for it otherwise (httpsocket.v1 without a session, or
 * the plain form). `found` NULL: for a session that has no program. The caller has made sure that
 * the session belongs to this worker. Takes the exchange and the grant. */
void page_connect(struct page_host *host, struct exchange *x, const struct site_found *found,
                  const struct page_client *client);

/* Refuses a WebSocket handshake: with `by_code` clients of httpsocket.v1 get 101 and the close code
 * (4000 + status, or 1012, 1013), all others the HTTP status that belongs to it, with the token as
 * short body, Script-Access-Reason, Cache-Control: no-store and, with retry_s, Retry-After. The
 * close reason is `TOKEN` or `TOKEN retry=N`. Takes the exchange. */
void page_refuse(struct page_host *host, struct exchange *x, unsigned code, struct slice token,
                 uint32_t retry_s, bool by_code);

/* The session id that the handshake names, or SLICE_NONE: for the caller, who finds the worker by
 * it (session_id_worker). */
struct slice page_connect_session(struct exchange *x);
/* The key of a handshake without a session (SLICE_NONE otherwise): all connections with one key go
 * to one worker. */
struct slice page_connect_key(struct exchange *x);

/* In dev mode: `console/events` and `console/fault` below /.httpsocket/. False: it is none of them.
 * Otherwise takes the exchange, of which the caller knows that it comes from our own page. */
bool page_console(struct page_host *host, struct exchange *x, struct slice name);

/* No new programs (503 / 1012); every session is ended with 1012 `draining retry=N`, its program
 * gets end of file. `on_empty` runs once no page is left. */
void page_host_drain(struct page_host *host, uint32_t retry_s,
                     void (*on_empty)(struct page_host *));
/* Kills what is still there and drops its connections. The loop must go on running until the
 * processes are reaped: on_empty of page_host_drain() tells. */
void page_host_stop(struct page_host *host);

#endif
