/* SPDX-License-Identifier: MIT */
/* policy.c - `httpsocket policy`: one decision of script access, with the real DNS, explained.
 *
 * The decision is access/access.h, as in the server; only the steps are written down on the way.
 */
#include "access/access.h"
#include "access/dns.h"
#include "access/server_origins.h"
#include "base/settings_file.h"
#include "cli/command.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] =
    "usage: httpsocket policy [OPTIONS] ORIGIN TARGET    explain whether a page may connect\n"
    "       httpsocket policy test FILE.tsv              check recorded cases\n"
    "       httpsocket policy record OPTIONS             write a record, or lint one\n"
    "\n"
    "ORIGIN is the page's, such as https://a.example; TARGET is HOST:PORT for a TCPConnection, or "
    "a\n"
    "URL for a ServerConnection.\n"
    "\n"
    "  --via tcp|web        which of the two, if TARGET doesn't tell\n"
    "  --dns ADDR[:PORT]    the resolver to ask (default: the system's)\n"
    "  --dns-anchor FILE    DNSSEC trust anchor (default: the system's), or none\n"
    "  --dns-config FILE    settings of libunbound, in the form of unbound.conf\n"
    "  --config FILE        a server's config file; what is not about access is skipped\n"
    "  --set NAME=VALUE     one setting of it, such as private=10.0.0.0/8; repeatable\n"
    "  --json               one JSON object instead of lines\n"
    "\n"
    "Exit status: 0 allow, 3 deny, 4 temporary failure; 1 failure, 2 usage.\n";

struct policy_options {
    const char *via;
    struct dns_options dns;
    char *config_server, *config_anchor; /* of --config; owned */
    bool json;
    struct slice origin, target;
};

struct explain {
    struct access_trace trace;
    struct access_config config;
    struct dns *dns;
    struct access access;
    struct access_check check;
    struct access_result result;
    json_t *steps;
    bool done;
};

static void add_step(struct access_trace *trace, const char *what, const char *text)
{
    struct explain *e = container_of(trace, struct explain, trace);
    json_t *step = json_object();
    json_object_set_new(step, "step", json_string(what));
    /* What others published in DNS need not be UTF-8. */
    json_t *value = json_string(text);
    json_object_set_new(step, "text", value ? value : json_string("(not UTF-8)"));
    json_array_append_new(e->steps, step);
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct explain *e = container_of(check, struct explain, check);
    e->result = *result;
    e->done = true;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void decide(struct explain *e)
{
    struct pollfd fd = {.fd = dns_fd(e->dns), .events = POLLIN};
    access_check(&e->access, &e->check, now_ms());
    while (!e->done) {
        uint64_t due = access_due_ms(&e->access), now = now_ms();
        int timeout = due == UINT64_MAX ? -1 : due > now ? (int)(due - now) : 0;
        int ready = poll(&fd, 1, timeout);
        access_set_now(&e->access, now_ms());
        if (ready > 0)
            dns_process(e->dns);
        access_run(&e->access, now_ms());
    }
}

/* ---- printing ---- */

static void print_lines(const struct explain *e)
{
    const struct access_reason_row *row = access_reason_row(e->result.reason);
    printf("%s %s\n", access_verdict_name(row->verdict), row->token);
    size_t index;
    json_t *step;
    json_array_foreach(e->steps, index, step)
        printf("  %-9s %s\n", json_string_value(json_object_get(step, "step")),
               json_string_value(json_object_get(step, "text")));
    printf("  %-9s %s", "verdict", row->text);
    if (row->verdict != ACCESS_ALLOW)
        printf(" (HTTP %u, close %u, retry after %u s)", row->http, row->ws_close,
               e->result.retry_s);
    printf("\n");
    for (size_t i = 0; i < e->result.count; i++) {
        char text[IP_TEXT_SIZE];
        printf("  %-9s %s\n", "connect", ip_print(&e->result.addresses[i], text).ptr);
    }
    if (e->result.local)
        printf("  %-9s this machine\n", "connect");
}

static void print_json(const struct explain *e)
{
    const struct access_reason_row *row = access_reason_row(e->result.reason);
    json_t *connect_to = json_array();
    for (size_t i = 0; i < e->result.count; i++) {
        char text[IP_TEXT_SIZE];
        json_array_append_new(connect_to, json_string(ip_print(&e->result.addresses[i], text).ptr));
    }
    if (e->result.local)
        json_array_append_new(connect_to, json_string("local"));
    json_t *all = json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:O}", "verdict",
                            access_verdict_name(row->verdict), "reason", row->token, "http",
                            (int)row->http, "ws_close", (int)row->ws_close, "retry_after",
                            (int)e->result.retry_s, "connect_to", connect_to, "steps", e->steps);
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

