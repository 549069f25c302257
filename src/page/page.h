/* SPDX-License-Identifier: MIT */
/* page.h - pages: a program answers a request and goes on talking with whoever asked
 * (docs/page-programs.md).
 *
 * A page joins four things: the exchange of its request, the program that it sits on (seat.h), its
 * client, which is a session or a plain WebSocket (client.h), and what the program has to do with
 * topics and byte streams.
 *
 * Threads  Loop thread only; what is borrowed for all workers says so itself.
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "access/program_question.h"
#include "http/exchange.h"
#include "http/site.h"
#include "hub/hub.h"
#include "limits/memory.h"
#include "limits/quota.h"
#include "limits/rates.h"
#include "limits/spool.h"
#include "program/host.h"
#include "session/channels.h"
#include "session/table.h"
#include "ws/peer.h"

struct page_config {
    uint32_t answer_timeout_ms; /* for the program's header block: 504 */
    uint32_t out_max;           /* bytes that wait for a program which does not read */
    size_t topic_backlog;       /* bytes that wait for a program until it misses topics */
    struct rate rate_programs;  /* started by one client */
    uint32_t tcp_sessions_per_client;
    uint32_t shared_per_client; /* pages of shared programs */
    size_t state_max;           /* bytes of a program's state */
    uint32_t restart_every_ms;  /* programs are let go so fast, for page_host_restart() */
};

struct page_counts {
    uint64_t refused_rate, failed_answer, problems, refused_lobbies;
    uint64_t saves, saves_too_large, restarts;
    uint64_t refused_spool[SPOOL_BOUNDS];
    struct session_counts sessions;
    struct ws_counts websockets;
};

/* Who opens a stream: a page with its program, or one without (`/.httpsocket/connect`). */
struct page_opener {
    struct slice origin;
    bool same_origin;     /* as the server that it reached */
    struct slice address; /* of its client */
    struct net_client_key client;
    uint64_t who; /* exchange_credentials() */
    /* Asks the program, or answers in its place. NULL: there is none. */
    void (*ask)(void *owner, struct program_question *question);
    void *owner; /* lives as long as the channel */
};

struct page_host;
struct page_watcher;
struct seat_source;

/* What the pages of one worker are given. Pointers are borrowed, and may be
 * NULL where that is said. */
struct page_host_spec {
    struct loop *loop;
    const struct page_config *config;
    const struct session_config *session_config;
    const struct ws_config *ws_config;
    const struct session_config *tcp_session_config; /* of sessions without a program */
    const struct ws_config *tcp_ws_config;
    struct program_host *programs;
    struct session_table *sessions;
    struct hub *hub;
    struct memory_desk *memory;   /* NULL: nothing is counted */
    struct spool *spool;          /* NULL: nothing is counted */
    struct quota *quota;          /* of sessions without a program */
    struct rates *rates;          /* NULL: none are kept */
    struct page_watcher *watcher; /* NULL: nobody watches */
    struct seat_source *seats;    /* seat.h; NULL: the programs of this machine */
    uint32_t worker;              /* which one we are */
    void *owner;
    /* A program refuses a handshake by 401: for how long, and from which path down (empty: that one
     * only). May be NULL. */
    void (*on_denied)(void *owner, struct exchange *x, uint32_t max_age_s,
                      struct slice policy_path);
    /* A page opens a TCPConnection: takes the channel. NULL: there are none. */
    void (*on_tcp)(void *owner, struct channel *c, struct slice json,
                   const struct page_opener *opener);
    /* Gives an unanswered request, whose body nobody has begun to read, to another worker, or
     * answers that it can't be. Takes the exchange. */
    void (*hand_over)(void *owner, struct exchange *x, uint32_t worker);
};

/* NULL without memory. */
struct page_host *page_host_new(const struct page_host_spec *spec);
/* Once the loop has ended. Accepts NULL. */
void page_host_free(struct page_host *host);
const struct page_counts *page_host_counts(const struct page_host *host);

/* A request for a page: starts the program, streams its answer. Takes the exchange. `origin` is the
 * page's own origin (scheme://host[:port]). */
void page_open(struct page_host *host, struct exchange *x, const struct site_found *found,
               struct slice origin);

/* A request for a path where nothing is: if a stdio program listens there for WebSockets, says so
 * (426), and takes the exchange. */
bool page_open_none(struct page_host *host, struct exchange *x);

/* Whether a stdio program listens at this path, where nothing is, for WebSockets. */
bool page_has_lines(const struct page_host *host, struct slice path);

struct session_wire;

/* The grant by which a client of another origin was let in. The giver embeds the struct; a
 * connection holds it until it is over. */
struct page_grant {
    /* The connection is over, or came to nothing. The last call; from inside page_connect() and
     * page_grant_revoke() too. */
    void (*on_over)(struct page_grant *grant);
    /* Of a holder outside of this room: the connection is to be closed. */
    void (*on_revoke)(struct page_grant *grant, unsigned code, struct slice reason);
    void *holder;
    /* The room's own: what it stands for. */
    struct session_wire *wire;
    struct page *page;
};

/* Takes it back: closes the connection with 4403, `TOKEN retry=N`, and ends its session. */
void page_grant_revoke(struct page_grant *grant, struct slice token, uint32_t retry_s);

/* A client that has been let in. */
struct page_visitor {
    struct slice origin; /* of the page; SLICE_NONE: no page's script */
    bool same_origin;
    struct page_grant *grant; /* NULL: nothing can revoke it */
};

/* A WebSocket handshake for a program (already checked: version, Host, script access). Attaches to
 * the session that it names, starts a program for it otherwise (httpsocket.v1 without a session, or
 * the plain form). `found` NULL: for a session that has no program. The caller has made sure that
 * the session belongs to this worker. Takes the exchange and the grant. */
void page_connect(struct page_host *host, struct exchange *x, const struct site_found *found,
                  const struct page_visitor *visitor);

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

/* Whether a session or a client that waits has this key. */
bool page_host_has_key(const struct page_host *host, struct slice key);

/* No new pages (503 / 1012); every session is ended with 1012 `draining retry=N`, its program gets
 * end of file. N is at least `retry_s`, and such that so many come back in one second; 0: a few.
 * Clients have goodbye_timeout to take what they have not acknowledged; then their connections end.
 */
void page_host_drain(struct page_host *host, uint32_t retry_s, uint32_t back_a_second);
/* Lets the programs go whose SCRIPT_NAME, or file below the root, is `path` (a `*` at its end:
 * begins so), some at a time. Their sessions end so that clients go on from their states in new
 * ones. Returns how many pages that is. */
size_t page_host_restart(struct page_host *host, struct slice path);
/* The same for those whose file has changed since they were started. */
size_t page_host_restart_changed(struct page_host *host);

/* No page is left, and no connection of one. */
bool page_host_empty(const struct page_host *host);
/* Drops all connections and kills the programs of all pages. The loop must go on running until the
 * processes are reaped. */
void page_host_stop(struct page_host *host);

#endif
