/* SPDX-License-Identifier: MIT */
#include "cli/record.h"

#include "access/suffixes.h"
#include "cli/command.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

static void print_fault(struct slice record, const struct access_fault *fault)
{
    printf("  %.*s\n  ", SLICE_ARG(record));
    for (size_t i = 0; i < fault->at; i++)
        putchar(' ');
    printf("^\nfault: at octet %zu, expected %s\n", fault->at, fault->expected);
}

/* Warns of patterns that are correct and yet perhaps not meant so. Returns how many. */
static int warn_patterns(const char *tag, struct slice list)
{
    const struct public_suffixes *suffixes = public_suffixes();
    bool deny = strcmp(tag, "deny") == 0;
    int warnings = 0;
    struct access_pattern p;
    while (access_pattern_next(&list, &p)) {
        bool one_label = slice_find(p.name, '.') == p.name.len;
        bool suffix = suffixes && !one_label && suffixes->is_suffix(suffixes->ctx, p.name);
        if (p.wildcard && !deny && (one_label || suffix)) {
            printf("warning: %s=*.%.*s matches nothing: %.*s is a public suffix or one label\n",
                   tag, SLICE_ARG(p.name), SLICE_ARG(p.name));
            warnings++;
        }
        char *text = slice_to_string(p.name);
        uint8_t *ascii = NULL;
        if (text && idn2_lookup_u8((uint8_t *)text, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK) {
            printf("warning: %s=%s is no valid internationalised name (IDNA 2008)\n", tag, text);
            warnings++;
        }
        if (ascii)
            idn2_free(ascii);
        free(text);
    }
    return warnings;
}

static int warn_ports(const struct access_record *r, bool reverse)
{
    int warnings = 0;
    if (!r->port.ptr && !reverse && (r->via & ACCESS_VIA_TCP)) {
        printf("note: no port=, so no raw TCP; pages may connect to a web server here\n");
        return 0;
    }
    struct slice rest = r->port;
    while (rest.len) {
        struct slice item = slice_first(rest, slice_find(rest, ','));
        rest = slice_skip(rest, item.len);
        rest = slice_skip(rest, rest.len > 0);
        if (slice_find(item, '-') < item.len || slice_equal(item, SLICE_LITERAL("*"))) {
            printf("note: port=%.*s leaves out the ports that browsers block (22, 25, 6667, ...); "
                   "list them singly\n",
                   SLICE_ARG(item));
        } else if (slice_equal(item, SLICE_LITERAL("25"))) {
            printf("warning: port 25 needs the gateway's operator as well\n");
            warnings++;
        }
    }
    return warnings;
}

static bool lint(struct slice record, bool reverse)
{
    struct access_record r;
    struct access_fault fault;
    if (record.len > ACCESS_RECORD_MAX) {
        printf("fault: %zu octets; at most %d are read\n", record.len, ACCESS_RECORD_MAX);
        return false;
    }
    switch (access_record_parse(record, reverse ? ACCESS_REVERSE : ACCESS_FORWARD, &r, &fault)) {
    case ACCESS_RECORD_FOREIGN:
        printf("fault: not a script-access record, and ignored as if absent: it must begin with "
               "v=sa1\n");
        return false;
    case ACCESS_RECORD_BAD:
        print_fault(record, &fault);
        printf("A record with a fault refuses every page, and with it all records of its name.\n");
        return false;
    case ACCESS_RECORD_OK:
        break;
    }
    int warnings = warn_patterns("allow", r.allow) + warn_patterns("deny", r.deny) +
                   warn_patterns("host", r.host) + warn_ports(&r, reverse);
    if (reverse && !r.host.ptr) {
        printf("warning: no host=, so this vetoes every name that points here\n");
        warnings++;
    }
    printf("ok%s\n", warnings ? ", with warnings" : "");
    return true;
}

int record_lint(char **records, int count, bool reverse)
{
    bool good = true;
    size_t octets = 0;
    for (int i = 0; i < count; i++) {
        good &= lint(slice_of(records[i]), reverse);
        octets += strlen(records[i]);
    }
    if (count > ACCESS_RECORDS_MAX || octets > ACCESS_OCTETS_MAX) {
        printf("fault: at most %d records of %d octets together\n", ACCESS_RECORDS_MAX,
               ACCESS_OCTETS_MAX);
        good = false;
    }
    return good ? CLI_OK : CLI_FAILURE;
}
