/* SPDX-License-Identifier: MIT */
/* policy_test.c - `httpsocket policy test FILE.tsv`: recorded cases, each beside what it wants.
 *
 * The columns are found by the names in the first line.
 */
#include "cli/command.h"
#include "cli/policy_case.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const column_names[CASE_COLUMNS] = {
    "id",      "path", "page_origin", "target", "dns",        "config",
    "verdict", "http", "ws_close",    "reason", "connect_to",
};
enum {
    FIELDS_MAX = 32
};

struct table {
    int index[CASE_COLUMNS]; /* field of a row */
};

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

static bool matches(const struct case_row *row, const struct access_result *result)
{
    const struct access_reason_row *reason = access_reason_row(result->reason);
    return slice_equal(row->field[CASE_VERDICT], slice_of(access_verdict_name(reason->verdict))) &&
           slice_equal(row->field[CASE_REASON], slice_of(reason->token)) &&
           wants_number(row->field[CASE_HTTP], reason->http) &&
           wants_number(row->field[CASE_CLOSE], reason->ws_close) &&
           wants_addresses(row->field[CASE_CONNECT], result);
}

static void print_difference(const struct case_row *row, const struct access_result *result)
{
    const struct access_reason_row *reason = access_reason_row(result->reason);
    printf("%.*s: wanted", SLICE_ARG(row->field[CASE_ID]));
    for (int i = CASE_VERDICT; i <= CASE_CONNECT; i++)
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

static bool test_row(const struct case_row *row)
{
    struct access_result result;
    char why[CASE_WHY_SIZE];
    if (!case_decide(row, &result, why)) {
        printf("%.*s: %s\n", SLICE_ARG(row->field[CASE_ID]), why);
        return false;
    }
    if (matches(row, &result))
        return true;
    print_difference(row, &result);
    return false;
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
    for (int c = 0; c < CASE_COLUMNS; c++) {
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

static bool read_row(struct slice line, const struct table *t, struct case_row *ret)
{
    struct slice fields[FIELDS_MAX];
    int count = split(line, fields);
    for (int c = 0; c < CASE_COLUMNS; c++) {
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
        struct case_row row;
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
