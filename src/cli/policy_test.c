/* policy_test.c - `httpsocket policy test FILE.tsv`: cases of script access against recorded
 * answers.
 *
 * Each row is one decision by the same code that the server runs (access/access.h); the network is
 * access/recorded.h and the time is a number. The columns are found by the header line's names.
 */
#include "access/access.h"
#include "access/own.h"
#include "access/recorded.h"
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum column {
    COLUMN_ID,
    COLUMN_PATH,
    COLUMN_ORIGIN,
    COLUMN_TARGET,
    COLUMN_DNS,
    COLUMN_CONFIG,
    COLUMN_VERDICT,
    COLUMN_HTTP,
    COLUMN_CLOSE,
    COLUMN_REASON,
    COLUMN_CONNECT,
    COLUMNS,
};
static const char *const column_names[COLUMNS] = {
    "id",      "path", "page_origin", "target", "dns",        "config",
    "verdict", "http", "ws_close",    "reason", "connect_to",
};
enum {
    FIELDS_MAX = 32
};

struct table {
    int index[COLUMNS]; /* field of a row */
};

struct row {
    struct slice field[COLUMNS];
};

/* A `prior=`: an earlier 401 of the program. */
struct prior {
    bool given, other_origin;
    struct slice path, policy_path;
    uint32_t age_s, at_s;
};

struct run {
    struct access_config config;
    struct prior prior;
    bool script_refuses, rate_over, own_given, production_table;
    struct recorded recorded;
    struct access access;
    struct access_check check;
    struct access_result result;
    bool done;
    char text[256]; /* what went wrong with the row itself */
};

static bool fail(struct run *r, const char *what, struct slice text)
{
    snprintf(r->text, sizeof(r->text), "%s: %.*s", what, SLICE_ARG(text));
    return false;
}

/* ---- the config column ---- */

/* The suffix list of the cases: `co.test` stands for `co.uk`. */
static bool is_suffix(const void *ctx, struct slice name)
{
    const struct public_suffixes *real = ctx;
    return slice_equal(name, SLICE_LITERAL("co.test")) || !real || real->is_suffix(real->ctx, name);
}

/* The next word; spaces inside [...] belong to it. */
static struct slice take_word(struct slice *rest)
{
    size_t len = 0;
    bool bracket = false;
    *rest = slice_trim(*rest);
    while (len < rest->len && (bracket || rest->ptr[len] != ' ')) {
        bracket = (bracket || rest->ptr[len] == '[') && rest->ptr[len] != ']';
        len++;
    }
    struct slice word = slice_first(*rest, len);
    *rest = slice_skip(*rest, len);
    return word;
}

static bool set_prior_part(struct prior *p, struct slice name, struct slice value)
{
    uint64_t n = 0;
    bool number = slice_to_uint(value, 10000000, &n);
    if (slice_equal(name, SLICE_LITERAL("path")))
        p->path = value;
    else if (slice_equal(name, SLICE_LITERAL("pp")))
        p->policy_path = value;
    else if (slice_equal(name, SLICE_LITERAL("origin")))
        p->other_origin = slice_equal(value, SLICE_LITERAL("other"));
    else if (slice_equal(name, SLICE_LITERAL("age")) && number)
        p->age_s = (uint32_t)n;
    else if (slice_equal(name, SLICE_LITERAL("at")) && number)
        p->at_s = (uint32_t)n;
    else
        return false;
    return true;
}

static bool set_prior(struct prior *p, struct slice value)
{
    *p = (struct prior){.given = true, .age_s = BAN_SECONDS};
    while (value.len) {
        struct slice part = slice_first(value, slice_find(value, ','));
        value = slice_skip(value, part.len);
        value = slice_skip(value, value.len > 0);
        size_t colon = slice_find(part, ':');
        if (colon == part.len ||
            !set_prior_part(p, slice_first(part, colon), slice_skip(part, colon + 1)))
            return false;
    }
    return true;
}

/* Rules are taken as they are: one that can't be read must deny, not stop the test. */
static bool set_rules(struct run *r, struct slice value)
{
    if (value.len < 2 || value.ptr[0] != '[' || value.ptr[value.len - 1] != ']')
        return false;
    free(r->config.rules);
    r->config.rules = slice_to_string(slice_make(value.ptr + 1, value.len - 2));
    return r->config.rules != NULL;
}

