/* SPDX-License-Identifier: MIT */
/* shared.h - shared programs: one process has many pages (docs/page-programs/shared.md).
 *
 *   shared_pick ──> shared process ──shared_join──> member ──shared_leave, or on_end──> no member
 *
 * The process is a PROGRAM_SHARED. Its lines are led by `@ID `, which names a member. What one
 * member does wrong costs that member alone.
 *
 * Bounds    Lines for the process wait in one queue up to SHARED_QUEUE_MAX bytes and one member's
 *           lines more, and then with their members, who pay for them. Meanwhile nobody joins.
 *           The process is never made to wait for one member, since all others would wait too. When
 *           all members together have not taken shared_max bytes, the one with most of them ends.
 * Calls     Inside of a call of its ops a member may leave, and no other one. shared_leave() and
 *           the writing functions call nobody.
 * Lifetime  A member is embedded by its owner and is the process's from shared_join() until it has
 *           left. A process lives as long as its program.
 * Threads   Loop thread only; struct worker_map is shared by all workers.
 */
#ifndef PROGRAM_SHARED_H
#define PROGRAM_SHARED_H

#include "base/text.h"
#include "program/program.h"
#include "proto/message.h"

#define SHARED_ID_LEN 24

enum {
    SHARED_QUEUE_MAX = 1 << 20
};

struct shared_process;
struct shared_member;

/* Slices are valid during the call. */
struct shared_member_ops {
    /* A message of the process for this member. */
    void (*on_message)(struct shared_member *m, const struct message *message);
    /* A line of the process for this member that breaks a rule. */
    void (*on_bad_line)(struct shared_member *m, const char *why, struct slice line);
    /* Does its client get what a message says, without JSON's quotes and escapes? Then these do not
     * count against the bound of its lines. */
    bool (*plain)(const struct shared_member *m);
    /* Is the member ahead of what its messages are for? Then nothing is read from the process. */
    bool (*busy)(const struct shared_member *m);
    /* Bytes that its client has not taken or acknowledged. */
    size_t (*backlog)(const struct shared_member *m);
    /* This member has most of what is too much: the member leaves. */
    void (*on_overflow)(struct shared_member *m);
    /* The process has taken what was written. Only after shared_write() had to wait. */
    void (*on_drain)(struct shared_member *m);
    void (*on_stderr)(struct shared_member *m, struct slice line);
    /* The process ends, and tells its pages so: the member leaves. */
    void (*on_end)(struct shared_member *m, unsigned code, struct slice reason);
};

struct shared_member {
    struct list node;           /* shared_process.members */
    struct shared_member *next; /* in its bucket */
    struct list waiting;        /* shared_process.waiting: on_drain is owed */
    const struct shared_member_ops *ops;
    struct shared_process *process; /* NULL: it has left */
    struct text *pending;   /* owned: whole lines, while too much waits for the process; or NULL */
    char id[SHARED_ID_LEN]; /* what leads its lines */
};

/* ---- pool.c: which process, and in which worker ---- */

/* Is there any shared program, so that it's worth while to ask where one is? */
bool shared_any(const struct program_host *host);
/* The worker to which a request for this file belongs, because it has processes of it. False: the
 * file is not shared. `key` of a handshake: a client that comes again with its key is looked for
 * there; may be SLICE_NONE. */
bool shared_worker(struct program_host *host, const char *file, struct slice key, uint32_t *ret);
/* How many processes of this file are in this worker; 0: it is not shared. */
uint32_t shared_share(struct program_host *host, const char *file);
/* A process for one more page, running, or started now. NULL: *ret_wait_s > 0: not before so many
 * seconds; 0: it can't be started (*ret_error, a negative errno). */
struct shared_process *shared_pick(struct program_host *host, const char *file, uint32_t share,
                                   uint32_t *ret_wait_s, int *ret_error);
/* `.shared`: a program that was started for one page takes many, if there are not enough processes
 * yet. False: it is one too many, or there is no memory; the program is as it was. */
bool shared_adopt(struct program *p, uint32_t processes);
/* The process with this id, of those that were taken over; or NULL. */
struct shared_process *shared_find(const struct program_host *host, pid_t pid);

/* ---- shared.c: a process and its members ---- */

/* `id` SLICE_NONE: one is made. False without randomness. */
bool shared_join(struct shared_process *s, struct shared_member *m,
                 const struct shared_member_ops *ops, struct slice id);
/* No effect if it has left. */
void shared_leave(struct shared_member *m);
/* Writes a line for this member; `pieces` end with LF. While more than SHARED_QUEUE_MAX bytes wait
 * for the process, the line waits with the member. */
void shared_write(struct shared_member *m, const struct slice *pieces, int count);
/* The member's last line, before shared_leave(): it waits for nothing. */
void shared_write_last(struct shared_member *m, const struct slice *pieces, int count);
/* The lines that wait with the member are lost. */
void shared_forget_pending(struct shared_member *m);
/* Those lines. */
static inline struct slice shared_pending(const struct shared_member *m)
{
    return m->pending ? text_slice(m->pending) : SLICE_NONE;
}
/* Lines waited with the member when it was taken over, after shared_join(). */
void shared_restore_pending(struct shared_member *m, struct slice lines);
/* Has the process taken all of the member's lines but what one send makes? */
bool shared_has_taken(const struct shared_member *m);
/* So much waits for the process that nobody should join now. */
bool shared_crowded(const struct shared_process *s);
/* A member that was told to wait has gone on writing: it is told to end, and leaves. */
void shared_overflow(struct shared_member *m);
/* To be called when the answer of ops->busy may have changed. May deliver lines: any member may
 * have left then. */
void shared_resume(struct shared_process *s);
/* As shared_resume(), but nothing is delivered before the next turn. */
void shared_resume_later(struct shared_process *s);
/* The process takes no more pages, and is let go when it has none. */
void shared_retire(struct shared_process *s);
struct program *shared_program(struct shared_process *s);
/* Of the program's owner: kind PROGRAM_SHARED. */
struct shared_process *shared_of(const struct program *p);

#endif
