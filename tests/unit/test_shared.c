/* SPDX-License-Identifier: MIT */
/* Shared programs: real processes, and members that write down what they are told. A process does
 * what its members write to it: each message is a line of shell, in which $id leads an answer. */
#include "core/backend.h"
#include "program_fixture.h"

#include "program/parts.h"
#include "program/shared.h"
#include "proto/close_code.h"

/* ---- a member ---- */

struct member {
    struct shared_member base;
    char notes[2048];
    bool busy, busy_after_next;
    size_t backlog;
    int drains;
};

static struct member *member_of(const struct shared_member *m)
{
    return container_of(m, struct member, base);
}

#define NOTE(m, ...) note(member_of(m)->notes, sizeof(((struct member *)0)->notes), __VA_ARGS__)

static void on_message(struct shared_member *m, const struct message *message)
{
    struct member *own = member_of(m);
    NOTE(m, "%.*s %.*s|", SLICE_ARG(message->head), SLICE_ARG(message->body));
    own->busy = own->busy_after_next;
    own->busy_after_next = false;
}

static void on_bad_line(struct shared_member *m, const char *why, struct slice line)
{
    assert_non_null(why);
    NOTE(m, "bad%.*s|", SLICE_ARG(line));
}

static bool busy(const struct shared_member *m)
{
    return member_of(m)->busy;
}

static size_t backlog(const struct shared_member *m)
{
    return member_of(m)->backlog;
}

static void on_overflow(struct shared_member *m)
{
    NOTE(m, "overflow|");
}

static void on_drain(struct shared_member *m)
{
    member_of(m)->drains++;
}

static void on_stderr(struct shared_member *m, struct slice line)
{
    NOTE(m, "stderr %.*s|", SLICE_ARG(line));
}

static void on_end(struct shared_member *m, unsigned code, struct slice reason)
{
    NOTE(m, "end %u %.*s|", code, SLICE_ARG(reason));
}

static bool is_plain(const struct shared_member *m)
{
    (void)m;
    return false;
}

static const struct shared_member_ops member_ops = {
    .on_message = on_message,
    .on_bad_line = on_bad_line,
    .plain = is_plain,
    .busy = busy,
    .backlog = backlog,
    .on_overflow = on_overflow,
    .on_drain = on_drain,
    .on_stderr = on_stderr,
    .on_end = on_end,
};

/* ---- what the tests say ---- */

#define DOES_AS_TOLD "while read -r id todo <&3; do eval \"$todo\"; done"

static struct member a, b, c;

static struct shared_process *pick(uint32_t share)
{
    uint32_t wait_s;
    int error;
    return shared_pick(programs, script_path, share, &wait_s, &error);
}

static struct shared_process *first_process(void)
{
    script(DOES_AS_TOLD);
    struct shared_process *s = pick(1);
    assert_non_null(s);
    return s;
}

static void join(struct shared_process *s, struct member *m)
{
    assert_true(shared_join(s, &m->base, &member_ops, SLICE_NONE));
}

static void tell(struct member *m, const char *todo)
{
    shared_write(&m->base, (struct slice[]){slice_of(todo), SLICE_LITERAL("\n")}, 2);
}

static void hears(struct member *m, const char *text)
{
    TURN_UNTIL(strstr(m->notes, text));
}

static void leave(struct member *m)
{
    shared_leave(&m->base);
    shared_leave(&m->base);
    assert_null(m->base.process);
}

static void retire(struct shared_process *s)
{
    shared_retire(s);
    TURN_UNTIL(program_host_counts(programs)->shared_now == 0);
}

static void id_of(const struct member *m, char out[SHARED_ID_LEN + 1])
{
    memcpy(out, m->base.id, SHARED_ID_LEN);
    out[SHARED_ID_LEN] = '\0';
}

/* Nothing that would be wrong comes while a process that could do it has had the time. */
static void stays_so(void)
{
    for (uint64_t end = real_ms() + 100; real_ms() < end;)
        assert_int_equal(loop_turn(loop, 10), 0);
}

static void pass_time(uint64_t ms)
{
    fake_ms += ms;
    turn_while_busy();
}

/* ---- one process, many pages ---- */

static void each_hears_its_own_lines(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    assert_ptr_equal(pick(1), s);
    assert_int_equal(program_host_counts(programs)->shared_now, 1);
    assert_int_equal(program_host_counts(programs)->shared_pages_now, 2);
    tell(&a, "echo \"$id first 1\" >&3");
    tell(&b, "echo \"$id second 2\" >&3");
    hears(&a, "|");
    hears(&b, "|");
    assert_string_equal(a.notes, "first 1|");
    assert_string_equal(b.notes, "second 2|");
    leave(&a);
    leave(&b);
    assert_int_equal(program_host_counts(programs)->shared_pages_now, 0);
    retire(s);
}

