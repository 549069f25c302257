/* policy_record.c - `httpsocket policy record`: writes a script-access record from plain options,
 * or lints one that is given. The parser is the server's own (proto/access_record.h).
 */
#include "access/ip.h"
#include "access/suffixes.h"
#include "access/target.h"
#include "cli/command.h"
#include "proto/access_record.h"

#include <getopt.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: httpsocket policy record [--name HOST] [--allow PATTERN]... [--deny PATTERN]...\n"
    "           [--port LIST] [--via tcp|web|tcp,web] [--max-age SECONDS] [--note TEXT]\n"
    "       httpsocket policy record --address IP --host PATTERN... [the same]\n"
    "       httpsocket policy record [--reverse] RECORD...\n"
    "\n"
    "Writes the TXT record that lets pages connect to HOST, or in the second form the one by which "
    "the\n"
    "owner of an address consents; or lints records as they stand in the DNS, without outer "
    "quotes.\n"
    "\n"
    "PATTERN  *, a.example, *.a.example, http://a.example, a.example:8443, a.example:*\n"
    "LIST     ports and ranges: 6667,7000-7010, or *; a port that browsers block must stand "
    "singly\n"
    "\n"
    "Exit status: 0 the record is good; 1 it has a fault; 2 usage.\n";

enum {
    TEXT_SIZE = 2 * ACCESS_RECORD_MAX
};

struct draft {
    const char *name, *address, *port, *via, *max_age, *note;
    char allow[TEXT_SIZE], deny[TEXT_SIZE], host[TEXT_SIZE];
    bool reverse;
};

/* ---- lint ---- */

static void print_fault(struct slice record, const struct access_fault *fault)
{
    printf("  %.*s\n  ", SLICE_ARG(record));
    for (size_t i = 0; i < fault->at; i++)
        putchar(' ');
    printf("^\nfault: at octet %zu, expected %s\n", fault->at, fault->expected);
}

/* What is correct and yet perhaps not what was meant. Returns how many. */
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

static int lint_all(char **records, int count, bool reverse)
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

/* ---- writing ---- */

/* One pattern, its name made into A-labels, appended to a list. */
static bool add_pattern(char list[TEXT_SIZE], struct slice text)
{
    struct slice rest = text;
    const char *scheme = memmem(text.ptr, text.len, "://", 3);
    if (scheme)
        rest = slice_skip(text, (size_t)(scheme + 3 - text.ptr));
    if (slice_starts_with(rest, SLICE_LITERAL("*.")))
        rest = slice_skip(rest, 2);
    struct slice head = slice_first(text, text.len - rest.len);
    struct slice name = slice_first(rest, slice_find(rest, ':'));
    struct slice port = slice_skip(rest, name.len);

    char *plain = slice_to_string(name);
    uint8_t *ascii = NULL;
    bool good = plain && (slice_equal(text, SLICE_LITERAL("*")) ||
                          idn2_lookup_u8((uint8_t *)plain, &ascii,
                                         IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK);
    size_t used = strlen(list);
    int n = 0;
    if (good)
        n = snprintf(list + used, TEXT_SIZE - used, "%s%.*s%s%.*s", used ? " " : "",
                     SLICE_ARG(head), ascii ? (char *)ascii : plain, SLICE_ARG(port));
    if (ascii)
        idn2_free(ascii);
    free(plain);
    struct access_pattern p;
    return n > 0 && (size_t)n < TEXT_SIZE - used &&
           access_pattern_parse(slice_of(list + used + (used > 0)), &p, NULL);
}

static bool write_text(const struct draft *d, char text[8 * TEXT_SIZE])
{
    const struct {
        const char *tag, *value;
    } tags[] = {
        {"host", d->host}, {"allow", d->allow},     {"deny", d->deny}, {"port", d->port},
        {"via", d->via},   {"max-age", d->max_age}, {"note", d->note},
    };
    int n = sprintf(text, "v=sa1");
    for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
        if (!tags[i].value || !*tags[i].value)
            continue;
        if (strlen(tags[i].value) >= TEXT_SIZE)
            return false;
        n += sprintf(text + n, "; %s=%s", tags[i].tag, tags[i].value);
    }
    return true;
}

/* In zone-file form: strings of at most 255 octets, quotes and backslashes escaped. */
static void print_zone_line(const char *owner, struct slice text)
{
    printf("%s TXT", owner);
    while (text.len) {
        struct slice part = slice_first(text, 255);
        text = slice_skip(text, part.len);
        printf(" \"");
        for (size_t i = 0; i < part.len; i++) {
            unsigned char c = (unsigned char)part.ptr[i];
            if (c == '"' || c == '\\')
                printf("\\%c", c);
            else if (c < ' ' || c > '~')
                printf("\\%03u", c);
            else
                putchar(c);
        }
        printf("\"");
    }
    printf("\n");
}

