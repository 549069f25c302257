#!/bin/sh
# SPDX-License-Identifier: MIT
# Rows of tests/vectors/lines.json, by the helper for sh: a line of the
# server's, or one that is said.
#
# usage: lines.sh read 3<FILE          prints the head, `data` or `bytes`, and what it carries
#        lines.sh post HEAD [JSON] 3>FILE
#        lines.sh bytes HEAD FILE 3>FILE
#        lines.sh name NAME 3>FILE     fails if it is none
. "$HTTPSOCKET_SDK/sh/httpsocket.sh"

case $1 in
read)
    page_read || exit 3
    if page_is_answer; then # page_next hears none without its call
        page_split
        event=$page_head
        data=$page_rest
        case $data in @*) bytes=${data#@} ;; esac
    else
        # shellcheck disable=SC2034 # page_next takes it from there
        page_queue=$page_line$page_lf
        page_next
        event=$event${call:+"?$call"}
    fi
    if [ -n "${bytes:-}" ]; then
        printf '%s\nbytes\n' "$event"
        cat "$bytes"
    else
        printf '%s\ndata\n%s' "$event" "$data"
    fi
    ;;
post) page_post "$2" "${3:-}" ;;
bytes) page_post_bytes "$2" "$3" ;;
name) page_send "$2" 1 ;;
esac
