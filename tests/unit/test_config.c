/* SPDX-License-Identifier: MIT */
#include "daemon/arguments.h"
#include "daemon/config_file.h"
#include "serve/access_settings.h"
#include "serve/cluster_settings.h"
#include "serve/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct text why;

static int clear(void **state)
{
    (void)state;
    text_done(&why);
    return 0;
}

static struct config *read_line(const char *const *words)
{
    enum command command;
    int count = 1;
    char *argv[16] = {(char *)"httpsocketd"};
    for (; words[count - 1]; count++)
        argv[count] = (char *)words[count - 1];
    text_done(&why);
    return arguments_read(count, argv, &command, &why);
}
#define READ(...) read_line((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void expect_why(const char *part)
{
    text_put(&why, slice_make("", 1));
    if (!strstr(why.ptr, part))
        fail_msg("expected `%s` in `%s`", part, why.ptr);
}

static void sizes_and_times_have_units(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(value_size(SLICE_LITERAL("64K"), &n) && n == 65536);
    assert_true(value_size(SLICE_LITERAL("1G"), &n) && n == 1 << 30);
    assert_true(value_time(SLICE_LITERAL("10"), &n) && n == 10000);
    assert_true(value_time(SLICE_LITERAL("250ms"), &n) && n == 250);
    assert_true(value_time(SLICE_LITERAL("5min"), &n) && n == 300000);
    const char *bad[] = {
        "", "K", "1k", "1 K", "-1", "1.5M", "99999999999999999999G", "18446744073709551615K"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(value_size(slice_of(bad[i]), &n));
    const char *bad_times[] = {"s", "1m", "10 s", "1e3", "18446744073709551615d"};
    for (size_t i = 0; i < sizeof(bad_times) / sizeof(*bad_times); i++)
        assert_false(value_time(slice_of(bad_times[i]), &n));
}

static void what_is_printed_is_read_back(void **state)
{
    (void)state;
    const uint64_t values[] = {0,     1,     999,     1000,    1024,    60000,
                               65536, 90061, 3600000, 1 << 30, 86400000};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        char text[32];
        uint64_t n = 7;
        value_print_size(values[i], text);
        assert_true(value_size(slice_of(text), &n));
        assert_int_equal(n, values[i]);
        value_print_time(values[i], text);
        assert_true(value_time(slice_of(text), &n));
        assert_int_equal(n, values[i]);
    }
}

static void every_setting_of_script_access_is_an_option(void **state)
{
    (void)state;
    const char *name;
    size_t count = 0;
    for (; (name = access_config_name(count)); count++)
        if (!config_known(name))
            fail_msg("`%s` is no option", name);
    assert_true(count >= 15);
}

static void script_access_decides_alike_only_by_the_same_values(void **state)
{
    (void)state;
    struct config *a = READ("--private", "10.0.0.0/8", "--rate-client", "60,5");
    struct config *same = READ("--rate-client", "60,5", "--private", "10.0.0.0/8", "-j", "3");
    struct config *more =
        READ("--private", "10.0.0.0/8", "--rate-client", "60,5", "--private", "10.1.0.0/16");
    struct config *other = READ("--private", "10.0.0.0/8", "--rate-client", "60,5", "--dns", "::1");
    assert_true(access_settings_equal(a, same));
    assert_false(access_settings_equal(a, more));
    assert_false(access_settings_equal(more, a));
    assert_false(access_settings_equal(a, other));
    struct access_config access;
    assert_true(access_settings_read(more, &access, &why));
    assert_int_equal(access.lifted_count, 2);
    assert_int_equal(access.rate_client.per_minute, 60);
    assert_int_equal(access.rate_client.burst, 5);
    assert_int_equal(access.rate_programs.per_minute, 600); /* the default */
    access_config_done(&access);
    assert_null(READ("--private", "10.0.0.1/8"));
    expect_why("private: expected a range");
    config_free(a);
    config_free(same);
    config_free(more);
    config_free(other);
}

static void the_defaults_are_those_of_options_def(void **state)
{
    (void)state;
    struct config *c = READ();
    assert_non_null(c);
    assert_string_equal(c->root, ".");
    assert_string_equal(c->listen.items[0], "127.0.0.1:8080");
    assert_int_equal(c->detach_timeout, 600000);
    config_free(c);
}

