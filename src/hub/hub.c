/* SPDX-License-Identifier: MIT */
#include "hub/hub.h"

#include "hub/client.h"

#include <stdlib.h>

void hub_init(struct hub *hub)
{
    list_init(&hub->clients);
    delivery_init(hub);
}

void hub_stop(struct hub *hub)
{
    hub->stopped = true;
}

void hub_done(struct hub *hub)
{
    for (struct list *node; (node = list_pop(&hub->clients));)
        client_free(container_of(node, struct hub_client, node));
    delivery_drop(hub);
    name_table_done(&hub->topics);
}

static void deliver_back(struct mail *mail)
{
    struct hub_request *r = container_of(mail, struct hub_request, mail);
    if (r->hub->stopped)
        hub_request_drop(r);
    else
        client_request_back(r);
}

void hub_request_return(struct hub *from, struct hub_request *request)
{
    if (from->stopped)
        hub_request_drop(request);
    else if (from == request->hub)
        client_request_back(request);
    else
        loop_post(request->hub->loop, &request->mail, deliver_back);
}

/* ---- answers ---- */

static const struct {
    struct slice token;
    const char *text;
} answers[HUB_ANSWERS] = {
    [HUB_DONE] = {SLICE_LITERAL("done"), "done"},
    [HUB_TOPICS_FULL] = {SLICE_LITERAL("too-many-topics"),
                         "there are as many topics as the server allows (topics-max)"},
    [HUB_SUBSCRIPTIONS_FULL] =
        {SLICE_LITERAL("too-many-subscriptions"),
         "the program has as many subscriptions as the server allows (subscriptions-max)"},
    [HUB_PRESENCE_FULL] = {SLICE_LITERAL("too-many-present"),
                           "as many are there as the server allows (presence-max): subscribed, but "
                           "not seen by the others"},
    [HUB_PRESENCE_TOO_LONG] = {SLICE_LITERAL("presence-too-long"),
                               "the presence is longer than the server allows (presence-data-max)"},
    [HUB_TOO_LONG] = {SLICE_LITERAL("too-long"),
                      "event and data are longer than the server allows (topic-message-max)"},
    [HUB_NO_MEMORY] = {SLICE_LITERAL("out-of-memory"), "the server has no memory for it"},
    [HUB_NOT_SUBSCRIBED] = {SLICE_LITERAL("not-subscribed"),
                            "the program is not subscribed to the topic"},
    [HUB_AWAY] = {SLICE_LITERAL("broker-away"),
                  "the broker of the topics does not answer, and too much waits for it"},
    [HUB_BROKER_REFUSED] = {SLICE_LITERAL("broker-refused"),
                            "the broker of the topics refuses it: the server's log says why"},
};

struct slice hub_answer_token(enum hub_answer answer)
{
    return answers[answer].token;
}

const char *hub_answer_text(enum hub_answer answer)
{
    return answers[answer].text;
}
