/* SPDX-License-Identifier: MIT */
/* config.h - the settings of a server: defaults, then the config file, then the command line.
 * options.def lists them.
 *
 * A config is read whole, checked whole, and then never changed; a reload makes a new one.
 */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "admin/tokens.h"
#include "base/text.h"
#include "limits/rates.h"
#include "net/address.h"
#include "program/kinds.h"
#include "program/rights.h"
#include "proto/origin.h"
#include "serve/broker_settings.h"
#include "serve/proxies.h"

struct config_list {
    char **items; /* owned */
    size_t count;
};

struct config {
#define TEXT(field, ...)   char *field;
#define LIST(field, ...)   struct config_list field;
#define NUMBER(field, ...) uint64_t field;
#define SIZE(field, ...)   uint64_t field;
#define TIME(field, ...)   uint64_t field;
#define CHOICE(field, ...) char *field;
#define FLAG(field, ...)   bool field;
#include "serve/options.def"
#undef TEXT
#undef LIST
#undef NUMBER
#undef SIZE
#undef TIME
#undef CHOICE
#undef FLAG
    char *file;             /* that was read; NULL: none */
    bool listen_by_default; /* no setting says where to listen */
    /* Made by config_check from the texts above. */
    struct net_address *addresses;
    struct origin *origins;
    struct program_kinds *programs;
    struct program_rights *rights;
    struct net_address admin_address, cluster_listen_address;
    struct tokens *tokens; /* of publish-token; NULL: none */
    struct rate publish_rate, handshake_rate;
    struct proxies proxies;
    struct broker_settings *brokers; /* one reference; NULL: none */
};

/* How many settings there are. */
enum {
    CONFIG_SETTINGS = 0
#define TEXT(...)   +1
#define LIST(...)   +1
#define NUMBER(...) +1
#define SIZE(...)   +1
#define TIME(...)   +1
#define CHOICE(...) +1
#define FLAG(...)   +1
#include "serve/options.def"
#undef TEXT
#undef LIST
#undef NUMBER
#undef SIZE
#undef TIME
#undef CHOICE
#undef FLAG
};

/* The defaults. NULL without memory. */
struct config *config_new(void);
void config_free(struct config *c);

/* One setting by its name, as text. False with what was expected in `why`. A list's first value
 * from one source (`fresh`) replaces what a weaker source said. */
bool config_set(struct config *c, const char *name, const char *value, bool fresh,
                struct text *why);
bool config_is_list(const char *name);
/* Whether the setting takes no argument on the command line. */
bool config_is_flag(const char *name);
/* False for a name that no setting has. */
bool config_known(const char *name);

/* Checks the config as a whole: addresses, origins and the settings of script access parse,
 * certificate and key come together. False with `why`. */
bool config_check(struct config *c, struct text *why);

/* How many worker threads there are to be. */
uint16_t config_workers(const struct config *c);

/* Names of the settings that differ and that a running server can't change. */
void config_fixed_changes(const struct config *old, const struct config *now, struct text *ret);

/* The values of one setting as texts: those of a list; of another kind one, or none if it is empty.
 * NULL after the last one, and for numbers and flags. */
const char *config_value(const struct config *c, const char *name, size_t index);

/* Calls `each` for each setting that names a file or folder which is read. */
void config_each_file(const struct config *c,
                      void (*each)(void *arg, const char *name, const char *path), void *arg);

/* The options' part of --help. */
void config_help(struct text *out);

/* Calls `each` for each setting, with its name and the letter of its option. */
void config_each(void (*each)(void *arg, const char *name, char letter), void *arg);

#endif
