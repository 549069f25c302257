/* SPDX-License-Identifier: MIT */
#include "played_broker.h"

#include "base/log.h"
#include "cluster/retry_delay.h"
#include "random.h"

static struct noted_call a, b, c;

static void come_up(void)
{
    TURN_BOTH_UNTIL(broker_is_up(broker));
    expect_events("up aa|");
}

/* After a break: the delay before the next attempt is at most 2 s. */
static void come_up_again(void)
{
    for (int i = 0; i < 20 && !broker_is_up(broker); i++)
        pass_ms(500);
    assert_true(broker_is_up(broker));
}

static void replies_come_in_the_order_of_the_calls(void **state)
{
    (void)state;
    come_up();
    int before = played.commands;
    call(&a, "a");
    call(&b, "b");
    call(&c, "c");
    TURN_BOTH_UNTIL(played.commands == before + 3);
    assert_string_equal(events, "");
    say(calls_line(), "+1\r\n-ERR 2\r\n");
    TURN_BOTH_UNTIL(!b.call.on_reply);
    expect_events("a=1|b=ERR 2|");
    say(calls_line(), "+3\r\n");
    TURN_BOTH_UNTIL(!c.call.on_reply);
    expect_events("c=3|");
    assert_int_equal(broker_counts(broker)->failed, 1);
}

static void calls_of_a_link_that_breaks_get_null_before_it_is_down(void **state)
{
    (void)state;
    come_up();
    call(&a, "a");
    call(&b, "b");
    settle();
    say(calls_line(), "+1\r\n");
    settle();
    cut(calls_line());
    TURN_BOTH_UNTIL(!broker_is_up(broker));
    expect_events("a=1|b broken|down|");
    come_up_again();
    expect_events("up aa|");
    cut(news_line());
    TURN_BOTH_UNTIL(!broker_is_up(broker));
    expect_events("down|");
    assert_int_equal(broker_counts(broker)->broken, 1);
    assert_int_equal(broker_counts(broker)->ups, 2);
}

static void errors_about_the_link_break_it(void **state)
{
    (void)state;
    static const char *const errors[] = {
        "-READONLY You can't write against a read only replica.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-NOSCRIPT No matching script. Please use EVAL.\r\n",
        "-NOAUTH Authentication required.\r\n",
        "-ERR Error running script (call to f_7c): @user_script:1: -READONLY You can't write\r\n",
    };
    come_up();
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        call(&a, "a");
        call(&b, "b");
        settle();
        say(calls_line(), errors[i]);
        TURN_BOTH_UNTIL(!broker_is_up(broker));
        expect_events("a broken|b broken|down|");
        come_up_again();
        expect_events("up aa|");
    }
}

static struct broker_call judged;
static bool passes;

static void judge(struct broker_call *call, const struct redisReply *reply)
{
    call->on_reply = NULL;
    passes = broker_error_passes(reply);
}

static void errors_that_pass_are_told_from_others(void **state)
{
    (void)state;
    static const char *const replies[] = {"-OOM command not allowed\r\n",
                                          "-MISCONF x\r\n",
                                          "-NOREPLICAS x\r\n",
                                          "-BUSY x\r\n",
                                          "-ERR x\r\n",
                                          "+OOM x\r\n"};
    come_up();
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        judged.on_reply = judge;
        broker_call(broker, &judged, &SLICE_LITERAL("X"), 1);
        say(calls_line(), replies[i]);
        TURN_BOTH_UNTIL(!judged.on_reply);
        assert_int_equal(passes, i < 4);
    }
}

static void a_quiet_broker_is_asked_and_a_silent_one_left(void **state)
{
    (void)state;
    come_up();
    int before = played.commands;
    pass_ms(1500);
    assert_int_equal(played.commands, before);
    pass_ms(1000);
    assert_int_equal(played.commands, before + 2); /* on each connection */
    pass_ms(20000);
    assert_true(broker_is_up(broker));
    played.mute = true;
    pass_ms(TIMEOUT_MS - 1000);
    assert_true(broker_is_up(broker));
    pass_ms(3500);
    assert_false(broker_is_up(broker));
    expect_events("down|");
    pass_ms(60000);
    assert_false(broker_is_up(broker));
    played.mute = false;
    pass_ms(15000);
    assert_true(broker_is_up(broker));
}

