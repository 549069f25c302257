/* SPDX-License-Identifier: MIT */
#include "serve/state_key.h"

#include "base/base64url.h"
#include "base/log.h"
#include "serve/cluster_settings.h"
#include "serve/key_file.h"
#include "serve/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_SIZE = 4096
};

struct seal_keys *state_key_read(const char *file, struct text *why)
{
    return key_file_read(file, "who has the key can read and forge the states of programs", why);
}

/* ---- the file that is made ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value == '/' ? value : NULL;
}

/* False: there is no place. */
static bool name_folder(char ret[PATH_SIZE])
{
    const char *state = environment("STATE_DIRECTORY"), *xdg = environment("XDG_STATE_HOME");
    const char *home = environment("HOME");
    int len = -1;
    if (state) /* of several, divided by colons, the first */
        len = snprintf(ret, PATH_SIZE, "%.*s", (int)strcspn(state, ":"), state);
    else if (xdg)
        len = snprintf(ret, PATH_SIZE, "%s/httpsocket", xdg);
    else if (geteuid() == 0)
        len = snprintf(ret, PATH_SIZE, "/var/lib/httpsocket");
    else if (home)
        len = snprintf(ret, PATH_SIZE, "%s/.local/state/httpsocket", home);
    return len > 0 && len < PATH_SIZE - 64;
}

/* True: the last one is new. */
static bool make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    return mkdir(path, 0700) == 0;
}

static bool write_key(int fd)
{
    static const char note[] =
        "# Seals the states that programs keep in their pages. The first key "
        "seals, all open.\n";
    unsigned char key[SEAL_KEY_SIZE];
    char line[KEY_FILE_BASE64_LEN + 2];
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return false;
    EVP_EncodeBlock((unsigned char *)line, key, sizeof(key));
    line[KEY_FILE_BASE64_LEN] = '\n';
    bool good = write(fd, note, sizeof(note) - 1) == sizeof(note) - 1 &&
                write(fd, line, KEY_FILE_BASE64_LEN + 1) == KEY_FILE_BASE64_LEN + 1 &&
                fsync(fd) == 0;
    explicit_bzero(key, sizeof(key));
    explicit_bzero(line, sizeof(line));
    return good;
}

/* Who reloads reads it again. */
static bool give_away(int fd, const char *new_folder, const struct config *c)
{
    struct rights rights;
    rights_of(c, &rights);
    if (geteuid() != 0 || rights.uid == (uid_t)-1)
        return true;
    return fchown(fd, rights.uid, rights.gid) == 0 &&
           (!new_folder || chown(new_folder, rights.uid, rights.gid) == 0);
}

/* The file appears whole, under its name: of two servers that start at a time both have the key of
 * one. -EEXIST: there is one. */
static int make_key(char *folder, const char *file, const struct config *c)
{
    char draft[PATH_SIZE], random[12];
    bool new_folder = make_folders(folder);
    int error = base64url_draw(random, sizeof(random));
    if (error < 0)
        return error;
    snprintf(draft, sizeof(draft), "%.*s/.state.key.%.*s", PATH_SIZE - 32, folder,
             (int)sizeof(random), random);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    errno = EIO;
    bool good =
        write_key(fd) && give_away(fd, new_folder ? folder : NULL, c) && link(draft, file) == 0;
    error = good ? 0 : -errno;
    unlink(draft);
    close(fd);
    if (!error)
        log_info("state.key_made", log_text("file", file));
    return error;
}

static struct seal_keys *make_for_this_run(const char *file, int error)
{
    unsigned char key[SEAL_KEY_SIZE];
    struct seal_keys *keys = seal_keys_new();
    bool drawn = getrandom(key, sizeof(key), 0) == sizeof(key);
    if (keys && !(drawn && seal_keys_add(keys, key))) {
        seal_keys_unref(keys);
        keys = NULL;
    }
    explicit_bzero(key, sizeof(key));
    log_warn("state.key_of_this_run", log_text("file", file), log_errno("error", error),
             log_text("note", "after a restart of the server no page goes on from its state: set "
                              "state-key, or make the folder writable"));
    return keys;
}

/* A file of ours that is there must be good; one that can't be reached is not ours. */
static struct seal_keys *open_default(const struct config *c, struct text *why)
{
    char folder[PATH_SIZE], file[PATH_SIZE];
    if (!name_folder(folder))
        return make_for_this_run("", ENOENT);
    snprintf(file, sizeof(file), "%.*s/state.key", PATH_SIZE - 32, folder);
    int error = access(file, F_OK) == 0 ? -EEXIST : -errno;
    if (error != -EEXIST)
        error = make_key(folder, file, c);
    if (error == -EEXIST && access(file, R_OK) < 0)
        error = -errno;
    if (error && error != -EEXIST)
        return make_for_this_run(file, -error);
    return state_key_read(file, why);
}

/* ---- at the start, and later ---- */

struct seal_keys *state_key_open(const struct config *c, struct text *why)
{
    struct seal_keys *keys = *c->state_key     ? state_key_read(c->state_key, why)
                             : *c->cluster_key ? cluster_state_keys(c, why)
                                               : open_default(c, why);
    if (!keys && !why->len)
        text_printf(why, "state-key: no randomness, or no memory");
    return keys;
}

struct seal_keys *state_key_again(const struct config *c, struct text *why)
{
    char file[PATH_SIZE];
    if (*c->state_key)
        return state_key_read(c->state_key, why);
    if (*c->cluster_key)
        return cluster_state_keys(c, why);
    if (!name_folder(file))
        return NULL;
    strcat(file, "/state.key");
    return access(file, R_OK) == 0 ? state_key_read(file, why) : NULL;
}

bool state_key_check(const struct config *c, struct text *why)
{
    struct seal_keys *keys = *c->state_key     ? state_key_read(c->state_key, why)
                             : *c->cluster_key ? cluster_state_keys(c, why)
                                               : NULL;
    seal_keys_unref(keys);
    return keys || (!*c->state_key && !*c->cluster_key);
}
