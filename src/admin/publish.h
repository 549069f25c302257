/* SPDX-License-Identifier: MIT */
/* publish.h - `POST /publish`: events into topics from outside, from clients that show a token.
 *
 *     POST /publish                              {"topic":…,"event":…,"data":…,"keep":…}
 *     Authorization: Bearer TOKEN                or an array of them
 *     Content-Type: application/json
 *
 * The whole body is checked before anything of it is published. The answer comes when every event
 * has reached its topic and been passed on to the programs: 200 with its number and how many were
 * subscribed.
 *
 * Bounds   The body: the server's body_max. Events in all: a rate. Under way: the hub's bound for
 *          one client; beyond, 503 with Retry-After.
 * Threads  One loop.
 */
#ifndef ADMIN_PUBLISH_H
#define ADMIN_PUBLISH_H

#include "admin/tokens.h"
#include "http/exchange.h"
#include "hub/hub.h"
#include "limits/rates.h"

enum publish_result {
    PUBLISH_DONE,         /* 200 */
    PUBLISH_BAD,          /* 400 */
    PUBLISH_UNAUTHORIZED, /* 401 */
    PUBLISH_OFF,          /* 404 */
    PUBLISH_METHOD,       /* 405 */
    PUBLISH_TOO_LARGE,    /* 413 */
    PUBLISH_TYPE,         /* 415 */
    PUBLISH_TOO_OFTEN,    /* 429 */
    PUBLISH_BUSY,         /* 503 */
    PUBLISH_RESULTS
};

struct publish {
    struct hub *hub;             /* borrowed, of this loop */
    const struct tokens *tokens; /* borrowed; NULL: publishing is off */
    struct rates *rates;         /* borrowed */
    struct rate rate;
    bool draining;
    struct hub_client *client;
    struct list jobs; /* requests whose events are on their way */
    uint64_t counts[PUBLISH_RESULTS];
};

/* To be called once the borrowed pointers are filled in. False without memory. */
bool publish_init(struct publish *publish);
/* Before hub_done(). */
void publish_done(struct publish *publish);

/* Takes the exchange. */
void publish_begin(struct publish *publish, struct exchange *x);

/* The HTTP status of the result, as text. */
const char *publish_status(enum publish_result result);

#endif
