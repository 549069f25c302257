/* SPDX-License-Identifier: MIT */
/* Servers that share a policy, with a broker that the test plays: what scripts/policy.lua does is
 * modelled here, in a few lines. */
#include "cluster/policy.h"
#include "cluster/scripts.h"
#include "cluster/shared_dns.h"

#include "loop_fixture.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    SERVERS = 2,
    KNOWN_MAX = 2048,
    CALLS_MAX = 64
};

/* ---- the broker ---- */

struct known {
    char name[400], value[256];
    size_t len;
    uint64_t until_ms;
};

struct answer {
    struct broker_call *call;
    struct redisReply reply, elements[3], *pointers[3];
    char text[3][KNOWN_MAX * 12];
};

struct broker {
    struct policy *policy;
    bool up;
    struct answer *answers[CALLS_MAX];
    size_t count;
};

static struct broker links[SERVERS];
static struct {
    char key[64];
    uint64_t lifts;
    struct known bans[KNOWN_MAX], dns[16];
    size_t ban_count, dns_count;
    unsigned calls, asked_dns;
    bool stalls, refuses;
} model;

static struct known *find(struct known *list, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(slice_make(list[i].name, strlen(list[i].name)), name) &&
            list[i].until_ms > fake_ms)
            return &list[i];
    return NULL;
}

static void announce(struct slice payload)
{
    for (int i = 0; i < SERVERS; i++)
        if (links[i].up)
            policy_message(links[i].policy, SLICE_LITERAL("test:policy"), payload);
}

static void put_ban(char *at, const char *hash, uint64_t ms)
{
    memcpy(at, hash, 8);
    for (int i = 0; i < 4; i++)
        at[8 + i] = (char)(ms >> (24 - 8 * i));
}

static struct known *find_ban(const char *hash)
{
    for (size_t i = 0; i < model.ban_count; i++)
        if (memcmp(model.bans[i].value, hash, 8) == 0)
            return &model.bans[i];
    return NULL;
}

static long long do_ban(const struct slice *args, size_t count)
{
    char news[1 + KNOWN_MAX * 12] = "B";
    size_t n = 0;
    for (size_t i = 2; i < count; i += 2) {
        uint64_t ms;
        assert_true(slice_to_uint(args[i + 1], UINT32_MAX, &ms));
        assert_int_equal(args[i].len, 8);
        struct known *k = find_ban(args[i].ptr);
        if (k && k->until_ms >= fake_ms + ms - 1000)
            continue;
        k = k ? k : &model.bans[model.ban_count++];
        memcpy(k->value, args[i].ptr, 8);
        k->until_ms = fake_ms + ms;
        put_ban(news + 1 + 12 * n++, args[i].ptr, ms);
    }
    if (n)
        announce(slice_make(news, 1 + 12 * n));
    return (long long)n;
}

static void answer_text(struct answer *a, int i, struct slice text)
{
    memcpy(a->text[i], text.ptr, text.len);
    a->text[i][text.len] = '\0';
    a->elements[i] =
        (struct redisReply){.type = REDIS_REPLY_STRING, .str = a->text[i], .len = text.len};
}

static void answer_number(struct answer *a, int i, long long number)
{
    a->elements[i] = (struct redisReply){.type = REDIS_REPLY_INTEGER, .integer = number};
}

static void answer_list(struct answer *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a->pointers[i] = &a->elements[i];
    a->reply =
        (struct redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = a->pointers};
}

static void do_read(struct answer *a, struct slice from)
{
    uint64_t at;
    size_t n = 0;
    char out[KNOWN_MAX * 12];
    assert_true(slice_to_uint(from, UINT32_MAX, &at));
    for (; at < model.ban_count; at++)
        if (model.bans[at].until_ms > fake_ms)
            put_ban(out + 12 * n++, model.bans[at].value, model.bans[at].until_ms - fake_ms);
    answer_text(a, 0, slice_make(out, 12 * n));
    a->reply = a->elements[0];
}

