/* SPDX-License-Identifier: MIT */
/* TCP connections of the C client against a server that is played by hand; and what a refusal keeps
 * it from. */
#include "played_server.h"

#include "proto/channel_frame.h"

#include <errno.h>

#define OPEN_1 "OPEN1:{\"kind\":\"tcp\",\"host\":\"b.example\",\"port\":7} "

static struct httpsocket_tcp *tcp;
static bool own_pace, has_on_end;

static void on_tcp_open(struct httpsocket_tcp *t, const struct httpsocket_tcp_peer *peer)
{
    assert_ptr_equal(httpsocket_tcp_client(t), client);
    note("opened %s:%u|", peer->remote_address, peer->remote_port);
}

static void on_tcp_data(struct httpsocket_tcp *t, const void *data, size_t size)
{
    (void)t;
    note("data %.*s|", (int)size, (const char *)data);
}

static void on_tcp_end(struct httpsocket_tcp *t)
{
    (void)t;
    note("end|");
}

static void on_tcp_room(struct httpsocket_tcp *t)
{
    (void)t;
    note("tcp room|");
}

static void on_tcp_close(struct httpsocket_tcp *t, const struct httpsocket_tcp_end *end)
{
    (void)t;
    note("over %s %s %d|", end->reason, end->message, (int)end->retry_s);
}

static struct httpsocket_tcp *open_tcp(const char *host, uint16_t port)
{
    struct httpsocket_tcp *t = NULL;
    struct httpsocket_tcp_options o = {.size = sizeof(o),
                                       .host = host,
                                       .port = port,
                                       .own_pace = own_pace,
                                       .on_open = on_tcp_open,
                                       .on_data = on_tcp_data,
                                       .on_end = has_on_end ? on_tcp_end : NULL,
                                       .on_room = on_tcp_room,
                                       .on_close = on_tcp_close};
    assert_int_equal(httpsocket_tcp_open(client, &o, &t), 0);
    return t;
}

/* ---- frames ---- */

static void put(struct channel_frame f)
{
    char bytes[512];
    size_t len = channel_frame_head(&f, bytes);
    memcpy(bytes + len, f.body.ptr ? f.body.ptr : "", f.body.len);
    say_message(WS_OP_BINARY, bytes, len + f.body.len);
}

static void put_text(enum channel_frame_type type, uint32_t number, const char *body)
{
    put((struct channel_frame){.type = type, .channel = number, .body = slice_of(body)});
}

static void put_state(uint32_t number, uint64_t received, uint64_t limit)
{
    put((struct channel_frame){
        .type = CHANNEL_STATE, .channel = number, .received = received, .limit = limit});
}

/* The next frame of the client, as a text. */
static const char *frame(void)
{
    static const char *const names[] = {"",      "OPEN", "OPENED", "DATA",
                                        "STATE", "END",  "RESET",  "GONE"};
    static char text[600];
    struct bytes message = hear_message();
    struct channel_frame f = {0};
    assert_int_equal(channel_frame_parse(slice_from_bytes(message), &f), PARSE_OK);
    int len = snprintf(text, sizeof(text), "%s%u", names[f.type], f.channel);
    if (f.type == CHANNEL_STATE)
        snprintf(text + len, sizeof(text) - (size_t)len, ":%d/%d ", (int)f.received, (int)f.limit);
    else
        snprintf(text + len, sizeof(text) - (size_t)len, ":%.*s ", SLICE_ARG(f.body));
    return text;
}

static void greet(const char *welcome)
{
    take_request();
    say(welcome);
    TURN_UNTIL(httpsocket_connected(client));
    events[0] = '\0';
}

#define GREET() greet(WELCOME_AND("false", "0", ",\"streams\":2,\"streamWindow\":1048576"))

static int set_up_tcp(void **state)
{
    (void)state;
    own_pace = false;
    has_on_end = true;
    return set_up_at("/.httpsocket/connect");
}

