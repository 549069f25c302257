/* SPDX-License-Identifier: MIT */
/* Script access with recorded answers and a clock that the test moves. */
#include "access/access.h"
#include "access/recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RECORD   "_script-access.b.test TXT \"v=sa1; allow=a.example; port=7000\" [ttl=60]"
#define ANY_PORT "_script-access.b.test TXT \"v=sa1; allow=a.example; port=*\" [ttl=60]"
#define ADDRESS  "b.test A 203.0.113.10 | 10.113.0.203.in-addr.arpa PTR b.test."

struct world {
    struct access_config config;
    struct recorded recorded;
    struct access access;
    struct rates *rates;
    struct bans *bans;
    uint64_t now_ms;
    int wakes;
};

struct caller {
    struct access_check check;
    struct access_result result;
    int verdicts;
    struct verdict_lease lease;
    int revoked;
    bool take_lease;
};

static void on_wake(struct access *a)
{
    container_of(a, struct world, access)->wakes++;
}

static void set(struct world *w, const char *name, const char *value)
{
    const char *why;
    assert_int_equal(access_config_set(&w->config, slice_of(name), slice_of(value), &why), 0);
}

static void record(struct world *w, const char *answers)
{
    const char *why = "";
    recorded_done(&w->recorded);
    struct list queue = w->recorded.queue;
    assert_true(queue.next == NULL || list_empty(&w->recorded.queue));
    assert_int_equal(recorded_init(&w->recorded, slice_of(answers), &why), 0);
}

static struct world *open_world(const char *answers)
{
    struct world *w = calloc(1, sizeof(*w));
    access_config_init(&w->config);
    set(w, "origin", "https://a.example");
    set(w, "private", "203.0.113.0/24");
    record(w, answers);
    w->rates = rates_new(64);
    w->bans = bans_new(64);
    w->now_ms = 1000;
    access_init(&w->access, &w->config, &w->recorded.resolver, w->bans, w->rates, on_wake);
    return w;
}

static void close_world(struct world *w)
{
    access_done(&w->access);
    recorded_done(&w->recorded);
    access_config_done(&w->config);
    bans_free(w->bans);
    rates_free(w->rates);
    free(w);
}

static void on_revoked(struct verdict_lease *lease, const struct lookup_outcome *outcome)
{
    struct caller *c = container_of(lease, struct caller, lease);
    assert_int_not_equal(outcome->reason, ACCESS_OK_RECORD);
    c->revoked++;
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct caller *c = container_of(check, struct caller, check);
    c->result = *result;
    c->verdicts++;
    c->lease.revoked = on_revoked;
    if (c->take_lease)
        access_lease_start(check->access, check, &c->lease);
}

static void begin(struct world *w, struct caller *c, const char *page, const char *target)
{
    c->check.request.path = ACCESS_PATH_TCP;
    c->check.request.origin = slice_of(page);
    c->check.request.target = slice_of(target);
    c->check.on_verdict = on_verdict;
    int before = c->verdicts;
    access_check(&w->access, &c->check, w->now_ms);
    assert_int_equal(c->verdicts, before); /* never from inside */
}

/* Until nothing is to be answered or told at this time. */
static void settle(struct world *w)
{
    do {
        access_set_now(&w->access, w->now_ms);
        recorded_run(&w->recorded);
        access_run(&w->access, w->now_ms);
    } while (!list_empty(&w->recorded.queue) || access_due_ms(&w->access) <= w->now_ms);
}

static const char *reason(const struct caller *c)
{
    return access_reason_row(c->result.reason)->token;
}

static void a_verdict_is_told_once_and_kept_for_its_ttl(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0};
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_int_equal(c.verdicts, 1);
    assert_string_equal(reason(&c), "ok-record");
    assert_int_equal(c.result.count, 1);
    begin(w, &c, "https://a.example", "B.test.:7000");
    settle(w);
    assert_int_equal(c.verdicts, 2);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 1);
    w->now_ms += 59999;
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 1);
    w->now_ms += 1;
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 2);
    assert_int_equal(c.verdicts, 4);
    assert_true(w->wakes > 0);
    close_world(w);
}

