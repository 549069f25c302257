/* SPDX-License-Identifier: MIT */
/* parts.h - struct session, and what the files of this room call of each other.
 *
 * session.h has the diagram of the states.
 */
#ifndef SESSION_PARTS_H
#define SESSION_PARTS_H

#include "session/entry.h"
#include "session/inbox.h"
#include "session/session.h"

struct pack;

#define SESSION_REASON_MAX 120 /* bytes: a close frame has room for 123 */

/* The order matters: up to DETACHED the owner may send and end. */
enum session_state {
    SESSION_WAITING,
    SESSION_ATTACHED,
    SESSION_DETACHED,
    SESSION_LEAVING,
    SESSION_ENDING,
    SESSION_OVER
};

struct session_streams;
struct state_slot;

/* The first message of the outbox that the wire has not wholly got. Messages that are sent in parts
 * leave as the wire takes them, and those behind them wait. */
struct sending {
    struct outbox_place next; /* before it; no block: the wire has got all */
    uint32_t at;              /* bytes of it that the client has got, or the wire */
    uint64_t number;          /* its number */
};

struct session {
    struct entry entry;
    struct loop *loop;
    const struct session_config *config;
    struct session_counts *counts;
    struct session_table *table;
    const struct session_ops *ops;
    void *owner;
    struct session_wire *wire; /* NULL: detached */
    struct timer timer;        /* the grace time while detached, the ping interval while attached */
    union {
        struct timer ack_timer;
        struct reap reap; /* once OVER */
    };
    struct outbox outbox;
    struct inbox inbox;
    struct sending sending;
    uint64_t acknowledged; /* what the client was told last, by `.welcome` or `.ack` */
    uint64_t unacknowledged_bytes;
    uint32_t window;                       /* as it was when the session began; the client knows */
    struct channels_config streams_config; /* likewise */
    uint32_t message_max_told;             /* by the last `.welcome` */
    uint16_t origin_len, path_len;         /* of `text` */
    struct session_streams *streams;       /* owned; NULL: the client has opened none */
    struct state_slot *saved;              /* owned; NULL: the program has saved nothing */
    uint32_t pings, pongs;                 /* on this wire */
    uint64_t heard_ms, said_ms;            /* when something last came and went */
    char *text;                            /* origin, then path */
    size_t answers;                        /* bytes that wait in the wire, since it was empty */
    char *end_reason;                      /* NULL: none, or no memory for it */
    uint64_t ended_ms;
    uint64_t gone_ms; /* when its client was lost, or the session made */
    uint16_t end_code;
    uint8_t state; /* enum session_state */
    bool attached_before : 1;
    bool blocked : 1; /* on_writable is owed */
    bool goodbye : 1;
    bool takes_state : 1; /* its client, when it was there last */
    bool restoring : 1;   /* the client's state has not come */
    bool wire_missed : 1; /* taken over from another process, without the wire that it had */
    bool unsent : 1;      /* session_flush() sends from `sending` on */
    bool held_off : 1;    /* by the owner */
    bool unread : 1;      /* answers wait in the wire: nothing is read before they have left */
};

_Static_assert(sizeof(struct session) <= 464, "512 B while idle, with its texts");

/* ---- session.c ---- */

/* As session_new(), but in no table: it has no id. */
struct session *session_make(struct loop *loop, const struct session_spec *spec);
/* Its memory, and what it owns but its streams; it is in no table. */
void session_free(struct session *s);

const char *session_state_name(const struct session *s);
void session_set_state(struct session *s, enum session_state next);

/* More than so many bytes are not acknowledged, or their memory is more than twice that. */
bool session_holds(const struct session *s, size_t bytes);

/* ---- output.c: what goes out ---- */

void session_put(struct session *s, bool binary, const struct slice *pieces, size_t count);
void session_say(struct session *s, const char *text, int len);
void session_say_welcome(struct session *s);
void session_say_ping(struct session *s);
/* Says `.ack` if the client does not know how many messages have been taken. */
void session_say_ack(struct session *s);
/* Sends all messages that are not acknowledged. */
void session_replay(struct session *s);
/* What was pushed last, from this place on, goes out by session_flush(), or when its turn comes. */
void session_put_last(struct session *s, struct outbox_place from, uint64_t number);
/* Sends what the wire has room for. */
void session_pump(struct session *s);
/* Whether the wire has wholly got all messages before this number. */
bool session_has_put(const struct session *s, uint64_t number);
void session_unblock(struct session *s);
/* Tells the wire whether it is to be read. */
void session_steer(struct session *s);
/* Closes the wire, which forgets the session. */
void session_drop_wire(struct session *s, unsigned code, const char *reason);

/* ---- receive.c ---- */

/* The wire is empty: the client is read again. */
void session_answers_left(struct session *s);

/* ---- ending.c ---- */

/* Only the first call counts. */
void session_set_end(struct session *s, unsigned code, struct slice reason);
/* Tells the end to the client, if it is connected, and finishes the session. */
void session_say_end(struct session *s);
void session_finish(struct session *s);
/* The client has no further part in the session; the owner still has to let its program go. */
void session_leave(struct session *s, const char *reason);
void session_breach(struct session *s, const char *why);

/* ---- streams.c ---- */

/* A wire has come, and `.welcome` is sent. */
void session_streams_attach(struct session *s);
void session_streams_detach(struct session *s);
/* A `.ping` was sent; a `.pong` has come. */
void session_streams_pinged(struct session *s);
void session_streams_ponged(struct session *s);
/* A binary message that is a stream's frame. May end the session. */
void session_streams_receive(struct session *s, struct bytes frame);
/* Ends all streams, with this reason. */
void session_streams_end(struct session *s, struct slice reason);
uint32_t session_streams_count(const struct session *s);
/* Memory that streams hold. */
size_t session_streams_held(const struct session *s);
/* How many bytes of streams the client has not received. */
size_t session_streams_kept(const struct session *s);
/* For the process that takes over: pack.c. */
void session_streams_pack(const struct session *s, struct pack *p);
bool session_streams_unpack(struct session *s, struct slice in);
void session_streams_go_on(struct session *s);
void session_streams_reset_unclaimed(struct session *s, struct slice json);

/* ---- liveness.c: grace, pings, delayed acknowledgement ---- */

void session_liveness_init(struct session *s);
/* A wire has come. */
void session_liveness_attached(struct session *s);
/* The wire is gone: grace begins. */
void session_lose_wire(struct session *s, const char *reason);
/* One more message has been taken. */
void session_ack_soon(struct session *s);
/* Something leaves now: an `.ack` that would soon be due goes with it. */
void session_ack_along(struct session *s);

#endif
