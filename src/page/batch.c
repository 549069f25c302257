/* SPDX-License-Identifier: MIT */
#include "page/batch.h"

#include "proto/json.h"
#include "session/session.h"

enum {
    FOR_SESSIONS,
    FOR_PLAIN
};

static size_t message_len(const struct hub_event *e)
{
    return e->name.len + 1 + e->data.len;
}

size_t batch_payload(const struct hub_batch *batch)
{
    return batch->bytes + batch->count; /* a space in each */
}

/* With room for as many frames as there are events, each with a payload of no more than that. */
static struct shared_bytes *frames_new(const struct hub_batch *batch)
{
    struct shared_bytes *frames =
        shared_new(batch_payload(batch) + (size_t)batch->count * WS_HEAD_MAX);
    if (frames)
        frames->len = 0;
    return frames;
}

static void append(struct shared_bytes *frames, struct slice s)
{
    memcpy(frames->bytes + frames->len, s.ptr, s.len);
    frames->len += (uint32_t)s.len;
}

static void append_head(struct shared_bytes *frames, size_t len)
{
    frames->len += (uint32_t)outbox_frame_head(frames->bytes + frames->len, false, len);
}

/* Appends the frame of one event; false: it has to go by itself. */
typedef bool frame_fn(struct shared_bytes *frames, const struct hub_event *e, size_t message_max,
                      uint32_t *payload);

static bool frame_for_session(struct shared_bytes *frames, const struct hub_event *e,
                              size_t message_max, uint32_t *payload)
{
    size_t len = message_len(e);
    if (len > message_max)
        return false;
    append_head(frames, len);
    append(frames, e->name);
    append(frames, SLICE_LITERAL(" "));
    append(frames, e->data);
    *payload += (uint32_t)len;
    return true;
}

/* A JSON string goes as its text, any other JSON as it is. */
static bool frame_for_plain(struct shared_bytes *frames, const struct hub_event *e,
                            size_t message_max, uint32_t *payload)
{
    char head[WS_HEAD_MAX];
    struct slice text = e->data;
    size_t len = e->data.len;
    char *at = frames->bytes + frames->len + WS_HEAD_MAX;
    if (!slice_equal(e->name, SLICE_LITERAL("message")))
        return false;
    if (json_plain_text(e->data, &text))
        len = text.len;
    else if (json_unquote_valid(e->data, at, &len))
        text = slice_make(at, len);
    if (len > message_max)
        return false;
    size_t head_len = outbox_frame_head(head, false, len);
    memmove(frames->bytes + frames->len + head_len, text.ptr, len);
    memcpy(frames->bytes + frames->len, head, head_len);
    frames->len += (uint32_t)(head_len + len);
    *payload += (uint32_t)len;
    return true;
}

static void make(struct hub_batch *batch, struct hub_form *form, size_t message_max,
                 frame_fn *frame)
{
    struct shared_bytes *frames = frames_new(batch);
    form->impossible = !frames;
    for (unsigned i = 0; i < batch->count && !form->impossible; i++)
        form->impossible = !frame(frames, batch->events[i], message_max, &form->payload);
    if (form->impossible && frames)
        shared_unref(frames);
    else
        form->bytes = frames;
}

static bool get(struct hub_batch *batch, unsigned which, size_t message_max, frame_fn *frame,
                struct outbox_frames *ret)
{
    struct hub_form *form = &batch->forms[which];
    if (!form->bytes && !form->impossible)
        make(batch, form, message_max, frame);
    *ret = (struct outbox_frames){form->bytes, batch->count, form->payload};
    return form->bytes;
}

bool batch_for_sessions(struct hub_batch *batch, struct outbox_frames *ret)
{
    return get(batch, FOR_SESSIONS, SESSION_SHARED_MAX, frame_for_session, ret);
}

bool batch_for_plain(struct hub_batch *batch, size_t message_max, struct outbox_frames *ret)
{
    return get(batch, FOR_PLAIN, message_max, frame_for_plain, ret);
}
