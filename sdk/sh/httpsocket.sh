# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Page programs of httpsocketd in sh: a script prints a page, stays, and goes on talking with it.
#
#     . "$HTTPSOCKET_SDK/sh/httpsocket.sh"
#     page_show <<'HTML'
#     <!doctype html>…
#     HTML
#     while page_next; do
#         case $event in
#         add) page_send total $((total += data)) ;;
#         esac
#     done
#
# For dash and every other POSIX sh, with awk, sed, head, cat, mktemp, sleep. `data` and what is
# sent is JSON, on one line: page_string makes JSON of text, page_get takes a member out. All names
# begin with page_ but those that page_next sets: event, data, call, bytes. Writing waits while the
# page is slow. Under `set -e` call page_next and page_call as conditions, as here.

page_fd3=${HTTPSOCKET_FD:-}
page_queue=   # lines that came while an answer was waited for
page_numbers= # of those: how many messages had come then
page_half=    # of a line that a timer interrupted
page_calls=0  # made so far
page_folder=  # for bytes
page_timer=   # a `sleep` whose end is the end of waiting
page_last=yes # no more answers are expected
page_lf='
'
page_state=     # JSON that outlives the script: page_save, .restore
page_saves=     # yes: it is in use
page_saved=     # what the server has of it
page_told=0     # events, calls and answers that have come
page_heard=0    # of which page_next has given this one last, or some before it
page_seen=0     # so many of the first a process before this one may have seen
page_confirmed= # so many are said to be done; empty: nothing has been said
page_resent=    # yes: what page_next has given is one of them
page_restoring= # yes: the state is still to come, and nothing is saved before
# yes: the script goes on for one that is gone, and its page is there already
# shellcheck disable=SC2034 # it is for who includes this file
page_is_restored=
# shellcheck disable=SC2034
[ "${HTTPSOCKET_RESTORE:-}" != 1 ] || page_is_restored=yes page_restoring=yes

# ---- the answer ----

