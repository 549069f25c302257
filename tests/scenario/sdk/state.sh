#!/bin/sh
# The program of sdk-state.test.mjs, by the helper for sh.
. "$HTTPSOCKET_SDK/sh/httpsocket.sh"

page_show <<'HTML'
<!doctype html><title>state</title>
HTML

if page_query unused >/dev/null; then
    while page_next; do
        case $event in
        add) page_send total "$data" ;;
        esac
    done
    exit
fi

notes='' pad=''
save() {
    page_save "{\"notes\":[$notes],\"pad\":\"$pad\"}"
}
note() {
    notes="$notes${notes:+,}[$1,$([ -n "$page_resent" ] && echo true || echo false)]"
    save
    page_send noted "$1"
}

save
page_send started "{\"pid\":$$,\"restored\":$([ -n "$page_is_restored" ] && echo true || echo false)}"
while page_next; do
    case $event in
    .restore)
        notes=$(page_get "$page_state" notes)
        notes=${notes#\[} notes=${notes%\]}
        page_send restored "[\"$(page_get why)\",$(page_get resent),[$notes]]"
        ;;
    note) note "$data" ;;
    notes) page_answer "$call" "[$notes]" ;;
    look) page_send looked ;;
    die)
        [ -n "$page_resent" ] || kill -9 $$
        notes="$notes${notes:+,}[$data,true]"
        save
        ;;
    quit)
        note "$data"
        exit
        ;;
    pad)
        pad=$(head -c "$data" /dev/zero | tr '\0' x)
        save
        ;;
    ask) page_call name "$data" && note "$answer" ;;
    .problem) page_send told "\"$(page_get command)\"" ;;
    .*) ;;
    *) [ -z "$call" ] || page_fail "$call" "no function for $event" ;;
    esac
done
