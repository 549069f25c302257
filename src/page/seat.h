/* SPDX-License-Identifier: MIT */
/* seat.h - what a page sits on: its program, wherever and whatever that is.
 *
 *   seat_process.c   a process of its own, with descriptor 3
 *   seat_lines.c     a process of its own that reads lines and writes lines
 *   seat_shared.c    one of many pages of a shared process
 *   seat_handler.c   a handler in C, in this process (handler.h)
 *
 * A page knows nothing of its program but these operations; a seat knows its page by the functions
 * below. So a page whose program is on another machine is one more table of operations.
 *
 *   page:  begin ──> body* body_end, send*, resume*, settle* ──> let_go ──> settle* ──> free
 *   seat:  page_hear*, page_answer_take*, page_seat_drained*, … until `gone`, then page_settle()
 *
 * Lifetime  The page owns its seat, and frees it when `gone` is true.
 * Bounds    Messages of the page are queued without a bound: the page looks at `queued`. The seat
 *           reads the next message only while page_reading() says so, or keeps the bound itself and
 *           tells its program (seat_shared.c).
 */
#ifndef PAGE_SEAT_H
#define PAGE_SEAT_H

#include "core/chunk.h"
#include "page/page.h"
#include "program/program.h"
#include "program/request.h"
#include "proto/message.h"

struct page;
struct seat;

struct pack;

/* Of seat_ops.pack; the numbers stay what they are. */
enum seat_kind {
    SEAT_NONE,
    SEAT_PROCESS,
    SEAT_LINES,
    SEAT_SHARED
};

struct seat_ops {
    /* The program knows of nothing but events `message`: no streams, no commands. */
    bool only_messages;
    /* The program wants the length of the request's body before it begins: a body of unknown length
     * is gathered first. */
    bool whole_body;
    /* Nothing tells the program that the server stops while it answers: its answer is not waited
     * for when it stands still. */
    bool knows_no_drain;
    /* Takes the request to the program: starts it, or joins it. `body` is an open file with the
     * whole body, taken in any case, or -1: then the body comes by body(). 0 or a negative errno:
     * then the page is told nothing more, and lets the seat go. */
    int (*begin)(struct seat *s, const struct program_request *request, int body);
    /* A message for the program: seat_send_message(), unless its lines have another form. */
    void (*send)(struct seat *s, const struct message *m);
    /* A line for the program, with its LF. No effect when !open. */
    void (*write)(struct seat *s, const struct slice *pieces, int count);
    /* As write(), for a line that many programs get. */
    void (*write_shared)(struct seat *s, struct shared_bytes *line);
    /* As write(), for a line with a long part in the middle, which is kept by a reference. NULL:
     * write() does. */
    void (*write_long)(struct seat *s, struct slice begin, struct shared_bytes *whole, size_t at,
                       size_t len);
    /* A long text, to be written as a line with a JSON string. NULL: it is quoted at once. */
    void (*write_text)(struct seat *s, const struct message *m);
    /* False: it takes no more messages, ever. */
    bool (*open)(const struct seat *s);
    /* Bytes that the program has not taken. */
    size_t (*queued)(const struct seat *s);
    /* Memory that is held for this page, and by what its program has written. NULL: none. */
    size_t (*held)(const struct seat *s);
    /* A long message is on its way to the program, piece by piece: the next one should wait. NULL:
     * never. */
    bool (*speaking)(const struct seat *s);
    /* Has it taken all but what one send makes? */
    bool (*has_taken)(const struct seat *s);
    /* Has the program itself read all that was sent? NULL: that can't be known. */
    bool (*has_read)(const struct seat *s);
    /* Is it seen to wait for the next message, done with all that was sent? NULL: never. */
    bool (*is_waiting)(const struct seat *s);
    /* The page has room for more bytes of a stream that had none: its number. NULL: what is held of
     * the stream goes then. */
    void (*stream_room)(struct seat *s, uint32_t number);
    /* Sends what it would take at once. */
    void (*flush)(struct seat *s);
    /* False: more should wait for page_body_drained(). */
    bool (*body)(struct seat *s, struct slice data);
    void (*body_end)(struct seat *s);
    /* Nothing more of the body comes. */
    void (*body_stop)(struct seat *s);
    /* The answer of page_reading() may have changed. Not from inside of page_hear(). */
    void (*resume)(struct seat *s);
    /* The client of the answer is behind, or goes on. */
    void (*pause_answer)(struct seat *s, bool paused);
    /* End of file for the program, which goes on with its answer. */
    void (*shut)(struct seat *s);
    /* The page's end is told so; comes before let_go, or not at all. */
    void (*note_reason)(struct seat *s, struct slice reason);
    /* The page is done with its program. Any number of times, also before begin. */
    void (*let_go)(struct seat *s);
    /* As let_go, but at once: the server stops. */
    void (*kill)(struct seat *s);
    /* Part of page_settle(): takes the steps that can be taken by now. `answered`: the request's
     * answer is complete, or nobody wants it any more. Calls nothing of any page. */
    void (*settle)(struct seat *s, bool answered);
    /* May it still read what is sent? */
    bool (*alive)(const struct seat *s);
    /* All that the program has to say is known, also on stderr. */
    bool (*silent)(const struct seat *s);
    /* Has its answer ended by the program's will? NULL: it says so itself. */
    enum program_fate (*fate)(struct seat *s);
    /* The program has ended by itself: with which close code, and `text` or a static reason. */
    bool (*ended)(const struct seat *s, unsigned *ret_code, char text[64],
                  struct slice *ret_reason);
    /* Nothing of it calls the page any more. */
    bool (*gone)(const struct seat *s);
    int (*pid)(const struct seat *s);
    /* Has the file of its program changed since that was started? NULL: that can't be known. */
    bool (*file_changed)(const struct seat *s);
    /* Its process, which has other pages too, takes no more. NULL: it is the page's own. */
    void (*retire)(struct seat *s);
    /* Where it is counted; NULL: nowhere. */
    struct room_place *(*place)(struct seat *s);
    void (*free)(struct seat *s);
    /* For the process that takes over: which kind of seat it is, and its fields (seat_unpack).
     * NULL: it can't be taken over. */
    enum seat_kind (*pack)(const struct seat *s, struct pack *p);
};

