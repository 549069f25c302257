/* SPDX-License-Identifier: MIT */
#include "http/withheld.h"

#include "http/static.h"

#include <ctype.h>

struct endings {
    const char *why;
    const char *list; /* separated and enclosed by spaces */
};

/* Of JavaScript, TypeScript and CSS browsers need the sources; JSON and XML are documents. */
static const struct endings kinds[] = {
    {"a source",
     " py pyc pyo pyw pyi php php3 php4 php5 php7 php8 phps pht phtml phar inc pl pm pod t cgi "
     "fcgi rb erb rake gemspec sh bash zsh fish ksh csh tcl lua awk sed r jl exs ex erl clj scm "
     "lisp "
     "hs ml mli c h cc cpp cxx hh hpp hxx m mm rs go java class kt kts scala groovy gradle cs vb "
     "fs swift d cr nim zig pas bas asm s el pyx pyd ipynb psgi ru asp aspx ashx jsp jspx war ear "
     "cfm ps1 psm1 bat cmd mk cmake tf tfvars tfstate nix "},
    {"a database",
     " db db3 s3db sqlite sqlite3 sqlite2 sdb mdb accdb dbf frm ibd myd myi rdb aof ldb kdb "
     "kdbx lmdb duckdb realm bson sql psql pgsql mysql pgdump dump dmp wal journal pickle pkl "},
    {"settings", " env ini conf cfg cnf config toml yaml yml properties rc netrc htpasswd htaccess "
                 "htgroup passwd shadow service kubeconfig ovpn "},
    {"a key", " key pem p12 pfx p8 jks keystore ppk keytab "},
    {"a log", " log pid lock out err "},
    {"a copy or a rest",
     " bak backup old orig save saved copy tmp temp swp swo swn rej dpkg-old dpkg-dist "
     "dpkg-new rpmsave rpmnew ucf-old ucf-dist part crdownload "},
};

/* Whole names, also with such an ending as browsers don't know: Dockerfile.test. */
static const struct endings names[] = {
    {"settings", " makefile gnumakefile dockerfile containerfile procfile gemfile rakefile "
                 "vagrantfile jenkinsfile pipfile env htpasswd htaccess "},
    {"a key", " id_rsa id_dsa id_ecdsa id_ed25519 authorized_keys known_hosts "},
    {"a log", " access_log error_log core "},
};

/* What is appended to the name of a file whose kind it does not change: config.php.txt. */
static const char hiding[] = " txt new dist example sample template tmpl tpl default local "
                             "production prod development dev staging test ci gz bz2 xz zst lz4 "
                             "br zip 7z rar ";

static const char archives[] = " tar tgz tbz tbz2 txz tzst gz bz2 xz zst lz4 zip 7z rar ";

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

/* Behind the last dot; empty if there is none. */
static struct slice last_ending(struct slice name)
{
    for (size_t i = name.len; i-- > 1;)
        if (name.ptr[i] == '.')
            return slice_skip(name, i + 1);
    return SLICE_LITERAL("");
}

static bool lists(const char *list, struct slice word)
{
    for (struct slice rest = slice_skip(slice_of(list), 1); rest.len > 0;) {
        size_t len = slice_find(rest, ' ');
        if (slice_equal_nocase(slice_first(rest, len), word))
            return true;
        rest = slice_skip(rest, len + 1);
    }
    return false;
}

/* The name without what does not change the kind: digits, nothing, or such a word behind a dot. */
static struct slice bare_name(struct slice name)
{
    for (;;) {
        struct slice ending = last_ending(name);
        bool is_empty = ending.len == 0 && slice_ends_with(name, SLICE_LITERAL("."));
        if (!is_empty && !is_digits(ending) && !lists(hiding, ending))
            return name;
        name.len -= ending.len + 1;
    }
}

/* The letters and digits that it begins with: of `db-wal`, `php_old`, `py,v`. */
static struct slice first_word(struct slice ending)
{
    size_t len = 0;
    while (len < ending.len && isalnum((unsigned char)ending.ptr[len]))
        len++;
    return slice_first(ending, len);
}