# page_begin [TYPE [STATUS [HEADER: VALUE ...]]]: a page that the script
# prints itself; page_end completes it.
page_begin() {
    if [ "${HTTPSOCKET_CONNECT:-}" != 1 ] || [ $# -gt 1 ]; then
        [ -z "${2:-}" ] || printf 'Status: %s\n' "$2"
        printf 'Content-Type: %s\n' "${1:-text/html; charset=utf-8}"
        [ $# -le 2 ] || { shift 2 && printf '%s\n' "$@"; }
    fi
    echo
}

# The page is complete. What is printed from now on goes to the server's log.
page_end() {
    exec >&2
}

# page_show [TYPE [STATUS [HEADER: VALUE ...]]] <page: the whole of it. (Not behind a `|`, where sh
# would make it a shell of its own.)
page_show() {
    page_begin "$@"
    cat
    page_end
}

# page_refuse STATUS [MESSAGE [REALM [RETRY [PATH]]]]: this instead of a page; ends the script. 401
# keeps the client's scripts away from here for a minute, or RETRY seconds; PATH says from where
# down. With REALM a browser asks its user for a name and a password.
page_refuse() {
    printf 'Status: %s\nContent-Type: text/plain; charset=utf-8\n' "$1"
    [ -z "${3:-}" ] || printf 'WWW-Authenticate: Basic realm="%s", charset="UTF-8"\n' "$3"
    if [ -n "${4:-}" ]; then
        [ "$1" = 401 ] && page_wait=Access-Control-Max-Age || page_wait=Retry-After
        printf '%s: %s\n' "$page_wait" "$4"
    fi
    [ -z "${5:-}" ] || printf 'Access-Control-Policy-Path: %s\n' "$5"
    printf '\n%s\n' "${2:-status $1}"
    exit 0
}

# ---- the request ----

# page_query NAME: that field of the query, decoded; the last, if there are
# several. Fails if there is none.
page_query() {
    page_field "$1" "${QUERY_STRING:-}"
}

# page_form NAME: that field of a form posted as application/x-www-form-urlencoded.
page_form() {
    [ -n "${page_posted+x}" ] || page_read_form
    page_field "$1" "$page_posted"
}

# Before the first page_form in a $(…), which would keep what it reads to itself.
page_read_form() {
    page_posted=
    case ${CONTENT_TYPE:-} in
    application/x-www-form-urlencoded*) page_posted=$(cat) ;;
    esac
}

# page_field NAME FIELDS
page_field() {
    printf '%s' "$2" | LC_ALL=C page_wanted=$1 awk '
        BEGIN { RS = "&"; for (i = 0; i < 256; i++) hex[sprintf("%02x", i)] = sprintf("%c", i) }
        function decoded(s,   out, at) {
            gsub(/\+/, " ", s)
            while (at = match(s, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
                out = out substr(s, 1, at - 1) hex[tolower(substr(s, at + 1, 2))]
                s = substr(s, at + 3)
            }
            return out s
        }
        { at = index($0, "="); name = at ? substr($0, 1, at - 1) : $0
          if (decoded(name) == ENVIRON["page_wanted"]) {
              found = 1; value = at ? decoded(substr($0, at + 1)) : "" } }
        END { if (!found) exit 1; print value }'
}

# ---- text, HTML and JSON ----

# page_escape TEXT: text that stands for itself in HTML.
page_escape() {
    printf '%s\n' "$1" | sed "s/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/\"/\&quot;/g; s/'/\&#39;/g"
}

# page_string TEXT: a JSON string of it, which may stand inside of a <script> element too.
page_string() {
    printf '%s.' "$1" | LC_ALL=C awk '
        BEGIN {
            for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i)
            code["\""] = "\\\""; code["\\"] = "\\\\"; code["<"] = "\\u003c"
        }
        { out = NR > 1 ? out "\\n" : ""
          while (at = match($0, /[\001-\037"\\<]/)) {
              out = out substr($0, 1, at - 1) code[substr($0, at, 1)]
              $0 = substr($0, at + 1)
          }
          out = out $0 }
        END { print "\"" substr(out, 1, length(out) - 1) "\"" }'
}

# page_get [JSON] PATH: a member of JSON (default: of data), such as `name`, `list.0.name`, or ``
# for the whole. A string comes as its text, anything else as JSON. Fails if there is none.
page_get() {
    [ $# -gt 1 ] || set -- "$data" "$1"
    printf '%s' "$1" | LC_ALL=C page_path=$2 awk '
        function skip() { while (substr(s, at, 1) ~ /^[ \t\r\n]$/) at++ }
        function utf8(n,   last) {
            if (n < 128) return sprintf("%c", n)
            if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
            last = sprintf("%c%c", 128 + int(n / 64) % 64, 128 + n % 64)
            if (n < 65536) return sprintf("%c", 224 + int(n / 4096)) last
            return sprintf("%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64) last
        }
        function hex(h,   n, i) {
            for (i = 1; i <= 4; i++)
                n = n * 16 + index("0123456789abcdef", tolower(substr(h, i, 1))) - 1
            return n
        }
        function string(   out, c, n) {
            for (at++; (c = substr(s, at, 1)) != "\"" && c != ""; at++) {
                if (c == "\\") {
                    c = substr(s, ++at, 1)
                    if (c == "u") {
                        n = hex(substr(s, at + 1, 4)); at += 4
                        if (n >= 55296 && n < 56320 && substr(s, at + 1, 2) == "\\u") {
                            n = 65536 + (n - 55296) * 1024 + hex(substr(s, at + 3, 4)) - 56320
                            at += 6 }
                        c = n ? utf8(n) : ""
                    } else if (c in short) c = short[c]
                }
                out = out c
            }
            at++
            return out
        }
        # Passes one value; where `path` leads to it or into it, notes what it is.
        function value(path,   from, text, i, key) {
            skip(); from = at; c = substr(s, at, 1)
            if (c == "\"") text = string()
            else if (c == "{" || c == "[") {
                i = 0; kind = c; at++; skip()
                while (substr(s, at, 1) !~ /^[\]}]?$/) {
                    key = i++
                    if (substr(s, from, 1) == "{") { key = string(); skip(); at++ }
                    value(path == "" ? key : path "." key)
                    skip(); if (substr(s, at, 1) == ",") { at++; skip() }
                }
                at++; text = substr(s, from, at - from)
            } else {
                while (substr(s, at, 1) !~ /^[],} \t\r\n]?$/) at++
                text = substr(s, from, at - from) }
            if (path == wanted && from <= length(s)) { found = 1; result = text }
        }
        BEGIN { RS = "\001"; wanted = ENVIRON["page_path"]
                short["n"] = "\n"; short["t"] = "\t"; short["r"] = "\r"
                short["b"] = "\b"; short["f"] = "\f" }
        { s = s $0 }
        END { at = 1; value(""); if (!found) exit 1; print result }'
}

# ---- the state ----

# page_save JSON: the state that outlives the script (docs/page-programs/state.md), whole. It is
# saved by the next page_next, if it has changed, with the message at hand, which is then done; so
# say it whenever the state may have changed, at first before the first page_next. The process that
# goes on for this one reads the event .restore before all others; then page_state is the state, and
# data says why. page_resent is `yes` for each message that a process before may have seen.
page_save() {
    case $1 in
    '' | @* | *"$page_lf"*)
        echo "httpsocket: page_save: a state is JSON on one line" >&2
        return 1
        ;;
    esac
    page_state=$1 page_saves=yes
}