static void open_first(void)
{
    GREET();
    tcp = open_tcp("b.example", 7);
    assert_string_equal(frame(), OPEN_1);
    put_text(CHANNEL_OPENED, 1, "{\"remoteAddress\":\"192.0.2.7\",\"remotePort\":7}");
    put_state(1, 0, 1000);
    assert_string_equal(frame(), "STATE1:0/1048576 ");
    TURN_UNTIL(strstr(events, "opened 192.0.2.7:7|"));
    events[0] = '\0';
}

/* ---- the tests ---- */

static void it_opens_once_the_server_is_there_and_has_said_that_it_may(void **state)
{
    (void)state;
    tcp = open_tcp("b.example", 7);
    assert_int_equal(httpsocket_tcp_write(tcp, "early", 5), 0);
    GREET();
    assert_string_equal(frame(), OPEN_1);
    TURN_UNTIL(httpsocket_tcp_room(tcp) > 0);
    assert_int_equal(httpsocket_tcp_write(tcp, "early", 5), 5);
    put_text(CHANNEL_OPENED, 1, "{}");
    put_state(1, 0, 1000);
    assert_string_equal(frame(), "STATE1:0/1048576 ");
    assert_string_equal(frame(), "DATA1:early ");
}

static void all_that_may_be_asked_for_is_asked_for(void **state)
{
    (void)state;
    struct httpsocket_tcp_options o = {.size = sizeof(o),
                                       .host = "b.example",
                                       .port = 65535,
                                       .secure = true,
                                       .no_delay = true,
                                       .keep_alive_ms = 5000};
    GREET();
    assert_int_equal(httpsocket_tcp_open(client, &o, &tcp), 0);
    assert_string_equal(frame(), "OPEN1:{\"kind\":\"tcp\",\"host\":\"b.example\",\"port\":65535,"
                                 "\"secure\":true,\"noDelay\":true,\"keepAliveDelay\":5000} ");
}

static void bytes_go_both_ways_and_it_ends_when_both_have(void **state)
{
    (void)state;
    open_first();
    assert_int_equal(httpsocket_tcp_write(tcp, "hello", 5), 5);
    assert_string_equal(frame(), "DATA1:hello ");
    assert_int_equal(httpsocket_tcp_buffered(tcp), 5);
    put_text(CHANNEL_DATA, 1, "world");
    put_text(CHANNEL_END, 1, "");
    TURN_UNTIL(strstr(events, "data world|end|"));
    assert_string_equal(frame(), "STATE1:6/1048581 ");
    httpsocket_tcp_finish(tcp);
    assert_string_equal(frame(), "END1: ");
    assert_int_equal(httpsocket_tcp_write(tcp, "x", 1), -EPIPE);
    put_state(1, 6, 1000);
    TURN_UNTIL(strstr(events, "over   -1|"));
}

static void a_write_is_cut_short_at_the_window_and_room_is_told(void **state)
{
    (void)state;
    static char bytes[(1 << 20) + 1];
    open_first();
    assert_int_equal(httpsocket_tcp_write(tcp, bytes, sizeof(bytes)), 1 << 20);
    assert_int_equal(httpsocket_tcp_room(tcp), 0);
    assert_non_null(strstr(frame(), "DATA1:")); /* as far as the limit */
    put_state(1, 1000, 1 << 20);
    for (int i = 0; i < 3; i++)
        turn();
    assert_null(strstr(events, "tcp room|"));
    size_t got = 1000;
    while (got < 1 << 18) {
        struct bytes message = hear_message();
        got += message.len - CHANNEL_HEAD_SIZE;
    }
    put_state(1, got, 1 << 20);
    TURN_UNTIL(strstr(events, "tcp room|"));
}

static void without_on_end_their_end_is_ours(void **state)
{
    (void)state;
    has_on_end = false;
    open_first();
    put_text(CHANNEL_END, 1, "");
    assert_string_equal(frame(), "STATE1:1/1048576 ");
    assert_string_equal(frame(), "END1: ");
}