static bool set_word(struct run *r, struct slice word)
{
    const char *why;
    size_t equals = slice_find(word, '=');
    if (equals == word.len)
        return false;
    struct slice name = slice_first(word, equals), value = slice_skip(word, equals + 1);
    if (slice_equal(name, SLICE_LITERAL("self"))) {
        r->own_given = true;
        return access_config_set(&r->config, SLICE_LITERAL("origin"), value, &why) == 0;
    }
    if (slice_equal(name, SLICE_LITERAL("public")))
        return r->production_table = slice_equal(value, SLICE_LITERAL("none"));
    if (slice_equal(name, SLICE_LITERAL("script")))
        return r->script_refuses = slice_equal(value, SLICE_LITERAL("401"));
    if (slice_equal(name, SLICE_LITERAL("rate")))
        return r->rate_over = slice_equal(value, SLICE_LITERAL("over"));
    if (slice_equal(name, SLICE_LITERAL("prior")))
        return set_prior(&r->prior, value);
    if (slice_equal(name, SLICE_LITERAL("rules")))
        return set_rules(r, value);
    return access_config_set(&r->config, name, value, &why) == 0;
}

static void set_default(struct run *r, const char *name, const char *value)
{
    const char *why;
    if (access_config_set(&r->config, slice_of(name), slice_of(value), &why) != 0)
        abort();
}

/* The defaults of the cases (their README). */
static bool set_config(struct run *r, struct slice column, bool web)
{
    if (!slice_equal(column, SLICE_LITERAL("-")))
        for (struct slice word; (word = take_word(&column)).len;)
            if (!set_word(r, word))
                return fail(r, "config", word);
    if (!r->own_given)
        set_default(r, "origin", web ? "https://b.test" : "https://a.example");
    if (!r->production_table) {
        set_default(r, "private", "203.0.113.0/24");
        set_default(r, "private", "2001:db8::/32");
    }
    set_default(r, "address", "203.0.113.1");
    set_default(r, "address", "2001:db8::1");
    if (r->rate_over)
        r->config.rate_client = (struct rate){.per_minute = 1, .burst = 1};
    return true;
}

/* ---- one row ---- */

static void ask_program(struct access_check *check)
{
    struct run *r = container_of(check, struct run, check);
    access_program_answer(check->access, check, !r->script_refuses, BAN_SECONDS, SLICE_NONE);
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct run *r = container_of(check, struct run, check);
    r->result = *result;
    r->done = true;
}

/* `\xHH` undone, in `out` of at least text.len bytes. */
static struct slice unescape(struct slice text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned code;
        char hex[3] = {0};
        if (text.len - i >= 4 && text.ptr[i] == '\\' && text.ptr[i + 1] == 'x') {
            memcpy(hex, text.ptr + i + 2, 2);
            if (sscanf(hex, "%2x", &code) == 1) {
                out[n++] = (char)code;
                i += 3;
                continue;
            }
        }
        out[n++] = text.ptr[i];
    }
    return slice_make(out, n);
}

static bool set_request(struct run *r, const struct row *row, char *target)
{
    struct access_request *q = &r->check.request;
    struct slice path = row->field[COLUMN_PATH], rest;
    struct own_origins own = {r->config.own, r->config.own_count};
    struct net_address nowhere = {0};
    if (!slice_equal(row->field[COLUMN_ORIGIN], SLICE_LITERAL("-")))
        q->origin = row->field[COLUMN_ORIGIN];
    if (slice_equal(path, SLICE_LITERAL("web"))) {
        struct origin url;
        q->path = ACCESS_PATH_WEB;
        if (!origin_parse_url(row->field[COLUMN_TARGET], &url, &rest))
            return fail(r, "target", row->field[COLUMN_TARGET]);
        char text[ORIGIN_TEXT_SIZE];
        struct slice written = origin_write(&url, text);
        struct slice host = slice_skip(written, url.scheme == ORIGIN_HTTPS ? 8 : 7);
        q->here_known = own_origin(&own, url.scheme, host, &nowhere, &q->here);
        q->url_path = slice_first(rest, slice_find(rest, '?'));
        return true;
    }
    q->path = slice_equal(path, SLICE_LITERAL("lib")) ? ACCESS_PATH_LIB : ACCESS_PATH_TCP;
    q->target = unescape(row->field[COLUMN_TARGET], target);
    return q->path == ACCESS_PATH_LIB || slice_equal(path, SLICE_LITERAL("tcp")) ||
           fail(r, "path", path);
}

