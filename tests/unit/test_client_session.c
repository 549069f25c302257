/* SPDX-License-Identifier: MIT */
/* test_client_session.c - the C client against a server that is played by hand, frame by frame:
 * what it offers, how it takes what breaks the rules, and that it may be freed at any moment. */
#include "played_server.h"

#include "client/parts.h"
#include "core/backend.h"

#include <errno.h>
#include <time.h>

#include "random.h"

static int set_up(void **state)
{
    (void)state;
    return set_up_at("/feed");
}

static const char *hear(void)
{
    return hear_message().ptr;
}

static void greet(void)
{
    take_request();
    say(WELCOME("false", "0"));
    TURN_UNTIL(httpsocket_connected(client));
}

static void after_a_drop_it_says_what_it_has_and_sends_the_rest_again(void **state)
{
    (void)state;
    char key[64] = "";
    assert_int_equal(httpsocket_emit(client, "a", "1"), 0);
    assert_int_equal(httpsocket_emit(client, "b", NULL), 0);
    take_request();
    assert_int_equal(sscanf(offer, "httpsocket.v1, key.%63s", key), 1);
    assert_int_equal(strlen(key), 24);
    assert_true(hears_nothing()); /* not before the welcome */
    say(WELCOME("false", "0"));
    assert_string_equal(hear(), "a 1");
    assert_string_equal(hear(), "b");
    say("x 1");
    say("y 2");
    TURN_UNTIL(strstr(events, "y 2"));
    cut();
    take_request();
    char expected[256];
    snprintf(expected, sizeof(expected), "httpsocket.v1, key.%s, session." SESSION ", received.2",
             key);
    assert_string_equal(offer, expected);
    say(WELCOME("true", "1"));
    assert_string_equal(hear(), "b");
    assert_string_equal(events, "open|x 1|y 2|lost 1006|resumed|");
}

static void what_breaks_the_rules_ends_the_session_with_4400(void **state)
{
    (void)state;
    static const char *const first[] = {
        "x 1", ".ack 0", ".welcome", ".welcome {}", WELCOME("false", "1"), "x\n"};
    static const char *const later[] = {".ack 1", ".ack", "a  1", "=x",          "a {",
                                        "",       "!1 {", ".dom", ".problem {}", ".dom\n"};
    for (size_t i = 0; i < COUNT_OF(first) + COUNT_OF(later); i++) {
        bool welcomed = i >= COUNT_OF(first);
        if (i > 0)
            assert_int_equal(set_up(NULL), 0);
        if (welcomed)
            greet();
        else
            take_request();
        say(welcomed ? later[i - COUNT_OF(first)] : first[i]);
        TURN_UNTIL(httpsocket_ended(client));
        assert_int_equal(httpsocket_ended(client)->code, 4400);
        assert_non_null(strstr(httpsocket_ended(client)->reason, "wire-protocol: "));
        const char *close_frame = hear(); /* 0x1130 is 4400 */
        assert_memory_equal(close_frame, "\x11\x30", 2);
        if (i + 1 < COUNT_OF(first) + COUNT_OF(later))
            tear_down(NULL);
    }
}

/* The end that a hostile server comes to. */
static const struct httpsocket_end *end_of_hostility(void)
{
    TURN_UNTIL(httpsocket_ended(client) || strstr(events, "lost"));
    return httpsocket_ended(client);
}

static void say_bytes(const void *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && !httpsocket_ended(client)) {
        ssize_t n = send(server, (const char *)bytes + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += n > 0 ? (size_t)n : 0;
        turn();
    }
}

static void parts_that_it_did_not_offer_break_the_rules(void **state)
{
    (void)state;
    static const char parts[][3] = {"\x10"
                                    "a",
                                    "\x11"
                                    "a",
                                    "\x12"
                                    "a"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        greet();
        assert_null(strstr(offer, "parts"));
        say_message(WS_OP_BINARY, parts[i], 2);
        assert_int_equal(end_of_hostility()->code, 4400);
    }
}

/* Lengths that are announced, in ten bytes each. */
static void a_length_beyond_what_it_takes_is_refused_before_the_message_comes(void **state)
{
    (void)state;
    static const char lengths[][11] = {
        "\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",
        "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
        "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01",
        "\x82\x7e\x00\x01xxxxxx",
    };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        greet();
        say_bytes(lengths[i], 10);
        const struct httpsocket_end *end = end_of_hostility();
        assert_true(i >= 2 || (end && end->code == 1009)); /* the others are no frames: lost */
    }
}