static void the_command_line_is_read(void **state)
{
    (void)state;
    struct config *c = READ("-l", "127.0.0.1:0", "--listen", "[::1]:81", "-j3",
                            "--origin=https://a.example", "--head-max", "8K", "site");
    assert_non_null(c);
    assert_int_equal(c->listen.count, 2);
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->head_max, 8192);
    assert_int_equal(c->origins[0].scheme, ORIGIN_HTTPS);
    assert_string_equal(c->root, "site");
    config_free(c);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *why;
    } rows[] = {
        {{"--nonsense"}, "unknown option: --nonsense"},
        {{"--listen"}, "needs an argument"},
        {{"-j", "many"}, "threads: expected a whole number from 0 to 256, not `many`"},
        {{"--head-max", "1"}, "head-max: expected a size (such as 64K) from 512 to 1M, not `1`"},
        {{"--idle-timeout", "soon"}, "idle-timeout: expected a time (such as 10s)"},
        {{"--log-level", "loud"},
         "log-level: expected one of: debug info warn error nothing; not `loud`"},
        {{"--listen", "nowhere"}, "listen: `nowhere`: "},
        {{"--origin", "a.example"}, "origin: expected an origin such as https://a.example"},
        {{"--origin", "null"}, "origin: expected"},
        {{"--tls-cert", "x.pem"}, "tls-key is missing"},
        {{"one", "two"}, "one folder to serve"},
        {{"--config", "/nowhere/at/all"}, "/nowhere/at/all: No such file"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_null(read_line(rows[i].words));
        expect_why(rows[i].why);
    }
}

/* ---- files ---- */

static char file[] = "/tmp/httpsocket-config-XXXXXX";

static int write_nothing(void **state)
{
    (void)state;
    strcpy(file + sizeof(file) - 7, "XXXXXX");
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    unlink(file);
    return clear(state);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    fputs(text, f);
    fclose(f);
}

static void a_file_says_the_same_and_the_command_line_is_stronger(void **state)
{
    (void)state;
    write_file("# a comment\nlisten = {\"127.0.0.1:1\", \"127.0.0.1:2\"}\nthreads = 2\nhead-max = "
               "4K\norigin = {https://a.example}\n");
    struct config *c = READ("-c", file, "--threads", "5", "-l", "127.0.0.1:9");
    if (!c)
        fail_msg("%.*s", SLICE_ARG(text_slice(&why)));
    assert_int_equal(c->listen.count, 1);
    assert_string_equal(c->listen.items[0], "127.0.0.1:9");
    assert_int_equal(c->threads, 5);
    assert_int_equal(c->head_max, 4096);
    assert_int_equal(c->origin.count, 1);
    config_free(c);
}

static void each_value_of_a_list_in_a_file_counts_once(void **state)
{
    (void)state;
    write_file(
        "threads = 1\nlisten = {\"127.0.0.1:1\"}\nlisten = {\"127.0.0.1:2\", \"127.0.0.1:3\"}\n"
        "origin = {}\norigin += {https://a.example}\norigin += {https://b.example}\n");
    struct config *c = READ("-c", file);
    if (!c)
        fail_msg("%.*s", SLICE_ARG(text_slice(&why)));
    assert_int_equal(c->listen.count, 2);
    assert_string_equal(c->listen.items[0], "127.0.0.1:2");
    assert_string_equal(c->listen.items[1], "127.0.0.1:3");
    assert_int_equal(c->origin.count, 2);
    config_free(c);
}

static void a_wrong_file_is_refused_with_line_and_expectation(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"threads = 2\nhead-max = huge\n", ":2: head-max: expected a size"},
        {"\n\nnonsense = 1\n", ":3: "},
        {"threads = 2\nthreads", ":2: "},
        {"log-level = loud\n", ":1: log-level: expected one of"},
        {"/* one */threads = 2\n/* another\nlog-level = loud\n", ":2: expected */"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        write_file(rows[i].text);
        assert_null(READ("-c", file));
        text_put(&why, slice_make("", 1));
        if (!strstr(why.ptr, rows[i].why) || !strstr(why.ptr, file))
            fail_msg("row %zu: %s", i, why.ptr);
    }
}

