/* SPDX-License-Identifier: MIT */
/* message.h - the messages of a session: events, calls and answers; as WebSocket messages and as
 * lines on fd 3.
 *
 * docs/protocol.md, sections 2 and 4, and docs/page-programs/descriptor-3.md. Pure: parsing gives
 * slices into the input, JSON is checked for syntax and never interpreted.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "base/slice.h"
#include "proto/json.h"
#include "proto/status.h"

#define MESSAGE_NAME_MAX 128
/* `NAME?CALL` or `=CALL`, the longest head. */
#define MESSAGE_HEAD_MAX       (MESSAGE_NAME_MAX + 1 + 16)
#define MESSAGE_CALL_MAX       9007199254740991u
#define MESSAGE_JSON_DEPTH_MAX JSON_DEPTH_MAX

enum message_kind {
    MESSAGE_EVENT,   /* NAME */
    MESSAGE_CALL,    /* NAME?CALL */
    MESSAGE_ANSWER,  /* =CALL */
    MESSAGE_PART,    /* +CALL */
    MESSAGE_FAILURE, /* !CALL */
    MESSAGE_COMMAND, /* .listen, .unlisten, .dom, and the page's .problem: sequenced, always text */
    MESSAGE_CONTROL, /* any other .WORD: the protocol's own; not sequenced */
};

/* The first byte of a binary WebSocket message that is a part of a larger message: its bytes
 * follow. docs/protocol.md, section 11. */
enum message_part {
    MESSAGE_PART_MORE = 16,
    MESSAGE_PART_LAST_TEXT = 17,
    MESSAGE_PART_LAST_BINARY = 18,
};

struct shared_bytes;

struct message {
    enum message_kind kind;
    bool binary; /* body is bytes, not JSON */
    bool text;   /* body is UTF-8 still to be written as a JSON string; parsing never sets it */
    struct slice head;          /* as written: `photo?7`, `=7`, `.ack` */
    struct slice name;          /* of EVENT, CALL, and COMMAND and CONTROL (without the dot) */
    uint64_t call;              /* of CALL, ANSWER, PART, FAILURE; the N of `.ack N` */
    struct slice body;          /* JSON text (empty: null), or bytes */
    struct shared_bytes *whole; /* borrowed: holds the body, to be kept by a reference; NULL: nobody
                                   does. Parsing never sets it */
    const char *why;            /* with PARSE_BAD: a static text */
};

/* Whether the message is `.problem`, the one COMMAND that the client sends. The others come from
 * the server. */
static inline bool message_is_problem(const struct message *m)
{
    return m->kind == MESSAGE_COMMAND && slice_equal(m->name, SLICE_LITERAL("problem"));
}

/* A NAME: 1 to 128 of A-Z a-z 0-9 _ - : / ., not beginning with a dot. */
bool message_is_name_char(char c);
bool message_is_name(struct slice s);

/* One whole WebSocket message; never PARSE_MORE. A text must already be valid UTF-8. */
enum parse_status message_parse_text(struct slice text, struct message *ret);
enum parse_status message_parse_binary(struct slice data, struct message *ret);

/* How the body of a message is given. */
enum message_form {
    MESSAGE_JSON, /* on one line; empty: null */
    MESSAGE_BYTES,
    MESSAGE_TEXT /* UTF-8, to be written as a JSON string; not of a failure or a command */
};

/* A message of a program that writes no lines, checked as a line is, but for its length: `head` is
 * as on fd 3. Never PARSE_MORE. */
enum parse_status message_make(struct slice head, enum message_form form, struct slice body,
                               struct message *ret);

/* The next message on fd 3. `seen`: how many bytes an earlier call answered PARSE_MORE for (0 at
 * first), so that a long line is not searched twice. PARSE_OK: *used bytes were consumed.
 * PARSE_MORE: at least *want bytes are needed, as far as is known. PARSE_BAD: `why` is set, also
 * for a text that is not valid UTF-8 and for a message (head, one byte, body) above `max_bytes`.
 * *used is then the length of the line if the line is within the limit and announces no bytes.
 * Otherwise *used is 0: where the message ends depends on how much has come, or can't be known. A
 * program's CR before LF counts as part of the line end. */
enum parse_status message_parse_line(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                     size_t *want, struct message *ret);
/* As message_parse_line(), but `max_bytes` is meant for what the body says: bytes, or a string
 * without its quotes and escapes, which may make it six times as long. What the message says is the
 * caller's to measure. */
enum parse_status message_parse_line_escaped(struct slice in, size_t seen, size_t max_bytes,
                                             size_t *used, size_t *want, struct message *ret);

/* The beginning of a line on fd 3. The whole line is `before`, the body, LF. */
#define MESSAGE_LINE_MAX (MESSAGE_HEAD_MAX + 2 + 20 + 1)
struct message_line {
    size_t before_len;
    char before[MESSAGE_LINE_MAX + 1]; /* and the NUL of sprintf() */
};
/* Fills `ret` from the head of `m` and the form of its body. */
void message_line_head(const struct message *m, struct message_line *ret);

#endif
