/* SPDX-License-Identifier: MIT */
#include "cli/record.h"

#include "access/ip.h"
#include "access/target.h"
#include "cli/command.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

bool record_add_pattern(char list[RECORD_TEXT_SIZE], struct slice text)
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
        n = snprintf(list + used, RECORD_TEXT_SIZE - used, "%s%.*s%s%.*s", used ? " " : "",
                     SLICE_ARG(head), ascii ? (char *)ascii : plain, SLICE_ARG(port));
    if (ascii)
        idn2_free(ascii);
    free(plain);
    struct access_pattern p;
    return n > 0 && (size_t)n < RECORD_TEXT_SIZE - used &&
           access_pattern_parse(slice_of(list + used + (used > 0)), &p, NULL);
}

static bool write_text(const struct record_draft *d, char text[8 * RECORD_TEXT_SIZE])
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
        if (strlen(tags[i].value) >= RECORD_TEXT_SIZE)
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

static bool find_owner(const struct record_draft *d, char owner[512])
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

int record_write(const struct record_draft *d)
{
    static char text[8 * RECORD_TEXT_SIZE];
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
