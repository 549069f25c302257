/* SPDX-License-Identifier: MIT */
#include "daemon/metrics.h"

#include "base/log.h"
#include "base/log_share.h"
#include "daemon/metrics_before.h"
#include "http/compressor.h"
#include "serve/cluster_wiring.h"

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
        for (uint16_t i = 0; i < daemon->server.worker_count; i++)
            sum += daemon->server.workers[i].http.counts.status[class];
        text_printf(out, "httpsocket_http_answers_total{class=\"%dxx\"} %llu\n", class,
                    (unsigned long long)sum);
    }
}

/* The workers' and, for /.httpsocket/authorize, the control thread's. */
static uint64_t verdicts(const struct daemon *daemon, enum access_reason reason)
{
    uint64_t sum = daemon->access_counts.verdicts[reason];
    for (uint16_t i = 0; i < daemon->server.worker_count; i++)
        sum += daemon->server.workers[i].access_counts.verdicts[reason];
    return sum;
}

static void write_verdicts(const struct daemon *daemon, struct text *out)
{
    write_family(out, "access_verdicts_total", "counter", "script access: verdicts by reason");
    for (unsigned reason = 0; reason < ACCESS_REASONS; reason++)
        text_printf(out, "httpsocket_access_verdicts_total{reason=\"%s\"} %llu\n",
                    access_reason_row(reason)->token, (unsigned long long)verdicts(daemon, reason));
}

static void add_limited(const struct access_counts *counts, uint64_t sums[3])
{
    sums[0] += counts->limited_client;
    sums[1] += counts->limited_origin;
    sums[2] += counts->limited_lookups;
}

static void write_limited(const struct daemon *daemon, struct text *out)
{
    static const char *const names[] = {"client", "origin", "lookups", "programs", "handshakes"};
    uint64_t sums[5] = {0};
    add_limited(&daemon->access_counts, sums);
    for (uint16_t i = 0; i < daemon->server.worker_count; i++) {
        add_limited(&daemon->server.workers[i].access_counts, sums);
        sums[3] += page_host_counts(daemon->server.workers[i].pages)->refused_rate;
        sums[4] += daemon->server.workers[i].http.counts.handshakes_refused;
    }
    write_family(out, "rate_limited_total", "counter", "what was refused by a rate, by which one");
    for (size_t i = 0; i < 5; i++)
        text_printf(out, "httpsocket_rate_limited_total{rate=\"%s\"} %llu\n", names[i],
                    (unsigned long long)sums[i]);
}

/* The sum over all workers of a counter at `offset` in struct worker. */
static uint64_t sum_at(const struct daemon *daemon, size_t offset)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < daemon->server.worker_count; i++)
        sum += *(const uint64_t *)(const void *)((const char *)&daemon->server.workers[i] + offset);
    return sum;
}

/* One row for each of `names`, counted in the array that begins at `offset`. */
static void write_array(const struct daemon *daemon, struct text *out, const char *name,
                        const char *label, const char *const *names, size_t count, size_t offset)
{
    for (size_t i = 0; i < count; i++)
        text_printf(out, "httpsocket_%s{%s=\"%s\"} %llu\n", name, label, names[i],
                    (unsigned long long)sum_at(daemon, offset + i * sizeof(uint64_t)));
}

static void write_tcp(const struct daemon *daemon, struct text *out)
{
    static const char *const states[] = {"checking", "connecting", "open"};
    static const char *const limits[] = {"client", "origin", "target"};
    const char *ends[TCP_ENDS];
    for (unsigned i = 0; i < TCP_ENDS; i++)
        ends[i] = tcp_end_row(i)->token;
    write_family(out, "tcp_connections", "gauge", "TCPConnections now, by state");
    write_array(daemon, out, "tcp_connections", "state", states, GATEWAY_STATES,
                offsetof(struct worker, gateway.counts.now));
    write_family(out, "tcp_limited_total", "counter",
                 "TCPConnections beyond a limit, by which one");
    write_array(daemon, out, "tcp_limited_total", "limit", limits, GATEWAY_LIMITS,
                offsetof(struct worker, gateway.counts.limited));
    write_family(out, "tcp_ended_total", "counter", "TCPConnections that have ended, by reason");
    write_array(daemon, out, "tcp_ended_total", "reason", ends, TCP_ENDS,
                offsetof(struct worker, gateway.counts.ends));
}