/* ---- setting up ---- */

static bool complain(const char *what, struct slice text, const char *why)
{
    fprintf(stderr, "httpsocket: %s '%.*s': expected %s\n", what, SLICE_ARG(text), why);
    return false;
}

static bool set(struct access_config *c, const char *name, const char *value)
{
    const char *why;
    if (access_config_set(c, slice_of(name), slice_of(value), &why) == 0)
        return true;
    return complain(name, slice_of(value), why);
}

static bool set_pair(struct access_config *c, char *pair)
{
    char *equals = strchr(pair, '=');
    if (!equals)
        return complain("--set", slice_of(pair), "NAME=VALUE");
    *equals = '\0';
    bool good = set(c, pair, equals + 1);
    *equals = '=';
    return good;
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = with ? strdup(with) : NULL;
}

enum {
    CONFIG_NAMES_MAX = 32
};

struct config_target {
    struct policy_options *options;
    struct access_config *config;
};

static bool take_setting(void *arg, const char *name, const char *value, bool first,
                         struct text *why)
{
    const struct config_target *target = arg;
    const char *expected = "more memory";
    (void)first;
    if (!strcmp(name, "dns"))
        replace(&target->options->config_server, value);
    else if (!strcmp(name, "dns-anchor"))
        replace(&target->options->config_anchor, value);
    else if (access_config_set(target->config, slice_of(name), slice_of(value), &expected) < 0)
        text_printf(why, "%s '%s': expected %s", name, value, expected);
    return why->len == 0;
}

/* A server's config file holds many other settings; those are skipped. */
static bool read_config(struct policy_options *o, struct access_config *c, const char *file)
{
    struct settings_name names[CONFIG_NAMES_MAX + 2] = {{"dns", false}, {"dns-anchor", false}};
    struct config_target target = {o, c};
    struct text why = {0};
    size_t count = 2;
    const char *name;
    for (size_t i = 0; i < CONFIG_NAMES_MAX && (name = access_config_name(i)); i++)
        names[count++] = (struct settings_name){name, true};
    bool good = settings_file_read(file,
                                   &(struct settings_reader){.names = names,
                                                             .count = count,
                                                             .skip_others = true,
                                                             .set = take_setting,
                                                             .arg = &target},
                                   &why);
    if (!good)
        fprintf(stderr, "httpsocket: %.*s\n", SLICE_ARG(text_slice(&why)));
    text_done(&why);
    return good;
}

static bool is_web(const struct policy_options *o)
{
    struct origin url;
    struct slice rest;
    return o->via ? strcmp(o->via, "web") == 0 : origin_parse_url(o->target, &url, &rest);
}

/* HOST[:PORT] alone stands for https://HOST[:PORT]/. */
static bool set_web_target(struct explain *e, const struct policy_options *o)
{
    struct origin url;
    struct authority host;
    struct slice rest = SLICE_LITERAL("/");
    if (!origin_parse_url(o->target, &url, &rest)) {
        if (!authority_parse(o->target, &host))
            return complain("TARGET", o->target, "a URL such as https://b.example/chat");
        url = origin_of(ORIGIN_HTTPS, &host);
    }
    struct access_request *q = &e->check.request;
    q->path = ACCESS_PATH_WEB;
    q->url_path = slice_first(rest, slice_find(rest, '?'));
    q->here = url;
    q->here_known = e->config.origin_count == 0;
    for (size_t i = 0; i < e->config.origin_count; i++)
        q->here_known |= origin_equal(&e->config.origins[i], &url);
    return true;
}

/* The gateway would be that of the configured origins, else that of the page's own origin. */
static bool set_tcp_target(struct explain *e, const struct policy_options *o)
{
    struct access_request *q = &e->check.request;
    struct origin page;
    q->path = ACCESS_PATH_TCP;
    q->target = o->target;
    if (e->config.origin_count || !origin_parse(o->origin, &page) || page.scheme == ORIGIN_OPAQUE)
        return true;
    char text[ORIGIN_TEXT_SIZE];
    origin_write(&page, text);
    return set(&e->config, "origin", text);
}

