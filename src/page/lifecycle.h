/* SPDX-License-Identifier: MIT */
/* lifecycle.h - struct page, from its request to its end.
 *
 *   SPOOLING ──page_begin──> OPEN ──page_let_go──> LEAVING ──page_end──> ENDED ──page_settle──> OVER
 *      │                      └────────────────────page_end───────────────^        (nobody is left)
 *      └── the client is gone, or no program starts: as OPEN
 *
 *   SPOOLING  a chunked body is gathered; the seat has not begun
 *   OPEN      the seat has begun: the program answers, and talks with the client
 *   LEAVING   the program is let go, or has let go; how it ended is not known yet
 *   ENDED     the client has been told how the conversation ends
 *   OVER      no exchange, client or program is left; freed at the end of the turn
 *
 * Beside that the answer of the request goes its own way (answer.c): it may last longer than the
 * conversation, or be over at once.
 *
 * The files of this room, from the bottom up: a file calls only those of earlier lines, and others
 * by the tables of seat.h, client.h, watcher.h and page_host.request_again.
 *
 *   subprotocol.c, splice.c, grant.c, spool.c, answer_head.c, answer_cache.c, coverage.c
 *                                           what knows nothing of others
 *   wire.c                                  WebSockets of sessions
 *   refusal.c                               how a refused handshake is told
 *   lifecycle.c                             the functions of this header
 *   seat_message.c                          a message becomes a line
 *   streams.c, tcp.c, channel.c, topics.c, state.c   what a page has beside its messages
 *   restart.c                               programs that are let go for others
 *   command.c, hear.c                       what passes between program and client
 *   client_session.c, client_plain.c        the two kinds of client
 *   waiting.c                               a client whose handshake waits for the program
 *   answer.c                                the answer of the request
 *   handler_desk.c, message_queue.c, handler.c, handler_answer.c, handler_commands.c,
 *   handler_hear.c                          what a handler in C says and hears
 *   seat_text.c, seat_program.c, seat_process.c, seat_lines.c, seat_shared.c, seat_handler.c,
 *   seats.c
 *   tcp_session.c, request.c, lines_page.c, open.c, connect.c, host.c     what comes from outside
 *   pack.c                                  for the process that takes over
 */
#ifndef PAGE_LIFECYCLE_H
#define PAGE_LIFECYCLE_H

#include "hub/hub.h"
#include "limits/memory.h"
#include "page/client.h"
#include "page/coverage.h"
#include "page/page.h"
#include "page/seat.h"
#include "page/watcher.h"

enum page_state {
    PAGE_SPOOLING,
    PAGE_OPEN,
    PAGE_LEAVING,
    PAGE_ENDED,
    PAGE_OVER
};

/* The kinds of request that make a page. */
enum page_kind {
    PAGE_ORDINARY, /* a page with a session */
    PAGE_HEAD,     /* no body, no session */
    PAGE_DIRECT,   /* a session without a page */
    PAGE_PLAIN,    /* a WebSocket without our subprotocol */
};

/* The most that the program has said so far, beside its answer. */
enum page_heard {
    PAGE_HEARD_NOTHING,
    PAGE_HEARD_COMMAND,
    PAGE_HEARD_MESSAGE
};

/* Whether its place may be given to others (limits/room.h). */
enum page_claim {
    PAGE_CLAIMED, /* its client is there, or it ends */
    PAGE_UNUSED,
    PAGE_LEFT /* after its client had said something */
};

/* Who decides on the page's TCPConnections. */
enum page_tcp_mode {
    PAGE_TCP_DNS, /* the program has no say */
    PAGE_TCP_ASK,
    PAGE_TCP_REFUSE
};

enum {
    PAGE_ADDRESS_SHORT = 16 /* an IPv4 address and NUL */
};

struct page_answer;
struct pack;

/* state.c: what the program saves. */
struct page_saving {
    struct page *page; /* borrowed: owns us */
    struct timer quiet;
    uint64_t active_ms; /* when something last passed between program and client */
    struct coverage coverage;
    bool exact;   /* the program confirms, itself */
    bool saves;   /* it has saved */
    bool refused; /* its newest state was too large: the client's is older, and covers no more */
    unsigned too_large;
    uint64_t owed; /* states that were too large, since the last one that was not */
};