static void fragments_that_never_end_are_refused_at_the_limit(void **state)
{
    (void)state;
    enum {
        PIECE = 60000
    };
    char *fragment = malloc(4 + PIECE);
    greet();
    say_bytes("\x02\x01"
              "a",
              3);
    memcpy(fragment, (char[]){0, 126, (char)(PIECE >> 8), (char)(PIECE & 255)}, 4);
    memset(fragment + 4, 'x', PIECE);
    for (int i = 0; i < 1000 && !httpsocket_ended(client); i++)
        say_bytes(fragment, 4 + PIECE);
    free(fragment);
    assert_int_equal(end_of_hostility()->code, 1009);
}

static void empty_fragments_without_end_cost_nothing_and_pings_go_on(void **state)
{
    (void)state;
    greet();
    say_bytes("\x01\x00", 2);
    for (int i = 0; i < 200; i++)
        say_bytes("\x00\x00\x89\x01!", 5);
    for (int i = 0; i < 200; i++)
        assert_string_equal(hear(), "!");
    assert_null(httpsocket_ended(client));
    say_bytes("\x80\x03"
              "a 1",
              5);
    assert_string_equal(hear(), ".ack 1");
    assert_string_equal(events, "open|a 1|");
}

static void another_session_is_not_taken_for_ours(void **state)
{
    (void)state;
    greet();
    cut();
    take_request();
    say(WELCOME("false", "0"));
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(httpsocket_ended(client)->reason,
                        "wire-protocol: a new session in the place of ours");
}

static void another_id_is_not_taken_for_ours(void **state)
{
    (void)state;
    char other[] = WELCOME("true", "0");
    greet();
    cut();
    take_request();
    *strstr(other, SESSION) = 'B';
    say(other);
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(httpsocket_ended(client)->reason,
                        "wire-protocol: another session than asked for");
}

static void controls_are_answered_or_ignored(void **state)
{
    (void)state;
    greet();
    say(".later {\"x\":1}");
    say(".ping");
    assert_string_equal(hear(), ".pong");
    say("a 1");
    assert_string_equal(hear(), ".ack 1");
    assert_string_equal(events, "open|a 1|");
}

static void what_is_for_pages_counts_and_is_passed_over(void **state)
{
    (void)state;
    greet();
    say(".listen {\"on\":\"click\"}");
    say(".dom []");
    say(".unlisten {}");
    say("a 1");
    while (strcmp(hear(), ".ack 4") != 0)
        ;
    assert_string_equal(events, "open|a 1|");
}

static void the_window_holds_back_and_the_buffer_says_would_block(void **state)
{
    (void)state;
    greet();
    for (int i = 0; i < 4; i++)
        assert_int_equal(httpsocket_emit(client, "e", "12345678"), 0);
    assert_int_equal(httpsocket_emit(client, "e", "1"), -EAGAIN);
    assert_int_equal(httpsocket_buffered(client), 40);
    assert_string_equal(hear(), "e 12345678");
    assert_string_equal(hear(), "e 12345678");
    assert_true(hears_nothing());
    say(".ack 1");
    assert_string_equal(hear(), "e 12345678");
    assert_true(hears_nothing());
    assert_string_equal(events, "open|");
    say(".ack 2");
    TURN_UNTIL(strstr(events, "room|"));
    assert_string_equal(hear(), "e 12345678");
    char large[128];
    memset(large, '1', sizeof(large));
    large[90] = '\0';
    assert_int_equal(httpsocket_emit(client, "e", large), -EAGAIN);
    say(".ack 4");
    TURN_UNTIL(httpsocket_buffered(client) == 0);
    assert_int_equal(httpsocket_emit(client, "e", large), 0); /* alone */
    assert_int_equal(strlen(hear()), 92);
    large[90] = '1';
    large[99] = '\0';
    assert_int_equal(httpsocket_emit(client, "e", large), -EMSGSIZE);
}

static void what_was_queued_too_large_for_the_server_ends_it_and_is_told(void **state)
{
    (void)state;
    char large[200];
    memset(large, '1', sizeof(large));
    large[150] = '\0';
    assert_int_equal(httpsocket_emit(client, "e", large), 0);
    take_request();
    say(WELCOME("false", "0"));
    TURN_UNTIL(httpsocket_ended(client));
    assert_int_equal(httpsocket_ended(client)->code, 1009);
    assert_int_equal(httpsocket_buffered(client), 152);
    assert_int_equal(httpsocket_emit(client, "e", NULL), -EPIPE);
}