static void more_pages_than_there_were_places_are_all_found(void **state)
{
    static struct member many[50];
    (void)state;
    struct shared_process *s = first_process();
    memset(many, 0, sizeof(many));
    for (int i = 0; i < 50; i++)
        join(s, &many[i]);
    for (int i = 0; i < 50; i += 7)
        leave(&many[i]);
    for (int i = 0; i < 50; i++)
        tell(&many[i], "echo \"$id mine\" >&3");
    hears(&many[48], "mine |");
    for (int i = 0; i < 50; i++) {
        assert_string_equal(many[i].notes, i % 7 == 0 ? "" : "mine |");
        leave(&many[i]);
    }
    retire(s);
}

static void one_that_comes_with_an_id_keeps_it(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    char id[SHARED_ID_LEN + 1], again[SHARED_ID_LEN + 1];
    join(s, &a);
    id_of(&a, id);
    leave(&a);
    assert_true(shared_join(s, &b.base, &member_ops, slice_of(id)));
    id_of(&b, again);
    assert_string_equal(again, id);
    tell(&b, "echo \"$id mine\" >&3");
    hears(&b, "mine |");
    leave(&b);
    retire(s);
}

static void lines_for_one_that_has_left_cost_nobody_anything(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    tell(&a, "echo \"$id late\" >&3");
    leave(&a);
    tell(&b, "echo \"$id mine\" >&3");
    hears(&b, "mine |");
    assert_string_equal(a.notes, "");
    assert_int_equal(program_host_counts(programs)->shared_late_lines, 1);
    leave(&b);
    retire(s);
}

static void stderr_is_everybodys_and_stdout_is_nobodys(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    tell(&a, "echo out; echo out; echo err >&2");
    hears(&a, "stderr err|");
    hears(&b, "stderr err|");
    leave(&a);
    leave(&b);
    retire(s);
}

static void who_wrote_more_than_it_takes_is_told_when_it_has_taken_it(void **state)
{
    (void)state;
    static char line[10001];
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    memset(line, ' ', sizeof(line) - 1);
    tell(&a, "head -c 1000000 <&3 >/dev/null");
    for (int i = 0; i < 100; i++)
        tell(&a, line);
    TURN_UNTIL(a.drains > 0);
    assert_int_equal(b.drains, 0);
    leave(&a);
    leave(&b);
    retire(s);
}

/* ---- who does wrong ---- */

static void a_bad_line_costs_its_page_alone(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    tell(&a, "echo \"$id what? {\" >&3");
    hears(&a, "bad what? {|");
    tell(&b, "echo \"$id mine\" >&3");
    hears(&b, "mine |");
    assert_string_equal(b.notes, "mine |");
    leave(&a);
    leave(&b);
    retire(s);
}

static void a_line_of_nobody_ends_the_process_for_all(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    tell(&a, "echo nobodys >&3; echo \"$id mine\" >&3");
    hears(&a, "end");
    assert_string_equal(a.notes, "end 4500 program-failed reason=protocol|");
    assert_string_equal(b.notes, a.notes);
    assert_null(a.base.process);
    assert_int_equal(program_host_counts(programs)->protocol_errors, 1);
    tell(&a, "nobody hears it");
    TURN_UNTIL(program_host_empty(programs));
    assert_string_equal(a.notes, "end 4500 program-failed reason=protocol|");
}

static void half_a_line_at_its_end_is_a_wrong_one(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    tell(&a, "printf '%s half' \"$id\" >&3; exit 0");
    hears(&a, "end");
    assert_string_equal(a.notes, "end 4500 program-failed reason=protocol|");
    TURN_UNTIL(program_host_empty(programs));
}

static void a_process_that_was_killed_within_a_line_has_broken_no_rule(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    tell(&a, "printf '%s half' \"$id\" >&3; kill -9 $$");
    hears(&a, "end");
    assert_string_equal(a.notes, "end 4500 program-failed signal=9|");
    TURN_UNTIL(program_host_empty(programs));
}

static void what_the_server_fails_at_is_told_as_such(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    io_send_failed(&shared_program(s)->lines.io, -ENOMEM);
    hears(&a, "end");
    assert_string_equal(a.notes, "end 1011 server-failed|");
    TURN_UNTIL(program_host_empty(programs));
}