static void do_ask(struct answer *a, struct slice key)
{
    struct known *k = find(model.dns, model.dns_count, key);
    if (!k) {
        k = &model.dns[model.dns_count++];
        *k = (struct known){.value = "?", .len = 1, .until_ms = fake_ms + 1500};
        memcpy(k->name, key.ptr, key.len);
        answer_text(a, 0, SLICE_LITERAL("ask"));
        answer_list(a, 1);
    } else if (k->len == 1) {
        answer_text(a, 0, SLICE_LITERAL("wait"));
        answer_list(a, 1);
    } else {
        answer_text(a, 0, SLICE_LITERAL("known"));
        answer_text(a, 1, slice_make(k->value, k->len));
        answer_number(a, 2, (long long)(k->until_ms - fake_ms));
        answer_list(a, 3);
    }
}

static void do_hello(struct answer *a, const struct slice *args)
{
    uint64_t lifts;
    assert_true(slice_to_uint(args[2], UINT32_MAX, &lifts));
    if (!*model.key)
        memcpy(model.key, args[1].ptr, args[1].len);
    model.lifts = lifts > model.lifts ? lifts : model.lifts;
    answer_text(a, 0, slice_of(model.key));
    answer_number(a, 1, (long long)model.lifts);
    answer_list(a, 2);
}

static void do_lift(struct answer *a)
{
    char text[32];
    model.ban_count = 0;
    model.lifts++;
    announce(slice_make(text, (size_t)sprintf(text, "L%llu", (unsigned long long)model.lifts)));
    a->reply = (struct redisReply){.type = REDIS_REPLY_INTEGER, .integer = (long long)model.lifts};
}

static struct answer *new_answer(struct broker *b, struct broker_call *call)
{
    struct answer *a = calloc(1, sizeof(*a));
    assert_true(b->up && b->count < CALLS_MAX);
    a->call = call;
    b->answers[b->count++] = a;
    model.calls++;
    return a;
}

void broker_run(struct broker *b, struct broker_call *call, const struct broker_script *script,
                const struct slice *keys, size_t key_count, const struct slice *args,
                size_t arg_count)
{
    struct answer *a = new_answer(b, call);
    assert_ptr_equal(script, &broker_script_policy);
    assert_int_equal(key_count, 5);
    assert_true(slice_equal(keys[3], SLICE_LITERAL("test:policy")));
    if (model.refuses)
        a->reply = (struct redisReply){.type = REDIS_REPLY_ERROR, .str = "OOM", .len = 3};
    else if (slice_equal(args[0], SLICE_LITERAL("hello")))
        do_hello(a, args);
    else if (slice_equal(args[0], SLICE_LITERAL("ban")))
        a->reply =
            (struct redisReply){.type = REDIS_REPLY_INTEGER, .integer = do_ban(args, arg_count)};
    else if (slice_equal(args[0], SLICE_LITERAL("read")))
        do_read(a, args[1]);
    else if (slice_equal(args[0], SLICE_LITERAL("lift")))
        do_lift(a);
    else
        do_ask(a, keys[4]);
}

void broker_call(struct broker *b, struct broker_call *call, const struct slice *words,
                 size_t count)
{
    struct answer *a = new_answer(b, call);
    if (slice_equal(words[0], SLICE_LITERAL("PUBLISH"))) {
        a->reply = (struct redisReply){.type = REDIS_REPLY_INTEGER, .integer = SERVERS};
        announce(words[2]);
    } else if (slice_equal(words[0], SLICE_LITERAL("SET"))) {
        struct known *k = find(model.dns, model.dns_count, words[1]);
        uint64_t ms;
        assert_true(slice_to_uint(words[4], UINT32_MAX, &ms));
        k = k ? k : &model.dns[model.dns_count++];
        *k = (struct known){.len = words[2].len, .until_ms = fake_ms + ms};
        memcpy(k->name, words[1].ptr, words[1].len);
        memcpy(k->value, words[2].ptr, words[2].len);
        a->reply = (struct redisReply){.type = REDIS_REPLY_STATUS, .str = "OK", .len = 2};
    } else {
        assert_int_equal(count, 3); /* PUBSUB NUMSUB */
        answer_text(a, 0, words[2]);
        answer_number(a, 1, SERVERS);
        answer_list(a, 2);
    }
}

