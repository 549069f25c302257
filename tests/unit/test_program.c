/* SPDX-License-Identifier: MIT */
/* Programs: real little processes, and an owner that writes down what it is told. Time is real, and
 * what must happen is waited for. */
#include "core/backend.h"
#include "program/parts.h"
#include "program_fixture.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#define process_read_file  read_small_file
#define process_is_reading is_reading
bool is_reading(pid_t pid, int fd);
bool read_small_file(const char *path, char *ret, size_t size);
#include "../../src/net/process_look.c"
#undef process_read_file
#undef process_is_reading

/* ---- the owner ---- */

struct owner {
    struct program *program; /* NULL once over */
    enum program_reading reading;
    int wait_after; /* so many lines are taken, then reading is PROGRAM_WAIT; 0: any number */
    char notes[4096];
    char output[256];
    size_t output_len; /* in all: `output` has the first of it */
    size_t longest;
    int lines, pieces, drains, body_drains, settles;
    size_t seen;
    char reason[64];
    struct owner *heir; /* gets the program at the next line */
    int act_at;         /* the line in which it does the following to the program; 0: none */
    void (*act)(struct owner *o);
};

#define NOTE(o, ...) note((o)->notes, sizeof((o)->notes), __VA_ARGS__)

static const struct program_ops owner_ops;

static enum program_reading reading(const struct program *p)
{
    const struct owner *o = p->owner;
    return o->wait_after > 0 && o->lines >= o->wait_after ? PROGRAM_WAIT : o->reading;
}

static void give_away(struct owner *o)
{
    struct owner *heir = o->heir;
    heir->program = o->program;
    program_own(o->program, &owner_ops, heir);
    o->program = NULL;
}

static enum parse_status on_line(struct program *p, struct slice in, size_t seen, size_t *used)
{
    struct owner *o = p->owner;
    assert_int_equal(seen, o->seen);
    assert_int_equal(reading(p), PROGRAM_READ);
    size_t end = seen + slice_find(slice_skip(in, seen), '\n');
    o->seen = end < in.len ? 0 : in.len;
    o->pieces++;
    if (end == in.len)
        return PARSE_MORE;
    if (end == 3 && memcmp(in.ptr, "bad", 3) == 0) {
        NOTE(o, "bad|");
        o->reading = PROGRAM_DROP;
        return PARSE_BAD;
    }
    *used = end + 1;
    o->lines++;
    o->longest = end > o->longest ? end : o->longest;
    if (end < 100)
        NOTE(o, "line %.*s|", (int)end, in.ptr);
    if (o->heir)
        give_away(o);
    if (o->lines == o->act_at)
        o->act(o);
    return PARSE_OK;
}

static void on_last_line(struct program *p, struct slice line)
{
    NOTE((struct owner *)p->owner, "last %.*s|", SLICE_ARG(line));
}

static void on_fault(struct program *p, int error)
{
    NOTE((struct owner *)p->owner, "fault %s|", strerrorname_np(-error));
}

static void on_output(struct program *p, struct slice data)
{
    struct owner *o = p->owner;
    assert_true(data.len > 0);
    if (o->output_len < sizeof(o->output) - 1) {
        struct slice first = slice_first(data, sizeof(o->output) - 1 - o->output_len);
        memcpy(o->output + o->output_len, first.ptr, first.len);
    }
    o->output_len += data.len;
}

static void on_output_end(struct program *p)
{
    NOTE((struct owner *)p->owner, "output-end|");
    program_answered(p);
}

static void on_stderr(struct program *p, struct slice line)
{
    NOTE((struct owner *)p->owner, "stderr %.*s|", SLICE_ARG(line));
}

static void on_drain(struct program *p)
{
    ((struct owner *)p->owner)->drains++;
}

static void on_body_drain(struct program *p)
{
    ((struct owner *)p->owner)->body_drains++;
}

static void on_settle(struct program *p)
{
    struct owner *o = p->owner;
    o->settles++;
    if (program_has_ended(p) && !o->reason[0]) {
        char text[64];
        snprintf(o->reason, sizeof(o->reason), "%.*s", SLICE_ARG(program_end_reason(p, text)));
    }
}

static void on_over(struct program *p)
{
    struct owner *o = p->owner;
    assert_ptr_equal(o->program, p);
    assert_true(program_is_over(p));
    NOTE(o, "over|");
    o->program = NULL;
}

