/* SPDX-License-Identifier: MIT */
#include "cluster/servers_view.h"

#include <stdlib.h>

struct servers_view *servers_view_ref(struct servers_view *view)
{
    if (view)
        atomic_fetch_add(&view->refs, 1);
    return view;
}

void servers_view_unref(struct servers_view *view)
{
    if (view && atomic_fetch_sub(&view->refs, 1) == 1)
        free(view);
}

static int by_tag(const void *key, const void *member)
{
    uint32_t tag = *(const uint32_t *)key, other = ((const struct server_info *)member)->tag;
    return tag < other ? -1 : tag > other;
}

const struct server_info *servers_view_find(const struct servers_view *view, uint32_t tag)
{
    if (!view)
        return NULL;
    return bsearch(&tag, view->servers, view->count, sizeof(*view->servers), by_tag);
}

bool servers_view_is_gone(const struct servers_view *view, uint32_t tag)
{
    return view && view->fresh && !servers_view_find(view, tag);
}

bool servers_view_has_other(const struct servers_view *view, uint32_t tag)
{
    for (size_t i = 0; view && i < view->count; i++) {
        const struct server_info *server = &view->servers[i];
        if (server->tag != tag && !server->draining && !server->late)
            return true;
    }
    return false;
}