static void who_has_most_of_what_is_too_much_leaves(void **state)
{
    (void)state;
    program_config.shared_max = 1000;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    join(s, &c);
    a.backlog = 600, b.backlog = 800, c.backlog = 100;
    tell(&c, "echo \"$id mine\" >&3");
    hears(&c, "mine |"); /* too little has been written for a new count */
    assert_string_equal(b.notes, "");
    tell(&c, "printf '%s long \"%01000d\"\\n' \"$id\" 0 >&3; echo \"$id last\" >&3");
    hears(&c, "last |");
    assert_string_equal(b.notes, "overflow|");
    assert_string_equal(a.notes, "");
    assert_null(b.base.process);
    assert_int_equal(program_host_counts(programs)->shared_overflows, 1);
    assert_int_equal(program_host_counts(programs)->shared_pages_now, 2);
    shared_overflow(&a.base);
    assert_string_equal(a.notes, "overflow|");
    leave(&c);
    retire(s);
}

/* ---- who is busy ---- */

static void while_one_is_busy_nobody_hears_anything(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    a.busy_after_next = true;
    tell(&a, "echo \"$id one\" >&3; echo \"$id two\" >&3");
    tell(&b, "echo \"$id mine\" >&3; echo written >&2");
    hears(&b, "stderr written|");
    stays_so();
    assert_string_equal(b.notes, "stderr written|");
    shared_resume(s); /* it is still busy */
    stays_so();
    assert_null(strstr(a.notes, "two"));
    a.busy = false;
    shared_resume(s);
    hears(&b, "mine |");
    hears(&a, "two |");
    leave(&a);
    leave(&b);
    retire(s);
}

static void one_that_leaves_while_busy_holds_up_nobody(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    a.busy_after_next = true;
    tell(&a, "echo \"$id one\" >&3");
    hears(&a, "one |");
    tell(&b, "echo \"$id mine\" >&3");
    stays_so();
    assert_string_equal(b.notes, "");
    leave(&a);
    hears(&b, "mine |");
    leave(&b);
    retire(s);
}

/* Once they were taken for one line that is not complete: a breach of the whole process. */
static void lines_that_waited_for_a_busy_one_survive_the_process(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    a.busy_after_next = true;
    tell(&a, "printf '%s one\\n%s two\\n%s three\\n' $id $id $id >&3; exit 0");
    TURN_UNTIL(shared_program(s)->state == PROGRAM_GONE);
    stays_so();
    assert_string_equal(a.notes, "one |");
    a.busy = false;
    shared_resume(s);
    hears(&a, "end");
    assert_string_equal(a.notes, "one |two |three |end 1000 program-exit|");
    assert_int_equal(program_host_counts(programs)->protocol_errors, 0);
    TURN_UNTIL(program_host_empty(programs));
}

static void a_process_whose_busy_page_leaves_after_its_end_is_over(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    join(s, &b);
    a.busy_after_next = true;
    tell(&a, "printf '%s one\\n%s two\\n' $id $id >&3; exit 0");
    TURN_UNTIL(shared_program(s)->state == PROGRAM_GONE);
    stays_so();
    assert_string_equal(b.notes, "");
    leave(&a);
    hears(&b, "end 1000 program-exit|");
    TURN_UNTIL(program_host_empty(programs));
}

/* ---- its end ---- */