static void a_flag_takes_no_argument_on_the_command_line(void **state)
{
    (void)state;
    struct config *c = READ("--dev", "site");
    assert_non_null(c);
    assert_true(c->dev);
    assert_string_equal(c->root, "site");
    config_free(c);
    c = READ("site");
    assert_false(c->dev);
    config_free(c);
    assert_null(READ("--dev=yes"));
}

static void a_file_says_true_or_false_of_a_flag(void **state)
{
    (void)state;
    struct config *c = config_new();
    assert_true(config_set(c, "dev", "true", true, &why));
    assert_true(c->dev);
    assert_true(config_set(c, "dev", "false", true, &why));
    assert_false(c->dev);
    assert_false(config_set(c, "dev", "maybe", true, &why));
    expect_why("dev: expected true or false, not `maybe`");
    config_free(c);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    (void)state;
    struct text names = {0};
    struct config *a = READ("-j1", "site");
    struct config *b = READ("-j2", "--head-max", "1K", "--dev", "--broker", "unix:/b", "site");
    config_fixed_changes(a, b, &names);
    assert_true(slice_equal(text_slice(&names), SLICE_LITERAL("threads,dev,broker")));
    text_done(&names);
    config_free(a);
    config_free(b);
}

static void ways_between_servers_need_all_that_they_are_made_of(void **state)
{
    (void)state;
    static const char *const broker = "redis://127.0.0.1", *const at = "127.0.0.1:7400";
    assert_null(READ("--cluster-listen", at));
    expect_why("cluster-listen needs broker");
    assert_null(READ("--broker", broker, "--cluster-listen", at));
    expect_why("cluster-listen needs cluster-key");
    assert_null(READ("--cluster-address", "a.example"));
    expect_why("cluster-address needs cluster-listen");
    assert_null(READ("--broker", broker, "--cluster-key", "k", "--cluster-listen", "unix:/a"));
    expect_why("other machines can't reach it");
    assert_null(READ("--broker", broker, "--cluster-key", "k", "--cluster-listen", "*:7400"));
    expect_why("set cluster-address too");
    assert_null(READ("--broker", broker, "--cluster-key", "k", "--cluster-listen", "here"));
    expect_why("cluster-listen: `here`");
    struct config *c = READ("--broker", broker, "--cluster-key", "k", "--cluster-listen", "*:7400",
                            "--cluster-address", "10.0.0.1");
    assert_non_null(c);
    config_free(c);
}

static void others_reach_a_server_where_it_is_bound_or_as_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *says, *is;
    } rows[] = {
        {"", "127.0.0.1:7400"},
        {"192.0.2.1", "192.0.2.1:7400"},
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"[2001:db8::1]", "[2001:db8::1]:7400"},
        {"[2001:db8::1]:80", "[2001:db8::1]:80"},
        {"192.0.2.1:x", NULL},
        {"192.0.2.1:65536", NULL},
        {":80", NULL},
    };
    struct net_address bound = net_address_loopback(AF_INET, 7400), is;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        struct config c = {.cluster_address = (char *)rows[i].says};
        bool good = cluster_settings_address(&c, &bound, &is, &why);
        assert_int_equal(good, rows[i].is != NULL);
        if (!good)
            continue;
        net_address_print(&is, text);
        assert_string_equal(text, rows[i].is);
    }
}

/* A password is in no message. */
static void expect_refused(const char *url, const char *part)
{
    assert_null(READ("--broker", url));
    expect_why(part);
    assert_null(strstr(why.ptr, "s3cret"));
}

