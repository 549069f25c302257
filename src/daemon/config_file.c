#include "daemon/config_file.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>

#define OPTIONS_MAX 64

/* libconfuse hands its callbacks no pointer of ours. A file is read by one thread. */
static struct text *reading_why;
static struct config *reading_config;

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char message[512];
    if (reading_why->len)
        return; /* the first error is the one to mend */
    vsnprintf(message, sizeof(message), format, args);
    if (cfg && cfg->filename && cfg->line)
        text_printf(reading_why, "%s:%d: ", cfg->filename, cfg->line);
    text_printf(reading_why, "%s", message);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct text why = {0};
    unsigned last = cfg_opt_size(opt) - 1;
    bool ok = config_set(reading_config, opt->name, cfg_opt_getnstr(opt, last), last == 0, &why);
    if (!ok)
        cfg_error(cfg, "%.*s", SLICE_ARG(text_slice(&why)));
    text_done(&why);
    return ok ? 0 : -1;
}

struct option_list {
    cfg_opt_t items[OPTIONS_MAX + 1];
    size_t count;
};

static void add_option(void *arg, const char *name, char letter)
{
    (void)letter;
    struct option_list *list = arg;
    cfg_opt_t text[] = {CFG_STR(name, NULL, CFGF_NODEFAULT)};
    cfg_opt_t several[] = {CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)};
    if (list->count < OPTIONS_MAX)
        list->items[list->count++] = config_is_list(name) ? several[0] : text[0];
}

static void watch_option(void *arg, const char *name, char letter)
{
    (void)letter;
    cfg_set_validate_func(arg, name, on_value);
}

bool config_read_file(struct config *c, const char *path, struct text *why)
{
    struct option_list list = {0};
    config_each(add_option, &list);
    list.items[list.count] = (cfg_opt_t)CFG_END();

    cfg_t *cfg = cfg_init(list.items, CFGF_NONE);
    if (!cfg) {
        text_printf(why, "%s: out of memory", path);
        return false;
    }
    reading_why = why;
    reading_config = c;
    cfg_set_error_function(cfg, on_error);
    config_each(watch_option, cfg);
    errno = 0;
    int result = cfg_parse(cfg, path);
    if (result != CFG_SUCCESS && !why->len)
        text_printf(why, "%s: %s", path,
                    result == CFG_FILE_ERROR ? strerror(errno) : "can't be read as a config file");
    cfg_free(cfg);
    return result == CFG_SUCCESS;
}
