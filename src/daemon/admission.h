/* SPDX-License-Identifier: MIT */
/* admission.h - a client of another origin that has been let in, watched for as long as its
 * connection lasts.
 *
 * Once its grant (access/grant.h) is revoked the connection is closed with 4403 `revoked`.
 *
 * Lifetime  From admission_new() until the page room says that the connection is over.
 * Threads   The worker's.
 * Memory    Some 800 B a connection.
 */
#ifndef DAEMON_ADMISSION_H
#define DAEMON_ADMISSION_H

#include "daemon/visit.h"
#include "page/page.h"

struct worker;

/* In the callback of the visit's verdict, which allowed it. NULL without memory. */
struct page_permit *admission_new(struct worker *w, const struct visit *visit);

/* The worker has another guard: decides about all of them again. */
void admissions_review(struct worker *w);

#endif