static const struct program_ops owner_ops = {
    .reading = reading,
    .on_line = on_line,
    .on_last_line = on_last_line,
    .on_fault = on_fault,
    .on_output = on_output,
    .on_output_end = on_output_end,
    .on_stderr = on_stderr,
    .on_drain = on_drain,
    .on_body_drain = on_body_drain,
    .on_settle = on_settle,
    .on_over = on_over,
};

/* ---- what the tests say ---- */

static struct owner owner, other;

static struct program *make(enum program_kind kind, const char *file)
{
    struct program_spec spec = {.host = programs, .kind = kind, .file = file, .client = nobody};
    owner.program = program_new(&spec, &owner_ops, &owner);
    return owner.program;
}

static struct program *run_kind(enum program_kind kind, const char *text)
{
    assert_non_null(make(kind, script(text)));
    assert_int_equal(program_start(owner.program, NULL, -1), 0);
    assert_true(owner.program->pid > 0);
    return owner.program;
}

static struct program *run(const char *text)
{
    return run_kind(PROGRAM_PAGE, text);
}

/* Starts it for a request with a body of this length. */
static struct program *run_posted(const char *text, size_t body_len)
{
    static struct http_head head;
    char post[128];
    snprintf(post, sizeof(post), "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
             body_len);
    assert_int_equal(http_head_parse(slice_of(post), 0, &head), PARSE_OK);
    struct program_request request = {
        .head = &head,
        .path = SLICE_LITERAL("/x"),
        .script_len = 2,
        .has_length = true,
        .content_length = body_len,
    };
    assert_non_null(make(PROGRAM_PAGE, script(text)));
    assert_int_equal(program_start(owner.program, &request, -1), 0);
    return owner.program;
}

static void say(struct program *p, const char *line)
{
    program_write(p, &(struct slice){line, strlen(line)}, 1);
}

static void hears(const char *text)
{
    TURN_UNTIL(strstr(owner.notes, text));
}

static void is_over(void)
{
    TURN_UNTIL(strstr(owner.notes, "over|"));
    assert_null(owner.program);
}

/* Nothing that would be wrong comes while a program that could do it has had the time. */
static void stays_so(void)
{
    for (uint64_t end = real_ms() + 150; real_ms() < end;)
        assert_int_equal(loop_turn(loop, 10), 0);
}

/* ---- lines ---- */

static void lines_go_both_ways_until_the_end_of_file(void **state)
{
    (void)state;
    struct program *p =
        run("while read -r line <&3; do echo \"heard $line\" >&3; done; echo bye >&3");
    say(p, "a\n");
    hears("line heard a|");
    struct slice pieces[] = {SLICE_LITERAL("b "), SLICE_LITERAL("and c"), SLICE_LITERAL("\n")};
    program_write(p, pieces, 3);
    hears("line heard b and c|");
    assert_true(program_has_taken(p));
    program_let_go(p);
    assert_false(program_open(p));
    say(p, "nobody reads it\n");
    is_over();
    assert_non_null(strstr(owner.notes, "line heard b and c|line bye|"));
    assert_string_equal(owner.reason, "program-exit");
}

static void a_line_without_its_end_is_the_last(void **state)
{
    (void)state;
    run("printf 'whole\\nhalf' >&3");
    is_over();
    assert_non_null(strstr(owner.notes, "line whole|"));
    assert_non_null(strstr(owner.notes, "last half|"));
}

static void a_line_that_a_failure_cut_short_is_none(void **state)
{
    (void)state;
    run("printf 'whole\\nhalf' >&3; kill -9 $$");
    is_over();
    assert_non_null(strstr(owner.notes, "line whole|"));
    assert_null(strstr(owner.notes, "last"));
    assert_string_equal(owner.reason, "program-failed signal=9");
}

static void what_we_fail_at_is_not_the_programs_end(void **state)
{
    (void)state;
    struct program *p = run("echo up >&3; read -r line <&3; exit 0");
    hears("line up|");
    io_send_failed(&p->lines.io, -ENOBUFS);
    is_over();
    assert_non_null(strstr(owner.notes, "fault ENOBUFS|"));
}

/* ---- whether it waits ---- */

bool __wrap_process_is_reading(pid_t pid, int fd);

static bool goes_on_when_looked_at;

/* A program that was stopped goes on, and is seen as soon as it reads. */
bool __wrap_process_is_reading(pid_t pid, int fd)
{
    if (!goes_on_when_looked_at)
        return is_reading(pid, fd);
    goes_on_when_looked_at = false;
    assert_int_equal(kill(pid, SIGCONT), 0);
    for (uint64_t deadline = real_ms() + 20000; !is_reading(pid, fd);) {
        assert_true(real_ms() < deadline);
        usleep(1000);
    }
    return true;
}

