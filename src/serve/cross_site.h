/* SPDX-License-Identifier: MIT */
/* cross_site.h - ordinary requests of other origins' pages: what their scripts may read, and why
 * they were refused a connection.
 *
 * If script access allows the page, every answer has the headers of CORS, and preflights are
 * answered. Otherwise the answer is the usual one, and the browser keeps it from the script. A
 * request without an Origin, or with our own, is not concerned and costs nothing.
 *
 * Page programs are not started by what another origin's page loads, such as an image, unless
 * script access allows that page: the browser says so by Fetch Metadata (Sec-Fetch-Site, -Mode,
 * -Dest, Sec-Purpose), and the answer is 403. A link or a form that leads there is followed. A
 * client that sends no such headers is not concerned.
 */
#ifndef SERVE_CROSS_SITE_H
#define SERVE_CROSS_SITE_H

#include "serve/worker.h"

/* False: the request is not one of these, and still the caller's. True: the exchange is taken.
 * Unless it is answered here, it goes on to wiring_answer() after the verdict. */
bool cross_site_begin(struct worker *w, struct exchange *x, const struct origin *here);

#endif
