/* SPDX-License-Identifier: MIT */
/* request.h - what a program is told of the request that it answers: as its environment
 * (environment.h), or as one JSON object in `.join` if the process has many pages.
 */
#ifndef PROGRAM_REQUEST_H
#define PROGRAM_REQUEST_H

#include "base/text.h"
#include "net/address.h"
#include "proto/http_head.h"

struct program_request {
    const struct http_head *head;
    struct slice path;  /* decoded */
    size_t script_len;  /* how much of it is SCRIPT_NAME */
    struct slice query; /* ptr NULL: none */
    struct net_address peer, local;
    bool secure;
    struct slice host; /* that the browser sees; SLICE_NONE: as the head has it */
    uint16_t port;     /* 0: our own */
    struct slice base; /* the path before `path` that the browser sees; may be SLICE_NONE */
    bool base_cut;     /* the head's target lacks it */
    bool has_length;   /* there is a body, of this length */
    uint64_t content_length;
    struct slice session; /* id; SLICE_NONE: no session */
    struct slice origin;  /* of the page; may be SLICE_NONE */
    struct slice address; /* of the client */
    bool connect;         /* no page is wanted */
    bool restore;         /* the client brings a state (docs/page-programs/state.md) */
};

/* The object of `.join` (docs/page-programs/shared.md). */
void program_request_json(const struct program_request *r, struct text *out);

#endif