/* Else what it says of the message before would count for one that it was told since. */
static void one_that_speaks_before_it_waits_does_not_wait_until_it_is_heard(void **state)
{
    (void)state;
    siginfo_t info;
    struct program *p = run("read -r line <&3; kill -STOP $$; echo done >&3; read -r line <&3");
    TURN_UNTIL(program_is_waiting(p));
    say(p, "a\n");
    turn_and_send(0);
    assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WSTOPPED | WNOWAIT), 0);
    assert_true(program_has_read(p));
    goes_on_when_looked_at = true;
    assert_false(program_is_waiting(p));
    assert_false(goes_on_when_looked_at);
    hears("line done|");
    TURN_UNTIL(program_is_waiting(p));
    program_let_go(p);
    is_over();
}

/* ---- long lines ---- */

static void a_long_line_comes_in_pieces_and_is_searched_once(void **state)
{
    (void)state;
    run("head -c 300000 /dev/zero | tr '\\0' x >&3; echo >&3; echo short >&3");
    is_over();
    assert_int_equal(owner.longest, 300000);
    assert_true(owner.pieces > 2);
    assert_int_equal(owner.lines, 2);
    assert_non_null(strstr(owner.notes, "line short|"));
}

static void a_line_that_nobody_understands_ends_the_reading(void **state)
{
    (void)state;
    run("echo good >&3; echo bad >&3; echo good >&3; echo 'no end' >&3");
    is_over();
    assert_non_null(strstr(owner.notes, "line good|bad|"));
    assert_int_equal(owner.lines, 1);
    assert_null(strstr(owner.notes, "last"));
}

/* More than a socket and we hold. */
#define MANY_LINES                                                                                 \
    "i=0; while [ $i -lt 200 ]; do head -c 8000 /dev/zero | tr '\\0' x >&3; echo >&3; "            \
    "i=$((i+1)); done; echo written >&2"

static void while_its_owner_waits_its_write_blocks(void **state)
{
    (void)state;
    owner.wait_after = 3;
    struct program *p = run(MANY_LINES);
    TURN_UNTIL(owner.lines == 3);
    stays_so();
    assert_int_equal(owner.lines, 3);
    assert_null(strstr(owner.notes, "written"));
    owner.wait_after = 20;
    program_resume(p);
    TURN_UNTIL(owner.lines == 20);
    owner.wait_after = 0;
    program_resume(p);
    hears("stderr written|");
    is_over();
    assert_int_equal(owner.lines, 200);
}

/* What has no order among the lines, since it comes by another pipe. */
static void has_come_and_is_forgotten(const char *note)
{
    char *at = strstr(owner.notes, note);
    assert_non_null(at);
    memmove(at, at + strlen(note), strlen(at + strlen(note)) + 1);
}

static void what_waited_at_its_end_is_delivered(void **state)
{
    (void)state;
    owner.wait_after = 1;
    struct program *p = run("printf 'a\\nb\\nc\\nd' >&3");
    TURN_UNTIL(p->state == PROGRAM_GONE && owner.lines && strstr(owner.notes, "output-end|"));
    has_come_and_is_forgotten("output-end|");
    assert_string_equal(owner.notes, "line a|");
    assert_false(program_is_over(p));
    owner.wait_after = 0;
    program_resume(p);
    is_over();
    assert_string_equal(owner.notes, "line a|line b|line c|last d|over|");
}

static void act_resume(struct owner *o)
{
    program_resume(o->program);
}

static void act_let_go(struct owner *o)
{
    program_let_go(o->program);
    program_resume(o->program);
}

static void act_kill(struct owner *o)
{
    program_kill(o->program);
    program_resume(o->program);
}

static void act_drop(struct owner *o)
{
    o->reading = PROGRAM_DROP;
    program_let_go(o->program);
    program_resume(o->program);
}

static void act_wait(struct owner *o)
{
    o->wait_after = o->lines;
    program_resume(o->program);
}

static void act_disown(struct owner *o)
{
    program_disown(o->program);
    o->program = NULL;
}