static void a_refusal_by_record_costs_one_question(void **state)
{
    (void)state;
    struct world *w = open_world("_script-access.b.test TXT \"v=sa1; allow=c.example\" | " ADDRESS);
    struct caller c = {0};
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_string_equal(reason(&c), "origin-not-allowed");
    assert_int_equal(w->recorded.asked_count, 1);
    close_world(w);
}

static void what_needs_no_dns_asks_none(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD);
    static const struct {
        const char *page, *target, *reason;
    } cases[] = {
        {"null", "b.test:7000", "origin-opaque"},
        {"https://a.example/", "b.test:7000", "origin-opaque"},
        {"https://evil.example", "b.test:7000", "origin-foreign"},
        {"https://a.example", "b.test", "target-syntax"},
        {"https://a.example", "127.0.0.1:80", "target-ip-literal"},
        {"https://a.example", "printer.local:80", "target-special-name"},
        {"https://a.example", "bad.example:80", "target-blocked"},
        {"https://a.example", "sub.bad.example:80", "target-blocked"},
        {"https://a.example", "b.test:25", "port-blocked"},
        {"https://a.example", "a.example:80", "self-port-closed"},
    };
    set(w, "block", "*.bad.example");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct caller c = {0};
        begin(w, &c, cases[i].page, cases[i].target);
        settle(w);
        assert_string_equal(reason(&c), cases[i].reason);
    }
    assert_int_equal(w->recorded.asked_count, 0);
    close_world(w);
}

static void equal_questions_are_one(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c[5] = {0};
    set(w, "origin", "https://c.example");
    for (int i = 0; i < 5; i++) /* two origins: two verdicts, yet one question for the record */
        begin(w, &c[i], i < 3 ? "https://a.example" : "https://c.example", "b.test:7000");
    settle(w);
    for (int i = 0; i < 5; i++)
        assert_int_equal(c[i].verdicts, 1);
    assert_string_equal(reason(&c[2]), "ok-record");
    assert_string_equal(reason(&c[4]), "origin-not-allowed");
    for (size_t i = 0; i < w->recorded.asked_count; i++)
        assert_int_equal(w->recorded.asked[i].times, 1);
    assert_int_equal(w->access.verdicts.counts->misses, 2);
    close_world(w);
}

static void a_cancelled_check_hears_nothing(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c[3] = {0};
    for (int i = 0; i < 3; i++)
        begin(w, &c[i], "https://a.example", "b.test:7000");
    access_cancel(&w->access, &c[1].check);
    settle(w);
    assert_int_equal(c[0].verdicts, 1);
    assert_int_equal(c[1].verdicts, 0);
    assert_int_equal(c[2].verdicts, 1);
    /* The last one that waits takes the question along. */
    begin(w, &c[1], "https://a.example", "other.test:1");
    access_cancel(&w->access, &c[1].check);
    assert_true(list_empty(&w->recorded.queue));
    /* One that has its verdict but has not been told. */
    begin(w, &c[1], "null", "b.test:7000");
    access_cancel(&w->access, &c[1].check);
    settle(w);
    assert_int_equal(c[1].verdicts, 0);
    close_world(w);
}

static void everything_ends_after_three_seconds(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD);
    struct caller c = {0};
    begin(w, &c, "https://a.example", "b.test:7000");
    assert_int_equal(access_due_ms(&w->access), 4000);
    access_run(&w->access, 3999);
    assert_int_equal(c.verdicts, 0);
    access_run(&w->access, 4000);
    assert_int_equal(c.verdicts, 1);
    assert_string_equal(reason(&c), "dns-timeout");
    assert_int_equal(c.result.retry_s, 10);
    assert_true(list_empty(&w->recorded.queue)); /* cancelled */
    /* Who comes again when he was told to is not given the old failure. */
    begin(w, &c, "https://a.example", "b.test:7000");
    access_run(&w->access, 4000);
    assert_int_equal(c.verdicts, 2);
    w->now_ms = 14000;
    begin(w, &c, "https://a.example", "b.test:7000");
    access_run(&w->access, 14000);
    assert_int_equal(c.verdicts, 2);
    access_run(&w->access, 17000);
    assert_int_equal(c.verdicts, 3);
    close_world(w);
}

