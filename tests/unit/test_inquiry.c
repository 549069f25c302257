/* SPDX-License-Identifier: MIT */
/* One server asks many, with a broker that the test plays. */
#include "cluster/inquiry.h"

#include "loop_fixture.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    SERVERS = 20,
    KEYS_MAX = 64
};

struct key {
    char name[128];
    char *value; /* owned */
    size_t len;
};

struct fetching {
    struct broker_call *call;
    struct key *key; /* NULL: there is none */
    bool get;
};

struct broker {
    struct inquiries *owner;
    struct fetching calls[KEYS_MAX];
    size_t count;
};

static struct broker links[SERVERS];
static struct inquiries *servers[SERVERS];
static uint32_t tags[SERVERS];
static struct inquiry_asked *asked[SERVERS];
static struct key keys[KEYS_MAX];
static size_t key_count, most_keys, now_keys;

static void announce(struct slice payload)
{
    for (int i = 0; i < SERVERS; i++)
        if (servers[i])
            inquiries_message(servers[i], SLICE_LITERAL("test:ask"), payload);
}

bool broker_subscribe(struct broker *b, struct slice channel)
{
    return b && slice_equal(channel, SLICE_LITERAL("test:ask"));
}

size_t broker_queued(const struct broker *b)
{
    (void)b;
    return 0;
}

struct slice broker_name(const struct broker *b)
{
    (void)b;
    return SLICE_LITERAL("redis://test");
}

static struct key *find_key(struct slice name)
{
    for (size_t i = 0; i < key_count; i++)
        if (keys[i].value && slice_equal(slice_of(keys[i].name), name))
            return &keys[i];
    return NULL;
}

static void set_key(struct slice name, struct slice value)
{
    struct key *k = &keys[key_count++];
    assert_true(key_count <= KEYS_MAX);
    snprintf(k->name, sizeof(k->name), "%.*s", SLICE_ARG(name));
    k->value = malloc(value.len + 1);
    memcpy(k->value, value.ptr, value.len);
    k->len = value.len;
    most_keys = ++now_keys > most_keys ? now_keys : most_keys;
}

void broker_call(struct broker *b, struct broker_call *call, const struct slice *words,
                 size_t count)
{
    bool get = slice_equal(words[0], SLICE_LITERAL("GETDEL"));
    assert_true(count >= 2 && b->count < KEYS_MAX);
    b->calls[b->count++] = (struct fetching){call, get ? find_key(words[1]) : NULL, get};
    if (slice_equal(words[0], SLICE_LITERAL("SET")))
        set_key(words[1], words[2]);
    else if (!get)
        announce(words[2]);
}

static void answer_first(struct broker *b, bool breaks)
{
    struct fetching f = b->calls[0];
    struct redisReply reply = {.type = REDIS_REPLY_NIL};
    memmove(b->calls, b->calls + 1, --b->count * sizeof(*b->calls));
    if (f.key)
        reply =
            (struct redisReply){.type = REDIS_REPLY_STRING, .str = f.key->value, .len = f.key->len};
    else if (!f.get)
        reply.type = REDIS_REPLY_STATUS;
    f.call->on_reply(f.call, breaks ? NULL : &reply);
    if (f.key) {
        free(f.key->value);
        f.key->value = NULL;
        now_keys--;
    }
}

static void settle(void)
{
    bool again;
    do {
        turn_while_busy();
        again = false;
        for (int i = 0; i < SERVERS; i++)
            for (; links[i].count; again = true)
                answer_first(&links[i], false);
    } while (again);
}

static void pass(uint64_t ms)
{
    for (uint64_t until = fake_ms + ms; fake_ms < until; settle())
        fake_ms += 50;
}

static void on_asked(void *owner, enum inquiry_what what, struct inquiry_asked *a)
{
    assert_int_equal(what, INQUIRY_METRICS);
    asked[(size_t)owner] = a;
}

static void answer(int i, const char *text, const char *why)
{
    assert_non_null(asked[i]);
    inquiries_answer(asked[i], slice_of(text), why);
    asked[i] = NULL;
}

static void answer_all(void)
{
    bool again;
    do {
        again = false;
        for (int i = 0; i < SERVERS; i++)
            if (asked[i]) {
                char text[32];
                snprintf(text, sizeof(text), "I am %d", i);
                answer(i, text, NULL);
                again = true;
            }
        settle();
    } while (again);
}

/* ---- what came ---- */

static size_t done_count, good_count;
static char whys[SERVERS][32], texts[SERVERS][64];

static void on_done(void *arg, const struct inquiry_target *targets, size_t count)
{
    assert_ptr_equal(arg, &done_count);
    done_count++;
    good_count = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(targets[i].tag, tags[i]);
        good_count += !targets[i].why;
        snprintf(whys[i], sizeof(whys[i]), "%s", targets[i].why ? targets[i].why : "");
        snprintf(texts[i], sizeof(texts[i]), "%.*s",
                 SLICE_ARG(slice_first(text_slice(&targets[i].answer), 60)));
    }
}