/* streams.c: byte streams of the program. */
struct page_streams {
    struct list all;
    uint32_t last; /* the number of the last one */
    uint32_t held; /* how many of them hold bytes that the page does not take */
    size_t held_bytes;
    size_t told; /* bytes of lines about them that the program has not taken: no window bounds
                    these */
};

struct page {
    union {
        struct list node; /* page_host.pages */
        struct reap reap; /* once OVER */
    };
    struct list waiting;    /* page_host.waiting: a direct client is not let in, there or not */
    struct list restarting; /* page_host.restarting: its program is let go soon */
    struct page_host *host;
    struct seat *seat; /* owned */
    void *watched;     /* the watcher's own */

    char *text; /* owned: file, script, origin and key, a NUL behind each; see page_file() */
    uint32_t file_len, script_len, origin_len, key_len;
    union { /* address_long: of the last client; page_address() */
        char address[PAGE_ADDRESS_SHORT];
        char *long_address; /* owned */
    };
    struct net_client_key client_key; /* of the last client */
    uint64_t client_who;              /* exchange_credentials() of it */
    size_t script_end;                /* how much of the request's path was SCRIPT_NAME */

    enum page_state state : 8;
    enum page_kind kind : 8;
    enum page_heard heard : 8;
    enum page_claim claim : 8;
    enum page_tcp_mode tcp_mode : 8;
    bool has_origin : 1;
    bool address_long : 1;
    bool same_origin : 1;              /* the client's page and its program */
    bool excess : 1;                   /* it was logged that the answer goes on after its end */
    bool attached : 1;                 /* a client has been connected */
    bool told : 1;                     /* a client may know the session's id */
    bool restores : 1;                 /* it begins with a state that its client brings */
    bool restarts : 1;                 /* its program was let go for another one: restart.h */
    char mark[SESSION_LOG_ID_LEN + 1]; /* of the session, for log lines; empty: none */

    struct exchange *x;         /* NULL: the answer is complete, or the client is gone */
    struct page_answer *answer; /* owned; NULL: what the program answers is dropped */
    struct page_grant *grant;   /* of `x` while it waits, of `plain`; NULL: none */
    struct page_spool *spool;   /* owned; spool.c; NULL: the body is not spooled */

    const struct page_client_ops *client; /* NULL: there is none yet, or none any more */
    struct session *session;              /* until its on_over */
    struct ws_peer *plain;                /* until its on_end */
    struct timer leave_timer;   /* for the first connection of a client that broke off before it */
    uint32_t untaken;           /* messages of the session that the program has not taken yet */
    uint32_t problems;          /* of the client with what the program wanted of it, so far */
    uint64_t heard_by_program;  /* events, calls and answers of the client, so far */
    uint64_t done_by_program;   /* of these, when it was last seen to wait for more; state.c */
    struct page_saving *saving; /* owned; state.c; NULL: not needed yet */

    struct hub_client
        *topics; /* owned; NULL: the program has said nothing of topics, or has ended */

    uint32_t tcp_retry_s; /* of PAGE_TCP_REFUSE */
    uint64_t tcp_last_id;
    struct list tcp_questions; /* struct program_question: not answered yet */

    struct page_streams *streams; /* owned; streams.c; NULL: there has been none */

    struct memory_account account; /* of the client: pays for all that this page holds */
    size_t counted;
    struct list
        count; /* page_host.counts_due: what it holds may have changed, or messages may wait */
};

_Static_assert(sizeof(struct page) <= 432, "each idle page has one");

/* All that a page is made from. */
struct page_spec {
    struct page_host *host;
    enum page_kind kind;
    struct exchange *x;
    const struct exchange_ops *ops; /* of the exchange from now on */
    struct seat *seat;              /* taken, if a page is made of it */
    struct slice file;              /* of the program */
    size_t script_len;
    struct slice script, origin, key;
    bool restores;
};
/* Bytes that the windows of its client have no room for. */
static inline size_t page_streams_held(const struct page *p)
{
    return p->streams ? p->streams->held_bytes : 0;
}
/* There are such bytes: the program is not read. */
static inline bool page_streams_hold(const struct page *p)
{
    return p->streams && p->streams->held > 0;
}
/* Its texts: the program's file, also NUL-terminated (page_file()), SCRIPT_NAME, the page's origin
 * (ptr NULL: none), and the key of PAGE_DIRECT. */