static void how_it_ended_is_told_to_all(void **state)
{
    static const struct {
        const char *todo, *notes;
    } rows[] = {
        {"exit 0", "end 1000 program-exit|"},
        {"exit 3", "end 4500 program-failed status=3|"},
        {"kill -USR1 $$", "end 4500 program-failed signal=10|"},
        {"echo '.close {\"reason\":\"bye\"}' >&3", "end 1000 bye|"},
        {"echo .close >&3", "end 1000 program-exit|"},
        {"echo '.close 1' >&3", "end 4500 program-failed reason=protocol|"},
        {"echo '.shared' >&3; exit 0", "end 1000 program-exit|"},
        {"echo '.listen' >&3", "end 4500 program-failed reason=protocol|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        struct shared_process *s = first_process();
        join(s, &a);
        join(s, &b);
        tell(&a, rows[i].todo);
        hears(&a, "end");
        assert_string_equal(a.notes, rows[i].notes);
        assert_string_equal(b.notes, rows[i].notes);
        TURN_UNTIL(program_host_empty(programs));
        pass_time(60000); /* it has failed at once */
    }
}

static void one_that_retires_ends_after_its_last_page(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    shared_retire(s);
    shared_retire(s);
    struct shared_process *next = pick(1);
    assert_non_null(next);
    assert_ptr_not_equal(next, s);
    tell(&a, "echo \"$id mine\" >&3");
    hears(&a, "mine |");
    assert_int_equal(program_host_counts(programs)->shared_now, 2);
    leave(&a);
    TURN_UNTIL(program_host_counts(programs)->shared_now == 1);
    assert_ptr_equal(pick(1), next);
    retire(next);
}

static void one_without_pages_is_let_go_after_a_while(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    pass_time(program_config.shared_idle_ms - 1);
    join(s, &a);
    pass_time(10 * program_config.shared_idle_ms);
    assert_ptr_equal(pick(1), s);
    leave(&a);
    pass_time(program_config.shared_idle_ms - 1);
    assert_ptr_equal(pick(1), s);
    pass_time(1);
    TURN_UNTIL(program_host_empty(programs));
}

static void a_drain_waits_for_its_pages(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    program_host_drain(programs);
    assert_null(pick(1));
    tell(&a, "echo \"$id mine\" >&3");
    hears(&a, "mine |");
    leave(&a);
    TURN_UNTIL(program_host_empty(programs));
}

static void a_stop_tells_its_pages(void **state)
{
    (void)state;
    struct shared_process *s = first_process();
    join(s, &a);
    program_host_stop(programs);
    hears(&a, "end");
    TURN_UNTIL(program_host_empty(programs));
}

/* ---- which process ---- */

static void of_two_processes_the_one_with_fewer_pages_is_next(void **state)
{
    (void)state;
    script(DOES_AS_TOLD);
    struct shared_process *one = pick(2);
    join(one, &a);
    struct shared_process *two = pick(2);
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(pick(2), two);
    join(two, &b);
    struct shared_process *third = pick(2);
    join(third, &c);
    assert_ptr_equal(pick(2), third == one ? two : one);
    assert_int_equal(program_host_counts(programs)->shared_now, 2);
    struct shared_process *emptied = third == one ? one : two;
    leave(third == one ? &a : &b);
    leave(&c);
    assert_ptr_equal(pick(2), emptied);
    leave(third == one ? &b : &a);
    shared_retire(one);
    shared_retire(two);
    TURN_UNTIL(program_host_empty(programs));
}

static void one_that_fails_at_once_is_held_back_longer_each_time(void **state)
{
    static const uint32_t waits_s[] = {1, 2, 4, 8, 16, 30, 30};
    (void)state;
    uint32_t wait_s;
    int error;
    script("exit 1");
    for (size_t i = 0; i < sizeof(waits_s) / sizeof(*waits_s); i++) {
        struct shared_process *s = pick(1);
        assert_non_null(s);
        memset(&a, 0, sizeof(a));
        join(s, &a);
        hears(&a, "end 4500 program-failed status=1|");
        TURN_UNTIL(program_host_empty(programs));
        assert_null(shared_pick(programs, script_path, 1, &wait_s, &error));
        assert_int_equal(wait_s, waits_s[i]);
        assert_int_equal(program_host_counts(programs)->shared_held_back, i + 1);
        assert_int_equal(shared_share(programs, script_path), 1);
        pass_time(wait_s * 1000);
    }
    struct shared_process *s = first_process(); /* mended */
    join(s, &b);
    pass_time(10000);
    tell(&b, "exit 1");
    TURN_UNTIL(program_host_empty(programs));
    s = first_process();
    retire(s);
}

static void what_does_not_start_leaves_no_process(void **state)
{
    (void)state;
    uint32_t wait_s = 1;
    int error = 0;
    script_as("lost", "#!/no/interpreter\n", 0700);
    assert_null(shared_pick(programs, script_path, 1, &wait_s, &error));
    assert_int_equal(error, -ENOENT);
    assert_int_equal(wait_s, 0);
    assert_int_equal(program_host_counts(programs)->shared_now, 0);
    assert_false(worker_map_any(worker_map));
    assert_true(list_empty(&programs->pools));
    TURN_UNTIL(program_host_empty(programs));
}

static void what_no_more_program_may_be_started_for_gets_the_one_there_is(void **state)
{
    (void)state;
    uint32_t wait_s;
    int error;
    struct shared_process *s = first_process();
    program_limits_set(program_limits, 1, 1);
    assert_ptr_equal(pick(2), s);
    shared_retire(s);
    assert_null(shared_pick(programs, script_path, 2, &wait_s, &error));
    assert_int_equal(error, -EAGAIN);
    TURN_UNTIL(program_host_empty(programs));
}

/* ---- a program that says `.shared` ---- */

static enum program_reading read_all(const struct program *p)
{
    (void)p;
    return PROGRAM_READ;
}

static enum parse_status adopt(struct program *p, struct slice in, size_t seen, size_t *used)
{
    (void)seen;
    *used = slice_find(in, '\n') + 1;
    if (*used > in.len)
        return PARSE_MORE;
    assert_true(shared_adopt(p, 1));
    struct shared_process *s = shared_of(p);
    assert_non_null(s);
    join(s, &a);
    tell(&a, "echo \"$id mine\" >&3");
    return PARSE_OK;
}

static void ignore(struct program *p)
{
    (void)p;
}

static void ignore_bytes(struct program *p, struct slice data)
{
    (void)p, (void)data;
}

static const struct program_ops first_owner_ops = {
    .reading = read_all,
    .on_line = adopt,
    .on_output = ignore_bytes,
    .on_output_end = ignore,
    .on_stderr = ignore_bytes,
    .on_drain = ignore,
    .on_body_drain = ignore,
    .on_settle = ignore,
    .on_over = ignore,
};

static struct program *start_alone(const char *file)
{
    struct program *p =
        program_new(&(struct program_spec){.host = programs, .kind = PROGRAM_PAGE, .file = file},
                    &first_owner_ops, NULL);
    assert_non_null(p);
    assert_int_equal(program_start(p, NULL, -1), 0);
    return p;
}

static void a_program_may_become_a_shared_one_in_the_midst_of_its_lines(void **state)
{
    (void)state;
    const char *file = script("echo .shared >&3; " DOES_AS_TOLD);
    struct program *p = start_alone(file);
    hears(&a, "mine |");
    struct shared_process *s = shared_of(p);
    assert_ptr_equal(a.base.process, s);
    assert_ptr_equal(pick(1), s);
    assert_true(worker_map_any(worker_map));
    assert_int_equal(shared_share(programs, file), 1);

    struct program *another = start_alone(file);
    assert_false(shared_adopt(another, 1)); /* one is enough */
    assert_null(shared_of(another));
    assert_ptr_equal(another->ops, &first_owner_ops);
    program_disown(another);
    leave(&a);
    retire(s);
    assert_false(worker_map_any(worker_map));
    TURN_UNTIL(program_host_empty(programs));
}

/* ---- */

static int begin(void **state)
{
    make_loop(state);
    make_programs();
    a = b = c = (struct member){.busy = false};
    return 0;
}

static int finish(void **state)
{
    end_programs();
    return end_loop(state);
}

#define shared_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        shared_test(each_hears_its_own_lines),
        shared_test(more_pages_than_there_were_places_are_all_found),
        shared_test(one_that_comes_with_an_id_keeps_it),
        shared_test(lines_for_one_that_has_left_cost_nobody_anything),
        shared_test(stderr_is_everybodys_and_stdout_is_nobodys),
        shared_test(who_wrote_more_than_it_takes_is_told_when_it_has_taken_it),
        shared_test(a_bad_line_costs_its_page_alone),
        shared_test(a_line_of_nobody_ends_the_process_for_all),
        shared_test(half_a_line_at_its_end_is_a_wrong_one),
        shared_test(a_process_that_was_killed_within_a_line_has_broken_no_rule),
        shared_test(what_the_server_fails_at_is_told_as_such),
        shared_test(who_has_most_of_what_is_too_much_leaves),
        shared_test(while_one_is_busy_nobody_hears_anything),
        shared_test(one_that_leaves_while_busy_holds_up_nobody),
        shared_test(lines_that_waited_for_a_busy_one_survive_the_process),
        shared_test(a_process_whose_busy_page_leaves_after_its_end_is_over),
        shared_test(how_it_ended_is_told_to_all),
        shared_test(one_that_retires_ends_after_its_last_page),
        shared_test(one_without_pages_is_let_go_after_a_while),
        shared_test(a_drain_waits_for_its_pages),
        shared_test(a_stop_tells_its_pages),
        shared_test(of_two_processes_the_one_with_fewer_pages_is_next),
        shared_test(one_that_fails_at_once_is_held_back_longer_each_time),
        shared_test(what_does_not_start_leaves_no_process),
        shared_test(what_no_more_program_may_be_started_for_gets_the_one_there_is),
        shared_test(a_program_may_become_a_shared_one_in_the_midst_of_its_lines),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("shared programs", tests);
}