static void write_tables(const struct daemon *daemon, struct text *out)
{
    write_family(out, "access_table_bytes", "gauge", "memory of bans and rates, which is fixed");
    text_printf(out, "httpsocket_access_table_bytes{table=\"bans\"} %zu\n",
                bans_bytes(daemon->server.tables.bans));
    text_printf(out, "httpsocket_access_table_bytes{table=\"rates\"} %zu\n",
                rates_bytes(daemon->server.tables.rates));
}

static void write_memory(const struct daemon *daemon, struct text *out)
{
    static const char *const causes[] = {"client", "whole"};
    write_family(out, "memory_bytes", "gauge", "memory that is held for clients now");
    text_printf(out, "httpsocket_memory_bytes %zu\n", memory_bytes(daemon->server.memory));
    write_family(out, "memory_clients", "gauge", "clients for whom some is held");
    text_printf(out, "httpsocket_memory_clients %zu\n", memory_clients(daemon->server.memory));
    write_family(out, "memory_given_back_total", "counter",
                 "how often the heap gave back to the system what was freed");
    text_printf(out, "httpsocket_memory_given_back_total %llu\n",
                (unsigned long long)memory_given_back(daemon->server.memory));
    write_family(out, "memory_let_go_total", "counter",
                 "what was let go for want of memory, by whose bound");
    write_array(daemon, out, "memory_let_go_total", "bound", causes, MEMORY_CAUSES,
                offsetof(struct worker, memory.let_go));
    write_family(out, "memory_let_go_bytes_total", "counter", "how much was let go");
    text_printf(out, "httpsocket_memory_let_go_bytes_total %llu\n",
                (unsigned long long)sum_at(daemon, offsetof(struct worker, memory.let_go_bytes)));
}

static void write_compressed(const struct daemon *daemon, struct text *out)
{
    struct compressor_counts counts = compressor_count(daemon->server.compressor);
    write_family(out, "compressed_bytes", "gauge", "compressed copies of files");
    text_printf(out, "httpsocket_compressed_bytes %zu\n", counts.bytes);
    write_family(out, "compressed_total", "counter", "compressed copies that were made");
    text_printf(out, "httpsocket_compressed_total %llu\n", (unsigned long long)counts.made);
    write_family(out, "compressed_forgotten_total", "counter",
                 "compressed copies that made room for others");
    text_printf(out, "httpsocket_compressed_forgotten_total %llu\n",
                (unsigned long long)counts.forgotten);
}

static void write_spool(const struct daemon *daemon, struct text *out)
{
    static const char *const bounds[] = {"client", "whole"};
    uint64_t sums[SPOOL_BOUNDS] = {0};
    for (uint16_t i = 0; i < daemon->server.worker_count; i++)
        for (unsigned bound = 0; bound < SPOOL_BOUNDS; bound++)
            sums[bound] += page_host_counts(daemon->server.workers[i].pages)->refused_spool[bound];
    write_family(out, "spooled_bytes", "gauge", "request bodies that are kept in files now");
    text_printf(out, "httpsocket_spooled_bytes %llu\n",
                (unsigned long long)spool_bytes(daemon->server.spool));
    write_family(out, "spool_refused_total", "counter",
                 "request bodies for which no more is kept, by whose bound");
    for (unsigned bound = 0; bound < SPOOL_BOUNDS; bound++)
        text_printf(out, "httpsocket_spool_refused_total{bound=\"%s\"} %llu\n", bounds[bound],
                    (unsigned long long)sums[bound]);
}

/* The workers' and, for POST /publish, the control thread's. */
static void write_refused_topics(const struct daemon *daemon, const struct admin_server *server,
                                 struct text *out)
{
    write_family(out, "topic_refused_total", "counter", "what was refused of topics, by reason");
    for (enum hub_answer answer = HUB_DONE + 1; answer < HUB_ANSWERS; answer++) {
        struct slice reason = hub_answer_token(answer);
        uint64_t sum = server->hub.counts.refused[answer];
        for (uint16_t i = 0; i < daemon->server.worker_count; i++)
            sum += daemon->server.workers[i].hub.counts.refused[answer];
        text_printf(out, "httpsocket_topic_refused_total{reason=\"%.*s\"} %llu\n",
                    SLICE_ARG(reason), (unsigned long long)sum);
    }
}

