/* SPDX-License-Identifier: MIT */
/* route_table.h - patterns of methods and paths, and which of them is for a request.
 *
 *     "GET /users/{id}"      one segment, whose value has the name `id`
 *     "/files/{path...}"     any method; the rest of the path, which may be empty
 *
 * The table is a tree of segments. Of patterns that match a path, a text wins over {NAME}, and that
 * over {NAME...}, segment by segment from the left; a method wins over any. GET is for HEAD too.
 *
 * Threads  Filled in by one; after that any may look.
 * Cost     A look: for each segment of the path a walk over the texts that stand there; more than
 *          one way down the tree only where {NAME} stands beside a text.
 */
#ifndef SERVE_ROUTE_TABLE_H
#define SERVE_ROUTE_TABLE_H

#include "base/slice.h"

enum {
    ROUTE_SEGMENTS_MAX = 32, /* of a pattern */
    ROUTE_PARAMS_MAX = 8
};

/* Embedded by what stands at the path. */
struct route {
    struct route *next;  /* at the same place, another method */
    char *pattern;       /* owned: what the slices point into */
    struct slice method; /* empty: any */
    struct slice names[ROUTE_PARAMS_MAX];
    uint8_t param_count;
};

struct route_node {
    struct route_node *next;     /* sibling */
    struct route_node *children; /* texts */
    struct route_node *any;      /* {NAME} */
    struct route_node *rest;     /* {NAME...} */
    struct route *routes;
    struct slice text;
};

struct route_table {
    struct route_node root;
};

struct route_match {
    struct route *route;         /* NULL: none */
    struct route *other_methods; /* where there is none: those of this path; NULL: no such path */
    struct slice values[ROUTE_PARAMS_MAX];
};

/* Sets the route's pattern, and puts it into the table. -EINVAL, -EEXIST, -ENOMEM; then
 * route_done() all the same. */
int route_add(struct route_table *table, struct route *route, const char *pattern);
void route_done(struct route *route);
/* `path` as of http_path_decode: begins with a slash. The values point into it. */
void route_find(const struct route_table *table, struct slice method, struct slice path,
                struct route_match *ret);
/* For whoever frees what embeds the routes: calls `each` for all, then frees the tree. */
void route_table_done(struct route_table *table, void (*each)(struct route *route));

#endif
