/* SPDX-License-Identifier: MIT */
/* config.h - what the operator decides about script access.
 *
 * Values are set by name from text, the same way from the command line, a config file and a file of
 * cases. A value that can't be read is refused with what was expected, and changes nothing.
 *
 * Lifetime  Set up before the first check and not changed under one; owned by its maker.
 */
#ifndef ACCESS_CONFIG_H
#define ACCESS_CONFIG_H

#include "access/ip.h"
#include "access/target.h"
#include "limits/rates.h"
#include "proto/access_pattern.h"
#include "proto/origin.h"

enum access_consent {
    ACCESS_CONSENT_STRICT,
    ACCESS_CONSENT_VETO,
    ACCESS_CONSENT_OFF
};
enum access_dnssec {
    ACCESS_DNSSEC_ANY,
    ACCESS_DNSSEC_POLICY,
    ACCESS_DNSSEC_ALL
};

struct port_range {
    uint16_t first, last;
};

struct access_config {
    struct origin *origins; /* empty: loopback names and the address a connection came in on */
    size_t origin_count;
    struct port_range *self_ports; /* of this machine, opened to pages */
    size_t self_ports_count;
    struct ip_range *lifted; /* ranges that count as public */
    size_t lifted_count;
    struct ip *addresses; /* the gateway's own */
    size_t addresses_count;
    struct target *vouched; /* targets that need neither record nor consent */
    size_t vouched_count;
    char *blocked;   /* patterns of targets, read as denies; NULL: none */
    char *rules;     /* proto/access_rules.h; NULL: none */
    bool rules_only; /* the rules replace the record */
    bool unblock_25;
    enum access_consent consent;
    enum access_dnssec dnssec;
    const struct public_suffixes *suffixes; /* borrowed: lives as long as the program */
    /* Limits. */
    struct rate rate_client, rate_origin; /* checks by one client, by one origin */
    struct rate rate_lookups;             /* DNS look-ups begun for one client */
    struct rate rate_programs;            /* page programs started for one client */
    uint32_t pending_max, pending_client_max, pending_origin_max, deadline_ms, cache_max;
};

/* The defaults of script-access: strict consent, any DNSSEC, nothing opened. */
void access_config_init(struct access_config *c);
void access_config_done(struct access_config *c);

/* Names: origin, self-ports, private, address, vouch, block, rules (these add to what is there),
 * policy (dns or config), unblock (25), consent, dnssec, rate-client, rate-origin, rate-lookups,
 * rate-programs. 0, or -EINVAL with *why set, or -ENOMEM. */
int access_config_set(struct access_config *c, struct slice name, struct slice value,
                      const char **why);

/* The names of the settings, for readers of a file or a command line; NULL after the last one. */
const char *access_config_name(size_t index);

/* Adds the addresses of this machine's interfaces. Negative errno on failure. */
int access_config_add_interfaces(struct access_config *c);

bool access_config_self_port(const struct access_config *c, uint16_t port);
bool access_config_vouches(const struct access_config *c, const struct target *t);
bool access_config_blocks(const struct access_config *c, const struct target *t);
bool access_config_is_own_address(const struct access_config *c, const struct ip *ip);
/* NULL if connecting to the address is allowed, otherwise the address's class. */
const char *access_config_class(const struct access_config *c, const struct ip *ip);

#endif
