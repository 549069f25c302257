/* admission.h - a client of another origin that has been let in, watched for as long as its
 * connection lasts.
 *
 * The record is looked up again whenever its verdict expires; after a change of settings everything
 * is decided again. A definite refusal closes the connection with 4403 `revoked`; a temporary
 * failure closes none.
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