static void a_call_is_waited_for_as_long_as_the_timeout(void **state)
{
    (void)state;
    come_up();
    played.mute = true;
    call(&a, "a");
    pass_ms(TIMEOUT_MS - 500);
    assert_string_equal(events, "");
    pass_ms(2500);
    expect_events("a broken|down|");
}

/* Bytes are a sign of life, also before a reply is whole. */
static void a_long_reply_takes_its_time(void **state)
{
    (void)state;
    come_up();
    call(&a, "a");
    settle();
    say(calls_line(), "$10\r\n");
    for (int i = 0; i < 10; i++) {
        pass_ms(TIMEOUT_MS - 1000);
        say(calls_line(), "x");
    }
    settle();
    assert_string_equal(events, "");
    say(calls_line(), "\r\n");
    settle();
    expect_events("a=xxxxxxxxxx|");
}

/* A process that was stopped has not listened: it does not take that for the broker's silence. */
static void a_pause_of_our_own_is_no_silence_of_the_broker(void **state)
{
    (void)state;
    come_up();
    call(&a, "a");
    settle();
    fake_ms += 3600000;
    turn_and_send(0);
    assert_true(broker_is_up(broker));
    say(calls_line(), "+late\r\n");
    settle();
    expect_events("a=late|");
    assert_true(broker_is_up(broker));
}

static void what_is_no_master_or_two_servers_is_not_linked(void **state)
{
    (void)state;
    played.role = "slave";
    pass_ms(20000);
    assert_string_equal(events, "");
    assert_true(played.count > 4);
    played.role = "master";
    played.run_ids[1] = "bb";
    pass_ms(20000);
    assert_string_equal(events, "");
    played.run_ids[1] = "aa";
    played.ping = "-LOADING Redis is loading the dataset in memory\r\n";
    pass_ms(20000);
    assert_string_equal(events, "");
    played.ping = "+PONG\r\n";
    come_up_again();
    expect_events("up aa|");
}

static void a_hostile_broker_is_left(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*2147483647\r\n",
        "*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n",
        "$-7\r\n",
        ":12345678901234567890123\r\n",
        "+a reply that nobody has asked for\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n",
        "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    };
    come_up();
    for (int news = 0; news < 2; news++)
        for (size_t i = 0; i < COUNT_OF(garbage); i++) {
            say(news ? news_line() : calls_line(), garbage[i]);
            TURN_BOTH_UNTIL(!broker_is_up(broker));
            expect_events("down|");
            come_up_again();
            expect_events("up aa|");
        }
}

static void a_reply_without_end_is_left_at_its_bound(void **state)
{
    (void)state;
    static char noise[1 << 16];
    come_up();
    call(&a, "a");
    settle();
    say(calls_line(), "$9000000000000000000\r\n");
    size_t sent = 0;
    while (broker_is_up(broker)) {
        ssize_t n = send(calls_line()->fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 2 * (size_t)BROKER_REPLY_MAX);
        turn_and_send(0);
    }
    assert_true(sent >= BROKER_REPLY_MAX);
    expect_events("a broken|down|");
}

/* ---- subscriptions ---- */

static void subscribe(const char *channel)
{
    assert_true(broker_subscribe(broker, slice_of(channel)));
}

static void unsubscribe(const char *channel)
{
    broker_unsubscribe(broker, slice_of(channel));
}

static void announce(const char *channel, const char *text)
{
    char message[256];
    snprintf(message, sizeof(message), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
             strlen(channel), channel, strlen(text), text);
    say(news_line(), message);
    settle();
}

static void channels_are_told_once_they_are_confirmed(void **state)
{
    (void)state;
    subscribe("x");
    come_up();
    settle();
    expect_events("subscribed x|");
    played.keeps_quiet = true;
    subscribe("y");
    settle();
    announce("x", "1");
    announce("y", "too early");
    say(news_line(), "*3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:2\r\n");
    announce("y", "2");
    expect_events("x: 1|subscribed y|y: 2|");
    subscribe("y");
    settle();
    expect_events("");
    unsubscribe("x");
    announce("x", "not wanted");
    unsubscribe("never");
    expect_events("");
}

