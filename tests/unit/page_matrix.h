/* SPDX-License-Identifier: MIT */
/* page_matrix.h - whatever ends a page, in whatever situation, of any kind of seat. The fixture
 * looks whether anything is left.
 */
#ifndef TESTS_PAGE_MATRIX_H
#define TESTS_PAGE_MATRIX_H

#include "page_fixture.h"

#define HTML "Content-Type: text/html\n\n<html><head></head>hello"

/* The program of the first page. */
struct matrix_program {
    void (*answers)(const char *text); /* as CGI prints it */
    void (*ends_its_answer)(void);
    void (*says)(const char *line);
    void (*ends)(bool fails);
    struct page *(*page)(void); /* NULL: it is freed */
    bool takes_bodies;          /* as they come: none is spooled */
    bool ends_at_once;          /* when it is let go */
};

static const struct matrix_program *program;

static bool has_begun(void)
{
    const struct page *p = program->page();
    return p && p->state > PAGE_SPOOLING && p->state < PAGE_OVER;
}

static void spooling(void)
{
    asks(client, CHUNKED);
}

static void unanswered(void)
{
    asks(client, GET("/app"));
}

static void in_its_answer(void)
{
    unanswered();
    program->answers(HTML);
}

static void in_what_is_no_page(void)
{
    unanswered();
    program->answers("Status: 404\n\nno");
}

static void answered(void)
{
    in_its_answer();
    program->ends_its_answer();
}

static void connected(void)
{
    answered();
    hear(client);
    assert_status(client->text, 200);
    connects(client, second);
}

static void away(void)
{
    connected();
    hangs_up(second);
}

static void leaving(void)
{
    connected();
    sends(second, WS_OP_TEXT, ".close");
}

static void ended_and_untold(void)
{
    connected();
    program->says("hi 1\n");
    program->ends(false);
}

static void direct_unanswered(void)
{
    asks(client, DIRECT);
}

static void direct_unanswered_and_away(void)
{
    asks(client, DIRECT);
    hangs_up(client);
}

static void direct_let_in_and_away(void)
{
    direct_unanswered_and_away();
    program->answers("\n");
}

static void direct_let_in(void)
{
    asks(client, DIRECT);
    program->answers("\n");
}

static void plain_unanswered(void)
{
    asks(client, PLAIN);
}

static void plain_let_in(void)
{
    asks(client, PLAIN);
    program->answers("\n");
}

static void plain_closing(void)
{
    plain_let_in();
    program->says(".close\n");
}

static const struct {
    void (*bring)(void);
    enum page_state state;
} situations[] = {
    {spooling, PAGE_SPOOLING},
    {unanswered, PAGE_OPEN},
    {in_its_answer, PAGE_OPEN},
    {in_what_is_no_page, PAGE_ENDED},
    {answered, PAGE_OPEN},
    {connected, PAGE_OPEN},
    {away, PAGE_OPEN},
    {leaving, PAGE_ENDED},
    {ended_and_untold, PAGE_ENDED},
    {direct_unanswered, PAGE_OPEN},
    {direct_unanswered_and_away, PAGE_OPEN},
    {direct_let_in, PAGE_OPEN},
    {direct_let_in_and_away, PAGE_OPEN},
    {plain_unanswered, PAGE_OPEN},
    {plain_let_in, PAGE_OPEN},
    {plain_closing, PAGE_ENDED},
};

static void drains(void)
{
    page_host_drain(pages, 3, 0);
}

static void stops(void)
{
    page_host_stop(pages);
}

static void drains_and_stops(void)
{
    drains();
    turn_while_busy();
    stops();
}

static void stops_twice(void)
{
    stops();
    stops();
}

static void clients_hang_up(void)
{
    hangs_up(client);
    hangs_up(second);
}

static void time_goes_by(void)
{
    for (int i = 0; i < 200; i++)
        pass_time(5000);
}

static void programs_end(void)
{
    program->ends(false);
}

static void programs_fail(void)
{
    program->ends(true);
}

static void programs_break_a_rule(void)
{
    if (has_begun())
        program->says(".nonsense\n");
}

static void answers_fail(void)
{
    struct page *p = program->page();
    if (!has_begun())
        return;
    page_answer_fail(p, 502, "it fails");
    page_settle(p);
}

static void grants_are_taken_back(void)
{
    if (grants > 0 && grant_overs < grants)
        page_grant_revoke(&grant[grants - 1], SLICE_LITERAL("script-denied"), 9);
}

/* The first five also come second. */
enum {
    COME_SECOND = 5
};
static void (*const all_ends[])(void) = {
    clients_hang_up, time_goes_by,          programs_end,          drains,
    stops,           drains_and_stops,      stops_twice,           programs_fail,
    answers_fail,    programs_break_a_rule, grants_are_taken_back,
};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static enum page_state state_now(void)
{
    return program->page() ? program->page()->state : PAGE_OVER;
}

static enum page_state expected(enum page_state state)
{
    if (state == PAGE_SPOOLING && program->takes_bodies)
        return PAGE_OPEN;
    if (state == PAGE_ENDED && program->ends_at_once && !program->page())
        return PAGE_OVER;
    return state;
}

static inline void run_matrix(void **state, const struct matrix_program *of,
                              int (*begin_one)(void **state), int (*finish_one)(void **state))
{
    program = of;
    for (size_t i = 0; i < COUNT(situations) * COUNT(all_ends) * COME_SECOND; i++) {
        size_t situation = i / COME_SECOND / COUNT(all_ends);
        if (i > 0) {
            finish_one(state);
            begin_one(state);
        }
        situations[situation].bring();
        assert_int_equal(state_now(), expected(situations[situation].state));
        all_ends[i / COME_SECOND % COUNT(all_ends)]();
        turn_while_busy();
        all_ends[i % COME_SECOND]();
    }
}

#endif
