/* SPDX-License-Identifier: MIT */
#include "http/withheld.h"

#include "http/static.h"

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
     "hs ml mli c h cc cpp cxx hh hpp hxx m mm rs go java kt kts scala groovy gradle cs vb fs "
     "swift d "
     "nim zig pas asm s asp aspx ashx jsp jspx cfm ps1 psm1 bat cmd tf tfvars nix "},
    {"a database",
     " db db3 sqlite sqlite3 sqlite2 sdb mdb accdb dbf frm ibd myd myi rdb aof ldb kdb "
     "kdbx sql psql dump dmp "},
    {"settings", " env ini conf cfg cnf config toml yaml yml properties rc netrc htpasswd htaccess "
                 "htgroup passwd shadow "},
    {"a key", " key pem p12 pfx p8 jks keystore ppk "},
    {"a log", " log pid lock out err "},
    {"a copy or a rest",
     " bak backup old orig save saved copy tmp temp swp swo swn rej dpkg-old dpkg-dist "
     "dpkg-new rpmsave rpmnew ucf-old ucf-dist part crdownload "},
};

static const char *const names[] = {"makefile",    "gnumakefile", "dockerfile", "containerfile",
                                    "procfile",    "gemfile",     "rakefile",   "vagrantfile",
                                    "jenkinsfile", "id_rsa",      "id_ed25519", "id_ecdsa"};

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

static struct slice ending_of(struct slice name)
{
    struct slice ending = last_ending(name);
    while (is_digits(ending)) {
        name.len -= ending.len + 1;
        ending = last_ending(name);
    }
    return ending;
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

/* SQLite's journal lies beside its database: todo.db-wal. */
static struct slice without_journal(struct slice ending)
{
    static const char *const tails[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
        struct slice tail = slice_of(tails[i]);
        if (ending.len > tail.len && slice_ends_with(ending, tail))
            return slice_first(ending, ending.len - tail.len);
    }
    return ending;
}

/* Of Emacs and others: `x~`, `x.~1~`, `#x#`. */
static bool is_editors(struct slice name)
{
    return slice_ends_with(name, SLICE_LITERAL("~")) ||
           (name.len > 1 && name.ptr[0] == '#' && name.ptr[name.len - 1] == '#');
}

static const char *by_name(struct slice name)
{
    struct slice ending = without_journal(ending_of(name));
    if (is_editors(name))
        return "a copy of an editor";
    for (size_t i = 0; ending.len > 0 && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (lists(kinds[i].list, ending))
            return kinds[i].why;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal_nocase(name, slice_of(names[i])))
            return "settings";
    return NULL;
}

static bool begins(struct slice begin, const char *text, size_t len)
{
    return slice_starts_with(begin, slice_make(text, len));
}
#define BEGINS(begin, literal) begins((begin), (literal), sizeof(literal) - 1)

static const char *by_content(struct slice begin)
{
    static const char sqlite[] = "SQLite format 3"; /* and NUL */
    if (begins(begin, sqlite, sizeof(sqlite)))
        return "a database";
    if (BEGINS(begin, "<?php"))
        return "a source";
    if (BEGINS(begin, "-----BEGIN ") && memmem(begin.ptr, begin.len, "PRIVATE KEY", 11))
        return "a key";
    return NULL;
}

bool withheld_is_script(struct slice begin)
{
    return BEGINS(begin, "#!");
}

bool withheld_is_marked_script(struct slice begin)
{
    return BEGINS(begin, "\xef\xbb\xbf#!") || BEGINS(begin, "\xff\xfe#\0!\0") ||
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