/* Whether the program still runs or is gone, and for each line. */
static void its_owner_may_do_anything_while_it_takes_a_line(void **state)
{
    (void)state;
    static void (*const acts[])(struct owner *) = {act_resume, act_let_go, act_kill,
                                                   act_drop,   act_wait,   act_disown};
    for (unsigned n = 0; n < 2 * 5 * sizeof(acts) / sizeof(*acts); n++) {
        bool runs = n % 2;
        owner = (struct owner){.reading = PROGRAM_READ, .wait_after = 1, .act_at = 2 + n / 2 % 4};
        owner.act = acts[n / 10];
        struct program *p = run(runs ? "printf '1\\n2\\n3\\n4\\n5\\n' >&3; read -r x <&3"
                                     : "printf '1\\n2\\n3\\n4\\n5\\nhalf' >&3");
        TURN_UNTIL(runs ? owner.lines == 1 : p->state == PROGRAM_GONE);
        owner.wait_after = 0;
        program_resume(p);
        if (owner.program && owner.wait_after) {
            owner.wait_after = 0;
            program_resume(p);
        }
        if (owner.program)
            program_let_go(p);
        TURN_UNTIL(program_host_empty(programs));
        bool ends = owner.act == act_drop || owner.act == act_disown;
        assert_in_range(owner.lines, owner.act_at, ends ? owner.act_at : 5);
        if (!ends && (!runs || owner.act != act_kill)) {
            assert_int_equal(owner.lines, 5);
            assert_non_null(strstr(owner.notes, "line 2|line 3|line 4|line 5|"));
        }
    }
}

static void what_it_does_not_read_is_queued_and_drains(void **state)
{
    (void)state;
    static char line[8001];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\n';
    struct program *p = run("until [ -e go ]; do sleep 0.01; done; wc -c <&3 >&2; echo all >&2");
    int written = 0;
    while (written < 1000 && program_queued(p) < 500000) {
        program_write(p, &(struct slice){line, sizeof(line)}, 1);
        written++;
    }
    assert_true(program_queued(p) >= 500000);
    assert_false(program_has_taken(p));
    script_as("go", "", 0600);
    program_shut(p);
    hears("stderr all|");
    assert_true(owner.drains > 0);
    char count[64];
    snprintf(count, sizeof(count), "stderr %zu|", (size_t)written * sizeof(line));
    assert_non_null(strstr(owner.notes, count));
    is_over();
}

static void its_owner_may_change_between_two_lines(void **state)
{
    (void)state;
    struct program *p = run("printf 'a\\nb\\nc\\n' >&3; read -r line <&3; echo \"$line\" >&3");
    owner.heir = &other;
    TURN_UNTIL(strstr(other.notes, "line c|"));
    assert_string_equal(owner.notes, "line a|");
    int settles = owner.settles;
    say(p, "d\n");
    TURN_UNTIL(strstr(other.notes, "over|"));
    assert_int_equal(owner.settles, settles);
    assert_string_equal(owner.notes, "line a|");
    assert_non_null(strstr(other.notes, "line b|line c|line d|"));
}

/* ---- stdin and stdout in place of descriptor 3 ---- */

static void lines_of_a_program_that_knows_nothing_of_us(void **state)
{
    (void)state;
    struct program *p =
        run_kind(PROGRAM_LINES, "while read -r line; do echo \"got $line\"; done; printf rest");
    say(p, "a\n");
    say(p, "b\n");
    hears("line got b|");
    program_let_go(p);
    is_over();
    assert_string_equal(owner.notes, "line got a|line got b|last rest|over|");
    assert_string_equal(owner.reason, "program-exit");
}

static void the_same_over_a_terminal(void **state)
{
    (void)state;
    program_config.stdio_terminal = true;
    struct program *p = run_kind(PROGRAM_LINES, "test -t 1 && echo tty; read -r a; echo \"$a\"");
    hears("line tty");
    say(p, "hello\n");
    hears("line hello");
    is_over();
}

static void it_may_close_its_stdin_and_talk_on(void **state)
{
    (void)state;
    struct program *p =
        run_kind(PROGRAM_LINES, "exec <&-; echo closed; sleep 0.1; echo more; exit 3");
    hears("line closed|");
    say(p, "nobody reads it\n");
    TURN_UNTIL(owner.drains > 0);
    assert_true(program_has_taken(p));
    is_over();
    assert_non_null(strstr(owner.notes, "line closed|line more|"));
    assert_string_equal(owner.reason, "program-failed status=3");
}

/* ---- its answer and its request ---- */