static void brokers_are_read_and_what_is_wrong_is_named_without_passwords(void **state)
{
    (void)state;
    struct config *c = READ("--broker", "redis://u:s3cret@a.example/2", "--broker", "unix:/run/r",
                            "--cluster-name", "shop.v2");
    assert_non_null(c);
    assert_int_equal(c->brokers->count, 2);
    assert_string_equal(c->brokers->urls[0]->password, "s3cret");
    assert_string_equal(c->brokers->urls[0]->text, "redis://u@a.example:6379/2");
    assert_string_equal(c->cluster_name, "shop.v2");
    assert_int_equal(c->broker_timeout, 5000);
    config_free(c);
    c = READ();
    assert_null(c->brokers);
    config_free(c);
    expect_refused("http://:s3cret@a.example", "broker: number 1: expected redis://");
    expect_refused("redis://:s3cret/@a.example", "expected a host");
    expect_refused("redis://u:s3cret/@a.example", "after the host");
    expect_refused("redis://u@a.example", "has a user and no password");
    expect_refused("redis://:s3cret@a.example/x", "number of a database");
    assert_null(READ("--broker", "redis://a", "--broker", "redis://a:6379"));
    expect_why("redis://a:6379 is named twice");
    assert_null(READ("--broker", "redis://a", "--broker-ca", "ca.pem"));
    expect_why("broker-ca is for rediss://");
    assert_null(READ("--broker", "rediss://a", "--broker-cert", "cert.pem"));
    expect_why("broker-cert and broker-key go together; broker-key is missing");
    assert_null(READ("--broker-key", "key.pem"));
    expect_why("broker-key needs broker");
    assert_null(READ("--broker-password-file", "p"));
    expect_why("broker-password-file needs broker");
    assert_null(READ("--cluster-name", "a b"));
    expect_why("cluster-name: expected at most 64");
}

static void a_password_file_is_for_brokers_without_a_password(void **state)
{
    (void)state;
    const char *more[] = {"--broker",
                          "redis://a",
                          "--broker",
                          "redis://u@b",
                          "--broker",
                          "redis://:own@c",
                          "--broker-password-file",
                          file,
                          NULL};
    write_file("s3cret\r\nanother line\n");
    chmod(file, 0644);
    assert_null(read_line(more));
    expect_why("others can read or write it");
    chmod(file, 0600);
    struct config *c = read_line(more);
    assert_non_null(c);
    assert_string_equal(c->brokers->urls[0]->password, "s3cret");
    assert_string_equal(c->brokers->urls[1]->password, "s3cret");
    assert_string_equal(c->brokers->urls[2]->password, "own");
    config_free(c);
    write_file("\n");
    assert_null(read_line(more));
    expect_why("expected a password in its first line");
    unlink(file);
    assert_null(read_line(more));
    expect_why("No such file");
}

static void help_names_every_setting(void **state)
{
    (void)state;
    arguments_help(&why);
    text_put(&why, slice_make("", 1));
#define SHOWN(name)              assert_non_null(strstr(why.ptr, "--" name " "))
#define TEXT(field, name, ...)   SHOWN(name);
#define LIST(field, name, ...)   SHOWN(name);
#define NUMBER(field, name, ...) SHOWN(name);
#define SIZE(field, name, ...)   SHOWN(name);
#define TIME(field, name, ...)   SHOWN(name);
#define CHOICE(field, name, ...) SHOWN(name);
#define FLAG(field, name, ...)   SHOWN(name);
#include "serve/options.def"
}

int main(void)
{
#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, write_nothing, remove_file)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_times_have_units),
        cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test(every_setting_of_script_access_is_an_option),
        cmocka_unit_test(script_access_decides_alike_only_by_the_same_values),
        cmocka_unit_test_teardown(the_defaults_are_those_of_options_def, clear),
        cmocka_unit_test_teardown(the_command_line_is_read, clear),
        cmocka_unit_test_teardown(what_is_wrong_is_named, clear),
        WITH_FILE(a_file_says_the_same_and_the_command_line_is_stronger),
        WITH_FILE(each_value_of_a_list_in_a_file_counts_once),
        WITH_FILE(a_wrong_file_is_refused_with_line_and_expectation),
        cmocka_unit_test_teardown(a_flag_takes_no_argument_on_the_command_line, clear),
        cmocka_unit_test_teardown(a_file_says_true_or_false_of_a_flag, clear),
        cmocka_unit_test_teardown(changes_that_need_a_restart_are_named, clear),
        cmocka_unit_test_teardown(brokers_are_read_and_what_is_wrong_is_named_without_passwords,
                                  clear),
        cmocka_unit_test_teardown(ways_between_servers_need_all_that_they_are_made_of, clear),
        cmocka_unit_test_teardown(others_reach_a_server_where_it_is_bound_or_as_it_says, clear),
        WITH_FILE(a_password_file_is_for_brokers_without_a_password),
        cmocka_unit_test_teardown(help_names_every_setting, clear),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
