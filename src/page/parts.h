/* parts.h - struct page, and what the files of this room call of each other.
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
    struct list node;       /* page_host.pages */
    struct list connecting; /* page_host.connecting, while a direct client waits */
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
    struct page_permit *permit; /* of `x` while it waits, of `plain`; NULL: none */
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
    bool counted; /* in page_limits */
    bool freeing;
    int status;
    struct net_client_key client;      /* who started it, for page_limits */
    struct net_client_key last_client; /* whose connection is the last one */
    struct timer answer_timer;         /* for the header block */
    struct timer leave_timer; /* for the first connection of a client that broke off its download */
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
        struct list asks; /* struct ask; those that the program has not answered */
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

/* ---- open.c ---- */

/* Starts the program, or answers that it can't be. */
void page_begin(struct page *p);

/* ---- body.c: the request's body to stdin ---- */

extern const struct io_ops page_body_io_ops;
void page_body_data(struct page *p, struct slice data);
void page_body_end(struct page *p);
/* No more of the body will come. */
void page_body_stop(struct page *p);
/* A chunked body: 0, or a negative errno if there is no place to spool it. */
int page_spool_open(struct page *p);

/* ---- answer.c: stdout to the exchange ---- */

extern const struct io_ops page_answer_io_ops;
extern const struct exchange_ops page_exchange_ops;
/* False without memory. */
bool page_answer_begin(struct page *p);
void page_answer_free(struct page *p);
/* The program's own answer won't come: the server's in its place (502, 503, 504), and the program
 * is let go. */
void page_answer_fail(struct page *p, int status, const char *why);
/* Stdout is at its end. */
void page_answer_end(struct page *p);
/* The next of it, wherever it comes from. */
void page_answer_take(struct page *p, struct slice data);
/* That was all of it. */
void page_answer_close(struct page *p);
/* Nothing of it has gone out. */
bool page_answer_unbegun(const struct page *p);

/* ---- direct.c: the answer to a handshake ---- */

struct cgi_head;
void page_direct_answer(struct page *p, const struct cgi_head *head);
/* The client is let in. */
void page_direct_accept(struct page *p);
/* Refuses the waiting client with this close code, or the status that goes with it. */
void page_direct_refuse(struct page *p, unsigned code, struct slice reason, uint32_t retry_s);

/* ---- refuse.c: how a refused handshake is told ---- */

struct page_refusal {
    unsigned code;
    struct slice token;
    uint32_t retry_s;            /* 0: not said */
    const struct cgi_head *head; /* of the program; may be NULL */
};
/* What a header block that is not 2xx says. */
struct page_refusal page_refusal_of(const struct cgi_head *head);
struct slice page_refusal_policy_path(const struct page_refusal *refusal);
/* To a client that has been let in: its 401 is told by code to its own origin only. */
void page_refuse_program(struct page_host *host, struct exchange *x, bool same_origin,
                         const struct page_refusal *refusal);

/* ---- permit.c ---- */

void page_hold_permit(struct page *p, struct page_permit *permit);
/* *permit (may be NULL) is over. */
void page_permit_end(struct page_permit **permit);

/* ---- events.c: descriptor 3 ---- */

extern const struct io_ops page_events_io_ops;
/* A line of the program broke a rule. */
void page_events_fail(struct page *p, const char *why, struct slice line);
/* A message of the program, for the page. */
void page_events_deliver(struct page *p, const struct message *m);
/* The client waits to be let in. */
bool page_events_wait(const struct page *p);
/* Writes one message to the program. */
void page_events_write(struct page *p, const struct message *m);
/* False: the program takes no more, ever. */
bool page_events_open(const struct page *p);
/* Bytes that the program has not taken. */
size_t page_events_queued(const struct page *p);
/* Sends what the program would take at once. */
void page_events_flush(struct page *p);
/* The session, or what is in its place, is over: lines of the program for it mean nothing. */
bool page_events_over(const struct page *p);
/* Who writes more to it should wait until it has taken all. */
bool page_events_crowded(const struct page *p);
void page_events_attach(struct page *p, bool resumed);
void page_events_detach(struct page *p, struct slice reason);
/* What the program has taken is acknowledged. */
void page_events_taken(struct page *p);
/* A line for the program: `begin`, then `rest`; or `whole` (may be NULL), which is both. */
void page_events_line(struct page *p, struct slice begin, struct slice rest,
                      struct shared_bytes *whole);
/* A message for the page, from the program or in its place. */
void page_send(struct page *p, const struct message *m);
/* The other side takes more again. */
void page_events_resume(struct page *p);
/* End of file for the program, after what is queued. */
void page_events_shut(struct page *p);
/* The descriptor is at its end. */
void page_events_end(struct page *p);
/* Takes what the program wrote. */
void page_events_take(struct page *p, struct slice data);
/* A `.NAME` line of the program: command.c. */
void page_command(struct page *p, const struct message *m);
/* It can't be obeyed: the program has broken a rule. `why` is a static text. */
void page_command_refuse(struct page *p, const struct message *m, const char *why);