static void its_output_is_an_answer_with_an_end(void **state)
{
    (void)state;
    run("printf 'Status: 200 OK\\n\\nhello'; exec >&-; read -r line <&3");
    hears("output-end|");
    assert_string_equal(owner.output, "Status: 200 OK\n\nhello");
    assert_int_equal(owner.program->state, PROGRAM_RUNNING);
    program_let_go(owner.program);
    is_over();
    assert_string_equal(owner.notes, "output-end|over|");
}

static void while_its_answer_is_paused_its_write_blocks(void **state)
{
    (void)state;
    struct program *p = run("head -c 1000000 /dev/zero; echo written >&2");
    program_output_pause(p, true);
    stays_so();
    size_t paused_at = owner.output_len;
    assert_true(paused_at < 500000);
    assert_null(strstr(owner.notes, "written"));
    program_output_pause(p, false);
    is_over();
    assert_int_equal(owner.output_len, 1000000);
    assert_non_null(strstr(owner.notes, "stderr written|"));
}

static void a_body_waits_for_a_program_that_does_not_read(void **state)
{
    (void)state;
    static char piece[10000];
    size_t sent = 0, all = 1000000;
    struct program *p = run_posted("read -r go <&3; wc -c", all);
    bool taken = true;
    while (taken) {
        taken = program_body(p, slice_make(piece, sizeof(piece)));
        sent += sizeof(piece);
        assert_true(sent < all);
    }
    stays_so();
    assert_int_equal(owner.body_drains, 0);
    say(p, "go\n");
    while (sent < all) {
        int drains = owner.body_drains;
        if (!taken)
            TURN_UNTIL(owner.body_drains > drains);
        taken = program_body(p, slice_make(piece, sizeof(piece)));
        sent += sizeof(piece);
    }
    program_body_end(p);
    is_over();
    assert_string_equal(owner.output, "1000000\n");
}

static void a_body_that_is_not_wanted_counts_as_taken(void **state)
{
    (void)state;
    static char piece[200000];
    struct program *p = run_posted("exec <&-; echo closed >&3; read -r line <&3", sizeof(piece));
    hears("line closed|");
    while (owner.body_drains == 0) {
        program_body(p, slice_make(piece, sizeof(piece)));
        assert_int_equal(loop_turn(loop, 50), 0);
    }
    assert_true(program_body(p, slice_make(piece, sizeof(piece))));
    program_body_end(p);
    program_body_stop(p);
    program_let_go(p);
    is_over();
}

static void a_body_may_be_a_file(void **state)
{
    (void)state;
    int body = memfd_create("body", MFD_CLOEXEC);
    assert_int_equal(write(body, "all of it", 9), 9);
    assert_int_equal(lseek(body, 0, SEEK_SET), 0);
    assert_non_null(make(PROGRAM_PAGE, script("cat")));
    assert_int_equal(program_start(owner.program, NULL, body), 0);
    assert_int_equal(fcntl(body, F_GETFD), -1);
    is_over();
    assert_string_equal(owner.output, "all of it");
}

static void its_stderr_comes_in_lines(void **state)
{
    (void)state;
    run("printf 'a\\r\\nb\\n\\nrest' >&2");
    is_over();
    assert_non_null(strstr(owner.notes, "stderr a|stderr b|stderr |"));
    assert_non_null(strstr(owner.notes, "stderr rest|"));
}

static void a_long_line_of_stderr_becomes_several(void **state)
{
    (void)state;
    char first[300] = "stderr ", second[300] = "stderr ";
    memset(first + 7, 'x', 240);
    memset(second + 7, 'x', 60);
    strcpy(first + 247, "|");
    strcpy(second + 67, "|");
    run("head -c 300 /dev/zero | tr '\\0' x >&2; echo >&2");
    is_over();
    assert_non_null(strstr(owner.notes, first));
    assert_non_null(strstr(owner.notes, second));
}

/* ---- its end ---- */

static void how_it_ended_is_said(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"exit 0", "program-exit"},
        {"exit 7", "program-failed status=7"},
        {"kill -USR1 $$", "program-failed signal=10"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        owner = (struct owner){.reading = PROGRAM_READ};
        run(rows[i].text);
        is_over();
        assert_string_equal(owner.reason, rows[i].reason);
    }
    assert_int_equal(program_host_counts(programs)->started, 3);
    assert_int_equal(program_host_counts(programs)->killed, 0);
}

