#!/bin/sh
# The conversation of sdk.test.mjs, by the helper for sh.
. "$HTTPSOCKET_SDK/sh/httpsocket.sh"

page_query refuse >/dev/null && page_refuse 401 'not you' 'the test' 7 /
page_read_form

name=$(page_query name) && name=$(page_string "$name") || name=null
field=$(page_form field) && field=$(page_string "$field") || field=null
[ -n "${HTTP_X_TEST:-}" ] && agent=$(page_string "$HTTP_X_TEST") || agent=null
told="{\"method\":\"$REQUEST_METHOD\",\"name\":$name,\"agent\":$agent,\"field\":$field}"
page_show <<HTML
<!doctype html><title>$(page_escape '<talk> & "more"')</title><script>const told = $told</script>
HTML

asked() {
    if page_call "$(page_get "$1" name)" "$(page_get "$1" data)" "$(page_get "$1" timeout)"; then
        page_send asked "{\"answer\":$answer}"
    else
        case $? in
        1) page_send asked "{\"failure\":$(page_string "$(page_get "$answer" message)")}" ;;
        2) page_send asked '{"timeout":true}' ;;
        esac
    fi
}

collect() {
    page_ask "$1"
    parts=
    while page_more; do parts=$parts${parts:+,}$answer; done
    page_send collected "[$parts]"
}

received=0 in_order=true
while page_next; do
    case $event in
    echo) if [ -n "$bytes" ]; then page_send_bytes echo "$bytes"; else page_send echo "$data"; fi ;;
    put)
        [ "$data" = $received ] || in_order=false
        received=$((received + 1))
        ;;
    report) page_answer "$call" "{\"count\":$received,\"in_order\":$in_order,\"pid\":$$}" ;;
    flood)
        i=0
        while [ $i -lt "$data" ]; do
            page_send n $i
            i=$((i + 1))
        done
        ;;
    add)
        sum=0 i=0
        if [ -n "$bytes" ]; then
            page_fail "$call" 'bytes are no numbers'
            continue
        fi
        while n=$(page_get $i); do sum=$((sum + n)) i=$((i + 1)); done
        page_answer "$call" $sum
        ;;
    same) page_answer_bytes "$call" "$bytes" ;;
    count)
        i=0
        while [ $i -lt "$data" ]; do
            page_part "$call" $i
            i=$((i + 1))
        done
        page_answer "$call"
        ;;
    refused) page_post "!$call" "{\"message\":$(page_string "no $(page_get '')"),\"code\":7}" ;;
    crash) page_fail "$call" 'the program failed' ;;
    throw) echo 'thrown on purpose' >&2 ;;
    ask) asked "$data" ;;
    collect) collect "$(page_get '')" ;;
    print) page_get '' ;;
    watch)
        page_listen '{"on":"click","as":"test_click","select":"#test","prevent":true}'
        page_unlisten '{"as":"test_click"}'
        page_dom "{\"select\":\"#n\",\"text\":$(page_string '<5>')}"
        page_dom '[{"select":"#a","remove":true},{"select":"#b","focus":true}]'
        ;;
    test_click) page_send clicked "$data" ;;
    .problem) page_send told "[\"problem\",$(page_string "$(page_get command)")]" ;;
    join)
        topic=$(page_get '')
        page_subscribe "$topic" '"history":2,"presence":{"name":"py"}'
        page_publish "$topic" stroke '{"x":1}'
        ;;
    .topic) page_send heard "[$(page_string "$(page_get event)"),$(page_get data)]" ;;
    .presence)
        here=$(page_get here.0.data || page_get joined.0.data) || here=
        page_send here "[$here]"
        ;;
    part) page_unsubscribe "$(page_get '')" ;;
    .stream)
        id=$(page_get id)
        if [ "$(page_get name)" != upload ]; then
            page_stream_reset "$id" refused
        elif [ "$(page_get data.size)" -gt 10000000 ]; then
            page_stream_reset "$id" too-large
        else
            page_accept "$id"
        fi
        ;;
    .stream/*) page_stream_write "${event#.stream/}" "$bytes" ;;
    .end) page_stream_end "$(page_get id)" ;;
    .reset) page_send broken "\"$(page_get reason)\"" ;;
    leave) page_close "$(page_get '')" ;;
    .attach) page_send told "[\"attach\",$(page_get resumed)]" ;;
    .*) ;;
    *) if [ -n "$call" ]; then page_fail "$call" "no function for $event"; else echo "httpsocket: nothing hears the event $event" >&2; fi ;;
    esac
done
echo ended >&2