bool broker_subscribe(struct broker *b, struct slice channel)
{
    return b->up && slice_equal(channel, SLICE_LITERAL("test:policy"));
}

struct slice broker_name(const struct broker *b)
{
    (void)b;
    return SLICE_LITERAL("redis://test");
}

size_t broker_queued(const struct broker *b)
{
    (void)b;
    return 0;
}

static bool answer_first(struct broker *b, bool breaks)
{
    if (b->count == 0 || (model.stalls && !breaks))
        return false;
    struct answer *a = b->answers[0];
    memmove(b->answers, b->answers + 1, --b->count * sizeof(*b->answers));
    a->call->on_reply(a->call, breaks ? NULL : &a->reply);
    free(a);
    return true;
}

/* ---- the servers ---- */

struct place {
    struct policy *policy;
    struct bans *bans;
    struct rates *rates;
    int doubts;
    struct target doubted;
};

static struct place places[SERVERS];

static void on_doubt(void *owner, const struct verdict_question *q)
{
    struct place *place = owner;
    place->doubts++;
    place->doubted = *q->target;
    assert_int_equal(q->via, ACCESS_VIA_TCP);
}

/* Until nothing happens any more at this time. */
static void settle(void)
{
    bool again;
    do {
        turn_while_busy();
        again = false;
        for (int i = 0; i < SERVERS; i++)
            while (answer_first(&links[i], false))
                again = true;
    } while (again);
}

static void pass(uint64_t ms)
{
    for (uint64_t until = fake_ms + ms; fake_ms < until;) {
        fake_ms += until - fake_ms < 50 ? until - fake_ms : 50;
        settle();
    }
}

static void comes_up(int i)
{
    links[i].up = true;
    policy_up(places[i].policy, &links[i]);
    policy_subscribed(places[i].policy, SLICE_LITERAL("test:policy"));
    settle();
}

static void goes_down(int i)
{
    while (answer_first(&links[i], true))
        continue;
    links[i].up = false;
    policy_down(places[i].policy);
}

static void opens(int i)
{
    places[i] = (struct place){.bans = bans_new(1024), .rates = rates_new(1024)};
    places[i].policy = policy_new(&(struct policy_spec){
        .loop = loop,
        .cluster = "test",
        .bans = places[i].bans,
        .rates = places[i].rates,
        .bans_max = 1000,
        .doubt = on_doubt,
        .owner = &places[i],
    });
    assert_non_null(places[i].policy);
    links[i] = (struct broker){.policy = places[i].policy};
}

static void closes(int i)
{
    policy_stop(places[i].policy);
    turn_while_busy();
    policy_free(places[i].policy);
    for (size_t n = 0; n < links[i].count; n++)
        free(links[i].answers[n]);
    links[i].count = 0;
    links[i].up = false;
    bans_free(places[i].bans);
    rates_free(places[i].rates);
}

static int open_both(void **state)
{
    make_loop(state);
    memset(&model, 0, sizeof(model));
    for (int i = 0; i < SERVERS; i++)
        opens(i);
    return 0;
}

static int close_both(void **state)
{
    for (int i = 0; i < SERVERS; i++)
        closes(i);
    return end_loop(state);
}

/* ---- bans ---- */

static struct ban_key client(const char *name)
{
    return (struct ban_key){.client = slice_of(name),
                            .origin = SLICE_LITERAL("https://a.example"),
                            .target = SLICE_LITERAL("https://b.example"),
                            .path = SLICE_LITERAL("/chat")};
}

