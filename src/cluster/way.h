/* SPDX-License-Identifier: MIT */
/* way.h - a connection from a worker of one server to another server, by TLS with the cluster's
 * keys, that carries many connections of clients: as streams with a window each.
 *
 *   CONNECTING ──> SHAKING ──> OPEN ──> CLOSED      the side that connects
 *                  SHAKING ──> OPEN ──> CLOSED      the side that accepts
 *
 * Only the side that has connected opens streams. Both sides say HELLO once TLS is there: the
 * connecting one whom it looks for, by its tag; if that is not who has accepted, the way closes
 * with WAY_ELSEWHERE: the server that had this address is gone.
 *
 * Lifetime  way_connect() or way_accept() until on_closed, after which the loop frees it. Before
 *           on_closed all its streams have got on_reset. A stream is embedded by its owner, and
 *           the way's from way_open() or way_take() until both sides have said END, on_reset has
 *           run, or way_stream_reset() returns.
 * Bounds    WAY_WINDOW_BYTES of a stream are under way in each direction; WAY_QUEUE_MAX of all
 *           streams together wait here for the connection: then none may send. A peer that sends
 *           more than it may, or anything else that it should not, is cut.
 * Time      HANDSHAKE_MS until OPEN. Each side says PING after a quiet 2 s; who says nothing for
 *           8 s is dead. A way that nobody uses closes after IDLE_MS.
 * Threads   Loop thread only.
 * Memory    Some 300 B and TLS; 8 B for each stream that was open at a time.
 */
#ifndef CLUSTER_WAY_H
#define CLUSTER_WAY_H

#include "cluster/way_frame.h"
#include "net/connector.h"
#include "net/stream.h"

enum {
    WAY_WINDOW_BYTES = 256 << 10,
    WAY_QUEUE_MAX = 1 << 20,
    WAY_STREAMS_MAX = 1 << 16
};

enum way_state {
    WAY_CONNECTING,
    WAY_SHAKING,
    WAY_IS_OPEN,
    WAY_CLOSED
};

/* Why it is closed. */
enum way_end {
    WAY_STOPPED,     /* by us */
    WAY_IDLE,        /* nobody used it */
    WAY_REFUSED,     /* nobody listens there */
    WAY_UNREACHABLE, /* no connection comes about */
    WAY_NO_KEY,      /* TLS failed: they have no key in common */
    WAY_ELSEWHERE,   /* another server is there */
    WAY_LOST,        /* the connection broke, or the other side has ended it */
    WAY_SILENT,      /* nothing came for too long */
    WAY_BROKEN_RULES /* what came is no frame, or one that should not come */
};
/* For the log. */
const char *way_end_token(enum way_end end);

/* A server's tag as text, for logs and keys. */
enum {
    WAY_TAG_TEXT = 9
};
const char *way_tag_print(uint32_t tag, char ret[WAY_TAG_TEXT]);

struct way;
struct way_stream;

struct way_stream_ops {
    /* Some of its bytes; to be acknowledged by way_stream_took(), at once or later. */
    void (*on_data)(struct way_stream *s, struct slice data);
    /* The other side sends nothing more. */
    void (*on_end)(struct way_stream *s);
    /* way_stream_room() was too small and has grown. */
    void (*on_room)(struct way_stream *s);
    /* It is over, by the other side or with the way. The last callback. */
    void (*on_reset)(struct way_stream *s);
};

struct way_stream {
    const struct way_stream_ops *ops;
    struct way *way;     /* borrowed; NULL: over */
    struct list waiting; /* way.waiting: for room in the way */
    uint32_t number;
    uint32_t may_send;       /* bytes */
    uint32_t may_come, owed; /* together with what the owner holds: WAY_WINDOW_BYTES */
    bool wants_room, said_end, heard_end;
};

struct way_ops {
    void (*on_open)(struct way *way);
    /* The other side passes a connection on: way_take() at once, or it is refused. */
    void (*on_stream)(struct way *way, uint32_t number, const struct way_open *open);
    void (*on_closed)(struct way *way, enum way_end end);
};

struct way {
    struct list node; /* the owner's */
    void *owner;      /* the owner's */
    const struct way_ops *ops;
    struct loop *loop;
    struct tls_context *tls; /* borrowed; until connected */
    struct connector connector;
    struct stream *stream; /* NULL: CONNECTING, CLOSED */
    struct timer timer;
    uint64_t heard_ms, said_ms, used_ms, began_ms;
    uint32_t own_tag, tag; /* whom it leads to; of an accepted one known when OPEN */
    enum way_state state;
    bool accepted;
    /* streams */
    struct way_stream **streams; /* by place */
    uint16_t *uses;              /* of each place: the high bits of its next number */
    uint32_t places, count, free_from;
    struct list waiting; /* streams that may send as soon as the way has room */
    /* input */
    unsigned char buffer[WAY_HEAD_SIZE + WAY_SMALL_MAX];
    size_t buffered;
    struct way_head head; /* of the frame in the buffer, once it is whole */
    size_t data_left;     /* of a DATA frame that has begun */
    uint32_t data_stream;
    struct reap reap;
};

/* `tls`: of keys; borrowed until the connection is there. `address`: of the server whose tag is
 * `tag`. NULL without memory. Answers never from inside this call. */
struct way *way_connect(struct loop *loop, struct tls_context *tls,
                        const struct net_address *address, uint32_t own_tag, uint32_t tag,
                        const struct way_ops *ops, void *owner);
/* Takes the stream, which is a TLS server's. NULL without memory. */
struct way *way_accept(struct stream *stream, uint32_t own_tag, const struct way_ops *ops,
                       void *owner);
/* on_closed runs inside of it. */
void way_close(struct way *way, enum way_end end);
static inline bool way_is_open(const struct way *way)
{
    return way->state == WAY_IS_OPEN;
}

/* Opens a stream on an open way that we have connected. False: it has too many, or no memory. */
bool way_open(struct way *way, struct way_stream *s, const struct way_stream_ops *ops,
              const struct way_open *open);
/* In on_stream. */
void way_take(struct way *way, uint32_t number, struct way_stream *s,
              const struct way_stream_ops *ops);

/* How many bytes may be sent now. If it is fewer than the owner has, on_room follows. */
size_t way_stream_room(struct way_stream *s);
/* At most as many. */
void way_stream_send(struct way_stream *s, struct slice data);
/* The owner has passed on so many bytes of on_data. */
void way_stream_took(struct way_stream *s, size_t bytes);
void way_stream_end(struct way_stream *s);
/* Over; the other side is told. No callback follows. Allowed when it is over already. */
void way_stream_reset(struct way_stream *s);

#endif
