/* state.c - the program of sdk-state.test.mjs, by the C header. */
#include <httpsocket_page.h>

#include <jansson.h>
#include <signal.h>

static json_t *state;

static void save(struct hs_page *page)
{
    char *json = json_dumps(state, JSON_COMPACT);
    hs_save(page, json);
    free(json);
}

static void add_note(struct hs_page *page, int n, bool resent)
{
    json_array_append_new(json_object_get(state, "notes"), json_pack("[i,b]", n, resent));
    save(page);
}

static void note(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    add_note(page, atoi(m->data), m->resent);
    hs_send(page, "noted", m->data);
}

static void notes(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char *json = json_dumps(json_object_get(state, "notes"), JSON_COMPACT);
    hs_answer(page, m->call, json);
    free(json);
}

static void look(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)m;
    (void)arg;
    hs_send(page, "looked", NULL);
}

static void die(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    if (!m->resent)
        raise(SIGKILL);
    add_note(page, atoi(m->data), true);
}

static void quit(struct hs_page *page, const struct hs_message *m, void *arg)
{
    note(page, m, arg);
    hs_done(page);
    exit(3);
}

static void pad(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    size_t size = (size_t)atoi(m->data);
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    json_object_set_new(state, "pad", json_stringn(text, size));
    free(text);
    save(page);
}

static void ask(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    struct hs_message answer;
    if (hs_call(page, "name", m->data, HS_CALL_MS, &answer) == 0) {
        add_note(page, atoi(answer.data), m->resent);
        hs_send(page, "noted", answer.data);
    }
}

static void restored(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    char *json = hs_restored_state(m);
    json_t *told = json_loads(m->data, 0, NULL);
    json_decref(state);
    state = json_loads(json, 0, NULL);
    free(json);
    json = json_dumps(json_object_get(state, "notes"), JSON_COMPACT);
    hs_sendf(page, "restored", "[\"%s\",%d,%s]", json_string_value(json_object_get(told, "why")),
             (int)json_integer_value(json_object_get(told, "resent")), json);
    free(json);
    json_decref(told);
}

static void problem(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    json_t *told = json_loads(m->data, 0, NULL);
    hs_sendf(page, "told", "\"%s\"", json_string_value(json_object_get(told, "command")));
    json_decref(told);
}

static void add(struct hs_page *page, const struct hs_message *m, void *arg)
{
    (void)arg;
    hs_send(page, "total", m->data);
}

int main(void)
{
    struct hs_page page;
    hs_init(&page);
    char *unused = hs_query("unused");
    state = json_pack("{s:[],s:s}", "notes", "pad", "");
    hs_on(&page, "add", add, NULL);
    hs_on(&page, ".restore", restored, NULL);
    hs_on(&page, ".problem", problem, NULL);
    hs_on(&page, "note", note, NULL);
    hs_handle(&page, "notes", notes, NULL);
    hs_on(&page, "look", look, NULL);
    hs_on(&page, "die", die, NULL);
    hs_on(&page, "quit", quit, NULL);
    hs_on(&page, "pad", pad, NULL);
    hs_on(&page, "ask", ask, NULL);
    hs_show(&page, "<!doctype html><title>state</title>");
    if (!unused) {
        hs_sendf(&page, "started", "{\"pid\":%d,\"restored\":%s}", getpid(),
                 page.is_restored ? "true" : "false");
        save(&page);
    }
    free(unused);
    return hs_run(&page);
}