static void bans_at(int i, const char *name, uint32_t seconds)
{
    struct ban_key key = client(name);
    bans_add(places[i].bans, &key, SLICE_NONE, seconds, fake_ms);
}

static uint32_t banned_at(int i, const char *name)
{
    struct ban_key key = client(name);
    return bans_check(places[i].bans, &key, fake_ms, NULL);
}

static void a_ban_of_one_server_holds_at_all_within_a_second(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    bans_at(0, "x", 60);
    assert_int_equal(banned_at(1, "x"), 0);
    pass(500);
    assert_int_equal(banned_at(1, "x"), 60);
    assert_int_equal(banned_at(1, "y"), 0);
    unsigned calls = model.calls;
    pass(9000); /* told once; beside it there is the greeting now and then */
    assert_true(model.calls - calls <= 8);
    pass(60000);
    assert_int_equal(banned_at(1, "x"), 0);
}

static void a_server_that_starts_later_reads_the_bans_there_are(void **state)
{
    (void)state;
    char name[16];
    comes_up(0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        bans_at(0, name, 60);
    }
    pass(1000);
    comes_up(1);
    settle();
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        assert_in_range(banned_at(1, name), 59, 60);
    }
}

static void what_was_set_while_the_broker_was_away_is_told_when_it_is_back(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    goes_down(0);
    bans_at(0, "x", 60);
    bans_at(1, "y", 60);
    pass(5000);
    assert_int_equal(banned_at(0, "x"), 55);
    assert_int_equal(banned_at(0, "y"), 0);
    assert_int_equal(banned_at(1, "x"), 0);
    comes_up(0);
    pass(1000);
    assert_int_equal(banned_at(1, "x"), 54);
    assert_int_equal(banned_at(0, "y"), 54);
}

static void a_broker_that_has_lost_all_is_told_again(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    bans_at(0, "x", 600);
    pass(1000);
    goes_down(0);
    goes_down(1);
    memset(&model, 0, sizeof(model));
    comes_up(0);
    comes_up(1);
    pass(1000);
    assert_int_equal(model.ban_count, 1);
    closes(1);
    opens(1);
    comes_up(1);
    assert_int_equal(banned_at(1, "x"), 598);
}

static void more_bans_than_wait_are_told_by_and_by(void **state)
{
    (void)state;
    char name[16];
    comes_up(0);
    comes_up(1);
    for (int i = 0; i < 1100; i++) { /* 1024 wait */
        snprintf(name, sizeof(name), "c%d", i);
        bans_at(0, name, 600);
    }
    pass(4000);
    assert_in_range(model.ban_count, 1090, 1100); /* sets of 8: one may have been full */
}

static void an_error_of_the_broker_is_tried_again_later(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    model.refuses = true;
    bans_at(0, "x", 600);
    pass(1000);
    unsigned calls = model.calls;
    pass(3000);
    assert_true(model.calls - calls <= 4);
    model.refuses = false;
    pass(6000);
    assert_true(banned_at(1, "x") > 0);
}

static void lifted_bans_are_lifted_everywhere_also_at_a_server_that_was_away(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    bans_at(0, "x", 600);
    bans_at(1, "y", 600);
    pass(1000);
    goes_down(1);
    assert_true(policy_lift_bans(places[0].policy));
    pass(1000);
    assert_int_equal(banned_at(0, "x") + banned_at(0, "y"), 0);
    assert_true(banned_at(1, "y") > 0);
    comes_up(1);
    pass(2000);
    assert_int_equal(banned_at(1, "x") + banned_at(1, "y"), 0);
    assert_int_equal(banned_at(0, "y"), 0);
    goes_down(0);
    bans_at(0, "z", 600);
    assert_false(policy_lift_bans(places[0].policy)); /* here alone */
    assert_int_equal(banned_at(0, "z"), 0);
}

