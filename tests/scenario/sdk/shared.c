/* shared.c - the shared program of sdk-shared.test.mjs, by the C header:
 * its pages share one count. */
#include <httpsocket_page.h>

static int count;

static void join(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_show_to(page, strstr(m->data, "\"page\":true") ? "<!doctype html><title>C</title>" : NULL);
}

static void add(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_sendf(page, "total", "[%d,%d]", count += atoi(m->data), getpid());
}

static void twice(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_answerf(page, m->call, "%d", 2 * atoi(m->data));
}

static void same(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_send_bytes(page, "same", m->data, m->size);
}

static void left(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)page;
    (void)arg;
    fprintf(stderr, "left %s\n", m->session);
}

int main(void)
{
    struct hs_page page;
    hs_init(&page);
    hs_shared(&page);
    hs_on(&page, ".join", join, NULL);
    hs_on(&page, ".leave", left, NULL);
    hs_on(&page, "add", add, NULL);
    hs_on(&page, "same", same, NULL);
    hs_handle(&page, "double", twice, NULL);
    return hs_run(&page);
}
