/* talk.c - the conversation of sdk.test.mjs, by the C header. */
#include <httpsocket_page.h>

#include <jansson.h>

static int received;
static bool in_order = true;

static void echo(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    if (m->bytes)
        hs_send_bytes(page, "echo", m->data, m->size);
    else
        hs_send(page, "echo", m->data);
}

static void put(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)page;
    (void)arg;
    in_order = in_order && atoi(m->data) == received;
    received++;
}

static void report(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_answerf(page, m->call, "{\"count\":%d,\"in_order\":%s,\"pid\":%d}", received,
               in_order ? "true" : "false", getpid());
}

static void flood(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    for (int i = 0, count = atoi(m->data); i < count; i++)
        hs_sendf(page, "n", "%d", i);
}

static void add(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *numbers = m->bytes ? NULL : json_loads(m->data, JSON_DECODE_ANY, NULL), *number;
    double sum = 0;
    size_t i;
    json_array_foreach(numbers, i, number) sum += json_number_value(number);
    hs_answerf(page, m->call, "%g", sum);
    json_decref(numbers);
}

static void same(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_answer_bytes(page, m->call, m->data, m->size);
}

static void count(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char part[16];
    for (int i = 0, end = atoi(m->data); i < end; i++) {
        snprintf(part, sizeof(part), "%d", i);
        hs_part(page, m->call, part);
    }
    hs_answer(page, m->call, NULL);
}

static char *text_of(const char *json)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    char *text = strdup(json_is_string(value) ? json_string_value(value) : "");
    json_decref(value);
    return text;
}

static void refused(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char *what = text_of(m->data), json[200];
    snprintf(json, sizeof(json), "{\"message\":\"no %s\",\"code\":7}", what);
    hs_post(page, hs_numbered('!', m->call).text, json);
    free(what);
}

static void crash(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_fail(page, m->call, "the program failed");
}

static void complain(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)page;
    (void)m;
    fprintf(stderr, "%s\n", (const char *)arg);
}

static void say_asked(struct hs_page *page, int error, const struct hs_message *answer)
{
    json_t *why = error ? NULL : json_loads(answer->data, JSON_DECODE_ANY, NULL);
    const char *message = json_string_value(json_object_get(why, "message"));
    if (error)
        hs_sendf(page, "asked", "{\"timeout\":%s}", error == -ETIMEDOUT ? "true" : "false");
    else if (answer->kind == HS_FAILURE)
        hs_sendf(page, "asked", "{\"failure\":\"%s\"}", message);
    else
        hs_sendf(page, "asked", "{\"answer\":%s}", answer->data);
    json_decref(why);
}

static void ask(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *what = json_loads(m->data, 0, NULL);
    char *data = json_dumps(json_object_get(what, "data"), JSON_ENCODE_ANY | JSON_COMPACT);
    double seconds = json_number_value(json_object_get(what, "timeout"));
    struct hs_message answer;
    int error = hs_call(page, json_string_value(json_object_get(what, "name")), data,
                        (int)(seconds * 1000), &answer);
    say_asked(page, error, &answer);
    free(data);
    json_decref(what);
}

static void collect(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char *name = text_of(m->data), list[1000] = "";
    struct hs_message answer;
    hs_ask(page, name, NULL);
    while (hs_more(page, HS_CALL_MS, &answer) > 0) {
        if (answer.kind == HS_PART || !answer.bare)
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? "," : "",
                     answer.data);
    }
    hs_sendf(page, "collected", "[%s]", list);
    free(name);
}

static void print(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)page;
    (void)arg;
    puts(m->data);
    fflush(stdout);
}

static void watch(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)m;
    (void)arg;
    hs_command(page, ".listen",
               "{\"on\":\"click\",\"as\":\"test_click\",\"select\":\"#test\",\"prevent\":true}");
    hs_command(page, ".unlisten", "{\"as\":\"test_click\"}");
    hs_command(page, ".dom", "{\"select\":\"#n\",\"text\":\"<5>\"}");
    hs_command(page, ".dom",
               "[{\"select\":\"#a\",\"remove\":true},{\"select\":\"#b\",\"focus\":true}]");
}

static void clicked(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_send(page, "clicked", m->data);
}

static void problem(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *what = json_loads(m->data, 0, NULL);
    hs_sendf(page, "told", "[\"problem\",\"%s\"]",
             json_string_value(json_object_get(what, "command")));
    json_decref(what);
}