static bool ask(size_t count)
{
    return inquiries_ask(servers[0], INQUIRY_METRICS, tags, count, on_done, &done_count);
}

static int open_all(void **state)
{
    make_loop(state);
    memset(asked, 0, sizeof(asked));
    memset(keys, 0, sizeof(keys));
    memset(links, 0, sizeof(links));
    done_count = key_count = most_keys = now_keys = 0;
    for (size_t i = 0; i < SERVERS; i++) {
        tags[i] = 0xabc00000 + (uint32_t)i;
        servers[i] = inquiries_new(&(struct inquiries_spec){.loop = loop,
                                                            .cluster = "test",
                                                            .tag = &tags[i],
                                                            .owner = (void *)i,
                                                            .asked = on_asked});
        links[i].owner = servers[i];
        inquiries_up(servers[i], &links[i]);
    }
    return 0;
}

static int close_all(void **state)
{
    for (int i = 0; i < SERVERS; i++) {
        inquiries_free(servers[i]);
        servers[i] = NULL;
    }
    for (size_t i = 0; i < key_count; i++)
        free(keys[i].value);
    return end_loop(state);
}

static void twenty_are_asked_some_at_a_time_and_all_are_heard(void **state)
{
    (void)state;
    assert_true(ask(SERVERS));
    settle();
    size_t at_once = 0;
    for (int i = 0; i < SERVERS; i++)
        at_once += asked[i] != NULL;
    assert_int_equal(at_once, INQUIRY_AT_ONCE);
    answer_all();
    assert_int_equal(done_count, 1);
    assert_int_equal(good_count, SERVERS);
    assert_string_equal(texts[19], "I am 19");
    assert_true(most_keys <= INQUIRY_AT_ONCE);
    assert_int_equal(now_keys, 0); /* nothing stays at the broker */
}

static void who_does_not_answer_is_named_in_time_and_holds_up_nobody_else(void **state)
{
    (void)state;
    assert_true(ask(3));
    settle();
    answer(0, "I am 0", NULL);
    answer(1, "", "not-here");
    pass(INQUIRY_PATIENCE_MS - 200);
    assert_int_equal(done_count, 0);
    pass(400);
    assert_int_equal(done_count, 1);
    assert_string_equal(texts[0], "I am 0");
    assert_string_equal(whys[1], "refused");
    assert_string_equal(texts[1], "not-here");
    assert_string_equal(whys[2], "no-answer");
    answer(2, "too late", NULL);
    settle();
    assert_int_equal(done_count, 1);
}

static void an_answer_that_is_too_large_is_not_sent(void **state)
{
    (void)state;
    static char large[INQUIRY_ANSWER_MAX + 2];
    memset(large, 'x', sizeof(large) - 1);
    assert_true(ask(1));
    settle();
    answer(0, large, NULL);
    settle();
    assert_int_equal(done_count, 1);
    assert_string_equal(whys[0], "refused");
    assert_string_equal(texts[0], "too-large");
}

static void a_link_that_breaks_ends_what_was_asked(void **state)
{
    (void)state;
    assert_true(ask(2));
    settle();
    answer(1, "I am 1", NULL);
    turn_while_busy();
    while (links[0].count)
        answer_first(&links[0], true);
    inquiries_down(servers[0]);
    settle();
    assert_int_equal(done_count, 1);
    assert_string_equal(whys[0], "broker-away");
    assert_false(ask(1));
    answer(0, "to nobody", NULL);
    inquiries_up(servers[0], &links[0]);
    assert_true(ask(1));
    settle();
    answer_all();
    assert_int_equal(good_count, 1);
}

static void too_many_questions_at_a_time_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < INQUIRIES_MAX; i++)
        assert_true(ask(1));
    assert_false(ask(1));
    settle();
    /* Our server has heard them all, and answers the last one; the rest is over by time. */
    answer_all();
    pass(INQUIRY_PATIENCE_MS + 400);
    assert_int_equal(done_count, INQUIRIES_MAX);
    assert_true(ask(1));
    done_count = 0;
}

static void odd_announcements_do_nothing(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",  "Q ", "Q 0123456789abcdef s ", "Q 0123456789abcdef s abc0000",
        "A", "A ", "A 0123456789abcdef ",   "A 0123456789abcdef abc00000"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        announce(slice_of(odd[i]));
    assert_null(asked[0]);
    assert_false(inquiries_message(servers[0], SLICE_LITERAL("test:policy"), slice_of("Q")));
}

#define inquiry_test(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        inquiry_test(twenty_are_asked_some_at_a_time_and_all_are_heard),
        inquiry_test(who_does_not_answer_is_named_in_time_and_holds_up_nobody_else),
        inquiry_test(an_answer_that_is_too_large_is_not_sent),
        inquiry_test(a_link_that_breaks_ends_what_was_asked),
        inquiry_test(too_many_questions_at_a_time_are_refused),
        inquiry_test(odd_announcements_do_nothing),
    };
    return cmocka_run_group_tests_name("inquiry", tests, NULL, NULL);
}
