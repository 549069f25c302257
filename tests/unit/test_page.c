/* SPDX-License-Identifier: MIT */
/* Pages: what their clients hear and what their programs are told, until both are gone. */
#include "page_fixture.h"
#include "page_matrix.h"

/* ---- a request and its page ---- */

static void opens_a_page(void)
{
    asks(client, GET("/app"));
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    answers(seats[0], HTML);
    ends_its_answer(seats[0]);
    hear(client);
    assert_status(client->text, 200);
    connects(client, second);
}

static void a_page_is_answered_and_talks(void **state)
{
    (void)state;
    opens_a_page();
    assert_has(client->text, "<meta name=\"httpsocket-session\"");
    assert_string_equal(hears(second), ".welcome|");
    says(seats[0], "hi 1\n");
    assert_string_equal(hears(second), "hi 1|");
    sends(second, WS_OP_TEXT, "yo 2");
    assert_string_equal(told[0].notes, "begin|body-end|.attach|send yo 2|");
    sends(second, WS_OP_TEXT, ".close");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_ends_first_ends_its_session(void **state)
{
    (void)state;
    opens_a_page();
    hears(second);
    ends(seats[0], CLOSE_PROGRAM_FAILED, "program-failed status=1");
    assert_string_equal(hears(second),
                        ".close {\"code\":4500,\"reason\":\"program-failed status=1\"}|"
                        "close 4500 program-failed status=1|");
}

static void what_is_no_page_has_no_session(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], "Status: 404\nContent-Type: text/plain\n\nno");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], " more");
    ends_its_answer(seats[0]);
    hear(client);
    assert_status(client->text, 404);
    assert_has_not(client->text, "Session-ID");
    assert_has(client->text, "more");
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_head_is_answered_and_has_no_lines(void **state)
{
    (void)state;
    asks(client, "HEAD /app HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(told[0].notes, "begin|shut|body-end|");
    assert_int_equal(page_reading(seats[0]->seat.page), PROGRAM_DROP);
    answers(seats[0], HTML);
    hear(client);
    assert_status(client->text, 200);
    assert_has_not(client->text, "hello");
}

static void a_body_of_unknown_length_is_gathered_first(void **state)
{
    (void)state;
    asks(client, CHUNKED);
    assert_int_equal(state_of(seats[0]), PAGE_SPOOLING);
    assert_int_equal(told[0].begins, 0);
    asks(client, "2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    assert_string_equal(told[0].notes, "begin|body abcde|");
}

static void who_breaks_off_its_body_has_begun_nothing(void **state)
{
    (void)state;
    asks(client, CHUNKED);
    hangs_up(client);
    assert_string_equal(told[0].notes, "let-go|");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_does_not_start_is_answered(void **state)
{
    static const struct {
        int error, status;
    } rows[] = {{-ENOENT, 500}, {-EACCES, 500}, {-EAGAIN, 503}, {-ENOMEM, 503}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        begin_error = rows[i].error;
        say(client, GET("/app"));
        assert_status(client->text, rows[i].status);
        assert_int_equal(told[i].frees, 1);
        assert_true(told[i].let_gos > 0);
    }
    say(client, "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_status(client->text, 503);
}

static void a_handshake_whose_program_does_not_start_is_refused(void **state)
{
    (void)state;
    begin_error = -ENOENT;
    asks(client, DIRECT);
    assert_string_equal(hears(client), "close 4502 program-answer|");
    begin_error = -EAGAIN;
    asks(second, PLAIN);
    hear(second);
    assert_status(second->text, 503);
}

static void without_a_seat_there_is_no_page(void **state)
{
    static const struct {
        enum seat_refusal why;
        int status;
    } rows[] = {{SEAT_FULL, 503}, {SEAT_BROKEN, 500}, {SEAT_HELD_BACK, 503}};
    (void)state;
    refuses = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        refusal = rows[i].why;
        say(client, GET("/app"));
        assert_status(client->text, rows[i].status);
    }
    assert_has(client->text, "Retry-After: 7");
    asks(second, DIRECT);
    assert_string_equal(hears(second), "close 1013 overload retry=7|");
}

static void a_program_without_an_answer_is_answered_for(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    hear(client);
    assert_status(client->text, 502);
    is_over_in_time(0);
}

static void an_answer_that_comes_too_late_is_dropped(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    pass_time(page_config.answer_timeout_ms);
    hear(client);
    assert_status(client->text, 504);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], HTML);
    ends_its_answer(seats[0]);
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    is_over_in_time(0);
}

static void an_answer_that_nobody_waits_for_is_dropped(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], HTML);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void an_answer_that_fails_in_its_midst_breaks_off(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    struct page *p = seats[0]->seat.page;
    page_answer_fail(p, 502, "it fails");
    page_settle(p);
    hear(client);
    assert_true(client->eof);
    assert_has_not(client->text, "\r\n0\r\n");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    answers(seats[0], "more");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    is_over_in_time(0);
}