# What was heard is done, and the state is as it leaves it: both in one write. An answer is done
# when it has come, for whoever asked is in the midst of another message.
page_end_turn() {
    [ -n "$page_saves" ] && [ -z "$page_restoring" ] || return 0
    page_done=$page_told
    if [ -n "$page_queue" ]; then
        page_done=${page_numbers%% *}
        case $page_queue in
        .*) ;;
        *) page_done=$((page_done - 1)) ;;
        esac
    fi
    page_lines=
    [ -n "$page_confirmed" ] || page_lines=".confirm 0$page_lf" page_confirmed=0
    [ "$page_state" = "$page_saved" ] || page_lines="$page_lines.save $page_state$page_lf"
    [ "$page_done" = "$page_confirmed" ] || page_lines="$page_lines.confirm $page_done$page_lf"
    page_saved=$page_state page_confirmed=$page_done
    [ -z "$page_lines" ] || { printf '%s' "$page_lines" >&3; } 2>/dev/null || page_saves=
}

# A line of the server's about the state.
page_take_system() {
    case $event in
    .restore)
        page_state=$(page_get state) || page_state=null
        page_seen=$(page_get resent) || page_seen=0
        case $data in '{"state":"'*) page_state=$(page_string "$page_state") ;; esac
        page_saved=$page_state page_saves=yes page_restoring=
        ;;
    .problem)
        [ "$(page_get command)" != save ] ||
            printf 'httpsocket: page_save: %s\n' "$(page_get message)" >&2
        ;;
    esac
}

# ---- what comes ----

# page_next [SECONDS]: the next message. Sets event (its name; `.attach` and the like are the
# server's), data (its JSON, `null` if there is none), call (the number that page_answer wants;
# empty for an event) and bytes (a file that has them until the next page_next; data is empty then).
# 0: there is one; 1: the session is over; 2: the time is.
page_next() {
    page_end_turn
    [ -z "${bytes:-}" ] || rm -f "$bytes"
    bytes='' event='' data='' call=''
    if [ -n "$page_queue" ]; then
        page_line=${page_queue%%"$page_lf"*}
        page_heard=${page_numbers%% *}
        page_numbers=${page_numbers#* }
        page_queue=${page_queue#*"$page_lf"}
    else
        page_timer_start "${1:-}"
        page_status=0
        while page_read || { page_status=$? && false; }; do
            page_is_answer || break
            page_forget # it is of a call that was given up
        done
        page_timer_stop
        [ "$page_status" = 0 ] || return "$page_status"
        page_heard=$page_told
    fi
    page_split
    # shellcheck disable=SC2034 # these are for who includes this file
    event=${page_head%%\?*}
    # shellcheck disable=SC2034
    case $page_head in *\?*) call=${page_head##*\?} ;; esac
    case $page_rest in
    @*) bytes=${page_rest#@} ;;
    *) data=${page_rest:-null} ;;
    esac
    page_resent=
    # shellcheck disable=SC2034
    case $event in
    .*) page_take_system ;;
    *) [ "${page_heard:-1}" -gt "$page_seen" ] || page_resent=yes ;;
    esac
}

# page_call NAME [JSON [SECONDS]]: calls the page; sets answer. 0: it is JSON, or the file
# of its bytes, which is yours to remove; 1: the call failed, and answer says
# {"message":…}; 2: nothing came within SECONDS (30); 3: the session is over. What else
# comes meanwhile is heard by page_next afterwards.
page_call() {
    page_ask "$1" "${2:-}" || { answer='{"message":"not a name"}' && return 1; }
    page_await "${3:-30}" || return $(($? == 2 ? 2 : 3))
    [ "$page_sign" != ! ]
}

# page_ask NAME [JSON]: a call whose several answers come by page_more, until another call is made.
page_ask() {
    page_named "$1" || return
    page_calls=$((page_calls + 1))
    page_last=no
    page_post "$1?$page_calls" "${2:-}"
}