static void add_prior(struct run *r)
{
    struct access_request before = r->check.request;
    before.url_path = r->prior.path;
    if (r->prior.other_origin)
        before.origin = SLICE_LITERAL("https://other.example");
    access_ban(&r->access, &before, r->prior.age_s, r->prior.policy_path, 0);
}

/* Until the verdict; nothing here waits for real time. */
static void drive(struct run *r, uint64_t now_ms)
{
    access_check(&r->access, &r->check, now_ms);
    while (!r->done) {
        bool answered = recorded_run(&r->recorded);
        uint64_t due = access_due_ms(&r->access);
        if (!answered && due > now_ms)
            now_ms = due;
        access_run(&r->access, now_ms);
    }
}

static bool evaluate(struct run *r, const struct row *row, char *target)
{
    struct bans *bans = bans_new(64);
    struct rates *rates = rates_new(64);
    if (!bans || !rates)
        abort();
    access_init(&r->access, &r->config, &r->recorded.resolver, bans, rates, NULL);
    bool good = set_request(r, row, target);
    if (good) {
        uint64_t now_ms = r->prior.at_s * 1000ull;
        r->check.ask_program = ask_program;
        r->check.on_verdict = on_verdict;
        if (r->prior.given)
            add_prior(r);
        if (r->rate_over) {
            struct net_client_key *client = &r->check.request.client;
            rates_take(rates, &r->config.rate_client, ACCESS_RATE_KIND_CLIENT,
                       slice_make(client->bytes, sizeof(client->bytes)), now_ms);
        }
        drive(r, now_ms);
    }
    access_done(&r->access);
    bans_free(bans);
    rates_free(rates);
    for (size_t i = 0; good && i < r->recorded.asked_count; i++)
        if (r->recorded.asked[i].times > 1)
            return fail(r, "asked twice", slice_of(r->recorded.asked[i].name));
    return good;
}

/* ---- the verdict beside what was wanted ---- */

static bool wants_number(struct slice field, uint16_t number)
{
    uint64_t wanted;
    if (slice_equal(field, SLICE_LITERAL("-")))
        return number == 0;
    return slice_to_uint(field, 65535, &wanted) && wanted == number;
}

static bool connects_to(const struct access_result *result, struct slice address)
{
    struct ip ip;
    if (!ip_parse(address, &ip))
        return false;
    for (size_t i = 0; i < result->count; i++)
        if (ip_equal(&result->addresses[i], &ip))
            return true;
    return false;
}

/* Addresses are a set; in the column they stand with spaces or commas between. */
static bool wants_addresses(struct slice field, const struct access_result *result)
{
    size_t count = 0;
    if (slice_equal(field, SLICE_LITERAL("-")))
        return result->count == 0 && !result->local;
    if (slice_equal(field, SLICE_LITERAL("local")))
        return result->local;
    while (field.len) {
        size_t len = 0;
        while (len < field.len && !memchr(" ,", field.ptr[len], 2))
            len++;
        if (len && !connects_to(result, slice_first(field, len)))
            return false;
        count += len > 0;
        field = slice_skip(field, len + (len < field.len));
    }
    return count == result->count;
}

static bool matches(const struct row *row, const struct access_result *result)
{
    const struct access_reason_row *reason = access_reason_row(result->reason);
    return slice_equal(row->field[COLUMN_VERDICT],
                       slice_of(access_verdict_name(reason->verdict))) &&
           slice_equal(row->field[COLUMN_REASON], slice_of(reason->token)) &&
           wants_number(row->field[COLUMN_HTTP], reason->http) &&
           wants_number(row->field[COLUMN_CLOSE], reason->ws_close) &&
           wants_addresses(row->field[COLUMN_CONNECT], result);
}