static void a_silent_aaaa_costs_one_second(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0};
    begin(w, &c, "https://a.example", "b.test:7000");
    access_set_now(&w->access, 1500);
    recorded_run(&w->recorded); /* the record: A and AAAA are asked */
    struct list *first = list_pop(&w->recorded.queue);
    struct dns_question *q = container_of(first, struct dns_question, node);
    assert_int_equal(q->type, DNS_AAAA);
    access_set_now(&w->access, 1600);
    recorded_run(&w->recorded); /* A alone */
    assert_int_equal(access_due_ms(&w->access), 2600);
    list_append(&w->recorded.queue, first); /* never answered, to be cancelled */
    access_run(&w->access, 2600);
    assert_int_equal(c.verdicts, 0); /* on with consent */
    w->now_ms = 2600;
    settle(w);
    assert_string_equal(reason(&c), "ok-record");
    close_world(w);
}

enum {
    CROWD = 300
};

/* Callers of clients of their own, each with a target of its own that DNS does not answer for. */
struct crowd {
    struct world *w;
    int count;
    struct caller callers[CROWD];
    char targets[CROWD][32];
};

static struct crowd *open_crowd(void)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    crowd->w = open_world("-");
    set(crowd->w, "origin", "https://c.example");
    return crowd;
}

static void close_crowd(struct crowd *crowd)
{
    settle(crowd->w);
    close_world(crowd->w);
    free(crowd);
}

static struct caller *one_of(struct crowd *crowd, int client, const char *page, const char *target)
{
    struct caller *c = &crowd->callers[crowd->count];
    char *own = crowd->targets[crowd->count];
    snprintf(own, sizeof(crowd->targets[0]), "h%d.test:1", crowd->count++);
    c->check.request.client.bytes[0] = (uint8_t)client;
    c->check.request.client.bytes[1] = (uint8_t)(client >> 8);
    begin(crowd->w, c, page, target ? target : own);
    access_run(&crowd->w->access, crowd->w->now_ms);
    return c;
}

static void join(struct crowd *crowd, int client, int lookups)
{
    for (int i = 0; i < lookups; i++)
        assert_int_equal(one_of(crowd, client, "https://a.example", NULL)->verdicts, 0);
}

static int refused(const struct crowd *crowd)
{
    int count = 0;
    for (int i = 0; i < crowd->count; i++)
        count += crowd->callers[i].verdicts;
    return count;
}

static void assert_refused(const struct caller *c, const char *token)
{
    assert_int_equal(c->verdicts, 1);
    assert_string_equal(reason(c), token);
}

static void lookups_are_limited_by_client_origin_and_in_all(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    struct world *w = crowd->w;
    w->config.pending_max = 10;
    w->config.pending_client_max = 3;
    w->config.pending_origin_max = 6;
    for (int client = 1; client <= 2; client++) {
        join(crowd, client, 3);
        struct caller *fourth = one_of(crowd, client, "https://a.example", NULL);
        assert_refused(fourth, "rate-limited");
        assert_int_equal(fourth->result.retry_s, 1);
    }
    struct caller *joins = one_of(crowd, 9, "https://a.example", "h0.test:1");
    assert_int_equal(joins->verdicts, 0); /* counts for nothing */
    assert_int_equal(w->access.verdicts.counts->misses, 6);
    for (int client = 10; client <= 15; client++) /* each with one, all ten run */
        one_of(crowd, client, "https://c.example", NULL);
    assert_int_equal(w->access.verdicts.shares.count, 10);
    settle(w);
    assert_string_equal(reason(joins), "no-record");
    close_crowd(crowd);
}

static void four_clients_with_slow_names_keep_nobody_of_their_origin_out(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    for (int client = 1; client <= 4; client++)
        join(crowd, client, 8);
    for (int client = 10; client < 30; client++)
        join(crowd, client, 1);
    join(crowd, 50, 2);
    assert_int_equal(crowd->w->access.verdicts.shares.count, 32);
    assert_int_equal(refused(crowd), 22); /* of the four: one for each newcomer's */
    assert_string_equal(reason(&crowd->callers[0]), "overload");
    assert_int_equal(crowd->callers[0].result.retry_s, 10);
    close_crowd(crowd);
}

