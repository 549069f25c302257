/* SPDX-License-Identifier: MIT */
#include "hub/request.h"

#include "base/log.h"
#include "hub/client.h"

#include <stdlib.h>

struct hub_request *hub_request_new(struct hub_client *client, enum hub_request_kind kind,
                                    struct slice topic, uint64_t hash, struct slice event,
                                    struct slice data)
{
    size_t cost = sizeof(struct hub_request) + topic.len + event.len + data.len;
    struct hub_request *r = log_needed(malloc(cost));
    if (!r)
        return NULL;
    *r = (struct hub_request){
        .hub = client->hub, .client = client, .kind = kind, .hash = hash, .cost = cost};
    list_init(&r->held);
    memcpy(r->id, client->id, HUB_ID_LEN);
    char *at = r->text;
    r->topic = slice_copy(&at, topic);
    r->event = slice_copy(&at, event);
    r->data = slice_copy(&at, data);
    return r;
}

void hub_request_drop(struct hub_request *request)
{
    if (!request || request->references-- > 0)
        return;
    if (request->kind == HUB_LEAVE)
        hub_request_drop(request->withdraws);
    for (size_t i = 0; i < request->past_count; i++)
        hub_event_unref(request->past[i]);
    free(request->past);
    text_done(&request->here);
    free(request);
}