static bool find_owner(const struct draft *d, char owner[512])
{
    struct target t;
    struct ip ip;
    enum access_reason why;
    char text[TARGET_TEXT_SIZE + 8], reverse[IP_REVERSE_SIZE];
    if (d->address) {
        if (!ip_parse(slice_of(d->address), &ip)) {
            fprintf(stderr, "httpsocket: --address '%s': expected an IP address\n", d->address);
            return false;
        }
        sprintf(owner, "_script-access.%s.", ip_reverse_name(&ip, reverse).ptr);
        return true;
    }
    strcpy(owner, "_script-access");
    if (!d->name)
        return true;
    bool fits = strlen(d->name) < TARGET_HOST_SIZE;
    if (fits)
        sprintf(text, "%s:1", d->name);
    if (!fits || !target_parse(slice_of(text), &t, &why)) {
        fprintf(stderr, "httpsocket: --name '%s': expected a host name in the public DNS\n",
                d->name);
        return false;
    }
    sprintf(owner, "_script-access.%s.", t.host);
    return true;
}

static int write_record(const struct draft *d)
{
    static char text[8 * TEXT_SIZE];
    char owner[512];
    struct access_record r;
    struct access_fault fault;
    bool reverse = d->address != NULL;
    if (!find_owner(d, owner))
        return CLI_USAGE;
    if (!write_text(d, text) || strlen(text) > ACCESS_RECORD_MAX) {
        fprintf(stderr, "httpsocket: more than %d octets; write several records\n",
                ACCESS_RECORD_MAX);
        return CLI_USAGE;
    }
    if (access_record_parse(slice_of(text), reverse ? ACCESS_REVERSE : ACCESS_FORWARD, &r,
                            &fault) != ACCESS_RECORD_OK) {
        fprintf(stderr, "httpsocket: \"%s\": at octet %zu, expected %s\n", text, fault.at,
                fault.expected);
        return CLI_USAGE;
    }
    if (reverse && !r.host.ptr && !r.deny.ptr) {
        fprintf(stderr,
                "httpsocket: --address needs --host, the name that may point there, or --deny\n");
        return CLI_USAGE;
    }
    print_zone_line(owner, slice_of(text));
    return CLI_OK;
}

/* ---- the command line ---- */

enum {
    OPTION_NAME = 256,
    OPTION_ADDRESS,
    OPTION_HOST,
    OPTION_ALLOW,
    OPTION_DENY,
    OPTION_PORT,
    OPTION_VIA,
    OPTION_MAX_AGE,
    OPTION_NOTE,
    OPTION_REVERSE
};

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"host", required_argument, NULL, OPTION_HOST},
    {"allow", required_argument, NULL, OPTION_ALLOW},
    {"deny", required_argument, NULL, OPTION_DENY},
    {"port", required_argument, NULL, OPTION_PORT},
    {"via", required_argument, NULL, OPTION_VIA},
    {"max-age", required_argument, NULL, OPTION_MAX_AGE},
    {"note", required_argument, NULL, OPTION_NOTE},
    {"reverse", no_argument, NULL, OPTION_REVERSE},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool take_pattern(char list[TEXT_SIZE])
{
    if (add_pattern(list, slice_of(optarg)))
        return true;
    fprintf(stderr, "httpsocket: '%s': expected a pattern such as a.example or *.a.example\n",
            optarg);
    return false;
}

/* False for what is no option or has no good value. */
static bool take_option(int option, struct draft *d)
{
    switch (option) {
    case OPTION_NAME:
        d->name = optarg;
        return true;
    case OPTION_ADDRESS:
        d->address = optarg;
        return true;
    case OPTION_HOST:
        return take_pattern(d->host);
    case OPTION_ALLOW:
        return take_pattern(d->allow);
    case OPTION_DENY:
        return take_pattern(d->deny);
    case OPTION_PORT:
        d->port = optarg;
        return true;
    case OPTION_VIA:
        d->via = optarg;
        return true;
    case OPTION_MAX_AGE:
        d->max_age = optarg;
        return true;
    case OPTION_NOTE:
        d->note = optarg;
        return true;
    case OPTION_REVERSE:
        d->reverse = true;
        return true;
    default:
        fputs(usage, stderr);
        return false;
    }
}

int policy_record_command(int argc, char **argv)
{
    static struct draft d;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (!take_option(option, &d))
            return CLI_USAGE;
    }
    if (optind < argc)
        return lint_all(argv + optind, argc - optind, d.reverse);
    if (argc == 1) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    return write_record(&d);
}