static void odd_announcements_do_nothing(void **state)
{
    (void)state;
    static const char *const odd[] = {"",
                                      "B",
                                      "Bxxx",
                                      "L",
                                      "Lx",
                                      "R",
                                      "Rxxxxxxxxyy",
                                      "V",
                                      "V\1",
                                      "V\1\0\0\377\377",
                                      "?",
                                      "Bxxxxxxxxyyyyz"};
    comes_up(0);
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        assert_true(
            policy_message(places[0].policy, SLICE_LITERAL("test:policy"), slice_of(odd[i])));
    assert_false(policy_message(places[0].policy, SLICE_LITERAL("test:c:x"), SLICE_LITERAL("E")));
    assert_int_equal(places[0].doubts, 0);
}

/* ---- rates ---- */

static unsigned take(int i, const char *key)
{
    static const struct rate rate = {.per_minute = 60, .burst = 20};
    return rates_take(places[i].rates, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of(key), fake_ms) == 0;
}

static void what_one_server_counts_the_other_knows_a_second_later(void **state)
{
    (void)state;
    comes_up(0);
    comes_up(1);
    for (int i = 0; i < 20; i++)
        take(0, "greedy");
    take(0, "modest");
    assert_int_equal(take(1, "greedy"), 1);
    pass(2000);
    unsigned more = 0;
    for (int i = 0; i < 20; i++)
        more += take(1, "greedy");
    assert_in_range(more, 0, 2);
    for (int i = 0; i < 20; i++)
        assert_int_equal(take(1, "modest"), 1);
}

static void without_a_broker_local_limits_hold_alone(void **state)
{
    (void)state;
    unsigned passed = 0;
    for (int i = 0; i < 40; i++)
        passed += take(0, "greedy") + take(1, "greedy");
    pass(3000);
    assert_int_equal(passed, 40);
    assert_int_equal(model.calls, 0);
}

/* ---- doubts ---- */

static void a_verdict_that_refuses_is_doubted_by_all(void **state)
{
    (void)state;
    struct origin origin;
    struct target target = {.host = "b.test", .port = 7000};
    struct verdict_question q = {&origin, ACCESS_VIA_TCP, &target, NULL};
    assert_true(origin_parse(SLICE_LITERAL("https://a.example"), &origin));
    policy_tell_refusal(places[0].policy, &q); /* the broker is away */
    comes_up(0);
    comes_up(1);
    assert_int_equal(places[1].doubts, 0);
    policy_tell_refusal(places[0].policy, &q);
    settle();
    assert_int_equal(places[1].doubts, 1);
    assert_string_equal(places[1].doubted.host, "b.test");
    assert_int_equal(places[1].doubted.port, 7000);
    for (int i = 0; i < 300; i++) { /* no flood */
        policy_tell_refusal(places[0].policy, &q);
        settle();
    }
    assert_in_range(places[1].doubts, 190, 201);
}

/* ---- DNS ---- */

struct dns {
    struct resolver resolver;
    struct shared_dns *shared;
    struct dns_question *open;
    unsigned asked;
};

static struct dns dns[SERVERS];

static int dns_ask(struct resolver *resolver, struct dns_question *q)
{
    struct dns *d = container_of(resolver, struct dns, resolver);
    assert_null(d->open);
    d->open = q;
    d->asked++;
    return 0;
}

static void dns_cancel(struct resolver *resolver, struct dns_question *q)
{
    struct dns *d = container_of(resolver, struct dns, resolver);
    assert_ptr_equal(d->open, q);
    d->open = NULL;
}

static void dns_answers(int i, enum dns_status status, const char *text, uint32_t ttl)
{
    struct slice data = slice_of(text);
    struct dns_question *q = dns[i].open;
    assert_non_null(q);
    dns[i].open = NULL;
    q->answered(q, &(struct dns_answer){.status = status,
                                        .secure = true,
                                        .ttl = ttl,
                                        .data = &data,
                                        .count = *text != '\0',
                                        .total = *text != '\0'});
}

