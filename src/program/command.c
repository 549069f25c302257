/* SPDX-License-Identifier: MIT */
#include "program/command.h"

#include "base/utf8.h"
#include "program/worker_map.h"

#include <jansson.h>
#include <string.h>

bool command_read_close(const struct message *m, char text[COMMAND_REASON_MAX],
                        struct slice *ret_reason)
{
    *ret_reason = SLICE_LITERAL("program-exit");
    if (m->body.len == 0)
        return true;
    json_t *value = json_loadb(m->body.ptr, m->body.len, JSON_DECODE_ANY, NULL);
    json_t *reason = json_object_get(value, "reason");
    bool good = json_is_object(value) && (!reason || json_is_string(reason));
    if (good && reason) {
        struct slice said = slice_make(json_string_value(reason), json_string_length(reason));
        said = utf8_first(said, COMMAND_REASON_MAX);
        memcpy(text, said.ptr, said.len);
        *ret_reason = slice_make(text, said.len);
    }
    json_decref(value);
    return good;
}

bool command_is_shared(const struct message *m)
{
    return m->kind == MESSAGE_CONTROL && slice_equal(m->name, SLICE_LITERAL("shared"));
}

bool command_read_shared(const struct message *m, uint32_t *ret_processes)
{
    json_t *value = m->body.len > 0 ? json_loadb(m->body.ptr, m->body.len, 0, NULL) : json_object();
    json_t *processes = json_object_get(value, "processes");
    json_int_t number = processes ? json_integer_value(processes) : 1;
    bool good = json_is_object(value) && number >= 1 && number <= PROGRAM_PROCESSES_MAX;
    if (good)
        *ret_processes = (uint32_t)number;
    json_decref(value);
    return good;
}