static void an_origin_has_more_than_its_share_when_many_clients_have_one_each(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    for (int client = 1; client <= 200; client++)
        join(crowd, client, 1);
    assert_int_equal(refused(crowd), 0);
    assert_refused(one_of(crowd, 1, "https://a.example", NULL), "rate-limited");
    close_crowd(crowd);
}

static void where_all_lookups_run_the_greediest_gives_way_and_no_newcomer(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    crowd->w->config.pending_origin_max = 256;
    for (int client = 1; client <= 32; client++)
        join(crowd, client, 8);
    assert_int_equal(refused(crowd), 0);
    for (int client = 100; client < 140; client++)
        join(crowd, client, 1);
    assert_int_equal(refused(crowd), 40);
    assert_int_equal(crowd->w->access.verdicts.shares.count, 256);
    close_crowd(crowd);
}

static void where_each_client_has_one_lookup_none_gives_way(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    crowd->w->config.pending_max = 20;
    for (int client = 1; client <= 20; client++)
        join(crowd, client, 1);
    assert_refused(one_of(crowd, 30, "https://a.example", NULL), "overload");
    assert_int_equal(refused(crowd), 1);
    close_crowd(crowd);
}

static void a_lookup_that_two_wait_for_is_charged_to_the_one_with_fewer(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    crowd->w->config.pending_max = 8;
    join(crowd, 1, 8);
    struct caller *joins = one_of(crowd, 2, "https://a.example", "h0.test:1");
    for (int client = 3; client <= 8; client++)
        join(crowd, client, 1);
    assert_int_equal(joins->verdicts, 0); /* six others of the first client's have given way */
    assert_int_equal(crowd->callers[0].verdicts, 0);
    assert_int_equal(refused(crowd), 6);
    close_crowd(crowd);
}

static void an_open_connections_lookup_that_gives_way_comes_again(void **state)
{
    (void)state;
    struct crowd *crowd = open_crowd();
    struct world *w = crowd->w;
    struct caller *open = &crowd->callers[0];
    record(w, RECORD " | _script-access.b.test TXT@2 \"v=sa1; deny=a.example\" | " ADDRESS);
    open->take_lease = true;
    one_of(crowd, 1, "https://a.example", "b.test:7000");
    settle(w);
    assert_string_equal(reason(open), "ok-record");
    w->config.pending_max = 3;
    w->now_ms += 61000; /* the verdict is over: it is looked up again */
    access_run(&w->access, w->now_ms);
    join(crowd, 1, 2);
    join(crowd, 2, 1);
    assert_int_equal(refused(crowd), 1); /* the verdict above */
    assert_int_equal(open->revoked, 0);
    w->now_ms += 1000;
    settle(w);
    assert_int_equal(open->revoked, 1);
    assert_int_equal(w->access.verdicts.counts->rechecks, 2);
    close_crowd(crowd);
}

static void the_rate_of_lookups_is_limited_by_client(void **state)
{
    (void)state;
    struct world *w = open_world("-");
    set(w, "rate-lookups", "60,2");
    for (int i = 0; i < 3; i++) {
        char target[32];
        struct caller c = {0};
        snprintf(target, sizeof(target), "h%d.test:1", i);
        begin(w, &c, "https://a.example", target);
        settle(w);
        assert_string_equal(reason(&c), i < 2 ? "no-record" : "rate-limited");
        if (i == 2)
            assert_int_equal(c.result.retry_s, 1);
    }
    close_world(w);
}

static void forgotten_verdicts_bound_the_cache(void **state)
{
    (void)state;
    struct world *w = open_world("-");
    w->config.cache_max = 8;
    w->config.rate_lookups = w->config.rate_client = (struct rate){0};
    for (int i = 0; i < 100; i++) {
        char target[32];
        struct caller c = {0};
        snprintf(target, sizeof(target), "h%d.test:1", i);
        begin(w, &c, "https://a.example", target);
        settle(w);
        assert_true(w->access.verdicts.idle_count <= 8);
    }
    close_world(w);
}

