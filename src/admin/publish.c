/* SPDX-License-Identifier: MIT */
#include "admin/publish.h"

#include "admin/publish_events.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "proto/topic.h"

#include <stdio.h>
#include <stdlib.h>

/* One event of a request, with its answer. */
struct item {
    struct job *job;
    enum hub_answer answer;
    uint64_t seq;
    uint32_t subscribers;
};

/* One request, from its head until its answer. */
struct job {
    struct list node; /* publish.jobs, while events are on their way */
    struct publish *publish;
    struct exchange *x; /* NULL: the client has gone */
    struct text body;
    bool several; /* an array */
    size_t count; /* events */
    size_t waits; /* of them, without their answer */
    struct item *items;
};

static const struct {
    int status;
    const char *text;
} statuses[PUBLISH_RESULTS] = {
    [PUBLISH_DONE] = {200, "200"},         [PUBLISH_BAD] = {400, "400"},
    [PUBLISH_UNAUTHORIZED] = {401, "401"}, [PUBLISH_OFF] = {404, "404"},
    [PUBLISH_METHOD] = {405, "405"},       [PUBLISH_TOO_LARGE] = {413, "413"},
    [PUBLISH_TYPE] = {415, "415"},         [PUBLISH_TOO_OFTEN] = {429, "429"},
    [PUBLISH_BUSY] = {503, "503"},
};

const char *publish_status(enum publish_result result)
{
    return statuses[result].text;
}

/* ---- answers ---- */

static void refuse(struct publish *publish, struct exchange *x, enum publish_result result,
                   const char *why, const struct http_header *header)
{
    publish->counts[result]++;
    exchange_answer(x, statuses[result].status, slice_of(why), header, header ? 1 : 0);
}

static void refuse_until(struct publish *publish, struct exchange *x, enum publish_result result,
                         const char *why, uint32_t retry_s)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%u", retry_s);
    struct http_header header = {SLICE_LITERAL("Retry-After"), slice_make(text, (size_t)len)};
    refuse(publish, x, result, why, &header);
}

static void job_free(struct job *job)
{
    list_remove(&job->node);
    text_done(&job->body);
    free(job->items);
    free(job);
}

/* Refuses the whole request; the job is over. */
static void job_refuse(struct job *job, enum publish_result result, const char *why)
{
    refuse(job->publish, job->x, result, why, NULL);
    job_free(job);
}

static void put_result(const struct item *item, const struct topic_publication *what,
                       struct text *out)
{
    struct slice topic = topic_name_slice(&what->topic);
    json_text_begin(out);
    json_text_string(out, "topic", topic);
    if (item->answer == HUB_DONE) {
        json_text_number(out, "seq", (int64_t)item->seq);
        json_text_number(out, "subscribers", item->subscribers);
    } else {
        json_text_string(out, "reason", hub_answer_token(item->answer));
        json_text_string(out, "message", slice_of(hub_answer_text(item->answer)));
    }
    json_text_end(out);
}

/* The events have been checked before: none is wrong. */
static bool next_publication(struct publish_events *events, struct topic_publication *ret)
{
    struct slice json;
    const char *why;
    return publish_events_next(events, &json) && topic_parse_publish(json, ret, &why);
}

static void put_results(const struct job *job, struct text *out)
{
    struct publish_events events = publish_events_of(text_slice(&job->body));
    struct topic_publication what;
    text_put(out, job->several ? SLICE_LITERAL("[") : SLICE_NONE);
    for (size_t i = 0; i < job->count && next_publication(&events, &what); i++) {
        text_put(out, i ? SLICE_LITERAL(",\n") : SLICE_NONE);
        put_result(&job->items[i], &what, out);
    }
    text_put(out, job->several ? SLICE_LITERAL("]\n") : SLICE_LITERAL("\n"));
}

/* Whether it is worth while to come again soon. */
static bool is_away(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->items[i].answer == HUB_AWAY)
            return true;
    return false;
}

