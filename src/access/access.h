/* SPDX-License-Identifier: MIT */
/* access.h - the whole decision of script access, in its order: may this page connect to that
 * target?
 *
 *   tcp, lib                              web (a ServerConnection, at the target's own server)
 *   1 the client's rate, bans             1 the client's rate, bans; the Host is ours
 *   2 Origin present, not null; for tcp   2 Origin present, not null
 *     one of ours                         3 same origin: 4 and 5 are skipped
 *   3 the target's syntax                 4 the operator's rules
 *   4 the operator's block list, port 25  5 our own record
 *   5 the page's program                    if it is another's: its origin's rate
 *                                         6 the program
 *   6 this machine: self-ports only
 *   7 record, addresses, consent: lookup.h
 *
 *   plain (a WebSocket client without an Origin, which is no page's script): 1 and 6 of web
 *
 * Each step may refuse; all must allow. A check answers exactly once, by callback, from
 * access_run() and so never from inside access_check(): callers need no re-entry guard.
 *
 *   access_check ──> steps ──> ready ──> on_verdict
 *                     │  ^
 *                     v  │  access_program_answer(), the look-up's answer
 *                   waiting
 *
 * Lifetime  The caller embeds struct access_check and sets its request; it is ours from
 *           access_check() until on_verdict runs or access_cancel() returns. The request's slices
 *           must live as long.
 * Driving   access_run() at access_due_ms(); `wake` says that the due time may have come nearer.
 *           The resolver delivers DNS answers by its own means; access_set_now() is called before.
 *           access_loop.h does all this on a loop.
 * Errors    Everything is a verdict with a reason; nothing fails.
 * Threads   One; the tables of bans and rates may be shared by several (they say so).
 * Cost      Two hashes for the rates, one for each path segment for bans, one for a known verdict.
 */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include "access/questions.h"
#include "access/verdicts.h"
#include "limits/bans.h"

enum access_path {
    ACCESS_PATH_TCP,
    ACCESS_PATH_WEB,
    ACCESS_PATH_LIB,
    ACCESS_PATH_PLAIN
};

struct access_request {
    enum access_path path;
    struct net_client_key client;
    uint64_t who;          /* exchange_credentials(): bans know the client by them too */
    struct slice origin;   /* the header as sent; ptr NULL: none was */
    struct slice target;   /* HOST:PORT; not looked at for the web */
    bool here_known;       /* server_origin_find() said that the Host is ours */
    struct origin here;    /* and that this is the origin that was reached */
    struct slice url_path; /* for the web: decoded and normalised, without the query */
    bool resumes;          /* it was let in before, and counted then: no rate is looked at */
};

struct access_result {
    enum access_reason reason;
    uint32_t retry_s; /* the waiting time that a refusal names; 0: none */
    /* With ACCESS_BANNED: the part of url_path that is banned with every path below; empty:
     * url_path alone is banned. */
    struct slice banned_path;
    bool local;           /* connect to this machine, to the port asked for */
    struct target target; /* for tcp and lib, once its syntax was right */
    size_t count;         /* addresses to connect to, these and no others, in order of preference */
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
};

enum access_check_state {
    CHECK_IDLE,
    CHECK_STEPS,
    CHECK_PROGRAM,
    CHECK_LOOKUP,
    CHECK_READY
};

struct access_check {
    struct access_request request;
    /* Asks the program; access_program_answer() follows, at once or later. Nothing may be cancelled
     * inside of it. NULL: there is no program to ask. */
    void (*ask_program)(struct access_check *check);
    void (*on_verdict)(struct access_check *check, const struct access_result *result);
    /* Private from here on. */
    struct access *access; /* borrowed: it outlives its checks */
    enum access_check_state state;
    unsigned step;
    bool settled;               /* the reason stands, whatever the record says */
    bool program_asked, asking; /* asking: inside ask_program() */
    bool target_known;          /* its syntax was right */
    enum access_reason target_fault;
    struct origin origin;
    struct verdict_wait wait;
    struct list node;
    struct access_result result;
};

/* Totals for metrics. Read by other threads without a lock. */
struct access_counts {
    uint64_t verdicts[ACCESS_REASONS];
    uint64_t limited_client, limited_origin, limited_lookups; /* by which rate */
    uint64_t bans;
    struct verdicts_counts known;
};

struct access {
    const struct access_config *config; /* borrowed: outlives us */
    struct access_counts *counts;       /* borrowed */
    struct questions questions;
    struct verdicts verdicts;
    struct bans *bans;          /* borrowed, may be shared; NULL: no bans */
    struct rates *rates;        /* borrowed, may be shared; NULL: no rate limits */
    struct access_trace *trace; /* borrowed; NULL: none */
    struct list ready;
    uint64_t now_ms;
    void (*wake)(struct access *access);
    struct access_counts own_counts; /* unless access_set_counts() gave others */
};

/* `wake` may be NULL for a caller that looks at access_due_ms() after every call anyway. */
void access_init(struct access *a, const struct access_config *config, struct resolver *resolver,
                 struct bans *bans, struct rates *rates, void (*wake)(struct access *));
/* Counts into `counts`, which outlives `a`, so that totals survive a change of settings. */
void access_set_counts(struct access *a, struct access_counts *counts);
void access_set_trace(struct access *a, struct access_trace *trace);
/* Tells of verdicts that refuse what they allowed (verdicts.h: refuses). */
void access_set_refuses(struct access *a,
                        void (*refuses)(void *owner, const struct verdict_question *q),
                        void *owner);
/* Another evaluation says so (verdicts_doubt). */
void access_doubt(struct access *a, const struct verdict_question *q, uint64_t now_ms);
/* Every check must have been answered or cancelled, every lease ended. */
void access_done(struct access *a);

/* The caller has set request, ask_program and on_verdict; the other fields are not read. */
void access_check(struct access *a, struct access_check *check, uint64_t now_ms);
/* No callback after this. Only while the check is ours. */
void access_cancel(struct access *a, struct access_check *check);

/* The program's answer. A refusal bans the client from the URL or target for `max_age_s` (at most a
 * day), and with a Policy-Path (empty: none) from the paths below that. Only after ask_program. */
void access_program_answer(struct access *a, struct access_check *check, bool allowed,
                           uint32_t max_age_s, struct slice policy_path);

/* Sets the ban of access_program_answer() for a refusal that the program gave outside of a check.
 */
void access_ban(struct access *a, const struct access_request *request, uint32_t max_age_s,
                struct slice policy_path, uint64_t now_ms);

/* Sets the time for callbacks of the resolver. */
void access_set_now(struct access *a, uint64_t now_ms);
/* Delivers the verdicts that are ready, and does what is due. */
void access_run(struct access *a, uint64_t now_ms);
/* UINT64_MAX: never. */
uint64_t access_due_ms(const struct access *a);

/* Watches an allowed connection: `lease->revoked` runs once the record, looked up again whenever
 * the verdict expires, definitely refuses it. Right after on_verdict, with its check and result:
 * allowed, or a temporary failure for one that had been allowed before. Where no record was asked,
 * nothing is watched. */
void access_lease_start(struct access *a, const struct access_check *check,
                        struct verdict_lease *lease);
void access_lease_end(struct access *a, struct verdict_lease *lease);

#endif