/* ---- tcp.c: TCPConnections ---- */

void page_tcp_init(struct page *p);
/* A `.tcp` line of the program. */
void page_tcp_command(struct page *p, const struct message *m);
/* Valid as long as the page. */
struct page_opener page_opener_of(struct page *p);

/* ---- lobby.c: sessions without a program ---- */

struct lobby;
/* For the client of `x`. NULL without memory, or when there are too many. */
struct lobby *lobby_new(struct page_host *host, struct exchange *x, struct slice origin);
struct session *lobby_session(struct lobby *lobby);
/* `x` is its client's connection now. */
void lobby_name_client(struct lobby *lobby, struct exchange *x);
void lobbies_drain(struct page_host *host);
void lobbies_stop(struct page_host *host);

/* ---- channel.c ---- */

/* A session's on_open. `p`: the program's; NULL: there is none. */
void page_channel_open(struct page_host *host, struct channel *c, struct slice json,
                       const struct page_opener *opener, struct page *p);

/* ---- streams.c: byte streams of the program ---- */

struct json_t;
void page_streams_init(struct page *p);
/* The page wants one: what it said. */
void page_stream_open(struct page *p, struct channel *c, const struct json_t *wish);
/* The program has taken what was written: the page may send on. */
void page_streams_taken(struct page *p);
/* Bytes that the page's windows have no room for. */
size_t page_streams_held(const struct page *p);
/* Lines of the program. */
void page_stream_accept(struct page *p, const struct message *m);
void page_stream_bytes(struct page *p, const struct message *m);
void page_stream_end(struct page *p, const struct message *m);
void page_stream_reset(struct page *p, const struct message *m);

/* ---- shared.c: processes that have many pages ---- */

/* How many processes of this program are in this worker; 0: it is not shared. */
uint32_t page_shared_share(struct page_host *host, const char *file);
/* A process for one more page, running, or started now. NULL: *ret_wait_s > 0: not before so many
 * seconds; 0: it can't be started (*ret_error). */
struct page *page_shared_pick(struct page_host *host, const struct site_found *found,
                              uint32_t share, uint32_t *ret_wait_s, int *ret_error);
/* The next line of such a process. */
enum parse_status page_shared_take(struct page *p, struct slice in, size_t *used);
/* `.shared`: the program that was started for one page says that it takes many. */
void page_shared_command(struct page *p, const struct message *m);
bool page_shared_is_command(const struct message *m);
/* It takes no more pages, and is let go when it has none. */
void page_shared_retire(struct page *p);
/* All its pages end. */
void page_shared_end(struct page *p, unsigned code, struct slice reason);
/* Its queue is empty. */
void page_shared_drained(struct page *p);
/* The process is gone. */
void page_shared_gone(struct page *p);
/* Nothing is read from it until a page's topics have gone on. */
bool page_shared_busy(const struct page *p);
void page_shared_resume(struct page *process);
void page_shared_each(struct page *p, void (*each)(struct page *member, void *arg), void *arg);
void page_pools_free(struct page_host *host);

/* ---- member.c: one page of such a process ---- */

/* Tells the process of the request. 0 or a negative errno. */
int page_member_join(struct page *p);
bool page_member_open(const struct page *p);
void page_member_write(struct page *p, const struct slice *pieces, int count);
struct page *page_member_process(const struct page *p); /* NULL: it is gone */
/* Draws the conclusions, as page_ending_advance. */
void page_member_advance(struct page *p);
/* What `.leave` says; the first one counts. */
void page_member_note_reason(struct page *p, struct slice reason);
/* The client, or the topics, take more again. */
void page_member_resume(struct page *p);
/* exchange_write() said that it is enough. */
void page_member_answer_behind(struct page *p, bool behind);
/* `.answer` */
void page_member_answer(struct page *p, const struct message *m);
void page_member_body(struct page *p, struct slice data);
void page_member_body_end(struct page *p);
/* The request as one JSON object, for `.join`. */
void page_member_describe(const struct page *p, struct text *out);

/* ---- stdio.c: programs that read lines and write lines ---- */

extern const struct io_ops page_stdin_io_ops;
/* Its stdout: *child is the program's, *ours is read. */
int page_stdio_open_out(struct page *p, int *child, int *ours);
bool page_is_stdio(const struct page_host *host, const struct site_found *found);
/* A line of the program goes out as a message; false if that would be too long. */
bool page_stdio_deliver(struct page *p, struct slice line);
/* An event of the session; only `message` means something. */
void page_stdio_write(struct page *p, const struct message *m);
/* A message of a client of the plain form. */
void page_stdio_write_line(struct page *p, struct slice line);
/* The process is gone: takes what is left of its output. */
void page_stdio_last(struct page *p);
/* An ordinary request for a stdio program. Takes the exchange. */
void page_stdio_answer(struct exchange *x);

