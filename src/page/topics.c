/* SPDX-License-Identifier: MIT */
/* topics.c - a program's topics: its commands to the hub, and the hub's words to it.
 *
 * A program that has not said anything of topics costs a pointer. While the hub is busy for it,
 * nothing is read from descriptor 3.
 */
#include "page/topics.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/host.h"
#include "proto/topic.h"

static struct page *page_of(struct hub_client *c)
{
    return hub_client_owner(c);
}

/* ---- to the program ---- */

static void tell(struct page *p, struct text *line)
{
    page_write_text(p, line);
}

static void tell_problem(struct page *p, const char *command, struct slice topic,
                         enum hub_answer answer)
{
    struct slice token = hub_answer_token(answer);
    struct text line = {0};
    text_printf(&line,
                ".problem {\"command\":\"%s\",\"topic\":\"%.*s\",\"reason\":\"%.*s\","
                "\"message\":\"%s\"}\n",
                command, SLICE_ARG(topic), SLICE_ARG(token), hub_answer_text(answer));
    tell(p, &line);
    log_warn("topic.refused", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", page_pid(p)), log_text("session", p->mark),
             log_text("command", command), log_slice("topic", topic), log_slice("reason", token));
}

static void tell_subscribed(struct page *p, const struct hub_request *r)
{
    struct slice id = hub_client_id(p->topics);
    struct text line = {0};
    text_printf(&line, ".subscribed {\"topic\":\"%.*s\",\"id\":\"%.*s\",\"seq\":%llu}\n",
                SLICE_ARG(r->topic), SLICE_ARG(id), (unsigned long long)r->seq);
    tell(p, &line);
}

/* ---- from the hub ---- */

/* What came in one turn is only corked: the kernel is asked before the program is called slow. */
static bool program_takes(struct page *p)
{
    size_t backlog = p->host->spec.config->topic_backlog;
    if (p->seat->ops->queued(p->seat) < backlog)
        return true;
    p->seat->ops->flush(p->seat);
    return p->seat->ops->queued(p->seat) < backlog;
}

static bool takes(struct hub_client *c, bool to_page)
{
    struct page *p = page_of(c);
    return to_page ? p->client && p->client->writable(p) : program_takes(p);
}

static void on_line(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole)
{
    struct page *p = page_of(c);
    if (whole)
        p->seat->ops->write_shared(p->seat, whole);
    else
        p->seat->ops->write(p->seat, (struct slice[]){begin, rest}, 2);
}

static void on_page_event(struct hub_client *c, struct slice name, struct slice data)
{
    struct page *p = page_of(c);
    struct message m = {.kind = MESSAGE_EVENT, .head = name, .name = name, .body = data};
    p->client->send(p, &m);
}

static bool on_page_events(struct hub_client *c, struct hub_batch *batch)
{
    struct page *p = page_of(c);
    return p->client && p->client->send_batch && p->client->send_batch(p, batch);
}

static void on_answer(struct hub_client *c, const struct hub_request *r)
{
    static const char *const commands[] = {
        [HUB_JOIN] = "subscribe",    [HUB_SHOW] = "subscribe", [HUB_PUBLISH] = "publish",
        [HUB_LEAVE] = "unsubscribe", [HUB_HIDE] = "subscribe", [HUB_LOOK] = "subscribe",
    };
    struct page *p = page_of(c);
    bool subscribed = r->answer == HUB_DONE || r->answer == HUB_PRESENCE_FULL;
    if (r->kind == HUB_JOIN && subscribed)
        tell_subscribed(p, r);
    if (r->answer != HUB_DONE)
        tell_problem(p, commands[r->kind], r->topic, r->answer);
}

static void on_room(struct hub_client *c)
{
    struct page *p = page_of(c);
    page_resume(p);
    page_settle(p);
}

static void on_loss(struct hub_client *c, struct slice topic)
{
    const struct page *p = page_of(c);
    log_warn("topic.lost", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", page_pid(p)), log_text("session", p->mark), log_slice("topic", topic));
}

static const struct hub_client_ops client_ops = {
    takes, on_line, on_page_event, on_answer, on_room, on_loss, on_page_events,
};

/* ---- from the program ---- */

/* A program that is gone hears nothing any more; only its last publications still count. */
static bool may_hear(const struct page *p)
{
    return p->seat->ops->alive(p->seat);
}

static bool begin(struct page *p)
{
    if (p->topics)
        return true;
    p->topics = hub_client_new(p->host->spec.hub, &client_ops, p);
    if (p->topics)
        hub_client_connected(p->topics, p->client->present(p));
    return p->topics;
}

static void conclude(struct page *p, const char *command, const struct topic_name *topic,
                     enum hub_answer answer)
{
    if (answer != HUB_DONE)
        tell_problem(p, command, topic_name_slice(topic), answer);
}

const char *page_topic_subscribe(struct page *p, struct slice json)
{
    struct topic_subscription wanted;
    const char *why;
    if (!topic_parse_subscribe(json, &wanted, &why))
        return why;
    if (may_hear(p))
        conclude(p, "subscribe", &wanted.topic,
                 begin(p) ? hub_subscribe(p->topics, &wanted) : HUB_NO_MEMORY);
    return NULL;
}

const char *page_topic_unsubscribe(struct page *p, struct slice json)
{
    struct topic_name topic;
    const char *why;
    if (!topic_parse_unsubscribe(json, &topic, &why))
        return why;
    if (may_hear(p))
        conclude(p, "unsubscribe", &topic,
                 p->topics ? hub_unsubscribe(p->topics, topic_name_slice(&topic))
                           : HUB_NOT_SUBSCRIBED);
    return NULL;
}

const char *page_topic_publish(struct page *p, struct slice json)
{
    struct topic_publication what;
    const char *why;
    if (!topic_parse_publish(json, &what, &why))
        return why;
    conclude(p, "publish", &what.topic,
             begin(p) ? hub_publish(p->topics, &what, false, NULL) : HUB_NO_MEMORY);
    return NULL;
}

/* ---- what becomes of the page ---- */

bool page_topics_busy(const struct page *p)
{
    return p->topics && may_hear(p) && hub_client_busy(p->topics);
}

void page_topics_connected(struct page *p, bool connected)
{
    if (p->topics)
        hub_client_connected(p->topics, connected);
}

void page_topics_drained(struct page *p)
{
    if (p->topics)
        hub_client_drained(p->topics);
}

/* ---- for the process that takes over ---- */

void page_topics_pack(const struct page *page, struct pack *p)
{
    if (page->topics)
        hub_client_pack(page->topics, p);
}

void page_topics_unpack(struct page *page, struct slice in)
{
    if (in.len)
        page->topics = hub_client_unpack(page->host->spec.hub, in, &client_ops, page);
}