static void after_a_drop_it_goes_on(void **state)
{
    (void)state;
    open_first();
    assert_int_equal(httpsocket_tcp_write(tcp, "0123456789", 10), 10);
    assert_string_equal(frame(), "DATA1:0123456789 ");
    cut();
    take_request();
    say(WELCOME_AND("true", "0", ",\"streams\":2"));
    assert_string_equal(frame(), "STATE1:0/1048576 ");
    put_state(1, 4, 1000);
    assert_string_equal(frame(), "DATA1:456789 ");
    assert_null(strstr(events, "over"));
}

static void with_a_pace_of_its_own_the_user_grants(void **state)
{
    (void)state;
    own_pace = true;
    open_first();
    static char bytes[100];
    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 656; i++) /* 64 KiB, and a little */
        put((struct channel_frame){
            .type = CHANNEL_DATA, .channel = 1, .body = {bytes, sizeof(bytes)}});
    assert_string_equal(frame(), "STATE1:65600/1048576 ");
    httpsocket_tcp_consumed(tcp, 65600);
    assert_true(hears_nothing());
}

static void more_than_the_server_allows_wait_for_their_turn(void **state)
{
    (void)state;
    GREET();
    struct httpsocket_tcp *first = open_tcp("b.example", 1);
    open_tcp("b.example", 2);
    struct httpsocket_tcp *third = open_tcp("b.example", 3);
    assert_non_null(strstr(frame(), "OPEN1:"));
    assert_non_null(strstr(frame(), "OPEN2:"));
    assert_true(hears_nothing());
    httpsocket_tcp_finish(third);
    assert_int_equal(httpsocket_tcp_reset(first, "tired"), 0);
    assert_string_equal(frame(), "RESET1:{\"reason\":\"tired\"} ");
    assert_true(hears_nothing());
    put_text(CHANNEL_GONE, 1, "");
    put_text(CHANNEL_RESET, 2, "{\"reason\":\"no-record\",\"message\":\"why\"}");
    assert_string_equal(frame(), "GONE2: ");
    assert_non_null(strstr(frame(), "OPEN3:"));
    assert_string_equal(events, "over no-record why -1|");
}

static void a_server_without_streams_is_told(void **state)
{
    (void)state;
    greet(WELCOME("false", "0"));
    open_tcp("b.example", 7);
    TURN_UNTIL(strstr(events, "over stream-unsupported"));
}

static void a_refusal_bans_its_target_for_the_time_that_it_said(void **state)
{
    (void)state;
    GREET();
    open_tcp("Banned.example", 7);
    assert_non_null(strstr(frame(), "OPEN1:"));
    put_text(CHANNEL_RESET, 1, "{\"reason\":\"no-record\",\"retryAfter\":60}");
    assert_string_equal(frame(), "GONE1: ");
    TURN_UNTIL(strstr(events, "over no-record  60|"));
    open_tcp("banned.example", 7);
    TURN_UNTIL(strstr(events, "over banned refused a short while ago 60|"));
    open_tcp("banned.example", 8);
    assert_non_null(strstr(frame(), "OPEN2:"));
}

static void what_ends_an_open_one_bans_nothing(void **state)
{
    (void)state;
    open_first();
    put_text(CHANNEL_RESET, 1, "{\"reason\":\"overload\",\"retryAfter\":60}");
    assert_string_equal(frame(), "GONE1: ");
    open_tcp("b.example", 7);
    assert_non_null(strstr(frame(), "OPEN2:"));
}

static void with_the_session_they_are_over(void **state)
{
    (void)state;
    open_first();
    open_tcp("b.example", 8);
    open_tcp("b.example", 9);
    assert_non_null(strstr(frame(), "OPEN2:"));
    say(".close {\"code\":1012,\"reason\":\"draining retry=3\"}");
    cut();
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(events, "over session-over draining 3|over session-over draining 3|"
                                "over session-over draining 3|close 1012 draining|");
    struct httpsocket_tcp_options o = {.size = sizeof(o), .host = "b.example", .port = 1};
    assert_int_equal(httpsocket_tcp_open(client, &o, &tcp), -EPIPE);
}