/* ---- topics.c: topics that programs share ---- */

/* The program's commands. NULL, or what was expected. */
const char *page_topic_subscribe(struct page *p, struct slice json);
const char *page_topic_unsubscribe(struct page *p, struct slice json);
const char *page_topic_publish(struct page *p, struct slice json);
/* It is ahead of the hub: nothing more is read. */
bool page_topics_busy(const struct page *p);
void page_topics_connected(struct page *p, bool connected);
/* The program, or the page, may take more again. */
void page_topics_drained(struct page *p);
void page_topics_leave(struct page *p);

/* ---- wire.c: WebSockets of sessions ---- */

struct page_offer;
/* 101, then attaches the session. `permit` may be NULL. */
void page_wire_attach(struct page_host *host, struct exchange *x, struct session *s,
                      const struct page_offer *offer, struct page_permit *permit);
/* 101, then closes with this code. Slices of the request may be given: they are used before it is
 * over. */
void page_wire_refuse(struct page_host *host, struct exchange *x, unsigned code,
                      struct slice reason);
void page_wires_drop(struct page_host *host);
/* NULL and the exchange answered if that is not possible. `subprotocol` may be empty. */
struct ws_peer *page_upgrade(struct page_host *host, struct exchange *x, struct slice subprotocol,
                             const struct ws_peer_ops *ops, void *owner, struct bytes *rest);

/* From now on each message waits so long, either way. */
void page_fault_latency(struct page *p, uint32_t ms);
/* The connection is lost, and for so long there is no other. */
void page_fault_cut(struct page *p, uint32_t ms);

/* ---- plain.c: WebSockets without a session ---- */

void page_plain_open(struct page *p);
/* A message of the program. */
void page_plain_send(struct page *p, const struct message *m);
bool page_plain_writable(const struct page *p);

/* ---- talk.c: the session's callbacks ---- */

extern const struct session_ops page_session_ops;

/* ---- stderr.c ---- */

extern const struct io_ops page_stderr_io_ops;
void page_stderr_init(struct page *p);
/* Stderr is at its end. */
void page_stderr_end(struct page *p);

/* ---- ending.c: the process's end ---- */

void page_ending_init(struct page *p);
/* End of file on descriptor 3; SIGTERM and SIGKILL follow once the answer is complete. */
void page_let_go(struct page *p);
/* SIGKILL now. */
void page_kill(struct page *p);
void page_exited(struct process *process, int status);
/* Starts the timers that can be started by now. */
void page_ending_advance(struct page *p);

/* ---- dev.c: what a developer is shown; without effect when not in dev mode ---- */

void page_dev_begin(struct page *p);
void page_dev_end(struct page *p);
/* A line of stderr: kept, and told to the page once it is there. */
void page_dev_line(struct page *p, struct slice line);
/* A line on descriptor 3 broke a rule. */
void page_dev_protocol_error(struct page *p, const char *why, struct slice line);
/* Tells the page what it has not been told yet. */
void page_dev_tell(struct page *p);
/* The session ends so. To be called before it does. */
void page_dev_ended(struct page *p, unsigned code, struct slice reason);
/* The page is there: if its program has changed in the meantime, its session is over. */
void page_dev_attached(struct page *p);
/* A failure is not told before the last word of the program is known. */
bool page_dev_holds(const struct page *p);
bool page_dev_holds_answer(const struct page *p);
/* The server's answer in the place of the program's, which shows the stderr. Takes the exchange. */
void page_dev_answer(struct page *p, struct exchange *x, int status, const char *why);

/* ---- console.c: all of them on one page; without effect when not in dev mode ---- */

struct page_console *page_console_new(struct page_host *host);
/* Turns away who looks. */
void page_console_drop(struct page_host *host);
/* Accepts NULL. */
void page_console_free(struct page_console *console);
/* A program is started. */
void page_console_begin(struct page_host *host);
void page_console_from_page(struct page *p, const struct message *m);
void page_console_from_program(struct page *p, const struct message *m);
/* Something that happened, such as `attach`. */
void page_console_note(struct page *p, const char *what, struct slice text);
void page_console_stderr(struct page *p, struct slice line);

/* ---- dev_wait.c: a failed page waits for a change ---- */

#define PAGE_DEV_VERSION_MAX 24
/* Of the program's file. */
struct slice page_dev_version(const char *file, char out[PAGE_DEV_VERSION_MAX]);
/* Is this the question of such a page? Then takes the exchange. */
bool page_dev_wait(struct page_host *host, struct exchange *x, const struct site_found *found);
/* Turns all of them away. */
void page_dev_waits_drop(struct page_host *host);

/* ---- limits.c ---- */

bool page_limits_take(struct page_limits *limits, const struct net_client_key *key);
void page_limits_release(struct page_limits *limits, const struct net_client_key *key);
/* The client of `x` starts one more program: 0, or how long it must wait. */
uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x);

#endif