static void hold(struct world *w, struct caller *c)
{
    c->take_lease = true;
    begin(w, c, "https://a.example", "b.test:7000");
    settle(w);
    assert_string_equal(reason(c), "ok-record");
    assert_non_null(c->lease.verdict);
}

static void a_withdrawn_record_revokes_within_its_ttl(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c[2] = {0};
    hold(w, &c[0]);
    hold(w, &c[1]);
    record(w, ADDRESS);
    assert_int_equal(access_due_ms(&w->access), 61000);
    w->now_ms = 60999;
    settle(w);
    assert_int_equal(c[0].revoked, 0);
    w->now_ms = 61000;
    settle(w);
    assert_int_equal(c[0].revoked, 1);
    assert_int_equal(c[1].revoked, 1);
    assert_null(c[0].lease.verdict);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 1);
    close_world(w);
}

static void an_outage_of_dns_revokes_nothing(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0};
    hold(w, &c);
    record(w, "_script-access.b.test TXT [servfail]");
    w->now_ms = 61000;
    settle(w);
    assert_int_equal(c.revoked, 0);
    uint64_t due = access_due_ms(&w->access);
    assert_true(due >= 71000 && due <= 121000); /* asked again soon */
    record(w, RECORD " | " ADDRESS);
    w->now_ms = due;
    settle(w);
    assert_int_equal(c.revoked, 0);
    assert_int_equal(access_due_ms(&w->access), due + 60000);
    record(w, "_script-access.b.test TXT \"v=sa1; deny=a.example\"");
    w->now_ms = due + 60000;
    settle(w);
    assert_int_equal(c.revoked, 1);
    close_world(w);
}

static void hear_refusal(void *owner, const struct verdict_question *q)
{
    assert_string_equal(q->target->host, "b.test");
    assert_int_equal(q->target->port, 7000);
    ++*(int *)owner;
}

/* What one evaluation finds out is looked at by another one at once, and told once. */
static void a_verdict_that_another_evaluation_doubts_is_looked_up_again_at_once(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0}, late = {0};
    struct origin origin;
    struct target target = {.host = "b.test", .port = 7000}, other = {.host = "b.test", .port = 1};
    struct verdict_question q = {&origin, ACCESS_VIA_TCP, &other, NULL};
    int told = 0;
    assert_true(origin_parse(SLICE_LITERAL("https://a.example"), &origin));
    access_set_refuses(&w->access, hear_refusal, &told);
    hold(w, &c);
    access_doubt(&w->access, &q, w->now_ms); /* unknown: nothing happens */
    q.target = &target;
    access_doubt(&w->access, &q, w->now_ms); /* the record is as it was */
    assert_int_equal(access_due_ms(&w->access), w->now_ms);
    settle(w);
    assert_int_equal(c.revoked, 0);
    assert_int_equal(access_due_ms(&w->access), 61000);
    record(w, ADDRESS);
    access_doubt(&w->access, &q, w->now_ms);
    settle(w);
    assert_int_equal(c.revoked, 1);
    assert_int_equal(told, 0);
    access_doubt(&w->access, &q, w->now_ms); /* it refuses already */
    assert_int_equal(access_due_ms(&w->access), UINT64_MAX);
    begin(w, &late, "https://a.example", "b.test:7000");
    settle(w);
    assert_string_equal(reason(&late), "no-record");
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 1);
    close_world(w);
}

static void a_verdict_that_refuses_what_it_allowed_is_told_once(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0};
    int told = 0;
    access_set_refuses(&w->access, hear_refusal, &told);
    hold(w, &c);
    assert_int_equal(told, 0);
    record(w, ADDRESS);
    w->now_ms = 61000;
    settle(w);
    assert_int_equal(c.revoked, 1);
    assert_int_equal(told, 1);
    w->now_ms = 100000;
    c.take_lease = false;
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_int_equal(told, 1);
    close_world(w);
}

/* ---- open connections of one client, and what they ask ---- */

static void hold_at(struct world *w, struct caller *c, const char *name, int port, char text[32])
{
    snprintf(text, 32, "%s:%d", name, port);
    c->take_lease = true;
    begin(w, c, "https://a.example", text);
    settle(w);
    assert_non_null(c->lease.verdict);
}