static const char *why_of(const struct endings *kind, size_t count, struct slice word)
{
    for (size_t i = 0; word.len > 0 && i < count; i++)
        if (lists(kind[i].list, word))
            return kind[i].why;
    return NULL;
}
#define WHY_OF(kinds, word) why_of((kinds), sizeof(kinds) / sizeof(*(kinds)), (word))

/* Of Emacs and others: `x~`, `x.~1~`, `#x#`. */
static bool is_editors(struct slice name)
{
    return slice_ends_with(name, SLICE_LITERAL("~")) ||
           (name.len > 1 && name.ptr[0] == '#' && name.ptr[name.len - 1] == '#');
}

static bool has_word(struct slice name, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= name.len; i++)
        if (slice_equal_nocase(slice_first(slice_skip(name, i), len), slice_of(word)))
            return true;
    return false;
}

static bool is_backup(struct slice name)
{
    return lists(archives, last_ending(name)) &&
           (has_word(name, "backup") || has_word(name, "dump"));
}

static const char *by_name(struct slice name)
{
    struct slice bare = bare_name(name), ending = last_ending(bare);
    const char *why;
    if (is_editors(name))
        return "a copy of an editor";
    if (is_backup(name))
        return "a backup";
    if ((why = WHY_OF(kinds, ending)) || (why = WHY_OF(kinds, first_word(ending))))
        return why;
    if ((why = WHY_OF(names, bare)) || static_type_known(name))
        return why;
    return WHY_OF(names, slice_first(bare, slice_find(bare, '.')));
}

static bool begins(struct slice begin, const char *text, size_t len)
{
    return slice_starts_with(begin, slice_make(text, len));
}
#define BEGINS(begin, literal) begins((begin), (literal), sizeof(literal) - 1)

/* Without a byte order mark and white space, which interpreters and openssl pass over too. */
static struct slice after_blanks(struct slice begin)
{
    if (BEGINS(begin, "\xef\xbb\xbf"))
        begin = slice_skip(begin, 3);
    while (begin.len > 0 && strchr(" \t\r\n", *begin.ptr) && *begin.ptr)
        begin = slice_skip(begin, 1);
    return begin;
}

/* `<?php` in either case, `<?=`, `<? `; not `<?xml`. */
static bool is_php(struct slice begin)
{
    if (!BEGINS(begin, "<?") || begin.len == 2)
        return false;
    return (begin.ptr[2] && strchr("= \t\r\n", begin.ptr[2])) ||
           slice_equal_nocase(slice_first(slice_skip(begin, 2), 3), SLICE_LITERAL("php"));
}

static bool holds(struct slice begin, struct slice text)
{
    return memmem(begin.ptr, begin.len, text.ptr, text.len) != NULL;
}

static const char *by_content(struct slice begin)
{
    static const char sqlite[] = "SQLite format 3"; /* and NUL */
    struct slice text = after_blanks(begin);
    if (begins(begin, sqlite, sizeof(sqlite)) || BEGINS(begin, "PGDMP") ||
        BEGINS(begin, "REDIS0") || BEGINS(text, "-- MySQL dump") ||
        BEGINS(text, "-- MariaDB dump") || BEGINS(text, "--\n-- PostgreSQL database"))
        return "a database";
    if (is_php(text))
        return "a source";
    if (BEGINS(text, "PuTTY-User-Key-File") ||
        (holds(begin, SLICE_LITERAL("-----BEGIN ")) && holds(begin, SLICE_LITERAL("PRIVATE KEY"))))
        return "a key";
    return NULL;
}

bool withheld_is_script(struct slice begin)
{
    return BEGINS(begin, "#!");
}

bool withheld_is_marked_script(struct slice begin)
{
    return withheld_is_script(after_blanks(begin)) || BEGINS(begin, "\xff\xfe#\0!\0") ||
           BEGINS(begin, "\xfe\xff\0#\0!");
}

const char *withheld_why(struct slice name, struct slice begin, bool runs)
{
    const char *why = by_name(name);
    if (!why)
        why = by_content(begin);
    /* On file systems without run bits all files seem to have one: what browsers show is shown. */
    if (!why && runs && !static_type_known(name))
        why = "executable, but neither a script with #! nor a program";
    return why;
}
