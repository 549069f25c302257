/* SPDX-License-Identifier: MIT */
#include "program/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *value_of(const struct environment *env, const char *name)
{
    size_t len = strlen(name);
    const char *found = NULL;
    for (char **entry = env->list; *entry; entry++) {
        if (strncmp(*entry, name, len) != 0 || (*entry)[len] != '=')
            continue;
        assert_null(found); /* a name twice would be two truths */
        found = *entry + len + 1;
    }
    return found;
}

static void expect(const struct environment *env, const char *name, const char *value)
{
    const char *found = value_of(env, name);
    if (!found || strcmp(found, value) != 0)
        fail_msg("%s is %s instead of %s", name, found ? found : "absent", value);
}

struct setting {
    struct http_head head;
    struct environment_place place;
    struct program_request request;
};

static void address(const char *text, struct net_address *ret)
{
    const char *why;
    assert_int_equal(net_address_parse(slice_of(text), ret, &why), 0);
}

static void build(struct setting *s, const char *request, struct environment *env)
{
    *s = (struct setting){0};
    assert_int_equal(http_head_parse(slice_of(request), 0, &s->head), PARSE_OK);
    s->place = (struct environment_place){
        .file = SLICE_LITERAL("/srv/a/chat.py"),
        .root = SLICE_LITERAL("/srv"),
        .software = SLICE_LITERAL("test/1"),
        .sdk = SLICE_LITERAL("/srv/sdk"),
    };
    s->request = (struct program_request){
        .head = &s->head,
        .path = SLICE_LITERAL("/a/chat/more info"),
        .script_len = 7,
        .query = SLICE_LITERAL("x=1"),
        .session = SLICE_LITERAL("ID"),
    };
    address("[2001:db8::1]:4711", &s->request.peer);
    address("127.0.0.1:8080", &s->request.local);
    assert_int_equal(environment_build(env, &s->place, &s->request), 0);
}

static void the_meta_variables_of_rfc_3875_4_1(void **state)
{
    (void)state;
    struct setting s;
    struct environment env;
    build(&s, "GET /a/chat/more%20info?x=1 HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", &env);
    static const char *const rows[][2] = {
        {"GATEWAY_INTERFACE", "CGI/1.1"},
        {"SERVER_PROTOCOL", "HTTP/1.1"},
        {"SERVER_SOFTWARE", "test/1"},
        {"SERVER_NAME", "a.example"},
        {"SERVER_PORT", "8080"},
        {"REQUEST_METHOD", "GET"},
        {"REQUEST_URI", "/a/chat/more%20info?x=1"},
        {"REQUEST_SCHEME", "http"},
        {"QUERY_STRING", "x=1"},
        {"SCRIPT_NAME", "/a/chat"},
        {"SCRIPT_FILENAME", "/srv/a/chat.py"},
        {"PATH_INFO", "/more info"},
        {"PATH_TRANSLATED", "/srv/more info"},
        {"DOCUMENT_ROOT", "/srv"},
        {"REMOTE_ADDR", "2001:db8::1"},
        {"REMOTE_PORT", "4711"},
        {"HTTPSOCKET_FD", "3"},
        {"HTTPSOCKET_SESSION", "ID"},
        {"HTTPSOCKET_SDK", "/srv/sdk"},
        {"PYTHONPATH", "/srv/sdk/python"},
        {"HTTP_HOST", "a.example:8080"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(&env, rows[i][0], rows[i][1]);
    static const char *const absent[] = {"CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS",
                                         "HTTPSOCKET_CONNECT"};
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_null(value_of(&env, absent[i]));
    environment_done(&env);
}

static void request_uri_of_an_absolute_form_target_is_in_origin_form(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"/x?y=1", "/x?y=1", "/app/x?y=1"},
        {"http://a.example/x?y=http://b/", "/x?y=http://b/", "/app/x?y=http://b/"},
        {"HTTPS://a.example:8443/%2e?", "/%2e?", "/app/%2e?"},
        {"http://a.example", "/", "/app/"},
        {"http://a.example?y=1", "/?y=1", "/app/?y=1"},
        {"//a.example/x", "//a.example/x", "/app//a.example/x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char request[128];
        struct setting s;
        struct environment env;
        struct text json = {0};
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n",
                 rows[i][0]);
        build(&s, request, &env);
        expect(&env, "REQUEST_URI", rows[i][1]);
        environment_done(&env);
        s.request.base = SLICE_LITERAL("/app");
        s.request.base_cut = true;
        assert_int_equal(environment_build(&env, &s.place, &s.request), 0);
        expect(&env, "REQUEST_URI", rows[i][2]);
        environment_done(&env);
        program_request_json(&s.request, &json);
        text_put(&json, SLICE_LITERAL("\0"));
        snprintf(request, sizeof(request), "\"uri\":\"%s\"", rows[i][2]);
        assert_non_null(strstr(json.ptr, request));
        text_done(&json);
    }
}