struct asker {
    struct dns_question q;
    unsigned answers;
    enum dns_status status;
    char text[64];
    uint32_t ttl;
    bool secure;
};

static void on_answered(struct dns_question *q, const struct dns_answer *a)
{
    struct asker *asker = container_of(q, struct asker, q);
    asker->answers++;
    asker->status = a->status;
    asker->ttl = a->ttl;
    asker->secure = a->secure;
    *asker->text = '\0';
    if (a->count)
        snprintf(asker->text, sizeof(asker->text), "%.*s", SLICE_ARG(a->data[0]));
}

static void asks(int i, struct asker *a, const char *name)
{
    *a = (struct asker){.q = {.type = DNS_TXT, .answered = on_answered}};
    snprintf(a->q.name, sizeof(a->q.name), "%s", name);
    struct resolver *r = shared_dns_resolver(dns[i].shared);
    assert_int_equal(r->ask(r, &a->q), 0);
}

static void gives_up(int i, struct asker *a)
{
    struct resolver *r = shared_dns_resolver(dns[i].shared);
    r->cancel(r, &a->q);
}

static int open_dns(void **state)
{
    open_both(state);
    for (int i = 0; i < SERVERS; i++) {
        dns[i] = (struct dns){.resolver = {dns_ask, dns_cancel}};
        dns[i].shared =
            shared_dns_new(places[i].policy, loop, &dns[i].resolver, SLICE_LITERAL("same"));
    }
    return 0;
}

static int close_dns(void **state)
{
    for (int i = 0; i < SERVERS; i++)
        shared_dns_free(dns[i].shared);
    return close_both(state);
}

static void servers_ask_the_dns_once_and_wait_for_each_other(void **state)
{
    (void)state;
    struct asker first, other, late;
    comes_up(0);
    comes_up(1);
    asks(0, &first, "a.test");
    settle();
    asks(1, &other, "a.test");
    settle();
    assert_int_equal(dns[0].asked + dns[1].asked, 1);
    dns_answers(0, DNS_OK, "v=sa1", 60);
    pass(100);
    assert_int_equal(first.answers, 1);
    assert_int_equal(other.answers, 1);
    assert_string_equal(other.text, "v=sa1");
    assert_true(other.secure);
    assert_in_range(other.ttl, 58, 60);
    pass(30000);
    asks(1, &late, "a.test");
    settle();
    assert_int_equal(late.answers, 1);
    assert_in_range(late.ttl, 28, 30); /* no longer than it holds */
    pass(31000);
    asks(1, &late, "a.test");
    settle();
    assert_int_equal(dns[1].asked, 1);
    dns_answers(1, DNS_OK, "", 60); /* there is none: that is shared, too */
    pass(100);
    asks(0, &late, "a.test");
    settle();
    assert_int_equal(late.answers, 1);
    assert_string_equal(late.text, "");
}

static void what_is_no_answer_is_shared_with_nobody(void **state)
{
    (void)state;
    struct asker first, other;
    comes_up(0);
    comes_up(1);
    asks(0, &first, "a.test");
    settle();
    asks(1, &other, "a.test");
    settle();
    dns_answers(0, DNS_BOGUS, "", 60);
    settle();
    assert_int_equal(first.status, DNS_BOGUS);
    assert_int_equal(other.answers, 0);
    pass(1000); /* it has waited long enough, and asks itself */
    dns_answers(1, DNS_OK, "good", 60);
    settle();
    assert_string_equal(other.text, "good");
}