static void a_client_that_breaks_off_its_answer_may_still_come(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    hear(client);
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    pass_time(session_config.goodbye_timeout_ms - 1);
    connects(client, second);
    assert_string_equal(hears(second), ".welcome|");
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    assert_int_equal(told[0].let_gos, 0);
}

static void a_client_that_breaks_off_its_answer_and_never_comes_has_left(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    hangs_up(client);
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
}

/* ---- a client without a page ---- */

static void a_client_waits_until_the_program_lets_it_in(void **state)
{
    (void)state;
    asks(client, DIRECT);
    assert_string_equal(told[0].notes, "asked|body-end|");
    hear(client);
    assert_int_equal(client->len, 0);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), ".welcome|");
    says(seats[0], "hi 1\n");
    assert_string_equal(hears(client), "hi 1|");
    sends(client, WS_OP_TEXT, "yo 2");
    assert_string_equal(told[0].notes, "asked|body-end|.attach|send yo 2|");
}

static void a_client_that_the_program_refuses_hears_why(void **state)
{
    (void)state;
    asks(client, DIRECT);
    answers(seats[0], "Status: 403\n\n");
    assert_string_equal(hears(client), "close 4403 script-denied|");
    assert_true(told[0].let_gos > 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

/* The first of the crashes that two ordinary clients could make. */
static void a_client_that_broke_off_comes_again_before_the_answer(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    assert_int_equal(told[0].let_gos, 0);
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    answers(seats[0], "\n");
    assert_string_equal(hears(second), ".welcome|");
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(told[0].let_gos, 0);
}

static void a_client_that_broke_off_comes_again_after_the_answer(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "\n");
    asks(second, DIRECT);
    assert_string_equal(hears(second), ".welcome|");
    assert_int_equal(seat_count, 1);
}

static void a_client_that_broke_off_comes_again_after_a_refusal(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "Status: 403\n\n");
    assert_true(told[0].let_gos > 0);
    asks(second, DIRECT); /* another program is asked */
    assert_int_equal(seat_count, 2);
    answers(seats[1], "\n");
    assert_string_equal(hears(second), ".welcome|");
}

static void a_client_that_broke_off_comes_after_its_program_has_ended(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    assert_string_equal(hears(second),
                        ".welcome|.close {\"code\":1000,\"reason\":\"program-exit\"}|"
                        "close 1000 program-exit|");
}

static void a_client_that_broke_off_and_never_comes_has_left(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    pass_time(session_config.goodbye_timeout_ms);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_second_connection_with_the_same_key_replaces_the_first(void **state)
{
    (void)state;
    asks(client, DIRECT);
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    assert_string_equal(hears(client), "close 4000 replaced|");
    asks(third, DIRECT);
    assert_string_equal(hears(second), "close 4000 replaced|");
    answers(seats[0], "\n");
    assert_string_equal(hears(third), ".welcome|");
}

static void an_answer_after_the_end_of_the_session_lets_nobody_in(void **state)
{
    (void)state;
    page_config.answer_timeout_ms = 10 * session_config.attach_timeout_ms;
    asks(client, DIRECT);
    pass_time(session_config.attach_timeout_ms);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), "close 4504 program-timeout|");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_ends_without_a_word_refuses_its_client(void **state)
{
    (void)state;
    asks(client, DIRECT);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_string_equal(hears(client), "close 4502 program-answer|");
    asks(second, PLAIN);
    ends(seats[1], CLOSE_NORMAL, "program-exit");
    hear(second);
    assert_status(second->text, 502);
}

/* ---- a client without our subprotocol ---- */