# page_more [SECONDS]: the next answer to page_ask; sets answer. 0: there is one; 1: there are no
# more; 2, 3: as page_call; 4: the call failed.
page_more() {
    [ "$page_last" = no ] || return 1
    page_await "${1:-30}" || return $(($? == 2 ? 2 : 3))
    [ "$page_sign" = + ] || page_last=yes
    [ "$page_sign" != ! ] || return 4
    [ "$page_sign" = + ] || [ -n "$page_rest" ]
}

# page_await SECONDS: an answer to the last call into answer, page_sign and
# page_rest; everything else is queued.
page_await() {
    page_timer_start "$1"
    page_status=0
    while page_read || { page_status=$? && false; }; do
        if page_is_answer; then
            page_split
            [ "${page_head#?}" != "$page_calls" ] || break
            page_forget
        else
            page_queue=$page_queue$page_line$page_lf
            page_numbers="$page_numbers$page_told "
        fi
    done
    page_timer_stop
    [ "$page_status" = 0 ] || return "$page_status"
    page_sign=${page_head%"$page_calls"}
    answer=${page_rest:-null}
    case $answer in @*) answer=${answer#@} ;; esac
}

# page_head, page_rest: of page_line.
page_split() {
    page_head=${page_line%% *}
    case $page_line in
    *' '*) page_rest=${page_line#* } ;;
    *) page_rest= ;;
    esac
}

page_is_answer() {
    case $page_line in
    [=+!]*) ;;
    *) return 1 ;;
    esac
}

page_forget() {
    case $page_line in
    *' @'*) rm -f "${page_line#* @}" ;;
    esac
}

# ---- what it says ----

# page_send NAME [JSON]: an event for the page.
page_send() {
    page_named "$1" && page_post "$1" "${2:-}"
}

# page_send_bytes NAME [FILE]: bytes for the page, of FILE or of stdin.
page_send_bytes() {
    page_named "$1" && page_post_bytes "$1" "${2:-}"
}

page_named() {
    page_name_ok "$1" && return
    echo "httpsocket: not a name: $1 (1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a dot)" >&2
    return 1
}

# page_answer CALL [JSON], page_answer_bytes CALL [FILE]; page_part CALL JSON:
# one of several; page_fail CALL MESSAGE
page_answer() {
    page_post "=$1" "${2:-}"
}

page_answer_bytes() {
    page_post_bytes "=$1" "${2:-}"
}

page_part() {
    page_post "+$1" "$2"
}

page_fail() {
    page_post "!$1" "{\"message\":$(page_string "$2")}"
}

# page_close [REASON]: the session is over; the page is told why.
page_close() {
    if [ -n "${1:-}" ]; then
        page_post .close "{\"reason\":$(page_string "$1")}"
    else
        page_post .close ''
    fi
}

# page_listen JSON, page_unlisten JSON: hears events of the page's document:
#     page_listen '{"on":"click","select":"#test","as":"test_click"}'
page_listen() {
    page_post .listen "$1"
}

page_unlisten() {
    page_post .unlisten "$1"
}

# page_dom JSON: changes the page's document:
#     page_dom "{\"select\":\"#n\",\"text\":$(page_string "$text")}"
page_dom() {
    page_post .dom "$1"
}

# page_accept ID, page_stream_write ID [FILE], page_stream_end ID, page_stream_reset ID REASON: byte
# streams of the page. They are heard as the events .stream (its data has the id, the name and the
# page's data), .stream/ID (with bytes), .end and .reset.
page_accept() {
    page_post .accept "{\"id\":$1}"
}

page_stream_write() {
    page_post_bytes ".stream/$1" "${2:-}"
}

page_stream_end() {
    page_post .end "{\"id\":$1}"
}

page_stream_reset() {
    page_post .reset "{\"id\":$1,\"reason\":$(page_string "$2")}"
}

# page_subscribe TOPIC [FIELDS], page_publish TOPIC EVENT [JSON], page_unsubscribe TOPIC: what
# programs of this server share; heard as the events .topic and .presence. FIELDS are more of
# .subscribe's, such as '"history":10,"last":true'.
page_subscribe() {
    page_post .subscribe "{\"topic\":\"$1\"${2:+,$2}}"
}

page_publish() {
    page_post .publish "{\"topic\":\"$1\",\"event\":\"$2\",\"data\":${3:-null}}"
}

page_unsubscribe() {
    page_post .unsubscribe "{\"topic\":\"$1\"}"
}

# page_tcp JSON: what it thinks of TCPConnections of its page: '{"allow":false}'; '{"ask":true}',
# and then '{"id":7,"allow":true}' for each event .tcp
page_tcp() {
    page_post .tcp "$1"
}

# ---- descriptor 3 ----