static void a_broker_that_stalls_or_is_away_costs_a_question_less_than_a_second(void **state)
{
    (void)state;
    struct asker a, b;
    asks(0, &a, "a.test"); /* away */
    assert_int_equal(dns[0].asked, 1);
    dns_answers(0, DNS_OK, "x", 60);
    assert_string_equal(a.text, "x");
    comes_up(0);
    model.stalls = true;
    asks(0, &a, "a.test");
    asks(0, &b, "b.test");
    settle();
    gives_up(0, &b);
    assert_int_equal(dns[0].asked, 1);
    pass(1000);
    assert_int_equal(dns[0].asked, 2);
    dns_answers(0, DNS_OK, "y", 60);
    assert_string_equal(a.text, "y");
    model.stalls = false;
    pass(1000); /* what comes back finds nobody */
    assert_int_equal(a.answers, 1);
    assert_int_equal(b.answers, 0);
    asks(0, &a, "c.test");
    turn_while_busy();
    goes_down(0); /* under way */
    settle();
    dns_answers(0, DNS_OK, "z", 60);
    assert_string_equal(a.text, "z");
}

static void a_question_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    struct asker a;
    comes_up(0);
    comes_up(1);
    asks(0, &a, "a.test");
    gives_up(0, &a);
    settle();
    asks(0, &a, "b.test");
    settle();
    gives_up(0, &a); /* it was asked below */
    assert_null(dns[0].open);
    asks(1, &a, "b.test");
    settle();
    gives_up(1, &a); /* it waited for the other server */
    pass(2000);
    model.stalls = true;
    asks(0, &a, "c.test");
    settle();
    gives_up(0, &a); /* the end comes while it is with the broker */
}

static void names_of_one_do_not_answer_for_others(void **state)
{
    (void)state;
    struct asker a;
    struct shared_dns *other =
        shared_dns_new(places[1].policy, loop, &dns[1].resolver, SLICE_LITERAL("another"));
    comes_up(0);
    comes_up(1);
    asks(0, &a, "evil.test");
    settle();
    dns_answers(0, DNS_OK, "v=sa1; allow=<*>", 60);
    pass(100);
    asks(1, &a, "good.test");
    settle();
    assert_int_equal(dns[1].asked, 1);
    gives_up(1, &a);
    shared_dns_free(dns[1].shared); /* with other settings nothing is shared */
    dns[1].shared = other;
    asks(1, &a, "evil.test");
    settle();
    assert_int_equal(dns[1].asked, 2);
    gives_up(1, &a);
}

static void the_same_broker_is_chosen_in_any_order(void **state)
{
    (void)state;
    const struct slice a = SLICE_LITERAL("redis://a"), b = SLICE_LITERAL("redis://b"),
                       c = SLICE_LITERAL("redis://c");
    const struct slice one[] = {a, b, c}, other[] = {c, a, b};
    assert_true(slice_equal(one[policy_broker(one, 3)], other[policy_broker(other, 3)]));
    assert_int_equal(policy_broker(one, 1), 0);
}

#define policy_test(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)
#define dns_test(f)    cmocka_unit_test_setup_teardown(f, open_dns, close_dns)

int main(void)
{
    const struct CMUnitTest tests[] = {
        policy_test(a_ban_of_one_server_holds_at_all_within_a_second),
        policy_test(a_server_that_starts_later_reads_the_bans_there_are),
        policy_test(what_was_set_while_the_broker_was_away_is_told_when_it_is_back),
        policy_test(a_broker_that_has_lost_all_is_told_again),
        policy_test(more_bans_than_wait_are_told_by_and_by),
        policy_test(an_error_of_the_broker_is_tried_again_later),
        policy_test(lifted_bans_are_lifted_everywhere_also_at_a_server_that_was_away),
        policy_test(odd_announcements_do_nothing),
        policy_test(what_one_server_counts_the_other_knows_a_second_later),
        policy_test(without_a_broker_local_limits_hold_alone),
        policy_test(a_verdict_that_refuses_is_doubted_by_all),
        dns_test(servers_ask_the_dns_once_and_wait_for_each_other),
        dns_test(what_is_no_answer_is_shared_with_nobody),
        dns_test(a_broker_that_stalls_or_is_away_costs_a_question_less_than_a_second),
        dns_test(a_question_that_is_given_up_leaves_nothing),
        dns_test(names_of_one_do_not_answer_for_others),
        policy_test(the_same_broker_is_chosen_in_any_order),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