/* Whoever subscribes anew hears so anew, whatever the broker has been told meanwhile. */
static void a_channel_that_is_left_and_joined_is_told_again(void **state)
{
    (void)state;
    come_up();
    subscribe("x");
    settle();
    expect_events("subscribed x|");
    int before = played.commands;
    unsubscribe("x");
    subscribe("x");
    assert_string_equal(events, "");
    settle();
    expect_events("subscribed x|");
    assert_int_equal(played.commands, before);
    unsubscribe("x");
    settle();
    assert_string_equal(played.last, "UNSUBSCRIBE x");
    played.keeps_quiet = true;
    subscribe("x");
    settle();
    unsubscribe("x");
    settle();
    subscribe("x");
    settle();
    assert_string_equal(played.last, "SUBSCRIBE x");
    say(news_line(), "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    settle();
    expect_events("subscribed x|");
}

static void channels_are_kept_over_breaks(void **state)
{
    (void)state;
    come_up();
    subscribe("x");
    subscribe("y");
    settle();
    expect_events("subscribed x|subscribed y|");
    cut(news_line());
    TURN_BOTH_UNTIL(!broker_is_up(broker));
    expect_events("down|");
    unsubscribe("x");
    subscribe("z");
    come_up_again();
    settle();
    expect_events("up aa|subscribed y|subscribed z|");
}

/* Many are asked for in few commands, and not all at a time. */
static void many_channels_go_in_batches(void **state)
{
    (void)state;
    char name[16];
    come_up();
    int before = played.commands;
    played.keeps_quiet = true;
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        subscribe(name);
    }
    settle();
    assert_int_equal(played.commands - before, 8);
    played.keeps_quiet = false;
    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        char text[64];
        snprintf(text, sizeof(text), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(name),
                 name);
        say(news_line(), text);
        events[0] = '\0';
    }
    for (int i = 0; i < 200 && !strstr(events, "c4999|"); i++) {
        events[0] = '\0';
        settle();
    }
    assert_true(played.commands - before < 100);
    assert_true(strcmp(played.last, "SUBSCRIBE c4900") >= 0);
}

static void an_error_to_a_subscription_breaks_the_link(void **state)
{
    (void)state;
    come_up();
    played.keeps_quiet = true;
    subscribe("x");
    settle();
    say(news_line(), "-NOPERM this user has no permissions to access one of the channels\r\n");
    TURN_BOTH_UNTIL(!broker_is_up(broker));
    expect_events("down|");
    played.keeps_quiet = false;
    come_up_again();
    settle();
    expect_events("up aa|subscribed x|");
}

/* Random changes, confirmations that are late, and breaks: what is told is what is wanted. */
static void random_changes_end_in_what_is_wanted(void **state)
{
    (void)state;
    static const char *const names[] = {"c0", "c1", "c2", "c3", "c4", "c5"};
    bool wanted[COUNT_OF(names)] = {false};
    uint64_t r = 3;
    come_up();
    for (int round = 0; round < 60; round++) {
        for (size_t n = random_below(&r, 12); n > 0; n--) {
            size_t i = random_below(&r, COUNT_OF(names));
            wanted[i] = random_below(&r, 2);
            (wanted[i] ? subscribe : unsubscribe)(names[i]);
            if (random_below(&r, 4) == 0)
                turn_and_send(0);
            if (random_below(&r, 4) == 0)
                play();
        }
        if (random_below(&r, 6) == 0) {
            cut(news_line());
            settle();
            come_up_again();
        }
        settle();
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            char expected[16];
            events[0] = '\0';
            announce(names[i], "m");
            snprintf(expected, sizeof(expected), wanted[i] ? "%s: m|" : "", names[i]);
            assert_string_equal(events, expected);
        }
    }
}

/* ---- its end ---- */

static struct broker_call last_call, next_call;

static void end_it(void)
{
    note("freed|");
    broker_free(broker);
    broker = NULL;
}

static void end_on_up(void *owner)
{
    (void)owner;
    end_it();
}

static void end_on_reply(struct broker_call *call, const struct redisReply *reply)
{
    (void)call;
    note(reply ? "reply|" : "broken|");
    end_it();
}

static void never(struct broker_call *call, const struct redisReply *reply)
{
    (void)call;
    (void)reply;
    fail_msg("a reply after the end");
}

static void end_on_channel(void *owner, struct slice channel)
{
    (void)owner;
    note("%.*s|", SLICE_ARG(channel));
    end_it();
}