static int explain(struct explain *e, const struct policy_options *o)
{
    const char *why;
    e->check.request.origin = o->origin;
    if (is_web(o) ? !set_web_target(e, o) : !set_tcp_target(e, o))
        return CLI_USAGE;
    int error = access_config_add_interfaces(&e->config);
    if (error) {
        fprintf(stderr, "httpsocket: the addresses of this machine: %s\n", strerror(-error));
        return CLI_FAILURE;
    }
    error = dns_new(&o->dns, &e->dns, &why);
    if (error) {
        fprintf(stderr, "httpsocket: %s\n", why);
        return error == -EINVAL ? CLI_USAGE : CLI_FAILURE;
    }
    access_trace(&e->trace, "dns", "trust anchor: %s",
                 dns_anchor(e->dns) ? dns_anchor(e->dns) : "none, so nothing can be secure");
    access_init(&e->access, &e->config, dns_resolver(e->dns), NULL, NULL, NULL);
    access_set_trace(&e->access, &e->trace);
    e->check.on_verdict = on_verdict;
    decide(e);
    access_done(&e->access);
    dns_free(e->dns);
    if (o->json)
        print_json(e);
    else
        print_lines(e);
    static const int status[] = {
        [ACCESS_ALLOW] = CLI_OK, [ACCESS_DENY] = CLI_DENY, [ACCESS_TEMPFAIL] = CLI_TEMPFAIL};
    return status[access_reason_row(e->result.reason)->verdict];
}

/* ---- the command line ---- */

enum {
    OPTION_VIA = 256,
    OPTION_DNS,
    OPTION_ANCHOR,
    OPTION_DNS_CONFIG,
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_JSON
};

static const struct option long_options[] = {
    {"via", required_argument, NULL, OPTION_VIA},
    {"dns", required_argument, NULL, OPTION_DNS},
    {"dns-anchor", required_argument, NULL, OPTION_ANCHOR},
    {"dns-config", required_argument, NULL, OPTION_DNS_CONFIG},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"set", required_argument, NULL, OPTION_SET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* CLI_OK to go on, or -1 after --help, or CLI_USAGE. */
static int parse_option(int option, struct policy_options *o, struct access_config *c)
{
    switch (option) {
    case OPTION_VIA:
        o->via = optarg;
        if (strcmp(optarg, "tcp") == 0 || strcmp(optarg, "web") == 0)
            return CLI_OK;
        complain("--via", slice_of(optarg), "tcp or web");
        return CLI_USAGE;
    case OPTION_DNS:
        o->dns.server = optarg;
        return CLI_OK;
    case OPTION_ANCHOR:
        o->dns.anchor = optarg;
        return CLI_OK;
    case OPTION_DNS_CONFIG:
        o->dns.config = optarg;
        return CLI_OK;
    case OPTION_CONFIG:
        return read_config(o, c, optarg) ? CLI_OK : CLI_USAGE;
    case OPTION_SET:
        return set_pair(c, optarg) ? CLI_OK : CLI_USAGE;
    case OPTION_JSON:
        o->json = true;
        return CLI_OK;
    case 'h':
        fputs(usage, stdout);
        return -1;
    default:
        fputs(usage, stderr);
        return CLI_USAGE;
    }
}

static int parse_and_explain(int argc, char **argv, struct explain *e, struct policy_options *o)
{
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        int status = parse_option(option, o, &e->config);
        if (status)
            return status < 0 ? CLI_OK : status;
    }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    o->origin = slice_of(argv[optind]);
    o->target = slice_of(argv[optind + 1]);
    if (!o->dns.server)
        o->dns.server = o->config_server;
    if (!o->dns.anchor)
        o->dns.anchor = o->config_anchor;
    return explain(e, o);
}

static int run(int argc, char **argv, struct explain *e)
{
    struct policy_options o = {0};
    int status = parse_and_explain(argc, argv, e, &o);
    free(o.config_server);
    free(o.config_anchor);
    return status;
}

int policy_command(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "test") == 0)
        return policy_test_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "record") == 0)
        return policy_record_command(argc - 1, argv + 1);
    struct explain *e = calloc(1, sizeof(*e));
    if (!e)
        return CLI_FAILURE;
    e->trace.step = add_step;
    e->steps = json_array();
    access_config_init(&e->config);
    int status = run(argc, argv, e);
    access_config_done(&e->config);
    json_decref(e->steps);
    free(e);
    return status;
}