static void only_what_can_be_sent_is_taken(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".a", "a b", "a?1", "=1", "+1", "!1", "\xc3\xb8"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(httpsocket_emit(client, names[i], "1"), -EINVAL);
    static const char *const bodies[] = {"{", " 1", "1\n", "\"\xff\"", "1 2", "'a'"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        assert_int_equal(httpsocket_emit(client, "a", bodies[i]), -EINVAL);
    struct httpsocket_message call = {.kind = HTTPSOCKET_CALL, .name = "a"};
    call.call = UINT64_C(1) << 52;
    assert_int_equal(httpsocket_send(client, &call), -EINVAL);
    assert_int_equal(httpsocket_part(client, 1, NULL), -EINVAL);
    assert_int_equal(httpsocket_answer(client, UINT64_C(1) << 53, "1"), -EINVAL);
    assert_int_equal(httpsocket_fail(client, 1, "\xff"), -EINVAL);
    assert_int_equal(httpsocket_buffered(client), 0);
    assert_int_equal(httpsocket_fail(client, 1, "a \"b\"\n"), 0);
    take_request();
    say(WELCOME("false", "0"));
    char answer[64];
    snprintf(answer, sizeof(answer), "!1 {\"message\":\"a \\\"b\\\"\\n\"}");
    assert_string_equal(hear(), answer);
}

static void paused_it_hears_nothing_until_resumed(void **state)
{
    (void)state;
    httpsocket_pause(client);
    take_request();
    say(WELCOME("false", "0"));
    say("a 1");
    TURN_UNTIL(httpsocket_connected(client));
    assert_true(hears_nothing());
    assert_string_equal(events, "open|");
    httpsocket_resume(client);
    TURN_UNTIL(strstr(events, "a 1|"));
}

static void an_announced_end_is_the_end_though_the_close_frame_is_lost(void **state)
{
    (void)state;
    greet();
    say(".close {\"code\":4500,\"reason\":\"program-failed status=7\"}");
    cut();
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(events, "open|close 4500 program-failed status=7|");
}

static void close_waits_for_what_is_queued_and_then_says_so(void **state)
{
    (void)state;
    greet();
    assert_int_equal(httpsocket_emit(client, "a", "1"), 0);
    assert_int_equal(httpsocket_close(client, "done \"x\"", 0), 0);
    assert_int_equal(httpsocket_emit(client, "b", "1"), -EPIPE);
    assert_string_equal(hear(), "a 1");
    assert_true(hears_nothing());
    say(".ack 1");
    assert_string_equal(hear(), ".close {\"reason\":\"done \\\"x\\\"\"}");
    assert_int_equal(send(server, "\x88\x02\x03\xe8", 4, MSG_NOSIGNAL), 4);
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(events, "open|close 1000 done \"x\"|");
}

static uint64_t later_ms; /* than it is */

static uint64_t late_clock(void *arg)
{
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + later_ms;
}

/* In steps, so that it is no pause of the process. */
static void seconds_pass(unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 4; i++) {
        later_ms += 250;
        assert_true(httpsocket_process(client, 0) >= 0);
    }
}

/* Has said `.close`; the answer waits behind a message of 60 bytes, which comes slowly. */
static void leaves_behind_a_slow_message(void)
{
    later_ms = 0;
    loop_set_clock(client->loop, late_clock, NULL);
    greet();
    assert_int_equal(httpsocket_close(client, "done", 0), 0);
    assert_string_equal(hear(), ".close {\"reason\":\"done\"}");
    say_bytes("\x81\x3c"
              "a ",
              4);
    for (int i = 0; i < 6; i++) {
        seconds_pass(5);
        assert_int_equal(send(server, "11111111", 8, MSG_NOSIGNAL), 8);
        turn();
        assert_string_equal(events, "open|");
    }
}

static void the_answer_to_close_is_waited_for_while_bytes_move(void **state)
{
    (void)state;
    leaves_behind_a_slow_message();
    say_bytes("1111111111", 10);
    assert_int_equal(send(server, "\x88\x02\x03\xe8", 4, MSG_NOSIGNAL), 4);
    TURN_UNTIL(httpsocket_ended(client));
    assert_non_null(strstr(events, "close 1000 done|"));
}

static void a_server_that_falls_silent_before_it_has_answered_close_is_left(void **state)
{
    (void)state;
    leaves_behind_a_slow_message();
    seconds_pass(25);
    take_request(); /* it comes again, to hear how it ended */
}