static void join(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_commandf(page, ".subscribe", "{\"topic\":%s,\"history\":2,\"presence\":{\"name\":\"py\"}}",
                m->data);
    hs_commandf(page, ".publish", "{\"topic\":%s,\"event\":\"stroke\",\"data\":{\"x\":1}}",
                m->data);
}

static void heard(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *event = json_loads(m->data, 0, NULL);
    char *data = json_dumps(json_object_get(event, "data"), JSON_COMPACT | JSON_ENCODE_ANY);
    hs_sendf(page, "heard", "[\"%s\",%s]", json_string_value(json_object_get(event, "event")),
             data);
    free(data);
    json_decref(event);
}

static void who(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *change = json_loads(m->data, 0, NULL), *here = json_object_get(change, "here");
    json_t *first = json_array_get(here ? here : json_object_get(change, "joined"), 0);
    json_t *one = json_object_get(first, "data");
    char *data = one ? json_dumps(one, JSON_COMPACT) : NULL;
    hs_sendf(page, "here", "[%s]", data ? data : "");
    free(data);
    json_decref(change);
}

static void part(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_commandf(page, ".unsubscribe", "{\"topic\":%s}", m->data);
}

static void begin_stream(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *opened = json_loads(m->data, 0, NULL);
    int id = (int)json_integer_value(json_object_get(opened, "id"));
    json_int_t size = json_integer_value(json_object_get(json_object_get(opened, "data"), "size"));
    const char *name = json_string_value(json_object_get(opened, "name"));
    if (strcmp(name, "upload") != 0)
        hs_commandf(page, ".reset", "{\"id\":%d,\"reason\":\"refused\"}", id);
    else if (size > 10000000)
        hs_commandf(page, ".reset", "{\"id\":%d,\"reason\":\"too-large\"}", id);
    else
        hs_commandf(page, ".accept", "{\"id\":%d}", id);
    json_decref(opened);
}

static void pass_back(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_stream_write(page, strtoull(m->name + 8, NULL, 10), m->data, m->size);
}

static void end_stream(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_command(page, ".end", m->data);
}

static void broken(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *end = json_loads(m->data, 0, NULL);
    hs_sendf(page, "broken", "\"%s\"", json_string_value(json_object_get(end, "reason")));
    json_decref(end);
}

static void leave(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char *reason = text_of(m->data);
    hs_close(page, reason);
    free(reason);
}

static void attached(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    bool resumed = strstr(m->data, "\"resumed\":true");
    hs_sendf(page, "told", "[\"attach\",%s]", resumed ? "true" : "false");
}

static char *string_or_null(char *text)
{
    char *string = text ? hs_string(text) : strdup("null");
    free(text);
    return string;
}

static void show(struct hs_page *page)
{
    char *name = string_or_null(hs_query("name")), *field = string_or_null(hs_form(page, "field"));
    char *test = getenv("HTTP_X_TEST"), *agent = string_or_null(test ? strdup(test) : NULL);
    char *title = hs_escape("<talk> & \"more\"");
    hs_begin(page, HS_HTML, 200, NULL);
    printf("<!doctype html><title>%s</title><script>const told = "
           "{\"method\":\"%s\",\"name\":%s,\"agent\":%s,\"field\":%s}</script>",
           title, getenv("REQUEST_METHOD"), name, agent, field);
    hs_end(page);
    free(name);
    free(field);
    free(agent);
    free(title);
}

int main(void)
{
    struct hs_page page;
    char *refuse = hs_query("refuse");
    hs_init(&page);
    if (refuse)
        hs_refuse(&page, 401, "not you", "the test", 7, "/");
    static const struct {
        const char *name;
        hs_function *function;
    } events[] = {{"echo", echo},
                  {"put", put},
                  {"flood", flood},
                  {"ask", ask},
                  {"collect", collect},
                  {"print", print},
                  {"leave", leave},
                  {".attach", attached},
                  {".stream", begin_stream},
                  {".stream/", pass_back},
                  {".end", end_stream},
                  {".reset", broken},
                  {"join", join},
                  {"part", part},
                  {".topic", heard},
                  {".presence", who},
                  {"watch", watch},
                  {"test_click", clicked},
                  {".problem", problem}},
      calls[] = {{"report", report}, {"add", add},         {"same", same},
                 {"count", count},   {"refused", refused}, {"crash", crash}};
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
        hs_on(&page, events[i].name, events[i].function, NULL);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        hs_handle(&page, calls[i].name, calls[i].function, NULL);
    hs_on(&page, "throw", complain, "thrown on purpose");
    show(&page);
    int status = hs_run(&page);
    fprintf(stderr, "ended\n");
    return status;
}