static void a_plain_client_talks_without_a_session(void **state)
{
    (void)state;
    asks(client, PLAIN);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), "");
    sends(client, WS_OP_TEXT, "yo");
    says(seats[0], "message \"hi\"\n");
    assert_string_equal(hears(client), "hi|");
    assert_string_equal(told[0].notes, "asked|body-end|.attach|send message yo|");
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_plain_client_that_breaks_off_does_not_come_again(void **state)
{
    (void)state;
    asks(client, PLAIN);
    hangs_up(client);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_reads_lines_takes_every_client(void **state)
{
    (void)state;
    seat_ops = &lines_program_ops;
    asks(client, PLAIN);
    sends(client, WS_OP_TEXT, "yo");
    asks(second, DIRECT);
    assert_string_equal(hears(second), ".welcome|");
    assert_string_equal(told[0].notes, "asked|.attach|send message yo|");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_string_equal(hears(client), "close 1000 program-exit|");
}

/* A session without memory ends while the program's line is heard: no other line may be heard
 * inside of that. */
static void a_session_that_ends_by_itself_has_no_line_read_inside_of_its_end(void **state)
{
    (void)state;
    session_config.streams_max = 4;
    session_config.stream_window = 10;
    opens_a_page();
    sends_bytes(second, WS_OP_BINARY,
                SLICE_LITERAL("\x01\0\0\0\1{\"kind\":\"stream\",\"name\":\"s\"}"));
    says(seats[0], ".accept {\"id\":1}\n");
    says(seats[0], ".stream/1 @20\n01234567890123456789\n");
    assert_int_equal(page_reading(seats[0]->seat.page), PROGRAM_WAIT);
    int resumes = told[0].resumes;
    session_abort(seats[0]->seat.page->session, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
    assert_int_equal(told[0].resumes, resumes);
    assert_int_equal(page_reading(seats[0]->seat.page), PROGRAM_READ);
    turn_while_busy();
    assert_true(told[0].let_gos > 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
}

/* ---- every end in every situation ---- */

static void first_answers(const char *text)
{
    answers(seats[0], text);
}

static void first_ends_its_answer(void)
{
    ends_its_answer(seats[0]);
}

static void first_says(const char *line)
{
    says(seats[0], line);
}

static void first_ends(bool fails)
{
    if (!seats[0] || told[0].begins == 0 || seats[0]->ended)
        return;
    if (fails)
        ends(seats[0], CLOSE_PROGRAM_FAILED, "program-failed signal=9");
    else
        ends(seats[0], CLOSE_NORMAL, "program-exit");
}

static struct page *first_page(void)
{
    return seats[0] ? seats[0]->seat.page : NULL;
}

static const struct matrix_program fake_program = {
    first_answers, first_ends_its_answer, first_says, first_ends, first_page,
};

static void whatever_ends_a_page_in_whatever_situation(void **state)
{
    run_matrix(state, &fake_program, begin, finish);
}

#define page_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        page_test(a_page_is_answered_and_talks),
        page_test(a_program_that_ends_first_ends_its_session),
        page_test(what_is_no_page_has_no_session),
        page_test(a_head_is_answered_and_has_no_lines),
        page_test(a_body_of_unknown_length_is_gathered_first),
        page_test(who_breaks_off_its_body_has_begun_nothing),
        page_test(a_program_that_does_not_start_is_answered),
        page_test(a_handshake_whose_program_does_not_start_is_refused),
        page_test(without_a_seat_there_is_no_page),
        page_test(a_program_without_an_answer_is_answered_for),
        page_test(an_answer_that_comes_too_late_is_dropped),
        page_test(an_answer_that_nobody_waits_for_is_dropped),
        page_test(an_answer_that_fails_in_its_midst_breaks_off),
        page_test(a_client_that_breaks_off_its_answer_may_still_come),
        page_test(a_client_that_breaks_off_its_answer_and_never_comes_has_left),
        page_test(a_client_waits_until_the_program_lets_it_in),
        page_test(a_client_that_the_program_refuses_hears_why),
        page_test(a_client_that_broke_off_comes_again_before_the_answer),
        page_test(a_client_that_broke_off_comes_again_after_the_answer),
        page_test(a_client_that_broke_off_comes_again_after_a_refusal),
        page_test(a_client_that_broke_off_comes_after_its_program_has_ended),
        page_test(a_client_that_broke_off_and_never_comes_has_left),
        page_test(a_second_connection_with_the_same_key_replaces_the_first),
        page_test(an_answer_after_the_end_of_the_session_lets_nobody_in),
        page_test(a_program_that_ends_without_a_word_refuses_its_client),
        page_test(a_plain_client_talks_without_a_session),
        page_test(a_plain_client_that_breaks_off_does_not_come_again),
        page_test(a_program_that_reads_lines_takes_every_client),
        page_test(a_session_that_ends_by_itself_has_no_line_read_inside_of_its_end),
        page_test(whatever_ends_a_page_in_whatever_situation),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("pages", tests);
}