static void open_connections_to_many_names_ask_within_the_rate(void **state)
{
    (void)state;
    struct caller c[12] = {0};
    char target[12][32], answers[12 * 64] = "";
    for (int i = 0; i < 12; i++)
        sprintf(answers + strlen(answers), "%sh%d.test A 203.0.113.10 [ttl=0]", i ? " | " : "", i);
    struct world *w = open_world(answers);
    set(w, "rate-lookups", "60,12");
    for (int i = 0; i < 12; i++) {
        char name[16], vouched[32];
        snprintf(name, sizeof(name), "h%d.test", i);
        snprintf(vouched, sizeof(vouched), "%s:1", name);
        set(w, "vouch", vouched);
        hold_at(w, &c[i], name, 1, target[i]);
    }
    w->now_ms += 10000;
    settle(w);
    assert_int_equal(w->access.verdicts.counts->rechecks, 6); /* half of the rate */
    w->now_ms += 4000;
    settle(w);
    assert_int_equal(w->access.verdicts.counts->rechecks, 8);
    for (int i = 0; i < 12; i++)
        access_lease_end(&w->access, &c[i].lease);
    close_world(w);
}

static void open_connections_to_one_name_ask_once_for_all(void **state)
{
    (void)state;
    struct world *w = open_world(ANY_PORT " | " ADDRESS);
    struct caller c[12] = {0};
    char target[12][32];
    for (int i = 0; i < 12; i++)
        hold_at(w, &c[i], "b.test", 7000 + i, target[i]);
    unsigned before = recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT);
    set(w, "rate-lookups", "60,2");
    w->now_ms += 60000;
    settle(w);
    assert_int_equal(w->access.verdicts.counts->rechecks, 12);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT),
                     before + 1);
    for (int i = 0; i < 12; i++)
        access_lease_end(&w->access, &c[i].lease);
    close_world(w);
}

static void an_ended_lease_asks_no_more(void **state)
{
    (void)state;
    struct world *w = open_world(RECORD " | " ADDRESS);
    struct caller c = {0};
    hold(w, &c);
    access_lease_end(&w->access, &c.lease);
    access_lease_end(&w->access, &c.lease);
    w->now_ms = 200000;
    settle(w);
    assert_int_equal(recorded_times(&w->recorded, slice_of("_script-access.b.test"), DNS_TXT), 1);
    assert_true(access_due_ms(&w->access) == UINT64_MAX);
    close_world(w);
}

/* ---- the program ---- */

static struct access_check *asked;

static void ask_later(struct access_check *check)
{
    asked = check;
}

static void web_request(struct caller *c, const char *page, const char *path)
{
    struct access_request *q = &c->check.request;
    q->path = ACCESS_PATH_WEB;
    assert_true(origin_parse(slice_of("https://b.test"), &q->here));
    q->here_known = true;
    q->origin = slice_of(page);
    q->url_path = slice_of(path);
    c->check.on_verdict = on_verdict;
    c->check.ask_program = ask_later;
}

static void a_client_without_an_origin_is_let_in_but_counted_and_banned(void **state)
{
    (void)state;
    struct world *w = open_world("");
    struct caller c = {0};
    web_request(&c, "", "/chat");
    c.check.request.path = ACCESS_PATH_PLAIN;
    c.check.request.origin = SLICE_NONE;
    c.check.ask_program = NULL;
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_string_equal(reason(&c), "ok-no-origin");
    access_lease_start(&w->access, &c.check, &c.lease);
    assert_null(c.lease.verdict); /* there is no record to watch */
    access_ban(&w->access, &c.check.request, 60, SLICE_NONE, w->now_ms);
    assert_int_equal(w->access.counts->bans, 1);
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_string_equal(reason(&c), "banned");
    c.check.request.here_known = false;
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_string_equal(reason(&c), "host-foreign");
    close_world(w);
}

