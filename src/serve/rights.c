/* SPDX-License-Identifier: MIT */
#include "serve/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned for_programs = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL;

static const struct passwd *user_of(const struct config *c)
{
    return *c->user ? getpwnam(c->user) : NULL;
}

static const struct group *group_of(const struct config *c)
{
    return *c->group ? getgrnam(c->group) : NULL;
}

void rights_of(const struct config *c, struct rights *ret)
{
    const struct passwd *user = user_of(c);
    *ret = (struct rights){user ? user->pw_uid : (uid_t)-1, user ? user->pw_gid : (gid_t)-1};
    const struct group *group = group_of(c);
    if (group)
        ret->gid = group->gr_gid;
}

bool rights_check(const struct config *c, struct text *why)
{
    if (*c->user && !user_of(c)) {
        text_printf(why, "user: there is no user `%s`", c->user);
        return false;
    }
    if (*c->group && !group_of(c)) {
        text_printf(why, "group: there is no group `%s`", c->group);
        return false;
    }
    if (*c->group && !*c->user && geteuid() == 0) {
        text_printf(why, "group: root needs `user` too");
        return false;
    }
    return true;
}

/* ---- what is read later ---- */

struct reading {
    const struct config *config;
    struct text *why;
    bool good;
};

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void try_reading(struct reading *r, const char *setting, const char *path)
{
    if (!r->good || can_read(path))
        return;
    r->good = false;
    text_printf(r->why, "%s: `%s`: %s, for the user `%s` whose rights the server has", setting,
                path, strerror(errno), r->config->user);
}

static void try_setting(void *arg, const char *name, const char *path)
{
    try_reading(arg, name, path);
}

static bool can_read_all(const struct config *c, struct text *why)
{
    struct reading r = {.config = c, .why = why, .good = true};
    if (c->file)
        try_reading(&r, "config", c->file);
    config_each_file(c, try_setting, &r);
    return r.good;
}

/* ---- the drop ---- */

static bool set_capabilities(unsigned set)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = set, .permitted = set}};
    return syscall(SYS_capset, &head, data) == 0;
}

static bool set_groups(const struct config *c, const struct rights *rights)
{
    return *c->group ? setgroups(1, &rights->gid) == 0 : initgroups(c->user, rights->gid) == 0;
}

/* A process that can become root again has given up nothing. */
static bool is_dropped(const struct rights *rights)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    return getresuid(&real, &effective, &saved) == 0 &&
           getresgid(&real_group, &effective_group, &saved_group) == 0 && real == rights->uid &&
           effective == rights->uid && saved == rights->uid && real_group == rights->gid &&
           effective_group == rights->gid && saved_group == rights->gid;
}

static bool become(const struct config *c, const struct rights *rights, bool keep_for_programs)
{
    return prctl(PR_SET_KEEPCAPS, keep_for_programs) == 0 && set_groups(c, rights) &&
           setresgid(rights->gid, rights->gid, rights->gid) == 0 &&
           setresuid(rights->uid, rights->uid, rights->uid) == 0 && is_dropped(rights) &&
           set_capabilities(keep_for_programs ? for_programs : 0);
}

bool rights_drop(const struct config *c, bool keep_for_programs, struct text *why)
{
    struct rights rights;
    rights_of(c, &rights);
    if (!*c->user && !*c->group)
        return true;
    if (geteuid() != 0 && (!*c->user || rights.uid == geteuid()) &&
        (!*c->group || rights.gid == getegid()))
        return true;
    if (!become(c, &rights, keep_for_programs)) {
        text_printf(why, "user: can't become `%s`: %s", *c->user ? c->user : c->group,
                    strerror(errno));
        return false;
    }
    prctl(PR_SET_DUMPABLE, c->core_dumps); /* the kernel has changed that with the user */
    return can_read_all(c, why);
}

/* ---- over an execve ---- */

void rights_carry(bool carries)
{
    static const int all[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (geteuid() == 0 || syscall(SYS_capget, &head, data) < 0)
        return;
    for (size_t i = 0; !carries && i < sizeof(all) / sizeof(*all); i++)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, all[i], 0, 0);
    if (carries)
        data[0].inheritable |= data[0].permitted & for_programs;
    else
        data[0].inheritable &= ~for_programs;
    if (syscall(SYS_capset, &head, data) < 0)
        return;
    for (size_t i = 0; carries && i < sizeof(all) / sizeof(*all); i++)
        if (data[0].permitted & 1U << all[i])
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, all[i], 0, 0);
}
