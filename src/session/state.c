/* SPDX-License-Identifier: MIT */
#include "session/state.h"

#include "base/heap.h"
#include "base/log.h"
#include "base/pack.h"
#include "proto/close_code.h"
#include "proto/state_message.h"
#include "session/sealed.h"
#include "session/table.h"

#include <stdlib.h>

enum {
    PIECE_MAX = 16384,   /* bytes; a larger state goes in pieces */
    SEAL_AGAIN_MS = 1000 /* after there was no memory for it */
};

struct state_slot {
    struct session *session; /* borrowed: owns us */
    struct timer timer;      /* the lines of this turn are read: what came may go */
    char *plain;             /* owned: the state that waits; NULL: none */
    size_t plain_len;
    bool binary;                 /* of `plain` */
    bool asked;                  /* a `.saved` is not answered on this wire */
    bool given;                  /* the client has a state, and no newer one is lost */
    struct shared_bytes *sealed; /* under way, or not answered; NULL: none */
    size_t at;                   /* so much of it is in the wire */
    uint64_t sealed_covers;
    uint64_t covers; /* of the newest state */
    uint64_t said;   /* in the `.saved` that is asked */
    uint64_t stored; /* what the client has answered */
    uint32_t pong;   /* the next piece waits for this one; 0: for none */
    uint64_t restore_due_ms;
};

static void on_turn(struct timer *timer)
{
    session_state_pump(container_of(timer, struct state_slot, timer)->session);
}

static struct state_slot *slot_of(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (slot)
        return slot;
    slot = s->saved = log_needed(calloc(1, sizeof(*slot)));
    if (!slot)
        return NULL;
    slot->session = s;
    timer_init(&slot->timer, on_turn);
    return slot;
}

static void drop_plain(struct state_slot *slot)
{
    free(slot->plain);
    slot->plain = NULL;
    slot->plain_len = 0;
}

static void drop_sealed(struct state_slot *slot)
{
    if (slot->sealed)
        shared_unref(slot->sealed);
    slot->sealed = NULL;
    slot->at = 0;
}

void session_state_free(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (!slot)
        return;
    timer_stop(&slot->timer);
    drop_plain(slot);
    drop_sealed(slot);
    free(slot);
    s->saved = NULL;
}

size_t session_state_held(const struct session *s)
{
    const struct state_slot *slot = s->saved;
    if (!slot)
        return 0;
    return sizeof(*slot) + slot->plain_len + (slot->sealed ? slot->sealed->len : 0);
}

/* ---- to the client ---- */

static struct sealed_place place_of(const struct session *s)
{
    return (struct sealed_place){slice_make(s->text, s->origin_len),
                                 slice_make(s->text + s->origin_len, s->path_len)};
}

/* Nothing covers more than it did, before there is another one. */
static void lose_newest(struct state_slot *slot)
{
    drop_plain(slot);
    drop_sealed(slot);
    slot->given = false;
}

static void seal_plain(struct session *s, struct state_slot *slot)
{
    struct sealed_place place = place_of(s);
    struct sealed_state state = {slot->binary, slice_make(slot->plain, slot->plain_len),
                                 sealed_clock_ms()};
    drop_sealed(slot);
    slot->sealed = sealed_make(s->config->sealer, &place, &state);
    slot->sealed_covers = slot->covers;
    if (slot->sealed)
        drop_plain(slot);
    else if (s->config->sealer->keys) /* no memory: later */
        timer_start(s->loop, &slot->timer, SEAL_AGAIN_MS);
    else
        lose_newest(slot);
}

static void say_saved(struct session *s, struct state_slot *slot, bool binary, uint64_t covers)
{
    char head[STATE_SAVED_MAX];
    struct slice pieces[] = {slice_make(head, state_saved_write(covers, head)), SLICE_LITERAL("\n"),
                             SLICE_NONE};
    if (binary) {
        pieces[2] = slice_make(slot->sealed->bytes + slot->at, slot->sealed->len - slot->at);
        slot->at = slot->sealed->len;
        s->counts->states_out++;
    }
    slot->asked = true;
    slot->said = covers;
    session_put(s, binary, pieces, binary ? 3 : 1);
}

static void say_piece(struct session *s, struct state_slot *slot)
{
    struct slice pieces[] = {slice_make(&(char){STATE_MORE}, 1),
                             slice_make(slot->sealed->bytes + slot->at, PIECE_MAX)};
    if (slot->at == 0)
        s->wire->ops->keep_shallow(s->wire);
    slot->at += PIECE_MAX;
    session_put(s, true, pieces, 2);
    session_say_ping(s);
    slot->pong = s->pings;
}