static enum publish_result result_of(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->items[i].answer == HUB_DONE)
            return PUBLISH_DONE;
    return job->count ? PUBLISH_BUSY : PUBLISH_DONE;
}

static void answer(struct job *job)
{
    struct exchange *x = job->x;
    struct text body = {0};
    enum publish_result result = result_of(job);
    struct http_header headers[] = {
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("application/json")},
        {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")},
    };
    size_t header_count = result == PUBLISH_BUSY && is_away(job) ? 3 : 2;
    put_results(job, &body);
    job->publish->counts[result]++;
    if (x && body.failed) {
        exchange_answer(x, 503, SLICE_LITERAL("published, but out of memory"), NULL, 0);
    } else if (x) {
        exchange_respond(x, statuses[result].status, SLICE_NONE, headers, header_count, body.len);
        exchange_write(x, text_slice(&body));
        exchange_end(x);
    }
    text_done(&body);
    job_free(job);
}

/* ---- from the hub ---- */

static void on_answer(struct hub_client *c, const struct hub_request *r)
{
    (void)c;
    struct item *item = r->tag;
    item->answer = r->answer;
    item->seq = r->seq;
    item->subscribers = r->subscribers;
    if (--item->job->waits == 0)
        answer(item->job);
}

static const struct hub_client_ops client_ops = {.on_answer = on_answer};

/* ---- the request ---- */

/* `waits` is one higher while the events are handed over, so that no answer ends the job too early.
 */
static void publish_all(struct job *job)
{
    struct publish_events events = publish_events_of(text_slice(&job->body));
    struct topic_publication what;
    job->waits = job->count + 1;
    list_append(&job->publish->jobs, &job->node);
    for (size_t i = 0; i < job->count && next_publication(&events, &what); i++) {
        struct item *item = &job->items[i];
        item->job = job;
        enum hub_answer refused = hub_publish(job->publish->client, &what, true, item);
        if (refused == HUB_DONE)
            continue; /* on_answer tells, or has told */
        item->answer = refused;
        job->waits--;
    }
    if (--job->waits == 0)
        answer(job);
}

static bool check_rate(struct job *job)
{
    struct publish *publish = job->publish;
    uint64_t now_ms = loop_now_ms(exchange_loop(job->x));
    for (size_t i = 0; i < job->count; i++) {
        uint32_t wait_s = rates_take(publish->rates, &publish->rate, LIMIT_PUBLISHED,
                                     SLICE_LITERAL("publish"), now_ms);
        if (!wait_s)
            continue;
        refuse_until(publish, job->x, PUBLISH_TOO_OFTEN, "rate-limited: see rate-publish", wait_s);
        job_free(job);
        return false;
    }
    return true;
}

static bool refuse_event(struct job *job, enum publish_result result, const char *why)
{
    char text[256];
    snprintf(text, sizeof(text), "event %zu: %s", job->count + 1, why);
    job_refuse(job, result, job->several ? text : why);
    return false;
}

/* Counts the events. False, and the request is answered, unless each can be published. */
static bool check_events(struct job *job)
{
    struct publish_events events = publish_events_of(text_slice(&job->body));
    struct slice json;
    size_t message_max = job->publish->hub->config->message_max;
    job->several = events.several;
    while (publish_events_next(&events, &json)) {
        struct topic_publication what;
        const char *why;
        if (!topic_parse_publish(json, &what, &why))
            return refuse_event(job, PUBLISH_BAD, why);
        if (what.event_len + what.data.len > message_max)
            return refuse_event(job, PUBLISH_TOO_LARGE, hub_answer_text(HUB_TOO_LONG));
        job->count++;
    }
    return true;
}