static void a_frame_that_breaks_the_rules_ends_the_session(void **state)
{
    (void)state;
    static const struct channel_frame bad[] = {
        {.type = CHANNEL_OPEN, .channel = 1, .body = {"{}", 2}},
        {.type = CHANNEL_STATE, .channel = 1, .received = 1, .limit = 1000},
        {.type = CHANNEL_STATE, .channel = 1, .limit = 999},
        {.type = CHANNEL_OPENED, .channel = 1, .body = {"{", 1}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (i > 0)
            assert_int_equal(set_up_tcp(NULL), 0);
        open_first();
        put(bad[i]);
        TURN_UNTIL(httpsocket_ended(client));
        assert_int_equal(httpsocket_ended(client)->code, 4400);
        if (i + 1 < sizeof(bad) / sizeof(*bad))
            tear_down(NULL);
    }
}

static void free_it_all(struct httpsocket_tcp *t, const void *data, size_t size)
{
    (void)data;
    (void)size;
    assert_int_equal(httpsocket_tcp_reset(t, NULL), 0);
    note("reset|");
}

static void it_may_be_reset_inside_its_callback(void **state)
{
    (void)state;
    struct httpsocket_tcp_options o = {
        .size = sizeof(o), .host = "b.example", .port = 7, .on_data = free_it_all};
    GREET();
    assert_int_equal(httpsocket_tcp_open(client, &o, &tcp), 0);
    assert_non_null(strstr(frame(), "OPEN1:"));
    put_text(CHANNEL_OPENED, 1, "{}");
    assert_string_equal(frame(), "STATE1:0/1048576 ");
    put_text(CHANNEL_DATA, 1, "x");
    put_text(CHANNEL_DATA, 1, "y");
    assert_string_equal(frame(), "RESET1:{\"reason\":\"aborted\"} ");
    TURN_UNTIL(strstr(events, "reset|"));
    for (int i = 0; i < 3; i++)
        turn();
    assert_string_equal(events, "reset|");
}

static void freeing_the_client_resets_what_is_open(void **state)
{
    (void)state;
    open_first();
    open_tcp("b.example", 8); /* asked for */
    open_tcp("b.example", 9); /* waits */
    assert_non_null(strstr(frame(), "OPEN2:"));
    httpsocket_free(client);
    client = NULL;
    assert_true(hear_more());
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    static char long_host[257];
    memset(long_host, 'a', 256);
    const struct httpsocket_tcp_options wrong[] = {
        {.size = sizeof(*wrong), .port = 7},
        {.size = sizeof(*wrong), .host = "", .port = 7},
        {.size = sizeof(*wrong), .host = "b.example"},
        {.size = sizeof(*wrong), .host = long_host, .port = 7},
        {.size = 8, .host = "b.example", .port = 7},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(httpsocket_tcp_open(client, &wrong[i], &tcp), -EINVAL);
    tcp = open_tcp("b.example", 7);
    assert_int_equal(httpsocket_tcp_reset(tcp, "Not a token"), -EINVAL);
    assert_int_equal(httpsocket_tcp_reset(tcp, ""), -EINVAL);
    assert_int_equal(httpsocket_tcp_reset(tcp, NULL), 0);
}

/* ---- bans of programs ---- */

static void refuse_request(const char *answer)
{
    static struct http_head head;
    heard_len = 0;
    TURN_UNTIL(accepted());
    TURN_UNTIL(hear_more() && http_head_parse(slice_make(heard, heard_len), 0, &head) == PARSE_OK);
    assert_int_equal(send(server, answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
}

/* Another client of the same server. */
static struct httpsocket *client_at(const char *path)
{
    struct sockaddr_in a;
    char url[128];
    getsockname(listener, (struct sockaddr *)&a, &(socklen_t){sizeof(a)});
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ntohs(a.sin_port), path);
    struct httpsocket_options o = {
        .size = sizeof(o), .url = url, .retry = HTTPSOCKET_RETRY_NEVER, .on_close = on_close};
    return httpsocket_new(&o, NULL, 0);
}

static void assert_banned(const char *path, bool banned)
{
    struct httpsocket *c = client_at(path);
    for (int i = 0; i < 100 && !httpsocket_ended(c) && !accepted(); i++)
        httpsocket_process(c, 50);
    if (banned) {
        assert_int_equal(httpsocket_ended(c)->code, 4429);
        assert_string_equal(httpsocket_ended(c)->reason, "banned");
        assert_true(httpsocket_ended(c)->retry_s > 50 && httpsocket_ended(c)->retry_s <= 60);
    } else {
        assert_null(httpsocket_ended(c));
        cut();
    }
    httpsocket_free(c);
}

static int set_up_banned(void **state)
{
    (void)state;
    return set_up_at("/chat/%72oom?x=1");
}

static void a_401_bans_its_path_and_with_a_policy_path_all_below_it(void **state)
{
    (void)state;
    refuse_request("HTTP/1.1 401 Unauthorized\r\nScript-Access-Reason: script-denied\r\n"
                   "Retry-After: 60\r\nAccess-Control-Policy-Path: /chat\r\n\r\n");
    TURN_UNTIL(httpsocket_ended(client));
    assert_string_equal(events, "close 4401 script-denied|");
    cut();
    assert_banned("/chat/room?y=2", true);
    assert_banned("/chat", true);
    assert_banned("/chat/./other", true);
    assert_banned("/chats", false);
    assert_banned("/", false);
}

static void a_close_with_4403_bans_the_one_path(void **state)
{
    (void)state;
    take_request();
    say_message(WS_OP_CLOSE, "\x11\x33no-record retry=60", 20);
    TURN_UNTIL(httpsocket_ended(client));
    cut();
    assert_banned("/chat/room", true);
    assert_banned("/chat", false);
}

static void a_403_that_says_no_time_bans_for_a_minute(void **state)
{
    (void)state;
    refuse_request("HTTP/1.1 403 Forbidden\r\nScript-Access-Reason: no-record\r\n\r\n");
    TURN_UNTIL(httpsocket_ended(client));
    cut();
    assert_banned("/chat/room", true);
}

static void a_404_bans_nothing(void **state)
{
    (void)state;
    refuse_request("HTTP/1.1 404 Not Found\r\nScript-Access-Reason: no-program\r\n\r\n");
    TURN_UNTIL(httpsocket_ended(client));
    cut();
    assert_banned("/chat/room", false);
}

int main(void)
{
#define TEST(f)   cmocka_unit_test_setup_teardown(f, set_up_tcp, tear_down)
#define BANNED(f) cmocka_unit_test_setup_teardown(f, set_up_banned, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_opens_once_the_server_is_there_and_has_said_that_it_may),
        TEST(all_that_may_be_asked_for_is_asked_for),
        TEST(bytes_go_both_ways_and_it_ends_when_both_have),
        TEST(a_write_is_cut_short_at_the_window_and_room_is_told),
        TEST(without_on_end_their_end_is_ours),
        TEST(after_a_drop_it_goes_on),
        TEST(with_a_pace_of_its_own_the_user_grants),
        TEST(more_than_the_server_allows_wait_for_their_turn),
        TEST(a_server_without_streams_is_told),
        TEST(a_refusal_bans_its_target_for_the_time_that_it_said),
        TEST(what_ends_an_open_one_bans_nothing),
        TEST(with_the_session_they_are_over),
        TEST(a_frame_that_breaks_the_rules_ends_the_session),
        TEST(it_may_be_reset_inside_its_callback),
        TEST(freeing_the_client_resets_what_is_open),
        TEST(wrong_options_are_refused),
        BANNED(a_401_bans_its_path_and_with_a_policy_path_all_below_it),
        BANNED(a_close_with_4403_bans_the_one_path),
        BANNED(a_403_that_says_no_time_bans_for_a_minute),
        BANNED(a_404_bans_nothing),
    };
    return cmocka_run_group_tests_name("client_tcp", tests, NULL, NULL);
}