static void print_difference(const struct row *row, const struct access_result *result)
{
    const struct access_reason_row *reason = access_reason_row(result->reason);
    printf("%.*s: wanted", SLICE_ARG(row->field[COLUMN_ID]));
    for (int i = COLUMN_VERDICT; i <= COLUMN_CONNECT; i++)
        printf(" %.*s", SLICE_ARG(row->field[i]));
    printf("; got %s %u ", access_verdict_name(reason->verdict), reason->http);
    if (reason->ws_close)
        printf("%u", reason->ws_close);
    else
        printf("-");
    printf(" %s %s", reason->token, result->local ? "local" : result->count ? "" : "-");
    for (size_t i = 0; i < result->count; i++) {
        char text[IP_TEXT_SIZE];
        printf("%s%s", i ? " " : "", ip_print(&result->addresses[i], text).ptr);
    }
    printf("\n");
}

static bool test_row(const struct row *row)
{
    struct run *r = calloc(1, sizeof(*r));
    char *target = malloc(row->field[COLUMN_TARGET].len + 1);
    const char *why = NULL;
    if (!r || !target)
        abort();
    struct slice column = row->field[COLUMN_DNS];
    access_config_init(&r->config);
    struct public_suffixes suffixes = {.is_suffix = is_suffix, .ctx = r->config.suffixes};
    r->config.suffixes = &suffixes;
    bool good = set_config(r, row->field[COLUMN_CONFIG],
                           slice_equal(row->field[COLUMN_PATH], SLICE_LITERAL("web")));
    if (recorded_init(&r->recorded, column, &why) != 0)
        good = fail(r, "dns", slice_of(why));
    good = good && evaluate(r, row, target);
    if (!good)
        printf("%.*s: %s\n", SLICE_ARG(row->field[COLUMN_ID]), r->text);
    else if (!matches(row, &r->result)) {
        print_difference(row, &r->result);
        good = false;
    }
    recorded_done(&r->recorded);
    access_config_done(&r->config);
    free(target);
    free(r);
    return good;
}

/* ---- the file ---- */

static int split(struct slice line, struct slice fields[FIELDS_MAX])
{
    int count = 0;
    while (count < FIELDS_MAX) {
        fields[count] = slice_first(line, slice_find(line, '\t'));
        line = slice_skip(line, fields[count].len);
        count++;
        if (!line.len)
            break;
        line = slice_skip(line, 1);
    }
    return count;
}

static bool read_header(struct slice line, struct table *t)
{
    struct slice fields[FIELDS_MAX];
    int count = split(line, fields);
    for (int c = 0; c < COLUMNS; c++) {
        t->index[c] = -1;
        for (int i = 0; i < count; i++)
            if (slice_equal(fields[i], slice_of(column_names[c])))
                t->index[c] = i;
        if (t->index[c] < 0) {
            fprintf(stderr, "httpsocket: the first line names no column '%s'\n", column_names[c]);
            return false;
        }
    }
    return true;
}

static bool read_row(struct slice line, const struct table *t, struct row *ret)
{
    struct slice fields[FIELDS_MAX];
    int count = split(line, fields);
    for (int c = 0; c < COLUMNS; c++) {
        if (t->index[c] >= count)
            return false;
        ret->field[c] = fields[t->index[c]];
    }
    return true;
}

static int test_file(FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    unsigned passed = 0, failed = 0, number = 0;
    struct table table;
    for (ssize_t len; (len = getline(&line, &size, file)) >= 0;) {
        struct slice text = slice_make(line, (size_t)len);
        struct row row;
        while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
            text.len--;
        number++;
        if (number == 1) {
            if (!read_header(text, &table)) {
                free(line);
                return CLI_USAGE;
            }
            continue;
        }
        if (text.len == 0 || text.ptr[0] == '#')
            continue;
        bool good = read_row(text, &table, &row);
        if (!good)
            printf("line %u: too few columns\n", number);
        good = good && test_row(&row);
        passed += good;
        failed += !good;
    }
    free(line);
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed ? CLI_FAILURE : CLI_OK;
}

int policy_test_command(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--help") == 0) {
        FILE *to = argc == 2 ? stdout : stderr;
        fprintf(to, "usage: httpsocket policy test FILE.tsv\n"
                    "Checks cases of script access against the DNS answers recorded in them.\n");
        return argc == 2 ? CLI_OK : CLI_USAGE;
    }
    FILE *file = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "re");
    if (!file) {
        fprintf(stderr, "httpsocket: %s: %s\n", argv[1], strerror(errno));
        return CLI_USAGE;
    }
    int status = test_file(file);
    if (file != stdin)
        fclose(file);
    return status;
}