static void on_body_end(struct exchange *x)
{
    struct job *job = x->owner;
    publish_put_on_one_line(&job->body);
    if (job->body.failed) {
        job_refuse(job, PUBLISH_BUSY, "out of memory");
        return;
    }
    if (!job->body.len || !json_valid(text_slice(&job->body), JSON_DEPTH_MAX)) {
        job_refuse(job, PUBLISH_BAD, "the body is not JSON");
        return;
    }
    if (!check_events(job) || !check_rate(job))
        return;
    job->items = calloc(job->count + 1, sizeof(*job->items));
    if (job->items)
        publish_all(job);
    else
        job_refuse(job, PUBLISH_BUSY, "out of memory");
}

static void on_body(struct exchange *x, struct slice data)
{
    struct job *job = x->owner;
    text_put(&job->body, data);
}

static void on_writable(struct exchange *x)
{
    (void)x; /* the answer is written at once */
}

static void on_abort(struct exchange *x)
{
    struct job *job = x->owner;
    job->x = NULL;
    if (!job->items)
        job_free(job);
}

static const struct exchange_ops exchange_ops = {on_body, on_body_end, on_writable, on_abort};

/* ---- its head ---- */

static bool is_authorized(const struct publish *publish, const struct exchange *x)
{
    struct slice name = SLICE_LITERAL("authorization");
    struct slice value = http_head_find(x->request, name), scheme = SLICE_LITERAL("Bearer ");
    if (http_head_count(x->request, name) != 1 ||
        !slice_equal_nocase(slice_first(value, scheme.len), scheme))
        return false;
    return tokens_have(publish->tokens, slice_trim(slice_skip(value, scheme.len)));
}

static bool is_json(const struct exchange *x)
{
    struct slice type = http_head_find(x->request, SLICE_LITERAL("content-type"));
    struct slice essence = slice_trim(slice_first(type, slice_find(type, ';')));
    return slice_equal_nocase(essence, SLICE_LITERAL("application/json"));
}

static const struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("POST")};
static const struct http_header challenge = {SLICE_LITERAL("WWW-Authenticate"),
                                             SLICE_LITERAL("Bearer realm=\"publish\"")};
static const struct http_header accept_post = {SLICE_LITERAL("Accept-Post"),
                                               SLICE_LITERAL("application/json")};

/* False, and the request is answered. */
static bool check_head(struct publish *publish, struct exchange *x)
{
    if (!publish->tokens)
        refuse(publish, x, PUBLISH_OFF, "publishing is off: see publish-token", NULL);
    else if (!slice_equal(x->request->method, SLICE_LITERAL("POST")))
        refuse(publish, x, PUBLISH_METHOD, "only POST", &allow);
    else if (!is_authorized(publish, x))
        refuse(publish, x, PUBLISH_UNAUTHORIZED, "expected Authorization: Bearer and a token",
               &challenge);
    else if (!is_json(x))
        refuse(publish, x, PUBLISH_TYPE, "expected Content-Type: application/json", &accept_post);
    else if (publish->draining || hub_client_busy(publish->client))
        refuse_until(publish, x, PUBLISH_BUSY,
                     publish->draining ? "draining" : "too much is under way", 1);
    else
        return true;
    return false;
}

void publish_begin(struct publish *publish, struct exchange *x)
{
    if (!check_head(publish, x))
        return;
    struct job *job = malloc(sizeof(*job));
    if (!job) {
        refuse_until(publish, x, PUBLISH_BUSY, "out of memory", 1);
        return;
    }
    *job = (struct job){.publish = publish, .x = x};
    list_init(&job->node);
    x->ops = &exchange_ops;
    x->owner = job;
}

/* ---- begin and end ---- */

bool publish_init(struct publish *publish)
{
    list_init(&publish->jobs);
    publish->client = hub_client_new(publish->hub, &client_ops, publish);
    return publish->client;
}

void publish_done(struct publish *publish)
{
    hub_client_leave(publish->client);
    publish->client = NULL;
    while (!list_empty(&publish->jobs))
        job_free(container_of(publish->jobs.next, struct job, node));
}