static void the_program_comes_last_and_its_401_bans(void **state)
{
    (void)state;
    struct world *w = open_world("_script-access.b.test TXT \"v=sa1; allow=a.example\"");
    struct caller c = {0};
    asked = NULL;
    web_request(&c, "https://a.example", "/chat/room");
    access_check(&w->access, &c.check, w->now_ms);
    assert_null(asked); /* the record comes first */
    settle(w);
    assert_ptr_equal(asked, &c.check);
    assert_int_equal(c.verdicts, 0);
    access_program_answer(&w->access, &c.check, false, 120, slice_of("/chat"));
    assert_int_equal(c.verdicts, 0); /* not from inside */
    settle(w);
    assert_string_equal(reason(&c), "script-denied");
    assert_int_equal(c.result.retry_s, 120);

    w->now_ms += 60500;
    asked = NULL;
    web_request(&c, "https://a.example", "/chat/other");
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_string_equal(reason(&c), "banned");
    assert_int_equal(c.result.retry_s, 60);
    assert_null(asked);

    w->now_ms += 59500;
    web_request(&c, "https://a.example", "/chat/other");
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_non_null(asked);
    access_program_answer(&w->access, &c.check, true, 0, SLICE_NONE);
    settle(w);
    assert_string_equal(reason(&c), "ok-record");
    close_world(w);
}

static void a_foreign_host_is_misdirected(void **state)
{
    (void)state;
    struct world *w = open_world("-");
    struct caller c = {0};
    web_request(&c, "https://a.example", "/");
    c.check.request.here_known = false;
    access_check(&w->access, &c.check, w->now_ms);
    settle(w);
    assert_string_equal(reason(&c), "host-foreign");
    assert_int_equal(access_reason_row(c.result.reason)->http, 421);
    close_world(w);
}

static void a_record_max_age_is_the_time_to_wait(void **state)
{
    (void)state;
    struct world *w =
        open_world("_script-access.b.test TXT \"v=sa1; allow=c.example; max-age=777\"");
    struct caller c = {0};
    begin(w, &c, "https://a.example", "b.test:7000");
    settle(w);
    assert_string_equal(reason(&c), "origin-not-allowed");
    assert_int_equal(c.result.retry_s, 777);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_is_told_once_and_kept_for_its_ttl),
        cmocka_unit_test(a_refusal_by_record_costs_one_question),
        cmocka_unit_test(what_needs_no_dns_asks_none),
        cmocka_unit_test(equal_questions_are_one),
        cmocka_unit_test(a_cancelled_check_hears_nothing),
        cmocka_unit_test(everything_ends_after_three_seconds),
        cmocka_unit_test(a_silent_aaaa_costs_one_second),
        cmocka_unit_test(lookups_are_limited_by_client_origin_and_in_all),
        cmocka_unit_test(four_clients_with_slow_names_keep_nobody_of_their_origin_out),
        cmocka_unit_test(an_origin_has_more_than_its_share_when_many_clients_have_one_each),
        cmocka_unit_test(where_all_lookups_run_the_greediest_gives_way_and_no_newcomer),
        cmocka_unit_test(where_each_client_has_one_lookup_none_gives_way),
        cmocka_unit_test(a_lookup_that_two_wait_for_is_charged_to_the_one_with_fewer),
        cmocka_unit_test(an_open_connections_lookup_that_gives_way_comes_again),
        cmocka_unit_test(the_rate_of_lookups_is_limited_by_client),
        cmocka_unit_test(forgotten_verdicts_bound_the_cache),
        cmocka_unit_test(a_withdrawn_record_revokes_within_its_ttl),
        cmocka_unit_test(an_outage_of_dns_revokes_nothing),
        cmocka_unit_test(a_verdict_that_another_evaluation_doubts_is_looked_up_again_at_once),
        cmocka_unit_test(a_verdict_that_refuses_what_it_allowed_is_told_once),
        cmocka_unit_test(open_connections_to_many_names_ask_within_the_rate),
        cmocka_unit_test(open_connections_to_one_name_ask_once_for_all),
        cmocka_unit_test(an_ended_lease_asks_no_more),
        cmocka_unit_test(the_program_comes_last_and_its_401_bans),
        cmocka_unit_test(a_client_without_an_origin_is_let_in_but_counted_and_banned),
        cmocka_unit_test(a_foreign_host_is_misdirected),
        cmocka_unit_test(a_record_max_age_is_the_time_to_wait),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