static void one_that_reacts_to_nothing_is_killed(void **state)
{
    (void)state;
    program_config.eof_grace_ms = 30;
    program_config.term_grace_ms = 30;
    struct program *p = run("trap '' TERM; exec >&-; echo ready >&3; while :; do sleep 60; done");
    hears("line ready|");
    hears("output-end|");
    program_let_go(p);
    assert_int_equal(p->state, PROGRAM_RUNNING); /* settle takes the step */
    program_answered(p);
    assert_int_equal(p->state, PROGRAM_EOF_SENT);
    TURN_UNTIL(p->state == PROGRAM_TERM_SENT);
    assert_int_equal(program_host_counts(programs)->killed, 0);
    TURN_UNTIL(p->state == PROGRAM_KILL_SENT);
    is_over();
    assert_int_equal(program_host_counts(programs)->killed, 1);
}

static void one_that_reacts_to_sigterm_ends_by_it(void **state)
{
    (void)state;
    program_config.eof_grace_ms = 30;
    /* One process: who inherits a second one may take his time to reap it. */
    struct program *p = run("exec >&-; echo ready >&3; exec sleep 60");
    hears("line ready|");
    hears("output-end|");
    program_let_go(p);
    program_answered(p);
    is_over();
    assert_int_equal(program_host_counts(programs)->killed, 0);
}

static void its_answer_may_be_finished_before_its_end_goes_on(void **state)
{
    (void)state;
    program_config.eof_grace_ms = program_config.term_grace_ms = 1;
    struct program *p = run("read -r line <&3; sleep 0.2; echo answer; exec >&-; sleep 60");
    program_let_go(p);
    hears("output-end|");
    assert_string_equal(owner.output, "answer\n");
    is_over();
}

static void what_is_left_of_its_group_goes_the_same_way(void **state)
{
    (void)state;
    program_config.eof_grace_ms = program_config.term_grace_ms = 30;
    struct program *p = run("(trap '' TERM; echo ready >&3; sleep 60) & read -r go <&3; exit 4");
    hears("line ready|");
    say(p, "go\n");
    TURN_UNTIL(p->exited);
    assert_int_not_equal(p->state, PROGRAM_GONE);
    is_over();
    assert_string_equal(owner.reason, "program-failed status=4");
    assert_int_equal(program_host_counts(programs)->killed, 1);
}

/* Who has left the group is nobody that we wait for, whatever it holds. */
static void one_that_left_its_group_holds_up_nothing(void **state)
{
    (void)state;
    char number[32] = "", path[64];
    run("setsid sh -c 'echo $$ >escaped.tmp; mv escaped.tmp escaped; exec sleep 60' & "
        "while ! test -f escaped; do sleep 0.01; done; echo out");
    is_over();
    assert_string_equal(owner.output, "out\n");
    snprintf(path, sizeof(path), "%s/escaped", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, number, sizeof(number) - 1) > 0);
    close(fd);
    assert_int_equal(kill(atoi(number), SIGKILL), 0);
}

static void all_that_run_are_killed_at_a_stop(void **state)
{
    (void)state;
    struct program *p = run("trap '' TERM; echo ready >&3; sleep 60");
    hears("line ready|");
    program_host_stop(programs);
    assert_int_equal(p->state, PROGRAM_KILL_SENT);
    program_kill(p);
    program_host_stop(programs);
    is_over();
    assert_int_equal(program_host_counts(programs)->killed, 1);
}