static inline struct slice page_script(const struct page *p)
{
    return slice_make(p->text + p->file_len + 1, p->script_len);
}
static inline struct slice page_origin(const struct page *p)
{
    const char *begin = p->text + p->file_len + 1 + p->script_len + 1;
    return p->has_origin ? slice_make(begin, p->origin_len) : SLICE_NONE;
}
static inline struct slice page_key(const struct page *p)
{
    return slice_make(p->text + p->file_len + 1 + p->script_len + 1 + p->origin_len + 1,
                      p->key_len);
}
/* Of its last client; empty: not known. */
static inline const char *page_address(const struct page *p)
{
    return p->address_long ? p->long_address : p->address;
}
/* Copied; without memory for it the address is empty. */
void page_set_address(struct page *p, struct slice address);
/* A field of the log for lines that the page's client can cause. */
#define page_cause(p) log_cause(net_client_slice(&(p)->client_key))
/* NULL without memory: then the exchange and the seat are still the caller's. */
struct page *page_new(const struct page_spec *spec);
/* As page_new(), without an exchange; `spec->x` and `spec->ops` are not looked at. */
struct page *page_make(const struct page_spec *spec);
/* `x` is its client's connection now. */
void page_name_client(struct page *p, struct exchange *x);
void page_set_state(struct page *p, enum page_state state);
static inline bool page_answered(const struct page *p)
{
    return p->x == NULL && list_empty(&p->waiting);
}
/* Its client waits to be let in by the program; or has broken off, and may come again. */
static inline bool page_waits(const struct page *p)
{
    bool by_handshake = p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN;
    return by_handshake && !page_answered(p);
}
/* Messages of the program reach nobody, now and later. */
static inline bool page_unheard(const struct page *p)
{
    return p->state >= PAGE_ENDED || (!p->client && !page_waits(p));
}

/* Tells the client how the conversation ends. Once; no effect after that. */
void page_end(struct page *p, unsigned code, struct slice reason);
/* As page_end(), for a program that `restarts`: its client goes on from its state in a new session,
 * or begins anew if it has none. */
void page_end_restarted(struct page *p);
/* As page_end(), but at once: what the client has not got is given up. */
void page_abort(struct page *p, unsigned code, struct slice reason);
/* End of file for the program; SIGTERM and SIGKILL follow once the answer is complete. */
void page_let_go(struct page *p);
/* The program has failed: page_end() and page_let_go(). */
void page_fail(struct page *p, struct slice reason);
/* The server can't go on, and the log says why: page_end() and page_let_go(). */
void page_fault(struct page *p);
/* page_fail() for a line of the program that broke a rule. */
void page_breach(struct page *p, const char *why, struct slice line);
/* page_fail() for a command that can't be obeyed. */
void page_refuse_command(struct page *p, const struct message *m, const char *why);
/* page_settle() stands in watcher.h. Whoever changed a page calls page_settle() last: the function
 * draws the conclusions, and frees the page in the end. */

/* Its client has come or gone. */
void page_note_claim(struct page *p);
/* Its place is given to others, who need it: the session ends. */
void page_give_up(struct page *p);
/* For page_count(). */
void page_count_soon(struct page *p);
/* Once for each host, before its first page. */
void page_counts_init(struct page_host *host);
/* To be called when the page may hold more or less memory, or has queued messages to its session:
 * these leave together, and memory is counted once, when the callback that runs has returned. */
static inline void page_count(struct page *p)
{
    if (p->state != PAGE_OVER && list_empty(&p->count))
        page_count_soon(p);
}
/* Has the program so much to read that its client should wait? */
bool page_crowded(const struct page *p);
/* To be called when the answer of page_reading() may have changed. Not from inside of page_hear(),
 * so not from what a session may call while a message is sent. */
static inline void page_resume(struct page *p)
{
    p->seat->ops->resume(p->seat);
}
/* A line for its program, with its LF. */
static inline void page_write_line(struct page *p, struct slice line)
{
    p->seat->ops->write(p->seat, &line, 1);
}
/* The same, and frees the text. Without memory for it the page ends: a program that misses a line
 * would wait for it. */
void page_write_text(struct page *p, struct text *line);
static inline void page_send_program(struct page *p, const struct message *m)
{
    p->seat->ops->send(p->seat, m);
}
static inline bool page_program_open(const struct page *p)
{
    return p->seat->ops->open(p->seat);
}

#endif