static bool may_go(const struct session *s)
{
    const struct state_slot *slot = s->saved;
    return slot && s->wire && s->wire->state && !s->restoring && s->state != SESSION_LEAVING &&
           !s->sending.next.block;
}

void session_state_pump(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (!may_go(s) || slot->asked || slot->pong)
        return;
    if (!slot->sealed && slot->plain)
        seal_plain(s, slot);
    if (slot->sealed && slot->sealed->len - slot->at > PIECE_MAX)
        say_piece(s, slot);
    else if (slot->sealed)
        say_saved(s, slot, true, slot->sealed_covers);
    else if (!slot->plain && slot->given && slot->covers > slot->stored)
        say_saved(s, slot, false, slot->covers);
}

void session_state_flush(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (!may_go(s))
        return;
    bool is_begun = slot->sealed && slot->at > 0 && slot->at < slot->sealed->len;
    if (is_begun || (slot->sealed && slot->at == 0 && !slot->plain))
        say_saved(s, slot, true, slot->sealed_covers);
    if (slot->plain)
        seal_plain(s, slot);
    if (slot->sealed && slot->at == 0)
        say_saved(s, slot, true, slot->sealed_covers);
    uint64_t told = slot->asked ? slot->said : slot->stored;
    if (!slot->plain && slot->covers > told && (slot->given || slot->sealed))
        say_saved(s, slot, false, slot->covers);
}

void session_state_attached(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (slot && !s->wire->state && (slot->plain || slot->sealed)) /* it keeps none */
        lose_newest(slot);
    session_state_pump(s);
}

void session_state_detached(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (!slot)
        return;
    timer_stop(&slot->timer);
    if (slot->plain)
        drop_sealed(slot);
    slot->at = 0;
    slot->asked = false;
    slot->pong = 0;
}

/* ---- from the client ---- */

void session_state_stored(struct session *s, struct slice number)
{
    struct state_slot *slot = s->saved;
    uint64_t n;
    if (!slot || !slot->asked || !slice_to_uint(number, MESSAGE_CALL_MAX, &n) || n != slot->said) {
        session_breach(s, ".stored of what was not saved");
        return;
    }
    slot->asked = false;
    slot->stored = n;
    slot->given |= slot->sealed != NULL;
    drop_sealed(slot);
    session_state_pump(s);
}

void session_state_ponged(struct session *s)
{
    struct state_slot *slot = s->saved;
    if (!slot || !slot->pong || s->pongs < slot->pong)
        return;
    slot->pong = 0;
    session_state_pump(s);
}

/* ---- from the owner ---- */

bool session_keeps_state(const struct session *s)
{
    const struct state_slot *slot = s->saved;
    bool gets_one = slot && s->takes_state && (slot->plain || slot->sealed);
    return gets_one || (slot && slot->given);
}

static bool is_wanted(const struct session *s)
{
    struct sealer *sealer = s->config->sealer;
    return s->state <= SESSION_DETACHED && sealer && sealer->keys && (!s->wire || s->wire->state);
}

bool session_save(struct session *s, bool binary, struct slice state)
{
    if (!is_wanted(s)) {
        if (s->saved && s->state <= SESSION_DETACHED)
            lose_newest(s->saved);
        return true;
    }
    struct state_slot *slot = slot_of(s);
    char *plain = log_needed(malloc(state.len + 1));
    if (!slot || !plain) {
        free(plain);
        return false;
    }
    if (state.len)
        memcpy(plain, state.ptr, state.len);
    drop_plain(slot);
    slot->plain = plain;
    slot->plain_len = state.len;
    slot->binary = binary;
    if (slot->sealed && slot->at == 0)
        drop_sealed(slot);
    if (!timer_active(&slot->timer))
        timer_start(s->loop, &slot->timer, 0);
    return true;
}

void session_cover(struct session *s, uint64_t count)
{
    struct state_slot *slot = s->saved;
    if (!slot || count <= slot->covers)
        return;
    slot->covers = count;
    if (slot->sealed && !slot->plain && !slot->asked)
        slot->sealed_covers = count;
    if (s->state <= SESSION_DETACHED && !timer_active(&slot->timer))
        timer_start(s->loop, &slot->timer, 0);
}

/* ---- a session that begins with a state ---- */

bool session_state_await(struct session *s)
{
    struct state_slot *slot = slot_of(s);
    if (!slot)
        return false;
    slot->restore_due_ms = loop_now_ms(s->loop) + s->config->attach_timeout_ms;
    s->restoring = true;
    return true;
}