static void headers_that_would_lie_or_tell_secrets_are_left_out(void **state)
{
    (void)state;
    struct setting s;
    struct environment env;
    build(&s,
          "GET / HTTP/1.1\r\nHost: [::1]\r\nproxy: x\r\nPROXY: y\r\nX_Forwarded_For: z\r\n"
          "Content-Length: 3\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\n"
          "Sec-WebSocket-Protocol: key.secret\r\nX.Y: z\r\nCookie: a=1\r\nAccept: b\r\n"
          "cookie: c=2\r\naccept: d\r\nLD-Preload: x\r\n\r\n",
          &env);
    static const char *const absent[] = {
        "HTTP_PROXY",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_SEC_WEBSOCKET_PROTOCOL",
        "HTTP_CONNECTION",
        "HTTP_X.Y",
        "LD_PRELOAD",
    };
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_null(value_of(&env, absent[i]));
    expect(&env, "HTTP_COOKIE", "a=1; c=2");
    expect(&env, "HTTP_ACCEPT", "b, d");
    expect(&env, "HTTP_LD_PRELOAD", "x");
    expect(&env, "CONTENT_TYPE", "text/plain");
    expect(&env, "SERVER_NAME", "[::1]");
    environment_done(&env);
}

static void nothing_of_the_servers_own_but_the_list(void **state)
{
    (void)state;
    struct setting s;
    struct environment env;
    setenv("SECRET_OF_THE_SERVER", "x", 1);
    build(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &env);
    assert_null(value_of(&env, "SECRET_OF_THE_SERVER"));
    assert_non_null(value_of(&env, "PATH"));
    environment_done(&env);
}

static void build_stdio(struct setting *s, const char *file, bool terminal, struct environment *env)
{
    build(s, "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n", env);
    environment_done(env);
    s->place.file = slice_of(file);
    s->place.stdio = true;
    s->place.terminal = terminal;
    s->place.lines = SLICE_LITERAL("/lib/x");
    assert_int_equal(environment_build(env, &s->place, &s->request), 0);
    expect(env, "TERM", "dumb");
    expect(env, "PAGER", "cat");
    assert_null(value_of(env, "HTTPSOCKET_FD"));
}

static void a_stdio_program_is_told_to_write_lines_unless_its_stdout_is_a_terminal(void **state)
{
    (void)state;
    struct setting s;
    struct environment env;
    build_stdio(&s, "/bin/sh", false, &env);
    expect(&env, "LD_PRELOAD", "/lib/x/lines.so");
    expect(&env, "RUBYOPT", "-r/lib/x/lines.rb");
    expect(&env, "PYTHONUNBUFFERED", "1");
    environment_done(&env);
    build_stdio(&s, "/bin/sh", true, &env);
    static const char *const none[] = {"LD_PRELOAD", "RUBYOPT", "PYTHONUNBUFFERED", "PERL5OPT"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_null(value_of(&env, none[i]));
    environment_done(&env);
}

/* A copy of this program whose head differs in one byte. */
static void write_other(const char *name, size_t at)
{
    char head[64];
    FILE *self = fopen("/proc/self/exe", "rb"), *other = fopen(name, "wb");
    assert_int_equal(fread(head, 1, sizeof(head), self), sizeof(head));
    if (at > 0)
        head[at] ^= 3;
    assert_int_equal(fwrite(head, 1, sizeof(head), other), sizeof(head));
    fclose(self);
    fclose(other);
}

static void the_loader_of_another_machine_gets_nothing_to_complain_of(void **state)
{
    (void)state;
    static const size_t differ[] = {0, 4, 5, 18}; /* not at all, class, order of bytes, machine */
    char name[] = "/tmp/test-environment-XXXXXX";
    close(mkstemp(name));
    for (size_t i = 0; i < sizeof(differ) / sizeof(*differ); i++) {
        struct setting s;
        struct environment env;
        write_other(name, differ[i]);
        build_stdio(&s, name, false, &env);
        assert_int_equal(value_of(&env, "LD_PRELOAD") == NULL, differ[i] > 0);
        environment_done(&env);
    }
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_meta_variables_of_rfc_3875_4_1),
        cmocka_unit_test(request_uri_of_an_absolute_form_target_is_in_origin_form),
        cmocka_unit_test(headers_that_would_lie_or_tell_secrets_are_left_out),
        cmocka_unit_test(nothing_of_the_servers_own_but_the_list),
        cmocka_unit_test(a_stdio_program_is_told_to_write_lines_unless_its_stdout_is_a_terminal),
        cmocka_unit_test(the_loader_of_another_machine_gets_nothing_to_complain_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