struct seat {
    const struct seat_ops *ops;
    struct page *page; /* borrowed: owns us */
};

/* ---- seat_message.c ---- */

/* Writes a message as one line (docs/page-programs/descriptor-3.md). */
void seat_send_message(struct seat *s, const struct message *m);

/* ---- seats.c ---- */

/* Why there is none. */
enum seat_refusal {
    SEAT_FULL,      /* a limit, or no memory */
    SEAT_BROKEN,    /* the program can't be started as it is */
    SEAT_HELD_BACK, /* the program has failed: not before `wait_s` */
    SEAT_CROWDED    /* the program is behind with what its pages have sent: not before `wait_s` */
};

struct seat_wish {
    const struct site_found *found;
    const struct program_command *command; /* in the place of a file; NULL: none */
    struct net_client_key client;
};

/* Who has seats in place of the programs of this machine, or beside them: handlers in this process,
 * another machine, a test. */
struct seat_source {
    /* As seat_find(); not while the host drains. */
    struct seat *(*find)(struct seat_source *source, struct page_host *host,
                         const struct seat_wish *wish, enum seat_refusal *ret_refusal,
                         uint32_t *ret_wait_s);
};

/* A seat for one more page; NULL: *ret_refusal says why. */
struct seat *seat_find(struct page_host *host, const struct seat_wish *wish,
                       enum seat_refusal *ret_refusal, uint32_t *ret_wait_s);
/* The same without a look at the host's source: of the programs of this machine. */
struct seat *seat_find_program(struct page_host *host, const struct seat_wish *wish,
                               enum seat_refusal *ret_refusal, uint32_t *ret_wait_s);
/* A program that reads lines: it is not asked whether it takes a client. */
bool seat_reads_lines(const struct page_host *host, const struct site_found *found);

/* A place among the pages without a process of their own of this client; false: it has
 * `shared-per-client`, which is logged and counted. */
bool seat_take_place(struct page_host *host, const struct seat_wish *wish,
                     struct room_place *place);
/* Of begin(): the program can't be started as it is. */
bool seat_error_is_broken(int error);

/* The kinds of it; seats.c chooses. NULL: a limit, or no memory. */
struct shared_process;
struct seat *seat_process_new(struct page_host *host, const struct seat_wish *wish);
struct seat *seat_lines_new(struct page_host *host, const struct seat_wish *wish);
struct seat *seat_shared_new(struct page_host *host, const struct seat_wish *wish,
                             struct shared_process *process);

/* The seat of these fields, in place of seat_find() and begin(); it has no page yet. NULL: it can't
 * be read, or there is no memory. */
struct seat *seat_unpack(struct page_host *host, enum seat_kind kind, struct slice in);
struct seat *seat_process_unpack(struct page_host *host, struct slice in);
struct seat *seat_lines_unpack(struct page_host *host, struct slice in);
struct seat *seat_shared_unpack(struct page_host *host, struct slice in);

#endif