static void end_on_message(void *owner, struct slice channel, struct slice payload)
{
    (void)payload;
    end_on_channel(owner, channel);
}

static const struct broker_ops ends_up = {end_on_up, end_on_up, on_message, on_subscribed};
static const struct broker_ops ends_down = {on_up, end_on_up, on_message, on_subscribed};
static const struct broker_ops ends_subscribed = {on_up, on_down, on_message, end_on_channel};
static const struct broker_ops ends_message = {on_up, on_down, end_on_message, on_subscribed};

static void remake(const struct broker_ops *ops)
{
    broker_free(broker);
    make_broker(ops);
}

static void it_may_be_freed_in_each_callback(void **state)
{
    (void)state;
    remake(&ends_up);
    TURN_BOTH_UNTIL(!broker);
    expect_events("freed|");
    remake(&ends_down);
    TURN_BOTH_UNTIL(broker_is_up(broker));
    cut(calls_line());
    TURN_BOTH_UNTIL(!broker);
    expect_events("up aa|freed|");
    remake(&ends_subscribed);
    subscribe("x");
    subscribe("y");
    TURN_BOTH_UNTIL(!broker);
    expect_events("up aa|x|freed|");
    remake(&ends_message);
    subscribe("x");
    TURN_BOTH_UNTIL(strstr(events, "subscribed x"));
    say(news_line(),
        "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n"
        "$1\r\n2\r\n");
    TURN_BOTH_UNTIL(!broker);
    expect_events("up aa|subscribed x|x|freed|");
    for (int broken = 0; broken < 2; broken++) {
        make_broker(&noting);
        TURN_BOTH_UNTIL(broker_is_up(broker));
        last_call.on_reply = end_on_reply;
        next_call.on_reply = never;
        broker_call(broker, &last_call, &SLICE_LITERAL("X"), 1);
        broker_call(broker, &next_call, &SLICE_LITERAL("X"), 1);
        settle();
        if (broken)
            cut(calls_line());
        else
            say(calls_line(), "+1\r\n+2\r\n");
        TURN_BOTH_UNTIL(!broker);
        expect_events(broken ? "up aa|broken|freed|" : "up aa|reply|freed|");
    }
    settle();
}

/* At each moment of the way up, and there, with calls under way. */
static void it_may_be_freed_at_any_time(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        subscribe("x");
        for (int i = 0; i < turns; i++) {
            turn_and_send(0);
            play();
        }
        if (broker_is_up(broker)) {
            next_call.on_reply = never;
            broker_call(broker, &next_call, &SLICE_LITERAL("X"), 1);
        }
        remake(&noting);
    }
    settle();
}

static void delays_double_up_to_two_seconds(void **state)
{
    (void)state;
    uint64_t whole = 50;
    for (unsigned failures = 0; failures < 100; failures++) {
        assert_true(retry_delay(failures, UINT32_MAX) <= whole);
        assert_int_equal(retry_delay(failures, (uint32_t)whole), whole);
        assert_int_equal(retry_delay(failures, 0), 0);
        whole = whole * 2 > 2000 ? 2000 : whole * 2;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        link_test(replies_come_in_the_order_of_the_calls),
        link_test(calls_of_a_link_that_breaks_get_null_before_it_is_down),
        link_test(errors_about_the_link_break_it),
        link_test(errors_that_pass_are_told_from_others),
        link_test(a_quiet_broker_is_asked_and_a_silent_one_left),
        link_test(a_call_is_waited_for_as_long_as_the_timeout),
        link_test(a_long_reply_takes_its_time),
        link_test(a_pause_of_our_own_is_no_silence_of_the_broker),
        link_test(what_is_no_master_or_two_servers_is_not_linked),
        link_test(a_hostile_broker_is_left),
        link_test(a_reply_without_end_is_left_at_its_bound),
        link_test(channels_are_told_once_they_are_confirmed),
        link_test(a_channel_that_is_left_and_joined_is_told_again),
        link_test(channels_are_kept_over_breaks),
        link_test(many_channels_go_in_batches),
        link_test(an_error_to_a_subscription_breaks_the_link),
        link_test(random_changes_end_in_what_is_wanted),
        link_test(it_may_be_freed_in_each_callback),
        link_test(it_may_be_freed_at_any_time),
        cmocka_unit_test(delays_double_up_to_two_seconds),
    };
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    return run_on_every_backend("broker", tests);
}
