/* SPDX-License-Identifier: MIT */
/* cluster_report.h - what a server tells the others of itself, and what all tell to whoever asks
 * one of them (`httpsocket cluster`).
 *
 *   asked server: control thread ──wish──> worker 0 ──broker──> worker 0 of each
 *   each server:  worker 0 ──order──> control thread ──cluster_report_give──> worker 0 ──broker──>
 *
 * Threads  Worker 0's, unless stated.
 * Cost     A text of some 200 B is handed to the registry each second.
 */
#ifndef SERVE_CLUSTER_REPORT_H
#define SERVE_CLUSTER_REPORT_H

#include "cluster/inquiry.h"
#include "cluster/servers.h"

struct cluster_report;
struct worker;

/* Of worker 0. The registry outlives it. NULL without memory. */
struct cluster_report *cluster_report_new(struct worker *w, struct servers *registry);
/* After the link has been freed. Accepts NULL. */
void cluster_report_free(struct cluster_report *r);
/* From the owner of the link. */
void cluster_report_up(struct cluster_report *r, struct broker *b);
void cluster_report_down(struct cluster_report *r);
bool cluster_report_message(struct cluster_report *r, struct slice channel, struct slice payload);

/* ---- somebody asks this server about all ---- */

enum cluster_wish {
    CLUSTER_SERVERS,  /* {"self":TAG,"servers":[…]} */
    CLUSTER_SESSIONS, /* {"answers":[{"tag":…,"name":…,"sessions":[…] or "why":WORD}]} */
    CLUSTER_METRICS,  /* the same with "metrics":TEXT */
};

/* From the control thread, where `done` is called, once. `json` is NULL if there is no cluster, or
 * the broker is away; it is the callee's to read. */
void worker_post_cluster(struct worker *w, enum cluster_wish wish,
                         void (*done)(void *arg, const struct text *json), void *arg);

/* ---- all ask this server ---- */

/* Worker 0 has it until server->report() takes it, and again from cluster_report_give() on. */
struct report_order {
    struct mail mail; /* for whoever takes it, too */
    struct worker *worker;
    enum inquiry_what what;
    struct inquiry_asked *asked;
    struct text text; /* the answer */
};

/* From the control thread. */
void cluster_report_give(struct report_order *order);

#endif
