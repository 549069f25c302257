/* SPDX-License-Identifier: MIT */
#include "serve/route_table.h"

#include "proto/http_chars.h"

#include <errno.h>
#include <stdlib.h>

/* Takes the next segment off the path, which begins with a slash. */
static struct slice next_segment(struct slice *path)
{
    *path = slice_skip(*path, 1);
    struct slice segment = slice_first(*path, slice_find(*path, '/'));
    *path = slice_skip(*path, segment.len);
    return segment;
}

/* ---- reading a pattern ---- */

enum segment_kind {
    SEGMENT_TEXT,
    SEGMENT_ANY,
    SEGMENT_REST,
    SEGMENT_BAD
};

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!http_is(s.ptr[i], HTTP_TCHAR))
            return false;
    return s.len > 0;
}

/* {NAME} and {NAME...} leave the name in *segment. */
static enum segment_kind read_segment(struct slice *segment, bool last)
{
    struct slice s = *segment;
    if (slice_find(s, '{') == s.len && slice_find(s, '}') == s.len)
        return s.len > 0 || last ? SEGMENT_TEXT : SEGMENT_BAD;
    if (s.len < 3 || s.ptr[0] != '{' || s.ptr[s.len - 1] != '}')
        return SEGMENT_BAD;
    s = slice_make(s.ptr + 1, s.len - 2);
    bool rest = slice_ends_with(s, SLICE_LITERAL("..."));
    if (rest)
        s.len -= 3;
    *segment = s;
    if (!is_name(s) || (rest && !last))
        return SEGMENT_BAD;
    return rest ? SEGMENT_REST : SEGMENT_ANY;
}

static struct route_node *find_child(const struct route_node *node, struct slice text)
{
    for (struct route_node *child = node->children; child; child = child->next)
        if (slice_equal(child->text, text))
            return child;
    return NULL;
}

static struct route_node *add_child(struct route_node *node, enum segment_kind kind,
                                    struct slice text)
{
    struct route_node **at = kind == SEGMENT_ANY    ? &node->any
                             : kind == SEGMENT_REST ? &node->rest
                                                    : &node->children;
    struct route_node *known = kind == SEGMENT_TEXT ? find_child(node, text) : *at;
    if (known)
        return known;
    struct route_node *child = calloc(1, sizeof(*child) + text.len);
    if (!child)
        return NULL;
    if (kind == SEGMENT_TEXT) {
        char *copy = (char *)(child + 1);
        child->text = slice_copy(&copy, text);
        child->next = node->children;
    }
    *at = child;
    return child;
}

static bool has_param(const struct route *route, struct slice name)
{
    for (size_t i = 0; i < route->param_count; i++)
        if (slice_equal(route->names[i], name))
            return true;
    return false;
}

/* A segment of the path under `*node`, which goes on to the child. */
static int step(struct route *route, struct route_node **node, struct slice *path)
{
    struct slice segment = next_segment(path);
    enum segment_kind kind = read_segment(&segment, path->len == 0);
    if (kind == SEGMENT_BAD)
        return -EINVAL;
    if (kind != SEGMENT_TEXT) {
        if (route->param_count == ROUTE_PARAMS_MAX || has_param(route, segment))
            return -EINVAL;
        route->names[route->param_count++] = segment;
    }
    *node = add_child(*node, kind, segment);
    return *node ? 0 : -ENOMEM;
}

static bool is_climbing(struct slice path)
{
    while (path.len) {
        struct slice segment = next_segment(&path);
        if (slice_equal(segment, SLICE_LITERAL(".")) || slice_equal(segment, SLICE_LITERAL("..")))
            return true;
    }
    return false;
}

static int add_at(struct route_node *node, struct route *route)
{
    for (const struct route *other = node->routes; other; other = other->next)
        if (slice_equal(other->method, route->method))
            return -EEXIST;
    route->next = node->routes;
    node->routes = route;
    return 0;
}

int route_add(struct route_table *table, struct route *route, const char *pattern)
{
    *route = (struct route){.pattern = strdup(pattern)};
    if (!route->pattern)
        return -ENOMEM;
    struct slice path = slice_of(route->pattern);
    size_t space = slice_find(path, ' ');
    if (space < path.len) {
        route->method = slice_first(path, space);
        path = slice_skip(path, space + 1);
        if (!is_name(route->method))
            return -EINVAL;
    }
    if (path.len == 0 || path.ptr[0] != '/' || is_climbing(path))
        return -EINVAL;
    struct route_node *node = &table->root;
    int error = 0;
    for (size_t i = 0; !error && path.len > 0; i++)
        error = i < ROUTE_SEGMENTS_MAX ? step(route, &node, &path) : -EINVAL;
    return error ? error : add_at(node, route);
}

void route_done(struct route *route)
{
    free(route->pattern);
    route->pattern = NULL;
}

/* ---- looking ---- */

struct search {
    struct slice method;
    struct route_match *match;
    size_t params;
};

static struct route *find_exact(struct route *routes, struct slice method)
{
    while (routes && !slice_equal(routes->method, method))
        routes = routes->next;
    return routes;
}

static struct route *find_method(struct route *routes, struct slice method)
{
    struct route *found = find_exact(routes, method);
    if (!found && slice_equal(method, SLICE_LITERAL("HEAD")))
        found = find_exact(routes, SLICE_LITERAL("GET"));
    return found ? found : find_exact(routes, SLICE_LITERAL(""));
}

/* Is this the place? Then the search is over. */
static bool arrive(struct search *s, const struct route_node *node)
{
    struct route *route = find_method(node->routes, s->method);
    if (!route && node->routes && !s->match->other_methods)
        s->match->other_methods = node->routes;
    s->match->route = route;
    return route;
}

static bool descend(struct search *s, const struct route_node *node, struct slice path);

static bool take_value(struct search *s, const struct route_node *node, struct slice value,
                       struct slice path)
{
    if (!node)
        return false;
    s->match->values[s->params++] = value;
    if (descend(s, node, path))
        return true;
    s->params--;
    return false;
}

static bool descend(struct search *s, const struct route_node *node, struct slice path)
{
    if (path.len == 0)
        return arrive(s, node);
    struct slice rest = path, segment = next_segment(&rest);
    const struct route_node *child = find_child(node, segment);
    if (child && descend(s, child, rest))
        return true;
    if (segment.len && take_value(s, node->any, segment, rest))
        return true;
    return take_value(s, node->rest, slice_skip(path, 1), SLICE_NONE);
}

void route_find(const struct route_table *table, struct slice method, struct slice path,
                struct route_match *ret)
{
    struct search search = {.method = method, .match = ret};
    *ret = (struct route_match){0};
    if (path.len && path.ptr[0] == '/')
        descend(&search, &table->root, path);
}

/* ---- freed ---- */

static void free_node(struct route_node *node, void (*each)(struct route *route))
{
    if (!node)
        return;
    for (struct route *next, *r = node->routes; r; r = next) {
        next = r->next;
        each(r);
    }
    for (struct route_node *next, *child = node->children; child; child = next) {
        next = child->next;
        free_node(child, each);
        free(child);
    }
    free_node(node->any, each);
    free(node->any);
    free_node(node->rest, each);
    free(node->rest);
}

void route_table_done(struct route_table *table, void (*each)(struct route *route))
{
    free_node(&table->root, each);
    table->root = (struct route_node){0};
}
