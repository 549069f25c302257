/* SPDX-License-Identifier: MIT */
/* crowd.h - clients of sessions, or of the plain form, for the rows of events: each is the other
 * end of a WebSocket of the server, reads what has come, and acknowledges every 64 messages, as
 * client.js does.
 *
 * What page/ does between the rooms is done in its way by the files of the rows.
 */
#ifndef COUNTS_CROWD_H
#define COUNTS_CROWD_H

#include "driver.h"
#include "hub/hub.h"
#include "session/table.h"
#include "ws/peer.h"

enum {
    LINES_MAX = 100,
    CROWD_BUFFER = 1 << 16,
    CROWD_BEFORE = 128 /* rounds that are not counted */
};

#define CROWD_DATA "\"twenty bytes of te\"" /* JSON of 20 bytes */

struct crowd;

struct line {
    struct crowd *crowd;
    struct ws_peer *peer;
    int fd;                   /* the client's end */
    struct session_wire wire; /* of a session; a plain client has none */
    struct session *session;
    struct loop_after after;
    struct io io; /* to the program */
    int program;  /* the program's end */
    struct hub_client *subscriber;
    unsigned heard, acked;
};

struct crowd {
    struct loop *loop;
    struct ws_config ws_config;
    struct ws_counts ws_counts;
    struct session_config config;
    struct session_ops session_ops;
    struct session_counts counts;
    struct session_table *table;
    struct hub hub; /* of topics: */
    struct hub_config hub_config;
    struct hub_client *publisher;
    struct topic_publication what;
    struct line lines[LINES_MAX];
    unsigned line_count, depth; /* messages at once */
};

/* So many clients, all connected. `on_message`: of a session that is not plain. */
struct crowd *crowd_open(unsigned lines, unsigned depth, bool plain,
                         void (*on_message)(struct session *s, const struct message *m));
void crowd_each(struct crowd *c, void (*act)(struct line *line));
/* One turn of the loop; `arg` is the crowd. */
void crowd_turn(void *arg);

/* One text, as a client's frame. Returns its length. */
size_t crowd_frame(char *out, struct slice text);
void crowd_write(int fd, const char *bytes, size_t len);
/* Reads what has come, and counts the messages that are not the protocol's own. */
void crowd_hear(struct line *line);
/* All that came up to now is not counted. */
void crowd_begin(struct line *line);
void crowd_acknowledge(struct line *line);
/* All have heard so many messages. */
void crowd_has_heard(const struct crowd *c, unsigned count);

#endif
