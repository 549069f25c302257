/* SPDX-License-Identifier: MIT */
/* program_fixture.h - a program host with nothing above it, and little shell programs in a folder
 * of their own. At the end of a test no process, no descriptor and no program is left.
 */
#ifndef TESTS_PROGRAM_FIXTURE_H
#define TESTS_PROGRAM_FIXTURE_H

#include "program/program.h"

#include "base/log.h"
#include "loop_fixture.h"
#include "notes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct program_config program_config;
static struct program_limits *program_limits;
static struct worker_map *worker_map;
static struct program_kinds *program_kinds;
static struct program_host *programs;
static const struct net_client_key nobody;
static char folder[32];
static char script_path[64];

/* A program of this text; the path is valid until the next one. */
static inline const char *script_as(const char *name, const char *text, int mode)
{
    snprintf(script_path, sizeof(script_path), "%s/%s", folder, name);
    int fd = open(script_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return script_path;
}

static inline const char *script(const char *text)
{
    char whole[2048];
    assert_true(snprintf(whole, sizeof(whole), "#!/bin/sh\n%s\n", text) < (int)sizeof(whole));
    return script_as("program", whole, 0700);
}

static inline void no_child_is_left(void)
{
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static inline void make_programs(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    strcpy(folder, "/tmp/programs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    program_config = (struct program_config){
        .eof_grace_ms = 20000,
        .term_grace_ms = 20000,
        .line_max = 65536,
        .kinds = program_kinds = program_kinds_new(),
        .shared_idle_ms = 60000,
        .shared_page_max = 100000,
        .shared_max = 200000,
    };
    program_limits = program_limits_new(100, 100);
    worker_map = worker_map_new();
    programs = program_host_new(&(struct program_host_spec){
        .loop = loop,
        .config = &program_config,
        .limits = program_limits,
        .worker_map = worker_map,
        .workers = 1,
        .server_name = SLICE_LITERAL("test"),
        .root = slice_of(folder),
    });
    assert_non_null(programs);
}

/* As many programs may run as at first: each was given back. */
static inline void limits_are_as_before(void)
{
    program_limits_set(program_limits, 1, 1);
    struct room_place place = {0};
    assert_true(program_limits_take(program_limits, program_host_room(programs), &nobody, &place));
    room_release(&place);
}

static inline void remove_folder(void)
{
    char path[64];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path))
            unlink(path);
    }
    closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

static inline void end_programs(void)
{
    TURN_UNTIL(program_host_empty(programs));
    const struct program_counts *counts = program_host_counts(programs);
    assert_int_equal(counts->now, 0);
    assert_int_equal(counts->shared_now, 0);
    assert_int_equal(counts->shared_pages_now, 0);
    limits_are_as_before();
    no_child_is_left();
    turn_while_busy();
    program_host_free(programs);
    worker_map_free(worker_map);
    program_limits_free(program_limits);
    program_kinds_free(program_kinds);
    remove_folder();
}

#endif
