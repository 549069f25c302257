/* SPDX-License-Identifier: MIT */
/* tcp.c - TCPConnections of a page, and what its program has to say about them.
 *
 *   `.tcp {"ask":true}`                   it is asked for each:
 *                                         `.tcp {"id":7,"host":…,"port":…,"secure":…}`
 *   `.tcp {"id":7,"allow":true}`          its answer; with false perhaps "retryAfter"
 *                                         (seconds, else 60)
 *   `.tcp {"allow":false}`                all are refused, with "retryAfter" for so long
 *   `.tcp {"allow":true}`, `{"ask":false}`   as at the beginning: script access decides alone
 *
 * A refusal is a 401 of script access: for as long as it says it bans the client, with all pages of
 * the origin, from this target.
 */
#include "page/streams.h"

#include "limits/bans.h"
#include "proto/json_text.h"

#include <jansson.h>

#define EXPECTED                                                                                   \
    "expected .tcp {\"ask\":true}, {\"allow\":false} or {\"id\":N,\"allow\":true}, perhaps "       \
    "with \"retryAfter\":SECONDS"

/* ---- to the program ---- */

/* False without memory. */
static bool write_question(struct page *p, const struct program_question *question)
{
    struct text json = {0};
    json_text_begin(&json);
    json_text_number(&json, "id", (int64_t)question->id);
    json_text_string(&json, "host", question->host);
    json_text_number(&json, "port", question->port);
    json_text_flag(&json, "secure", question->secure);
    json_text_end(&json);
    bool whole = !json.failed;
    struct message m = {.kind = MESSAGE_CONTROL,
                        .head = SLICE_LITERAL(".tcp"),
                        .name = SLICE_LITERAL("tcp"),
                        .body = text_slice(&json)};
    if (whole)
        page_send_program(p, &m);
    text_done(&json);
    return whole;
}

static void ask_program(void *owner, struct program_question *question)
{
    struct page *p = owner;
    if (p->tcp_mode == PAGE_TCP_DNS) {
        question->answered(question, true, 0);
        return;
    }
    question->id = ++p->tcp_last_id;
    bool asked = p->tcp_mode == PAGE_TCP_ASK && page_program_open(p) && write_question(p, question);
    if (asked)
        list_append(&p->tcp_questions, &question->node);
    else
        question->answered(question, false, p->tcp_retry_s);
}

/* ---- from the program ---- */

struct word {
    int ask, allow; /* -1: not said */
    json_int_t id, retry_s;
};

static bool read_word(const struct message *m, struct word *ret)
{
    *ret = (struct word){.ask = -1, .allow = -1, .id = -1, .retry_s = -1};
    json_t *value = json_loadb(m->body.ptr, m->body.len, JSON_REJECT_DUPLICATES, NULL);
    int error = json_unpack(value, "{s?b,s?b,s?I,s?I!}", "ask", &ret->ask, "allow", &ret->allow,
                            "id", &ret->id, "retryAfter", &ret->retry_s);
    bool numbered = json_object_get(value, "id");
    bool timed = json_object_get(value, "retryAfter");
    json_decref(value);
    return error == 0 && (!timed || ret->retry_s >= 0) && (ret->ask < 0) != (ret->allow < 0) &&
           (!numbered || (ret->id > 0 && ret->allow >= 0)) && (!timed || ret->allow == 0);
}

/* How long a refusal is for. */
static uint32_t retry_of(const struct word *word, uint32_t unless_said)
{
    if (word->retry_s < 0)
        return unless_said;
    return word->retry_s < BAN_SECONDS_MAX ? (uint32_t)word->retry_s : BAN_SECONDS_MAX;
}

static void set_mode(struct page *p, const struct word *word)
{
    p->tcp_retry_s = retry_of(word, 0);
    if (word->ask == 1)
        p->tcp_mode = PAGE_TCP_ASK;
    else
        p->tcp_mode = word->allow == 0 ? PAGE_TCP_REFUSE : PAGE_TCP_DNS;
}

static struct program_question *find_question(const struct page *p, uint64_t id)
{
    const struct list *all = &p->tcp_questions;
    for (struct list *node = all->next; node != all; node = node->next) {
        struct program_question *question = container_of(node, struct program_question, node);
        if (question->id == id)
            return question;
    }
    return NULL;
}

/* The page may have thought better of it in the meantime. */
static void answer(struct page *p, const struct message *m, const struct word *word)
{
    if ((uint64_t)word->id > p->tcp_last_id) {
        page_refuse_command(p, m, "an answer to what was not asked");
        return;
    }
    struct program_question *question = find_question(p, (uint64_t)word->id);
    if (!question)
        return;
    program_question_cancel(question);
    question->answered(question, word->allow == 1, retry_of(word, BAN_SECONDS));
}

void page_tcp_command(struct page *p, const struct message *m)
{
    struct word word;
    if (!read_word(m, &word))
        page_refuse_command(p, m, EXPECTED);
    else if (word.id > 0)
        answer(p, m, &word);
    else
        set_mode(p, &word);
}

/* ---- from the page ---- */

struct page_opener page_opener_of(struct page *p)
{
    return (struct page_opener){
        .origin = page_origin(p),
        .same_origin = p->kind != PAGE_DIRECT || p->same_origin,
        .address = slice_of(page_address(p)),
        .client = p->client_key,
        .who = p->client_who,
        .ask = ask_program,
        .owner = p,
    };
}
