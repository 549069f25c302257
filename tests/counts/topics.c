/* SPDX-License-Identifier: MIT */
/* topics.c - rows: the delivery of a topic's event to one of 100 pages, with a session or of the
 * plain form.
 */
#include "crowd.h"

#include "hub/threads.h"
#include "page/batch.h"

/* ---- a topic's events ---- */

static bool to_session(struct hub_client *c, struct hub_batch *batch)
{
    struct line *line = hub_client_owner(c);
    struct outbox_frames frames;
    if (!session_has_room(line->session, batch_payload(batch)) ||
        !batch_for_sessions(batch, &frames))
        return false;
    session_send_frames(line->session, &frames);
    return true;
}

static bool to_plain(struct hub_client *c, struct hub_batch *batch)
{
    struct line *line = hub_client_owner(c);
    struct outbox_frames frames;
    if (!batch_for_plain(batch, 1 << 20, &frames))
        return false;
    ws_peer_send_frames(line->peer, frames.shared, 0, frames.shared->len, frames.count, false);
    return true;
}

static bool takes_none(struct hub_client *c, bool to_page)
{
    (void)c, (void)to_page;
    counts_fail("events that do not go together");
}

static void no_line(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole)
{
    (void)c, (void)begin, (void)rest, (void)whole;
}

static const struct hub_client_ops session_hub_ops = {
    .takes = takes_none, .on_line = no_line, .on_page_events = to_session};
static const struct hub_client_ops plain_hub_ops = {
    .takes = takes_none, .on_line = no_line, .on_page_events = to_plain};
static const struct hub_client_ops publisher_ops = {.on_line = no_line};

static void publish_and_turn(void *arg)
{
    struct crowd *s = arg;
    for (unsigned i = 0; i < s->depth; i++)
        if (hub_publish(s->publisher, &s->what, false, NULL) != HUB_DONE)
            counts_fail("publish");
    if (loop_turn(s->loop, 0))
        counts_fail("no turn");
}

/* ---- set-up ---- */

static void open_topic(struct crowd *s, const struct hub_client_ops *ops)
{
    struct topic_subscription wanted = {
        .topic = {.len = 1, .text = "t"}, .to_page = true, .without_self = true};
    struct hub_threads *threads = hub_threads_new(1);
    s->hub_config = (struct hub_config){.topics_max = 100,
                                        .subscriptions_max = 10,
                                        .history_max = 4,
                                        .history_bytes_max = 100000,
                                        .linger_ms = 1000,
                                        .message_max = 1000,
                                        .ahead_max = 1u << 20};
    s->hub = (struct hub){.route = &hub_threads_route,
                          .route_end = threads,
                          .loop = s->loop,
                          .config = &s->hub_config};
    hub_init(&s->hub);
    hub_threads_add(threads, 0, &s->hub);
    for (unsigned i = 0; i < s->line_count; i++) {
        struct line *line = &s->lines[i];
        line->subscriber = hub_client_new(&s->hub, ops, line);
        if (hub_subscribe(line->subscriber, &wanted) != HUB_DONE)
            counts_fail("subscribe");
    }
    s->publisher = hub_client_new(&s->hub, &publisher_ops, s);
    s->what = (struct topic_publication){.topic = wanted.topic,
                                         .event_len = 7,
                                         .event = "message",
                                         .data = SLICE_LITERAL(CROWD_DATA)};
    crowd_turn(s);
}

/* ---- the rows ---- */

static unsigned run_topic(bool plain, unsigned depth, unsigned rounds)
{
    struct crowd *s = crowd_open(LINES_MAX, depth, plain, NULL);
    open_topic(s, plain ? &plain_hub_ops : &session_hub_ops);
    crowd_each(s, crowd_begin);
    for (unsigned i = 0; i < CROWD_BEFORE + rounds; i++) {
        counted(i >= CROWD_BEFORE, publish_and_turn, s);
        crowd_each(s, crowd_hear);
        crowd_has_heard(s, (i + 1) * depth);
        crowd_each(s, crowd_acknowledge);
    }
    return rounds * LINES_MAX * depth;
}

#define ROW(name, call)                                                                            \
    static unsigned name(void)                                                                     \
    {                                                                                              \
        return call;                                                                               \
    }

ROW(sessions_1, run_topic(false, 1, 128))
ROW(sessions_16, run_topic(false, 16, 16))
ROW(plain_1, run_topic(true, 1, 128))
ROW(plain_16, run_topic(true, 16, 16))

const struct counts_row topic_rows[] = {
    {"topic-100-1", sessions_1},
    {"topic-100-16", sessions_16},
    {"topic-100-plain-1", plain_1},
    {"topic-100-plain-16", plain_16},
    {0},
};