static void answered(struct httpsocket *c, const struct httpsocket_message *m, void *arg)
{
    (void)c;
    note("%s%d %.*s|", (const char *)arg, (int)m->kind, (int)m->size, (const char *)m->data);
}

static void calls_get_their_own_answers_or_time_out(void **state)
{
    (void)state;
    unsigned long long first, second;
    greet();
    assert_int_equal(httpsocket_call(client, "a", NULL, 0, answered, "a"), 0);
    assert_int_equal(httpsocket_call(client, "b", NULL, 0, answered, "b"), 0);
    assert_int_equal(sscanf(hear(), "a?%llu", &first), 1);
    say(".ack 1");
    assert_int_equal(sscanf(hear(), "b?%llu", &second), 1);
    say(".ack 2");
    char text[64];
    snprintf(text, sizeof(text), "=%llu 2", second);
    say(text);
    snprintf(text, sizeof(text), "+%llu 1", first);
    say(text);
    snprintf(text, sizeof(text), "=%llu", first);
    say(text);
    say(text);   /* nobody waits any more */
    say("=7 3"); /* one of the user's own */
    TURN_UNTIL(strstr(events, "answer 3|"));
    assert_string_equal(events, "open|b2 2|a3 1|a2 |answer 3|");
    assert_int_equal(httpsocket_call(client, "c", NULL, 20, answered, "c"), 0);
    TURN_UNTIL(strstr(events, "c4 {\"message\":\"no answer in time\",\"code\":\"timeout\"}|"));
    TURN_UNTIL(httpsocket_buffered(client) > 0);
}

static void it_may_be_freed_at_any_moment(void **state)
{
    (void)state;
    for (int moment = 0; moment < 6; moment++) {
        if (moment)
            assert_int_equal(set_up(NULL), 0);
        assert_int_equal(httpsocket_call(client, "a", NULL, 1000, answered, "a"), 0);
        if (moment == 1)
            TURN_UNTIL(accepted());
        if (moment >= 2)
            take_request();
        if (moment >= 3)
            say(WELCOME("false", "0"));
        if (moment >= 4)
            assert_true(*hear());
        if (moment >= 5) {
            cut();
            TURN_UNTIL(strstr(events, "lost"));
        }
        if (moment < 5)
            tear_down(NULL);
    }
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    char why[200] = "";
    struct httpsocket_options o = {.size = sizeof(o)};
    assert_null(httpsocket_new(&o, why, sizeof(why)));
    o.url = "gopher://a";
    assert_null(httpsocket_new(&o, why, sizeof(why)));
    assert_non_null(strstr(why, "http"));
    o.url = "https://localhost/";
    o.ca_file = "/none";
    assert_null(httpsocket_new(&o, why, sizeof(why)));
    assert_non_null(strstr(why, "/none"));
    o = (struct httpsocket_options){.size = sizeof(o), .url = "http://no.such.name.invalid/"};
    struct httpsocket *c = httpsocket_new(&o, NULL, 0);
    assert_non_null(c);
    httpsocket_free(c); /* while the name is looked up */
}

#define session_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        session_test(after_a_drop_it_says_what_it_has_and_sends_the_rest_again),
        session_test(what_breaks_the_rules_ends_the_session_with_4400),
        session_test(parts_that_it_did_not_offer_break_the_rules),
        session_test(a_length_beyond_what_it_takes_is_refused_before_the_message_comes),
        session_test(fragments_that_never_end_are_refused_at_the_limit),
        session_test(empty_fragments_without_end_cost_nothing_and_pings_go_on),
        session_test(another_session_is_not_taken_for_ours),
        session_test(another_id_is_not_taken_for_ours),
        session_test(controls_are_answered_or_ignored),
        session_test(what_is_for_pages_counts_and_is_passed_over),
        session_test(the_window_holds_back_and_the_buffer_says_would_block),
        session_test(what_was_queued_too_large_for_the_server_ends_it_and_is_told),
        session_test(only_what_can_be_sent_is_taken),
        session_test(paused_it_hears_nothing_until_resumed),
        session_test(an_announced_end_is_the_end_though_the_close_frame_is_lost),
        session_test(close_waits_for_what_is_queued_and_then_says_so),
        session_test(the_answer_to_close_is_waited_for_while_bytes_move),
        session_test(a_server_that_falls_silent_before_it_has_answered_close_is_left),
        session_test(calls_get_their_own_answers_or_time_out),
        session_test(it_may_be_freed_at_any_moment),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests_name("client_session", tests, NULL, NULL);
}
