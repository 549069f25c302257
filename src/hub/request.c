/* SPDX-License-Identifier: MIT */
#include "hub/request.h"

#include "hub/client.h"

#include <stdlib.h>

static struct slice keep(char **at, struct slice s)
{
    char *begin = *at;
    if (s.len)
        memcpy(begin, s.ptr, s.len);
    *at += s.len;
    return slice_make(begin, s.len);
}

struct hub_request *hub_request_new(struct hub_client *client, enum hub_ask ask, struct slice topic,
                                    uint64_t hash, struct slice event, struct slice data)
{
    size_t cost = sizeof(struct hub_request) + topic.len + event.len + data.len;
    struct hub_request *r = malloc(cost);
    if (!r)
        return NULL;
    *r = (struct hub_request){
        .hub = client->hub, .client = client, .ask = ask, .hash = hash, .cost = cost};
    memcpy(r->id, client->id, HUB_ID_LEN);
    char *at = r->text;
    r->topic = keep(&at, topic);
    r->event = keep(&at, event);
    r->data = keep(&at, data);
    return r;
}

void hub_request_drop(struct hub_request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->past_count; i++)
        hub_event_unref(request->past[i]);
    free(request->past);
    text_done(&request->here);
    free(request);
}