bool session_state_is_late(const struct session *s)
{
    return s->restoring && loop_now_ms(s->loop) >= s->saved->restore_due_ms;
}

/* The client only learns that it was refused: the log says why. */
static void refuse(struct session *s, const char *why)
{
    char id[SESSION_LOG_ID_LEN + 1];
    struct sealed_place place = place_of(s);
    session_log_id(s, id);
    log_warn("session.restore_refused", log_text("session", id), log_slice("path", place.path),
             log_slice("origin", place.origin), log_text("why", why));
    s->counts->restores_refused++;
    session_abort(s, CLOSE_STATE_REFUSED, SLICE_LITERAL("state-refused"));
}

void session_state_restore(struct session *s, struct slice message)
{
    struct state_restore wish;
    struct sealed_state opened;
    struct sealed_place place = place_of(s);
    char *bytes = NULL;
    if (!s->restoring || state_parse_restore(message, &wish) != PARSE_OK) {
        session_breach(s, s->restoring ? wish.fault : ".restore that was not asked for");
        return;
    }
    const char *why = sealed_open(s->config->sealer, &place, wish.sealed, sealed_clock_ms(),
                                  s->config->state_age_ms, &opened, &bytes);
    if (why) {
        refuse(s, why);
        return;
    }
    s->restoring = false;
    s->saved->given = true;
    s->counts->restores++;
    session_say(s, ".restored", 9);
    s->ops->on_restore(s, &(struct session_restored){.why = wish.why,
                                                     .resent = wish.resent,
                                                     .binary = opened.binary,
                                                     .state = opened.state});
    free(bytes);
    if (s->wire && s->state == SESSION_ATTACHED)
        s->ops->on_attach(s, false);
}

/* ---- for the process that takes over ---- */

enum {
    PLAIN = 1,
    HAS_PLAIN,
    BINARY,
    ASKED,
    GIVEN,
    SEALED,
    SEALED_AT,
    SEALED_COVERS,
    COVERS,
    SAID,
    STORED,
    PONG,
    RESTORE_DUE_MS,
};

void session_state_pack(const struct session *s, struct pack *p)
{
    const struct state_slot *slot = s->saved;
    pack_number(p, HAS_PLAIN, slot->plain != NULL);
    pack_slice(p, PLAIN, slice_make(slot->plain, slot->plain_len));
    pack_number(p, BINARY, slot->binary);
    pack_number(p, ASKED, slot->asked);
    pack_number(p, GIVEN, slot->given);
    if (slot->sealed)
        pack_slice(p, SEALED, slice_make(slot->sealed->bytes, slot->sealed->len));
    pack_number(p, SEALED_AT, slot->at);
    pack_number(p, SEALED_COVERS, slot->sealed_covers);
    pack_number(p, COVERS, slot->covers);
    pack_number(p, SAID, slot->said);
    pack_number(p, STORED, slot->stored);
    pack_number(p, PONG, slot->pong);
    pack_number(p, RESTORE_DUE_MS, slot->restore_due_ms);
}

static bool unpack_bytes(struct state_slot *slot, struct slice in)
{
    struct slice plain = packed_slice(in, PLAIN), sealed = packed_slice(in, SEALED);
    if (packed_number(in, HAS_PLAIN)) {
        slot->plain = log_needed(malloc(plain.len + 1));
        if (!slot->plain)
            return false;
        memcpy(slot->plain, plain.ptr ? plain.ptr : "", plain.len);
        slot->plain_len = plain.len;
    }
    slot->sealed = sealed.len ? shared_new(sealed.len) : NULL;
    if (slot->sealed)
        memcpy(slot->sealed->bytes, sealed.ptr, sealed.len);
    slot->at = (size_t)packed_number(in, SEALED_AT);
    return (slot->sealed || !sealed.len) && slot->at <= sealed.len;
}

bool session_state_unpack(struct session *s, struct slice in)
{
    struct state_slot *slot = slot_of(s);
    if (!slot)
        return false;
    slot->binary = packed_number(in, BINARY);
    slot->asked = packed_number(in, ASKED);
    slot->given = packed_number(in, GIVEN);
    slot->sealed_covers = packed_number(in, SEALED_COVERS);
    slot->covers = packed_number(in, COVERS);
    slot->said = packed_number(in, SAID);
    slot->stored = packed_number(in, STORED);
    slot->pong = (uint32_t)packed_number(in, PONG);
    slot->restore_due_ms = packed_number(in, RESTORE_DUE_MS);
    return unpack_bytes(slot, in);
}

void session_state_go_on(struct session *s)
{
    if (s->saved)
        timer_start(s->loop, &s->saved->timer, 0);
}
