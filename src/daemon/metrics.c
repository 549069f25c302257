#include "daemon/metrics.h"

struct metric {
    const char *name, *type, *help;
    uint64_t (*value)(const struct worker *w);
};

/* One reader function a row, named by the line that it stands on. */
#define JOIN(a, b)   a##b
#define READER(line) JOIN(read_line_, line)
#define METRIC(name, type, help, expression)                                                       \
    static uint64_t READER(__LINE__)(const struct worker *w)                                       \
    {                                                                                              \
        return expression;                                                                         \
    }
#include "daemon/metrics.def"
#undef METRIC
#define METRIC(name, type, help, expression) {name, type, help, READER(__LINE__)},
static const struct metric metrics[] = {
#include "daemon/metrics.def"
};

static void write_family(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP httpsocket_%s %s\n# TYPE httpsocket_%s %s\n", name, help, name, type);
}

static void write_answers(const struct daemon *daemon, struct text *out)
{
    write_family(out, "http_answers_total", "counter", "HTTP answers by class of status");
    for (int class = 1; class <= 5; class ++) {
        uint64_t sum = 0;
        for (uint16_t i = 0; i < daemon->worker_count; i++)
            sum += daemon->workers[i].http.counts.status[class];
        text_printf(out, "httpsocket_http_answers_total{class=\"%dxx\"} %llu\n", class,
                    (unsigned long long)sum);
    }
}

void metrics_write(const struct daemon *daemon, struct text *out)
{
    for (size_t row = 0; row < sizeof(metrics) / sizeof(*metrics); row++) {
        const struct metric *m = &metrics[row];
        uint64_t sum = 0;
        for (uint16_t i = 0; i < daemon->worker_count; i++)
            sum += m->value(&daemon->workers[i]);
        write_family(out, m->name, m->type, m->help);
        text_printf(out, "httpsocket_%s %llu\n", m->name, (unsigned long long)sum);
    }
    write_answers(daemon, out);
}
