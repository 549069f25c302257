/* SPDX-License-Identifier: MIT */
/* channel.c - a channel that a page opens: for what kind of stream, and who takes it. */
#include "page/streams.h"

#include "page/host.h"

#include <jansson.h>

#define JSON_MAX 65536 /* of an OPEN; a stream's own limits are stricter */

static bool is_kind(const json_t *object, const char *name)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    return kind && !strcmp(kind, name);
}

void page_channel_open(struct page_host *host, struct channel *c, struct slice json,
                       const struct page_opener *opener, struct page *p)
{
    json_t *object =
        json.len <= JSON_MAX ? json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (is_kind(object, "tcp") && host->spec.on_tcp)
        host->spec.on_tcp(host->spec.owner, c, json, opener);
    else if (is_kind(object, "stream") && p)
        page_stream_open(p, c, object);
    else
        channel_reset(c, SLICE_LITERAL("{\"reason\":\"stream-unsupported\"}"));
    json_decref(object);
}