/* Its descriptors were closed long ago: nothing else would tell that it is over. */
static void one_that_is_killed_when_nothing_of_it_is_left_is_over(void **state)
{
    (void)state;
    int rest = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct program *p = run("(exec <&- >&- 2>&- 3>&-; exec sleep 60) & echo $! >&3; exit 0");
    TURN_UNTIL(p->exited && !p->body.state && !p->output.state && !p->lines.state && !p->err.state);
    const char *line = strstr(owner.notes, "line ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "line %d|", &rest), 1);
    assert_int_equal(kill(rest, SIGKILL), 0);
    assert_int_equal(waitpid(rest, NULL, 0), rest);
    program_kill(p);
    is_over();
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* ---- nobody's ---- */

static void one_that_never_started_may_be_dropped(void **state)
{
    (void)state;
    program_disown(make(PROGRAM_PAGE, script("exit 0")));
    assert_true(program_host_empty(programs));
    assert_string_equal(owner.notes, "");
    assert_int_equal(program_host_counts(programs)->started, 0);
}

static void one_that_runs_ends_by_itself_once_dropped(void **state)
{
    (void)state;
    struct program *p =
        run("echo ready >&3; while read -r line <&3; do :; done; echo bye >&3; echo bye; exit 1");
    hears("line ready|");
    int settles = owner.settles;
    say(p, "more\n");
    program_disown(p);
    TURN_UNTIL(program_host_empty(programs));
    assert_string_equal(owner.notes, "line ready|");
    assert_int_equal(owner.settles, settles);
}

/* Its write must not block because nobody takes what it writes. */
static void one_that_was_made_to_wait_ends_once_dropped(void **state)
{
    (void)state;
    owner.wait_after = 1;
    struct program *p = run(MANY_LINES);
    program_output_pause(p, true);
    TURN_UNTIL(owner.lines == 1);
    program_disown(p);
    TURN_UNTIL(program_host_empty(programs));
    assert_int_equal(owner.lines, 1);
}

static void one_whose_answer_was_paused_ends_once_dropped(void **state)
{
    (void)state;
    struct program *p = run("echo ready >&3; head -c 1000000 /dev/zero");
    program_output_pause(p, true);
    hears("line ready|");
    program_disown(p);
    TURN_UNTIL(program_host_empty(programs));
    assert_int_equal(owner.output_len, 0);
}

/* ---- what does not start ---- */

static void what_does_not_start_leaves_nothing(void **state)
{
    (void)state;
    const struct {
        const char *file;
        int error;
    } rows[] = {
        {"/nowhere/at/all", -ENOENT},
        {"/etc/passwd", -EACCES},
        {script_as("lost", "#!/no/interpreter\n", 0700), -ENOENT},
    };
    int before = count_descriptors();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int body = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_non_null(make(PROGRAM_PAGE, rows[i].file));
        assert_int_equal(program_start(owner.program, NULL, body), rows[i].error);
        assert_int_equal(owner.program->state, PROGRAM_NEW);
        program_disown(owner.program);
        TURN_UNTIL(program_host_empty(programs));
        turn_while_busy();
        assert_int_equal(count_descriptors(), before);
    }
    assert_int_equal(program_host_counts(programs)->failed_start, 3);
    assert_string_equal(owner.notes, "");
}

static void there_are_no_more_than_may_be(void **state)
{
    (void)state;
    program_limits_set(program_limits, 1, 1);
    struct program *p = run("read -r line <&3");
    assert_null(program_new(&(struct program_spec){.host = programs, .file = script_path},
                            &owner_ops, &other));
    assert_int_equal(program_host_counts(programs)->refused_limit, 1);
    program_answered(p);
    program_let_go(p);
    is_over();
    program_host_drain(programs);
    assert_null(make(PROGRAM_PAGE, script_path));
    assert_int_equal(program_host_counts(programs)->refused_limit, 1);
}

/* ---- */

static uint64_t real_clock(void *arg)
{
    (void)arg;
    return real_ms();
}

static int begin(void **state)
{
    make_loop(state);
    loop_set_clock(loop, real_clock, NULL);
    make_programs();
    owner = other = (struct owner){.reading = PROGRAM_READ};
    return 0;
}

static int finish(void **state)
{
    end_programs();
    return end_loop(state);
}

#define program_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

/* ---- one that is likely to end at once ---- */

/* As if each file had ended at once the last time. */
static struct program *run_brief(const char *text)
{
    memset(programs->brief, 0xff, sizeof(programs->brief));
    struct program *p = run(text);
    assert_true(p->resting);
    return p;
}

static void what_a_brief_one_leaves_is_all_taken(void **state)
{
    (void)state;
    run_brief("echo 1 >&2; echo a >&3; echo answer; printf 2 >&2; echo b >&3");
    is_over();
    assert_string_equal(owner.output, "answer\n");
    assert_non_null(strstr(owner.notes, "line a|line b|"));
    assert_non_null(strstr(owner.notes, "stderr 1|"));
    assert_non_null(strstr(owner.notes, "stderr 2|"));
    assert_non_null(strstr(owner.notes, "output-end|"));
    assert_string_equal(owner.reason, "program-exit");
}

static void a_brief_one_that_lives_on_is_heard_meanwhile(void **state)
{
    (void)state;
    struct program *p = run_brief("echo now; echo x >&2; echo a >&3; read -r l <&3; echo $l >&3");
    hears("line a|");
    hears("stderr x|");
    TURN_UNTIL(owner.output_len == 4);
    TURN_UNTIL(!p->resting);
    assert_false(program_is_brief(p));
    say(p, "b\n");
    hears("line b|");
    is_over();
}

static void what_a_brief_one_has_started_is_still_heard(void **state)
{
    (void)state;
    run_brief("{ read -r l <&3; echo late; echo c >&3; } & echo first");
    TURN_UNTIL(owner.output_len >= 6);
    is_over();
    assert_string_equal(owner.output, "first\nlate\n");
    assert_non_null(strstr(owner.notes, "line c|"));
}

static void a_brief_one_is_killed_and_stopped_as_any_other(void **state)
{
    (void)state;
    program_kill(run_brief("echo first; exec sleep 60"));
    is_over();
    assert_non_null(strstr(owner.notes, "output-end|"));
}

static void the_answer_of_a_brief_one_is_paused_as_any_other(void **state)
{
    (void)state;
    struct program *p = run_brief("echo answer");
    program_output_pause(p, true);
    TURN_UNTIL(p->exited);
    stays_so();
    assert_int_equal(owner.output_len, 0);
    program_output_pause(p, false);
    is_over();
    assert_string_equal(owner.output, "answer\n");
}

static uint64_t still(void *arg)
{
    return *(uint64_t *)arg;
}

static void how_long_it_ran_says_how_it_is_met_the_next_time(void **state)
{
    (void)state;
    static uint64_t now;
    now = real_ms();
    loop_set_clock(loop, still, &now);
    assert_false(run("read -r l <&3")->resting);
    say(owner.program, "end\n");
    is_over();
    owner = (struct owner){.reading = PROGRAM_READ};
    assert_true(run("read -r l <&3")->resting);
    assert_int_equal(loop_turn(loop, 0), 0);
    now += 1000;
    say(owner.program, "end\n");
    is_over();
    owner = (struct owner){.reading = PROGRAM_READ};
    assert_false(run("exit")->resting);
    is_over();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        program_test(lines_go_both_ways_until_the_end_of_file),
        program_test(a_line_without_its_end_is_the_last),
        program_test(a_line_that_a_failure_cut_short_is_none),
        program_test(what_we_fail_at_is_not_the_programs_end),
        program_test(one_that_speaks_before_it_waits_does_not_wait_until_it_is_heard),
        program_test(a_long_line_comes_in_pieces_and_is_searched_once),
        program_test(a_line_that_nobody_understands_ends_the_reading),
        program_test(while_its_owner_waits_its_write_blocks),
        program_test(what_waited_at_its_end_is_delivered),
        program_test(its_owner_may_do_anything_while_it_takes_a_line),
        program_test(what_it_does_not_read_is_queued_and_drains),
        program_test(its_owner_may_change_between_two_lines),
        program_test(lines_of_a_program_that_knows_nothing_of_us),
        program_test(the_same_over_a_terminal),
        program_test(it_may_close_its_stdin_and_talk_on),
        program_test(its_output_is_an_answer_with_an_end),
        program_test(while_its_answer_is_paused_its_write_blocks),
        program_test(what_a_brief_one_leaves_is_all_taken),
        program_test(a_brief_one_that_lives_on_is_heard_meanwhile),
        program_test(what_a_brief_one_has_started_is_still_heard),
        program_test(a_brief_one_is_killed_and_stopped_as_any_other),
        program_test(the_answer_of_a_brief_one_is_paused_as_any_other),
        program_test(how_long_it_ran_says_how_it_is_met_the_next_time),
        program_test(a_body_waits_for_a_program_that_does_not_read),
        program_test(a_body_that_is_not_wanted_counts_as_taken),
        program_test(a_body_may_be_a_file),
        program_test(its_stderr_comes_in_lines),
        program_test(a_long_line_of_stderr_becomes_several),
        program_test(how_it_ended_is_said),
        program_test(one_that_reacts_to_nothing_is_killed),
        program_test(one_that_reacts_to_sigterm_ends_by_it),
        program_test(its_answer_may_be_finished_before_its_end_goes_on),
        program_test(what_is_left_of_its_group_goes_the_same_way),
        program_test(one_that_left_its_group_holds_up_nothing),
        program_test(all_that_run_are_killed_at_a_stop),
        program_test(one_that_is_killed_when_nothing_of_it_is_left_is_over),
        program_test(one_that_never_started_may_be_dropped),
        program_test(one_that_runs_ends_by_itself_once_dropped),
        program_test(one_that_was_made_to_wait_ends_once_dropped),
        program_test(one_whose_answer_was_paused_ends_once_dropped),
        program_test(what_does_not_start_leaves_nothing),
        program_test(there_are_no_more_than_may_be),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("programs", tests);
}
