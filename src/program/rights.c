/* SPDX-License-Identifier: MIT */
#include "program/rights.h"

#include "base/log.h"

#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROUPS_MAX = 1024
};

struct user {
    struct user *next;
    char *pattern; /* owned; NULL: all programs */
    struct process_identity identity;
    struct process_rights rights;
};

struct program_rights {
    struct process_limit limits[RLIM_NLIMITS];
    struct process_rights all;
    struct user *users, **last;
};

struct program_rights *program_rights_new(bool may_gain)
{
    struct program_rights *rights = log_needed(calloc(1, sizeof(*rights)));
    if (!rights)
        return NULL;
    rights->all.limits = rights->limits;
    rights->all.may_gain = may_gain;
    rights->last = &rights->users;
    return rights;
}

static void free_user(struct user *user)
{
    free(user->pattern);
    free(user->identity.groups);
    free(user);
}

void program_rights_free(struct program_rights *rights)
{
    while (rights && rights->users) {
        struct user *user = rights->users;
        rights->users = user->next;
        free_user(user);
    }
    free(rights);
}

void program_rights_limit(struct program_rights *rights, int resource, struct rlimit value)
{
    int at = 0;
    while (at < rights->all.limit_count && rights->limits[at].resource != resource)
        at++;
    rights->limits[at] = (struct process_limit){resource, value};
    if (at == rights->all.limit_count)
        rights->all.limit_count++;
}

/* ---- users ---- */

static bool find_group(const char *name, gid_t *ret)
{
    uint64_t number;
    const struct group *group = getgrnam(name);
    if (group)
        *ret = group->gr_gid;
    else if (slice_to_uint(slice_of(name), UINT32_MAX - 1, &number))
        *ret = (gid_t)number;
    else
        return false;
    return true;
}

/* The user's groups too, unless a group is given. */
static bool find_user(struct process_identity *id, const char *name, const char *group)
{
    uint64_t number;
    const struct passwd *user = getpwnam(name);
    bool is_number = slice_to_uint(slice_of(name), UINT32_MAX - 1, &number);
    if (!user && is_number)
        user = getpwuid((uid_t)number);
    if (!user && (!is_number || !group))
        return false;
    id->uid = user ? user->pw_uid : (uid_t)number;
    if (group)
        return find_group(group, &id->gid);
    id->gid = user->pw_gid;
    id->group_count = GROUPS_MAX;
    return getgrouplist(user->pw_name, id->gid, id->groups, &id->group_count) >= 0;
}

bool program_rights_user(struct program_rights *rights, const char *text, struct text *why)
{
    struct user *user = log_needed(calloc(1, sizeof(*user)));
    char *words = log_needed(strdup(text)), *name = words, *group = NULL;
    char *mark = words && words[0] == '/' ? strchr(words, '=') : NULL;
    bool good = user && words;
    if (good && mark) {
        *mark = '\0';
        name = mark + 1;
        good = (user->pattern = log_needed(strdup(words)));
    }
    if (good)
        good = (user->identity.groups = log_needed(calloc(GROUPS_MAX, sizeof(gid_t))));
    if (good && (group = strchr(name, ':')))
        *group++ = '\0';
    if (good && !find_user(&user->identity, name, group)) {
        text_printf(why, "run-as: expected [PATTERN=]USER[:GROUP] of this system, not `%s`", text);
        good = false;
    }
    free(words);
    if (!good) {
        if (user)
            free_user(user);
        return false;
    }
    user->rights = rights->all;
    user->rights.identity = &user->identity;
    *rights->last = user;
    rights->last = &user->next;
    return true;
}

bool program_rights_can(const struct program_rights *rights, struct text *why)
{
    if (!rights->users || process_may_change_user())
        return true;
    text_printf(why, "run-as: needs root, or CAP_SETUID, CAP_SETGID and CAP_KILL");
    return false;
}

/* ---- looking ---- */

const struct process_rights *program_rights_of(const struct program_rights *rights,
                                               const char *path)
{
    const struct user *general = NULL;
    for (const struct user *user = rights ? rights->users : NULL; user; user = user->next) {
        if (user->pattern && fnmatch(user->pattern, path, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
            return &user->rights;
        if (!user->pattern && !general)
            general = user;
    }
    if (general)
        return &general->rights;
    return rights ? &rights->all : NULL;
}