page_connected() {
    [ -z "$page_fd3" ] || return 0
    echo 'httpsocket: there is no page to talk with: this program is to be started by httpsocketd' >&2
    exit 1
}

# page_post HEAD JSON. When the session is over the script ends.
page_post() {
    page_connected
    case $2 in
    *"$page_lf"*)
        echo "httpsocket: $1: JSON stands on one line" >&2
        return 1
        ;;
    esac
    { printf '%s\n' "$1${2:+ $2}" >&3; } 2>/dev/null || exit 0
}

page_post_bytes() {
    page_connected
    page_file=$2
    [ -n "$page_file" ] || { page_new_file && cat >"$page_file"; }
    { printf '%s @%d\n' "$1" "$(wc -c <"$page_file")" && cat "$page_file" && echo; } >&3 || exit 0
    [ -n "$2" ] || rm -f "$page_file"
}

# page_read: a line into page_line, its bytes into a file that it names: `NAME @FILE`. 0; 1: the
# session is over; 2: the timer's time is. A signal that is trapped may end `read` early, with what
# it has got of a line; the end of file ends it again and again.
page_read() {
    page_connected
    page_ends=0
    until page_read_some; do
        page_half=$page_half$page_line
        [ -z "$page_timer" ] || kill -0 "$page_timer" 2>/dev/null || return 2
        [ -z "$page_line" ] || page_ends=0
        page_ends=$((page_ends + 1))
        [ $page_ends -lt 2 ] || return 1
    done
    page_line=$page_half$page_line
    page_half=
    page_split
    page_head_ok || page_broken
    case $page_head in .*) ;; *) page_told=$((page_told + 1)) ;; esac
    case $page_rest in @*) page_read_bytes ;; esac
}

# What came is no line of the server's.
page_broken() {
    printf 'httpsocket: not a line of the server'\''s: %.80s\n' "$page_line" >&2
    exit 1
}

# page_head: NAME, NAME?CALL, .WORD, or =CALL, +CALL, !CALL.
page_head_ok() {
    case $page_head in
    [=+!]*) page_number_ok "${page_head#?}" ;;
    .*) page_name_ok "${page_head#.}" ;;
    *\?*) page_name_ok "${page_head%%\?*}" && page_number_ok "${page_head#*\?}" ;;
    *) page_name_ok "$page_head" ;;
    esac
}

page_name_ok() {
    case $1 in
    '' | .* | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:/.-]*) return 1 ;;
    esac
    [ ${#1} -le 128 ]
}

# From 0 to 2^53 - 1, without zeros in front.
page_number_ok() {
    case $1 in
    '' | 0?* | *[!0123456789]*) return 1 ;;
    esac
    [ ${#1} -le 16 ] && [ "$1" -le 9007199254740991 ]
}

page_read_some() {
    IFS= read -r page_line <&3
}

# In bash no signal ends `read`, but it has a timer of its own.
if [ -n "${BASH_VERSION:-}" ]; then
    page_read_some() {
        if [ -z "$page_timer" ]; then
            IFS= read -r page_line <&3
        else
            # shellcheck disable=SC3045 # bash has it
            IFS= read -r -t 0.1 page_line <&3 || { [ $? -le 128 ] || page_ends=-1 && return 1; }
        fi
    }
fi

page_read_bytes() {
    page_number_ok "${page_rest#@}" || page_broken
    page_new_file
    head -c "${page_rest#@}" <&3 >"$page_file"
    [ "$(head -c 1 <&3 && echo .)" = "$page_lf." ] || page_broken
    page_line="$page_head @$page_file"
}

# The end of this `sleep` interrupts `read`.
page_timer_start() {
    [ -n "$1" ] || return 0
    trap : CHLD
    sleep "$1" 3>&- &
    page_timer=$!
}

page_timer_stop() {
    [ -n "$page_timer" ] || return 0
    trap - CHLD
    kill -9 "$page_timer" 2>/dev/null # a TERM is lost on it while it is still becoming `sleep`
    wait "$page_timer" 2>/dev/null
    page_timer=
}

page_new_file() {
    [ -n "$page_folder" ] || page_folder=$(mktemp -d)
    page_file=$(mktemp "$page_folder/bytes.XXXXXX")
}

# Also saves the state of a script that ends well; of one that fails the message comes again.
page_clean() {
    [ $? != 0 ] || page_end_turn
    [ -z "$page_folder" ] || rm -rf "$page_folder"
}

trap page_clean EXIT
trap 'page_saves= && exit 0' TERM PIPE # both follow the end of a session