static void write_publish(const struct publish *publish, struct text *out)
{
    write_family(out, "publish_requests_total", "counter", "POST /publish by status");
    for (enum publish_result result = 0; result < PUBLISH_RESULTS; result++)
        text_printf(out, "httpsocket_publish_requests_total{status=\"%s\"} %llu\n",
                    publish_status(result), (unsigned long long)publish->counts[result]);
}

struct count {
    const char *label;
    uint64_t value;
};

static void write_counts(struct text *out, const char *name, const char *label,
                         const struct count *counts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_printf(out, "httpsocket_%s{%s=\"%s\"} %llu\n", name, label, counts[i].label,
                    (unsigned long long)counts[i].value);
}

/* What is shared with other servers; nothing of it without a broker. */
static void write_policy(const struct policy *policy, struct text *out)
{
    if (!policy)
        return;
    struct policy_counts c = policy_count(policy);
    const struct count told[] = {
        {"bans", c.bans_told}, {"rates", c.rates_told}, {"doubts", c.doubts_told}};
    const struct count heard[] = {
        {"bans", c.bans_heard}, {"rates", c.rates_heard}, {"doubts", c.doubts_heard}};
    const struct count dns[] = {
        {"known", c.dns_known}, {"asked", c.dns_asked}, {"waited", c.dns_waited}};
    write_family(out, "policy_told_total", "counter", "what other servers were told");
    write_counts(out, "policy_told_total", "what", told, 3);
    write_family(out, "policy_heard_total", "counter", "what the broker told");
    write_counts(out, "policy_heard_total", "what", heard, 3);
    write_family(out, "policy_dns_total", "counter",
                 "questions for the DNS: answered by another server, asked here, waited for");
    write_counts(out, "policy_dns_total", "how", dns, 3);
    write_family(out, "policy_left_out_total", "counter",
                 "what was not shared, for want of room or time");
    text_printf(out, "httpsocket_policy_left_out_total %llu\n", (unsigned long long)c.left_out);
}

static void write_logs(const struct daemon *daemon, struct text *out)
{
    uint64_t requests = daemon->server.access_log ? access_log_lost(daemon->server.access_log) : 0;
    write_family(out, "log_lines_lost_total", "counter", "log lines for which stderr had no room");
    text_printf(out, "httpsocket_log_lines_lost_total %llu\n", (unsigned long long)log_lost());
    write_family(out, "access_log_lines_lost_total", "counter",
                 "lines for which the access log had no room");
    text_printf(out, "httpsocket_access_log_lines_lost_total %llu\n", (unsigned long long)requests);
    write_family(out, "log_left_out_total", "counter", "lines of the log beyond a client's share");
    text_printf(out, "httpsocket_log_left_out_total %llu\n",
                (unsigned long long)log_share_left_out());
}

static void write_own(const struct daemon *daemon, const struct admin_server *server,
                      struct text *out)
{
    for (size_t row = 0; row < sizeof(metrics) / sizeof(*metrics); row++) {
        const struct metric *m = &metrics[row];
        uint64_t sum = 0;
        for (uint16_t i = 0; i < daemon->server.worker_count; i++)
            sum += m->value(&daemon->server.workers[i]);
        write_family(out, m->name, m->type, m->help);
        text_printf(out, "httpsocket_%s %llu\n", m->name, (unsigned long long)sum);
    }
    write_answers(daemon, out);
    write_verdicts(daemon, out);
    write_limited(daemon, out);
    write_tcp(daemon, out);
    write_tables(daemon, out);
    write_memory(daemon, out);
    write_compressed(daemon, out);
    write_spool(daemon, out);
    write_refused_topics(daemon, server, out);
    write_publish(&server->publish, out);
    write_policy(daemon->server.tables.policy, out);
    write_logs(daemon, out);
}

void metrics_write(const struct daemon *daemon, const struct admin_server *server, struct text *out)
{
    struct text own = {0};
    if (!daemon->metrics_before) {
        write_own(daemon, server, out);
        return;
    }
    write_own(daemon, server, &own);
    metrics_add_before(text_slice(&own), slice_of(daemon->metrics_before), out);
    out->failed |= own.failed;
    text_done(&own);
}
